//! A band join as a node of a plan: takes a hash join's place, and does all that it does but compare pairs.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{BatchCoalescer, concat_batches, filter, take};
use arrow::datatypes::{DataType, SchemaRef, UInt32Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{DataFusionError, JoinSide, JoinType, Result, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter, build_join_schema};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements, PlanProperties,
};
use futures::{Stream, TryStreamExt};
use tokio::sync::OnceCell;

use super::Band;
use super::build::Build;
use super::lookup::KeyLookup;

/// See the module.
#[derive(Debug)]
pub(super) struct BandJoinExec {
    /// The join as it was planned: what it reads, needs and gives.
    join: Arc<dyn ExecutionPlan>,
    task: Arc<Task>,
    one_build: bool,
    told: Arc<Told>,
    /// The held rows, where all partitions share them.
    shared: Arc<Shared>,
    metrics: ExecutionPlanMetricsSet,
}

/// Rows that are held once, or why they cannot be.
type Shared = OnceCell<std::result::Result<Arc<Build>, Arc<DataFusionError>>>;

/// What each partition does.
#[derive(Debug)]
struct Task {
    band: Band,
    filter: JoinFilter,
    held_keys: Vec<Arc<dyn PhysicalExpr>>,
    other_keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Where the columns of the result are.
    columns: Vec<ColumnIndex>,
    schema: SchemaRef,
    /// Whether a row of the other side is wanted once, however many rows it meets.
    semi: bool,
    /// Whether rows that meet the same row are wanted in the order in which they are held.
    ordered: bool,
}

/// What the other side's scan is told, once all partitions hold their rows.
#[derive(Debug)]
struct Told {
    filter: Option<Arc<dyn PhysicalExpr>>,
    partitions: usize,
    builds: Mutex<Vec<Arc<Build>>>,
}

impl Told {
    fn of(join: &HashJoinExec) -> Self {
        let one = *join.partition_mode() == PartitionMode::CollectLeft;
        let partitions = if one { 1 } else { join.properties().partitioning.partition_count() };
        Self { filter: join.dynamic_expressions_produced().pop(), partitions, builds: Mutex::default() }
    }

    fn add(&self, build: &Arc<Build>, keys: &[Arc<dyn PhysicalExpr>]) -> Result<()> {
        let filter = self.filter.as_ref().and_then(|filter| filter.downcast_ref::<DynamicFilterPhysicalExpr>());
        let Some(filter) = filter else { return Ok(()) };
        let mut builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.push(Arc::clone(build));
        if builds.len() == self.partitions {
            filter.update(Arc::new(KeyLookup::new(keys.to_vec(), builds.clone())))?;
            filter.mark_complete();
        }
        Ok(())
    }
}

impl BandJoinExec {
    /// In place of a hash join whose condition says `band`.
    ///
    /// # Errors
    /// Where `planned` is not a hash join with a condition.
    pub(super) fn new(planned: &Arc<dyn ExecutionPlan>, band: Band) -> Result<Self> {
        let Some(join) = planned.downcast_ref::<HashJoinExec>() else {
            return internal_err!("a hash join became something else");
        };
        let Some(filter) = join.filter().cloned() else { return internal_err!("a band join has a condition") };
        let (left, right) = (join.left().schema(), join.right().schema());
        let (_, mut columns) = build_join_schema(&left, &right, join.join_type());
        if let Some(projection) = &join.projection {
            columns = projection.iter().map(|place| columns[*place].clone()).collect();
        }
        let (held_keys, other_keys) = join.on().iter().cloned().unzip();
        let task = Task {
            band,
            filter,
            held_keys,
            other_keys,
            columns,
            schema: join.schema(),
            semi: *join.join_type() == JoinType::RightSemi,
            ordered: join.left().output_ordering().is_some(),
        };
        Ok(Self {
            join: Arc::clone(planned),
            task: Arc::new(task),
            one_build: *join.partition_mode() == PartitionMode::CollectLeft,
            told: Arc::new(Told::of(join)),
            shared: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for BandJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.task;
        let on = task.held_keys.iter().zip(&task.other_keys).map(|(held, other)| format!("({held}, {other})"));
        let on = on.collect::<Vec<_>>().join(", ");
        let (mode, kind) =
            (if self.one_build { "CollectLeft" } else { "Partitioned" }, if task.semi { "RightSemi" } else { "Inner" });
        write!(f, "BandJoinExec: mode={mode}, join_type={kind}, on=[{on}], band={}", task.band)?;
        if !task.band.whole {
            write!(f, ", filter={}", task.filter)?;
        }
        let names: Vec<&str> = task.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, ", projection=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for BandJoinExec {
    fn name(&self) -> &'static str {
        "BandJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.join.input_distribution_requirements()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.join.maintains_input_order()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.join.apply_expressions(f)
    }

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.join.dynamic_expressions_produced()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let join = Arc::clone(&self.join).replace_children(children, options)?;
        Ok(Arc::new(Self::new(&join, self.task.band.clone())?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let [left, right] = self.join.children()[..] else { return internal_err!("a join has two sides") };
        let held = Held {
            rows: Arc::clone(left),
            partition: if self.one_build { 0 } else { partition },
            context: Arc::clone(&context),
            told: Arc::clone(&self.told),
            memory: MetricBuilder::new(&self.metrics).gauge("build_mem_used", partition),
            count: MetricBuilder::new(&self.metrics).counter("build_input_rows", partition),
        };
        let other = right.execute(partition, Arc::clone(&context))?;
        let shared = self.one_build.then(|| Arc::clone(&self.shared));
        let (task, batch_size) = (Arc::clone(&self.task), context.session_config().batch_size());
        let joined = joined(held, shared, task, other, batch_size);
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let joined = futures::stream::once(joined).try_flatten().inspect_ok(move |batch: &RecordBatch| {
            metrics.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), joined)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What comes of one partition of the other side, once the held side is there.
async fn joined(
    held: Held,
    shared: Option<Arc<Shared>>,
    task: Arc<Task>,
    other: SendableRecordBatchStream,
    batch_size: usize,
) -> Result<impl Stream<Item = Result<RecordBatch>>> {
    let build = match &shared {
        Some(shared) => match shared.get_or_init(async || held.build(&task).await.map_err(Arc::new)).await {
            Ok(build) => Arc::clone(build),
            Err(error) => return Err(DataFusionError::Shared(Arc::clone(error))),
        },
        None => held.build(&task).await?,
    };
    let joined = BatchCoalescer::new(Arc::clone(&task.schema), batch_size);
    let probe = Probe { build, task, other, batch: None, joined, batch_size };
    Ok(futures::stream::try_unfold(probe, |mut probe| async { Ok(probe.next().await?.map(|batch| (batch, probe))) }))
}

/// The side that is to be held.
struct Held {
    rows: Arc<dyn ExecutionPlan>,
    partition: usize,
    context: Arc<TaskContext>,
    told: Arc<Told>,
    memory: Gauge,
    count: Count,
}

impl Held {
    /// Takes it in.
    async fn build(&self, task: &Task) -> Result<Arc<Build>> {
        let mut rows = self.rows.execute(self.partition, Arc::clone(&self.context))?;
        let memory = MemoryConsumer::new("BandJoinExec").register(self.context.memory_pool());
        let schema = rows.schema();
        let mut batches = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            // Text of a filtered batch points into whole pages.
            let batch = compact(&batch)?;
            memory.try_grow(get_record_batch_memory_size(&batch))?;
            batches.push(batch);
        }
        let rows = concat_batches(&schema, &batches)?;
        drop(batches);
        // Keys and bounds, hashes, and the order of the rows.
        memory.try_resize(get_record_batch_memory_size(&rows) + rows.num_rows() * 48)?;
        let build = Build::new(rows, &task.held_keys, &task.band, memory)?;
        self.memory.set(build.memory.size());
        self.count.add(build.rows.num_rows());
        let build = Arc::new(build);
        self.told.add(&build, &task.other_keys)?;
        Ok(build)
    }
}

fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        _ => Arc::clone(column),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)?)
}

/// One partition of the other side on its way through the join.
struct Probe {
    build: Arc<Build>,
    task: Arc<Task>,
    other: SendableRecordBatchStream,
    batch: Option<Pairs>,
    joined: BatchCoalescer,
    batch_size: usize,
}

/// A batch, and which held rows each of its rows is to meet.
struct Pairs {
    batch: RecordBatch,
    spans: VecDeque<(u32, Range<u32>)>,
    /// Whether all pairs of the spans belong to the result.
    exact: bool,
    /// The row that was found last, in a semi join.
    found: Option<u32>,
}

impl Probe {
    /// The next rows; `None` when there are no more.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.joined.next_completed_batch() {
                return Ok(Some(batch));
            }
            if let Some(batch) = &mut self.batch {
                match batch.next(&self.build, &self.task, self.batch_size)? {
                    Some(joined) => self.joined.push_batch(joined)?,
                    None => self.batch = None,
                }
                // Many pairs may be looked at before there is a row to give.
                tokio::task::consume_budget().await;
                continue;
            }
            match self.other.try_next().await? {
                Some(batch) => {
                    let (spans, all) = self.build.spans(&batch, &self.task.other_keys, &self.task.band)?;
                    let exact = all && self.build.is_exact(&self.task.band);
                    self.batch = Some(Pairs { batch, spans: spans.into(), exact, found: None });
                }
                None if self.joined.is_empty() => return Ok(None),
                None => self.joined.finish_buffered_batch()?,
            }
        }
    }
}

impl Pairs {
    /// The rows that come of the next pairs; `None` when there are no more.
    fn next(&mut self, build: &Build, task: &Task, most: usize) -> Result<Option<RecordBatch>> {
        if self.spans.is_empty() {
            return Ok(None);
        }
        if task.semi && self.exact {
            let others = UInt32Array::from_iter_values(self.spans.drain(..).map(|(row, _)| row));
            return self.rows(build, task, &UInt32Array::from(vec![0; 0]), &others).map(Some);
        }
        let (mut held, mut others) = (Vec::with_capacity(most), Vec::with_capacity(most));
        while let Some((row, span)) = self.spans.front_mut()
            && held.len() < most
        {
            let taken = if task.ordered { span.len() } else { span.len().min(most - held.len()) };
            let end = span.start + taken as u32;
            let from = held.len();
            held.extend_from_slice(&build.order[span.start as usize..end as usize]);
            if task.ordered {
                held[from..].sort_unstable();
            }
            others.resize(held.len(), *row);
            span.start = end;
            if span.start == span.end {
                self.spans.pop_front();
            }
        }
        let (mut held, mut others) = (UInt32Array::from(held), UInt32Array::from(others));
        if !self.exact {
            let pairs =
                batch(task.filter.schema(), task.filter.column_indices(), &build.rows, &held, &self.batch, &others)?;
            let holds = task.filter.expression().evaluate(&pairs)?.into_array(pairs.num_rows())?;
            let holds = holds.as_boolean();
            held = filter(&held, holds)?.as_primitive::<UInt32Type>().clone();
            others = filter(&others, holds)?.as_primitive::<UInt32Type>().clone();
        }
        if task.semi {
            let mut once = Vec::with_capacity(others.len());
            for row in others.values() {
                if self.found != Some(*row) {
                    self.found = Some(*row);
                    once.push(*row);
                }
            }
            others = UInt32Array::from(once);
        }
        self.rows(build, task, &held, &others).map(Some)
    }

    fn rows(&self, build: &Build, task: &Task, held: &UInt32Array, others: &UInt32Array) -> Result<RecordBatch> {
        batch(&task.schema, &task.columns, &build.rows, held, &self.batch, others)
    }
}

/// Rows of both sides beside each other.
fn batch(
    schema: &SchemaRef,
    columns: &[ColumnIndex],
    left: &RecordBatch,
    of_left: &UInt32Array,
    right: &RecordBatch,
    of_right: &UInt32Array,
) -> Result<RecordBatch> {
    let columns = columns.iter().map(|column| match column.side {
        JoinSide::Left => Ok(take(left.column(column.index), of_left, None)?),
        JoinSide::Right => Ok(take(right.column(column.index), of_right, None)?),
        JoinSide::None => internal_err!("a join's column is of no side"),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(of_right.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_>>()?, &options)?)
}
