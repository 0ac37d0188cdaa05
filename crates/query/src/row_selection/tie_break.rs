//! `ORDER BY eventTime DESC, eventID LIMIT 20`: what a sort tells a scan of the rows that it no longer needs, without the column
//! that only breaks ties.
//!
//! DataFusion's filter is `eventtime > t OR eventtime = t AND eventid < i`, so that a scan reads the id of every row to leave out a few
//! more of the same second, and ids are the widest of the light columns. Here the id of all rows is the least there is, which
//! leaves the filter true of no fewer rows; the sort compares the ids of those that it gets.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;

/// The filters that come from sorts by a time first and by ascending text last, by their `expression_id`.
pub(super) fn of_plan(plan: &Arc<dyn ExecutionPlan>) -> Result<HashSet<u64>> {
    let mut found = HashSet::new();
    plan.apply(|node| {
        if let Some(sort) = node.downcast_ref::<SortExec>()
            && sort.fetch().is_some()
            && let [first, .., last] = &sort.expr()[..]
        {
            let schema = sort.input().schema();
            let is_time = matches!(first.expr.data_type(&schema)?, DataType::Timestamp(..));
            // Nothing is less than empty text, but no text is greater than all that may come.
            let has_least = last.expr.data_type(&schema)? == DataType::Utf8View && !last.options.descending;
            if is_time && has_least {
                let filters = sort.dynamic_expressions_produced();
                found.extend(filters.iter().filter_map(|filter| filter.expression_id()));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Such a filter without its last column; `None` if it is none.
pub(super) fn without(
    filter: &Arc<dyn PhysicalExpr>,
    tie_breaks: &HashSet<u64>,
    schema: &Schema,
) -> Option<Arc<dyn PhysicalExpr>> {
    let dynamic = filter.downcast_ref::<DynamicFilterPhysicalExpr>()?;
    if !tie_breaks.contains(&dynamic.expression_id()?) {
        return None;
    }
    let mut columns: Vec<Arc<dyn PhysicalExpr>> = dynamic.children().into_iter().cloned().collect();
    let last = columns.last_mut()?;
    let column = last.downcast_ref::<Column>()?;
    if *schema.field_with_name(column.name()).ok()?.data_type() != DataType::Utf8View {
        return None;
    }
    *last = Arc::new(Literal::new(ScalarValue::Utf8View(Some(String::new()))));
    Arc::clone(filter).with_new_children(columns).ok()
}
