//! Lists in one encoding, and what many array functions share.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::scalar::mismatch;
use crate::types;

/// Any list encoding as `List`.
pub(crate) fn as_list(array: &ArrayRef) -> Result<ListArray> {
    match array.data_type() {
        DataType::List(_) => Ok(array.as_list::<i32>().clone()),
        other => match types::element(other) {
            Some(field) => Ok(arrow::compute::cast(array, &DataType::List(field.clone()))?.as_list::<i32>().clone()),
            None => mismatch(format!("expected an array, got {}", types::trino_name(other))),
        },
    }
}

/// Start and end of a row's elements.
pub(crate) fn bounds(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}
