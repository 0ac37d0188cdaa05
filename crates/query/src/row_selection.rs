//! Which rows a scan's conditions leave, told by the columns' dictionaries before any row of a row group is read.
//!
//! A condition on one column says the same of equal values, and a column chunk has each of its values once, in its
//! dictionary. So the condition is asked of the dictionary; which rows have those values is then a walk over the runs of
//! dictionary numbers, which the files' order makes long. DataFusion's row filter makes text of every row first, and compares all of it.
//! Where a chunk has no dictionary, or not for all of its pages, the rows are asked: by [`crate::column_scan`], or by DataFusion's row filter
//! where that does not read the scan.
//!
//! What a join has found out about its keys when a file is opened is such a condition too ([`Late`]).

mod chunk;
mod elements;
mod source;
mod tie_break;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, Literal};
use datafusion::physical_expr::{
    DynamicFilterTracking, PhysicalExpr, ScalarFunctionExpr, conjunction, split_conjunction,
};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use self::source::SelectingSource;
use crate::chunk_cache::ChunkCache;

/// See the module.
#[derive(Debug)]
pub(crate) struct RowSelections {
    pub(crate) kept: Kept,
}

/// What a session keeps of its data files in memory.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) footers: Arc<FileMetadataCache>,
    pub(crate) chunks: Arc<ChunkCache>,
}

impl PhysicalOptimizerRule for RowSelections {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = elements::asked_by_scans(plan)?;
        let tie_breaks = tie_break::of_plan(&plan)?;
        let descending = descending(&plan)?;
        let selecting = plan.transform_up(|node| {
            let changed = selecting(&node, &tie_breaks, &descending, &self.kept).or_else(|| topped(&node));
            Ok(changed.map_or_else(|| Transformed::no(node), Transformed::yes))
        })?;
        Ok(selecting.data)
    }

    fn name(&self) -> &'static str {
        "row_selections"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A scan that asks dictionaries what can be asked of them, and does not read what breaks ties; `None` if nothing changes.
fn selecting(
    node: &Arc<dyn ExecutionPlan>,
    tie_breaks: &HashSet<u64>,
    descending: &HashSet<u64>,
    kept: &Kept,
) -> Option<Arc<dyn ExecutionPlan>> {
    let config = node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    let parquet = (config.file_source.as_ref() as &dyn std::any::Any).downcast_ref::<ParquetSource>()?;
    let predicate = config.file_source.filter();
    let schema = config.file_source.table_schema().file_schema();
    let mut all = Vec::new();
    let mut others = Vec::new();
    let mut conditions = Vec::new();
    let mut late = Vec::new();
    let (mut freed, mut reverse) = (false, false);
    for conjunct in predicate.as_ref().map(split_conjunction).unwrap_or_default() {
        reverse |= conjunct.expression_id().is_some_and(|id| descending.contains(&id));
        let without = tie_break::without(conjunct, tie_breaks, schema);
        freed |= without.is_some();
        let conjunct = without.unwrap_or_else(|| Arc::clone(conjunct));
        all.push(Arc::clone(&conjunct));
        if let Some(condition) = Condition::of(&conjunct, schema) {
            conditions.push(condition);
        } else if let Some(filter) = Late::of(&conjunct, schema) {
            late.push(filter);
        } else {
            others.push(conjunct);
        }
    }
    let whole = if freed { parquet.with_predicate(conjunction(all)).into() } else { Arc::clone(&config.file_source) };
    let mut config = config.clone();
    // What is told by runs leaves fewer rows to what is told bit by bit.
    conditions.sort_by_key(|condition| condition.data_type == DataType::Boolean);
    let rest = match conditions.is_empty() && late.is_empty() {
        true => Arc::clone(&whole),
        false => parquet.with_predicate(conjunction(others)).into(),
    };
    let selecting = SelectingSource::new(Arc::clone(&whole), rest, conditions, late, kept.clone(), reverse);
    config.file_source = match selecting {
        Some(selecting) => Arc::new(selecting),
        None if freed => whole,
        None => return None,
    };
    Some(DataSourceExec::from_data_source(config))
}

/// A sort by a time that keeps few rows, whose scan gives no more of a row group; `None` for what is none.
fn topped(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let sort = node.downcast_ref::<SortExec>()?;
    let first = sort.expr().first();
    if first.options.nulls_first {
        return None;
    }
    let column = first.expr.downcast_ref::<Column>()?.index();
    let input = top_of(sort.input(), column, sort.fetch()?, first.options.descending)?;
    with_scan(node, input)
}

/// The node over a scan that gives the same columns, as far as its parent is concerned.
fn with_scan(node: &Arc<dyn ExecutionPlan>, input: Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    Arc::clone(node).replace_children(vec![input], ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep)).ok()
}

/// The same below what hands on every row.
fn top_of(
    node: &Arc<dyn ExecutionPlan>,
    column: usize,
    rows: usize,
    descending: bool,
) -> Option<Arc<dyn ExecutionPlan>> {
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let column = projection.expr().get(column)?.expr.downcast_ref::<Column>()?.index();
        let input = top_of(projection.input(), column, rows, descending)?;
        return with_scan(node, input);
    }
    let config = node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    let source = (config.file_source.as_ref() as &dyn std::any::Any).downcast_ref::<SelectingSource>()?;
    let by = &source.projection()?.as_ref().get(column)?.expr;
    let mut config = config.clone();
    config.file_source = Arc::new(source.with_top(rows, descending, by)?);
    Some(DataSourceExec::from_data_source(config))
}

/// The filters that come from sorts by something descending first, by their `expression_id`.
fn descending(plan: &Arc<dyn ExecutionPlan>) -> Result<HashSet<u64>> {
    let mut found = HashSet::new();
    plan.apply(|node| {
        if let Some(sort) = node.downcast_ref::<SortExec>()
            && sort.expr().first().options.descending
        {
            let filters = sort.dynamic_expressions_produced();
            found.extend(filters.iter().filter_map(|filter| filter.expression_id()));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// A condition on one Parquet column.
#[derive(Debug, Clone)]
struct Condition {
    /// The column's path.
    path: Vec<String>,
    data_type: DataType,
    /// On a batch of one column.
    expression: Arc<dyn PhysicalExpr>,
}

impl Condition {
    fn of(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Self> {
        let mut found: Option<(Vec<String>, DataType)> = None;
        let mut alone = true;
        let moved = Arc::clone(expression).transform_down(|node| {
            if let Some(column) = leaf(&node, schema) {
                alone &= found.as_ref().is_none_or(|known| *known == column);
                found = Some(column);
                let value = Arc::new(Column::new("value", 0)) as Arc<dyn PhysicalExpr>;
                return Ok(Transformed::new(value, true, TreeNodeRecursion::Jump));
            }
            // What may say something else the next time, or reads more than one column.
            alone &= !node.is_volatile_node()
                && node.downcast_ref::<DynamicFilterPhysicalExpr>().is_none()
                && node.downcast_ref::<Column>().is_none();
            Ok(Transformed::no(node))
        });
        let (path, data_type) = found.filter(|_| alone)?;
        // Of times a row group has thousands, in no runs: telling their rows takes as long as the row filter does (measured).
        let readable = matches!(data_type, DataType::Utf8View | DataType::Boolean);
        readable.then_some(Self { path, data_type, expression: moved.ok()?.data })
    }

    /// Whether it is true of each of `values`, and of NULL.
    ///
    /// # Errors
    /// The expression's own, which may be about values that no row has that other conditions leave.
    fn ask(&self, values: &ArrayRef) -> Result<(Vec<bool>, bool)> {
        let null = new_null_array(&self.data_type, 1);
        let column = concat(&[values, &null])?;
        let schema = Arc::new(Schema::new(vec![Field::new("value", self.data_type.clone(), true)]));
        let batch = RecordBatch::try_new(schema, vec![column])?;
        let holds = self.expression.evaluate(&batch)?.into_array(batch.num_rows())?;
        let Some(holds) = holds.as_boolean_opt() else { return internal_err!("a condition is boolean") };
        let mut holds: Vec<bool> = (0..holds.len()).map(|row| holds.is_valid(row) && holds.value(row)).collect();
        let null = holds.pop().unwrap_or_default();
        Ok((holds, null))
    }
}

/// A filter on one text column that says nothing before the query runs: a join makes it of the keys of its smaller side.
#[derive(Debug, Clone)]
struct Late {
    path: Vec<String>,
    filter: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl Late {
    fn of(expression: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<Self> {
        let filter = expression.downcast_ref::<DynamicFilterPhysicalExpr>()?;
        let mut columns = filter.children().into_iter().map(|child| leaf(child, schema));
        let (path, data_type) = columns.next()??;
        let alone = columns.all(|column| column.is_some_and(|(other, _)| other == path));
        let filter = Arc::clone(expression);
        (alone && data_type == DataType::Utf8View).then(|| Self { path, filter, schema: Arc::clone(schema) })
    }

    /// What it says by now; `None` as long as that may change.
    fn condition(&self) -> Option<Condition> {
        if !matches!(DynamicFilterTracking::classify(&self.filter), DynamicFilterTracking::AllComplete) {
            return None;
        }
        Condition::of(&self.filter.snapshot().ok()??, &self.schema)
    }
}

/// The Parquet column that an expression is, and its type.
pub(crate) fn leaf(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<(Vec<String>, DataType)> {
    if let Some(column) = expression.downcast_ref::<Column>() {
        let field = schema.field_with_name(column.name()).ok()?;
        return (!field.data_type().is_nested()).then(|| (vec![column.name().to_owned()], field.data_type().clone()));
    }
    let call = expression.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == "get_field")?;
    let (of, names) = call.args().split_first()?;
    let root = of.downcast_ref::<Column>()?.name();
    let mut path = vec![root.to_owned()];
    let mut data_type = schema.field_with_name(root).ok()?.data_type();
    for name in names {
        let name = name.downcast_ref::<Literal>()?.value().try_as_str()??;
        let DataType::Struct(fields) = data_type else { return None };
        data_type = fields.iter().find(|field| field.name() == name)?.data_type();
        path.push(name.to_owned());
    }
    (!data_type.is_nested()).then(|| (path, data_type.clone()))
}

#[cfg(test)]
mod tests;
