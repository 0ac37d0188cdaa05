//! The first stage of an aggregation, run by run.
//!
//! In a data file like events stand together ([`cloudtarn_store`]'s order), so that rows come in runs of one event source,
//! name and caller. DataFusion's partial aggregation looks each row's group up by its text; this one does so once for each run, and
//! leaves the rest to DataFusion: its group values, its accumulators, its final stage.
//!
//! The stage may give a group several times, so it never needs much memory: what it has gathered is handed on when it has
//! enough ([`GATHERED`]), when memory is refused, or when groups turn out to be nearly as many as rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use cloudtarn_functions::runs::Runs;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, aggregate_expressions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};

use crate::per_value::per_value;

/// Bytes of groups and their states that are handed on before more is gathered.
const GATHERED: usize = 64 << 20;
/// Rows after which it is looked whether groups are nearly as many.
const PROBED_ROWS: usize = 100_000;

/// Replaces DataFusion's partial aggregation wherever it groups by columns whose runs can be seen.
#[derive(Debug)]
pub(crate) struct RunAggregate;

impl PhysicalOptimizerRule for RunAggregate {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let replaced = plan.transform_up(|node| {
            let Some(aggregate) = node.downcast_ref::<AggregateExec>().filter(|node| suits(node)) else {
                return Ok(Transformed::no(node));
            };
            Ok(Transformed::yes(Arc::new(RunAggregateExec::new(aggregate.clone())) as Arc<dyn ExecutionPlan>))
        })?;
        Ok(replaced.data)
    }

    fn name(&self) -> &'static str {
        "run_aggregate"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn suits(node: &AggregateExec) -> bool {
    let groups = node.group_expr();
    let has_runs = |data_type: &DataType| {
        matches!(data_type, DataType::Utf8View | DataType::Boolean)
            || (data_type.is_primitive() && !data_type.is_floating())
    };
    matches!(node.mode(), AggregateMode::Partial)
        && groups.is_single()
        && !groups.expr().is_empty()
        && node.limit_options().is_none()
        && matches!(node.input_order_mode(), InputOrderMode::Linear)
        && node.aggr_expr().iter().all(|function| function.groups_accumulator_supported())
        && node.schema().fields().iter().take(groups.expr().len()).all(|field| has_runs(field.data_type()))
}

/// See the module.
#[derive(Debug)]
struct RunAggregateExec {
    /// What it stands for: the same columns come out of it.
    aggregate: AggregateExec,
    metrics: ExecutionPlanMetricsSet,
}

impl RunAggregateExec {
    fn new(aggregate: AggregateExec) -> Self {
        Self { aggregate, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for RunAggregateExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Run")?;
        self.aggregate.fmt_as(format, f)
    }
}

impl ExecutionPlan for RunAggregateExec {
    fn name(&self) -> &'static str {
        "RunAggregateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.aggregate.input()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let aggregate = Arc::new(self.aggregate.clone()).replace_children(children, options)?;
        match aggregate.downcast_ref::<AggregateExec>() {
            Some(aggregate) => Ok(Arc::new(Self::new(aggregate.clone()))),
            None => internal_err!("an aggregation became {}", aggregate.name()),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let recompute = datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.aggregate.input().execute(partition, Arc::clone(&context))?;
        let options = &context.session_config().options().execution;
        let stage = Stage {
            table: Table::new(&self.aggregate)?,
            input: input.fuse(),
            reservation: MemoryConsumer::new(format!("RunAggregate[{partition}]")).register(context.memory_pool()),
            many: options.skip_partial_aggregation_probe_ratio_threshold,
            rows: 0,
            ahead: false,
        };
        let size = options.batch_size.get();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let gathered = futures::stream::try_unfold(stage, |mut stage| async move {
            Ok::<_, DataFusionError>(stage.next().await?.map(|batch| (batch, stage)))
        });
        let slices = gathered.map_ok(move |batch| {
            let starts = (0..batch.num_rows()).step_by(size);
            let slices: Vec<Result<RecordBatch>> =
                starts.map(|start| Ok(batch.slice(start, size.min(batch.num_rows() - start)))).collect();
            futures::stream::iter(slices)
        });
        let counted = slices.try_flatten().map(move |batch| batch.record_output(&metrics));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One partition's work.
struct Stage {
    table: Table,
    input: futures::stream::Fuse<SendableRecordBatchStream>,
    reservation: MemoryReservation,
    /// Groups to rows: where there are more, rows are handed on as they come.
    many: f64,
    /// Rows since groups were handed on.
    rows: usize,
    /// Rows go ahead as states of their own.
    ahead: bool,
}

impl Stage {
    /// Groups and their states; `None` when there are no more.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.input.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            if self.ahead {
                return self.table.convert(&batch).map(Some);
            }
            self.table.update(&batch)?;
            self.rows += batch.num_rows();
            self.ahead = self.rows >= PROBED_ROWS && self.table.groups.len() as f64 > self.many * self.rows as f64;
            let size = self.table.size();
            if self.ahead || size > GATHERED || self.reservation.try_resize(size).is_err() {
                return self.hand_on().map(Some);
            }
        }
        if self.table.groups.is_empty() { Ok(None) } else { self.hand_on().map(Some) }
    }

    fn hand_on(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let batch = self.table.emit()?;
        self.reservation.free();
        Ok(batch)
    }
}

/// The groups so far, and what is known of each.
struct Table {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    groups: Box<dyn GroupValues>,
    functions: Vec<Function>,
    /// The group of each run of the batch, the rows of each run, and the group of each row.
    of_runs: Vec<usize>,
    lengths: Vec<u32>,
    of_rows: Vec<usize>,
}

enum Function {
    /// `count(*)`: how many rows each group has so far.
    Rows(Vec<i64>),
    Other(Other),
}

struct Other {
    expression: Arc<AggregateFunctionExpr>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    accumulator: Box<dyn GroupsAccumulator>,
}

impl Function {
    fn new(
        expression: &Arc<AggregateFunctionExpr>,
        arguments: Vec<Arc<dyn PhysicalExpr>>,
        filter: &Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let some = |argument: &Arc<dyn PhysicalExpr>| {
            argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
        };
        let counts = expression.fun().name() == "count" && !expression.is_distinct();
        if counts && filter.is_none() && arguments.iter().all(some) {
            return Ok(Self::Rows(Vec::new()));
        }
        let accumulator = expression.create_groups_accumulator()?;
        Ok(Self::Other(Other { expression: Arc::clone(expression), arguments, filter: filter.clone(), accumulator }))
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Rows(rows) => Ok(vec![Arc::new(Int64Array::from(std::mem::take(rows)))]),
            Self::Other(other) => {
                let state = other.accumulator.state(EmitTo::All)?;
                other.accumulator = other.expression.create_groups_accumulator()?;
                Ok(state)
            }
        }
    }

    /// The state of each row as a group of its own.
    fn convert(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Rows(_) => Ok(vec![Arc::new(Int64Array::from_value(1, batch.num_rows()))]),
            Self::Other(other) => {
                let (arguments, filter) = other.evaluate(batch)?;
                other.accumulator.convert_to_state(&arguments, filter.as_ref())
            }
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.capacity() * size_of::<i64>(),
            Self::Other(other) => other.accumulator.size(),
        }
    }
}

impl Other {
    /// The arguments' values, and which rows count.
    fn evaluate(&self, batch: &RecordBatch) -> Result<(Vec<ArrayRef>, Option<BooleanArray>)> {
        let filter = self.filter.as_ref().map(|filter| evaluate(filter, batch)).transpose()?;
        let arguments = self.arguments.iter().map(|argument| evaluate(argument, batch)).collect::<Result<_>>()?;
        Ok((arguments, filter.map(|filter| filter.as_boolean().clone())))
    }
}

fn evaluate(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    expression.evaluate(batch)?.into_array(batch.num_rows())
}

impl Table {
    fn new(aggregate: &AggregateExec) -> Result<Self> {
        let input = aggregate.input().schema();
        let keys: Vec<_> = aggregate.group_expr().expr().iter().map(|(key, _)| per_value(key, &input)).collect();
        let arguments = aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), keys.len())?;
        let of_values = |arguments: Vec<_>| arguments.iter().map(|argument| per_value(argument, &input)).collect();
        let arguments = arguments.into_iter().map(of_values);
        let functions = aggregate.aggr_expr().iter().zip(arguments).zip(aggregate.filter_expr());
        let functions = functions.map(|((expression, arguments), filter)| Function::new(expression, arguments, filter));
        let groups = aggregate.group_expr().group_schema(&input)?;
        Ok(Self {
            schema: aggregate.schema(),
            keys,
            groups: new_group_values(groups, &GroupOrdering::None)?,
            functions: functions.collect::<Result<_>>()?,
            of_runs: Vec::new(),
            lengths: Vec::new(),
            of_rows: Vec::new(),
        })
    }

    fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = self.keys.iter().map(|key| evaluate(key, batch)).collect::<Result<Vec<_>>>()?;
        let starts = starts(&keys, batch.num_rows());
        if starts.len() * 2 > batch.num_rows() {
            self.groups.intern(&keys, &mut self.of_runs)?;
            self.lengths.clear();
            self.lengths.resize(batch.num_rows(), 1);
        } else {
            let ends = starts[1..].iter().copied().chain([batch.num_rows() as u32]);
            self.lengths.clear();
            self.lengths.extend(starts.iter().zip(ends).map(|(start, end)| end - start));
            let starts = UInt32Array::from(starts);
            let first = keys.iter().map(|key| take(key, &starts, None)).collect::<std::result::Result<Vec<_>, _>>()?;
            self.groups.intern(&first, &mut self.of_runs)?;
        }
        let runs = || self.of_runs.iter().copied().zip(self.lengths.iter().copied());
        if self.functions.iter().any(|function| matches!(function, Function::Other(_))) {
            self.of_rows.clear();
            for (group, length) in runs() {
                self.of_rows.extend(std::iter::repeat_n(group, length as usize));
            }
        }
        let total = self.groups.len();
        for function in &mut self.functions {
            match function {
                Function::Rows(rows) => {
                    rows.resize(total, 0);
                    runs().for_each(|(group, length)| rows[group] += i64::from(length));
                }
                Function::Other(other) => {
                    let (arguments, filter) = other.evaluate(batch)?;
                    other.accumulator.update_batch(&arguments, &self.of_rows, filter.as_ref(), total)?;
                }
            }
        }
        Ok(())
    }

    fn emit(&mut self) -> Result<RecordBatch> {
        let mut columns = self.groups.emit(EmitTo::All)?;
        for function in &mut self.functions {
            columns.extend(function.state()?);
        }
        self.groups.clear_shrink(0);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Each row as a group of its own.
    fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = self.keys.iter().map(|key| evaluate(key, batch)).collect::<Result<Vec<_>>>()?;
        for function in &self.functions {
            columns.extend(function.convert(batch)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn size(&self) -> usize {
        let functions: usize = self.functions.iter().map(Function::size).sum();
        self.groups.size() + functions
    }
}

/// The first row of each run.
pub(crate) fn starts(keys: &[ArrayRef], rows: usize) -> Vec<u32> {
    Runs::of(keys, rows).starts().map(|row| row as u32).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::StringViewArray;
    use arrow::datatypes::{Field, Schema};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    /// A context over rows of a text, a number, whether it counts, and a second text.
    fn context(rule: bool, memory: usize, batches: &[RecordBatch]) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(2).with_batch_size(100);
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc().unwrap();
        let mut state =
            SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
        if rule {
            state = state.with_physical_optimizer_rule(Arc::new(RunAggregate));
        }
        let context = SessionContext::new_with_state(state.build());
        let half = batches.len().div_ceil(2);
        let parts = batches.chunks(half.max(1)).map(<[RecordBatch]>::to_vec).collect();
        context.register_table("t", Arc::new(MemTable::try_new(batches[0].schema(), parts).unwrap())).unwrap();
        context
    }

    type Row = (Option<String>, Option<i64>, Option<bool>, String);

    fn batch(rows: &[Row]) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Utf8View, true),
            Field::new("n", DataType::Int64, true),
            Field::new("b", DataType::Boolean, true),
            Field::new("u", DataType::Utf8View, false),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringViewArray>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|row| Some(row.3.clone())).collect::<StringViewArray>()),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    async fn ask(context: &SessionContext, sql: &str) -> String {
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&rows).unwrap().to_string()
    }

    async fn is_used(context: &SessionContext, sql: &str) -> bool {
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string().contains("RunAggregateExec")
    }

    const STATEMENTS: [&str; 4] = [
        "SELECT a, count(*), sum(n), min(u), count(n) FILTER (WHERE b) FROM t GROUP BY a ORDER BY a",
        "SELECT a, n, b, count(*), max(u) FROM t GROUP BY a, n, b ORDER BY a, n, b",
        "SELECT b, avg(n), count(DISTINCT n) FROM t GROUP BY b ORDER BY b",
        "SELECT n, b FROM t GROUP BY n, b ORDER BY n, b",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn runs_give_what_rows_give(
            runs in prop::collection::vec(
                (prop::option::of("[ab]|long text of more than twelve bytes [ab]"), prop::option::of(0..3_i64), prop::option::of(any::<bool>()), 1..40_usize),
                // A single row is not divided between threads, and so not aggregated in two stages.
                2..60,
            ),
            size in 1..200_usize,
        ) {
            let rows: Vec<_> = runs
                .iter()
                .enumerate()
                .flat_map(|(run, (a, n, b, rows))| (0..*rows).map(move |_| (a.clone(), *n, *b, format!("u{run}"))))
                .collect();
            let batches: Vec<_> = rows.chunks(size).map(batch).collect();
            let (with, without) = (context(true, 100 << 20, &batches), context(false, 100 << 20, &batches));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for sql in STATEMENTS {
                prop_assert_eq!(runtime.block_on(ask(&with, sql)), runtime.block_on(ask(&without, sql)), "{}", sql);
                prop_assert!(runtime.block_on(is_used(&with, sql)), "{}", sql);
            }
        }
    }

    #[tokio::test]
    async fn many_groups_go_ahead_and_little_memory_is_enough() {
        // Rows that all differ, and pairs of rows.
        for (each, memory) in [(1, 200 << 20), (2, 40 << 20)] {
            let row = |row: i64| {
                (Some(format!("a text of its own {}", row / each)), Some(row % 7), Some(true), "u".to_owned())
            };
            let batches: Vec<_> =
                (0..60).map(|part| batch(&(part * 5000..(part + 1) * 5000).map(row).collect::<Vec<_>>())).collect();
            let sql = "SELECT count(*), sum(c), max(s) FROM (SELECT a, count(*) AS c, sum(n) AS s FROM t GROUP BY a)";
            let with = context(true, memory, &batches);
            assert!(is_used(&with, sql).await);
            assert_eq!(ask(&with, sql).await, ask(&context(false, 1 << 30, &batches), sql).await);
        }
    }

    #[tokio::test]
    async fn nothing_in_gives_nothing_out() {
        let ask = async |rule: bool| ask(&context(rule, 1 << 20, &[batch(&[])]), STATEMENTS[3]).await;
        assert_eq!(ask(true).await, ask(false).await);
    }
}
