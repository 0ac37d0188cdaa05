//! Random numbers.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::Result;
use rand::Rng;

use crate::columns::{Call, Resolved, invalid, known};

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let fits = actual.len() <= 2 && actual.iter().all(|t| t.is_integer() || t.is_null());
    let returns = if actual.is_empty() { DataType::Float64 } else { DataType::Int64 };
    fits.then(|| (vec![DataType::Int64; actual.len()], returns))
}

/// A number in [0, 1), in [0, n) or in [m, n).
pub(super) fn random(call: &Call) -> Result<ArrayRef> {
    let mut rng = rand::rng();
    match call.len() {
        0 => call.numbers::<Float64Type>(|_| Ok(Some(rng.random()))),
        1 => {
            let bound = call.bigint(0)?;
            call.numbers::<Int64Type>(|i| {
                let bound = known!(bound.get(i));
                if bound <= 0 {
                    return Err(invalid("bound must be positive"));
                }
                Ok(Some(rng.random_range(0..bound)))
            })
        }
        _ => {
            let (start, stop) = (call.bigint(0)?, call.bigint(1)?);
            call.numbers::<Int64Type>(|i| {
                let (start, stop) = (known!(start.get(i)), known!(stop.get(i)));
                if start >= stop {
                    return Err(invalid("start value must be less than stop value"));
                }
                Ok(Some(rng.random_range(start..stop)))
            })
        }
    }
}
