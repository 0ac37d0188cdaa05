//! A writer of Parquet columns of text, which is nearly all that a data file has.
//!
//! It does what the `parquet` crate's does, for views (Apache Arrow, "Variable-size Binary View Layout"): text that has the view
//! of text before it is known without a look at its bytes, so that hashes, bounds and Bloom filters are made of distinct values
//! instead of all. Pages are filled from the text's own place and compressed into the chunk. Level histograms and sizes
//! before encoding, which nothing here reads, are left out of the metadata.

mod bounds;
mod dictionary;
mod hybrid;
mod lengths;
pub(crate) mod nesting;
#[cfg(test)]
mod tests;

use arrow::array::{Array, StringViewArray};
use arrow::buffer::NullBuffer;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, EncodingMask, PageType, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use bounds::Bounds;
use dictionary::Dictionary;
use hybrid::{Hybrid, width_of};
use nesting::{Leaf, List};

/// Room before a page's text for the levels, which are known last: all values are there, in most pages.
const LEVELS_ROOM: usize = 32;

/// Writes one column of one row group.
pub(crate) struct TextColumnWriter {
    descr: ColumnDescPtr,
    settings: Settings,
    dictionary: Option<Dictionary>,
    /// In which page a text of the dictionary was last, counted from 1.
    last_page: Vec<u32>,
    filter: Option<(Sbbf, f64)>,
    compressor: Option<Compressor<'static>>,
    page: OpenPage,
    chunk: Chunk,
}

/// What [`WriterProperties`] say of a column.
struct Settings {
    page_rows: usize,
    page_bytes: usize,
    dictionary_bytes: usize,
    /// Of values without a dictionary.
    encoding: Encoding,
    compression: Compression,
    statistics: EnabledStatistics,
    /// Longest text in statistics of chunks and of pages.
    lengths: [Option<usize>; 2],
}

/// A page that is being filled.
struct OpenPage {
    definition: Hybrid,
    repetition: Hybrid,
    rows: usize,
    levels: usize,
    nulls: usize,
    /// Numbers in the dictionary …
    numbers: Vec<u32>,
    /// … or the text itself, after [`LEVELS_ROOM`], and its lengths unless they stand in it.
    text: Vec<u8>,
    lengths: Vec<u32>,
    bounds: Bounds,
    /// What is compressed, and what comes out.
    plain: Vec<u8>,
    compressed: Vec<u8>,
}

/// Pages that are written, and what the metadata say of them.
struct Chunk {
    sink: TrackedWrite<Vec<u8>>,
    /// Pages that wait for the dictionary, which stands before them.
    waiting: Vec<CompressedPage>,
    encodings: Vec<PageEncodingStats>,
    column_index: ColumnIndexBuilder,
    offset_index: OffsetIndexBuilder,
    bounds: Bounds,
    order: PageOrder,
    rows: usize,
    levels: usize,
    nulls: usize,
    pages: u32,
    first_page: Option<u64>,
    uncompressed: usize,
}

/// Whether bounds of pages only go up, or only down.
#[derive(Default)]
struct PageOrder {
    last: Option<(Vec<u8>, Vec<u8>)>,
    goes_up: bool,
    goes_down: bool,
}

impl PageOrder {
    fn add(&mut self, least: &[u8], greatest: &[u8]) {
        if let Some((last_least, last_greatest)) = &self.last {
            self.goes_down |= last_least.as_slice() > least || last_greatest.as_slice() > greatest;
            self.goes_up |= last_least.as_slice() < least || last_greatest.as_slice() < greatest;
        }
        self.last = Some((least.to_vec(), greatest.to_vec()));
    }

    fn get(&self) -> BoundaryOrder {
        match (self.goes_down, self.goes_up) {
            (false, _) => BoundaryOrder::ASCENDING,
            (true, false) => BoundaryOrder::DESCENDING,
            (true, true) => BoundaryOrder::UNORDERED,
        }
    }
}

impl TextColumnWriter {
    /// A writer for a column of a row group.
    ///
    /// # Errors
    /// For a compression or an encoding that it does not know; of properties that make no sense, as the `parquet` crate tells.
    pub(crate) fn new(descr: ColumnDescPtr, properties: &WriterProperties) -> Result<Self> {
        let path = descr.path();
        let settings = Settings {
            page_rows: properties.data_page_row_count_limit(),
            page_bytes: properties.column_data_page_size_limit(path),
            dictionary_bytes: properties.column_dictionary_page_size_limit(path),
            encoding: properties.encoding(path).unwrap_or(Encoding::PLAIN),
            compression: properties.compression(path),
            statistics: properties.statistics_enabled(path),
            lengths: [properties.statistics_truncate_length(), properties.column_index_truncate_length()],
        };
        if !matches!(settings.encoding, Encoding::PLAIN | Encoding::DELTA_LENGTH_BYTE_ARRAY) {
            return Err(ParquetError::NYI(format!("text in the encoding {}", settings.encoding)));
        }
        let compressor = match settings.compression {
            Compression::ZSTD(level) => Some(Compressor::new(level.compression_level())?),
            Compression::UNCOMPRESSED | Compression::SNAPPY => None,
            other => return Err(ParquetError::NYI(format!("text with the compression {other}"))),
        };
        let filter = match properties.bloom_filter_properties(path) {
            Some(wanted) => Some((Sbbf::new_with_ndv_fpp(wanted.ndv(), wanted.fpp())?, wanted.fpp())),
            None => None,
        };
        let page = OpenPage {
            definition: Hybrid::new(width_of(descr.max_def_level() as u32)),
            repetition: Hybrid::new(width_of(descr.max_rep_level() as u32)),
            rows: 0,
            levels: 0,
            nulls: 0,
            numbers: Vec::new(),
            text: vec![0; LEVELS_ROOM],
            lengths: Vec::new(),
            bounds: Bounds::default(),
            plain: Vec::new(),
            compressed: Vec::new(),
        };
        let chunk = Chunk {
            sink: TrackedWrite::new(Vec::new()),
            waiting: Vec::new(),
            encodings: Vec::new(),
            column_index: ColumnIndexBuilder::new(Type::BYTE_ARRAY),
            offset_index: OffsetIndexBuilder::new(),
            bounds: Bounds::default(),
            order: PageOrder::default(),
            rows: 0,
            levels: 0,
            nulls: 0,
            pages: 0,
            first_page: None,
            uncompressed: 0,
        };
        let dictionary = properties.dictionary_enabled(path).then(Dictionary::default);
        Ok(Self { descr, settings, dictionary, last_page: Vec::new(), filter, compressor, page, chunk })
    }

    /// Appends an array's rows.
    ///
    /// # Errors
    /// The compression's.
    pub(crate) fn write(&mut self, leaf: &Leaf<'_>) -> Result<()> {
        if let Some(dictionary) = &mut self.dictionary {
            dictionary.look_into(leaf.text.data_buffers());
        }
        match &leaf.list {
            None => self.write_rows(leaf),
            Some(list) => self.write_lists(leaf, list),
        }
    }

    fn write_rows(&mut self, leaf: &Leaf<'_>) -> Result<()> {
        let text = leaf.text;
        let own = leaf.nullable.then(|| text.nulls()).flatten();
        let missing = leaf.rows.iter().fold(own.cloned(), |all, row| NullBuffer::union(all.as_ref(), row.as_ref()));
        let mut at = 0;
        let mut stretches = missing.as_ref().map(NullBuffer::valid_slices);
        while at < text.len() {
            let (start, end) = match &mut stretches {
                None => (at, text.len()),
                Some(stretches) => stretches.next().unwrap_or((text.len(), text.len())),
            };
            while at < start {
                // Runs of NULLs are long where there is but one way to be NULL.
                let rows = (start - at).min(self.settings.page_rows - self.page.rows);
                if leaf.rows.is_empty() {
                    self.page.definition.push(0, rows);
                } else {
                    (at..at + rows).for_each(|row| self.page.definition.push(levels(&leaf.rows, row), 1));
                }
                self.page.nulls += rows;
                self.end_rows(rows, rows)?;
                at += rows;
            }
            while at < end {
                let rows = self.put(text, at, end.min(at + self.settings.page_rows - self.page.rows), false);
                self.page.definition.push(self.descr.max_def_level() as u32, rows);
                self.end_rows(rows, rows)?;
                at += rows;
            }
        }
        Ok(())
    }

    fn write_lists(&mut self, leaf: &Leaf<'_>, list: &List<'_>) -> Result<()> {
        let text = leaf.text;
        let whole = self.descr.max_def_level() as u32;
        let outside = leaf.rows.len() as u32;
        let of_element = outside + u32::from(list.nullable) + 1;
        let own = leaf.nullable.then(|| text.nulls()).flatten();
        let missing = list.elements.iter().fold(own.cloned(), |all, row| NullBuffer::union(all.as_ref(), row.as_ref()));
        let outer = leaf.rows.iter().fold(None, |all, row| NullBuffer::union(Option::as_ref(&all), row.as_ref()));
        for (row, bounds) in list.offsets.windows(2).enumerate() {
            let (start, end) = (bounds[0] as usize, bounds[1] as usize);
            let absent = if outer.as_ref().is_some_and(|outer| outer.is_null(row)) {
                Some(levels(&leaf.rows, row))
            } else if list.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                Some(outside)
            } else {
                (start == end).then(|| of_element - 1)
            };
            if let Some(level) = absent {
                self.page.definition.push(level, 1);
                self.page.repetition.push(0, 1);
                self.page.nulls += 1;
                self.end_rows(1, 1)?;
                continue;
            }
            self.page.repetition.push(0, 1);
            self.page.repetition.push(1, end - start - 1);
            match &missing {
                None => {
                    self.page.definition.push(whole, end - start);
                    self.put(text, start, end, true);
                }
                Some(missing) => {
                    for element in start..end {
                        if missing.is_valid(element) {
                            self.page.definition.push(whole, 1);
                            self.put(text, element, element + 1, true);
                        } else {
                            self.page.definition.push(of_element + levels(&list.elements, element), 1);
                            self.page.nulls += 1;
                        }
                    }
                }
            }
            self.end_rows(1, end - start)?;
        }
        Ok(())
    }

    /// Appends values to the page, all of them or those until it is full; tells how many.
    fn put(&mut self, array: &StringViewArray, start: usize, end: usize, all: bool) -> usize {
        let bounded = self.settings.statistics != EnabledStatistics::None;
        let Some(dictionary) = &mut self.dictionary else {
            for row in start..end {
                let text = array.value(row).as_bytes();
                if self.settings.encoding == Encoding::PLAIN {
                    self.page.text.extend_from_slice(&(text.len() as u32).to_le_bytes());
                } else {
                    self.page.lengths.push(text.len() as u32);
                }
                self.page.text.extend_from_slice(text);
                if bounded {
                    self.page.bounds.add(text);
                }
                if let Some((filter, _)) = &mut self.filter {
                    filter.insert(text);
                }
                if !all && self.page.text.len() >= self.settings.page_bytes {
                    return row + 1 - start;
                }
            }
            return end - start;
        };
        let page = self.chunk.pages + 1;
        let views = array.views();
        for row in start..end {
            let (number, is_new) = dictionary.number(views[row], || array.value(row).as_bytes());
            self.page.numbers.push(number);
            if is_new {
                if let Some((filter, _)) = &mut self.filter {
                    filter.insert(array.value(row).as_bytes());
                }
                self.last_page.push(0);
            }
            let last_page = &mut self.last_page[number as usize];
            if *last_page != page {
                *last_page = page;
                if bounded {
                    self.page.bounds.add(array.value(row).as_bytes());
                }
            }
            if is_new && !all && dictionary.page().len() >= self.settings.dictionary_bytes {
                return row + 1 - start;
            }
        }
        end - start
    }

    /// Counts rows whose values were put, and ends the page if it is full.
    fn end_rows(&mut self, rows: usize, levels: usize) -> Result<()> {
        self.page.rows += rows;
        self.page.levels += levels;
        let is_full = match &self.dictionary {
            None => self.page.text.len() >= self.settings.page_bytes,
            Some(dictionary) => {
                let bits = self.page.numbers.len() * width_of(dictionary.len() as u32) as usize;
                dictionary.page().len() >= self.settings.dictionary_bytes || bits / 8 >= self.settings.page_bytes
            }
        };
        if is_full || self.page.rows >= self.settings.page_rows {
            self.end_page()?;
        }
        if let Some(dictionary) = &self.dictionary
            && dictionary.page().len() >= self.settings.dictionary_bytes
        {
            self.end_dictionary()?;
        }
        Ok(())
    }

    fn end_page(&mut self) -> Result<()> {
        let page = &mut self.page;
        if page.levels == 0 {
            return Ok(());
        }
        let plain = &mut page.plain;
        plain.clear();
        if self.descr.max_rep_level() > 0 {
            page.repetition.finish_levels(plain);
        }
        if self.descr.max_def_level() > 0 {
            page.definition.finish_levels(plain);
        }
        let mut encoding = self.settings.encoding;
        let text = &page.text[LEVELS_ROOM..];
        let mut whole: Option<std::ops::Range<usize>> = None;
        if let Some(dictionary) = &self.dictionary {
            encoding = Encoding::RLE_DICTIONARY;
            let width = width_of((dictionary.len() as u32).saturating_sub(1));
            plain.push(width as u8);
            let mut numbers = Hybrid::new(width);
            numbers.extend(&page.numbers);
            numbers.finish(plain);
        } else if encoding == Encoding::PLAIN && plain.len() <= LEVELS_ROOM {
            let start = LEVELS_ROOM - plain.len();
            page.text[start..LEVELS_ROOM].copy_from_slice(plain);
            whole = Some(start..page.text.len());
        } else {
            if encoding != Encoding::PLAIN {
                lengths::encode(&page.lengths, plain);
            }
            plain.extend_from_slice(text);
        }
        let body = whole.map_or(plain.as_slice(), |range| &page.text[range]);
        let page_of = Page::DataPage {
            buf: compress(body, &self.settings, self.compressor.as_mut(), &mut page.compressed)?,
            num_values: page.levels as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let compressed = CompressedPage::new(page_of, body.len());
        let chunk = &mut self.chunk;
        if self.settings.statistics == EnabledStatistics::Page {
            let cut = self.settings.lengths[1];
            let (is_null, least, greatest) = match page.bounds.get() {
                None => (true, vec![], vec![]),
                Some((least, greatest)) => {
                    chunk.order.add(least, greatest);
                    (false, bounds::not_above(least, cut).0, bounds::not_below(greatest, cut).0)
                }
            };
            chunk.column_index.append(is_null, least, greatest, page.nulls as i64);
        }
        chunk.bounds.merge(&page.bounds);
        chunk.offset_index.append_row_count(page.rows as i64);
        chunk.pages += 1;
        chunk.rows += page.rows;
        chunk.levels += page.levels;
        chunk.nulls += page.nulls;
        (page.rows, page.levels, page.nulls) = (0, 0, 0);
        page.bounds = Bounds::default();
        page.numbers.clear();
        page.text.truncate(LEVELS_ROOM);
        page.lengths.clear();
        if self.dictionary.is_some() {
            chunk.waiting.push(compressed);
            return Ok(());
        }
        chunk.write(compressed)
    }

    /// Writes the dictionary and the pages that wait for it; later pages have none.
    fn end_dictionary(&mut self) -> Result<()> {
        let Some(dictionary) = self.dictionary.take() else { return Ok(()) };
        let body = dictionary.page();
        let page = Page::DictionaryPage {
            buf: compress(body, &self.settings, self.compressor.as_mut(), &mut self.page.compressed)?,
            num_values: dictionary.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.chunk.write(CompressedPage::new(page, body.len()))?;
        std::mem::take(&mut self.chunk.waiting).into_iter().try_for_each(|page| self.chunk.write(page))
    }

    /// Ends the column: its bytes and what the `parquet` crate needs to append them to a row group.
    ///
    /// # Errors
    /// The compression's.
    pub(crate) fn close(mut self) -> Result<(Bytes, ColumnCloseResult)> {
        self.end_page()?;
        self.end_dictionary()?;
        let Chunk { sink, encodings, mut column_index, offset_index, bounds, order, rows, .. } = self.chunk;
        let written = sink.bytes_written();
        let mask = encodings.iter().map(|stats| stats.encoding).chain([Encoding::RLE]).collect::<Vec<_>>();
        let dictionary =
            encodings.first().is_some_and(|stats| stats.page_type == PageType::DICTIONARY_PAGE).then_some(0);
        let mut metadata = ColumnChunkMetaData::builder(self.descr)
            .set_compression(self.settings.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(mask.iter()))
            .set_page_encoding_stats(encodings)
            .set_total_compressed_size(written as i64)
            .set_total_uncompressed_size(self.chunk.uncompressed as i64)
            .set_num_values(self.chunk.levels as i64)
            .set_data_page_offset(self.chunk.first_page.unwrap_or_default() as i64)
            .set_dictionary_page_offset(dictionary);
        if self.settings.statistics != EnabledStatistics::None {
            metadata = metadata.set_statistics(bounds.statistics(self.chunk.nulls as u64, self.settings.lengths[0]));
        }
        column_index.set_boundary_order(order.get());
        let column_index = match self.settings.statistics {
            EnabledStatistics::Page => Some(column_index.build()?),
            _ => None,
        };
        let bloom_filter = self.filter.map(|(mut filter, rate)| {
            filter.fold_to_target_fpp(rate);
            filter
        });
        let close = ColumnCloseResult {
            bytes_written: written as u64,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter,
            column_index,
            offset_index: Some(offset_index.build()),
        };
        Ok((Bytes::from(sink.into_inner()?), close))
    }
}

impl Chunk {
    fn write(&mut self, page: CompressedPage) -> Result<()> {
        let (page_type, encoding) = (page.page_type(), page.encoding());
        let PageWriteSpec { offset, compressed_size, uncompressed_size, .. } =
            SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.uncompressed += uncompressed_size;
        if page_type == PageType::DATA_PAGE {
            self.offset_index.append_offset_and_size(offset as i64, compressed_size as i32);
            self.first_page.get_or_insert(offset);
        }
        match self.encodings.last_mut() {
            Some(last) if (last.page_type, last.encoding) == (page_type, encoding) => last.count += 1,
            _ => self.encodings.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
        Ok(())
    }
}

/// How many of the row types that text lies in are there at a row, from the outermost to the first that is not.
fn levels(rows: &[Option<NullBuffer>], row: usize) -> u32 {
    rows.iter().take_while(|nulls| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))).count() as u32
}

fn compress(
    body: &[u8],
    settings: &Settings,
    compressor: Option<&mut Compressor<'static>>,
    room: &mut Vec<u8>,
) -> Result<Bytes> {
    match (settings.compression, compressor) {
        (Compression::UNCOMPRESSED, _) => Ok(Bytes::copy_from_slice(body)),
        (Compression::SNAPPY, _) => {
            room.resize(snap::raw::max_compress_len(body.len()), 0);
            let written =
                snap::raw::Encoder::new().compress(body, room).map_err(|e| ParquetError::External(e.into()))?;
            Ok(Bytes::copy_from_slice(&room[..written]))
        }
        (_, Some(compressor)) => {
            room.clear();
            room.reserve(zstd::zstd_safe::compress_bound(body.len()));
            compressor.compress_to_buffer(body, room)?;
            Ok(Bytes::copy_from_slice(room))
        }
        (other, None) => Err(ParquetError::NYI(format!("text with the compression {other}"))),
    }
}
