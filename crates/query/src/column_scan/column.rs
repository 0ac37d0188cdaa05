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

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
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

use super::lists::Levels;
use super::out::Out;
use super::page::{Dictionary, Page};
use crate::chunk_cache::ChunkCache;
use crate::data_file;

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
            DataType::List(field) if !field.data_type().is_nested() => Self::of(field.data_type()),
            _ => None,
        }
    }
}

/// Whether values of a type can be read here, whatever the file.
pub(super) fn is_readable_type(data_type: &DataType) -> bool {
    Kind::of(data_type).is_some()
}

/// Whether a file's column has values of that type, each row one or none, or lists of them.
pub(super) fn has_type(column: &ColumnDescriptor, data_type: &DataType) -> bool {
    let (data_type, repetition) = match data_type {
        DataType::List(field) => (field.data_type(), 1),
        _ => (data_type, 0),
    };
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
    same && column.max_rep_level() == repetition
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
    levels: Levels,
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
            levels: Levels::of(chunk.metadata.column_descr()),
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
        let mut out = Out::new(&self.data_type, self.kind, rows.iter().map(Range::len).sum(), &self.dictionary);
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
        out.finish(&self.data_type).ok_or_else(|| damaged("lists and their values do not fit each other"))
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
            // How many rows have lists in a page only the page index tells.
            let count = match (self.levels.element, next) {
                (None, _) => page.num_values() as usize,
                (Some(_), Some(next)) => next - first,
                (Some(_), None) => return Err(damaged("a page index is missing")),
            };
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
