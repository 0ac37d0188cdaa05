//! A table for tests: who (`Utf8View`), when (`at`, `Int64`), and a number of the row (`n`, `Int64`).

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;

/// Who and when.
pub(crate) type Row = (Option<String>, Option<i64>);

/// Batches of so many rows, in parts that are read side by side.
pub(crate) fn table(rows: &[Row], of_a_batch: usize, parts: usize) -> Arc<MemTable> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("who", DataType::Utf8View, true),
        Field::new("at", DataType::Int64, true),
        Field::new("n", DataType::Int64, false),
    ]));
    let batch = |(number, rows): (usize, &[Row])| {
        let numbers = (0..rows.len()).map(|row| (number * of_a_batch + row) as i64);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringViewArray>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            Arc::new(Int64Array::from_iter_values(numbers)),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let batches: Vec<_> = rows.chunks(of_a_batch).enumerate().map(batch).collect();
    let parts = batches.chunks(batches.len().div_ceil(parts)).map(<[RecordBatch]>::to_vec).collect();
    Arc::new(MemTable::try_new(Arc::clone(&schema), parts).unwrap())
}
