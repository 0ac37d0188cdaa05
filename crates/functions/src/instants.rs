//! Timestamps and times of day as plain 64-bit integers in their own unit, and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion_common::Result;

use crate::scalar::mismatch;

/// The values of a timestamp array, in its unit since 1970-01-01 UTC, without copying.
pub(crate) fn timestamps(array: &ArrayRef) -> Result<Int64Array> {
    fn of<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Int64Array {
        let array = array.as_primitive::<T>();
        Int64Array::new(array.values().clone(), array.nulls().cloned())
    }
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => of::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => of::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => of::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => of::<TimestampNanosecondType>(array),
        other => {
            return mismatch(format!("expected a timestamp, got {}", crate::types::trino_name(other)));
        }
    })
}

/// A timestamp array of the given type from values in its unit.
pub(crate) fn to_timestamps(values: &Int64Array, to: &DataType) -> Result<ArrayRef> {
    fn of<T: arrow::datatypes::ArrowTimestampType>(values: &Int64Array, zone: Option<Arc<str>>) -> ArrayRef {
        let array = PrimitiveArray::<T>::new(values.values().clone(), values.nulls().cloned());
        Arc::new(array.with_timezone_opt(zone))
    }
    Ok(match to {
        DataType::Timestamp(TimeUnit::Second, z) => of::<TimestampSecondType>(values, z.clone()),
        DataType::Timestamp(TimeUnit::Millisecond, z) => of::<TimestampMillisecondType>(values, z.clone()),
        DataType::Timestamp(TimeUnit::Microsecond, z) => of::<TimestampMicrosecondType>(values, z.clone()),
        DataType::Timestamp(TimeUnit::Nanosecond, z) => of::<TimestampNanosecondType>(values, z.clone()),
        other => {
            return mismatch(format!("expected a timestamp, got {}", crate::types::trino_name(other)));
        }
    })
}

/// The values of a time-of-day array, in its unit since midnight, and the unit.
pub(crate) fn times(array: &ArrayRef) -> Result<(Int64Array, TimeUnit)> {
    fn of<T: ArrowPrimitiveType>(array: &ArrayRef) -> Int64Array
    where
        i64: From<T::Native>,
    {
        array.as_primitive::<T>().unary(i64::from)
    }
    Ok(match array.data_type() {
        DataType::Time32(u @ TimeUnit::Second) => (of::<Time32SecondType>(array), *u),
        DataType::Time32(u) => (of::<Time32MillisecondType>(array), *u),
        DataType::Time64(u @ TimeUnit::Microsecond) => (of::<Time64MicrosecondType>(array), *u),
        DataType::Time64(u) => (of::<Time64NanosecondType>(array), *u),
        other => {
            return mismatch(format!("expected a time, got {}", crate::types::trino_name(other)));
        }
    })
}

/// A time-of-day array of the given type from values in its unit.
pub(crate) fn to_times(values: &Int64Array, to: &DataType) -> Result<ArrayRef> {
    let narrow = || -> Int32Values { values.unary(|v| v as i32) };
    Ok(match to {
        DataType::Time32(TimeUnit::Second) => Arc::new(narrow().reinterpret_cast::<Time32SecondType>()),
        DataType::Time32(_) => Arc::new(narrow().reinterpret_cast::<Time32MillisecondType>()),
        DataType::Time64(TimeUnit::Microsecond) => Arc::new(values.reinterpret_cast::<Time64MicrosecondType>()),
        DataType::Time64(_) => Arc::new(values.reinterpret_cast::<Time64NanosecondType>()),
        other => {
            return mismatch(format!("expected a time, got {}", crate::types::trino_name(other)));
        }
    })
}

type Int32Values = arrow::array::Int32Array;
