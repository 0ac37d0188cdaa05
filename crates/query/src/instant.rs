//! `"$instant_…"(x)`: a text or a timestamp as the `timestamp(3)` to compare an event's time with.
//!
//! Lake compares `eventTime` with plain text in every form that people write (`2023-01-22`, `2023-01-22T10:00:00Z`,
//! `2023-01-22 10:00:00.000 +02:00`). The text is parsed, not the time printed, and what is finer than a
//! millisecond or in another zone is brought to the column's own type, so that the comparison is with a constant that prunes files.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowTimestampType, DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// What becomes of digits below the millisecond, and of text that is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rounding {
    /// Cut off; an error for other text.
    Floor,
    /// Up; an error for other text.
    Ceil,
    /// NULL unless they are zero; an error for other text.
    Exact,
    /// Cut off; NULL for other text.
    Try,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Instant {
    rounding: Rounding,
    signature: Signature,
}

impl Instant {
    pub(crate) fn new(rounding: Rounding) -> Self {
        Self { rounding, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn millis(&self, nanos: Option<i128>) -> Option<i64> {
        let nanos = nanos?;
        let floor = nanos.div_euclid(1_000_000);
        let rest = nanos.rem_euclid(1_000_000) != 0;
        let millis = match self.rounding {
            Rounding::Floor | Rounding::Try => floor,
            Rounding::Ceil => floor + i128::from(rest),
            Rounding::Exact if rest => return None,
            Rounding::Exact => floor,
        };
        i64::try_from(millis).ok()
    }

    fn of_units<T: ArrowTimestampType>(&self, a: &ArrayRef, nanos: i128) -> TimestampMillisecondArray {
        let a: &PrimitiveArray<T> = a.as_primitive();
        a.iter().map(|v| self.millis(v.map(|v| i128::from(v) * nanos))).collect()
    }
}

impl ScalarUDFImpl for Instant {
    fn name(&self) -> &str {
        match self.rounding {
            Rounding::Floor => "$instant_floor",
            Rounding::Ceil => "$instant_ceil",
            Rounding::Exact => "$instant_exact",
            Rounding::Try => "$instant_try",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Millisecond, None))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let input = args.args[0].to_array(if scalar { 1 } else { args.number_rows })?;
        let out: TimestampMillisecondArray = match input.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => self.of_units::<TimestampSecondType>(&input, 1_000_000_000),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                self.of_units::<TimestampMillisecondType>(&input, 1_000_000)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => self.of_units::<TimestampMicrosecondType>(&input, 1_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => self.of_units::<TimestampNanosecondType>(&input, 1),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let texts = cast(&input, &DataType::Utf8View)?;
                let texts = texts.as_string_view();
                let mut out = Vec::with_capacity(texts.len());
                for text in texts {
                    out.push(match (text, text.and_then(parse)) {
                        (None, _) => None,
                        (Some(_), Some(nanos)) => self.millis(Some(nanos)),
                        (Some(_), None) if self.rounding == Rounding::Try => None,
                        (Some(text), None) => {
                            return exec_err!("INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: {text}");
                        }
                    });
                }
                out.into()
            }
            other => {
                let days = cast(&input, &DataType::Timestamp(TimeUnit::Millisecond, None));
                match days {
                    Ok(a) => self.of_units::<TimestampMillisecondType>(&a, 1_000_000),
                    Err(_) => return exec_err!("TYPE_MISMATCH: Cannot compare timestamp(3) with {other}"),
                }
            }
        };
        let out: ArrayRef = Arc::new(out);
        if scalar {
            return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&out, 0)?));
        }
        Ok(ColumnarValue::Array(out))
    }
}

/// Nanoseconds since 1970-01-01 UTC of a text; without a zone it is UTC. None where the text is no time.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let (date, rest) = match text.find([' ', 'T', 't']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let mut parts = date.splitn(3, '-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    if y.len() < 4 || m.is_empty() || m.len() > 2 || d.is_empty() || d.len() > 2 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(y.parse().ok()?, m.parse().ok()?, d.parse().ok()?)?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(rest.len());
    let (clock, zone) = (&rest[..end], rest[end..].trim());
    let (time, nanos) = if clock.is_empty() { (NaiveTime::MIN, 0) } else { time(clock)? };
    let local = date.and_time(time);
    let utc = local - offset(zone, &local)?;
    Some(i128::from(utc.and_utc().timestamp()) * 1_000_000_000 + i128::from(nanos))
}

fn time(clock: &str) -> Option<(NaiveTime, u32)> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let h = parts.next()?.parse().ok()?;
    let m = parts.next().map_or(Some(0), |p| p.parse().ok())?;
    let s = parts.next().map_or(Some(0), |p| p.parse().ok())?;
    if parts.next().is_some() || fraction.len() > 12 {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some((NaiveTime::from_hms_opt(h, m, s)?, digits.parse().ok()?))
}

fn offset(zone: &str, local: &NaiveDateTime) -> Option<FixedOffset> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") || zone.eq_ignore_ascii_case("utc") {
        return FixedOffset::east_opt(0);
    }
    let digits = zone.strip_prefix("UTC").unwrap_or(zone);
    if let Some(sign) = digits.chars().next().filter(|c| matches!(c, '+' | '-')) {
        let plain = digits[1..].replace(':', "");
        let (h, m) = match plain.len() {
            1 | 2 => (plain.as_str(), "0"),
            4 => plain.split_at(2),
            _ => return None,
        };
        let seconds = h.parse::<i32>().ok()? * 3600 + m.parse::<i32>().ok()? * 60;
        return FixedOffset::east_opt(if sign == '-' { -seconds } else { seconds });
    }
    let zone = zone.parse::<chrono_tz::Tz>().ok()?;
    let at: DateTime<chrono_tz::Tz> = zone.from_local_datetime(local).earliest()?;
    Some(at.offset().fix())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;

    #[test]
    fn every_form_that_lake_queries_write() {
        let nine = 1_674_381_600_000_000_000;
        for text in [
            "2023-01-22 10:00:00",
            "2023-01-22 10:00:00.000",
            "2023-01-22T10:00:00Z",
            "2023-01-22T10:00:00.000Z",
            "2023-01-22T12:00:00+02:00",
            "2023-01-22 12:00:00 +0200",
            "2023-01-22 10:00:00 UTC",
            "2023-01-22 05:00:00 America/New_York",
            "2023-01-22 10:00",
            " 2023-1-22 10:00:00 ",
        ] {
            assert_eq!(parse(text), Some(nine), "{text}");
        }
        assert_eq!(parse("2023-01-22"), Some(nine - 36_000_000_000_000));
        assert_eq!(parse("9999-12-31 23:59:59.999999999"), Some(253_402_300_799_999_999_999));
        for text in ["", "yesterday", "2023-01", "2023-13-01", "2023-01-22 25:00:00", "2023-01-22 10:00:00 Nowhere"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
