//! What a scan gives and asks, as expressions over columns of a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use cloudtarn_functions::types::array_of;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::expressions::{Column as ColumnExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::column::{has_known_encodings, is_readable_type};
use super::reader::{columns_of, keys_of};
use crate::element_filter::ELEMENT_HAS;
use crate::per_value::per_value;
use crate::row_selection::leaf;
use crate::unnest_fields::ELEMENT_FIELD;

/// A column of the table, by its path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    pub(super) field: Field,
    /// Whether it is a whole column with others inside, or of a type that is not read here: the `parquet` crate reads it.
    pub(super) foreign: bool,
}

/// Expressions over plain columns.
#[derive(Debug)]
pub(super) struct Expressions {
    pub(super) leaves: Vec<Leaf>,
    /// Of batches of the leaves.
    schema: SchemaRef,
    /// Over such batches.
    pub(super) of: Vec<Arc<dyn PhysicalExpr>>,
}

impl Expressions {
    /// `None` where they need other columns and these are not to be `foreign`.
    pub(super) fn of<'a>(
        expressions: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>,
        table: &Schema,
        foreign: bool,
    ) -> Option<Self> {
        let mut leaves: Vec<Leaf> = Vec::new();
        let mut readable = true;
        let of = expressions.into_iter().map(|expression| {
            let moved = Arc::clone(expression).transform_down(|node| {
                let plain = leaf(&node, table).or_else(|| lists(&node, table));
                let plain = plain.filter(|(_, data_type)| is_readable_type(data_type)).or_else(|| map(&node, table));
                let found = match (plain, node.downcast_ref::<ColumnExpr>()) {
                    (Some((path, data_type)), _) => {
                        let nullable = path.len() > 1 || table.field_with_name(&path[0])?.is_nullable();
                        let field = Field::new(path.join("."), data_type, nullable);
                        Leaf { path, field, foreign: false }
                    }
                    (None, Some(column)) => {
                        readable &= foreign;
                        let field = table.field_with_name(column.name())?.clone();
                        Leaf { path: vec![column.name().to_owned()], field, foreign: true }
                    }
                    (None, None) => return Ok(Transformed::no(node)),
                };
                let name = found.field.name().clone();
                let index = leaves.iter().position(|leaf| *leaf == found).unwrap_or_else(|| {
                    leaves.push(found);
                    leaves.len() - 1
                });
                let column = Arc::new(ColumnExpr::new(&name, index)) as Arc<dyn PhysicalExpr>;
                // Whether an array's rows have a text is asked of the array of that field.
                let column = match asks_elements(&node) {
                    Some(call) => {
                        let rest = call.args().iter().skip(1).cloned();
                        Arc::clone(&node).with_new_children(std::iter::once(column).chain(rest).collect())?
                    }
                    None => column,
                };
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            });
            moved.map(|moved| moved.data)
        });
        let of = of.collect::<Result<Vec<_>>>().ok().filter(|_| readable)?;
        let schema = Arc::new(Schema::new(leaves.iter().map(|leaf| leaf.field.clone()).collect::<Vec<_>>()));
        let of = of.iter().map(|expression| per_value(expression, &schema)).collect();
        Some(Self { leaves, schema, of })
    }

    /// The Parquet columns of the leaves, and the numbers of the foreign ones in the file's schema; `None` where the file has others.
    pub(super) fn columns(&self, footer: &ParquetMetaData, schema: &Schema) -> Option<Vec<usize>> {
        let columns = footer.file_metadata().schema_descr().columns();
        let of = |leaf: &Leaf| {
            if leaf.foreign {
                let (index, field) = schema.column_with_name(&leaf.path[0])?;
                return (field.data_type() == leaf.field.data_type()).then_some(index);
            }
            let index = columns.iter().position(|column| column.path().parts() == leaf.path)?;
            let count = columns_of(columns, index, leaf.field.data_type())?;
            let known =
                |group: &RowGroupMetaData| group.columns()[index..index + count].iter().all(has_known_encodings);
            // Without an index of pages it is not known which rows' lists a page has.
            let repeats = columns[index].max_rep_level() > 0;
            (footer.row_groups().iter().all(known) && !(repeats && footer.offset_index().is_none())).then_some(index)
        };
        self.leaves.iter().map(of).collect()
    }

    pub(super) fn evaluate(&self, leaves: Vec<ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), leaves, &options)?;
        self.of.iter().map(|expression| expression.evaluate(&batch)?.into_array(rows)).collect()
    }
}

/// The Parquet column that has the keys of a whole map, and the map's type.
fn map(expression: &Arc<dyn PhysicalExpr>, table: &Schema) -> Option<(Vec<String>, DataType)> {
    let name = expression.downcast_ref::<ColumnExpr>()?.name();
    let data_type = table.field_with_name(name).ok()?.data_type();
    Some((std::iter::once(name.to_owned()).chain(keys_of(data_type)?).collect(), data_type.clone()))
}

/// A question about the elements of an array.
fn asks_elements(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarFunctionExpr> {
    expression.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == ELEMENT_HAS)
}

/// The Parquet column that has the keys of a map, its values, or a field of an array's rows, and its type: lists of them.
fn lists(expression: &Arc<dyn PhysicalExpr>, table: &Schema) -> Option<(Vec<String>, DataType)> {
    let call = expression.downcast_ref::<ScalarFunctionExpr>()?;
    let (of, names) = call.args().split_first()?;
    let root = of.downcast_ref::<ColumnExpr>()?.name();
    let (group, element) = match table.field_with_name(root).ok()?.data_type() {
        DataType::Map(entries, _) => (vec![entries.name().clone()], entries.data_type()),
        DataType::List(element) => (vec!["list".to_owned(), element.name().clone()], element.data_type()),
        _ => return None,
    };
    let DataType::Struct(fields) = element else { return None };
    let field = match (call.name(), names) {
        ("map_keys", []) => fields.first()?,
        ("map_values", []) => fields.get(1)?,
        (ELEMENT_FIELD, [name]) | (ELEMENT_HAS, [name, _]) => {
            let name = name.downcast_ref::<Literal>()?.value().try_as_str()??;
            fields.iter().find(|field| field.name() == name)?
        }
        _ => return None,
    };
    let path = std::iter::once(root.to_owned()).chain(group).chain(std::iter::once(field.name().clone()));
    Some((path.collect(), array_of(field.data_type().clone())))
}
