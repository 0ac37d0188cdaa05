//! Lists in one encoding, and what many array functions share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
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

/// A list under construction whose elements are taken from those of other lists.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    indices: Vec<Option<u64>>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
    open: usize,
}

impl Picked {
    /// Adds an element of the source; None adds NULL.
    pub(crate) fn push(&mut self, index: Option<usize>) {
        self.indices.push(index.map(|i| i as u64));
    }

    /// Ends a row that holds all elements since the last one.
    pub(crate) fn end(&mut self) {
        self.lengths.push(self.indices.len() - self.open);
        self.open = self.indices.len();
        self.valid.push(true);
    }

    /// Ends a row that is NULL.
    pub(crate) fn null(&mut self) {
        self.indices.truncate(self.open);
        self.lengths.push(0);
        self.valid.push(false);
    }

    /// The list; its elements come from `source`.
    pub(crate) fn finish(self, source: &ArrayRef) -> Result<ListArray> {
        let indices = UInt64Array::from(self.indices);
        let values = arrow::compute::take(source, &indices, None)?;
        list(values, self.lengths, self.valid)
    }
}

/// A list of the given elements, split by lengths.
pub(crate) fn list(values: ArrayRef, lengths: Vec<usize>, valid: Vec<bool>) -> Result<ListArray> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
    Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, nulls)?)
}

/// Whether a value is NULL; an array of Arrow's null type has no validity mask that says so.
pub(crate) fn is_null(array: &ArrayRef, row: usize) -> bool {
    array.data_type() == &DataType::Null || array.is_null(row)
}
