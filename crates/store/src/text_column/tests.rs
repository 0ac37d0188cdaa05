#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringViewArray, StringViewBuilder,
    StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::data_type::AsBytes;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::{ByteArrayColumnIndex, ColumnIndexMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use proptest::prelude::*;

use crate::column_writers::ColumnWriters;

type Text = Option<String>;

/// A row: plain text, text in rows of rows, a map, an array of text, an array of rows.
#[derive(Debug, Clone)]
struct Row {
    plain: Text,
    required: String,
    nested: Option<(Text, Option<(Text, i64)>)>,
    map: Option<Vec<(String, Text)>>,
    list: Option<Vec<Text>>,
    rows: Option<Vec<Option<(Text, Text)>>>,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{0,2}",
        2 => "a common beginning [ab]{1,2}",
        2 => "[a-zé\u{10ffff}]{0,20}",
        1 => "x{60,80}[ab]",
        1 => "\u{10ffff}{20}",
    ]
}

fn maybe() -> impl Strategy<Value = Text> {
    prop_oneof![1 => Just(None), 3 => text().prop_map(Some)]
}

fn row() -> impl Strategy<Value = Row> {
    let nested = prop::option::of((maybe(), prop::option::of((maybe(), any::<i64>()))));
    let map = prop::option::of(prop::collection::vec((text(), maybe()), 0..4));
    let list = prop::option::of(prop::collection::vec(maybe(), 0..4));
    let rows = prop::option::of(prop::collection::vec(prop::option::of((maybe(), maybe())), 0..3));
    (maybe(), text(), nested, map, list, rows).prop_map(|(plain, required, nested, map, list, rows)| Row {
        plain,
        required,
        nested,
        map,
        list,
        rows,
    })
}

/// Rows, some of which come again and again.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((row(), prop_oneof![3 => Just(1_usize), 1 => 1..30_usize]), 0..60)
        .prop_map(|rows| rows.into_iter().flat_map(|(row, times)| std::iter::repeat_n(row, times)).collect())
}

fn view(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, true)
}

fn inner_fields() -> Fields {
    Fields::from(vec![view("text"), Field::new("number", DataType::Int64, true)])
}

fn row_fields() -> Fields {
    Fields::from(vec![view("a"), view("b")])
}

fn schema() -> SchemaRef {
    let outer = vec![view("text"), Field::new("inner", DataType::Struct(inner_fields()), true)];
    Arc::new(Schema::new(vec![
        view("plain"),
        Field::new("required", DataType::Utf8View, false),
        Field::new("nested", DataType::Struct(Fields::from(outer)), true),
        Field::new("map", cloudtarn_record::schema::map_type(), true),
        Field::new("list", DataType::new_list(DataType::Utf8View, true), true),
        Field::new("rows", DataType::new_list(DataType::Struct(row_fields()), true), true),
    ]))
}

fn texts<'a>(values: impl Iterator<Item = &'a Text>) -> ArrayRef {
    Arc::new(values.map(Option::as_deref).collect::<StringViewArray>())
}

fn batch(rows: &[Row]) -> RecordBatch {
    const NONE: &Text = &None;
    let plain = texts(rows.iter().map(|row| &row.plain));
    let required: ArrayRef = Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row.required)));

    let inner = || rows.iter().map(|row| row.nested.as_ref().and_then(|nested| nested.1.as_ref()));
    let number: ArrayRef = Arc::new(inner().map(|inner| inner.map(|inner| inner.1)).collect::<Int64Array>());
    // What a NULL row has in its fields is of no account.
    let hidden = Some("hidden".to_owned());
    let text = texts(inner().map(|inner| inner.map_or(&hidden, |inner| &inner.0)));
    let valid = NullBuffer::from_iter(inner().map(|inner| inner.is_some()));
    let inner: ArrayRef = Arc::new(StructArray::new(inner_fields(), vec![text, number], Some(valid)));
    let text = texts(rows.iter().map(|row| row.nested.as_ref().map_or(NONE, |nested| &nested.0)));
    let valid = NullBuffer::from_iter(rows.iter().map(|row| row.nested.is_some()));
    let DataType::Struct(outer) = schema().field(2).data_type().clone() else { unreachable!() };
    let nested: ArrayRef = Arc::new(StructArray::new(outer, vec![text, inner], Some(valid)));

    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut map = MapBuilder::new(Some(names), StringViewBuilder::new(), StringViewBuilder::new());
    let mut list = ListBuilder::new(StringViewBuilder::new());
    for row in rows {
        for (key, value) in row.map.iter().flatten() {
            map.keys().append_value(key);
            map.values().append_option(value.as_deref());
        }
        map.append(row.map.is_some()).unwrap();
        row.list.iter().flatten().for_each(|value| list.values().append_option(value.as_deref()));
        list.append(row.list.is_some());
    }

    let elements: Vec<&Option<(Text, Text)>> = rows.iter().filter_map(|row| row.rows.as_ref()).flatten().collect();
    let field =
        |of: fn(&(Text, Text)) -> &Text| texts(elements.iter().map(|element| element.as_ref().map_or(NONE, of)));
    let valid = NullBuffer::from_iter(elements.iter().map(|element| element.is_some()));
    let values = StructArray::new(row_fields(), vec![field(|row| &row.0), field(|row| &row.1)], Some(valid));
    let lengths = rows.iter().map(|row| row.rows.as_ref().map_or(0, Vec::len));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
    let valid = NullBuffer::from_iter(rows.iter().map(|row| row.rows.is_some()));
    let DataType::List(element) = schema().field(5).data_type().clone() else { unreachable!() };
    let of_rows = arrow::array::ListArray::new(element, offsets, Arc::new(values), Some(valid));

    let columns = vec![plain, required, nested, Arc::new(map.finish()), Arc::new(list.finish()), Arc::new(of_rows)];
    RecordBatch::try_new(schema(), columns).unwrap()
}

#[derive(Debug, Clone)]
struct Wanted {
    page_rows: usize,
    page_bytes: usize,
    dictionary: Option<usize>,
    lengths_apart: bool,
    compression: Compression,
    statistics: EnabledStatistics,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let statistics =
        prop_oneof![Just(EnabledStatistics::Page), Just(EnabledStatistics::Chunk), Just(EnabledStatistics::None)];
    let compression = prop_oneof![
        Just(Compression::UNCOMPRESSED),
        Just(Compression::SNAPPY),
        Just(Compression::ZSTD(ZstdLevel::default()))
    ];
    let dictionary = prop_oneof![Just(None), Just(Some(200)), Just(Some(1 << 20))];
    let page_bytes = prop_oneof![Just(300_usize), Just(1 << 20)];
    (1..200_usize, page_bytes, dictionary, any::<bool>(), compression, statistics).prop_map(
        |(page_rows, page_bytes, dictionary, lengths_apart, compression, statistics)| Wanted {
            page_rows,
            page_bytes,
            dictionary,
            lengths_apart,
            compression,
            statistics,
        },
    )
}

fn properties(wanted: &Wanted) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_data_page_row_count_limit(wanted.page_rows)
        .set_write_batch_size(wanted.page_rows)
        .set_data_page_size_limit(wanted.page_bytes)
        .set_dictionary_enabled(wanted.dictionary.is_some())
        .set_dictionary_page_size_limit(wanted.dictionary.unwrap_or(1 << 20))
        .set_compression(wanted.compression)
        .set_statistics_enabled(wanted.statistics)
        .set_statistics_truncate_length(Some(64))
        .set_bloom_filter_enabled(true);
    if wanted.lengths_apart {
        // Numbers have no such encoding.
        for name in ["plain", "required", "nested.text", "map.entries.value"] {
            let path = name.split('.').map(ToOwned::to_owned).collect::<Vec<_>>().into();
            properties = properties.set_column_encoding(path, Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
    }
    properties.build()
}

fn ours(parts: &[RecordBatch], properties: WriterProperties) -> Bytes {
    let options = ArrowWriterOptions::new().with_properties(properties);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), schema(), options).unwrap();
    let (mut writer, factory) = writer.into_serialized_writer().unwrap();
    let mut chunks = Vec::new();
    let mut of_arrow = factory.create_column_writers(0).unwrap().into_iter();
    let mut columns = writer.schema_descr().columns().iter();
    for (index, field) in schema().fields().iter().enumerate() {
        let mut writers = ColumnWriters::new(field, &mut columns, &mut of_arrow, writer.properties()).unwrap();
        parts.iter().for_each(|part| writers.write(field, part.column(index)).unwrap());
        chunks.extend(writers.close().unwrap());
    }
    let mut group = writer.next_row_group().unwrap();
    chunks.into_iter().for_each(|chunk| chunk.append_to(&mut group).unwrap());
    group.close().unwrap();
    Bytes::from(writer.into_inner().unwrap())
}

fn theirs(whole: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties)).unwrap();
    writer.write(whole).unwrap();
    Bytes::from(writer.into_inner().unwrap())
}

fn read(file: &Bytes) -> RecordBatch {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
    let batches: Vec<RecordBatch> = reader.with_batch_size(1000).build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema(), &batches).unwrap()
}

fn metadata(file: &Bytes) -> (ParquetMetaData, Vec<Option<Sbbf>>) {
    let options = ReadOptionsBuilder::new().with_page_index().build();
    let reader = SerializedFileReader::new_with_options(file.clone(), options).unwrap();
    let metadata = reader.metadata().clone();
    let filters = (0..metadata.row_group(0).num_columns())
        .map(|column| Sbbf::read_from_column_chunk(metadata.row_group(0).column(column), file).unwrap());
    (metadata.clone(), filters.collect())
}

/// Every text at the leaves.
fn leaves(rows: &[Row]) -> Vec<(&'static str, Vec<&str>)> {
    fn of(texts: Vec<&Text>) -> Vec<&str> {
        texts.into_iter().flatten().map(String::as_str).collect()
    }
    let nested = || rows.iter().filter_map(|row| row.nested.as_ref());
    let entries = || rows.iter().filter_map(|row| row.map.as_ref()).flatten();
    let elements = || rows.iter().filter_map(|row| row.rows.as_ref()).flatten().flatten();
    vec![
        ("plain", of(rows.iter().map(|row| &row.plain).collect())),
        ("required", rows.iter().map(|row| row.required.as_str()).collect()),
        ("nested.text", of(nested().map(|nested| &nested.0).collect())),
        ("nested.inner.text", of(nested().filter_map(|nested| nested.1.as_ref()).map(|inner| &inner.0).collect())),
        ("map.entries.key", entries().map(|entry| entry.0.as_str()).collect()),
        ("map.entries.value", of(entries().map(|entry| &entry.1).collect())),
        ("list.list.item", of(rows.iter().filter_map(|row| row.list.as_ref()).flatten().collect())),
        ("rows.list.item.a", of(elements().map(|element| &element.0).collect())),
        ("rows.list.item.b", of(elements().map(|element| &element.1).collect())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_is_read_and_told_as_the_parquet_crate_does(rows in rows(), cut in 0.0..1.0, wanted in wanted()) {
        let whole = batch(&rows);
        let cut = (cut * rows.len() as f64) as usize;
        let parts = [whole.slice(0, cut), whole.slice(cut, rows.len() - cut)];
        let ours = ours(&parts, properties(&wanted));
        let read_back = read(&ours);
        // A slice may keep what NULL rows have in their fields.
        let theirs = theirs(&whole, properties(&wanted));
        prop_assert_eq!(&read_back, &read(&theirs));
        if rows.is_empty() {
            return Ok(());
        }
        let ((ours, filters), (theirs, _)) = (metadata(&ours), metadata(&theirs));
        let values = leaves(&rows);
        for (at, (column, expected)) in ours.row_group(0).columns().iter().zip(theirs.row_group(0).columns()).enumerate() {
            let path = column.column_path().string();
            prop_assert_eq!(column.statistics(), expected.statistics(), "{}", &path);
            prop_assert_eq!(column.num_values(), expected.num_values());
            prop_assert_eq!(column.compression(), expected.compression());
            prop_assert_eq!(column.dictionary_page_offset().is_some(), expected.dictionary_page_offset().is_some());
            let (own_pages, their_pages) = (
                &ours.offset_index().unwrap()[0][at].page_locations,
                &theirs.offset_index().unwrap()[0][at].page_locations,
            );
            let first_rows = |pages: &[PageLocation]| {
                pages.iter().map(|page| page.first_row_index).collect::<Vec<_>>()
            };
            if let (Some(index), Some(own)) = (theirs.column_index(), ours.column_index())
                && wanted.statistics == EnabledStatistics::Page
                && first_rows(own_pages) == first_rows(their_pages)
            {
                let (own, their) = (&own[0][at], &index[0][at]);
                // It counts NULLs against rows, of which those of an array may have several.
                if column.column_descr().max_rep_level() > 0 {
                    continue;
                }
                prop_assert_eq!(own.get_boundary_order(), their.get_boundary_order());
                prop_assert_eq!(own.null_counts(), their.null_counts());
                for page in 0..own_pages.len() {
                    prop_assert_eq!(own.is_null_page(page), their.is_null_page(page));
                }
                if let (ColumnIndexMetaData::BYTE_ARRAY(own), ColumnIndexMetaData::BYTE_ARRAY(their)) = (own, their) {
                    let bounds = |index: &ByteArrayColumnIndex, page: usize| {
                        (index.min_value(page).map(<[u8]>::to_vec), index.max_value(page).map(<[u8]>::to_vec))
                    };
                    for page in 0..own_pages.len() {
                        prop_assert_eq!(bounds(own, page), bounds(their, page), "{} page {}", &path, page);
                    }
                }
            }
            if let Some((_, texts)) = values.iter().find(|(name, _)| *name == path) {
                let filter = filters[at].as_ref().unwrap();
                for text in texts {
                    prop_assert!(filter.check(text.as_bytes()), "{} {}", &path, text);
                }
            }
        }
    }
}
