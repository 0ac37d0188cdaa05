//! The current time, and seconds since 1970.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, Int64Builder};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{Expr, ScalarUDF, Volatility};

use super::zone::{zone_of, zone_type};
use crate::cast::{OnError, cast};
use crate::instants::{timestamps, to_timestamps};
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::temporal::{Zone, per_second};
use crate::types::Type;

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        current("now", |p| Type::TimestampTz(p, Some("UTC".into()))),
        current("current_timestamp", |p| Type::TimestampTz(p, Some("UTC".into()))),
        current("localtimestamp", Type::Timestamp),
        current("current_date", |_| Type::Date),
        current("current_time", Type::TimeTz),
        current("localtime", Type::Time),
        from_unixtime(),
        Scalar::with(
            "from_unixtime_nanos",
            |t| match t {
                [t] if t.is_integer() || matches!(t, DataType::Null) => Some(vec![DataType::Int64]),
                [DataType::Decimal128(_, 0)] => Some(vec![DataType::Int64]),
                _ => None,
            },
            |_, _| Ok(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
            |call| {
                let array = call.array(0)?;
                let values: Int64Array = array.as_primitive::<Int64Type>().unary(|v| v);
                to_timestamps(&values, call.return_type())
            },
        )
        .build(),
        Scalar::new("to_unixtime", &[&[Param::Timestamp], &[Param::TimestampTz]], DataType::Float64, |call| {
            let array = call.array(0)?;
            let DataType::Timestamp(unit, _) = array.data_type() else {
                return crate::scalar::mismatch("to_unixtime takes a timestamp");
            };
            let per = per_second(*unit);
            let out: Float64Array =
                timestamps(&array)?.unary(|v| v.div_euclid(per) as f64 + v.rem_euclid(per) as f64 / per as f64);
            Ok(Arc::new(out))
        })
        .build(),
    ]
}

/// A function of the time at which the query started, the same in every row.
fn current(name: &'static str, of_precision: fn(u8) -> Type) -> ScalarUDF {
    let precision = move |constants: &[Option<&ScalarValue>]| -> Result<Type> {
        Ok(match constants.first() {
            None => of_precision(3),
            Some(p) => {
                match p.and_then(|p| p.to_array().ok()).and_then(|a| arrow::compute::cast(&a, &DataType::UInt8).ok()) {
                    Some(p) if p.is_valid(0) => of_precision(p.as_primitive::<arrow::datatypes::UInt8Type>().value(0)),
                    _ => return invalid(format!("the precision of {name} must be a constant")),
                }
            }
        })
    };
    Scalar::with(
        name,
        |t| match t {
            [] => Some(Vec::new()),
            [p] => Some(vec![accept(p, Param::Bigint)?]),
            _ => None,
        },
        move |_, constants| Ok(precision(constants)?.to_arrow()),
        move |call| {
            let to = Type::of(call.return_type());
            let instant = at(chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default(), &to)?;
            instant.to_array_of_size(call.rows())
        },
    )
    .volatility(Volatility::Stable)
    .simplify(move |args: Vec<Expr>, info: &SimplifyContext| {
        let constants: Vec<Option<&ScalarValue>> = args
            .iter()
            .map(|e| match e {
                Expr::Literal(v, _) => Some(v),
                _ => None,
            })
            .collect();
        let Some(start) = info.query_execution_start_time().and_then(|t| t.timestamp_nanos_opt()) else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let value = at(start, &precision(&constants)?)?;
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    })
    .build()
}

/// An instant as a value of a type; `current_timestamp` is cut, not rounded, to its digits.
fn at(nanos: i64, to: &Type) -> Result<ScalarValue> {
    let digits = match to {
        Type::Timestamp(p) | Type::TimestampTz(p, _) | Type::Time(p) | Type::TimeTz(p) => (*p).min(9),
        _ => 9,
    };
    let step = 10_i64.pow(u32::from(9 - digits));
    let cut = Int64Array::from(vec![nanos.div_euclid(step) * step]);
    let utc = to_timestamps(&cut, &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))?;
    ScalarValue::try_from_array(&cast(&utc, to, OnError::Fail)?, 0)
}

fn from_unixtime() -> ScalarUDF {
    Scalar::with(
        "from_unixtime",
        |t| {
            crate::scalar::overload(
                t,
                &[&[Param::Double], &[Param::Double, Param::Varchar], &[Param::Double, Param::Bigint, Param::Bigint]],
            )
        },
        |t, constants| {
            let zone = match t.len() {
                1 => Arc::from("UTC"),
                2 => zone_type(constants[1])?,
                _ => Arc::from(offset_zone(constants[1], constants[2])?.name()),
            };
            Ok(DataType::Timestamp(TimeUnit::Millisecond, Some(zone)))
        },
        |call| {
            check_zone(call)?;
            let array = call.array(0)?;
            let mut out = Int64Builder::with_capacity(array.len());
            let others: Vec<ArrayRef> = (1..call.len()).map(|i| call.array(i)).collect::<Result<_>>()?;
            for (row, seconds) in array.as_primitive::<Float64Type>().iter().enumerate() {
                let seconds = seconds.filter(|_| others.iter().all(|a| a.is_valid(row)));
                out.append_option(match seconds {
                    None => None,
                    Some(s) if s.is_nan() => Some(0),
                    Some(s) => Some(millis(s)?),
                });
            }
            to_timestamps(&out.finish(), call.return_type())
        },
    )
    .build()
}

/// Rounded to milliseconds half up, as Java's `Math.round` does.
fn millis(seconds: f64) -> Result<i64> {
    let v = (seconds * 1000.0 + 0.5).floor();
    if v.abs() < 9.2e18 { Ok(v as i64) } else { invalid(format!("Timestamp overflow: {seconds}")) }
}

fn offset_zone(hours: Option<&ScalarValue>, minutes: Option<&ScalarValue>) -> Result<Zone> {
    let (Some(ScalarValue::Int64(Some(h))), Some(ScalarValue::Int64(Some(m)))) = (hours, minutes) else {
        return Ok(Zone::UTC);
    };
    match i32::try_from(h.saturating_mul(60).saturating_add(*m)) {
        Ok(0) => Ok(Zone::UTC),
        Ok(minutes) if minutes.abs() <= 14 * 60 => Ok(Zone::Fixed(minutes * 60)),
        _ => invalid(format!("Invalid offset {h}:{m}")),
    }
}

fn check_zone(call: &Call<'_>) -> Result<()> {
    if call.len() == 2 && call.constant(1).is_none() {
        for name in call.array(1)?.as_string_view().iter().flatten() {
            zone_of(name)?;
        }
    }
    Ok(())
}
