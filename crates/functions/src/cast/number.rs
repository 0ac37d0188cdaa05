//! Casts to boolean and to numbers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBuilder, PrimitiveBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion_common::Result;

use super::{OnError, as_text, cannot};
use crate::scalar::fail;
use crate::text;
use crate::types::Type;

/// A number or what becomes one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number<'a> {
    Boolean(bool),
    Integer(i64),
    Real(f32),
    Double(f64),
    /// Unscaled value and scale.
    Decimal(i128, i8),
    Text(&'a str),
}

/// Casts to boolean, an integer, real, double or decimal.
pub(super) fn cast(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    if array.data_type() == &to.to_arrow() {
        return Ok(array.clone());
    }
    match array.data_type() {
        DataType::Boolean => {
            let a = array.as_boolean();
            build(a.len(), |i| a.is_valid(i).then(|| Number::Boolean(a.value(i))), to, on_error)
        }
        DataType::Float32 => {
            let a = array.as_primitive::<Float32Type>();
            build(a.len(), |i| a.is_valid(i).then(|| Number::Real(a.value(i))), to, on_error)
        }
        DataType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            build(a.len(), |i| a.is_valid(i).then(|| Number::Double(a.value(i))), to, on_error)
        }
        DataType::Decimal128(_, scale) => {
            let a = array.as_primitive::<Decimal128Type>();
            build(a.len(), |i| a.is_valid(i).then(|| Number::Decimal(a.value(i), *scale)), to, on_error)
        }
        t if t.is_integer() => {
            let wide = arrow::compute::cast(array, &DataType::Int64)?;
            let a = wide.as_primitive::<Int64Type>();
            build(a.len(), |i| a.is_valid(i).then(|| Number::Integer(a.value(i))), to, on_error)
        }
        _ => {
            let texts = as_text(array)?;
            let a = texts.as_string_view();
            build(a.len(), |i| a.is_valid(i).then(|| Number::Text(a.value(i))), to, on_error)
        }
    }
}

pub(super) fn build<'a>(
    len: usize,
    get: impl Fn(usize) -> Option<Number<'a>>,
    to: &Type,
    on_error: OnError,
) -> Result<ArrayRef> {
    fn fill<'a, T: ArrowPrimitiveType>(
        len: usize,
        get: impl Fn(usize) -> Option<Number<'a>>,
        on_error: OnError,
        convert: impl Fn(Number<'a>) -> Result<T::Native>,
        data_type: DataType,
    ) -> Result<ArrayRef> {
        let mut out = PrimitiveBuilder::<T>::with_capacity(len).with_data_type(data_type);
        for i in 0..len {
            out.append_option(match get(i) {
                Some(n) => on_error.settle(convert(n))?,
                None => None,
            });
        }
        Ok(Arc::new(out.finish()))
    }
    let t = to.to_arrow();
    match to {
        Type::Boolean => {
            let mut out = BooleanBuilder::with_capacity(len);
            for i in 0..len {
                out.append_option(match get(i) {
                    Some(n) => on_error.settle(to_boolean(n, to))?,
                    None => None,
                });
            }
            Ok(Arc::new(out.finish()))
        }
        Type::Tinyint => fill::<Int8Type>(len, get, on_error, |n| narrow(to_integer(n, to)?, to), t),
        Type::Smallint => fill::<Int16Type>(len, get, on_error, |n| narrow(to_integer(n, to)?, to), t),
        Type::Integer => fill::<Int32Type>(len, get, on_error, |n| narrow(to_integer(n, to)?, to), t),
        Type::Bigint => fill::<Int64Type>(len, get, on_error, |n| to_integer(n, to), t),
        Type::Real => fill::<Float32Type>(len, get, on_error, |n| to_real(n, to), t),
        Type::Decimal(p, s) => fill::<Decimal128Type>(len, get, on_error, |n| to_decimal(n, *p, *s, to), t),
        _ => fill::<Float64Type>(len, get, on_error, |n| to_double(n, to), t),
    }
}

fn narrow<T: TryFrom<i64>>(v: i64, to: &Type) -> Result<T> {
    match T::try_from(v) {
        Ok(v) => Ok(v),
        Err(_) => fail("NUMERIC_VALUE_OUT_OF_RANGE", format!("Out of range for {to}: {v}")),
    }
}

pub(crate) fn to_boolean(n: Number<'_>, to: &Type) -> Result<bool> {
    Ok(match n {
        Number::Boolean(b) => b,
        Number::Integer(v) => v != 0,
        Number::Real(v) => v != 0.0,
        Number::Double(v) => v != 0.0,
        Number::Decimal(v, _) => v != 0,
        Number::Text(s) => {
            let is = |words: [&str; 3]| words.iter().any(|w| s.eq_ignore_ascii_case(w));
            if is(["t", "true", "1"]) {
                true
            } else if is(["f", "false", "0"]) {
                false
            } else {
                return cannot(s, to);
            }
        }
    })
}

/// To a bigint; a narrower target is checked by the caller.
pub(crate) fn to_integer(n: Number<'_>, to: &Type) -> Result<i64> {
    match n {
        Number::Boolean(b) => Ok(i64::from(b)),
        Number::Integer(v) => Ok(v),
        Number::Real(v) => float_to_integer(f64::from(v), to),
        Number::Double(v) => float_to_integer(v, to),
        Number::Decimal(v, scale) => match i64::try_from(rescale(v, scale, 0).unwrap_or(i128::MAX)) {
            Ok(v) => Ok(v),
            Err(_) => fail("NUMERIC_VALUE_OUT_OF_RANGE", format!("Out of range for {to}")),
        },
        Number::Text(s) => match s.trim().parse() {
            Ok(v) => Ok(v),
            Err(_) => cannot(s, to),
        },
    }
}

fn float_to_integer(v: f64, to: &Type) -> Result<i64> {
    if v.is_nan() {
        return cannot("NaN", to);
    }
    let rounded = v.round();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        Ok(rounded as i64)
    } else {
        fail("NUMERIC_VALUE_OUT_OF_RANGE", format!("Out of range for {to}: {v}"))
    }
}

pub(crate) fn to_double(n: Number<'_>, to: &Type) -> Result<f64> {
    Ok(match n {
        Number::Boolean(b) => f64::from(u8::from(b)),
        Number::Integer(v) => v as f64,
        Number::Real(v) => f64::from(v),
        Number::Double(v) => v,
        Number::Decimal(v, scale) => {
            // Through the text: the nearest double of the exact value.
            let mut s = String::new();
            text::decimal(v, scale, &mut s);
            s.parse().unwrap_or(f64::NAN)
        }
        Number::Text(s) => match parse_float(s) {
            Some(v) => v,
            None => return cannot(s, to),
        },
    })
}

pub(crate) fn to_real(n: Number<'_>, to: &Type) -> Result<f32> {
    Ok(match n {
        Number::Real(v) => v,
        Number::Double(v) => v as f32,
        Number::Integer(v) => v as f32,
        Number::Decimal(v, scale) => {
            let mut s = String::new();
            text::decimal(v, scale, &mut s);
            s.parse().unwrap_or(f32::NAN)
        }
        Number::Text(s) => match s.trim().parse::<f32>() {
            Ok(v) if parse_float(s).is_some() => v,
            _ => return cannot(s, to),
        },
        other => to_double(other, to)? as f32,
    })
}

/// A double as Java reads it: surrounding blanks are ignored, `NaN` and `Infinity` in this spelling only.
pub(crate) fn parse_float(s: &str) -> Option<f64> {
    let s = s.trim();
    let bare = s.trim_start_matches(['+', '-']);
    let bare = bare.strip_suffix(['d', 'D', 'f', 'F']).filter(|b| !b.is_empty()).unwrap_or(bare);
    match bare {
        "NaN" => return Some(f64::NAN),
        "Infinity" => {
            return Some(if s.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    if !bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    s.trim_end_matches(['d', 'D', 'f', 'F']).parse().ok()
}

/// An unscaled decimal in another scale, rounded half away from zero; None on overflow.
pub(crate) fn rescale(v: i128, from: i8, to: i8) -> Option<i128> {
    let shift = i32::from(to) - i32::from(from);
    if shift >= 0 {
        return v.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?);
    }
    let Some(divisor) = 10_i128.checked_pow(shift.unsigned_abs()) else {
        return Some(0);
    };
    let (quotient, remainder) = (v / divisor, v % divisor);
    let up = remainder.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    Some(if up { quotient + v.signum() } else { quotient })
}

/// Whether an unscaled value has at most so many digits.
pub(crate) fn fits(v: i128, precision: u8) -> bool {
    v.unsigned_abs() < 10_u128.pow(u32::from(precision.min(38)))
}

pub(crate) fn to_decimal(n: Number<'_>, precision: u8, scale: i8, to: &Type) -> Result<i128> {
    let (value, shown) = match n {
        Number::Boolean(b) => (rescale(i128::from(b), 0, scale), b.to_string()),
        Number::Integer(v) => (rescale(i128::from(v), 0, scale), v.to_string()),
        Number::Decimal(v, from) => (rescale(v, from, scale), String::from("DECIMAL")),
        Number::Real(v) => (parse_decimal(&format!("{v:e}"), scale), v.to_string()),
        Number::Double(v) => (parse_decimal(&format!("{v:e}"), scale), v.to_string()),
        Number::Text(s) => match parse_decimal(s.trim(), scale).filter(|v| fits(*v, precision)) {
            Some(v) => return Ok(v),
            None => return cannot(s, to),
        },
    };
    match value.filter(|v| fits(*v, precision)) {
        Some(v) => Ok(v),
        None => fail("NUMERIC_VALUE_OUT_OF_RANGE", format!("Cannot cast {shown} to {to}")),
    }
}

/// Reads `[+-]digits[.digits][e[+-]digits]` into a scale, rounded half away from zero.
pub(crate) fn parse_decimal(s: &str, scale: i8) -> Option<i128> {
    let (mantissa, exponent) = match s.find(['e', 'E']) {
        Some(at) => (&s[..at], s[at + 1..].parse::<i32>().ok()?),
        None => (s, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let all = all.trim_start_matches('0');
    // The point lies `places` digits from the right; all digits right of the scale are rounded away.
    let places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let drop = places - i32::from(scale);
    let magnitude: i128 = if all.is_empty() {
        0
    } else if drop <= 0 {
        if all.len() > 39 || drop < -39 {
            return None;
        }
        all.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(drop.unsigned_abs())?)?
    } else {
        let drop = drop as usize;
        if drop > all.len() {
            0
        } else {
            let (kept, cut) = all.split_at(all.len() - drop);
            let kept: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
            kept + i128::from(cut.as_bytes()[0] >= b'5')
        }
    };
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_half_away_from_zero() {
        assert_eq!(parse_decimal("-234.05", 1), Some(-2341));
        assert_eq!(parse_decimal("1.5e2", 0), Some(150));
        assert_eq!(parse_decimal("4e-1", 0), Some(0));
        assert_eq!(parse_decimal(".5", 0), Some(1));
        assert_eq!(parse_decimal("1e50", 0), None);
        assert_eq!(parse_decimal("x", 0), None);
        assert_eq!(rescale(-25, 1, 0), Some(-3));
        assert_eq!(rescale(24, 1, 0), Some(2));
    }

    #[test]
    fn floats_are_read_as_java_reads_them() {
        assert_eq!(parse_float(" -1.5e3 "), Some(-1500.0));
        assert_eq!(parse_float("Infinity"), Some(f64::INFINITY));
        assert_eq!(parse_float("inf"), None);
        assert_eq!(parse_float(""), None);
    }
}
