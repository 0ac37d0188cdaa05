//! Values whose order is that of a 64-bit number: times, dates and integers.

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;

/// Whether values of a type can be compared as numbers.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Timestamp(..) | DataType::Int64 | DataType::Int32 | DataType::Date32 | DataType::Date64
    )
}

/// The numbers of values of such a type.
///
/// # Errors
/// For other types.
pub(crate) fn numbers(values: &ArrayRef) -> Result<Int64Array> {
    let numbers = match values.data_type() {
        DataType::Date32 => cast(&cast(values, &DataType::Int32)?, &DataType::Int64)?,
        _ => cast(values, &DataType::Int64)?,
    };
    Ok(numbers.as_primitive::<Int64Type>().clone())
}
