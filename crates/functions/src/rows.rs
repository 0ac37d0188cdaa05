//! Equality and order of values of any type, by a comparable byte string for each.

use arrow::array::{Array, ArrayRef};
use arrow::compute::SortOptions;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_common::Result;

/// Byte strings whose equality and order are those of the values; NULLs are equal and come first.
pub(crate) fn encode(array: &ArrayRef) -> Result<Rows> {
    let converter = RowConverter::new(vec![SortField::new(array.data_type().clone())])?;
    Ok(converter.convert_columns(std::slice::from_ref(array))?)
}

/// Two arrays of one type, encoded alike.
pub(crate) fn encode_two(a: &ArrayRef, b: &ArrayRef) -> Result<(Rows, Rows)> {
    let converter = RowConverter::new(vec![SortField::new(a.data_type().clone())])?;
    let first = converter.convert_columns(std::slice::from_ref(a))?;
    let second = converter.convert_columns(std::slice::from_ref(b))?;
    Ok((first, second))
}

/// Byte strings for Trino's ascending order, NULLs last.
pub(crate) fn encode_sorted(array: &ArrayRef) -> Result<Rows> {
    let options = SortOptions { descending: false, nulls_first: false };
    let converter = RowConverter::new(vec![SortField::new_with_options(array.data_type().clone(), options)])?;
    Ok(converter.convert_columns(std::slice::from_ref(array))?)
}
