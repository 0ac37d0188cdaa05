//! Of each row group the rows that a sort by time may keep.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::TimestampMillisecondArray;
use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column as ColumnExpr;

use super::expressions::Expressions;
use super::ranges::Ranges;

/// A sort that keeps so many rows, by a time first, and NULLs last: of each row group no more are needed, but for equal times.
#[derive(Debug)]
pub(crate) struct Top {
    pub(crate) rows: usize,
    pub(crate) descending: bool,
    pub(super) time: Expressions,
}

impl Top {
    /// By a column of the table; `None` where it has no times.
    pub(crate) fn of(rows: usize, descending: bool, by: &Arc<dyn PhysicalExpr>, table: &Schema) -> Option<Self> {
        let time = Expressions::of([by], table, false)?;
        let [leaf] = time.leaves.as_slice() else { return None };
        let is_time = matches!(leaf.field.data_type(), DataType::Timestamp(TimeUnit::Millisecond, None));
        let is_column = time.of[0].downcast_ref::<ColumnExpr>().is_some();
        (is_time && is_column).then_some(Self { rows, descending, time })
    }

    /// Of some rows those that may be among the first, by their times.
    pub(super) fn among(&self, rows: &[Range<usize>], times: &TimestampMillisecondArray) -> Option<Ranges> {
        let mut known: Vec<i64> = times.iter().flatten().collect();
        let last = self.rows.checked_sub(1).filter(|_| known.len() > self.rows)?;
        let (_, bound, _) = match self.descending {
            true => known.select_nth_unstable_by(last, |a, b| b.cmp(a)),
            false => known.select_nth_unstable(last),
        };
        let bound = *bound;
        let is_among = |time: Option<i64>| time.is_some_and(|t| if self.descending { t >= bound } else { t <= bound });
        let all = rows.iter().cloned().flatten().zip(times.iter());
        Some(Ranges::new(all.filter(|(_, time)| is_among(*time)).map(|(row, _)| row..row + 1)))
    }
}
