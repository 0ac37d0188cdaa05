//! Queries that end soon after nobody waits for them.
//!
//! A task can only be stopped where it yields. DataFusion's do so every 128 batches, which is minutes where a batch takes a
//! regular expression a second, and not at all between the batches that a join makes of one row. Here a task yields
//! between batches whenever it has worked for [`SLICE`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};

/// Work between two chances to stop.
const SLICE: Duration = Duration::from_millis(20);

/// Makes every leaf of `plan`, and every join and unnesting, a place where its task can be stopped.
pub(crate) fn interruptible(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let places = plan.transform_up(|node| {
        let grows = matches!(
            node.name(),
            "BandJoinExec"
                | "CrossJoinExec"
                | "NestedLoopJoinExec"
                | "HashJoinExec"
                | "SortMergeJoinExec"
                | "ListUnnestExec"
                | "UnnestExec"
        );
        if !grows && !node.children().is_empty() {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(Arc::new(Interruptible { input: node }) as Arc<dyn ExecutionPlan>))
    })?;
    Ok(places.data)
}

/// Passes its input's batches on.
#[derive(Debug)]
struct Interruptible {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Interruptible {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interruptible")
    }
}

impl ExecutionPlan for Interruptible {
    fn name(&self) -> &'static str {
        "Interruptible"
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
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self { input }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(Slices { input, since: Instant::now() }))
    }
}

struct Slices {
    input: SendableRecordBatchStream,
    /// When the task last began or yielded, as far as this stream has seen.
    since: Instant,
}

impl Stream for Slices {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.since.elapsed() > SLICE {
            self.since = Instant::now();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.input.poll_next_unpin(cx);
        if next.is_pending() {
            self.since = Instant::now();
        }
        next
    }
}

impl RecordBatchStream for Slices {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
