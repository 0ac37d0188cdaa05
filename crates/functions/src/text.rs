//! Values as text: what `CAST(x AS varchar)` gives and what CloudTrail Lake prints.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMillisecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion_common::Result;

use crate::scalar::mismatch;
use crate::temporal::{DAY, Zone, civil_from_days, offset_text, per_second};
use crate::types;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As results show them: doubles as `1.5`, `1.0E10`.
    Result,
    /// As `CAST(x AS varchar)` gives them: doubles as `1.5E0`.
    Cast,
}

type Write = Box<dyn Fn(usize, &mut String) + Send + Sync>;

/// Writes the values of one array as text.
///
/// Scalars are written as Trino does, rows and maps as CloudTrail Lake prints them (`{type=Root, arn=null}`), arrays as
/// `[a, b]`, binaries as lower-case hexadecimal with a blank between bytes.
pub struct Formatter {
    write: Write,
    nulls: ArrayRef,
}

impl std::fmt::Debug for Formatter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Formatter").field("type", self.nulls.data_type()).finish_non_exhaustive()
    }
}

impl Formatter {
    /// A writer of the array's values.
    ///
    /// # Errors
    /// `TYPE_MISMATCH` for an Arrow type that no Trino type is carried by.
    pub fn new(array: &ArrayRef, style: Style) -> Result<Self> {
        Ok(Self { write: writer(array, style)?, nulls: logical(array)? })
    }

    /// Appends the text of a row's value; false and nothing appended where it is NULL.
    pub fn write(&self, row: usize, out: &mut String) -> bool {
        if self.nulls.is_null(row) || self.nulls.data_type() == &DataType::Null {
            return false;
        }
        (self.write)(row, out);
        true
    }
}

/// Dictionaries and runs unpacked, everything else as it is.
fn logical(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Dictionary(_, value) => arrow::compute::cast(array, value)?,
        DataType::RunEndEncoded(_, value) => arrow::compute::cast(array, value.data_type())?,
        _ => array.clone(),
    })
}

fn primitive<T>(array: &ArrayRef, write: impl Fn(T::Native, &mut String) + Send + Sync + 'static) -> Write
where
    T: ArrowPrimitiveType,
{
    let array = array.as_primitive::<T>().clone();
    Box::new(move |row, out| write(array.value(row), out))
}

fn integer<T>(array: &ArrayRef) -> Write
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    primitive::<T>(array, |v, out| out.push_str(itoa::Buffer::new().format(v.into())))
}

fn writer(array: &ArrayRef, style: Style) -> Result<Write> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, _| {}),
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            Box::new(move |row, out| out.push_str(if array.value(row) { "true" } else { "false" }))
        }
        DataType::Int8 => integer::<Int8Type>(array),
        DataType::Int16 => integer::<Int16Type>(array),
        DataType::Int32 => integer::<Int32Type>(array),
        DataType::Int64 => integer::<Int64Type>(array),
        DataType::UInt8 => integer::<UInt8Type>(array),
        DataType::UInt16 => integer::<UInt16Type>(array),
        DataType::UInt32 => integer::<UInt32Type>(array),
        DataType::UInt64 => primitive::<UInt64Type>(array, |v, out| out.push_str(itoa::Buffer::new().format(v))),
        DataType::Float32 => primitive::<Float32Type>(array, move |v, out| real(v, style, out)),
        DataType::Float64 => primitive::<Float64Type>(array, move |v, out| double(v, style, out)),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            primitive::<Decimal128Type>(array, move |v, out| decimal(v, scale, out))
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            primitive::<Decimal256Type>(array, move |v, out| match v.to_i128() {
                Some(v) => decimal(v, scale, out),
                None => out.push_str(&v.to_string()),
            })
        }
        DataType::Utf8View => {
            let array = array.as_string_view().clone();
            Box::new(move |row, out| out.push_str(array.value(row)))
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>().clone();
            Box::new(move |row, out| out.push_str(array.value(row)))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>().clone();
            Box::new(move |row, out| out.push_str(array.value(row)))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>().clone();
            Box::new(move |row, out| binary(array.value(row), out))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>().clone();
            Box::new(move |row, out| binary(array.value(row), out))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view().clone();
            Box::new(move |row, out| binary(array.value(row), out))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary().clone();
            Box::new(move |row, out| binary(array.value(row), out))
        }
        DataType::Date32 => primitive::<Date32Type>(array, |v, out| date(i64::from(v), out)),
        DataType::Time32(_) | DataType::Time64(_) => {
            let (values, unit) = crate::instants::times(array)?;
            Box::new(move |row, out| time(values.value(row), unit, out))
        }
        DataType::Timestamp(unit, zone) => {
            let unit = *unit;
            let values = crate::instants::timestamps(array)?;
            match zone {
                None => Box::new(move |row, out| timestamp(values.value(row), unit, out)),
                Some(zone) => {
                    let zone = Zone::parse(zone).unwrap_or(Zone::UTC);
                    let name = zone.name();
                    Box::new(move |row, out| {
                        let per = per_second(unit);
                        let value = values.value(row);
                        let offset = zone.offset_at(value.div_euclid(per));
                        timestamp(value.saturating_add(i64::from(offset) * per), unit, out);
                        out.push(' ');
                        out.push_str(&name);
                    })
                }
            }
        }
        DataType::Duration(_) => {
            let array = arrow::compute::cast(array, &DataType::Duration(TimeUnit::Millisecond))?;
            primitive::<DurationMillisecondType>(&array, interval_day)
        }
        DataType::Interval(IntervalUnit::YearMonth) => primitive::<IntervalYearMonthType>(array, interval_year),
        DataType::Interval(IntervalUnit::DayTime) => primitive::<IntervalDayTimeType>(array, |v, out| {
            interval_day(i64::from(v.days) * DAY * 1000 + i64::from(v.milliseconds), out);
        }),
        DataType::Interval(IntervalUnit::MonthDayNano) => primitive::<IntervalMonthDayNanoType>(array, |v, out| {
            if v.days == 0 && v.nanoseconds == 0 && v.months != 0 {
                interval_year(v.months, out);
            } else {
                let days = i64::from(v.months) * 30 + i64::from(v.days);
                interval_day(days * DAY * 1000 + v.nanoseconds / 1_000_000, out);
            }
        }),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => list(array, style)?,
        DataType::Map(_, _) => map(array.as_map(), style)?,
        DataType::Struct(_) => structure(array.as_struct(), style)?,
        DataType::Dictionary(_, _) | DataType::RunEndEncoded(_, _) => writer(&logical(array)?, style)?,
        other => return mismatch(format!("no text for Arrow type {other}")),
    })
}

fn list(array: &ArrayRef, style: Style) -> Result<Write> {
    let array = match array.data_type() {
        DataType::List(_) => array.clone(),
        other => match types::element(other) {
            Some(f) => arrow::compute::cast(array, &DataType::List(f.clone()))?,
            None => return mismatch("not an array"),
        },
    };
    let array = array.as_list::<i32>().clone();
    let element = Formatter::new(array.values(), style)?;
    Ok(Box::new(move |row, out| {
        let offsets = array.value_offsets();
        out.push('[');
        for (n, i) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
            if n > 0 {
                out.push_str(", ");
            }
            or_null(&element, i, out);
        }
        out.push(']');
    }))
}

fn map(array: &MapArray, style: Style) -> Result<Write> {
    let array = array.clone();
    let key = Formatter::new(array.keys(), style)?;
    let value = Formatter::new(array.values(), style)?;
    Ok(Box::new(move |row, out| {
        let offsets = array.value_offsets();
        out.push('{');
        for (n, i) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
            if n > 0 {
                out.push_str(", ");
            }
            or_null(&key, i, out);
            out.push('=');
            or_null(&value, i, out);
        }
        out.push('}');
    }))
}

fn or_null(formatter: &Formatter, row: usize, out: &mut String) {
    if !formatter.write(row, out) {
        out.push_str("null");
    }
}

fn structure(array: &StructArray, style: Style) -> Result<Write> {
    let t = array.data_type().clone();
    if types::is_ipaddress(&t) {
        let bytes = array.column(0).as_fixed_size_binary().clone();
        return Ok(Box::new(move |row, out| ipaddress(bytes.value(row), out)));
    }
    if types::is_uuid(&t) {
        let bytes = array.column(0).as_fixed_size_binary().clone();
        return Ok(Box::new(move |row, out| uuid(bytes.value(row), out)));
    }
    if types::is_json(&t) {
        return writer(array.column(0), style);
    }
    if types::is_time_tz(&t) {
        let clock = writer(array.column(0), style)?;
        let offset = array.column(1).as_primitive::<Int16Type>().clone();
        return Ok(Box::new(move |row, out| {
            clock(row, out);
            out.push_str(&offset_text(i32::from(offset.value(row)) * 60));
        }));
    }
    let fields: Vec<(String, Formatter)> = array
        .fields()
        .iter()
        .zip(array.columns())
        .map(|(f, c)| Ok((f.name().clone(), Formatter::new(c, style)?)))
        .collect::<Result<_>>()?;
    Ok(Box::new(move |row, out| {
        out.push('{');
        for (n, (name, field)) in fields.iter().enumerate() {
            if n > 0 {
                out.push_str(", ");
            }
            out.push_str(name);
            out.push('=');
            or_null(field, row, out);
        }
        out.push('}');
    }))
}

/// A double in one of the two notations.
pub(crate) fn double(v: f64, style: Style, out: &mut String) {
    if v.is_finite() {
        let _ = write!(out, "{}", Scientific { text: format!("{v:e}"), style });
    } else {
        not_finite(v.is_nan(), v > 0.0, out);
    }
}

/// A real in one of the two notations.
pub(crate) fn real(v: f32, style: Style, out: &mut String) {
    if v.is_finite() {
        let _ = write!(out, "{}", Scientific { text: format!("{v:e}"), style });
    } else {
        not_finite(v.is_nan(), v > 0.0, out);
    }
}

fn not_finite(nan: bool, positive: bool, out: &mut String) {
    out.push_str(match (nan, positive) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    });
}

/// Rust's shortest `1.25e-3` as Java writes it.
struct Scientific {
    text: String,
    style: Style,
}

impl std::fmt::Display for Scientific {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (negative, text) = match self.text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, self.text.as_str()),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
        if negative {
            f.write_str("-")?;
        }
        let zero = digits == "0";
        if self.style == Style::Cast {
            if zero {
                return f.write_str("0E0");
            }
        } else if zero || (-3..7).contains(&exponent) {
            return plain(f, &digits, exponent);
        }
        let rest = if digits.len() > 1 { &digits[1..] } else { "0" };
        write!(f, "{}.{rest}E{exponent}", &digits[..1])
    }
}

fn plain(f: &mut std::fmt::Formatter<'_>, digits: &str, exponent: i32) -> std::fmt::Result {
    if exponent < 0 {
        return write!(f, "0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        write!(f, "{digits}{}.0", "0".repeat(whole - digits.len()))
    } else {
        write!(f, "{}.{}", &digits[..whole], &digits[whole..])
    }
}

/// A decimal with all digits of its scale.
pub(crate) fn decimal(v: i128, scale: i8, out: &mut String) {
    let Ok(scale) = usize::try_from(scale) else {
        let _ = write!(out, "{v}{}", "0".repeat(usize::from(scale.unsigned_abs())));
        return;
    };
    if v < 0 {
        out.push('-');
    }
    let digits = v.unsigned_abs().to_string();
    if scale == 0 {
        out.push_str(&digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let _ = write!(out, "{whole}.{fraction}");
    } else {
        let _ = write!(out, "0.{}{digits}", "0".repeat(scale - digits.len()));
    }
}

fn binary(bytes: &[u8], out: &mut String) {
    for (i, b) in bytes.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let _ = write!(out, "{b:02x}");
    }
}

/// `yyyy-mm-dd`; years beyond four digits carry a sign.
pub(crate) fn date(days: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(days);
    push_year(year, out);
    out.push('-');
    two(month, out);
    out.push('-');
    two(day, out);
}

fn push_year(year: i64, out: &mut String) {
    if (0..=9999).contains(&year) {
        let _ = write!(out, "{year:04}");
    } else {
        let _ = write!(out, "{year:+05}");
    }
}

fn two(v: u32, out: &mut String) {
    out.push(char::from(b'0' + (v / 10 % 10) as u8));
    out.push(char::from(b'0' + (v % 10) as u8));
}

/// `hh:mm:ss` and as many digits of a second as the unit has.
pub(crate) fn time(value: i64, unit: TimeUnit, out: &mut String) {
    let per = per_second(unit);
    let seconds = value.div_euclid(per).rem_euclid(DAY) as u32;
    two(seconds / 3600, out);
    out.push(':');
    two(seconds / 60 % 60, out);
    out.push(':');
    two(seconds % 60, out);
    let digits = usize::from(types::digits(unit));
    if digits > 0 {
        let _ = write!(out, ".{:0digits$}", value.rem_euclid(per));
    }
}

/// `yyyy-mm-dd hh:mm:ss` and as many digits of a second as the unit has.
pub(crate) fn timestamp(value: i64, unit: TimeUnit, out: &mut String) {
    let per = per_second(unit);
    date(value.div_euclid(per).div_euclid(DAY), out);
    out.push(' ');
    time(value.rem_euclid(per * DAY), unit, out);
}

/// `d hh:mm:ss.mmm`
pub(crate) fn interval_day(millis: i64, out: &mut String) {
    if millis < 0 {
        out.push('-');
    }
    let v = millis.unsigned_abs();
    let _ = write!(
        out,
        "{} {:02}:{:02}:{:02}.{:03}",
        v / 86_400_000,
        v / 3_600_000 % 24,
        v / 60_000 % 60,
        v / 1000 % 60,
        v % 1000
    );
}

/// `y-m`
pub(crate) fn interval_year(months: i32, out: &mut String) {
    if months < 0 {
        out.push('-');
    }
    let v = months.unsigned_abs();
    let _ = write!(out, "{}-{}", v / 12, v % 12);
}

/// An address as Java writes it: IPv4 dotted, IPv6 with the longest run of zeros shortened.
pub(crate) fn ipaddress(bytes: &[u8], out: &mut String) {
    let Ok(octets) = <[u8; 16]>::try_from(bytes) else {
        return binary(bytes, out);
    };
    let v6 = std::net::Ipv6Addr::from(octets);
    match v6.to_ipv4_mapped() {
        Some(v4) => {
            let _ = write!(out, "{v4}");
        }
        None => {
            let _ = write!(out, "{v6}");
        }
    }
}

/// `8-4-4-4-12` hexadecimal digits.
pub(crate) fn uuid(bytes: &[u8], out: &mut String) {
    for (i, b) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{b:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(f: impl Fn(&mut String)) -> String {
        let mut out = String::new();
        f(&mut out);
        out
    }

    #[test]
    fn doubles_in_both_notations() {
        let result = |v| shown(|o| double(v, Style::Result, o));
        let cast = |v| shown(|o| double(v, Style::Cast, o));
        assert_eq!(result(17.0), "17.0");
        assert_eq!(result(0.001), "0.001");
        assert_eq!(result(0.000_1), "1.0E-4");
        assert_eq!(result(1_234_567.5), "1234567.5");
        assert_eq!(result(100_000_000_017.0), "1.00000000017E11");
        assert_eq!(result(-0.0), "-0.0");
        assert_eq!(cast(37.7), "3.77E1");
        assert_eq!(cast(0.0), "0E0");
        assert_eq!(cast(-1200.0), "-1.2E3");
        assert_eq!(result(f64::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn decimals_dates_and_intervals() {
        assert_eq!(shown(|o| decimal(-5, 2, o)), "-0.05");
        assert_eq!(shown(|o| decimal(12345, 2, o)), "123.45");
        assert_eq!(shown(|o| date(-1, o)), "1969-12-31");
        assert_eq!(shown(|o| timestamp(-1, TimeUnit::Millisecond, o)), "1969-12-31 23:59:59.999");
        assert_eq!(shown(|o| interval_day(-3000, o)), "-0 00:00:03.000");
        assert_eq!(shown(|o| interval_year(-30, o)), "-2-6");
    }
}
