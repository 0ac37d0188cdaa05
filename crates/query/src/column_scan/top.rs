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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::Field;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_are_among_them_and_no_later_time(
            times in prop::collection::vec(prop::option::weighted(0.8, 0..20_i64), 0..60),
            first in 0..50_usize,
            rows in 1..30_usize,
            descending in any::<bool>(),
        ) {
            let time = DataType::Timestamp(TimeUnit::Millisecond, None);
            let table = Schema::new(vec![Field::new("t", time, true)]);
            let by: Arc<dyn PhysicalExpr> = Arc::new(ColumnExpr::new("t", 0));
            let top = Top::of(rows, descending, &by, &table).unwrap();
            let array = TimestampMillisecondArray::from(times.clone());
            let ranges: Vec<Range<usize>> = std::iter::once(first..first + times.len()).collect();
            let found = top.among(&ranges, &array);
            let mut known: Vec<i64> = times.iter().copied().flatten().collect();
            known.sort_unstable_by_key(|time| if descending { -time } else { *time });
            if known.len() <= rows {
                prop_assert!(found.is_none(), "all are needed, NULLs too");
                return Ok(());
            }
            let last = known[rows - 1];
            let wanted = |time: i64| if descending { time >= last } else { time <= last };
            let expected: Vec<usize> =
                (0..times.len()).filter(|row| times[*row].is_some_and(wanted)).map(|row| first + row).collect();
            prop_assert_eq!(found.unwrap().of.into_iter().flatten().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn only_times_are_taken() {
        let table = Schema::new(vec![Field::new("name", DataType::Utf8View, true)]);
        let by: Arc<dyn PhysicalExpr> = Arc::new(ColumnExpr::new("name", 0));
        assert!(Top::of(10, true, &by, &table).is_none());
    }
}
