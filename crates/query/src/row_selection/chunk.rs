//! The rows of a column chunk of which a condition is true, from its dictionary and the runs of its numbers.
//!
//! Format: Apache Parquet, "Data Pages", "Encodings" (RLE_DICTIONARY; RLE/bit-packing hybrid; PLAIN for dictionaries and
//! booleans). What is not as the format says is left to the row filter, which tells what is wrong.

use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, BooleanArray, StringViewBuilder};
use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;

use super::Condition;
use crate::chunk_cache::ChunkCache;
use crate::column_scan::encoding::{Stretch, stretches};
use crate::data_file;

/// Bytes of a chunk that is read at once, whatever its dictionary says.
const SMALL: u64 = 32 << 10;

/// What is known of a chunk's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The condition is true of all rows.
    All,
    /// It is true of these rows, in ascending order; touching ranges are one.
    Rows(Vec<Range<usize>>),
    /// There is no dictionary, or it does not tell.
    Unknown,
}

/// A column chunk of a data file.
pub(super) struct Chunk<'a> {
    pub(super) file: &'a File,
    /// Of the file.
    pub(super) size: u64,
    pub(super) metadata: &'a ColumnChunkMetaData,
    pub(super) rows: usize,
    /// What the session keeps, and the file's name there.
    pub(super) cache: (&'a ChunkCache, &'a str),
    /// Counts the bytes that were read, from the file or from memory.
    pub(super) bytes: &'a mut usize,
}

impl Chunk<'_> {
    /// The rows of which the condition is true; of those that are not in `of` it is not asked.
    pub(super) fn find(mut self, condition: &Condition, of: Option<&[Range<usize>]>) -> Found {
        self.seek(condition, of).unwrap_or(Found::Unknown)
    }

    /// `None` where the dictionary does not tell.
    fn seek(&mut self, condition: &Condition, of: Option<&[Range<usize>]>) -> Option<Found> {
        if self.metadata.column_descr().max_rep_level() > 0 {
            return None;
        }
        let nulls = self.metadata.statistics().and_then(Statistics::null_count_opt);
        let (start, length) = self.metadata.byte_range();
        if self.metadata.column_type() == Type::BOOLEAN {
            let (holds, null) = condition.ask(&(Arc::new(BooleanArray::from(vec![false, true])) as ArrayRef)).ok()?;
            if holds.iter().all(|holds| *holds) && (null || nulls == Some(0)) {
                return Some(Found::All);
            }
            let part = Part { start, head: self.whole(start, length)?, data: OnceLock::new() };
            let pages = self.pages(&Arc::new(part))?;
            return self.scan(pages, &holds, null, of);
        }
        let dictionary = u64::try_from(self.metadata.dictionary_page_offset()?).ok()?;
        let data = u64::try_from(self.metadata.data_page_offset()).ok()?;
        let known = data.checked_sub(start).filter(|known| *known <= length)?;
        // Pages without dictionary numbers have values that the dictionary does not.
        if dictionary != start || !has_only_dictionary_pages(self.metadata) {
            return None;
        }
        let head = if length <= SMALL { length } else { known };
        let kept = self.kept(start, head).filter(|kept| kept.len() as u64 == length);
        let read = match kept {
            Some(kept) => kept.slice(..head as usize),
            None => self.read(start, head)?,
        };
        let part = Arc::new(Part { start, head: read, data: OnceLock::new() });
        let mut pages = self.pages(&part)?;
        let Page::DictionaryPage { buf, num_values, encoding, .. } = pages.get_next_page().ok()?? else { return None };
        if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
            return None;
        }
        let (holds, null) = condition.ask(&texts(&buf, num_values as usize)?).ok()?;
        if holds.iter().all(|holds| !holds) && (!null || nulls == Some(0)) {
            return Some(Found::Rows(Vec::new()));
        }
        if holds.iter().all(|holds| *holds) && (null || nulls == Some(0)) {
            return Some(Found::All);
        }
        if head < length {
            *self.bytes -= head as usize;
            part.data.set(self.whole(start, length)?.slice(head as usize..)).ok()?;
        }
        self.scan(pages, &holds, null, of)
    }

    /// What the session keeps of the chunk, of which so many bytes are wanted.
    fn kept(&mut self, start: u64, wanted: u64) -> Option<Bytes> {
        let (cache, name) = self.cache;
        let kept = cache.get(name, self.size, start).filter(|kept| kept.len() as u64 >= wanted)?;
        *self.bytes += wanted as usize;
        Some(kept)
    }

    /// All of the chunk, which is kept from now on.
    fn whole(&mut self, start: u64, length: u64) -> Option<Bytes> {
        if let Some(kept) = self.kept(start, length) {
            return Some(kept);
        }
        let whole = self.read(start, length)?;
        let (cache, name) = self.cache;
        cache.put(name, self.size, start, &whole);
        Some(whole)
    }

    fn read(&mut self, start: u64, length: u64) -> Option<Bytes> {
        let bytes = data_file::read(self.file, self.size, start, length).ok()?;
        *self.bytes += bytes.len();
        Some(bytes)
    }

    fn pages(&self, part: &Arc<Part>) -> Option<SerializedPageReader<Part>> {
        SerializedPageReader::new(Arc::clone(part), self.metadata, self.rows, None).ok()
    }

    /// Walks over the data pages. `holds` says what is true of each number of the dictionary, `null` of NULL.
    fn scan(
        &self,
        mut pages: SerializedPageReader<Part>,
        holds: &[bool],
        null: bool,
        of: Option<&[Range<usize>]>,
    ) -> Option<Found> {
        let levels = self.metadata.column_descr().max_def_level();
        let boolean = self.metadata.column_type() == Type::BOOLEAN;
        let mut found = Ranges::default();
        let mut wanted = of.map(|ranges| ranges.iter().peekable());
        let mut valid = Vec::new();
        while let Some(page) = pages.get_next_page().ok()? {
            let Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } = page else { continue };
            let rows = num_values as usize;
            if let Some(wanted) = &mut wanted {
                while wanted.next_if(|range| range.end <= found.rows).is_some() {}
                if wanted.peek().is_none_or(|range| range.start >= found.rows + rows) {
                    found.push(false, rows);
                    continue;
                }
            }
            let mut rest = &buf[..];
            valid.clear();
            if levels > 0 {
                if def_level_encoding != Encoding::RLE {
                    return None;
                }
                let (length, tail) = rest.split_first_chunk::<4>()?;
                let (runs, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                rest = tail;
                let width = u16::BITS - levels.unsigned_abs().leading_zeros();
                let there = |level| Some(i64::from(level) == i64::from(levels));
                hybrid(runs, width, rows, there, |here, count| {
                    match valid.last_mut() {
                        Some((last, rows)) if *last == here => *rows += count,
                        _ => valid.push((here, count)),
                    }
                    Some(())
                })?;
            } else {
                valid.push((true, rows));
            }
            let mut rows = Rows { valid: &valid, at: 0, left: 0, null, found: &mut found };
            let present = valid.iter().filter(|(valid, _)| *valid).map(|(_, rows)| rows).sum();
            match encoding {
                _ if present == 0 => {}
                Encoding::PLAIN if boolean => {
                    booleans(rest, present, |value, count| rows.push(*holds.get(usize::from(value))?, count))?;
                }
                Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if !boolean => {
                    let (width, runs) = rest.split_first()?;
                    let holds = |number| holds.get(number as usize).copied();
                    hybrid(runs, u32::from(*width), present, holds, |holds, count| rows.push(holds, count))?;
                }
                _ => return None,
            }
            rows.end();
        }
        (found.rows == self.rows).then_some(Found::Rows(found.ranges))
    }
}

/// Whether the writer noted that all data pages are of dictionary numbers.
fn has_only_dictionary_pages(chunk: &ColumnChunkMetaData) -> bool {
    chunk.page_encoding_stats_mask().is_some_and(|encodings| {
        encodings.is_only(Encoding::RLE_DICTIONARY) || encodings.is_only(Encoding::PLAIN_DICTIONARY)
    })
}

/// A chunk in memory: its first bytes, and the others once they are wanted.
struct Part {
    start: u64,
    head: Bytes,
    data: OnceLock<Bytes>,
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.start + (self.head.len() + self.data.get().map_or(0, Bytes::len)) as u64
    }
}

impl Part {
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let outside = || ParquetError::EOF("a page lies outside its chunk".to_owned());
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok()).ok_or_else(outside)?;
        match (at.checked_sub(self.head.len()), self.data.get()) {
            (None, _) => Ok(self.head.slice(at..)),
            (Some(at), Some(data)) if at <= data.len() => Ok(data.slice(at..)),
            _ => Err(outside()),
        }
    }
}

impl ChunkReader for Part {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(Cursor::new(self.from(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let from = self.from(start)?;
        match length <= from.len() {
            true => Ok(from.slice(..length)),
            false => Err(ParquetError::EOF("a page is longer than its chunk".to_owned())),
        }
    }
}

/// The values of a dictionary page of text.
fn texts(page: &Bytes, count: usize) -> Option<ArrayRef> {
    let mut values = StringViewBuilder::with_capacity(count.min(page.len()));
    let mut rest = &page[..];
    for _ in 0..count {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (value, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        values.append_value(std::str::from_utf8(value).ok()?);
        rest = tail;
    }
    Some(Arc::new(values.finish()))
}

/// Hands over `count` bits as runs.
fn booleans(bits: &[u8], count: usize, mut each: impl FnMut(bool, usize) -> Option<()>) -> Option<()> {
    let mut at = 0;
    while at < count {
        let byte = *bits.get(at / 8)?;
        let now = (count - at).min(8);
        match byte {
            0 | 0xff => each(byte > 0, now)?,
            _ => (0..now).try_for_each(|bit| each(byte >> bit & 1 > 0, 1))?,
        }
        at += now;
    }
    Some(())
}

/// Puts NULLs between values again.
struct Rows<'a> {
    /// Runs of values and NULLs.
    valid: &'a [(bool, usize)],
    at: usize,
    /// Values that are left of the run before `at`.
    left: usize,
    null: bool,
    found: &'a mut Ranges,
}

impl Rows<'_> {
    /// The next so many values.
    fn push(&mut self, holds: bool, mut count: usize) -> Option<()> {
        while count > 0 {
            if self.left == 0 {
                let (valid, rows) = *self.valid.get(self.at)?;
                self.at += 1;
                match valid {
                    true => self.left = rows,
                    false => self.found.push(self.null, rows),
                }
                continue;
            }
            let now = count.min(self.left);
            self.found.push(holds, now);
            self.left -= now;
            count -= now;
        }
        Some(())
    }

    /// The NULLs after the last value.
    fn end(self) {
        for (valid, rows) in &self.valid[self.at..] {
            if !valid {
                self.found.push(self.null, *rows);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Ranges {
    ranges: Vec<Range<usize>>,
    rows: usize,
}

impl Ranges {
    fn push(&mut self, holds: bool, rows: usize) {
        let start = self.rows;
        self.rows += rows;
        if !holds || rows == 0 {
            return;
        }
        match self.ranges.last_mut() {
            Some(last) if last.end == start => last.end = self.rows,
            _ => self.ranges.push(start..self.rows),
        }
    }
}

/// Hands over what `map` makes of `count` numbers of `width` bits each, as runs; `None` where there are fewer, or `map` or `each`
/// says so.
fn hybrid<T: Copy + PartialEq>(
    data: &[u8],
    width: u32,
    count: usize,
    map: impl Fn(u32) -> Option<T>,
    mut each: impl FnMut(T, usize) -> Option<()>,
) -> Option<()> {
    for stretch in stretches(data, width, count) {
        let (packed, count) = match stretch? {
            Stretch::Repeated(number, count) => {
                each(map(number)?, count)?;
                continue;
            }
            Stretch::Packed(packed, count, _) => (packed, count),
        };
        let mut run: Option<(T, usize)> = None;
        for index in 0..count {
            let value = map(packed.get(index))?;
            match &mut run {
                Some((same, rows)) if *same == value => *rows += 1,
                _ => {
                    if let Some((value, rows)) = run.replace((value, 1)) {
                        each(value, rows)?;
                    }
                }
            }
        }
        if let Some((value, rows)) = run {
            each(value, rows)?;
        }
    }
    Some(())
}
