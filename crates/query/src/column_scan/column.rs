//! One column chunk, read where rows are wanted.
//!
//! Of the rows of a chunk only the wanted ones become values: numbers of a dictionary are looked up in place, in their stretches, and what
//! lies plain is found by its position. Pages without wanted rows are not read where the page index tells.
//!
//! Format: Apache Parquet, "Data Pages", "Encodings" (PLAIN, RLE_DICTIONARY, DELTA_LENGTH_BYTE_ARRAY), "Nested Encoding" (definition
//! levels).

use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Int64Array, StringViewArray, TimestampMillisecondArray, make_view,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::bit_iterator::BitSliceIterator;
use bytes::Bytes;
use datafusion::physical_plan::metrics::Count;
use parquet::basic::{ConvertedType, Encoding, LogicalType, TimeUnit as ParquetTimeUnit, Type};
use parquet::column::page::{Page as ParquetPage, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::encoding::{Packed, Stretch, lengths, stretches};
use crate::chunk_cache::ChunkCache;
use crate::data_file;

/// An array of text that holds more bytes of its pages than this, and so many times those of its values, gets the values alone: sorts and
/// joins hold what they are given, with all that it holds.
const LITTLE: usize = 64 << 10;
const SPARSE: usize = 4;

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Boolean,
    Long,
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Utf8View => Some(Self::Text),
            DataType::Boolean => Some(Self::Boolean),
            DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, None) => Some(Self::Long),
            _ => None,
        }
    }
}

/// Whether values of a type can be read here, whatever the file.
pub(super) fn is_readable_type(data_type: &DataType) -> bool {
    Kind::of(data_type).is_some()
}

/// Whether a file's column has values of that type, each row one or none.
pub(super) fn has_type(column: &ColumnDescriptor, data_type: &DataType) -> bool {
    let logical = column.logical_type_ref();
    let same = match data_type {
        DataType::Utf8View => {
            column.physical_type() == Type::BYTE_ARRAY
                && (matches!(logical, Some(LogicalType::String)) || column.converted_type() == ConvertedType::UTF8)
        }
        DataType::Boolean => column.physical_type() == Type::BOOLEAN,
        DataType::Int64 => column.physical_type() == Type::INT64 && logical.is_none(),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            matches!(logical, Some(LogicalType::Timestamp(time)) if time.unit == ParquetTimeUnit::MILLIS)
        }
        _ => false,
    };
    same && column.max_rep_level() == 0
}

/// Whether a chunk's pages are written in ways that are known here.
pub(super) fn has_known_encodings(chunk: &ColumnChunkMetaData) -> bool {
    let known = |encoding: Encoding| match encoding {
        Encoding::PLAIN | Encoding::RLE | Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => true,
        Encoding::DELTA_LENGTH_BYTE_ARRAY => chunk.column_type() == Type::BYTE_ARRAY,
        _ => false,
    };
    chunk.encodings().all(known)
}

/// The bytes of a chunk: all of them at once, or each page when it is asked for.
pub(super) struct Chunk {
    file: Arc<File>,
    /// Of the file.
    size: u64,
    start: u64,
    whole: Option<Bytes>,
    /// Whether the bytes of each page are to be counted, since those of the whole were not.
    counts_pages: bool,
    /// Counts the bytes that were read, from the file or from memory.
    read: Count,
}

impl Chunk {
    fn load(&self, start: u64, length: u64) -> Result<Bytes> {
        let bytes = data_file::read(&self.file, self.size, start, length)?;
        self.read.add(bytes.len());
        Ok(bytes)
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Chunk {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let whole = self.whole.as_ref().ok_or_else(|| damaged("a chunk without page index is read at once"))?;
        let at = start.checked_sub(self.start).filter(|at| *at <= whole.len() as u64);
        let at = at.ok_or_else(|| damaged("a page lies outside its chunk"))?;
        Ok(Cursor::new(whole.slice(at as usize..)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let Some(whole) = &self.whole else { return self.load(start, length as u64) };
        if self.counts_pages {
            self.read.add(length);
        }
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let range = at.and_then(|at| Some(at..at.checked_add(length)?)).filter(|range| range.end <= whole.len());
        range.map(|range| whole.slice(range)).ok_or_else(|| damaged("a page lies outside its chunk"))
    }
}

fn damaged(reason: &str) -> ParquetError {
    ParquetError::General(reason.to_owned())
}

/// What a file has of a column in one row group.
pub(super) struct ChunkOf<'a> {
    pub(super) file: &'a Arc<File>,
    pub(super) name: &'a str,
    /// Of the file, in bytes.
    pub(super) size: u64,
    pub(super) metadata: &'a ColumnChunkMetaData,
    pub(super) pages: Option<&'a [PageLocation]>,
    /// Of the row group.
    pub(super) rows: usize,
    /// Whether most rows are wanted, so that the chunk is better read at once.
    pub(super) dense: bool,
    pub(super) cache: &'a ChunkCache,
    pub(super) read: &'a Count,
}

/// Reads a chunk from its first row to its last.
pub(super) struct Column {
    pages: SerializedPageReader<Chunk>,
    data_type: DataType,
    kind: Kind,
    levels: i16,
    /// Of the row group.
    rows: usize,
    /// First rows of the pages, where the page index tells.
    firsts: Option<Vec<usize>>,
    has_dictionary: bool,
    dictionary: Dictionary,
    /// Pages that were read or passed over, and their rows.
    passed: usize,
    passed_rows: usize,
    page: Option<Page>,
}

impl Column {
    /// # Errors
    /// Where the chunk cannot be read, or a dictionary is expected that is none.
    pub(super) fn open(chunk: &ChunkOf<'_>, data_type: &DataType) -> Result<Self> {
        let kind = Kind::of(data_type).ok_or_else(|| damaged("a type that is not read here"))?;
        let (start, length) = chunk.metadata.byte_range();
        let mut source = Chunk {
            file: Arc::clone(chunk.file),
            size: chunk.size,
            start,
            whole: chunk.cache.get(chunk.name, chunk.size, start),
            counts_pages: false,
            read: chunk.read.clone(),
        };
        match (&source.whole, chunk.dense || chunk.pages.is_none()) {
            (Some(whole), true) => source.read.add(whole.len()),
            (Some(_), false) => source.counts_pages = true,
            (None, true) => {
                let whole = source.load(start, length)?;
                chunk.cache.put(chunk.name, chunk.size, start, &whole);
                source.whole = Some(whole);
            }
            (None, false) => {}
        }
        let firsts = chunk.pages.map(|pages| pages.iter().map(|page| page.first_row_index as usize).collect());
        let locations = chunk.pages.map(<[PageLocation]>::to_vec);
        let has_dictionary = match chunk.pages.and_then(<[PageLocation]>::first) {
            Some(first) => first.offset as u64 != start,
            None => chunk.metadata.dictionary_page_offset().is_some(),
        };
        Ok(Self {
            pages: SerializedPageReader::new(Arc::new(source), chunk.metadata, chunk.rows, locations)?,
            data_type: data_type.clone(),
            kind,
            levels: chunk.metadata.column_descr().max_def_level(),
            rows: chunk.rows,
            firsts,
            has_dictionary,
            dictionary: Dictionary::None,
            passed: 0,
            passed_rows: 0,
            page: None,
        })
    }

    /// The values of some rows, which are in ascending order and none before those of earlier calls.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub(super) fn read(&mut self, rows: &[Range<usize>]) -> Result<ArrayRef> {
        if std::mem::take(&mut self.has_dictionary) {
            self.dictionary = match self.pages.get_next_page()? {
                Some(ParquetPage::DictionaryPage { buf, num_values, encoding, .. }) => {
                    let is_plain = matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY);
                    let dictionary = Dictionary::parse(buf, num_values as usize, self.kind).filter(|_| is_plain);
                    dictionary.ok_or_else(|| damaged("a dictionary page is not as the format says"))?
                }
                _ => return Err(damaged("a dictionary page is missing")),
            };
        }
        let mut out = Out::new(self.kind, rows.iter().map(Range::len).sum(), &self.dictionary);
        for range in rows {
            let mut at = range.start;
            while at < range.end {
                self.seek(at)?;
                let page = self.page.as_mut().ok_or_else(|| damaged("a page is missing"))?;
                let end = range.end.min(page.rows.end);
                page.emit(at - page.rows.start..end - page.rows.start, &self.dictionary, &mut out)
                    .ok_or_else(|| damaged("a data page is not as the format says"))?;
                at = end;
            }
        }
        Ok(out.finish(&self.data_type))
    }

    /// Goes on to the page that has a row.
    fn seek(&mut self, row: usize) -> Result<()> {
        while self.page.as_ref().is_none_or(|page| page.rows.end <= row) {
            let next = self.firsts.as_ref().map(|firsts| firsts.get(self.passed + 1).copied().unwrap_or(self.rows));
            if let Some(next) = next.filter(|next| *next <= row) {
                if next <= self.passed_rows && self.passed > 0 {
                    return Err(damaged("the page index ends early"));
                }
                self.pages.skip_next_page()?;
                self.pass(next);
                continue;
            }
            let page = self.pages.get_next_page()?.ok_or_else(|| damaged("a column chunk ends early"))?;
            let first = self.passed_rows;
            let count = page.num_values() as usize;
            let end = first.checked_add(count).filter(|end| *end <= self.rows && count > 0);
            let end = end.filter(|end| next.is_none_or(|next| next == *end));
            let end =
                end.ok_or_else(|| damaged("pages have more rows than their row group, or others than the index says"))?;
            let page = Page::parse(page, first..end, self.levels, self.kind, self.passed);
            self.page = Some(page.ok_or_else(|| damaged("a data page is not as the format says"))?);
            self.pass(end);
        }
        Ok(())
    }

    fn pass(&mut self, rows: usize) {
        self.passed += 1;
        self.passed_rows = rows;
    }
}

/// A chunk's dictionary.
enum Dictionary {
    None,
    /// Views into the buffer, which is the first of those of every array.
    Text(Vec<u128>, Buffer),
    Long(Vec<i64>),
}

impl Dictionary {
    fn parse(page: Bytes, count: usize, kind: Kind) -> Option<Self> {
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
struct Page {
    /// Of the row group.
    rows: Range<usize>,
    validity: Validity,
    values: Values,
    /// Which page of its chunk it is.
    number: usize,
}

/// Which rows have a value.
enum Validity {
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
    fn parse(page: ParquetPage, rows: Range<usize>, max_level: i16, kind: Kind, number: usize) -> Option<Self> {
        let (levels, values, encoding) = match page {
            ParquetPage::DataPage { buf, encoding, def_level_encoding, .. } if max_level > 0 => {
                if def_level_encoding != Encoding::RLE {
                    return None;
                }
                let length = u32::from_le_bytes(*buf.first_chunk::<4>()?) as usize;
                let end = length.checked_add(4).filter(|end| *end <= buf.len())?;
                (buf.slice(4..end), buf.slice(end..), encoding)
            }
            ParquetPage::DataPage { buf, encoding, .. } => (Bytes::new(), buf, encoding),
            ParquetPage::DataPageV2 { buf, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let start = rep_levels_byte_len as usize;
                let end = start.checked_add(def_levels_byte_len as usize).filter(|end| *end <= buf.len())?;
                (buf.slice(start..end), buf.slice(end..), encoding)
            }
            ParquetPage::DictionaryPage { .. } => return None,
        };
        let (validity, present) = Validity::parse(&levels, max_level, rows.len())?;
        let values = Values::parse(values, encoding, present, kind)?;
        Some(Self { rows, validity, values, number })
    }

    /// Hands over the values of some rows of the page.
    fn emit(&mut self, rows: Range<usize>, dictionary: &Dictionary, out: &mut Out) -> Option<()> {
        let Self { validity, values, number, .. } = self;
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

impl Validity {
    /// Also how many rows have a value.
    fn parse(levels: &[u8], max_level: i16, rows: usize) -> Option<(Self, usize)> {
        let Some(max_level) = u32::try_from(max_level).ok().filter(|level| *level > 0) else {
            return Some((Self::All, rows));
        };
        let width = u32::BITS - max_level.leading_zeros();
        let mut bits = BooleanBufferBuilder::new(0);
        // Pages with values in all rows, or in none, are one stretch.
        for stretch in stretches(levels, width, rows) {
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
        let bits = bits.finish();
        let mut present = 0;
        let words = (0..bits.len().div_ceil(64)).map(|number| {
            let before = present;
            present += word(bits.values(), number).count_ones() as usize;
            before as u32
        });
        let before = words.collect();
        Some(match present {
            0 => (Self::None, 0),
            _ if present == rows => (Self::All, rows),
            _ => (Self::Some(bits, before), present),
        })
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

/// An array in the making.
struct Out {
    data: Data,
    rows: usize,
    /// From the first NULL on.
    valid: Option<BooleanBufferBuilder>,
    /// The page whose text was handed over last, and the number of its buffer.
    block: Option<(usize, u32)>,
}

enum Data {
    Text(Vec<u128>, Vec<Buffer>),
    Boolean(BooleanBufferBuilder),
    Long(Vec<i64>),
}

impl Out {
    fn new(kind: Kind, rows: usize, dictionary: &Dictionary) -> Self {
        let data = match (kind, dictionary) {
            (Kind::Text, Dictionary::Text(_, buffer)) => Data::Text(Vec::with_capacity(rows), vec![buffer.clone()]),
            (Kind::Text, _) => Data::Text(Vec::with_capacity(rows), Vec::new()),
            (Kind::Boolean, _) => Data::Boolean(BooleanBufferBuilder::new(rows)),
            (Kind::Long, _) => Data::Long(Vec::with_capacity(rows)),
        };
        Self { data, rows: 0, valid: None, block: None }
    }

    /// So many rows have values, which are handed over next.
    fn valid(&mut self, rows: usize) {
        self.rows += rows;
        if let Some(valid) = &mut self.valid {
            valid.append_n(rows, true);
        }
    }

    fn null(&mut self, rows: usize) {
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

    fn repeated(&mut self, number: u32, count: usize, dictionary: &Dictionary) -> Option<()> {
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

    fn packed(&mut self, packed: Packed<'_>, numbers: Range<usize>, dictionary: &Dictionary) -> Option<()> {
        match (&mut self.data, dictionary) {
            (Data::Text(views, _), Dictionary::Text(known, _)) => look_up(views, known, packed, numbers),
            (Data::Long(longs), Dictionary::Long(known)) => look_up(longs, known, packed, numbers),
            _ => None,
        }
    }

    fn finish(self, data_type: &DataType) -> ArrayRef {
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
