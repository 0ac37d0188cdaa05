//! What a query did, and what Lake would have charged for it.

use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;

use crate::gate;

/// Lake's price of scanning: US dollars a GB (aws.amazon.com/cloudtrail/pricing, 2026).
const PRICE_PER_GB: f64 = 0.005;

/// What a query has done.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Rows of the result.
    pub rows: u64,
    /// Events read, before filters; files and row groups that statistics exclude are not read.
    pub events_scanned: u64,
    /// Of these, events that passed the filters next to the scan.
    pub events_matched: u64,
    /// Compressed bytes read; bytes of the values that the reader asked for, where it may not see every event.
    pub bytes_scanned: u64,
    /// Since the start of the query.
    pub elapsed: Duration,
}

impl Statistics {
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>, rows: u64, elapsed: Duration) -> Self {
        let mut all = Self { rows, elapsed, ..Self::default() };
        let matched = all.add(plan);
        all.events_matched += matched.unwrap_or(0);
        all
    }

    /// Counts the scans below `plan`, and gives how many events come out of it, as long as no other node than a filter
    /// or one that only hands on stands between.
    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
        let metrics = plan.metrics();
        let sum = |name: &str| metrics.as_ref().and_then(|m| m.sum_by_name(name)).map_or(0, |v| v.as_usize() as u64);
        let out = metrics.as_ref().and_then(MetricsSet::output_rows).unwrap_or(0) as u64;
        match plan.name() {
            "DataSourceExec" => {
                self.bytes_scanned += sum("bytes_scanned");
                self.events_scanned += out + sum("pushdown_rows_pruned");
                return Some(out);
            }
            // What is below a gate is not the reader's.
            "GateExec" => {
                self.bytes_scanned += sum(gate::BYTES);
                self.events_scanned += sum(gate::EVENTS);
                return Some(sum(gate::EVENTS));
            }
            _ => {}
        }
        let children = plan.children();
        if let [child] = children.as_slice() {
            let below = self.add(child)?;
            return match plan.name() {
                "FilterExec" => Some(out),
                "CoalesceBatchesExec"
                | "RepartitionExec"
                | "CooperativeExec"
                | "Interruptible"
                | "ProjectionExec"
                | "CoalescePartitionsExec" => Some(below),
                _ => {
                    self.events_matched += below;
                    None
                }
            };
        }
        for child in children {
            let matched = self.add(child);
            self.events_matched += matched.unwrap_or(0);
        }
        None
    }

    /// Events in the files that the plan reads.
    pub(crate) fn events(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
        if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
            // The scan's own statistics are a guess at what filters leave.
            let scan = scan.data_source().downcast_ref::<FileScanConfig>()?;
            let rows = |file: &PartitionedFile| file.statistics.as_ref()?.num_rows.get_value().map(|rows| *rows as u64);
            return scan.file_groups.iter().flat_map(FileGroup::iter).map(rows).sum();
        }
        plan.children().into_iter().map(Self::events).sum()
    }

    /// What the scan would cost in Lake, in US dollars.
    pub fn lake_cost(&self) -> f64 {
        self.bytes_scanned as f64 / 1e9 * PRICE_PER_GB
    }
}
