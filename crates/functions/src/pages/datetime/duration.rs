//! `parse_duration`, `human_readable_seconds`, `to_milliseconds`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DurationMillisecondBuilder, Int64Array, StringViewBuilder};
use arrow::datatypes::{DataType, DurationMillisecondType, Float64Type, TimeUnit};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::scalar::{Param, Scalar, invalid};

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        Scalar::new("parse_duration", &[&[Param::Varchar]], DataType::Duration(TimeUnit::Millisecond), |call| {
            let array = call.array(0)?;
            let mut out = DurationMillisecondBuilder::with_capacity(array.len());
            for text in array.as_string_view() {
                out.append_option(text.map(parse).transpose()?);
            }
            Ok(Arc::new(out.finish()))
        })
        .build(),
        Scalar::new("to_milliseconds", &[&[Param::IntervalDay]], DataType::Int64, |call| {
            let array = call.array(0)?;
            let out: Int64Array = array.as_primitive::<DurationMillisecondType>().unary(|v| v);
            Ok(Arc::new(out))
        })
        .build(),
        Scalar::new("human_readable_seconds", &[&[Param::Double]], DataType::Utf8View, |call| {
            readable(&call.array(0)?)
        })
        .build(),
    ]
}

/// Milliseconds of `1.5h`: a number and one of `ns us ms s m h d`.
fn parse(text: &str) -> Result<i64> {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let millis = match unit {
        "ns" => 1e-6,
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        _ => return invalid(format!("Unknown time unit or no duration: {text}")),
    };
    let number = number.trim_end();
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match number.parse::<f64>() {
        Ok(v) if plain && v * millis < 9.2e18 => Ok((v * millis).round() as i64),
        _ => invalid(format!("duration is not a valid data duration string: {text}")),
    }
}

fn readable(array: &ArrayRef) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(array.len());
    for seconds in array.as_primitive::<Float64Type>() {
        let Some(seconds) = seconds else {
            out.append_null();
            continue;
        };
        if !seconds.is_finite() {
            return invalid(format!("Invalid argument found: {seconds}"));
        }
        let mut left = seconds.abs().round() as u64;
        let mut parts = Vec::new();
        for (name, length) in [("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)] {
            let n = left / length;
            left %= length;
            if n > 0 {
                parts.push(format!("{n} {name}{}", if n == 1 { "" } else { "s" }));
            }
        }
        if parts.is_empty() {
            parts.push("0 seconds".into());
        }
        out.append_value(parts.join(", "));
    }
    Ok(Arc::new(out.finish()))
}
