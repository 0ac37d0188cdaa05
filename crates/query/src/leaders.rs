//! `… row_number() OVER (PARTITION BY who ORDER BY time) AS place … WHERE place = 1`: the first or the latest event of each.
//!
//! A window sorts all that is in it. But a row that comes after another of its partition in the first sort key alone can't
//! be at the front, so it need not be sorted, nor handed to another partition. What passes here are the rows that are
//! at the front of their partition as far as has been seen: few, where partitions are few.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::split_conjunction;
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;

use crate::number::{is_number, numbers};
use crate::run_aggregate::starts;

/// Partitions that are remembered; where there are more, all rows pass.
const MOST_PARTITIONS: usize = 1 << 16;
/// Rows after which all pass, if more than half of them did.
const PROBED_ROWS: usize = 100_000;

/// Puts [`LeadersExec`] below such windows.
#[derive(Debug)]
pub(crate) struct Leaders;

impl PhysicalOptimizerRule for Leaders {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan =
            plan.transform_up(|node| match node.downcast_ref::<FilterExec>().map(led).transpose()?.flatten() {
                Some(input) => Ok(Transformed::yes(over(&node, input)?)),
                None => Ok(Transformed::no(node)),
            })?;
        Ok(plan.data)
    }

    fn name(&self) -> &'static str {
        "leaders"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The input of a filter for the first rows of partitions, with leaders below; `None` for other filters.
fn led(filter: &FilterExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    for conjunct in split_conjunction(filter.predicate()) {
        if let Some(column) = is_first(conjunct)
            && let Some(input) = below(filter.input(), column)?
        {
            return Ok(Some(input));
        }
    }
    Ok(None)
}

/// The column that a condition holds to 1.
fn is_first(condition: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let comparison = condition.downcast_ref::<BinaryExpr>()?;
    let column = comparison.left().downcast_ref::<Column>()?.index();
    let value = match comparison.right().downcast_ref::<Literal>()?.value() {
        ScalarValue::Int64(Some(value)) => u64::try_from(*value).ok()?,
        ScalarValue::UInt64(Some(value)) => *value,
        _ => return None,
    };
    matches!((comparison.op(), value), (Operator::Eq | Operator::LtEq, 1) | (Operator::Lt, 2)).then_some(column)
}

/// A plan in which the rows whose column is not 1 need not be.
fn below(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let Some(column) = projection.expr().get(column).and_then(|e| e.expr.downcast_ref::<Column>()) else {
            return Ok(None);
        };
        let input = below(projection.input(), column.index())?;
        return input.map(|input| over(plan, input)).transpose();
    }
    let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() else { return Ok(None) };
    let [ranking] = window.window_expr() else { return Ok(None) };
    let Some(sort) = window.input().downcast_ref::<SortExec>() else { return Ok(None) };
    if column != sort.schema().fields().len() || sort.fetch().is_some() || !ranks(ranking) {
        return Ok(None);
    }
    let (keys, order) = (ranking.partition_by().to_vec(), ranking.order_by());
    let Some(first) = order.first().filter(|_| !keys.is_empty()) else { return Ok(None) };
    if !is_number(&first.expr.data_type(&sort.schema())?) {
        return Ok(None);
    }
    let rows = match sort.input().downcast_ref::<RepartitionExec>() {
        Some(repartition) => {
            let leaders: Arc<dyn ExecutionPlan> =
                Arc::new(LeadersExec::new(Arc::clone(repartition.input()), keys, first.clone()));
            over(sort.input(), leaders)?
        }
        None => Arc::new(LeadersExec::new(Arc::clone(sort.input()), keys, first.clone())),
    };
    let sort = over(window.input(), rows)?;
    Ok(Some(over(plan, sort)?))
}

/// Whether a window function is 1 for the first rows of a partition, and takes no notice of the rows after.
fn ranks(expression: &Arc<dyn WindowExpr>) -> bool {
    let Some(standard) = expression.as_any().downcast_ref::<StandardWindowExpr>() else { return false };
    let function = standard.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>();
    function.is_some_and(|function| matches!(function.fun().name(), "row_number" | "rank" | "dense_rank"))
}

/// A node over another input.
fn over(node: &Arc<dyn ExecutionPlan>, input: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(node).replace_children(vec![input], ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// See the module.
#[derive(Debug)]
struct LeadersExec {
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    order: PhysicalSortExpr,
    metrics: ExecutionPlanMetricsSet,
}

impl LeadersExec {
    fn new(input: Arc<dyn ExecutionPlan>, keys: Vec<Arc<dyn PhysicalExpr>>, order: PhysicalSortExpr) -> Self {
        Self { input, keys, order, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for LeadersExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "LeadersExec: partition by [{keys}], order by [{}]", self.order)
    }
}

impl ExecutionPlan for LeadersExec {
    fn name(&self) -> &'static str {
        "LeadersExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expression in self.keys.iter().chain([&self.order.expr]) {
            if f(expression)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("leaders have one input");
        };
        Ok(Arc::new(Self::new(input, self.keys.clone(), self.order.clone())))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let mut front = Some(Front::new(self)?);
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let led = input.map(move |batch| {
            let batch = batch?;
            let Some(known) = &mut front else { return Ok(batch) };
            let passed = known.pass(&batch)?;
            if known.is_useless() {
                front = None;
            }
            Ok(passed)
        });
        let led = led.filter(|batch| std::future::ready(batch.as_ref().map_or(true, |batch| batch.num_rows() > 0)));
        let led = led.map(move |batch| batch.record_output(&metrics));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), led)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The best sort key of each partition so far.
struct Front {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    order: PhysicalSortExpr,
    partitions: Box<dyn GroupValues>,
    best: Vec<i64>,
    rows: usize,
    passed: usize,
}

impl Front {
    fn new(exec: &LeadersExec) -> Result<Self> {
        let schema = exec.input.schema();
        let field = |key: &Arc<dyn PhysicalExpr>| Ok(Field::new("", key.data_type(&schema)?, true));
        let fields = exec.keys.iter().map(field).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            keys: exec.keys.clone(),
            order: exec.order.clone(),
            partitions: new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None)?,
            best: Vec::new(),
            rows: 0,
            passed: 0,
        })
    }

    fn is_useless(&self) -> bool {
        self.partitions.len() > MOST_PARTITIONS || (self.rows > PROBED_ROWS && self.passed * 2 > self.rows)
    }

    /// The rows that may be at the front.
    fn pass(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(batch.clone());
        }
        let evaluate = |key: &Arc<dyn PhysicalExpr>| key.evaluate(batch)?.into_array(rows);
        let keys = self.keys.iter().map(evaluate).collect::<Result<Vec<ArrayRef>>>()?;
        let starts = UInt32Array::from(starts(&keys, rows));
        let first = keys.iter().map(|key| take(key, &starts, None)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut of_runs = Vec::new();
        self.partitions.intern(&first, &mut of_runs)?;
        self.best.resize(self.partitions.len(), i64::MAX);
        let order = numbers(&evaluate(&self.order.expr)?)?;
        let descending = self.order.options.descending;
        // Of numbers the bitwise complement has the opposite order.
        let value = |row: usize| if descending { !order.value(row) } else { order.value(row) };
        let ends = starts.values()[1..].iter().copied().chain([rows as u32]);
        let runs: Vec<(usize, std::ops::Range<usize>)> = of_runs
            .iter()
            .zip(starts.values().iter().zip(ends))
            .map(|(partition, (start, end))| (*partition, *start as usize..end as usize))
            .collect();
        for (partition, run) in &runs {
            let best = run.clone().filter(|row| order.is_valid(*row)).map(value).min();
            self.best[*partition] = self.best[*partition].min(best.unwrap_or(i64::MAX));
        }
        let mut pass = Vec::with_capacity(rows);
        for (partition, run) in runs {
            let best = self.best[partition];
            // Where NULL stands is the sort's business.
            pass.extend(run.map(|row| order.is_null(row) || value(row) <= best));
        }
        let pass = BooleanArray::new(BooleanBuffer::from(pass), None);
        self.rows += rows;
        self.passed += pass.true_count();
        Ok(filter_record_batch(batch, &pass)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;
    use crate::test_table::{Row, table};

    /// A table of who, when and a number of the row.
    fn context(rule: bool, rows: &[Row]) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(2).with_batch_size(16);
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features();
        if rule {
            state = state.with_physical_optimizer_rule(Arc::new(Leaders));
        }
        let context = SessionContext::new_with_state(state.build());
        context.register_table("t", table(rows, 7, 2)).unwrap();
        context
    }

    const STATEMENTS: [&str; 5] = [
        "SELECT who, at, n FROM (SELECT *, row_number() OVER (PARTITION BY who ORDER BY at, n) AS place FROM t) WHERE place = 1 ORDER BY who",
        "SELECT who, at, n FROM (SELECT *, row_number() OVER (PARTITION BY who ORDER BY at DESC NULLS LAST, n) AS place FROM t) WHERE place <= 1 ORDER BY who",
        "SELECT who, at, n FROM (SELECT *, rank() OVER (PARTITION BY who ORDER BY at) AS place FROM t) WHERE place < 2 AND n >= 0 ORDER BY who, n",
        "SELECT who, at, n FROM (SELECT *, dense_rank() OVER (PARTITION BY who ORDER BY at DESC NULLS FIRST) AS place FROM t) WHERE place = 1 ORDER BY who, n",
        "SELECT at, who, n FROM (SELECT *, row_number() OVER (PARTITION BY who, n % 3 ORDER BY at NULLS FIRST, n) AS place FROM t) WHERE place = 1 ORDER BY who, n",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn leaders_are_those_of_all_rows(
            rows in prop::collection::vec((prop::option::of("[abc]"), prop::option::of(-5..5_i64)), 1..120),
        ) {
            let (with, without) = (context(true, &rows), context(false, &rows));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for sql in STATEMENTS {
                let ask = |context: &SessionContext| runtime.block_on(async {
                    let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
                    pretty_format_batches(&rows).unwrap().to_string()
                });
                prop_assert_eq!(ask(&with), ask(&without), "{}", sql);
                let plan = runtime.block_on(async { with.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
                let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
                prop_assert!(plan.contains("LeadersExec"), "{}", plan);
            }
        }
    }

    #[test]
    fn other_windows_sort_all() {
        let rows: Vec<_> = (0..50).map(|row| (Some("a".to_owned()), Some(row))).collect();
        let context = context(true, &rows);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for sql in [
            "SELECT n FROM (SELECT n, row_number() OVER (PARTITION BY who ORDER BY at) AS place FROM t) WHERE place = 2",
            "SELECT n, c FROM (SELECT n, row_number() OVER (PARTITION BY who ORDER BY at) AS place, count(*) OVER (PARTITION BY who ORDER BY at) AS c FROM t) WHERE place = 1",
            "SELECT n FROM (SELECT n, lag(at) OVER (PARTITION BY who ORDER BY at) AS place FROM t) WHERE place = 1",
            "SELECT n FROM (SELECT n, row_number() OVER (PARTITION BY who ORDER BY at) AS place FROM t) WHERE place > 1",
        ] {
            let plan =
                runtime.block_on(async { context.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
            let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
            assert!(!plan.contains("LeadersExec"), "{plan}");
        }
    }
}
