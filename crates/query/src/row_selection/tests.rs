#![allow(clippy::unwrap_used)]

use std::ops::Range;

use arrow::array::{BooleanArray, StringViewArray, StructArray};
use arrow::compute::filter_record_batch;
use datafusion::common::DFSchema;
use datafusion::prelude::{SessionContext, col, lit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;

use super::chunk::{Chunk, Found};
use super::*;

/// A name, a flag, and a name inside a row.
type Row = (Option<String>, Option<bool>, Option<Option<String>>);

fn batch(rows: &[Row]) -> RecordBatch {
    let inner: StringViewArray = rows.iter().map(|row| row.2.clone().flatten()).collect();
    let field = Arc::new(Field::new("arn", DataType::Utf8View, true));
    let there = rows.iter().map(|row| row.2.is_some()).collect::<Vec<_>>().into();
    let identity = StructArray::new(vec![Arc::clone(&field)].into(), vec![Arc::new(inner)], Some(there));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("name", Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringViewArray>())),
        ("flag", Arc::new(rows.iter().map(|row| row.1).collect::<BooleanArray>())),
        ("identity", Arc::new(identity)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn physical(expression: datafusion::prelude::Expr, schema: &Schema) -> Arc<dyn PhysicalExpr> {
    let schema = DFSchema::try_from(schema.clone()).unwrap();
    SessionContext::new().create_physical_expr(expression, &schema).unwrap()
}

fn conditions() -> Vec<datafusion::prelude::Expr> {
    let arn = || datafusion::functions::core::expr_fn::get_field(col("identity"), "arn");
    vec![
        col("name").eq(lit("a")),
        col("name").not_eq(lit("a")),
        col("name").is_null(),
        col("name").is_not_null(),
        col("name").in_list(vec![lit("b"), lit("c")], false),
        col("name").like(lit("%b%")).or(col("name").is_null()),
        col("flag").is_true(),
        col("flag"),
        !col("flag"),
        col("flag").is_null(),
        arn().eq(lit("a")),
        arn().is_null(),
        arn().is_not_null(),
    ]
}

fn write(batch: &RecordBatch, dictionary: bool, compression: Compression) -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(dictionary)
        .set_compression(compression)
        .set_data_page_row_count_limit(16)
        .set_write_batch_size(8)
        .build();
    let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file
}

fn find(file: &std::fs::File, condition: &Condition, of: Option<&[Range<usize>]>) -> Found {
    let reader = SerializedFileReader::new(file.try_clone().unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let column = group.columns().iter().find(|column| column.column_path().parts() == condition.path).unwrap();
    let mut bytes = 0;
    let size = file.metadata().unwrap().len();
    let rows = usize::try_from(group.num_rows()).unwrap();
    let cache = ChunkCache::new(1 << 20);
    Chunk { file, size, metadata: column, rows, cache: (&cache, "file"), bytes: &mut bytes }.find(condition, of)
}

fn rows_of(found: Found, rows: usize) -> Option<Vec<bool>> {
    let ranges = match found {
        Found::All => std::iter::once(0..rows).collect(),
        Found::Rows(ranges) => ranges,
        Found::Unknown => return None,
    };
    assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start), "{ranges:?}");
    assert!(ranges.iter().all(|range| range.start < range.end && range.end <= rows), "{ranges:?}");
    Some((0..rows).map(|row| ranges.iter().any(|range| range.contains(&row))).collect())
}

fn expected(batch: &RecordBatch, expression: &Arc<dyn PhysicalExpr>) -> Vec<bool> {
    let holds = expression.evaluate(batch).unwrap().into_array(batch.num_rows()).unwrap();
    holds.as_boolean().iter().map(|holds| holds == Some(true)).collect()
}

fn runs() -> impl Strategy<Value = Vec<Row>> {
    let text =
        || prop::option::weighted(0.8, prop::sample::select(vec!["a", "b", "c", "abc", ""]).prop_map(str::to_owned));
    let row = (text(), prop::option::weighted(0.9, any::<bool>()), prop::option::weighted(0.8, text()));
    prop::collection::vec((row, 1..30_usize), 1..20)
        .prop_map(|runs| runs.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rows_are_those_of_the_row_filter(rows in runs(), compressed in any::<bool>(), from in 0..200_usize, length in 1..100_usize) {
        let batch = batch(&rows);
        let file = write(&batch, true, if compressed { Compression::SNAPPY } else { Compression::UNCOMPRESSED });
        for expression in conditions() {
            let expression = physical(expression, &batch.schema());
            let condition = Condition::of(&expression, &batch.schema()).unwrap();
            let expected = expected(&batch, &expression);
            prop_assert_eq!(rows_of(find(&file, &condition, None), rows.len()), Some(expected.clone()), "{}", expression);
            // Of rows outside what is asked for nothing has to be right but that they are rows.
            let of = from.min(rows.len() - 1)..(from + length).min(rows.len()).max(from.min(rows.len() - 1) + 1);
            let found = rows_of(find(&file, &condition, Some(std::slice::from_ref(&of))), rows.len()).unwrap();
            prop_assert_eq!(&found[of.clone()], &expected[of], "{}", expression);
        }
    }

    #[test]
    fn damaged_chunks_are_unknown_or_wrong_but_no_panic(rows in runs(), at in 4..4000_u64, byte in any::<u8>()) {
        use std::io::{Seek, SeekFrom, Write};
        let batch = batch(&rows);
        let file = write(&batch, true, Compression::UNCOMPRESSED);
        let reader = SerializedFileReader::new(file.try_clone().unwrap()).unwrap();
        let data: u64 = reader.metadata().row_group(0).columns().iter().map(|column| column.byte_range().1).sum();
        let mut damaged = file.try_clone().unwrap();
        damaged.seek(SeekFrom::Start(4 + at % data)).unwrap();
        damaged.write_all(&[byte]).unwrap();
        for expression in conditions() {
            let condition = Condition::of(&physical(expression, &batch.schema()), &batch.schema()).unwrap();
            find(&file, &condition, None);
        }
    }
}

#[test]
fn chunks_without_dictionaries_are_unknown() {
    let rows: Vec<Row> = (0..40).map(|n| (Some(n.to_string()), Some(n % 2 > 0), None)).collect();
    let batch = batch(&rows);
    let file = write(&batch, false, Compression::UNCOMPRESSED);
    let condition = |expression| Condition::of(&physical(expression, &batch.schema()), &batch.schema()).unwrap();
    assert_eq!(find(&file, &condition(col("name").eq(lit("7"))), None), Found::Unknown);
    let odd = rows_of(find(&file, &condition(col("flag")), None), 40).unwrap();
    assert_eq!(odd, (0..40).map(|n| n % 2 > 0).collect::<Vec<_>>(), "booleans have no dictionaries");
}

#[test]
fn conditions_are_on_one_column_of_text_or_booleans() {
    let batch = batch(&[(None, None, None)]);
    let of = |expression| Condition::of(&physical(expression, &batch.schema()), &batch.schema());
    let arn = of(datafusion::functions::core::expr_fn::get_field(col("identity"), "arn").eq(lit("x"))).unwrap();
    assert_eq!(arn.path, ["identity", "arn"]);
    assert!(of(col("name").eq(lit("a")).or(col("name").eq(lit("b")))).is_some());
    for other in [
        col("name").eq(lit("a")).or(col("flag")),
        col("name").eq(datafusion::functions::core::expr_fn::get_field(col("identity"), "arn")),
        col("identity").is_null(),
        lit(true),
        datafusion::functions::math::expr_fn::random().gt(lit(0.5)).and(col("flag")),
    ] {
        assert!(of(other.clone()).is_none(), "{other}");
    }
    let kept = filter_record_batch(
        &batch,
        &BooleanArray::from(expected(&batch, &physical(col("name").is_null(), &batch.schema()))),
    );
    assert_eq!(kept.unwrap().num_rows(), 1);
}
