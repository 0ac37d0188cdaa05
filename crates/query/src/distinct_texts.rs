//! `count(DISTINCT text)` counts itself. DataFusion would group by the text first where nothing else is distinct, and hold each text
//! of millions with its hash.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::single_distinct_to_groupby::SingleDistinctToGroupBy;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// In place of DataFusion's rule, of which it is the name.
#[derive(Debug, Default)]
pub(crate) struct DistinctTexts(SingleDistinctToGroupBy);

impl OptimizerRule for DistinctTexts {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(|e| counts_texts(aggregate, e)) => {
                Ok(Transformed::no(plan))
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}

fn counts_texts(aggregate: &Aggregate, expression: &Expr) -> bool {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expression else { return false };
    let is_text = |argument: &Expr| argument.get_type(aggregate.input.schema()).is_ok_and(|t| t == DataType::Utf8View);
    func.name() == "count" && params.distinct && params.args.iter().all(is_text)
}
