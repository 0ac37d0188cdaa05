//! `x IN (SELECT y …)` and `EXISTS`: of equal values on the right one is enough.
//!
//! DataFusion's semi join keeps every row of its right side, and walks over all equal ones for each row of the left: what
//! was asked of a few keys that occur in thousands of events took ten times as long as the scans.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, Result};
use datafusion::logical_expr::{Aggregate, Expr, Join, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// See the module.
#[derive(Debug)]
pub(crate) struct DistinctSemiJoin;

impl OptimizerRule for DistinctSemiJoin {
    fn name(&self) -> &'static str {
        "distinct_semi_join"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        let keys: Vec<Expr> = join.on.iter().map(|(_, right)| right.clone()).collect();
        if !matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
            || join.filter.is_some()
            || keys.is_empty()
            || !keys.iter().all(|key| matches!(key, Expr::Column(_)))
            || is_distinct(&join.right)
        {
            return Ok(Transformed::no(plan));
        }
        let distinct = LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(&join.right), keys, Vec::new())?);
        let join = Join { right: Arc::new(distinct), ..join.clone() };
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    }
}

/// Whether rows were made distinct, or few, already.
fn is_distinct(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Limit(_) => true,
        LogicalPlan::Projection(projection) => is_distinct(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_distinct(&alias.input),
        LogicalPlan::Filter(filter) => is_distinct(&filter.input),
        _ => false,
    }
}
