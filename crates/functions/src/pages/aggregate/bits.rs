//! Aggregates of bits: `bitwise_*_agg` and `checksum`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, not_impl_err};
use datafusion_expr::Accumulator;

use super::udaf::Setup;
use crate::columns::Resolved;
use crate::pages::binary::xxh64;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    (t.is_integer() || t.is_null()).then(|| (vec![DataType::Int64], DataType::Int64))
}

pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![DataType::Int64]
}

pub(super) fn make_and(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Fold { value: None, combine: |a, b| a & b }))
}

pub(super) fn make_or(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Fold { value: None, combine: |a, b| a | b }))
}

pub(super) fn make_xor(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Fold { value: None, combine: |a, b| a ^ b }))
}

#[derive(Debug)]
struct Fold {
    value: Option<i64>,
    combine: fn(i64, i64) -> i64,
}

impl Accumulator for Fold {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for v in columns[0].as_primitive::<Int64Type>().iter().flatten() {
            self.value = Some(self.value.map_or(v, |held| (self.combine)(held, v)));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(self.value))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

pub(super) fn checksum_types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    let t = match t {
        t if crate::types::is_varchar(t) => DataType::Utf8View,
        t if crate::columns::is_binary(t) => DataType::Binary,
        t => t.clone(),
    };
    Some((vec![t], DataType::Binary))
}

pub(super) fn make_checksum(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Checksum { sum: None }))
}

/// The sum of the values' hashes, which no order of rows changes.
#[derive(Debug)]
struct Checksum {
    sum: Option<i64>,
}

/// The multiplier that keeps equal hashes of different rows apart; also what NULL counts as.
const PRIME: i64 = 0x9E37_79B1_85EB_CA87_u64 as i64;

impl Accumulator for Checksum {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let column = &columns[0];
        let mut add = |row: usize, bytes: &[u8]| {
            let hash = if column.is_valid(row) { (xxh64(bytes) as i64).wrapping_mul(PRIME) } else { PRIME };
            self.sum = Some(self.sum.unwrap_or(0).wrapping_add(hash));
        };
        match column.data_type() {
            DataType::Null => (0..column.len()).for_each(|row| add(row, &[])),
            DataType::Utf8View => {
                let values = column.as_string_view();
                (0..values.len()).for_each(|row| add(row, values.value(row).as_bytes()));
            }
            DataType::Binary => {
                let values = column.as_binary::<i32>();
                (0..values.len()).for_each(|row| add(row, values.value(row)));
            }
            DataType::Boolean => {
                let values = column.as_boolean();
                (0..values.len()).for_each(|row| add(row, &i64::from(values.value(row)).to_le_bytes()));
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>();
                (0..values.len()).for_each(|row| add(row, &(values.value(row) + 0.0).to_bits().to_le_bytes()));
            }
            DataType::Float32 => {
                let values = column.as_primitive::<Float32Type>();
                (0..values.len()).for_each(|row| {
                    add(row, &i64::from((values.value(row) + 0.0).to_bits() as i32).to_le_bytes());
                });
            }
            t if t.is_integer() || t.is_temporal() => {
                let whole = match t {
                    DataType::Date32 => cast(column, &DataType::Int32)?,
                    _ => std::sync::Arc::clone(column),
                };
                let values = cast(&whole, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                (0..values.len()).for_each(|row| add(row, &values.value(row).to_le_bytes()));
            }
            t => return not_impl_err!("NOT_SUPPORTED: checksum of {t}; cast it to varchar first"),
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for more in states[0].as_primitive::<Int64Type>().iter().flatten() {
            self.sum = Some(self.sum.unwrap_or(0).wrapping_add(more));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(self.sum.map(|s| s.to_le_bytes().to_vec())))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Int64(self.sum)])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
