//! Data pages and dictionary pages.
//!
//! Format: Apache Parquet, "Data Pages", "Encodings" (PLAIN, RLE_DICTIONARY, DELTA_LENGTH_BYTE_ARRAY), "Nested Encoding" (definition
//! levels). What is not as the format says is `None`.

use std::ops::Range;

use arrow::array::{BooleanBufferBuilder, make_view};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::util::bit_iterator::BitSliceIterator;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::Page as ParquetPage;

use super::column::Kind;
use super::encoding::{Packed, Stretch, lengths, stretches};
use super::lists::{Levels, Lists};
use super::out::{Data, Out};

/// A chunk's dictionary.
pub(super) enum Dictionary {
    None,
    /// Views into the buffer, which is the first of those of every array.
    Text(Vec<u128>, Buffer),
    Long(Vec<i64>),
}

impl Dictionary {
    pub(super) fn parse(page: Bytes, count: usize, kind: Kind) -> Option<Self> {
        match kind {
            Kind::Text => {
                let spans = plain_spans(&page, count)?;
                let is_ascii = page.is_ascii();
                let views = spans.iter().map(|span| span.view(&page, 0, is_ascii)).collect::<Option<_>>()?;
                Some(Self::Text(views, page.into()))
            }
            Kind::Long => Some(Self::Long(
                page.get(..count.checked_mul(8)?)?.as_chunks().0.iter().map(|n| i64::from_le_bytes(*n)).collect(),
            )),
            Kind::Boolean => None,
        }
    }
}

/// A value of text within a page: its first byte and its length.
#[derive(Debug, Clone, Copy)]
struct Span(u32, u32);

impl Span {
    /// `None` where it is no text.
    fn view(self, page: &[u8], block: u32, is_ascii: bool) -> Option<u128> {
        let value = page.get(self.0 as usize..)?.get(..self.1 as usize)?;
        (is_ascii || simdutf8::basic::from_utf8(value).is_ok()).then(|| make_view(value, block, self.0))
    }
}

/// The values of a PLAIN page of text.
fn plain_spans(page: &[u8], count: usize) -> Option<Vec<Span>> {
    let mut spans = Vec::with_capacity(count.min(page.len() / 4 + 1));
    let mut at = 0;
    for _ in 0..count {
        let length = u32::from_le_bytes(*page.get(at..)?.first_chunk::<4>()?);
        at += 4;
        spans.push(Span(u32::try_from(at).ok()?, length));
        at = at.checked_add(length as usize).filter(|end| *end <= page.len())?;
    }
    Some(spans)
}

/// The values of a DELTA_LENGTH_BYTE_ARRAY page of text, and whether they are ASCII.
fn delta_spans(page: &[u8], count: usize) -> Option<(Vec<Span>, bool)> {
    let (lengths, values) = lengths(page, count)?;
    let mut at = page.len() - values.len();
    let mut spans = Vec::with_capacity(count);
    for length in lengths {
        spans.push(Span(u32::try_from(at).ok()?, length));
        at = at.checked_add(length as usize).filter(|end| *end <= page.len())?;
    }
    Some((spans, values.is_ascii()))
}

/// A data page.
pub(super) struct Page {
    /// Of the row group.
    pub(super) rows: Range<usize>,
    /// What values are whose, where rows have lists of them.
    lists: Option<Lists>,
    validity: Validity,
    values: Values,
    /// Which page of its chunk it is.
    number: usize,
}

/// Which rows have a value, or which elements of lists.
pub(super) enum Validity {
    All,
    None,
    /// A bit each row, and how many have one before each 64th.
    Some(BooleanBuffer, Vec<u32>),
}

/// The values that there are.
enum Values {
    /// Numbers of the dictionary.
    Numbers {
        page: Bytes,
        width: u32,
        stretches: Vec<Numbers>,
        at: usize,
    },
    Long(Bytes),
    Bits(Bytes),
    /// Whether they are ASCII is known; else each is looked at when it is wanted.
    Text {
        page: Bytes,
        spans: Vec<Span>,
        is_ascii: bool,
    },
    Nothing,
}

/// A stretch of numbers.
struct Numbers {
    /// Which of the page's values.
    values: Range<usize>,
    of: Of,
}

#[derive(Clone, Copy)]
enum Of {
    Repeated(u32),
    /// Packed, from this byte of the page on.
    Packed(usize),
}

impl Page {
    pub(super) fn parse(
        page: ParquetPage,
        rows: Range<usize>,
        levels: Levels,
        kind: Kind,
        number: usize,
    ) -> Option<Self> {
        let entries = page.num_values() as usize;
        let (repetition, definition, values, encoding) = match page {
            ParquetPage::DataPage { buf, encoding, def_level_encoding, rep_level_encoding, .. } => {
                let mut rest = buf;
                let mut levels_of = |some: bool, encoding| match some {
                    true if encoding != Encoding::RLE => None,
                    true => {
                        let length = u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize;
                        let end = length.checked_add(4).filter(|end| *end <= rest.len())?;
                        let levels = rest.slice(4..end);
                        rest = rest.slice(end..);
                        Some(levels)
                    }
                    false => Some(Bytes::new()),
                };
                let repetition = levels_of(levels.element.is_some(), rep_level_encoding)?;
                let definition = levels_of(levels.value > 0, def_level_encoding)?;
                (repetition, definition, rest, encoding)
            }
            ParquetPage::DataPageV2 { buf, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let start = rep_levels_byte_len as usize;
                let end = start.checked_add(def_levels_byte_len as usize).filter(|end| *end <= buf.len())?;
                (buf.slice(..start), buf.slice(start..end), buf.slice(end..), encoding)
            }
            ParquetPage::DictionaryPage { .. } => return None,
        };
        let (lists, (validity, present)) = match levels.element {
            Some(element) => {
                let levels = (levels.value, element);
                let (lists, validity, present) = Lists::parse(&repetition, &definition, levels, entries, rows.len())?;
                (Some(lists), (validity, present))
            }
            None => (None, Validity::parse(&definition, levels.value, rows.len())?),
        };
        let values = Values::parse(values, encoding, present, kind)?;
        Some(Self { rows, lists, validity, values, number })
    }

    /// Hands over the values of some rows of the page.
    pub(super) fn emit(&mut self, rows: Range<usize>, dictionary: &Dictionary, out: &mut Out) -> Option<()> {
        let Self { lists, validity, values, number, .. } = self;
        let rows = match lists {
            Some(lists) => {
                out.lists.as_mut()?.add(lists, rows.clone())?;
                lists.elements(rows)?
            }
            None => rows,
        };
        match validity {
            Validity::All => {
                out.valid(rows.len());
                values.emit(rows, *number, dictionary, out)
            }
            Validity::None => {
                out.null(rows.len());
                Some(())
            }
            Validity::Some(valid, _) if rows.len() == 1 && !valid.value(rows.start) => {
                out.null(1);
                Some(())
            }
            Validity::Some(valid, before) if rows.len() == 1 => {
                let value = rank(valid, before, rows.start);
                out.valid(1);
                values.emit(value..value + 1, *number, dictionary, out)
            }
            Validity::Some(valid, before) => {
                let mut value = rank(valid, before, rows.start);
                let mut done = 0;
                for (start, end) in BitSliceIterator::new(valid.values(), valid.offset() + rows.start, rows.len()) {
                    out.null(start - done);
                    out.valid(end - start);
                    values.emit(value..value + end - start, *number, dictionary, out)?;
                    value += end - start;
                    done = end;
                }
                out.null(rows.len() - done);
                Some(())
            }
        }
    }
}

/// How many rows before `row` have a value.
fn rank(valid: &BooleanBuffer, before: &[u32], row: usize) -> usize {
    let among = word(valid.values(), row / 64) & ((1_u64 << (row % 64)) - 1);
    before.get(row / 64).map_or(0, |before| *before as usize) + among.count_ones() as usize
}

/// 64 bits; those beyond the end are 0.
fn word(bits: &[u8], number: usize) -> u64 {
    let rest = bits.get(number * 8..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// The bits of a level, of levels up to this one.
pub(super) fn width(max_level: u32) -> u32 {
    u32::BITS - max_level.leading_zeros()
}

impl Validity {
    /// Also how many rows have a value.
    fn parse(levels: &[u8], max_level: i16, rows: usize) -> Option<(Self, usize)> {
        let Some(max_level) = u32::try_from(max_level).ok().filter(|level| *level > 0) else {
            return Some((Self::All, rows));
        };
        let mut bits = BooleanBufferBuilder::new(0);
        // Pages with values in all rows, or in none, are one stretch.
        for stretch in stretches(levels, width(max_level), rows) {
            match stretch? {
                Stretch::Repeated(level, count) if count == rows => {
                    return Some(if level == max_level { (Self::All, rows) } else { (Self::None, 0) });
                }
                Stretch::Repeated(level, count) => bits.append_n(count, level == max_level),
                Stretch::Packed(packed, count, _) => match packed.bits() {
                    Some(packed) => bits.append_packed_range(0..count, packed),
                    None => {
                        for start in (0..count).step_by(64) {
                            let now = (count - start).min(64);
                            let bit = |index| u64::from(packed.get(start + index) == max_level) << index;
                            let word = (0..now).map(bit).fold(0, |word, bit| word | bit);
                            bits.append_packed_range(0..now, &word.to_le_bytes());
                        }
                    }
                },
            }
        }
        Some(Self::of(bits.finish()))
    }

    /// Also how many have a value.
    pub(super) fn of(bits: BooleanBuffer) -> (Self, usize) {
        let mut present = 0;
        let words = (0..bits.len().div_ceil(64)).map(|number| {
            let before = present;
            present += word(bits.values(), number).count_ones() as usize;
            before as u32
        });
        let before = words.collect();
        match present {
            0 => (Self::None, 0),
            _ if present == bits.len() => (Self::All, present),
            _ => (Self::Some(bits, before), present),
        }
    }
}

impl Values {
    fn parse(page: Bytes, encoding: Encoding, present: usize, kind: Kind) -> Option<Self> {
        Some(match (encoding, kind) {
            _ if present == 0 => Self::Nothing,
            (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, Kind::Text | Kind::Long) => {
                let (width, numbers) = page.split_first()?;
                let width = u32::from(*width);
                let mut found = Vec::new();
                let mut first = 0;
                for stretch in stretches(numbers, width, present) {
                    let (of, count) = match stretch? {
                        Stretch::Repeated(number, count) => (Of::Repeated(number), count),
                        Stretch::Packed(_, count, at) => (Of::Packed(at), count),
                    };
                    found.push(Numbers { values: first..first + count, of });
                    first += count;
                }
                Self::Numbers { page: page.slice(1..), width, stretches: found, at: 0 }
            }
            (Encoding::PLAIN, Kind::Long) if page.len() / 8 >= present => Self::Long(page),
            (Encoding::PLAIN, Kind::Boolean) if page.len() >= present.div_ceil(8) => Self::Bits(page),
            (Encoding::PLAIN, Kind::Text) => {
                let spans = plain_spans(&page, present)?;
                Self::Text { is_ascii: page.is_ascii(), page, spans }
            }
            (Encoding::DELTA_LENGTH_BYTE_ARRAY, Kind::Text) => {
                let (spans, is_ascii) = delta_spans(&page, present)?;
                Self::Text { page, spans, is_ascii }
            }
            _ => return None,
        })
    }

    /// Hands over some of the values, none before those of earlier calls.
    fn emit(&mut self, values: Range<usize>, page_number: usize, dictionary: &Dictionary, out: &mut Out) -> Option<()> {
        match self {
            Self::Numbers { page, width, stretches, at } => {
                let mut start = values.start;
                while start < values.end {
                    let stretch = stretches.get(*at)?;
                    if stretch.values.end <= start {
                        *at += 1;
                        continue;
                    }
                    let end = stretch.values.end.min(values.end);
                    match stretch.of {
                        Of::Repeated(number) => out.repeated(number, end - start, dictionary)?,
                        Of::Packed(at) => {
                            let packed = Packed::new(page.get(at..)?, *width)?;
                            out.packed(packed, start - stretch.values.start..end - stretch.values.start, dictionary)?;
                        }
                    }
                    start = end;
                }
            }
            Self::Long(page) => {
                let Data::Long(longs) = &mut out.data else { return None };
                let bytes = page.get(values.start * 8..values.end * 8)?;
                longs.extend(bytes.as_chunks().0.iter().map(|number| i64::from_le_bytes(*number)));
            }
            Self::Bits(page) => {
                let Data::Boolean(bits) = &mut out.data else { return None };
                bits.append_packed_range(values, page);
            }
            Self::Text { page, spans, is_ascii } => {
                let Data::Text(views, buffers) = &mut out.data else { return None };
                if out.block.is_none_or(|(number, _)| number != page_number) {
                    out.block = Some((page_number, u32::try_from(buffers.len()).ok()?));
                    buffers.push(page.clone().into());
                }
                let (_, block) = out.block?;
                for span in spans.get(values)? {
                    views.push(span.view(page, block, *is_ascii)?);
                }
            }
            Self::Nothing => return None,
        }
        Some(())
    }
}
