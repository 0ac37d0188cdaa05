//! Functions of doubles.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::Float64Type;
use datafusion_common::Result;

use super::map_doubles;
use crate::columns::Type::Double;
use crate::columns::{Call, Overload, Scalar, known};

const ONE: &[Overload] = &[(&[Double], Double)];
const NONE: &[Overload] = &[(&[], Double)];

pub(super) fn unary() -> Vec<Scalar> {
    let by = |name, body| Scalar::by(name, ONE, body);
    vec![
        by("sqrt", |call| map_doubles(call, f64::sqrt)),
        by("cbrt", |call| map_doubles(call, f64::cbrt)),
        by("exp", |call| map_doubles(call, f64::exp)),
        by("ln", |call| map_doubles(call, f64::ln)),
        by("log2", |call| map_doubles(call, f64::log2)),
        by("log10", |call| map_doubles(call, f64::log10)),
        by("sin", |call| map_doubles(call, f64::sin)),
        by("cos", |call| map_doubles(call, f64::cos)),
        by("tan", |call| map_doubles(call, f64::tan)),
        by("asin", |call| map_doubles(call, f64::asin)),
        by("acos", |call| map_doubles(call, f64::acos)),
        by("atan", |call| map_doubles(call, f64::atan)),
        by("sinh", |call| map_doubles(call, f64::sinh)),
        by("cosh", |call| map_doubles(call, f64::cosh)),
        by("tanh", |call| map_doubles(call, f64::tanh)),
        by("degrees", |call| map_doubles(call, f64::to_degrees)),
        by("radians", |call| map_doubles(call, f64::to_radians)),
    ]
}

pub(super) fn constants() -> Vec<Scalar> {
    let by = |name, body| Scalar::by(name, NONE, body);
    vec![
        by("pi", |call| repeated(call, std::f64::consts::PI)),
        by("e", |call| repeated(call, std::f64::consts::E)),
        by("nan", |call| repeated(call, f64::NAN)),
        by("infinity", |call| repeated(call, f64::INFINITY)),
    ]
}

fn repeated(call: &Call, value: f64) -> Result<ArrayRef> {
    Ok(Arc::new(Float64Array::from_value(value, call.rows)))
}

pub(super) fn is_nan(call: &Call) -> Result<ArrayRef> {
    let x = call.double(0)?;
    call.booleans(|i| Ok(x.get(i).map(f64::is_nan)))
}

pub(super) fn is_finite(call: &Call) -> Result<ArrayRef> {
    let x = call.double(0)?;
    call.booleans(|i| Ok(x.get(i).map(f64::is_finite)))
}

pub(super) fn is_infinite(call: &Call) -> Result<ArrayRef> {
    let x = call.double(0)?;
    call.booleans(|i| Ok(x.get(i).map(f64::is_infinite)))
}

fn binary(call: &Call, f: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (a, b) = (call.double(0)?, call.double(1)?);
    call.numbers::<Float64Type>(|i| Ok(Some(f(known!(a.get(i)), known!(b.get(i))))))
}

pub(super) fn log(call: &Call) -> Result<ArrayRef> {
    binary(call, |base, x| x.ln() / base.ln())
}

pub(super) fn power(call: &Call) -> Result<ArrayRef> {
    // Java calls one to the power of NaN or of infinity NaN, IEEE calls it one.
    binary(call, |x, p| if p.is_nan() || (p.is_infinite() && x.abs() == 1.0) { f64::NAN } else { x.powf(p) })
}

pub(super) fn atan2(call: &Call) -> Result<ArrayRef> {
    binary(call, f64::atan2)
}
