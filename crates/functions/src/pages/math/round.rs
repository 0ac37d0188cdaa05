//! Absolute values, signs, rounding and remainders: functions whose result has the type of their argument.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Decimal128Array, Float32Array, Float64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::compute::kernels::numeric::rem;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err};

use super::{arithmetic, as_decimal, number, widest};
use crate::columns::{Call, Resolved, known, out_of_range};

/// An integer of any width, computed in 128 bits.
fn integers<T>(call: &Call, f: impl Fn(i128) -> i128) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    let x = call.column::<PrimitiveArray<T>>(0)?;
    let name = crate::types::trino_name(&call.return_type);
    call.numbers::<T>(|i| {
        let value = f(known!(x.get(i)).into());
        let fits = T::Native::try_from(value);
        fits.map(Some).map_err(|_| out_of_range(format!("Value {value} is out of range for {name}")))
    })
}

/// The same for whichever width the argument has; `None` if it is no integer.
fn any_integer(call: &Call, f: impl Fn(i128) -> i128) -> Option<Result<ArrayRef>> {
    Some(match call.data_type(0) {
        DataType::Int8 => integers::<Int8Type>(call, f),
        DataType::Int16 => integers::<Int16Type>(call, f),
        DataType::Int32 => integers::<Int32Type>(call, f),
        DataType::Int64 => integers::<Int64Type>(call, f),
        _ => return None,
    })
}

fn any_float(call: &Call, f: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    match call.data_type(0) {
        DataType::Float32 => {
            let values: Float32Array = call.column::<Float32Array>(0)?.array().unary(|x| f(f64::from(x)) as f32);
            Ok(Arc::new(values))
        }
        DataType::Float64 => super::map_doubles(call, f),
        t => exec_err!("{t} is no number"),
    }
}

/// A decimal's digits, through a function that also sees the power of ten that stands for one.
fn decimals(call: &Call, f: impl Fn(i128, i128) -> i128) -> Result<ArrayRef> {
    let one = power_of_ten(scale(call.data_type(0)).into());
    let x = call.column::<Decimal128Array>(0)?;
    call.numbers::<Decimal128Type>(|i| Ok(x.get(i).map(|x| f(x, one))))
}

fn scale(t: &DataType) -> i8 {
    as_decimal(t).map_or(0, |(_, s)| s)
}

/// `10^exponent`, capped where 38 digits end; 1 for negative exponents.
fn power_of_ten(exponent: i64) -> i128 {
    10i128.pow(exponent.clamp(0, 38) as u32)
}

/// Quotient rounded half away from zero.
fn half_up(x: i128, by: i128) -> i128 {
    let (quotient, rest) = (x / by, x % by);
    if rest.unsigned_abs() * 2 >= by.unsigned_abs() { quotient + rest.signum() } else { quotient }
}

pub(super) fn abs(call: &Call) -> Result<ArrayRef> {
    if let Some(result) = any_integer(call, i128::abs) {
        return result;
    }
    match call.data_type(0) {
        DataType::Decimal128(..) => decimals(call, |x, _| x.abs()),
        _ => any_float(call, f64::abs),
    }
}

pub(super) fn sign_types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    let t = number(t)?;
    let returns = if matches!(t, DataType::Decimal128(..)) { DataType::Decimal128(1, 0) } else { t.clone() };
    Some((vec![t], returns))
}

pub(super) fn sign(call: &Call) -> Result<ArrayRef> {
    if let Some(result) = any_integer(call, i128::signum) {
        return result;
    }
    match call.data_type(0) {
        DataType::Decimal128(..) => decimals(call, |x, _| x.signum()),
        _ => any_float(call, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
    }
}

/// `ceil` and `floor`: a decimal loses its scale and may gain a digit.
pub(super) fn whole_types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    let t = number(t)?;
    let returns = whole(&t);
    Some((vec![t], returns))
}

fn whole(t: &DataType) -> DataType {
    match t {
        DataType::Decimal128(p, s) => {
            let digits = i16::from(*p) - i16::from(*s) + i16::from((*s).min(1));
            DataType::Decimal128(digits.clamp(1, 38) as u8, 0)
        }
        t => t.clone(),
    }
}

pub(super) fn ceil(call: &Call) -> Result<ArrayRef> {
    if let Some(result) = any_integer(call, |x| x) {
        return result;
    }
    match call.data_type(0) {
        DataType::Decimal128(..) => decimals(call, |x, one| -(-x).div_euclid(one)),
        _ => any_float(call, f64::ceil),
    }
}

pub(super) fn floor(call: &Call) -> Result<ArrayRef> {
    if let Some(result) = any_integer(call, |x| x) {
        return result;
    }
    match call.data_type(0) {
        DataType::Decimal128(..) => decimals(call, i128::div_euclid),
        _ => any_float(call, f64::floor),
    }
}

pub(super) fn round_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [_] => whole_types(actual),
        [t, digits] if digits.is_integer() || digits.is_null() => {
            let t = number(t)?;
            let returns = match &t {
                DataType::Decimal128(p, s) => DataType::Decimal128((*p + 1).min(38), *s),
                t => t.clone(),
            };
            Some((vec![t, DataType::Int64], returns))
        }
        _ => None,
    }
}

pub(super) fn round(call: &Call) -> Result<ArrayRef> {
    if call.len() == 1 {
        if let Some(result) = any_integer(call, |x| x) {
            return result;
        }
        return match call.data_type(0) {
            DataType::Decimal128(..) => decimals(call, half_up),
            _ => any_float(call, f64::round),
        };
    }
    let digits = call.bigint(1)?;
    match call.data_type(0) {
        DataType::Int8 => round_integers::<Int8Type>(call),
        DataType::Int16 => round_integers::<Int16Type>(call),
        DataType::Int32 => round_integers::<Int32Type>(call),
        DataType::Int64 => round_integers::<Int64Type>(call),
        DataType::Decimal128(..) => {
            let scale = i64::from(scale(call.data_type(0)));
            let x = call.column::<Decimal128Array>(0)?;
            call.numbers::<Decimal128Type>(|i| {
                let (x, digits) = (known!(x.get(i)), known!(digits.get(i)));
                let dropped = scale.saturating_sub(digits);
                let rounded = match dropped {
                    ..=0 => Some(x),
                    39.. => Some(0),
                    _ => half_up(x, power_of_ten(dropped)).checked_mul(power_of_ten(dropped)),
                };
                match rounded.filter(|r| r.unsigned_abs() < power_of_ten(38).unsigned_abs()) {
                    Some(rounded) => Ok(Some(rounded)),
                    None => Err(out_of_range(format!("decimal overflow in round to {digits} digits"))),
                }
            })
        }
        DataType::Float32 => {
            let x = call.column::<Float32Array>(0)?;
            call.numbers::<Float32Type>(|i| {
                let (x, digits) = (known!(x.get(i)), known!(digits.get(i)));
                Ok(Some(round_text(f64::from(x), &x.to_string(), digits) as f32))
            })
        }
        _ => {
            let x = call.column::<Float64Array>(0)?;
            call.numbers::<Float64Type>(|i| Ok(Some(round_double(known!(x.get(i)), known!(digits.get(i))))))
        }
    }
}

fn round_integers<T>(call: &Call) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    let (x, digits) = (call.column::<PrimitiveArray<T>>(0)?, call.bigint(1)?);
    call.numbers::<T>(|i| {
        let (x, digits) = (known!(x.get(i)), known!(digits.get(i)));
        if digits >= 0 {
            return Ok(Some(x));
        }
        // Trino refuses to round away more digits than its integers can have.
        let by = digits.checked_neg().filter(|d| *d < 19).map(power_of_ten);
        let Some(by) = by else {
            return Err(out_of_range(format!("cannot round an integer to {digits} digits")));
        };
        let value = half_up(x.into(), by) * by;
        let fits = T::Native::try_from(value);
        fits.map(Some).map_err(|_| out_of_range(format!("numerical overflow: {value}")))
    })
}

/// `x` to `digits` decimals, half away from zero on the shortest text of `x`, so that 1.005 becomes 1.01.
fn round_double(x: f64, digits: i64) -> f64 {
    // Arithmetic decides unless `x` lies close to the middle of two results.
    if (0..=15).contains(&digits) && x.abs() < 1e15 {
        let factor = 10f64.powi(digits as i32);
        let scaled = x.abs() * factor;
        if scaled < 1e15 && (scaled.fract() - 0.5).abs() > 1e-3 {
            return (scaled.round() / factor).copysign(x);
        }
    }
    round_text(x, &x.to_string(), digits)
}

fn round_text(x: f64, text: &str, digits: i64) -> f64 {
    if !x.is_finite() {
        return x;
    }
    let text = text.trim_start_matches('-');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    // The position of the first digit that goes, counted from the first digit of all.
    let kept = match i64::try_from(whole.len()).ok().and_then(|w| w.checked_add(digits)) {
        Some(kept) if kept >= (whole.len() + fraction.len()) as i64 => return x,
        Some(kept) if kept >= 0 => kept as usize,
        Some(_) => return 0.0f64.copysign(x),
        None => return x,
    };
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
    let mut rounded: Vec<u8> = all[..kept].to_vec();
    if all[kept] >= 5 {
        let mut carry = true;
        for digit in rounded.iter_mut().rev() {
            *digit += 1;
            carry = *digit == 10;
            if !carry {
                break;
            }
            *digit = 0;
        }
        if carry {
            rounded.insert(0, 1);
        }
    }
    let digits_text: String = rounded.iter().map(|d| char::from(b'0' + d)).collect();
    let value: f64 =
        format!("{}e{}", if digits_text.is_empty() { "0" } else { &digits_text }, -digits).parse().unwrap_or(x);
    value.copysign(x)
}

pub(super) fn truncate_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [_] => whole_types(actual),
        [t, digits] if digits.is_integer() || digits.is_null() => {
            let t = if t.is_null() { DataType::Decimal128(1, 0) } else { number(t)? };
            Some((vec![t.clone(), DataType::Int64], t))
        }
        _ => None,
    }
}

pub(super) fn truncate(call: &Call) -> Result<ArrayRef> {
    if call.len() == 1 {
        if let Some(result) = any_integer(call, |x| x) {
            return result;
        }
        return match call.data_type(0) {
            DataType::Decimal128(..) => decimals(call, |x, one| x / one),
            _ => any_float(call, f64::trunc),
        };
    }
    let digits = call.bigint(1)?;
    if let DataType::Decimal128(_, scale) = call.data_type(0) {
        let x = call.column::<Decimal128Array>(0)?;
        return call.numbers::<Decimal128Type>(|i| {
            let (x, digits) = (known!(x.get(i)), known!(digits.get(i)));
            let dropped = i64::from(*scale).saturating_sub(digits);
            Ok(Some(match dropped {
                ..=0 => x,
                39.. => 0,
                _ => x / power_of_ten(dropped) * power_of_ten(dropped),
            }))
        });
    }
    let x = cast(&call.expanded(0)?, &DataType::Float64)?;
    let x = arrow::array::AsArray::as_primitive::<Float64Type>(&x);
    let values: Float64Array = (0..call.rows)
        .map(|i| {
            let (x, digits) = (arrow::array::Array::is_valid(x, i).then(|| x.value(i))?, digits.get(i)?);
            let factor = 10f64.powi(digits.clamp(-400, 400) as i32);
            let scaled = x * factor;
            Some(if scaled.is_finite() && factor > 0.0 {
                scaled.trunc() / factor
            } else if digits > 0 {
                x
            } else {
                0.0
            })
        })
        .collect();
    Ok(cast(&values, &call.return_type)?)
}

pub(super) fn mod_types(actual: &[DataType]) -> Option<Resolved> {
    let [n, m] = actual else { return None };
    let t = widest(n, m)?;
    if let DataType::Decimal128(..) = t {
        let ((n, m), ((p1, s1), (p2, s2))) =
            ((decimal(n)?, decimal(m)?), (as_decimal(&decimal(n)?)?, as_decimal(&decimal(m)?)?));
        let scale = s1.max(s2);
        let whole = (i16::from(p1) - i16::from(s1)).min(i16::from(p2) - i16::from(s2));
        return Some((vec![n, m], DataType::Decimal128((whole + i16::from(scale)).clamp(1, 38) as u8, scale)));
    }
    Some((vec![t.clone(), t.clone()], t))
}

/// `t` as a decimal.
fn decimal(t: &DataType) -> Option<DataType> {
    if t.is_null() {
        return Some(DataType::Decimal128(1, 0));
    }
    as_decimal(&number(t)?).map(|(p, s)| DataType::Decimal128(p, s))
}

pub(super) fn modulus(call: &Call) -> Result<ArrayRef> {
    let (n, m) = (call.expanded(0)?, call.expanded(1)?);
    Ok(cast(&rem(&n, &m).map_err(arithmetic)?, &call.return_type)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(half_up(25, 10), 3);
        assert_eq!(half_up(-25, 10), -3);
        assert_eq!(half_up(-24, 10), -2);
    }

    #[test]
    fn doubles_round_on_their_text() {
        assert_eq!(round_double(3.499, 1), 3.5);
        assert_eq!(round_double(1.005, 2), 1.01);
        assert_eq!(round_double(-1.5, 0), -2.0);
        assert_eq!(round_double(123.456, -324), 0.0);
        assert_eq!(round_double(123.456, -2), 100.0);
        assert_eq!(round_double(950.0, -3), 1000.0);
        assert_eq!(round_double(0.5, -1), 0.0);
        assert_eq!(round_double(1e300, 2), 1e300);
        assert_eq!(round_double(2.5, 400), 2.5);
    }
}
