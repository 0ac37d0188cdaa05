//! `EXCEPT ALL` and `INTERSECT ALL`: rows as often as the one side has more of them, or as both have them.
//!
//! DataFusion compares rows as sets even with ALL. Numbering equal rows on both sides makes sets of bags.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder};

/// Rewrites the joins that DataFusion plans for `EXCEPT ALL` and `INTERSECT ALL`.
pub(crate) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_up_with_subqueries(|node| match node {
            LogicalPlan::Join(join) if is_bag(&join) => number(&join).map(Transformed::yes),
            node => Ok(Transformed::no(node)),
        })?
        .data)
}

/// Set operations are the only joins on all columns in which NULL equals NULL; without ALL the left side is distinct.
fn is_bag(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && join.on.len() == join.left.schema().fields().len()
        && !matches!(*join.left, LogicalPlan::Distinct(Distinct::All(_)))
}

fn number(join: &Join) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    let (left, l) = numbered(&join.left, "$left")?;
    let (right, r) = numbered(&join.right, "$right")?;
    let side = |e: &Expr| match e {
        Expr::Column(c) => c.clone(),
        other => Column::from_name(other.schema_name().to_string()),
    };
    let (mut from, mut to): (Vec<Column>, Vec<Column>) = join.on.iter().map(|(l, r)| (side(l), side(r))).unzip();
    from.push(l);
    to.push(r);
    LogicalPlanBuilder::from(left)
        .join_detailed(right, join.join_type, (from, to), None, NullEquality::NullEqualsNull)?
        .project(columns)?
        .build()
}

/// The plan with one more column: the number of the row among its equals.
fn numbered(plan: &Arc<LogicalPlan>, name: &str) -> Result<(LogicalPlan, Column)> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(columns.clone()).build()?;
    let windowed = LogicalPlanBuilder::from(plan.as_ref().clone()).window(vec![number])?.build()?;
    let last = windowed.schema().columns().into_iter().next_back();
    let items = columns.into_iter().chain(last.map(|c| Expr::Column(c).alias(name)));
    Ok((LogicalPlanBuilder::from(windowed).project(items)?.build()?, Column::from_name(name)))
}
