#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, MapArray, StringViewArray, StructArray,
    TimestampMillisecondArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::record_batch::RecordBatch;
use cloudtarn_functions::types::{array_of, map_of};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;

use super::column::{ChunkOf, has_known_encodings};
use super::ranges::Ranges;
use super::reader::{Reader, columns_of};
use super::*;

/// Text, a time, a flag, a number, text inside a row inside a row, keys and values of a map.
type Row = (Option<String>, Option<i64>, Option<bool>, i64, Option<Option<Option<String>>>, Pairs);

type Pairs = Option<Vec<(String, Option<String>)>>;

/// The entries of all rows, and where those of each end.
fn entries(rows: &[Row]) -> (Vec<ArrayRef>, OffsetBuffer<i32>, Option<NullBuffer>) {
    let pairs = || rows.iter().filter_map(|row| row.5.as_ref()).flatten();
    let keys: StringViewArray = pairs().map(|(key, _)| Some(key)).collect();
    let values: StringViewArray = pairs().map(|(_, value)| value.as_ref()).collect();
    let lengths = rows.iter().map(|row| row.5.as_ref().map_or(0, Vec::len));
    let valid = rows.iter().map(|row| row.5.is_some()).collect::<Vec<_>>();
    (vec![Arc::new(keys), Arc::new(values)], OffsetBuffer::from_lengths(lengths), Some(valid.into()))
}

/// A map, and an array of rows that have the same in two fields, or are NULL where the first is empty.
fn nested(rows: &[Row]) -> [(&'static str, ArrayRef, bool); 2] {
    let (columns, offsets, valid) = entries(rows);
    let (map, list) = nested_types();
    let (DataType::Map(pair, _), DataType::List(row)) = (map, list) else { unreachable!() };
    let (DataType::Struct(of_pair), DataType::Struct(of_row)) = (pair.data_type(), row.data_type()) else {
        unreachable!()
    };
    let are_rows: Vec<bool> = columns[0].as_string_view().iter().map(|key| key != Some("")).collect();
    let pairs = StructArray::new(of_pair.clone(), columns.clone(), None);
    let elements = StructArray::new(of_row.clone(), columns, Some(are_rows.into()));
    let map = MapArray::new(Arc::clone(&pair), offsets.clone(), pairs, valid.clone(), false);
    let list = ListArray::new(Arc::clone(&row), offsets, Arc::new(elements), valid);
    [("parameters", Arc::new(map), true), ("resources", Arc::new(list), true)]
}

fn nested_types() -> (DataType, DataType) {
    let field = |name: &str| Field::new(name, DataType::Utf8View, true);
    let row = DataType::Struct(vec![field("type"), field("arn")].into());
    (map_of(DataType::Utf8View, DataType::Utf8View), array_of(row))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let within = |name, inner: ArrayRef, valid: Vec<bool>| -> ArrayRef {
        Arc::new(StructArray::new(vec![field(name, &inner)].into(), vec![inner], Some(valid.into())))
    };
    let arn: StringViewArray = rows.iter().map(|row| row.4.clone().flatten().flatten()).collect();
    let inner = rows.iter().map(|row| row.4.as_ref().is_some_and(Option::is_some)).collect();
    let outer = rows.iter().map(|row| row.4.is_some()).collect();
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("name", Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringViewArray>()), true),
        ("time", Arc::new(rows.iter().map(|row| row.1).collect::<TimestampMillisecondArray>()), true),
        ("flag", Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()), true),
        ("number", Arc::new(rows.iter().map(|row| row.3).collect::<Int64Array>()), false),
        ("identity", within("issuer", within("arn", Arc::new(arn), inner), outer), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().chain(nested(rows))).unwrap()
}

fn leaves() -> Vec<(Vec<&'static str>, DataType)> {
    vec![
        (vec!["name"], DataType::Utf8View),
        (vec!["time"], DataType::Timestamp(TimeUnit::Millisecond, None)),
        (vec!["flag"], DataType::Boolean),
        (vec!["number"], DataType::Int64),
        (vec!["identity", "issuer", "arn"], DataType::Utf8View),
        (vec!["parameters", "entries", "key"], nested_types().0),
        (vec!["parameters", "entries", "key"], array_of(DataType::Utf8View)),
        (vec!["parameters", "entries", "value"], array_of(DataType::Utf8View)),
        (vec!["resources", "list", "item", "arn"], array_of(DataType::Utf8View)),
    ]
}

/// Lists are read where there is an index of pages.
fn is_read(data_type: &DataType, layout: &Layout) -> bool {
    layout.page_index || !data_type.is_nested()
}

#[derive(Debug, Clone)]
struct Layout {
    dictionary: bool,
    delta: bool,
    version: WriterVersion,
    compression: Compression,
    page_index: bool,
}

fn layouts() -> impl Strategy<Value = Layout> {
    let version = prop::sample::select(vec![WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]);
    let compression = prop::sample::select(vec![Compression::UNCOMPRESSED, Compression::SNAPPY]);
    (any::<bool>(), any::<bool>(), version, compression, any::<bool>()).prop_map(
        |(dictionary, delta, version, compression, page_index)| Layout {
            dictionary,
            delta,
            version,
            compression,
            page_index,
        },
    )
}

fn write(batch: &RecordBatch, layout: &Layout) -> File {
    let file = tempfile::tempfile().unwrap();
    let mut properties = WriterProperties::builder()
        .set_writer_version(layout.version)
        .set_dictionary_enabled(layout.dictionary)
        .set_dictionary_page_size_limit(64)
        .set_compression(layout.compression)
        .set_data_page_row_count_limit(16)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(!layout.page_index)
        .set_write_batch_size(8);
    // What the second version of the format would choose for numbers is not written by us.
    for name in ["time", "number"] {
        properties = properties.set_column_encoding(ColumnPath::from(name), Encoding::PLAIN);
    }
    properties = properties.set_column_encoding(ColumnPath::from("flag"), Encoding::PLAIN);
    let text = if layout.delta { Encoding::DELTA_LENGTH_BYTE_ARRAY } else { Encoding::PLAIN };
    for (path, _) in
        leaves().into_iter().filter(|(_, data_type)| data_type.is_nested() || *data_type == DataType::Utf8View)
    {
        let path = path.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>();
        properties = properties.set_column_encoding(ColumnPath::new(path), text);
    }

    let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file
}

/// The columns of a file at some rows.
fn read(file: &File, rows: &[Vec<Range<usize>>], dense: bool) -> Vec<Result<Vec<ArrayRef>, String>> {
    let footer = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(file);
    let Ok(footer) = footer else { return Vec::new() };
    let group = footer.row_group(0);
    let columns = footer.file_metadata().schema_descr().columns();
    let size = file.metadata().unwrap().len();
    let cache = ChunkCache::new(1 << 20);
    let read_column = |(path, data_type): (Vec<&str>, DataType)| {
        let index = columns.iter().position(|column| column.path().parts() == path).unwrap();
        let count = columns_of(columns, index, &data_type).unwrap();
        if !group.columns()[index..index + count].iter().all(has_known_encodings) {
            return Err("not read here".to_owned());
        }
        let pages = footer.offset_index().and_then(|index| index.first());
        let (opened, read) = (Arc::new(file.try_clone().unwrap()), Count::new());
        let chunk = |column: usize| ChunkOf {
            file: &opened,
            name: "file",
            cache: &cache,
            size,
            metadata: group.column(column),
            pages: pages.and_then(|pages| pages.get(column)).map(|pages| pages.page_locations.as_slice()),
            rows: group.num_rows() as usize,
            dense,
            read: &read,
        };
        let mut column = Reader::open(&data_type, index, chunk).map_err(|error| error.to_string())?;
        rows.iter().map(|rows| column.read(rows).map_err(|error| error.to_string())).collect()
    };
    leaves().into_iter().map(read_column).collect()
}

/// The same by the `parquet` crate.
fn expected(file: &File, rows: &[Vec<Range<usize>>]) -> Vec<Vec<ArrayRef>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.try_clone().unwrap()).unwrap().with_batch_size(1 << 20);
    let batch = builder.build().unwrap().next().unwrap().unwrap();
    let of = |(path, data_type): (Vec<&str>, DataType)| {
        let mut array = Arc::clone(batch.column_by_name(path[0]).unwrap());
        let lists = data_type.is_nested() && *array.data_type() != data_type;
        if lists {
            array = elements(&array, path[path.len() - 1]);
        }
        for name in path[1..].iter().filter(|_| !data_type.is_nested()) {
            let (fields, columns, nulls) = array.as_struct().clone().into_parts();
            let index = fields.iter().position(|field| field.name() == name).unwrap();
            // What is inside a row that is NULL is NULL.
            let nulls = NullBuffer::union(nulls.as_ref(), columns[index].nulls());
            array = arrow::array::make_array(columns[index].to_data().into_builder().nulls(nulls).build().unwrap());
        }
        let at = |rows: &Vec<Range<usize>>| {
            let rows: UInt64Array = rows.iter().flat_map(|range| range.clone().map(|row| row as u64)).collect();
            take(&array, &rows, None).unwrap()
        };
        rows.iter().map(at).collect()
    };
    leaves().into_iter().map(of).collect()
}

/// Of a map its keys or its values, of an array of rows their field.
fn elements(array: &ArrayRef, name: &str) -> ArrayRef {
    let (offsets, nulls, rows) = match array.data_type() {
        DataType::Map(..) => {
            let map = array.as_map();
            (map.offsets().clone(), map.nulls().cloned(), map.entries())
        }
        _ => {
            let list = array.as_list::<i32>();
            (list.offsets().clone(), list.nulls().cloned(), list.values().as_struct())
        }
    };
    let of = rows.column_by_name(name).unwrap();
    let valid = NullBuffer::union(rows.nulls(), of.nulls());
    let of = arrow::array::make_array(of.to_data().into_builder().nulls(valid).build().unwrap());
    Arc::new(ListArray::new(Arc::new(Field::new_list_field(DataType::Utf8View, true)), offsets, of, nulls))
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = || {
        let values = vec![
            "a",
            "b",
            "",
            "abcdefghijkl",
            "abcdefghijklm",
            "arn:aws:iam::123456789012:user/né",
            "日本語の文章です",
        ];
        let few = prop::sample::select(values).prop_map(str::to_owned);
        prop_oneof![few, "[a-z]{0,20}"]
    };
    let row = (
        prop::option::weighted(0.8, text()),
        prop::option::weighted(0.9, -5..5_i64),
        prop::option::weighted(0.7, any::<bool>()),
        any::<i64>(),
        prop::option::weighted(0.8, prop::option::weighted(0.8, prop::option::weighted(0.8, text()))),
        prop::option::weighted(0.8, prop::collection::vec((text(), prop::option::weighted(0.8, text())), 0..4)),
    );
    prop::collection::vec((row, 1..12_usize), 1..40)
        .prop_map(|runs| runs.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count)).collect())
}

/// Which rows are asked for, in several calls, by a flag for each row.
fn calls(wanted: &[bool], rows: usize, cut: usize) -> Vec<Vec<Range<usize>>> {
    let mut ranges = Ranges::default();
    for row in (0..rows).filter(|row| wanted[row % wanted.len()]) {
        ranges.push(row..row + 1);
    }
    let mut calls = Vec::new();
    while ranges.rows > 0 {
        calls.push(ranges.take(cut));
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn values_are_those_that_the_parquet_crate_reads(
        rows in rows(),
        layout in layouts(),
        wanted in prop::collection::vec(any::<bool>(), 1..100),
        cut in 1..200_usize,
        dense in any::<bool>(),
    ) {
        let file = write(&batch(&rows), &layout);
        for calls in [calls(&wanted, rows.len(), cut), calls(&[true], rows.len(), cut)] {
            let found = read(&file, &calls, dense);
            let expected = expected(&file, &calls);
            for ((found, expected), (path, data_type)) in found.into_iter().zip(expected).zip(leaves()) {
                if !is_read(&data_type, &layout) {
                    prop_assert!(found.is_err() || calls.is_empty());
                    continue;
                }
                let found = found.unwrap();
                prop_assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    found.to_data().validate_full().unwrap();
                    prop_assert_eq!(found, expected, "{:?}", path);
                }
            }
        }
    }

    #[test]
    fn damaged_chunks_are_errors_or_wrong_but_no_panic(
        rows in rows(),
        layout in layouts(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        dense in any::<bool>(),
    ) {
        let file = write(&batch(&rows), &Layout { compression: Compression::UNCOMPRESSED, ..layout });
        let reader = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        let data: u64 = reader.row_group(0).columns().iter().map(|column| column.byte_range().1).sum();
        for (at, byte) in damages {
            let mut damaged = &file;
            damaged.seek(SeekFrom::Start(4 + at.index(data as usize) as u64)).unwrap();
            damaged.write_all(&[byte]).unwrap();
        }
        let odd: Vec<bool> = (0..rows.len()).map(|row| row % 3 == 1).collect();
        for calls in [calls(&[true], rows.len(), 50), calls(&odd, rows.len(), 7)] {
            for column in read(&file, &calls, dense).into_iter().flatten().flatten() {
                column.to_data().validate_full().unwrap();
            }
        }
    }
}

#[test]
fn few_values_of_a_large_page_hold_little() {
    let long = |row: usize| Some(format!("{row:0>10000}"));
    let rows: Vec<Row> = (0..100).map(|row| (long(row), None, None, 0, None, None)).collect();
    let layout = Layout {
        dictionary: false,
        delta: false,
        version: WriterVersion::PARQUET_1_0,
        compression: Compression::UNCOMPRESSED,
        page_index: true,
    };
    let file = write(&batch(&rows), &layout);
    let wanted = [vec![3..4, 50..51, 99..100]];
    let names = read(&file, &wanted, false).swap_remove(0).unwrap().swap_remove(0);
    assert_eq!(
        names.as_string_view().iter().map(|name| name.map(str::to_owned)).collect::<Vec<_>>(),
        [long(3), long(50), long(99)]
    );
    assert!(names.get_buffer_memory_size() < 40_000, "{}", names.get_buffer_memory_size());
    let all = read(&file, &calls(&[true], 100, 100), true).swap_remove(0).unwrap().swap_remove(0);
    assert_eq!(all.len(), 100);
}

#[test]
fn ranges_are_taken_in_order() {
    let selection = RowSelection::from(vec![
        RowSelector::skip(2),
        RowSelector::select(5),
        RowSelector::skip(1),
        RowSelector::select(1),
    ]);
    let mut ranges = Ranges::of(&selection);
    assert_eq!((ranges.rows, ranges.last()), (6, 9));
    assert_eq!(ranges.take(3), std::iter::once(2..5).collect::<Vec<_>>());
    assert_eq!(ranges.take(3), [5..7, 8..9]);
    assert_eq!((ranges.rows, ranges.take(3)), (0, vec![]));
}
