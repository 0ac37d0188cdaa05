//! The side of a band join that is held: its rows by key, and the rows of a key in the order of a bound.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{and, filter_record_batch, take};
use arrow::record_batch::RecordBatch;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;

use super::{Band, Bound};
use crate::number::numbers;
use crate::run_aggregate::starts;

/// Keys whose hashes are equal get other hashes, so often.
const SEEDS: u64 = 8;

/// Rows of the other side, each with the span of [`Build::order`] that it meets.
pub(super) type Spans = Vec<(u32, Range<u32>)>;

/// See the module.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) rows: RecordBatch,
    keys: Vec<ArrayRef>,
    /// Rows by key, those of a key by the bound.
    pub(super) order: Vec<u32>,
    pub(super) groups: Groups,
    /// Values in `order`, where a span can be found by them.
    above: Option<Vec<i64>>,
    below: Option<Vec<i64>>,
    pub(super) memory: MemoryReservation,
}

impl Build {
    /// Orders rows by `keys` and by the bounds of `band`. Rows that have NULL in any of them match nothing and are left out.
    ///
    /// `memory` is what was asked for the rows, and goes with them.
    ///
    /// # Errors
    /// Those of the keys' expressions, and that of too little memory.
    pub(super) fn new(
        rows: RecordBatch,
        keys: &[Arc<dyn PhysicalExpr>],
        band: &Band,
        memory: MemoryReservation,
    ) -> Result<Self> {
        let known = [
            evaluate(keys, &rows)?
                .iter()
                .fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref())),
            values(band.above.as_ref().map(held), &rows).and_then(|values| values.nulls().cloned()),
            values(band.below.as_ref().map(held), &rows).and_then(|values| values.nulls().cloned()),
        ]
        .iter()
        .fold(None, |nulls, more| NullBuffer::union(nulls.as_ref(), more.as_ref()));
        let rows = match known.filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => filter_record_batch(&rows, &BooleanArray::new(nulls.into_inner(), None))?,
            None => rows,
        };
        let keys = evaluate(keys, &rows)?;
        let above = values(band.above.as_ref().map(held), &rows);
        let below = values(band.below.as_ref().map(held), &rows);
        let mut hashes = vec![0; rows.num_rows()];
        for seed in 0..SEEDS {
            hashes.fill(0);
            create_hashes(&keys, &RandomState::with_seed(seed), &mut hashes)?;
            let by = above.as_ref().or(below.as_ref()).map(Int64Array::values);
            let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
            order.sort_unstable_by_key(|row| (hashes[*row as usize], by.map_or(0, |by| by[*row as usize]), *row));
            let groups = Groups::new(seed, &order, &hashes);
            if !one_key_each(&keys, &order, &groups)? {
                continue;
            }
            let in_order = |values: Int64Array| {
                let values: Vec<i64> = order.iter().map(|row| values.value(*row as usize)).collect();
                let ordered =
                    groups.spans.iter().all(|span| values[span.start as usize..span.end as usize].is_sorted());
                ordered.then_some(values)
            };
            let (above, below) = (above.and_then(in_order), below.and_then(in_order));
            let values = [&above, &below].iter().filter(|values| values.is_some()).count() * 8;
            memory.try_resize(get_record_batch_memory_size(&rows) + order.len() * (4 + values) + groups.size())?;
            return Ok(Self { rows, keys, order, groups, above, below, memory });
        }
        internal_err!("the keys of a join have the same hashes under {SEEDS} seeds")
    }

    /// Whether the spans have the rows that the whole of the condition holds for, and no others.
    pub(super) fn is_exact(&self, band: &Band) -> bool {
        band.whole && band.above.is_some() == self.above.is_some() && band.below.is_some() == self.below.is_some()
    }

    /// The rows of `batch` that have a span, with their spans of [`Self::order`]; and whether the spans were found by all
    /// the bounds that the rows are ordered by.
    ///
    /// # Errors
    /// Those of the keys' expressions.
    pub(super) fn spans(
        &self,
        batch: &RecordBatch,
        keys: &[Arc<dyn PhysicalExpr>],
        band: &Band,
    ) -> Result<(Spans, bool)> {
        let rows = batch.num_rows();
        let mut spans = Vec::new();
        if rows == 0 || self.order.is_empty() {
            return Ok((spans, true));
        }
        let keys = evaluate(keys, batch)?;
        let starts = starts(&keys, rows);
        let groups = self.groups_of(&keys, &starts)?;
        // A bound that cannot be told here is told, or fails, where the pairs are looked at.
        let above = values(band.above.as_ref().filter(|_| self.above.is_some()).map(other), batch);
        let below = values(band.below.as_ref().filter(|_| self.below.is_some()).map(other), batch);
        let all = above.is_some() == self.above.is_some() && below.is_some() == self.below.is_some();
        let ends = starts[1..].iter().copied().chain([rows as u32]);
        for ((group, start), end) in groups.into_iter().zip(&starts).zip(ends) {
            let Some(group) = group else { continue };
            let span = self.groups.spans[group as usize].start as usize..self.groups.spans[group as usize].end as usize;
            // Rows of a run mostly follow each other in time, so that a span begins near the one before.
            let (mut from, mut to) = (0, 0);
            for row in *start..end {
                let (mut first, mut last) = (0, span.len());
                if let (Some(limits), Some(held), Some(bound)) = (&above, &self.above, &band.above) {
                    if limits.is_null(row as usize) {
                        continue;
                    }
                    let limit = limits.value(row as usize);
                    to = seek(&held[span.clone()], to, |value| value < limit || (bound.inclusive && value == limit));
                    last = to;
                }
                if let (Some(limits), Some(held), Some(bound)) = (&below, &self.below, &band.below) {
                    if limits.is_null(row as usize) {
                        continue;
                    }
                    let limit = limits.value(row as usize);
                    from =
                        seek(&held[span.clone()], from, |value| value < limit || (!bound.inclusive && value == limit));
                    first = from;
                }
                if first < last {
                    spans.push((row, (span.start + first) as u32..(span.start + last) as u32));
                }
            }
        }
        Ok((spans, all))
    }

    /// The group of each of the rows.
    fn groups_of(&self, keys: &[ArrayRef], rows: &[u32]) -> Result<Vec<Option<u32>>> {
        let rows = UInt32Array::from_iter_values(rows.iter().copied());
        let keys = keys.iter().map(|key| take(key, &rows, None)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut hashes = vec![0; rows.len()];
        create_hashes(&keys, &self.groups.state(), &mut hashes)?;
        let found: Vec<Option<u32>> = hashes.iter().map(|hash| self.groups.find(*hash)).collect();
        let held = found.iter().map(|group| group.map(|g| self.order[self.groups.spans[g as usize].start as usize]));
        let held: UInt32Array = held.collect();
        let same = same_keys(
            &self.keys.iter().map(|key| take(key, &held, None)).collect::<std::result::Result<Vec<_>, _>>()?,
            &keys,
        )?;
        let same = (0..rows.len()).map(|row| same.is_valid(row) && same.value(row));
        Ok(found.into_iter().zip(same).map(|(group, same)| group.filter(|_| same)).collect())
    }
}

/// Where the groups of equal hashes are in an order, by hash.
#[derive(Debug)]
pub(super) struct Groups {
    seed: u64,
    spans: Vec<Range<u32>>,
    hashes: Vec<u64>,
    /// Open addressing: a group's number and one, 0 where there is none.
    slots: Vec<u32>,
}

impl Groups {
    fn new(seed: u64, order: &[u32], hashes: &[u64]) -> Self {
        let mut groups = Self { seed, spans: Vec::new(), hashes: Vec::new(), slots: Vec::new() };
        let mut start = 0;
        for run in order.chunk_by(|a, b| hashes[*a as usize] == hashes[*b as usize]) {
            groups.spans.push(start..start + run.len() as u32);
            groups.hashes.push(hashes[run[0] as usize]);
            start += run.len() as u32;
        }
        groups.slots = vec![0; (groups.spans.len() * 2).next_power_of_two()];
        for group in 0..groups.hashes.len() {
            let mut slot = groups.slot(groups.hashes[group]);
            while groups.slots[slot] != 0 {
                slot = (slot + 1) % groups.slots.len();
            }
            groups.slots[slot] = group as u32 + 1;
        }
        groups
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn state(&self) -> RandomState {
        RandomState::with_seed(self.seed)
    }

    /// The number of the group with a hash.
    pub(super) fn find(&self, hash: u64) -> Option<u32> {
        let mut slot = self.slot(hash);
        loop {
            let group = self.slots[slot].checked_sub(1)?;
            if self.hashes[group as usize] == hash {
                return Some(group);
            }
            slot = (slot + 1) % self.slots.len();
        }
    }

    fn slot(&self, hash: u64) -> usize {
        // The number of slots is a power of two, and there is always an empty one.
        (hash >> 7) as usize & (self.slots.len() - 1)
    }

    fn size(&self) -> usize {
        self.spans.len() * 16 + self.slots.len() * 4
    }
}

fn held(bound: &Bound) -> &Arc<dyn PhysicalExpr> {
    &bound.held
}

fn other(bound: &Bound) -> &Arc<dyn PhysicalExpr> {
    &bound.other
}

fn evaluate(expressions: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    expressions.iter().map(|expression| expression.evaluate(batch)?.into_array(batch.num_rows())).collect()
}

/// A bound's values as numbers, unless it fails: then it is for the pairs to say whether it matters.
fn values(expression: Option<&Arc<dyn PhysicalExpr>>, batch: &RecordBatch) -> Option<Int64Array> {
    numbers(&expression?.evaluate(batch).ok()?.into_array(batch.num_rows()).ok()?).ok()
}

/// Whether the rows of each group have the same key.
fn one_key_each(keys: &[ArrayRef], order: &[u32], groups: &Groups) -> Result<bool> {
    let Some(last) = order.len().checked_sub(1) else { return Ok(true) };
    let take_all = |rows: &[u32]| {
        let rows = UInt32Array::from_iter_values(rows.iter().copied());
        keys.iter().map(|key| take(key, &rows, None)).collect::<std::result::Result<Vec<_>, _>>()
    };
    let same = same_keys(&take_all(&order[..last])?, &take_all(&order[1..])?)?;
    Ok(groups.spans.iter().all(|span| (span.start..span.end - 1).all(|row| same.value(row as usize))))
}

/// Whether each row has the same key in both.
fn same_keys(left: &[ArrayRef], right: &[ArrayRef]) -> Result<BooleanArray> {
    let mut all: Option<BooleanArray> = None;
    for (left, right) in left.iter().zip(right) {
        let same = eq(left, right)?;
        all = Some(match all {
            Some(all) => and(&all, &same)?,
            None => same,
        });
    }
    match all {
        Some(all) => Ok(all),
        None => internal_err!("a join without keys has no band"),
    }
}

/// How many values from the first on `holds` is true for, of values in an order in which it is true for none after the first that
/// it is false for. Sought from `hint` on, in steps that double.
fn seek(values: &[i64], hint: usize, holds: impl Fn(i64) -> bool) -> usize {
    let (mut low, mut high) = (0, values.len());
    let mut step = 1;
    if hint < values.len() && holds(values[hint]) {
        low = hint + 1;
        while low + step <= high {
            if !holds(values[low + step - 1]) {
                high = low + step - 1;
                break;
            }
            low += step;
            step *= 2;
        }
    } else {
        high = hint.min(high);
        while high > 0 {
            let next = high.saturating_sub(step);
            if holds(values[next]) {
                low = next + 1;
                break;
            }
            high = next;
            step *= 2;
        }
    }
    low + values[low..high].partition_point(|value| holds(*value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seek_is_partition_point(mut values in prop::collection::vec(0..20_i64, 0..40), hint in 0..50_usize, limit in 0..22_i64) {
            values.sort_unstable();
            prop_assert_eq!(seek(&values, hint, |value| value < limit), values.partition_point(|value| *value < limit));
        }

        #[test]
        fn groups_are_found(mut hashes in prop::collection::vec(prop::sample::select(vec![0, 1, 2, 128, 256, 1 << 40, u64::MAX]), 1..40)) {
            hashes.sort_unstable();
            let order: Vec<u32> = (0..hashes.len() as u32).collect();
            let groups = Groups::new(0, &order, &hashes);
            for (row, hash) in hashes.iter().enumerate() {
                let group = groups.find(*hash).map(|group| groups.spans[group as usize].contains(&(row as u32)));
                prop_assert_eq!(group, Some(true));
            }
            prop_assert_eq!(groups.find(3), None);
        }
    }
}
