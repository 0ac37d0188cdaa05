//! Arrays in the making.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Int64Array, StringViewArray, TimestampMillisecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use super::column::Kind;
use super::encoding::Packed;
use super::lists::OutLists;
use super::page::Dictionary;

/// An array of text that holds more bytes of its pages than this, and so many times those of its values, gets the values alone: sorts and
/// joins hold what they are given, with all that it holds.
const LITTLE: usize = 64 << 10;
const SPARSE: usize = 4;

/// An array in the making.
pub(super) struct Out {
    pub(super) data: Data,
    rows: usize,
    /// From the first NULL on.
    valid: Option<BooleanBufferBuilder>,
    /// The page whose text was handed over last, and the number of its buffer.
    pub(super) block: Option<(usize, u32)>,
    /// Whose the values are, where rows have lists of them.
    pub(super) lists: Option<OutLists>,
}

pub(super) enum Data {
    Text(Vec<u128>, Vec<Buffer>),
    Boolean(BooleanBufferBuilder),
    Long(Vec<i64>),
}

impl Out {
    /// For values of a type in so many rows.
    pub(super) fn new(data_type: &DataType, kind: Kind, rows: usize, dictionary: &Dictionary) -> Self {
        let data = match (kind, dictionary) {
            (Kind::Text, Dictionary::Text(_, buffer)) => Data::Text(Vec::with_capacity(rows), vec![buffer.clone()]),
            (Kind::Text, _) => Data::Text(Vec::with_capacity(rows), Vec::new()),
            (Kind::Boolean, _) => Data::Boolean(BooleanBufferBuilder::new(rows)),
            (Kind::Long, _) => Data::Long(Vec::with_capacity(rows)),
        };
        let lists = matches!(data_type, DataType::List(_)).then(|| OutLists::new(rows));
        Self { data, rows: 0, valid: None, block: None, lists }
    }

    /// So many rows have values, which are handed over next.
    pub(super) fn valid(&mut self, rows: usize) {
        self.rows += rows;
        if let Some(valid) = &mut self.valid {
            valid.append_n(rows, true);
        }
    }

    pub(super) fn null(&mut self, rows: usize) {
        if rows == 0 {
            return;
        }
        let valid = self.valid.get_or_insert_with(|| {
            let mut valid = BooleanBufferBuilder::new(self.rows + rows);
            valid.append_n(self.rows, true);
            valid
        });
        valid.append_n(rows, false);
        self.rows += rows;
        match &mut self.data {
            Data::Text(views, _) => views.resize(views.len() + rows, 0),
            Data::Boolean(bits) => bits.append_n(rows, false),
            Data::Long(longs) => longs.resize(longs.len() + rows, 0),
        }
    }

    pub(super) fn repeated(&mut self, number: u32, count: usize, dictionary: &Dictionary) -> Option<()> {
        match (&mut self.data, dictionary) {
            (Data::Text(views, _), Dictionary::Text(known, _)) => {
                let view = *known.get(number as usize)?;
                views.resize(views.len() + count, view);
            }
            (Data::Long(longs), Dictionary::Long(known)) => {
                let long = *known.get(number as usize)?;
                longs.resize(longs.len() + count, long);
            }
            _ => return None,
        }
        Some(())
    }

    pub(super) fn packed(&mut self, packed: Packed<'_>, numbers: Range<usize>, dictionary: &Dictionary) -> Option<()> {
        match (&mut self.data, dictionary) {
            (Data::Text(views, _), Dictionary::Text(known, _)) => look_up(views, known, packed, numbers),
            (Data::Long(longs), Dictionary::Long(known)) => look_up(longs, known, packed, numbers),
            _ => None,
        }
    }

    /// `None` where lists and values do not fit each other.
    pub(super) fn finish(mut self, data_type: &DataType) -> Option<ArrayRef> {
        match (self.lists.take(), data_type) {
            (Some(lists), DataType::List(field)) => lists.finish(self.values(field.data_type()), field),
            (None, _) => Some(self.values(data_type)),
            _ => None,
        }
    }

    fn values(self, data_type: &DataType) -> ArrayRef {
        let nulls = self.valid.map(|mut valid| NullBuffer::new(valid.finish()));
        match self.data {
            Data::Text(views, buffers) => {
                let held: usize = buffers.iter().map(Buffer::len).sum();
                // A view has the text's length in its lower half, and all of a short text in itself.
                let length = |view: &u128| *view as u32 as usize;
                let used = || views.iter().map(length).filter(|length| *length > 12).sum::<usize>();
                let is_sparse = held > LITTLE && held / SPARSE > used();
                let array = text(views, buffers, nulls);
                Arc::new(if is_sparse { array.gc() } else { array })
            }
            Data::Boolean(mut bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Data::Long(longs) if *data_type == DataType::Int64 => Arc::new(Int64Array::new(longs.into(), nulls)),
            Data::Long(longs) => Arc::new(TimestampMillisecondArray::new(longs.into(), nulls)),
        }
    }
}

/// What a dictionary has for each of some numbers.
fn look_up<T: Copy + Default>(into: &mut Vec<T>, known: &[T], packed: Packed<'_>, numbers: Range<usize>) -> Option<()> {
    let mut all_known = true;
    into.extend(numbers.map(|index| match known.get(packed.get(index) as usize) {
        Some(value) => *value,
        None => {
            all_known = false;
            T::default()
        }
    }));
    all_known.then_some(())
}

/// Text without being looked at again.
///
/// Every view is 0, which is empty text, or was made by [`Span::view`], of UTF-8 that lies in the buffer which the view names: the
/// dictionary's is the first buffer of every array, a data page's is pushed before its first view.
/// `tests.rs` compares whole arrays, checked, with what the `parquet` crate reads, for undamaged and for damaged pages.
#[allow(unsafe_code)]
fn text(views: Vec<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> StringViewArray {
    // SAFETY: as above.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers, nulls) }
}
