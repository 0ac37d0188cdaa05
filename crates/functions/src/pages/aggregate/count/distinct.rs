//! `count(DISTINCT text)` over all rows. Ids and names are kept as their bits, which are a quarter of the text and quick to
//! compare; DataFusion keeps text.

use std::mem::size_of;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion_common::{HashSet, Result, ScalarValue, internal_err};
use datafusion_expr::Accumulator;

use super::packed::{Packed, pack};

/// Values from which on a set has parts, each of which fits into a processor's cache.
const LARGE: usize = 1 << 16;
const PARTS: usize = 256;
/// Values that wait to be put into their part at once.
const WAITING: usize = 256;

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
            for state in states.as_binary::<i64>().iter().flatten() {
                let (values, _) = state.as_chunks::<{ size_of::<u128>() }>();
                bits.reserve(values.len());
                values.iter().for_each(|value| bits.insert(u128::from_le_bytes(*value)));
            }
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

/// A set of numbers that does not leave the cache for each of them.
#[derive(Debug, Default)]
struct Bits {
    /// All of them, until they are many.
    few: HashSet<u128>,
    parts: Vec<Part>,
}

#[derive(Debug, Default)]
struct Part {
    known: HashSet<u128>,
    waiting: Vec<u128>,
}

impl Part {
    fn settle(&mut self) {
        self.known.extend(self.waiting.drain(..));
    }
}

impl Bits {
    /// Makes room for many values at once.
    fn reserve(&mut self, more: usize) {
        if self.parts.is_empty() && more >= LARGE {
            self.part();
        }
        self.parts.iter_mut().for_each(|part| part.known.reserve(more / PARTS));
    }

    fn part(&mut self) {
        self.parts.resize_with(PARTS, Part::default);
        std::mem::take(&mut self.few).into_iter().for_each(|value| self.insert(value));
    }

    fn insert(&mut self, value: u128) {
        if self.parts.is_empty() {
            self.few.insert(value);
            if self.few.len() >= LARGE {
                self.part();
            }
            return;
        }
        let mixed = (value as u64 ^ (value >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let part = &mut self.parts[(mixed >> 56) as usize];
        part.waiting.push(value);
        if part.waiting.len() >= WAITING {
            part.settle();
        }
    }

    fn len(&mut self) -> usize {
        self.parts.iter_mut().for_each(Part::settle);
        self.few.len() + self.parts.iter().map(|part| part.known.len()).sum::<usize>()
    }

    /// Each value once, as 16 bytes, little-endian.
    fn into_bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len() * size_of::<u128>());
        let parts = self.parts.into_iter().map(|part| part.known);
        for set in std::iter::once(self.few).chain(parts) {
            set.into_iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        }
        bytes
    }

    fn size(&self) -> usize {
        let set = |set: &HashSet<u128>| set.capacity() * 8 / 7 * (size_of::<u128>() + 1);
        let parts = self.parts.iter().map(|part| set(&part.known) + part.waiting.capacity() * size_of::<u128>());
        set(&self.few) + parts.sum::<usize>() + self.parts.capacity() * size_of::<Part>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

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
