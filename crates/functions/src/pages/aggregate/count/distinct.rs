//! `count(DISTINCT text)` over all rows. Ids and names are kept as their bits, which are a quarter of the text and quick to
//! compare; DataFusion keeps text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion_common::{HashSet, Result, ScalarValue, internal_err};
use datafusion_expr::Accumulator;

use super::packed::{Packed, pack};

/// Values that are sorted at once.
const RUN: usize = 1 << 17;
/// Bytes of a value.
const WIDTH: usize = size_of::<u128>();

/// A set of texts.
#[derive(Debug, Default)]
pub(super) struct DistinctCount {
    uuids: Bits,
    shorts: Bits,
    others: HashSet<Box<str>>,
    /// Of the others' text.
    bytes: usize,
}

impl DistinctCount {
    fn offer(&mut self, texts: &StringViewArray) {
        let mut before = None;
        for (row, view) in texts.views().iter().enumerate() {
            // Text that stands where that of the row before does is the same.
            if before == Some(view) || texts.is_null(row) {
                continue;
            }
            before = Some(view);
            let text = texts.value(row);
            match pack(text) {
                Some(Packed::Uuid(bits)) => self.uuids.insert(bits),
                Some(Packed::Short(bits)) => self.shorts.insert(bits),
                None if self.others.contains(text) => {}
                None => {
                    self.bytes += text.len();
                    self.others.insert(text.into());
                }
            }
        }
    }
}

impl Accumulator for DistinctCount {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.offer(values[0].as_string_view());
        Ok(())
    }

    /// The bits of the ids, the bits of the names, 16 bytes each, and a list of the other texts.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let whole = std::mem::take(self);
        let others: Vec<ScalarValue> =
            whole.others.into_iter().map(|text| ScalarValue::Utf8View(Some(text.into()))).collect();
        let others = ScalarValue::new_list_nullable(&others, &DataType::Utf8View);
        let bits = |bits: Bits| ScalarValue::LargeBinary(Some(bits.into_bytes()));
        Ok(vec![bits(whole.uuids), bits(whole.shorts), ScalarValue::List(others)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [uuids, shorts, others] = states else { return internal_err!("a state of {} columns", states.len()) };
        for (states, bits) in [(uuids, &mut self.uuids), (shorts, &mut self.shorts)] {
            bits.others.push(Arc::clone(states));
        }
        for texts in others.as_list::<i32>().iter().flatten() {
            self.offer(texts.as_string_view());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let count = self.uuids.len() + self.shorts.len() + self.others.len();
        Ok(ScalarValue::Int64(Some(count as i64)))
    }

    fn size(&self) -> usize {
        let others = self.others.capacity() * (size_of::<Box<str>>() + 1) + self.bytes;
        size_of_val(self) + others + self.uuids.size() + self.shorts.size()
    }
}

/// A set of numbers, as sorted runs. A sorted run has no room to spare, and what comes of several threads is counted by walking
/// over all runs at once, without another set.
#[derive(Debug, Default)]
struct Bits {
    /// What came last, in any order.
    new: Vec<u128>,
    /// Each without duplicates, and less than half as long as the one before.
    runs: Vec<Vec<u128>>,
    /// Runs of other sets, as [`Self::into_bytes`] gives them.
    others: Vec<ArrayRef>,
}

impl Bits {
    fn insert(&mut self, value: u128) {
        self.new.push(value);
        if self.new.len() >= RUN {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.new.is_empty() {
            return;
        }
        self.new.sort_unstable();
        self.new.dedup();
        let mut run = self.new.clone();
        self.new.clear();
        while let Some(mut last) = self.runs.pop_if(|last| last.len() <= 2 * run.len()) {
            last.reserve_exact(run.len());
            last.append(&mut run);
            // Finds the two runs, and merges them.
            last.sort();
            last.dedup();
            run = last;
        }
        self.runs.push(run);
    }

    /// Counts each value once.
    fn len(&mut self) -> usize {
        self.settle();
        let others = self.others.iter().flat_map(|others| others.as_binary::<i64>().iter().flatten());
        let values = |bytes: &[u8; WIDTH]| u128::from_le_bytes(*bytes);
        let mut runs: Vec<Box<dyn Iterator<Item = u128> + '_>> = Vec::new();
        for run in others.flat_map(|bytes| bytes.as_chunks::<WIDTH>().0.chunk_by(move |a, b| values(a) < values(b))) {
            runs.push(Box::new(run.iter().map(values)));
        }
        for run in &self.runs {
            runs.push(Box::new(run.iter().copied()));
        }
        let mut heads: BinaryHeap<_> =
            runs.iter_mut().enumerate().filter_map(|(run, values)| Some(Reverse((values.next()?, run)))).collect();
        let (mut count, mut last) = (0, None);
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((value, run)) = *head;
            count += usize::from(last != Some(value));
            last = Some(value);
            match runs[run].next() {
                Some(next) => *head = Reverse((next, run)),
                None => {
                    PeekMut::pop(head);
                }
            }
        }
        count
    }

    /// All runs one after the other, 16 bytes a value, little-endian.
    fn into_bytes(mut self) -> Vec<u8> {
        self.settle();
        let mut bytes = Vec::with_capacity(self.runs.iter().map(Vec::len).sum::<usize>() * WIDTH);
        for run in self.runs {
            run.into_iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        }
        for others in &self.others {
            others.as_binary::<i64>().iter().flatten().for_each(|runs| bytes.extend_from_slice(runs));
        }
        bytes
    }

    fn size(&self) -> usize {
        let others: usize = self.others.iter().map(Array::get_array_memory_size).sum();
        others + (self.new.capacity() + self.runs.iter().map(Vec::capacity).sum::<usize>()) * WIDTH
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn column(texts: impl IntoIterator<Item = Option<String>>) -> Vec<ArrayRef> {
        vec![Arc::new(texts.into_iter().collect::<StringViewArray>())]
    }

    fn id(number: usize) -> Option<String> {
        Some(format!("{:08x}-0000-4000-8000-{number:012x}", number * 7919))
    }

    #[test]
    fn many_texts_of_each_kind_count_once_across_parts() {
        let texts = |from: usize| {
            let of = |number: usize| match number % 4 {
                0 => Some(format!("name{number}")),
                1 => Some(format!("arn:aws:iam::111122223333:user/u{number}")),
                2 => None,
                _ => id(number),
            };
            column((from..from + 300_000).flat_map(move |number| [of(number), of(number), of(number / 2)]))
        };
        let (mut left, mut right) = (DistinctCount::default(), DistinctCount::default());
        left.update_batch(&texts(0)).unwrap();
        right.update_batch(&texts(150_000)).unwrap();
        let mut all = DistinctCount::default();
        for part in [&mut left, &mut right] {
            let state: Vec<ArrayRef> = part.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
            all.merge_batch(&state).unwrap();
        }
        // A state of what was merged has all of it.
        let mut again = DistinctCount::default();
        let states = std::mem::take(&mut all).state().unwrap();
        again.merge_batch(&states.iter().map(|s| s.to_array().unwrap()).collect::<Vec<_>>()).unwrap();
        all = again;
        // Of 450,000 numbers three of four are text.
        assert_eq!(all.evaluate().unwrap(), ScalarValue::Int64(Some(337_500)));
        assert_eq!(all.evaluate().unwrap(), ScalarValue::Int64(Some(337_500)));
        assert!(all.size() > 112_500 * 2 * 16);
    }

    #[test]
    fn nothing_counts_as_none() {
        let mut none = DistinctCount::default();
        none.update_batch(&column([None, None])).unwrap();
        let state: Vec<ArrayRef> = none.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
        none.merge_batch(&state).unwrap();
        assert_eq!(none.evaluate().unwrap(), ScalarValue::Int64(Some(0)));
    }
}
