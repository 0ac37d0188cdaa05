//! `format`: Java's format strings.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::datetime_pattern::Pattern;
use crate::pages::datetime::Moments;
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::temporal::{DAY, civil_from_days, day_of_year, offset_text};
use crate::text::{self, Formatter, Style};
use crate::types::Type;

pub(super) fn function() -> ScalarUDF {
    Scalar::with(
        "format",
        |t| {
            let (first, rest) = t.split_first()?;
            let mut out = vec![accept(first, Param::Varchar)?];
            out.extend(rest.iter().map(|t| if t.is_integer() { DataType::Int64 } else { t.clone() }));
            (!rest.is_empty()).then_some(out)
        },
        |_, _| Ok(DataType::Utf8View),
        format,
    )
    .build()
}

/// One conversion of a format string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Spec {
    argument: usize,
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    group: bool,
    parentheses: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
    /// What follows `t`.
    date: char,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Spec),
}

fn bad<T>(format: &str) -> Result<T> {
    invalid(format!("Invalid format string: {format}"))
}

/// Reads a format string; arguments are counted from 0.
fn compile(format: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut explicit = None;
        let mut number: Option<usize> = None;
        let mut flags_done = false;
        loop {
            let Some(c) = chars.next() else { return bad(format) };
            let flag = match c {
                '-' => Some(&mut spec.left),
                '+' => Some(&mut spec.plus),
                ' ' => Some(&mut spec.blank),
                '0' if number.is_none() => Some(&mut spec.zero),
                ',' => Some(&mut spec.group),
                '(' => Some(&mut spec.parentheses),
                '#' => Some(&mut spec.alternate),
                _ => None,
            };
            if let Some(flag) = flag {
                if *flag || flags_done {
                    return bad(format);
                }
                *flag = true;
                continue;
            }
            match c {
                '0'..='9' => {
                    let digit = c as usize - '0' as usize;
                    number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit).min(100_000));
                    flags_done = true;
                }
                '$' if explicit.is_none() && number.is_some() => {
                    explicit = number.take();
                    flags_done = false;
                }
                '.' => {
                    let mut digits = 0_usize;
                    let mut any = false;
                    while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
                        digits = digits.saturating_mul(10).saturating_add(d as usize).min(10_000);
                        any = true;
                        chars.next();
                    }
                    if !any {
                        return bad(format);
                    }
                    spec.precision = Some(digits);
                    flags_done = true;
                }
                conversion => {
                    spec.width = number.unwrap_or(0);
                    spec.conversion = conversion;
                    if matches!(conversion, 't' | 'T') {
                        spec.date = chars.next().unwrap_or(' ');
                    }
                    break;
                }
            }
        }
        if !"bBhHsScCdoxXeEfgGaAtT%n".contains(spec.conversion) || (spec.left && spec.width == 0) {
            return bad(format);
        }
        match spec.conversion {
            '%' => text.push('%'),
            'n' if spec.width > 0 => return bad(format),
            'n' => text.push('\n'),
            _ => {
                spec.argument = match explicit {
                    Some(0) => return bad(format),
                    Some(n) => n - 1,
                    None => {
                        next += 1;
                        next - 1
                    }
                };
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Value(spec));
            }
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

fn format(call: &Call<'_>) -> Result<ArrayRef> {
    let formats = call.array(0)?;
    let formats = formats.as_string_view();
    let constant = match call.constant_text(0) {
        Some(Some(format)) => Some(compile(format)?),
        _ => None,
    };
    let arguments: Vec<Argument> = (1..call.len()).map(|i| Argument::of(call.array(i)?)).collect::<Result<_>>()?;
    let mut out = StringViewBuilder::with_capacity(call.rows());
    for row in 0..call.rows() {
        if formats.is_null(row) {
            out.append_null();
            continue;
        }
        let format = formats.value(row);
        let compiled;
        let parts = match &constant {
            Some(parts) => parts,
            None => {
                compiled = compile(format)?;
                &compiled
            }
        };
        let mut line = String::new();
        for part in parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Value(spec) => match arguments.get(spec.argument) {
                    Some(argument) => argument.write(row, spec, format, &mut line)?,
                    None => return bad(format),
                },
            }
        }
        out.append_value(&line);
    }
    Ok(Arc::new(out.finish()))
}

struct Argument {
    array: ArrayRef,
    plain: Formatter,
    moments: Option<Moments>,
}

impl Argument {
    fn of(array: ArrayRef) -> Result<Self> {
        let moments = match Type::of(array.data_type()) {
            Type::Date | Type::Timestamp(_) | Type::TimestampTz(_, _) | Type::Time(_) => Some(Moments::of(&array)?),
            _ => None,
        };
        Ok(Self { plain: Formatter::new(&array, Style::Result)?, array, moments })
    }

    fn is_null(&self, row: usize) -> bool {
        self.array.data_type() == &DataType::Null || self.array.is_null(row)
    }

    fn write(&self, row: usize, spec: &Spec, format: &str, out: &mut String) -> Result<()> {
        let mut text = String::new();
        match spec.conversion {
            'b' | 'B' => {
                let truth = match self.array.data_type() {
                    DataType::Boolean if !self.is_null(row) => self.array.as_boolean().value(row),
                    _ => !self.is_null(row),
                };
                text.push_str(if truth { "true" } else { "false" });
            }
            _ if self.is_null(row) => text.push_str("null"),
            's' | 'S' => {
                if spec.plus || spec.blank || spec.zero || spec.group || spec.alternate {
                    return bad(format);
                }
                self.java_string(row, &mut text);
                if let Some(n) = spec.precision {
                    text = text.chars().take(n).collect();
                }
            }
            'd' | 'o' | 'x' | 'X' => self.integer(row, spec, format, &mut text)?,
            'f' | 'e' | 'E' | 'g' | 'G' => self.float(row, spec, format, &mut text)?,
            'c' | 'C' => {
                let code = match self.array.data_type() {
                    DataType::Int64 => u32::try_from(self.array.as_primitive::<Int64Type>().value(row)).ok(),
                    _ => None,
                };
                match code.and_then(char::from_u32) {
                    Some(c) => text.push(c),
                    None => return bad(format),
                }
            }
            't' | 'T' => self.date(row, spec, format, &mut text)?,
            _ => return bad(format),
        }
        if spec.conversion.is_ascii_uppercase() {
            text = text.to_uppercase();
        }
        let missing = spec.width.saturating_sub(text.chars().count());
        if spec.left {
            out.push_str(&text);
            out.extend(std::iter::repeat_n(' ', missing));
        } else {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(&text);
        }
        Ok(())
    }

    /// The text of the Java object that Trino passes for the value.
    fn java_string(&self, row: usize, out: &mut String) {
        let Some(moments) = self.moments.as_ref().filter(|m| m.per > 0) else {
            self.plain.write(row, out);
            return;
        };
        let v = moments.values.value(row);
        let (seconds, fraction) = moments.local(v);
        if matches!(Type::of(self.array.data_type()), Type::Timestamp(_) | Type::TimestampTz(_, _)) {
            text::date(seconds.div_euclid(DAY), out);
            out.push('T');
        }
        let clock = seconds.rem_euclid(DAY);
        let _ = write!(out, "{:02}:{:02}", clock / 3600, clock / 60 % 60);
        let nanos = moments.nanos(fraction);
        if clock % 60 != 0 || nanos != 0 {
            let _ = write!(out, ":{:02}", clock % 60);
        }
        if nanos != 0 {
            let digits = format!("{nanos:09}");
            let used = digits.trim_end_matches('0').len().div_ceil(3) * 3;
            let _ = write!(out, ".{}", &digits[..used]);
        }
        if let Some(zone) = moments.zone {
            let offset = zone.offset_at(v.div_euclid(moments.per));
            let _ = match offset {
                0 => write!(out, "Z"),
                o => write!(out, "{}", offset_text(o)),
            };
            let name = zone.name();
            if !name.starts_with(['+', '-']) {
                let _ = write!(out, "[{name}]");
            }
        }
    }

    fn integer(&self, row: usize, spec: &Spec, format: &str, out: &mut String) -> Result<()> {
        if self.array.data_type() != &DataType::Int64 || spec.precision.is_some() {
            return bad(format);
        }
        let v = self.array.as_primitive::<Int64Type>().value(row);
        match spec.conversion {
            'd' => signed(v < 0, &v.unsigned_abs().to_string(), spec, out),
            'o' => {
                let _ = write!(out, "{v:o}");
            }
            _ => {
                let _ = write!(out, "{v:x}");
            }
        }
        Ok(())
    }

    fn float(&self, row: usize, spec: &Spec, format: &str, out: &mut String) -> Result<()> {
        let precision = spec.precision.unwrap_or(6);
        let v = match self.array.data_type() {
            DataType::Float64 => self.array.as_primitive::<Float64Type>().value(row),
            DataType::Float32 => f64::from(self.array.as_primitive::<Float32Type>().value(row)),
            DataType::Decimal128(_, scale) if spec.conversion == 'f' => {
                let v = self.array.as_primitive::<Decimal128Type>().value(row);
                let to = i8::try_from(precision.min(30)).unwrap_or(30);
                let rounded = crate::cast::rescale(v, *scale, to).unwrap_or(v);
                let mut digits = String::new();
                text::decimal(rounded.abs(), to, &mut digits);
                signed(rounded < 0, &digits, spec, out);
                return Ok(());
            }
            _ => return bad(format),
        };
        if !v.is_finite() {
            text::double(v, Style::Result, out);
            return Ok(());
        }
        let digits = match spec.conversion {
            'f' => format!("{:.precision$}", v.abs()),
            'e' | 'E' => {
                let text = format!("{:.precision$e}", v.abs());
                let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let exponent: i32 = exponent.parse().unwrap_or(0);
                format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
            }
            _ => {
                let digits = precision.max(1);
                let exponent = if v == 0.0 { 0 } else { v.abs().log10().floor() as i64 };
                if (-4..digits as i64).contains(&exponent) {
                    format!("{:.*}", (digits as i64 - 1 - exponent).max(0) as usize, v.abs())
                } else {
                    format!("{:.*e}", digits - 1, v.abs())
                }
            }
        };
        signed(v.is_sign_negative(), &digits, spec, out);
        Ok(())
    }

    /// `%tY` and its kin.
    fn date(&self, row: usize, spec: &Spec, format: &str, out: &mut String) -> Result<()> {
        let Some(moments) = &self.moments else { return bad(format) };
        let v = moments.values.value(row);
        let (seconds, fraction) = moments.local(v);
        let nanos = moments.nanos(fraction);
        let offset = moments.zone.map(|z| z.offset_at(v.div_euclid(moments.per.max(1))));
        let days = seconds.div_euclid(DAY);
        let (year, _, _) = civil_from_days(days);
        let pattern = match spec.date {
            'H' => "HH",
            'I' => "hh",
            'k' => "H",
            'l' => "h",
            'M' => "mm",
            'S' => "ss",
            'L' => "SSS",
            'N' => "SSSSSSSSS",
            'p' => "a",
            'z' => "Z",
            'Z' => "z",
            'B' => "MMMM",
            'b' | 'h' => "MMM",
            'A' => "EEEE",
            'a' => "EEE",
            'Y' => "yyyy",
            'y' => "yy",
            'm' => "MM",
            'd' => "dd",
            'e' => "d",
            'R' => "HH:mm",
            'T' => "HH:mm:ss",
            'r' => "hh:mm:ss a",
            'D' => "MM/dd/yy",
            'F' => "yyyy-MM-dd",
            'c' => "EEE MMM dd HH:mm:ss z yyyy",
            'C' => {
                let _ = write!(out, "{:02}", year / 100);
                return Ok(());
            }
            'j' => {
                let _ = write!(out, "{:03}", day_of_year(days));
                return Ok(());
            }
            's' | 'Q' => {
                let utc = seconds - i64::from(offset.unwrap_or(0));
                let _ = match spec.date {
                    's' => write!(out, "{utc}"),
                    _ => write!(out, "{}", utc * 1000 + nanos / 1_000_000),
                };
                return Ok(());
            }
            _ => return bad(format),
        };
        let start = out.len();
        Pattern::joda(pattern)?.format(seconds, nanos, moments.zone.as_ref().zip(offset), out);
        if spec.date == 'p' {
            let lower = out[start..].to_lowercase();
            out.truncate(start);
            out.push_str(&lower);
        }
        Ok(())
    }
}

/// A number with its sign, groups of three and zeros in front.
fn signed(negative: bool, digits: &str, spec: &Spec, out: &mut String) {
    let (whole, rest) = match digits.find(['.', 'e']) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    let mut number = String::new();
    for (i, c) in whole.chars().enumerate() {
        if spec.group && i > 0 && (whole.len() - i) % 3 == 0 {
            number.push(',');
        }
        number.push(c);
    }
    number.push_str(rest);
    let (before, after) = match (negative, spec.parentheses) {
        (true, true) => ("(", ")"),
        (true, false) => ("-", ""),
        (false, _) if spec.plus => ("+", ""),
        (false, _) if spec.blank => (" ", ""),
        _ => ("", ""),
    };
    let zeros = if spec.zero { spec.width.saturating_sub(number.len() + before.len() + after.len()) } else { 0 };
    let _ = write!(out, "{before}{}{number}{after}", "0".repeat(zeros));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flags_of_numbers() {
        let shown = |negative, digits: &str, spec: Spec| {
            let mut out = String::new();
            signed(negative, digits, &spec, &mut out);
            out
        };
        assert_eq!(shown(false, "1234567", Spec { group: true, ..Spec::default() }), "1,234,567");
        assert_eq!(shown(true, "5", Spec { zero: true, width: 4, ..Spec::default() }), "-005");
        assert_eq!(shown(true, "1234.5", Spec { parentheses: true, group: true, ..Spec::default() }), "(1,234.5)");
    }

    #[test]
    fn bad_formats() {
        for format in ["%", "%5n", "%--2d", "%0$s", "%q", "%-d", "%.s"] {
            assert!(compile(format).is_err(), "{format}");
        }
    }

    proptest! {
        #[test]
        fn no_format_panics(format in "[%a-zA-Z0-9$., +-]*") {
            let _ = compile(&format);
        }
    }
}
