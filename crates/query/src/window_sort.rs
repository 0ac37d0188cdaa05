//! `OVER (PARTITION BY userIdentity.arn ORDER BY eventTime)`: the sort below a window, with one number for each partition.
//!
//! DataFusion compares the text of two rows wherever it compares them, a dozen times a row. But the partitions are few beside the
//! rows: here each is sorted once among the others, and a row is then a number that has its partition's place, its time and its own
//! number in it. Rows are held in memory; where that is not enough, or partitions turn out to be nearly as many as rows, DataFusion
//! sorts them, and spills.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayData, ArrayRef, Int64Array, RecordBatchOptions, UInt32Array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::{SortColumn, interleave, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::number::{is_number, numbers};
use crate::run_aggregate::starts;

/// Rows after which it is looked whether partitions are nearly as many.
const PROBED_ROWS: usize = 100_000;
/// Bytes that are kept of each row beside the row: its partition, place and time, and its number while rows are sorted.
const ROW: usize = 48;

/// Puts [`WindowSortExec`] below windows.
#[derive(Debug)]
pub(crate) struct WindowSort;

impl PhysicalOptimizerRule for WindowSort {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let sorted = plan.transform_up(|node| {
            let Some(sort) = sorted(&node) else { return Ok(Transformed::no(node)) };
            let sort: Arc<dyn ExecutionPlan> = Arc::new(sort);
            Ok(Transformed::yes(node.replace_children(vec![sort], recomputed())?))
        })?;
        Ok(sorted.data)
    }

    fn name(&self) -> &'static str {
        "window_sort"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn recomputed() -> ReplaceChildrenOptions {
    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute)
}

/// The sort for a window; `None` if it is no window, or another sort suits better.
fn sorted(node: &Arc<dyn ExecutionPlan>) -> Option<WindowSortExec> {
    let windows = match (node.downcast_ref::<BoundedWindowAggExec>(), node.downcast_ref::<WindowAggExec>()) {
        (Some(window), _) => window.window_expr(),
        (_, Some(window)) => window.window_expr(),
        _ => return None,
    };
    let partition = windows.first()?.partition_by();
    let sort = node.children().pop()?.downcast_ref::<SortExec>()?;
    let schema = sort.input().schema();
    let (keys, order) = sort.expr().split_at_checked(partition.len())?;
    let is_text = |key: &PhysicalSortExpr| matches!(key.expr.data_type(&schema), Ok(DataType::Utf8View));
    let is_number = |key: &PhysicalSortExpr| key.expr.data_type(&schema).is_ok_and(|data_type| is_number(&data_type));
    let is_partition = |key: &PhysicalSortExpr| partition.iter().any(|by| by.eq(&key.expr));
    (sort.fetch().is_none() && keys.iter().any(is_text) && keys.iter().all(is_partition) && order.iter().all(is_number))
        .then(|| WindowSortExec::new(sort.clone(), keys.len()))
}

/// See the module.
#[derive(Debug)]
struct WindowSortExec {
    /// What it stands for.
    sort: SortExec,
    /// The first sort keys: those that partition.
    partitions: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl WindowSortExec {
    fn new(sort: SortExec, partitions: usize) -> Self {
        Self { sort, partitions, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for WindowSortExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Window")?;
        self.sort.fmt_as(format, f)
    }
}

impl ExecutionPlan for WindowSortExec {
    fn name(&self) -> &'static str {
        "WindowSortExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.sort.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.sort.input()]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.sort.input_distribution_requirements()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.sort.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let sort = Arc::new(self.sort.clone()).replace_children(children, options)?;
        match sort.downcast_ref::<SortExec>() {
            Some(sort) => Ok(Arc::new(Self::new(sort.clone(), self.partitions))),
            None => internal_err!("a sort became {}", sort.name()),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, recomputed())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut input = self.sort.input().execute(partition, Arc::clone(&context))?;
        let mut rows = Numbered::new(self, &context)?;
        let sort = self.sort.clone();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let schema = self.schema();
        let sorted = async move {
            while let Some(batch) = input.next().await {
                rows.add(batch?)?;
                if rows.is_useless() {
                    return by_datafusion(&sort, rows.batches, Some(input), context);
                }
            }
            let timer = metrics.elapsed_compute().timer();
            let order = rows.order()?;
            timer.done();
            let Some(order) = order else { return by_datafusion(&sort, rows.batches, None, context) };
            let rows_of_a_batch = context.session_config().batch_size();
            let ends = (0..order.len()).step_by(rows_of_a_batch.max(1));
            let batches = ends.map(move |start| {
                let _timer = metrics.elapsed_compute().timer();
                let end = order.len().min(start + rows_of_a_batch);
                rows.take(&order[start..end]).record_output(&metrics)
            });
            let batches: SendableRecordBatchStream =
                Box::pin(RecordBatchStreamAdapter::new(sort.schema(), stream::iter(batches)));
            Ok(batches)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(sorted).try_flatten())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Sorts as if nothing had been held.
fn by_datafusion(
    sort: &SortExec,
    held: Vec<RecordBatch>,
    rest: Option<SendableRecordBatchStream>,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let schema = sort.input().schema();
    let rows = stream::iter(held.into_iter().map(Ok)).chain(stream::iter(rest).flatten());
    let rows = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows));
    let once = Once { schema: Arc::clone(&schema), rows: Mutex::new(Some(rows)) };
    let input = StreamingTableExec::try_new(schema, vec![Arc::new(once)], None, [], false, None)?;
    SortExec::new(sort.expr().clone(), Arc::new(input)).execute(0, context)
}

/// Rows that can be asked for once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        rows.unwrap_or_else(|| {
            let again = stream::once(async { internal_err!("rows of a sort were asked for twice") });
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), again))
        })
    }
}

/// Rows, and a number for each's partition.
struct Numbered {
    keys: Vec<PhysicalSortExpr>,
    order: Vec<PhysicalSortExpr>,
    partitions: Box<dyn GroupValues>,
    /// Of each row.
    partition_of: Vec<u32>,
    /// Of each sort key that does not partition and each batch.
    times: Vec<Vec<Int64Array>>,
    /// Batch and row there, of each row.
    places: Vec<(u32, u32)>,
    batches: Vec<RecordBatch>,
    /// The partitions' keys, once all are known.
    values: Vec<ArrayRef>,
    /// Where the buffers are that were counted: batches share them.
    buffers: HashSet<usize>,
    room: MemoryReservation,
    refused: bool,
}

impl Numbered {
    fn new(exec: &WindowSortExec, context: &TaskContext) -> Result<Self> {
        let schema = exec.sort.input().schema();
        let (keys, order) = exec.sort.expr().split_at(exec.partitions);
        let field = |key: &PhysicalSortExpr| Ok(Field::new("", key.expr.data_type(&schema)?, true));
        let fields = keys.iter().map(field).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            keys: keys.to_vec(),
            order: order.to_vec(),
            partitions: new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None)?,
            partition_of: Vec::new(),
            times: vec![Vec::new(); order.len()],
            places: Vec::new(),
            batches: Vec::new(),
            values: Vec::new(),
            buffers: HashSet::new(),
            // It has its share and no more, so that the sort that takes over from another has room.
            room: MemoryConsumer::new("sort of a window").with_can_spill(true).register(context.memory_pool()),
            refused: false,
        })
    }

    /// Whether DataFusion had better sort.
    fn is_useless(&self) -> bool {
        let rows = self.places.len();
        self.refused || rows > u32::MAX as usize / 2 || (rows > PROBED_ROWS && self.partitions.len() * 2 > rows)
    }

    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let held: usize = batch.columns().iter().map(|column| held(&column.to_data(), &mut self.buffers)).sum();
        self.refused = self.room.try_grow(held + rows * ROW).is_err();
        if self.refused {
            self.room.free();
        } else {
            let evaluate = |key: &PhysicalSortExpr| key.expr.evaluate(&batch)?.into_array(rows);
            let keys = self.keys.iter().map(evaluate).collect::<Result<Vec<ArrayRef>>>()?;
            let starts = UInt32Array::from(starts(&keys, rows));
            let first = keys.iter().map(|key| take(key, &starts, None)).collect::<std::result::Result<Vec<_>, _>>()?;
            let mut of_runs = Vec::new();
            self.partitions.intern(&first, &mut of_runs)?;
            let ends = starts.values()[1..].iter().copied().chain([rows as u32]);
            for (partition, (start, end)) in of_runs.iter().zip(starts.values().iter().zip(ends)) {
                self.partition_of.extend(std::iter::repeat_n(*partition as u32, (end - start) as usize));
            }
            for (times, key) in self.times.iter_mut().zip(&self.order) {
                times.push(numbers(&evaluate(key)?)?);
            }
            let number = self.batches.len() as u32;
            self.places.extend((0..rows as u32).map(|row| (number, row)));
        }
        self.batches.push(batch);
        Ok(())
    }

    /// The rows in order; `None` if what tells them apart does not fit into a number.
    fn order(&mut self) -> Result<Option<Vec<u32>>> {
        self.values = self.partitions.emit(EmitTo::All)?;
        let columns = self.values.iter().zip(&self.keys);
        let columns: Vec<_> = columns
            .map(|(values, key)| SortColumn { values: Arc::clone(values), options: Some(key.options) })
            .collect();
        let sorted = lexsort_to_indices(&columns, None)?;
        let mut rank_of = vec![0_u32; sorted.len()];
        for (rank, partition) in sorted.values().iter().enumerate() {
            rank_of[*partition as usize] = rank as u32;
        }
        let mut digits = vec![bits_of(rank_of.len() as u64)];
        let mut codes = Vec::with_capacity(self.order.len());
        for (times, key) in self.times.iter().zip(&self.order) {
            let Some(code) = Code::new(times, key) else { return Ok(None) };
            digits.push(bits_of(code.values));
            codes.push(code);
        }
        let row_bits = bits_of(self.places.len() as u64);
        let bits = digits.iter().sum::<u32>() + row_bits;
        let mut numbers: Vec<u128> = match bits {
            0..=128 => self.partition_of.iter().map(|partition| u128::from(rank_of[*partition as usize])).collect(),
            _ => return Ok(None),
        };
        for ((code, times), digit) in codes.iter().zip(&self.times).zip(&digits[1..]) {
            let times = times.iter().flat_map(Int64Array::iter);
            for (number, time) in numbers.iter_mut().zip(times) {
                *number = *number << digit | u128::from(code.of(time));
            }
        }
        let rows = (0_u32..).zip(numbers);
        // Most often the half is enough, and sorted in half the time.
        if bits <= 64 {
            let mut numbers: Vec<u64> =
                rows.map(|(row, number)| (number as u64) << row_bits | u64::from(row)).collect();
            numbers.sort_unstable();
            let mask = (1 << row_bits) - 1;
            return Ok(Some(numbers.into_iter().map(|number| (number & mask) as u32).collect()));
        }
        let mut numbers: Vec<u128> = rows.map(|(row, number)| number << row_bits | u128::from(row)).collect();
        numbers.sort_unstable();
        let mask = (1 << row_bits) - 1;
        Ok(Some(numbers.into_iter().map(|number| (number & mask) as u32).collect()))
    }

    /// Some rows as a batch. Partitions' keys are text of one place each, whatever batch a row came in.
    fn take(&self, rows: &[u32]) -> Result<RecordBatch> {
        let partitions: UInt32Array = rows.iter().map(|row| self.partition_of[*row as usize]).collect();
        let places: Vec<(usize, usize)> = rows
            .iter()
            .map(|row| self.places[*row as usize])
            .map(|(batch, row)| (batch as usize, row as usize))
            .collect();
        let Some(schema) = self.batches.first().map(RecordBatch::schema) else {
            return internal_err!("there are rows of no batch");
        };
        let is = |key: &PhysicalSortExpr, index: usize| {
            key.expr.downcast_ref::<Column>().is_some_and(|column| column.index() == index)
        };
        let columns = (0..schema.fields().len()).map(|index| match self.keys.iter().position(|key| is(key, index)) {
            Some(key) => Ok(take(&self.values[key], &partitions, None)?),
            None => {
                let parts: Vec<&dyn Array> = self.batches.iter().map(|batch| batch.column(index).as_ref()).collect();
                Ok(interleave(&parts, &places)?)
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(schema, columns.collect::<Result<_>>()?, &options)?)
    }
}

/// Bytes of buffers that were not counted yet.
fn held(data: &ArrayData, counted: &mut HashSet<usize>) -> usize {
    let buffers = data.buffers().iter().chain(data.nulls().map(NullBuffer::buffer));
    let new = buffers
        .filter(|buffer| counted.insert(buffer.data_ptr().as_ptr() as usize))
        .map(Buffer::capacity)
        .sum::<usize>();
    new + data.child_data().iter().map(|child| held(child, counted)).sum::<usize>()
}

/// Bits for so many numbers, from 0 on.
fn bits_of(numbers: u64) -> u32 {
    64 - numbers.saturating_sub(1).leading_zeros()
}

/// Numbers of one sort key's values, from 0 on, in its order.
struct Code {
    descending: bool,
    least: i64,
    null: u64,
    first: u64,
    /// How many there may be.
    values: u64,
}

impl Code {
    /// `None` if 64 bits do not tell them apart.
    fn new(times: &[Int64Array], key: &PhysicalSortExpr) -> Option<Self> {
        let descending = key.options.descending;
        // Of numbers the bitwise complement has the opposite order.
        let values =
            times.iter().flat_map(Int64Array::iter).flatten().map(|time| if descending { !time } else { time });
        let (least, greatest) =
            values.fold((i64::MAX, i64::MIN), |(least, greatest), value| (least.min(value), greatest.max(value)));
        let span = if least > greatest { 0 } else { greatest.abs_diff(least) };
        let values = span.checked_add(2)?;
        let (null, first) = if key.options.nulls_first { (0, 1) } else { (values - 1, 0) };
        Some(Self { descending, least, null, first, values })
    }

    fn of(&self, value: Option<i64>) -> u64 {
        value.map_or(self.null, |value| {
            let value = if self.descending { !value } else { value };
            value.abs_diff(self.least) + self.first
        })
    }
}

#[cfg(test)]
mod tests;
