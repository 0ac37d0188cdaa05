//! The layout of a data file, and how it is written: every column of every row group on its own thread.
//!
//! Like events stand together: by event source, event name and caller, and only then by time. What a row group's columns and
//! records have in common is then near, which makes files a quarter smaller and quicker to write, and row groups and pages that hold
//! one event name or another can be left out by their statistics. The figures are in docs/benchmarks.md.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema};
use cloudtarn_record::EventCategory;
use cloudtarn_record::gather::{self, Chunks, Place};
use cloudtarn_record::schema::{PATH, VERSION};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use crate::column_writers::{ColumnWriters, EncodedChunk};
use crate::disk;
use crate::error::{Error, Result, io};
use crate::statistics::{Bound, ColumnStatistics};
use crate::text_column::nesting;

/// Rows of a row group at most: large enough that like events are near each other and pages can be left out inside, small enough
/// that a time span leaves row groups out, and to encode several at once.
pub(crate) const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows of a page at most: a page is what is read at least, where only few rows are wanted.
const PAGE_ROWS: usize = 8192;
/// Bytes of a page, before compression: where few rows of a wide column are wanted, all of their pages are unpacked.
const PAGE_BYTES: usize = 128 << 10;
/// Bytes of a dictionary where most values are new.
const DICTIONARY_BYTES: usize = 128 << 10;
/// Bytes of a dictionary of log files: thousands gave events to a row group, and each of them many.
const SOURCES_BYTES: usize = 4 << 20;
/// Records of like events have much in common: small pages would take a tenth more.
const RECORD_PAGE_BYTES: usize = 1 << 20;
/// The column that takes longest to encode.
const LONGEST: &str = "eventjson";
/// Bytes that are written to a file at once.
const WRITE_BYTES: usize = 1 << 20;
/// Longest text kept whole in statistics, in bytes.
const STATISTICS_LENGTH: usize = 64;

/// Parquet columns that have a Bloom filter a row group: what one looks for in all of a store.
pub const BLOOM_FILTERED: [&str; 10] = [
    "eventid",
    "requestid",
    "sharedeventid",
    "sourceipaddress",
    "useridentity.arn",
    "useridentity.principalid",
    "useridentity.accesskeyid",
    "useridentity.username",
    "useridentity.sessioncontext.sessionissuer.arn",
    "resources.list.item.arn",
];

/// Format of the data files, in their footer under `cloudtarn.format`.
pub(crate) const FORMAT: &str = "2";

fn properties(category: EventCategory) -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let note = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_column_data_page_size_limit(column("eventjson"), RECORD_PAGE_BYTES)
        .set_statistics_truncate_length(Some(STATISTICS_LENGTH))
        .set_created_by(format!("cloudtarn {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![
            note("cloudtarn.format", FORMAT),
            note("cloudtarn.category", category.as_str()),
        ]))
        .set_column_dictionary_enabled(column("eventjson"), false)
        .set_column_statistics_enabled(column("eventjson"), EnabledStatistics::None)
        .set_column_statistics_enabled(column(PATH), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(column(VERSION), EnabledStatistics::None)
        .set_column_dictionary_page_size_limit(column(PATH), SOURCES_BYTES)
        .set_column_dictionary_page_size_limit(column(VERSION), SOURCES_BYTES);
    for (path, compression) in lighter(&category.file_schema()) {
        properties = properties.set_column_compression(path, compression);
    }
    // Of what is in these little comes again, and whoever reads a page reads the dictionary too.
    for name in ["responseelements", "additionaleventdata", "serviceeventdetails"] {
        let values = ColumnPath::new([name, "entries", "value"].map(ToOwned::to_owned).to_vec());
        properties = properties.set_column_dictionary_enabled(values, false);
    }
    let values = ColumnPath::new(["requestparameters", "entries", "value"].map(ToOwned::to_owned).to_vec());
    properties = properties.set_column_dictionary_page_size_limit(values, DICTIONARY_BYTES);
    // Numbers, mostly: no dictionary would be worth its place.
    for name in ["bytesTransferredIn", "bytesTransferredOut"] {
        let name = ColumnPath::new(vec![format!("$additionaleventdata:{name}")]);
        properties = properties.set_column_dictionary_enabled(name, false);
    }
    // Times are thousands in a row group, in no runs: going by a dictionary takes longer than reading them.
    properties = properties.set_column_dictionary_enabled(column("eventtime"), false);
    // Every value of these is new, so a dictionary or a length before each would only be in the way.
    for name in ["eventid", "requestid", "sharedeventid"] {
        properties = properties
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    }
    for path in BLOOM_FILTERED {
        let column = ColumnPath::new(path.split('.').map(ToOwned::to_owned).collect());
        properties = properties
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_fpp(column.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(column, ROW_GROUP_ROWS as u64);
    }
    // No engine prunes by what lies in maps and arrays.
    for path in repeated(&category.file_schema()) {
        properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    properties.build()
}

/// Columns that zstd would make little smaller: runs of dictionary numbers stay as they are, what lies in maps and arrays is
/// compressed by Snappy. Reading them is a tenth of a query's time otherwise, for 3 % of the bytes.
fn lighter(schema: &Schema) -> Vec<(ColumnPath, Compression)> {
    let heavy = |name: &str| {
        matches!(
            name,
            "eventjson"
                | "responseelements"
                | "additionaleventdata"
                | "serviceeventdetails"
                | "errormessage"
                | "eventid"
                | "requestid"
                | "sharedeventid"
                | "eventdata"
                | "insightdetails"
                | "$additionaleventdata:bytesTransferredIn"
                | "$additionaleventdata:bytesTransferredOut"
                | PATH
                | VERSION
        )
    };
    let fields = schema.fields().iter().filter(|field| !heavy(field.name()));
    fields
        .flat_map(|field| {
            let repeated = matches!(field.data_type(), DataType::Map(..) | DataType::List(_));
            let compression = if repeated { Compression::SNAPPY } else { Compression::UNCOMPRESSED };
            paths(field, &|_| true).into_iter().map(move |path| (path, compression))
        })
        .collect()
}

/// The Parquet columns in maps and arrays.
fn repeated(schema: &Schema) -> Vec<ColumnPath> {
    schema.fields().iter().flat_map(|field| paths(field, &|inside| inside)).collect()
}

/// The Parquet columns of an Arrow field, of which `wanted` is told whether they are in a map or an array.
fn paths(field: &FieldRef, wanted: &dyn Fn(bool) -> bool) -> Vec<ColumnPath> {
    fn visit(
        field: &FieldRef,
        path: &mut Vec<String>,
        inside: bool,
        wanted: &dyn Fn(bool) -> bool,
        found: &mut Vec<ColumnPath>,
    ) {
        path.push(field.name().clone());
        match field.data_type() {
            DataType::Struct(fields) => fields.iter().for_each(|field| visit(field, path, inside, wanted, found)),
            DataType::Map(entries, _) => visit(entries, path, true, wanted, found),
            DataType::List(element) => {
                path.push("list".to_owned());
                visit(element, path, true, wanted, found);
                path.pop();
            }
            _ if wanted(inside) => found.push(ColumnPath::new(path.clone())),
            _ => {}
        }
        path.pop();
    }
    let mut found = Vec::new();
    visit(field, &mut Vec::new(), false, wanted, &mut found);
    found
}

/// Where the columns of a row group come from.
pub(crate) trait Rows: Sync {
    /// Hands over one column of [`EventCategory::file_schema`] by its index, whole or in parts that follow each other.
    fn column(&self, index: usize, take: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()>;
}

/// Events of decoded chunks, in the order in which they are to be written.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    pub(crate) chunks: &'a Chunks,
    pub(crate) category: EventCategory,
    pub(crate) order: &'a [Place],
}

impl Rows for Decoded<'_> {
    fn column(&self, index: usize, take: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()> {
        // The views of a part stay in the processor's cache until they are encoded.
        self.order
            .chunks(PAGE_ROWS)
            .try_for_each(|part| take(&gather::column(self.chunks, self.category, index, part)?))
    }
}

impl Rows for RecordBatch {
    fn column(&self, index: usize, take: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()> {
        take(RecordBatch::column(self, index))
    }
}

/// Writes row groups, of [`ROW_GROUP_ROWS`] rows at most each, as one data file at `path`; durable but for the folder. So many of
/// them are encoded `at_once`. Gives its size in bytes and a statistic a column.
pub(crate) fn write(
    path: &Path,
    category: EventCategory,
    groups: &[impl Rows],
    at_once: usize,
) -> Result<(u64, Vec<ColumnStatistics>)> {
    let failed = |source| Error::Parquet { path: path.to_path_buf(), source };
    let temporary = disk::temporary(path);
    let file = File::create(&temporary).map_err(io("creating", &temporary))?;
    let schema = category.file_schema();
    let options = ArrowWriterOptions::new().with_properties(properties(category));
    // In small pieces the file system would fill up every page that a piece ends in.
    let file = BufWriter::with_capacity(WRITE_BYTES, file);
    let writer = ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options).map_err(failed)?;
    let (mut writer, factory) = writer.into_serialized_writer().map_err(failed)?;

    for (chunk, groups) in groups.chunks(at_once.max(1)).enumerate() {
        let mut tasks = Vec::with_capacity(groups.len() * schema.fields().len());
        for (number, rows) in groups.iter().enumerate() {
            let mut of_arrow = factory.create_column_writers(chunk * at_once + number).map_err(failed)?.into_iter();
            let mut columns = writer.schema_descr().columns().iter();
            for (index, field) in schema.fields().iter().enumerate() {
                let writers = ColumnWriters::new(field, &mut columns, &mut of_arrow, writer.properties());
                tasks.push((number, rows, index, field, writers.map_err(failed)?));
            }
        }
        // What takes longest begins first: threads finish together.
        tasks.sort_by_key(|(number, _, index, ..)| (schema.field(*index).name() != LONGEST, *number, *index));
        let mut columns = tasks
            .into_par_iter()
            .with_max_len(1)
            .map(|(number, rows, index, field, mut writers)| {
                rows.column(index, &mut |part| writers.write(field, part).map_err(failed))?;
                Ok((number, index, writers.close().map_err(failed)?))
            })
            .collect::<Result<Vec<(usize, usize, Vec<EncodedChunk>)>>>()?;
        columns.sort_by_key(|(number, index, _)| (*number, *index));
        let mut columns = columns.into_iter().map(|(_, _, chunks)| chunks);
        for _ in groups {
            let mut group = writer.next_row_group().map_err(failed)?;
            for chunk in columns.by_ref().take(schema.fields().len()).flatten() {
                chunk.append_to(&mut group).map_err(failed)?;
            }
            group.close().map_err(failed)?;
        }
    }
    let metadata = writer.finish().map_err(failed)?;
    writer.inner_mut().flush().map_err(io("writing", &temporary))?;
    let file = writer.inner().get_ref();
    disk::publish(file, path)?;
    let bytes = file.metadata().map_err(io("reading the size of", path))?.len();
    Ok((bytes, statistics(category, &metadata)))
}

fn statistics(category: EventCategory, metadata: &ParquetMetaData) -> Vec<ColumnStatistics> {
    let mut leaf = 0;
    let schema = category.file_schema();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let count = nesting::leaves(field.data_type());
        let chunks = || metadata.row_groups().iter().map(|group| &group.columns()[leaf..leaf + count]);
        let compressed_bytes = chunks().flatten().map(|chunk| chunk.compressed_size().max(0) as u64).sum();
        let flat = !field.data_type().is_nested();
        let all: Option<Vec<&Statistics>> =
            if flat { chunks().map(|chunk| chunk[0].statistics()).collect() } else { None };
        let all = all.unwrap_or_default();
        let nulls = all.iter().map(|s| s.null_count_opt()).sum::<Option<u64>>().filter(|_| !all.is_empty());
        let bounds = all.iter().map(|s| bounds(s));
        let (mut min, mut max): (Option<Bound>, Option<Bound>) = (None, None);
        let mut known = !all.is_empty();
        for bound in bounds {
            match bound {
                Range::Between(low, high) => {
                    min = Some(min.map_or(low.clone(), |m| if less(&low, &m) { low } else { m }));
                    max = Some(max.map_or(high.clone(), |m| if less(&m, &high) { high } else { m }));
                }
                Range::Empty => {}
                Range::Unknown => known = false,
            }
        }
        columns.push(ColumnStatistics {
            column: field.name().clone(),
            nulls,
            min: min.filter(|_| known),
            max: max.filter(|_| known),
            compressed_bytes,
        });
        leaf += count;
    }
    columns
}

enum Range {
    Between(Bound, Bound),
    Empty,
    Unknown,
}

fn bounds(statistics: &Statistics) -> Range {
    let bound = |min: Option<Bound>, max: Option<Bound>| match (min, max) {
        (Some(min), Some(max)) => Range::Between(min, max),
        (None, None) => Range::Empty,
        _ => Range::Unknown,
    };
    match statistics {
        Statistics::Boolean(s) => {
            bound(s.min_opt().map(|b| Bound::Boolean(*b)), s.max_opt().map(|b| Bound::Boolean(*b)))
        }
        Statistics::Int32(s) => {
            bound(s.min_opt().map(|n| Bound::Int(i64::from(*n))), s.max_opt().map(|n| Bound::Int(i64::from(*n))))
        }
        Statistics::Int64(s) => bound(s.min_opt().map(|n| Bound::Int(*n)), s.max_opt().map(|n| Bound::Int(*n))),
        Statistics::ByteArray(s) if s.min_opt().is_none() && s.max_opt().is_none() => Range::Empty,
        Statistics::ByteArray(s) if s.min_is_exact() && s.max_is_exact() => {
            let text = |value: Option<&parquet::data_type::ByteArray>| {
                value.and_then(|v| std::str::from_utf8(v.data()).ok()).map(|v| Bound::Text(v.to_owned()))
            };
            match (text(s.min_opt()), text(s.max_opt())) {
                (Some(min), Some(max)) => Range::Between(min, max),
                _ => Range::Unknown,
            }
        }
        _ => Range::Unknown,
    }
}

fn less(left: &Bound, right: &Bound) -> bool {
    match (left, right) {
        (Bound::Text(l), Bound::Text(r)) => l < r,
        (Bound::Int(l), Bound::Int(r)) => l < r,
        (Bound::Boolean(l), Bound::Boolean(r)) => !l & r,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn what_is_sought_has_filters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let category = EventCategory::CloudTrail;
        write(&path, category, &[RecordBatch::new_empty(category.file_schema())], 1).unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let columns = reader.metadata().row_group(0).columns();
        let filtered = columns.iter().filter(|column| column.bloom_filter_offset().is_some());
        let mut filtered: Vec<String> = filtered.map(|column| column.column_path().string()).collect();
        filtered.sort_unstable();
        let mut sought = BLOOM_FILTERED.map(ToOwned::to_owned);
        sought.sort_unstable();
        assert_eq!(filtered, sought);
    }
}
