//! `count(DISTINCT text)` over all rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::Accumulator;

use super::room::{Room, unread};
use super::texts::Texts;
use crate::recent::Recent;

/// A set of texts.
#[derive(Debug)]
pub(super) struct DistinctCount {
    room: Arc<Room>,
    texts: Texts,
    /// Bytes that the room knows of.
    taken: usize,
    /// The most that it ever took: the operator adds up how it grows, and does not see it shrink.
    most: usize,
}

impl DistinctCount {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, texts: Texts::default(), taken: 0, most: 0 }
    }

    fn offer(&mut self, texts: &StringViewArray) {
        let mut recent = Recent::new(texts.len());
        let mut before = None;
        for (row, view) in texts.views().iter().enumerate() {
            // Text that stands where that of the row before does is the same.
            if before == Some(view) || texts.is_null(row) {
                continue;
            }
            before = Some(view);
            recent.get((*view, 0), || {
                self.texts.insert(texts.value(row));
            });
        }
    }

    /// Tells the room, and makes room where there is too little.
    fn account(&mut self) -> Result<()> {
        let size = self.texts.size();
        self.most = self.most.max(size);
        let over = self.room.change(self.taken, size);
        self.taken = size;
        if over && size > self.room.worth_spilling() {
            self.room.spill(|file| self.texts.spill(file))?;
            let size = self.texts.size();
            self.room.change(self.taken, size);
            self.taken = size;
        }
        Ok(())
    }
}

impl Accumulator for DistinctCount {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.offer(values[0].as_string_view());
        self.account()
    }

    /// The number under which the room has the set, and no list of texts.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let number = self.room.hand(std::mem::take(&mut self.texts), std::mem::take(&mut self.taken));
        let none = ListArray::new_null(Arc::new(Field::new_list_field(DataType::Utf8View, true)), 1);
        Ok(vec![ScalarValue::Int64(Some(number)), ScalarValue::List(Arc::new(none))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for number in states[0].as_primitive::<Int64Type>().iter().flatten() {
            let Some((texts, taken)) = self.room.take(number) else { return internal_err!("no set of texts {number}") };
            self.texts.merge(texts);
            self.taken += taken;
        }
        self.account()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let count = self.texts.len(self.room.threads()).map_err(|error| unread(&error))?;
        Ok(ScalarValue::Int64(Some(count as i64)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.most
    }
}

impl Drop for DistinctCount {
    fn drop(&mut self) {
        self.room.change(self.taken, 0);
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

    fn state(count: &mut DistinctCount) -> Vec<ArrayRef> {
        count.state().unwrap().iter().map(|state| state.to_array().unwrap()).collect()
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
            column((from..from + 100_000).flat_map(move |number| [of(number), of(number), of(number / 2)]))
        };
        // All in memory, some of it, hardly any.
        for bytes in [usize::MAX, 2 << 20, 1 << 16] {
            let room = Arc::new(Room::new(bytes, None, 2));
            let (mut left, mut right) = (DistinctCount::new(Arc::clone(&room)), DistinctCount::new(Arc::clone(&room)));
            for part in 0..10 {
                left.update_batch(&[texts(0)[0].slice(part * 30_000, 30_000)]).unwrap();
                right.update_batch(&[texts(50_000)[0].slice(part * 30_000, 30_000)]).unwrap();
            }
            assert_eq!(left.taken + right.taken < 5 << 20, bytes < usize::MAX, "{bytes}");
            let mut all = DistinctCount::new(Arc::clone(&room));
            for part in [&mut left, &mut right] {
                all.merge_batch(&state(part)).unwrap();
            }
            // A state of what was merged has all of it.
            let mut again = DistinctCount::new(Arc::clone(&room));
            again.merge_batch(&state(&mut all)).unwrap();
            // Of 150,000 numbers three of four are text.
            assert_eq!(again.evaluate().unwrap(), ScalarValue::Int64(Some(112_500)));
            assert_eq!(again.evaluate().unwrap(), ScalarValue::Int64(Some(112_500)));
            drop((left, right, all, again));
            assert!(!room.change(0, bytes), "all that was taken was given back");
        }
    }

    #[test]
    fn nothing_counts_as_none() {
        let room = Arc::new(Room::new(usize::MAX, None, 1));
        let mut none = DistinctCount::new(Arc::clone(&room));
        none.update_batch(&column([None, None])).unwrap();
        let mut all = DistinctCount::new(room);
        all.merge_batch(&state(&mut none)).unwrap();
        assert_eq!(all.evaluate().unwrap(), ScalarValue::Int64(Some(0)));
    }

    #[test]
    fn no_folder_to_spill_to_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap().path().join("gone");
        let mut count = DistinctCount::new(Arc::new(Room::new(1 << 16, Some(folder), 1)));
        let error =
            (0..10).find_map(|part| count.update_batch(&column((part * 1000..(part + 1) * 1000).map(id))).err());
        let error = error.unwrap().to_string();
        assert!(error.contains("gone failed: ") && error.contains("raise --memory"), "{error}");
    }
}
