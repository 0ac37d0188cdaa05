//! `approx_distinct`: exact while few, HyperLogLog (Flajolet et al.) once many.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array};
use arrow::datatypes::DataType;
use datafusion_common::hash_utils::{HLL_RANDOM_STATE, create_hashes};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::udaf::Setup;
use crate::columns::{Resolved, invalid};

/// Values that are counted exactly before the sketch takes over.
const MOST_EXACT: usize = 2048;
/// Registers of the sketch: 16384, for a standard error of 0.8 %.
const INDEX_BITS: u32 = 14;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [_] => Some((actual.to_vec(), DataType::Int64)),
        [x, e] if e.is_numeric() => Some((vec![x.clone(), DataType::Float64], DataType::Int64)),
        _ => None,
    }
}

/// Hashes of eight bytes, or the registers.
pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![DataType::Binary]
}

pub(super) fn make(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Distinct::Few(HashSet::new())))
}

pub(super) fn groups(_: &Setup) -> Option<Box<dyn GroupsAccumulator>> {
    Some(Box::new(Groups(vec![])))
}

#[derive(Debug)]
enum Distinct {
    Few(HashSet<u64>),
    Many(Box<[u8]>),
}

impl Distinct {
    fn add(&mut self, hash: u64) {
        match self {
            Distinct::Few(hashes) => {
                hashes.insert(hash);
                if hashes.len() > MOST_EXACT {
                    let mut registers = vec![0; 1 << INDEX_BITS].into_boxed_slice();
                    hashes.iter().for_each(|hash| register(&mut registers, *hash));
                    *self = Distinct::Many(registers);
                }
            }
            Distinct::Many(registers) => register(registers, hash),
        }
    }

    /// Bytes on the heap.
    fn held(&self) -> usize {
        match self {
            Distinct::Few(hashes) => hashes.capacity() * 9,
            Distinct::Many(registers) => registers.len(),
        }
    }

    fn count(&self) -> i64 {
        match self {
            Distinct::Few(hashes) => hashes.len() as i64,
            Distinct::Many(registers) => estimate(registers),
        }
    }

    fn merge(&mut self, state: &[u8]) {
        if state.len() != 1 << INDEX_BITS {
            for hash in state.chunks_exact(8) {
                self.add(hash.try_into().map_or(0, u64::from_le_bytes));
            }
            return;
        }
        let mut registers = state.to_vec().into_boxed_slice();
        match self {
            Distinct::Few(hashes) => hashes.iter().for_each(|hash| register(&mut registers, *hash)),
            Distinct::Many(mine) => registers.iter_mut().zip(mine).for_each(|(r, m)| *r = (*r).max(*m)),
        }
        *self = Distinct::Many(registers);
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            // An odd number of hashes keeps the length apart from that of the registers.
            Distinct::Few(hashes) if hashes.len() * 8 == 1 << INDEX_BITS => {
                let first = hashes.iter().next();
                hashes.iter().chain(first).flat_map(|h| h.to_le_bytes()).collect()
            }
            Distinct::Few(hashes) => hashes.iter().flat_map(|h| h.to_le_bytes()).collect(),
            Distinct::Many(registers) => registers.to_vec(),
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - INDEX_BITS)) as usize;
    let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
    registers[index] = registers[index].max(rank);
}

fn estimate(registers: &[u8]) -> i64 {
    let m = registers.len() as f64;
    let sum: f64 = registers.iter().map(|r| (-f64::from(*r)).exp2()).sum();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let empty = registers.iter().filter(|r| **r == 0).count() as f64;
    let estimate = if raw <= 2.5 * m && empty > 0.0 { m * (m / empty).ln() } else { raw };
    estimate.round() as i64
}

/// Calls `each` with every row that is not NULL and its hash.
fn hashes(columns: &[ArrayRef], mut each: impl FnMut(usize, u64)) -> Result<()> {
    if let Some(e) = columns.get(1) {
        let e = e.as_primitive::<arrow::datatypes::Float64Type>();
        if let Some(e) = e.iter().flatten().find(|e| !(0.0040625..=0.26).contains(e)) {
            return Err(invalid(format!("Standard error must be between 0.0040625 and 0.26, not {e}")));
        }
    }
    let column = &columns[0];
    // The same seeds everywhere, because states of several workers are merged.
    let mut hashes = vec![0; column.len()];
    create_hashes([column], &HLL_RANDOM_STATE, &mut hashes)?;
    let nulls = column.logical_nulls();
    for (row, hash) in hashes.into_iter().enumerate() {
        if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            each(row, hash);
        }
    }
    Ok(())
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        hashes(columns, |_, hash| self.add(hash))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_binary::<i32>().iter().flatten() {
            self.merge(state);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.count())))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.bytes()))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.held()
    }
}

/// The counts of all groups.
#[derive(Debug)]
struct Groups(Vec<Distinct>);

impl Groups {
    fn resize(&mut self, total: usize) {
        self.0.resize_with(total, || Distinct::Few(HashSet::new()));
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.resize(total);
        hashes(columns, |row, hash| {
            if filter.is_none_or(|f| f.is_valid(row) && f.value(row)) {
                self.0[groups[row]].add(hash);
            }
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.resize(total);
        for (state, group) in states[0].as_binary::<i32>().iter().zip(groups) {
            if let Some(state) = state {
                self.0[*group].merge(state);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = emit_to.take_needed(&mut self.0).into_iter().map(|d| d.count());
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = emit_to.take_needed(&mut self.0).into_iter().map(|d| d.bytes());
        Ok(vec![Arc::new(BinaryArray::from_iter_values(states))])
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Groups(vec![]);
        let rows: Vec<usize> = (0..columns[0].len()).collect();
        GroupsAccumulator::update_batch(&mut each, columns, &rows, filter, rows.len())?;
        GroupsAccumulator::state(&mut each, EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.iter().map(|d| size_of_val(d) + d.held()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(from: u64, to: u64) -> Distinct {
        let mut distinct = Distinct::Few(HashSet::new());
        for n in from..to {
            distinct.add(crate::pages::binary::xxh64(&n.to_le_bytes()));
        }
        distinct
    }

    #[test]
    fn few_are_exact_and_many_are_close() {
        assert_eq!(counted(0, 2000).count(), 2000);
        for n in [5_000, 100_000] {
            let error = counted(0, n).count() as f64 / n as f64 - 1.0;
            assert!(error.abs() < 0.03, "{n}: {error}");
        }
    }

    #[test]
    fn states_merge() {
        for (a, b, c) in [(0, 500, 1000), (0, 2048, 2100), (0, 5000, 5100), (0, 100, 9000)] {
            let mut left = counted(a, b);
            left.merge(&counted(b - 50, c).bytes());
            let error = left.count() as f64 / c as f64 - 1.0;
            assert!(error.abs() < 0.03, "{c}: {error}");
        }
    }
}
