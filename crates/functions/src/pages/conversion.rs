//! Trino's page `conversion`: casts, `typeof`, `format`, `format_number`, `parse_data_size`.

mod format;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::cast;
use crate::scalar::{Param, Scalar, fail, invalid};
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let mut scalars = cast::functions();
    scalars.push(type_of());
    scalars.push(format::function());
    scalars.push(format_number());
    scalars.push(parse_data_size());
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

fn type_of() -> ScalarUDF {
    Scalar::with(
        "typeof",
        |t| (t.len() == 1).then(|| t.to_vec()),
        |_, _| Ok(DataType::Utf8View),
        |call| {
            let name = types::trino_name(call.array(0)?.data_type());
            Ok(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(name, call.rows()))))
        },
    )
    .build()
}

/// Three significant digits and a unit: `1.23M`.
fn format_number() -> ScalarUDF {
    Scalar::new("format_number", &[&[Param::Double]], DataType::Utf8View, |call| {
        let array = call.array(0)?;
        let mut out = StringViewBuilder::with_capacity(array.len());
        for v in array.as_primitive::<Float64Type>() {
            match v {
                None => out.append_null(),
                Some(v) => out.append_value(number(v)),
            }
        }
        Ok(Arc::new(out.finish()))
    })
    .build()
}

fn number(v: f64) -> String {
    let mut scaled = v;
    let mut unit = "";
    for next in ["K", "M", "B", "T", "Q"] {
        if scaled.abs() < 1000.0 {
            break;
        }
        scaled /= 1000.0;
        unit = next;
    }
    let digits = match scaled.abs() {
        a if a < 10.0 => 2,
        a if a < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// Bytes of `2.3MB`; the units are powers of 1024.
fn parse_data_size() -> ScalarUDF {
    Scalar::new("parse_data_size", &[&[Param::Varchar]], DataType::Decimal128(38, 0), |call| sizes(&call.array(0)?))
        .build()
}

fn sizes(array: &ArrayRef) -> Result<ArrayRef> {
    let mut out = Decimal128Builder::with_capacity(array.len()).with_data_type(DataType::Decimal128(38, 0));
    for text in array.as_string_view() {
        out.append_option(text.map(size).transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

fn size(text: &str) -> Result<i128> {
    const UNITS: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let power = UNITS.iter().position(|u| *u == unit);
    let digits = number.split_once('.').map_or(0, |(_, f)| f.len());
    let unscaled: Option<i128> = number.replacen('.', "", 1).parse().ok().filter(|_| digits <= 18);
    let (Some(power), Some(unscaled)) = (power, unscaled) else {
        return invalid(format!("Invalid data size: '{text}'"));
    };
    let bytes = 1024_i128.checked_pow(power as u32).and_then(|unit| unscaled.checked_mul(unit));
    match bytes.map(|b| b / 10_i128.pow(digits as u32)).filter(|b| *b < 10_i128.pow(38)) {
        Some(bytes) => Ok(bytes),
        None => fail("NUMERIC_VALUE_OUT_OF_RANGE", format!("Value out of range: '{text}'")),
    }
}

macro_rules! doc {
    ($name:literal, $signature:literal, $example:literal) => {
        Doc { name: $name, page: "conversion", signature: $signature, example: $example }
    };
}

const DOCS: &[Doc] = &[
    doc!("cast", "CAST(value AS type) -> type", "CAST('42' AS bigint) = 42"),
    doc!("format", "format(format, args...) -> varchar", "format('%s: %,d', 'events', 96059) = 'events: 96,059'"),
    doc!("format_number", "format_number(number) -> varchar", "format_number(1000000) = '1M'"),
    doc!("parse_data_size", "parse_data_size(string) -> decimal(38)", "parse_data_size('1MB') = 1048576"),
    doc!("try_cast", "TRY_CAST(value AS type) -> type", "TRY_CAST('x' AS bigint) IS NULL"),
    doc!("typeof", "typeof(expression) -> varchar", "typeof(1.5) = 'decimal(2,1)'"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(number(123_456.0), "123K");
        assert_eq!(number(1_000_000.0), "1M");
        assert_eq!(number(1.234), "1.23");
        assert_eq!(size("2.3MB").unwrap(), 2_411_724);
        assert!(size("1 MB").is_err() && size("MB").is_err() && size("99999999999999YB").is_err());
    }
}
