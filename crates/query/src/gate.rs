//! The node between a scan and a statement that may not see every event.
//!
//! What is below works on all events of the store, and its work depends on the reader's [`crate::Rows`] alone; what is above,
//! the statement's own expressions, meets only events that passed. So the node takes no filter, limit, projection or dynamic
//! filter from above, and tells no statistics of what is below: an expression that fails, sorts, samples or counts can't
//! tell anything of the rest.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::StreamExt;

/// Name of the metric: events that passed.
pub(crate) const EVENTS: &str = "granted_events";
/// Name of the metric: bytes of their values.
pub(crate) const BYTES: &str = "granted_bytes";

/// Passes the events of which the predicate is true, and of their columns the first ones.
#[derive(Debug)]
pub(crate) struct GateExec {
    input: Arc<dyn ExecutionPlan>,
    /// On the input's columns.
    predicate: Arc<dyn PhysicalExpr>,
    /// How many of the input's columns the reader asked for; the others are only the predicate's.
    columns: usize,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl GateExec {
    /// # Errors
    /// If the input has fewer columns.
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, predicate: Arc<dyn PhysicalExpr>, columns: usize) -> Result<Self> {
        let wanted: Vec<usize> = (0..columns).collect();
        let schema = Arc::new(input.schema().project(&wanted)?);
        let partitioning = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(Self { input, predicate, columns, schema, properties, metrics })
    }
}

impl DisplayAs for GateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the predicate: what is granted may itself be nobody's business.
        write!(f, "GateExec")
    }
}

impl ExecutionPlan for GateExec {
    fn name(&self) -> &'static str {
        "GateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.predicate)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("a gate has one input");
        };
        Ok(Arc::new(Self::new(input, Arc::clone(&self.predicate), self.columns)?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let recompute = datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (predicate, columns) = (Arc::clone(&self.predicate), self.columns);
        let counter = |name: &'static str| MetricBuilder::new(&self.metrics).counter(name, partition);
        let (events, bytes) = (counter(EVENTS), counter(BYTES));
        let passed = input.map(move |batch| pass(&batch?, &predicate, columns, &events, &bytes));
        // Batches of which nothing passed are not handed on: their number would tell of them.
        let passed = passed.filter(|batch| {
            let some = batch.as_ref().map_or(true, |batch| batch.num_rows() > 0);
            std::future::ready(some)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), passed)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }
}

fn pass(
    batch: &RecordBatch,
    predicate: &Arc<dyn PhysicalExpr>,
    columns: usize,
    events: &Count,
    bytes: &Count,
) -> Result<RecordBatch> {
    let keep = predicate.evaluate(batch)?.into_array(batch.num_rows())?;
    let Some(keep) = keep.as_any().downcast_ref::<BooleanArray>() else {
        return internal_err!("a gate's predicate is boolean");
    };
    let wanted: Vec<usize> = (0..columns).collect();
    let passed = filter_record_batch(&batch.project(&wanted)?, keep)?;
    events.add(passed.num_rows());
    bytes.add(passed.columns().iter().map(size).sum());
    Ok(passed)
}

/// Bytes of the values themselves, whatever the buffers hold beside them.
fn size(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().iter().flatten().map(str::len).sum(),
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().map(str::len).sum(),
        DataType::Struct(_) => array.as_struct().columns().iter().map(size).sum(),
        DataType::List(_) => (0..array.len()).map(|row| size(&array.as_list::<i32>().value(row))).sum(),
        DataType::Map(..) => {
            let maps = array.as_map();
            (0..array.len()).map(|row| maps.value(row).columns().iter().map(size).sum::<usize>()).sum()
        }
        other => other.primitive_width().unwrap_or(1) * array.len(),
    }
}
