//! What a scan gives and asks, as expressions over columns of a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::column::{has_known_encodings, has_type, is_readable_type};
use crate::row_selection::leaf;

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
                let plain = leaf(&node, table).filter(|(_, data_type)| is_readable_type(data_type));
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
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            });
            moved.map(|moved| moved.data)
        });
        let of = of.collect::<Result<Vec<_>>>().ok().filter(|_| readable)?;
        let schema = Arc::new(Schema::new(leaves.iter().map(|leaf| leaf.field.clone()).collect::<Vec<_>>()));
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
            let known = |group: &RowGroupMetaData| has_known_encodings(group.column(index));
            (has_type(&columns[index], leaf.field.data_type()) && footer.row_groups().iter().all(known))
                .then_some(index)
        };
        self.leaves.iter().map(of).collect()
    }

    pub(super) fn evaluate(&self, leaves: Vec<ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), leaves, &options)?;
        self.of.iter().map(|expression| expression.evaluate(&batch)?.into_array(rows)).collect()
    }
}
