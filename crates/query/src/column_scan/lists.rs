//! Lists of values: which values of a page are whose.
//!
//! Format: Apache Parquet, "Nested Encoding" (repetition and definition levels), of columns that repeat once. What is not as the
//! format says is `None`.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBufferBuilder, ListArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::FieldRef;
use parquet::schema::types::ColumnDescriptor;

use super::encoding::{Stretch, stretches};
use super::page::{Validity, width};

/// What a column's levels say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    /// The definition level of a value.
    pub(super) value: i16,
    /// That of an element, whether it has a value or none; below it are empty lists, and below those none. `None` where each row has
    /// one value or none.
    pub(super) element: Option<i16>,
}

impl Levels {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        let element = (column.max_rep_level() > 0).then(|| column.repeated_ancestor_def_level());
        Self { value: column.max_def_level(), element }
    }
}

/// The lists of a page's rows.
pub(super) struct Lists {
    /// The first element of each row, and the end of the last.
    starts: Vec<u32>,
    /// Which rows have a list, be it empty.
    valid: BooleanBuffer,
}

impl Lists {
    /// Also which elements have values, and how many these are. `value` and `element` as in [`Levels`].
    pub(super) fn parse(
        repetition: &[u8],
        definition: &[u8],
        (value, element): (i16, i16),
        entries: usize,
        rows: usize,
    ) -> Option<(Self, Validity, usize)> {
        let (value, element) = (u32::try_from(value).ok()?, u32::try_from(element).ok().filter(|level| *level > 0)?);
        let mut inner = BooleanBufferBuilder::new(entries);
        for stretch in stretches(repetition, 1, entries) {
            match stretch? {
                Stretch::Repeated(level, count) => inner.append_n(count, level > 0),
                Stretch::Packed(packed, count, _) => inner.append_packed_range(0..count, packed.bits()?),
            }
        }
        let inner = inner.finish();
        // Each list begins once, in this page; and nothing is asked of memory for more of them than there are rows.
        if entries - inner.count_set_bits() != rows || (entries > 0 && inner.value(0)) {
            return None;
        }
        let mut starts = Vec::with_capacity(rows + 1);
        let mut valid = BooleanBufferBuilder::new(rows);
        let mut present = BooleanBufferBuilder::new(entries);
        let mut at = 0;
        for stretch in stretches(definition, width(value), entries) {
            match stretch? {
                Stretch::Repeated(level, count) if level < element => {
                    // Nothing continues an empty list or none.
                    if inner.slice(at, count).has_true() {
                        return None;
                    }
                    starts.resize(starts.len() + count, present.len() as u32);
                    valid.append_n(count, level + 1 == element);
                    at += count;
                }
                Stretch::Repeated(level, count) => {
                    let first = (starts.len(), present.len() as u32);
                    starts.extend((0..count).filter(|entry| !inner.value(at + entry)).map(|n| first.1 + n as u32));
                    valid.append_n(starts.len() - first.0, true);
                    present.append_n(count, level == value);
                    at += count;
                }
                Stretch::Packed(packed, count, _) => {
                    for entry in 0..count {
                        let level = packed.get(entry);
                        if !inner.value(at) {
                            starts.push(present.len() as u32);
                            valid.append(level + 1 >= element);
                        } else if level < element {
                            return None;
                        }
                        if level >= element {
                            present.append(level == value);
                        }
                        at += 1;
                    }
                }
            }
        }
        starts.push(present.len() as u32);
        let (validity, count) = Validity::of(present.finish());
        Some((Self { starts, valid: valid.finish() }, validity, count))
    }

    /// The elements of some rows.
    pub(super) fn elements(&self, rows: Range<usize>) -> Option<Range<usize>> {
        Some(*self.starts.get(rows.start)? as usize..*self.starts.get(rows.end)? as usize)
    }
}

/// Lists in the making.
pub(super) struct OutLists {
    offsets: Vec<i32>,
    valid: BooleanBufferBuilder,
}

impl OutLists {
    pub(super) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, valid: BooleanBufferBuilder::new(rows) }
    }

    /// The lists of some of a page's rows, whose elements are handed over next.
    pub(super) fn add(&mut self, lists: &Lists, rows: Range<usize>) -> Option<()> {
        let starts = lists.starts.get(rows.start..=rows.end)?;
        let (first, ends) = starts.split_first()?;
        let last = i64::from(*self.offsets.last()?);
        for end in ends {
            self.offsets.push(i32::try_from(last + i64::from(end - first)).ok()?);
        }
        self.valid.append_buffer(&lists.valid.slice(rows.start, rows.len()));
        Some(())
    }

    pub(super) fn finish(mut self, elements: ArrayRef, field: &FieldRef) -> Option<ArrayRef> {
        let valid = Some(NullBuffer::new(self.valid.finish())).filter(|valid| valid.null_count() > 0);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Some(Arc::new(ListArray::try_new(Arc::clone(field), offsets, elements, valid).ok()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A run of `count` times `level`, of at most seven bits.
    fn run(level: u8, count: usize) -> Vec<u8> {
        let mut header = count << 1;
        let mut bytes = Vec::new();
        while header >= 0x80 {
            bytes.push((header & 0x7f) as u8 | 0x80);
            header >>= 7;
        }
        bytes.extend([header as u8, level]);
        bytes
    }

    fn starts(repetition: &[u8], definition: &[u8], entries: usize, rows: usize) -> Option<Vec<u32>> {
        Lists::parse(repetition, definition, (3, 2), entries, rows).map(|(lists, _, _)| lists.starts)
    }

    #[test]
    fn lists_begin_where_rows_do() {
        let continued = [run(0, 1), run(1, 2), run(0, 1)].concat();
        assert_eq!(starts(&continued, &run(3, 4), 4, 2), Some(vec![0, 3, 4]));
        assert_eq!(starts(&run(0, 3), &[run(3, 1), run(0, 1), run(1, 1)].concat(), 3, 3), Some(vec![0, 1, 1, 1]));
        assert_eq!(starts(&continued, &run(3, 4), 4, 3), None, "two rows are not three");
        assert_eq!(starts(&run(1, 1), &run(3, 1), 1, 0), None, "nothing goes on that did not begin");
        assert_eq!(starts(&continued, &run(1, 4), 4, 2), None, "an empty list does not go on");
    }

    #[test]
    fn a_page_that_says_it_has_more_lists_than_rows_is_damaged() {
        for level in [0, 1, 3] {
            assert_eq!(starts(&run(0, 1 << 26), &run(level, 1 << 26), 1 << 26, 3), None);
        }
    }
}
