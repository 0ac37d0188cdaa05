//! Cells of a result as values, and their text as Lake prints it.
//!
//! Lake's results are text throughout: `2023-01-22 16:53:53.000`, `{type=Root, arn=null}` (AWS CloudTrail User Guide,
//! "View query results"; structures print as Java prints maps).

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, StructArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeDelta, TimeZone, Timelike, Utc};
use cloudtarn_functions::text::{Formatter, Style};

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number in its text form.
    Number(String),
    /// Text, and every other scalar in its text form.
    Text(String),
    /// JSON text.
    Json(String),
    /// An array's elements.
    Array(Vec<Value>),
    /// A map's entries, in their order.
    Map(Vec<(Value, Value)>),
    /// A row's fields; a name is empty where the row has none.
    Row(Vec<(String, Value)>),
}

impl Value {
    /// The cell at `row` of `column`.
    pub fn of(column: &ArrayRef, row: usize) -> Self {
        value(column.as_ref(), row)
    }

    /// Lake's text; None for NULL.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            other => {
                let mut out = String::new();
                print(other, &mut out);
                Some(out)
            }
        }
    }

    /// The cell as GetQueryResults has it. Its model has no NULL: Lake's clients show an empty text.
    pub fn result_text(&self) -> String {
        self.text().unwrap_or_default()
    }
}

fn print(v: &Value, out: &mut String) {
    match v {
        Value::Null => out.push_str("null"),
        Value::Boolean(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(s) | Value::Text(s) | Value::Json(s) => out.push_str(s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                print(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (k, v)) in entries.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                print(k, out);
                out.push('=');
                print(v, out);
            }
            out.push('}');
        }
        Value::Row(fields) => {
            out.push('{');
            for (i, (name, v)) in fields.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                if !name.is_empty() {
                    out.push_str(name);
                    out.push('=');
                }
                print(v, out);
            }
            out.push('}');
        }
    }
}

fn value(a: &dyn Array, i: usize) -> Value {
    if a.is_null(i) || *a.data_type() == DataType::Null {
        return Value::Null;
    }
    macro_rules! number {
        ($t:ty) => {
            Value::Number(a.as_primitive::<$t>().value(i).to_string())
        };
    }
    match a.data_type() {
        DataType::Boolean => Value::Boolean(a.as_boolean().value(i)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float16 => Value::Number(float(
            f64::from(a.as_primitive::<Float16Type>().value(i)),
            &a.as_primitive::<Float16Type>().value(i).to_string(),
        )),
        DataType::Float32 => {
            let x = a.as_primitive::<Float32Type>().value(i);
            Value::Number(float(f64::from(x), &format!("{x:e}")))
        }
        DataType::Float64 => {
            let x = a.as_primitive::<Float64Type>().value(i);
            Value::Number(float(x, &format!("{x:e}")))
        }
        DataType::Decimal32(..) => Value::Number(a.as_primitive::<Decimal32Type>().value_as_string(i)),
        DataType::Decimal64(..) => Value::Number(a.as_primitive::<Decimal64Type>().value_as_string(i)),
        DataType::Decimal128(..) => Value::Number(a.as_primitive::<Decimal128Type>().value_as_string(i)),
        DataType::Decimal256(..) => Value::Number(a.as_primitive::<Decimal256Type>().value_as_string(i)),
        DataType::Utf8 => Value::Text(a.as_string::<i32>().value(i).to_owned()),
        DataType::LargeUtf8 => Value::Text(a.as_string::<i64>().value(i).to_owned()),
        DataType::Utf8View => Value::Text(a.as_string_view().value(i).to_owned()),
        DataType::Binary => Value::Text(hex(a.as_binary::<i32>().value(i))),
        DataType::LargeBinary => Value::Text(hex(a.as_binary::<i64>().value(i))),
        DataType::BinaryView => Value::Text(hex(a.as_binary_view().value(i))),
        DataType::FixedSizeBinary(_) => Value::Text(hex(a.as_fixed_size_binary().value(i))),
        DataType::Date32 => Value::Text(date(i64::from(a.as_primitive::<Date32Type>().value(i)))),
        DataType::Date64 => Value::Text(date(a.as_primitive::<Date64Type>().value(i).div_euclid(86_400_000))),
        DataType::Time32(TimeUnit::Second) => {
            Value::Text(time(i64::from(a.as_primitive::<Time32SecondType>().value(i)) * 1_000_000_000, 0))
        }
        DataType::Time32(_) => {
            Value::Text(time(i64::from(a.as_primitive::<Time32MillisecondType>().value(i)) * 1_000_000, 3))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            Value::Text(time(a.as_primitive::<Time64MicrosecondType>().value(i) * 1_000, 6))
        }
        DataType::Time64(_) => Value::Text(time(a.as_primitive::<Time64NanosecondType>().value(i), 9)),
        DataType::Timestamp(unit, zone) => {
            let (seconds, nanos, digits) = match unit {
                TimeUnit::Second => (a.as_primitive::<TimestampSecondType>().value(i), 0, 0),
                TimeUnit::Millisecond => split(a.as_primitive::<TimestampMillisecondType>().value(i), 1_000, 3),
                TimeUnit::Microsecond => split(a.as_primitive::<TimestampMicrosecondType>().value(i), 1_000_000, 6),
                TimeUnit::Nanosecond => split(a.as_primitive::<TimestampNanosecondType>().value(i), 1_000_000_000, 9),
            };
            Value::Text(timestamp(seconds, nanos, digits, zone.as_deref()))
        }
        DataType::Duration(unit) => {
            let ms = match unit {
                TimeUnit::Second => a.as_primitive::<DurationSecondType>().value(i).saturating_mul(1_000),
                TimeUnit::Millisecond => a.as_primitive::<DurationMillisecondType>().value(i),
                TimeUnit::Microsecond => a.as_primitive::<DurationMicrosecondType>().value(i) / 1_000,
                TimeUnit::Nanosecond => a.as_primitive::<DurationNanosecondType>().value(i) / 1_000_000,
            };
            Value::Text(duration(ms))
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            Value::Text(months(a.as_primitive::<IntervalYearMonthType>().value(i)))
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let v = a.as_primitive::<IntervalDayTimeType>().value(i);
            Value::Text(duration(i64::from(v.days) * 86_400_000 + i64::from(v.milliseconds)))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let v = a.as_primitive::<IntervalMonthDayNanoType>().value(i);
            if v.months != 0 {
                return Value::Text(months(v.months));
            }
            Value::Text(duration(i64::from(v.days) * 86_400_000 + v.nanoseconds / 1_000_000))
        }
        DataType::List(_) => array(&a.as_list::<i32>().value(i)),
        DataType::LargeList(_) => array(&a.as_list::<i64>().value(i)),
        DataType::ListView(_) => array(&a.as_list_view::<i32>().value(i)),
        DataType::LargeListView(_) => array(&a.as_list_view::<i64>().value(i)),
        DataType::FixedSizeList(..) => array(&a.as_fixed_size_list().value(i)),
        DataType::Map(..) => {
            let entries = a.as_map().value(i);
            let (keys, values) = (entries.column(0), entries.column(1));
            Value::Map((0..entries.len()).map(|n| (value(keys, n), value(values, n))).collect())
        }
        DataType::Struct(_) => structure(a.as_struct(), i),
        DataType::Dictionary(..) => {
            let d = a.as_any_dictionary();
            let keys = d.normalized_keys();
            keys.get(i).map_or(Value::Null, |k| value(d.values().as_ref(), *k))
        }
        other => Value::Text(format!("({other})")),
    }
}

fn array(items: &ArrayRef) -> Value {
    Value::Array((0..items.len()).map(|n| value(items.as_ref(), n)).collect())
}

/// A row, or one of the scalars that a struct of one `$` field stands for.
fn structure(a: &StructArray, i: usize) -> Value {
    if cloudtarn_functions::types::is_time_tz(a.data_type()) {
        let one: ArrayRef = Arc::new(a.slice(i, 1));
        let mut shown = String::new();
        return match Formatter::new(&one, Style::Result) {
            Ok(f) if f.write(0, &mut shown) => Value::Text(shown),
            _ => Value::Null,
        };
    }
    if let [field] = a.fields().as_ref() {
        let inner = a.column(0);
        let bytes = |f: fn(&[u8]) -> String| {
            let bytes = inner.as_any().downcast_ref::<FixedSizeBinaryArray>();
            bytes.map_or(Value::Null, |b| if b.is_null(i) { Value::Null } else { Value::Text(f(b.value(i))) })
        };
        match field.name().as_str() {
            "$json" => {
                return match value(inner.as_ref(), i) {
                    Value::Text(s) => Value::Json(s),
                    other => other,
                };
            }
            "$ipaddress" => return bytes(address),
            "$uuid" => return bytes(uuid),
            _ => {}
        }
    }
    // The fields of an anonymous row are c0, c1, …: names that no result shows.
    let anonymous = a.fields().iter().enumerate().all(|(n, f)| *f.name() == format!("c{n}"));
    Value::Row(
        a.fields()
            .iter()
            .zip(a.columns())
            .map(|(f, c)| (if anonymous { String::new() } else { f.name().clone() }, value(c.as_ref(), i)))
            .collect(),
    )
}

fn address(bytes: &[u8]) -> String {
    let Ok(octets) = <[u8; 16]>::try_from(bytes) else {
        return hex(bytes);
    };
    let v6 = std::net::Ipv6Addr::from(octets);
    v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string())
}

fn uuid(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(36);
    for (i, b) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{b:02x}");
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for (i, b) in bytes.iter().enumerate() {
        let _ = write!(out, "{}{b:02x}", if i == 0 { "" } else { " " });
    }
    out
}

/// Java's `Double.toString`; `scientific` is the shortest form `d.ddde±x` of the same number.
fn float(x: f64, scientific: &str) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    if x == 0.0 {
        return format!("{sign}0.0");
    }
    if (-3..7).contains(&exponent) {
        if exponent < 0 {
            return format!("{sign}0.{}{digits}", zeros(-exponent - 1));
        }
        let whole = usize::try_from(exponent).unwrap_or(0) + 1;
        if digits.len() <= whole {
            let pad = i32::try_from(whole - digits.len()).unwrap_or(0);
            return format!("{sign}{digits}{}.0", zeros(pad));
        }
        return format!("{sign}{}.{}", &digits[..whole], &digits[whole..]);
    }
    let rest = if digits.len() > 1 { &digits[1..] } else { "0" };
    format!("{sign}{}.{rest}E{exponent}", &digits[..1])
}

fn date(days: i64) -> String {
    let day = NaiveDate::default().checked_add_signed(TimeDelta::try_days(days).unwrap_or_default());
    day.map_or_else(|| format!("({days} days)"), |d| format!("{}-{:02}-{:02}", year(d.year()), d.month(), d.day()))
}

fn year(y: i32) -> String {
    let mut text = String::with_capacity(32);
    if y < 0 {
        text.push('-');
    }
    let y = y.unsigned_abs();
    push_digits(&mut text, y, y.checked_ilog10().map_or(1, |digits| digits + 1).max(4));
    text
}

fn split(v: i64, per_second: i64, digits: usize) -> (i64, i64, usize) {
    (v.div_euclid(per_second), v.rem_euclid(per_second) * (1_000_000_000 / per_second), digits)
}

fn fraction(nanos: i64, digits: usize) -> String {
    if digits == 0 { String::new() } else { format!(".{}", &format!("{nanos:09}")[..digits]) }
}

fn time(nanos: i64, digits: usize) -> String {
    let s = nanos / 1_000_000_000;
    format!("{:02}:{:02}:{:02}{}", s / 3600, s / 60 % 60, s % 60, fraction(nanos % 1_000_000_000, digits))
}

fn timestamp(seconds: i64, nanos: i64, digits: usize, zone: Option<&str>) -> String {
    let Some(utc) = DateTime::<Utc>::from_timestamp(seconds, 0).map(|t| t.naive_utc()) else {
        return format!("({seconds} s)");
    };
    let (offset, name) = zone.map_or((None, String::new()), |z| offset_of(z, &utc));
    let local = offset.map_or(utc, |o| utc + o);
    let mut text = year(local.year());
    for (before, number) in
        [('-', local.month()), ('-', local.day()), (' ', local.hour()), (':', local.minute()), (':', local.second())]
    {
        text.push(before);
        push_digits(&mut text, number, 2);
    }
    if digits > 0 {
        text.push('.');
        let unit = 10_i64.pow(9 - digits as u32);
        push_digits(&mut text, u32::try_from(nanos / unit).unwrap_or_default(), digits as u32);
    }
    text + &name
}

/// A number of so many digits: results have thousands of times, and formatting them takes longer than finding them otherwise.
fn push_digits(text: &mut String, number: u32, digits: u32) {
    for digit in (0..digits).rev() {
        text.push(char::from_digit(number / 10_u32.pow(digit) % 10, 10).unwrap_or('0'));
    }
}

/// The zone's offset at that time, and its name with a blank in front.
fn offset_of(zone: &str, utc: &chrono::NaiveDateTime) -> (Option<FixedOffset>, String) {
    if matches!(zone, "UTC" | "Z" | "+00:00" | "Etc/UTC" | "GMT") {
        return (None, " UTC".to_owned());
    }
    if let Ok(tz) = zone.parse::<chrono_tz::Tz>() {
        return (Some(tz.offset_from_utc_datetime(utc).fix()), format!(" {zone}"));
    }
    let fixed = zone.parse::<FixedOffset>().ok();
    (fixed, format!(" {zone}"))
}

fn duration(ms: i64) -> String {
    let (sign, ms) = if ms < 0 { ("-", ms.unsigned_abs()) } else { ("", ms.unsigned_abs()) };
    let s = ms / 1000;
    format!("{sign}{} {:02}:{:02}:{:02}.{:03}", s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60, ms % 1000)
}

fn months(n: i32) -> String {
    let (sign, n) = if n < 0 { ("-", n.unsigned_abs()) } else { ("", n.unsigned_abs()) };
    format!("{sign}{}-{}", n / 12, n % 12)
}
