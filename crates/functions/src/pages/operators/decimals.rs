//! Decimals: precision and scale of a result, and its value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder};
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion_common::{Result, plan_err};

use super::{Op, out_of_range};
use crate::scalar::fail;

/// The type of a result, as Trino's decimal operators give it.
pub(super) fn result(op: Op, (p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> Result<DataType> {
    let (p1, p2) = (i16::from(p1), i16::from(p2));
    let (s1, s2) = (i16::from(s1), i16::from(s2));
    let scale = s1.max(s2);
    let (precision, scale) = match op {
        Op::Add | Op::Subtract => ((p1 - s1).max(p2 - s2) + scale + 1, scale),
        Op::Multiply => (p1 + p2, s1 + s2),
        Op::Divide => (p1 + s2 + (s2 - s1).max(0), scale),
        Op::Modulus => ((p1 - s1).min(p2 - s2) + scale, scale),
    };
    if scale > 38 {
        return plan_err!("INVALID_FUNCTION_ARGUMENT: DECIMAL scale must be in range [0, 38], got {scale}");
    }
    Ok(DataType::Decimal128(precision.clamp(1, 38) as u8, scale as i8))
}

fn widen(v: i128, shift: i16) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(shift).ok()?)?.checked_mul(i256::from_i128(v))
}

/// Computes row by row in 256 bits.
pub(super) fn compute(op: Op, left: &ArrayRef, right: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2), DataType::Decimal128(p, s)) =
        (left.data_type(), right.data_type(), to)
    else {
        return plan_err!("TYPE_MISMATCH: expected decimals");
    };
    let (s1, s2, s) = (i16::from(*s1), i16::from(*s2), i16::from(*s));
    let (a, b) = (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
    let limit = 10_i128.pow(u32::from(*p));
    let mut out = Decimal128Builder::with_capacity(a.len()).with_data_type(to.clone());
    for i in 0..a.len() {
        if a.is_null(i) || b.is_null(i) {
            out.append_null();
            continue;
        }
        let (x, y) = (a.value(i), b.value(i));
        if y == 0 && matches!(op, Op::Divide | Op::Modulus) {
            return fail("DIVISION_BY_ZERO", "Division by zero");
        }
        let exact = match op {
            Op::Add | Op::Subtract | Op::Modulus => {
                widen(x, s - s1).zip(widen(y, s - s2)).and_then(|(x, y)| match op {
                    Op::Add => x.checked_add(y),
                    Op::Subtract => x.checked_sub(y),
                    _ => x.checked_rem(y),
                })
            }
            Op::Multiply => i256::from_i128(x).checked_mul(i256::from_i128(y)),
            Op::Divide => widen(x, s - s1 + s2).and_then(|x| divide(x, i256::from_i128(y))),
        };
        match exact.and_then(i256::to_i128).filter(|v| v.abs() < limit) {
            Some(v) => out.append_value(v),
            None => return out_of_range("Decimal overflow"),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Rounded half away from zero.
fn divide(x: i256, y: i256) -> Option<i256> {
    let quotient = x.checked_div(y)?;
    let remainder = x.checked_rem(y)?;
    let twice = remainder.wrapping_abs().checked_mul(i256::from_i128(2))?;
    if twice < y.wrapping_abs() {
        return Some(quotient);
    }
    let step = if x.is_negative() == y.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    quotient.checked_add(step)
}
