//! What a query did, and what Lake would have charged for it.

use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// Lake's price of scanning: US dollars a GB (aws.amazon.com/cloudtrail/pricing, 2026).
const PRICE_PER_GB: f64 = 0.005;

/// What a query has done.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Rows of the result.
    pub rows: u64,
    /// Events read, before filters; files and row groups that statistics exclude are not read.
    pub events_scanned: u64,
    /// Compressed bytes read.
    pub bytes_scanned: u64,
    /// Since the start of the query.
    pub elapsed: Duration,
}

impl Statistics {
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>, rows: u64, elapsed: Duration) -> Self {
        let mut all = Self { rows, elapsed, ..Self::default() };
        all.add(plan);
        all
    }

    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        if plan.name() == "DataSourceExec"
            && let Some(metrics) = plan.metrics()
        {
            let sum = |name| metrics.sum_by_name(name).map_or(0, |v| v.as_usize() as u64);
            self.bytes_scanned += sum("bytes_scanned");
            self.events_scanned += metrics.output_rows().unwrap_or(0) as u64 + sum("pushdown_rows_pruned");
        }
        for child in plan.children() {
            self.add(child);
        }
    }

    /// Events in the files that the plan reads.
    pub(crate) fn events(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
        if plan.name() == "DataSourceExec" {
            let all = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
            return all.num_rows.get_value().map(|rows| *rows as u64);
        }
        plan.children().into_iter().map(Self::events).sum()
    }

    /// What the scan would cost in Lake, in US dollars.
    pub fn lake_cost(&self) -> f64 {
        self.bytes_scanned as f64 / 1e9 * PRICE_PER_GB
    }
}
