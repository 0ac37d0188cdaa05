//! Moments to text and back: by pattern and in ISO 8601.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Builder, Int64Builder, StringViewBuilder, UInt32Builder};
use arrow::compute::take;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::ScalarUDF;

use super::Moments;
use crate::datetime_pattern::{Moment, Pattern};
use crate::instants::to_timestamps;
use crate::recent::Recent;
use crate::scalar::{Call, Param, Scalar, accept, invalid, text_of};
use crate::temporal::{
    DAY, Zone, days_from_civil, days_in_month, is_leap, iso_weekday, offset_text, per_second, scale_picos,
};
use crate::text;
use crate::types;

pub(super) fn functions() -> Vec<ScalarUDF> {
    const FORMAT: &[&[Param]] =
        &[&[Param::Date, Param::Varchar], &[Param::Timestamp, Param::Varchar], &[Param::TimestampTz, Param::Varchar]];
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    vec![
        Scalar::new("date_format", FORMAT, DataType::Utf8View, |call| format(call, Pattern::mysql)).build(),
        Scalar::new("format_datetime", FORMAT, DataType::Utf8View, |call| format(call, Pattern::joda)).build(),
        Scalar::new("date_parse", &[&[Param::Varchar, Param::Varchar]], millis, |call| parse(call, Pattern::mysql))
            .build(),
        Scalar::with(
            "parse_datetime",
            |t| crate::scalar::overload(t, &[&[Param::Varchar, Param::Varchar]]),
            |_, constants| Ok(DataType::Timestamp(TimeUnit::Millisecond, Some(parsed_zone(constants)))),
            |call| parse(call, Pattern::joda),
        )
        .build(),
        Scalar::with(
            "to_iso8601",
            |t| match t {
                [t] if types::is_time_tz(t) => Some(vec![t.clone()]),
                [t] => [Param::Date, Param::Timestamp, Param::TimestampTz]
                    .iter()
                    .find_map(|p| accept(t, *p))
                    .map(|t| vec![t]),
                _ => None,
            },
            |_, _| Ok(DataType::Utf8View),
            |call| to_iso(&call.array(0)?),
        )
        .build(),
        Scalar::new("from_iso8601_date", &[&[Param::Varchar]], DataType::Date32, |call| {
            let array = call.array(0)?;
            let mut out = Date32Builder::with_capacity(array.len());
            for value in array.as_string_view() {
                out.append_option(match value {
                    None => None,
                    Some(v) => match iso_date(v) {
                        Some((days, "")) => Some(days as i32),
                        _ => return invalid(format!("Invalid format: \"{v}\"")),
                    },
                });
            }
            Ok(Arc::new(out.finish()))
        })
        .build(),
        from_iso("from_iso8601_timestamp", TimeUnit::Millisecond),
        from_iso("from_iso8601_timestamp_nanos", TimeUnit::Nanosecond),
    ]
}

/// Calls with the row's pattern, compiled once where it is constant and once a change where it is not.
struct Patterns<'a> {
    compile: fn(&str) -> Result<Pattern>,
    constant: Option<Option<Pattern>>,
    column: &'a ArrayRef,
    last: Option<(String, Pattern)>,
}

impl<'a> Patterns<'a> {
    fn new(call: &Call<'_>, column: &'a ArrayRef, compile: fn(&str) -> Result<Pattern>) -> Result<Self> {
        let constant = match call.constant_text(1) {
            Some(text) => Some(text.map(compile).transpose()?),
            None => None,
        };
        Ok(Self { compile, constant, column, last: None })
    }

    fn get(&mut self, row: usize) -> Result<Option<&Pattern>> {
        if let Some(constant) = &self.constant {
            return Ok(constant.as_ref());
        }
        let column = self.column.as_string_view();
        if column.is_null(row) {
            return Ok(None);
        }
        let text = column.value(row);
        if self.last.as_ref().is_none_or(|(known, _)| known != text) {
            self.last = Some((text.to_string(), (self.compile)(text)?));
        }
        Ok(self.last.as_ref().map(|(_, p)| p))
    }
}

fn format(call: &Call<'_>, compile: fn(&str) -> Result<Pattern>) -> Result<ArrayRef> {
    let moments = Moments::of(&call.array(0)?)?;
    let column = call.array(1)?;
    let mut patterns = Patterns::new(call, &column, compile)?;
    if let Some(Some(pattern)) = &patterns.constant
        && let Some(unit) = pattern.unit()
    {
        return Ok(format_units(&moments, pattern, unit)?);
    }
    let mut out = StringViewBuilder::with_capacity(call.rows());
    let mut buffer = String::new();
    for row in 0..moments.values.len() {
        let pattern = if moments.values.is_null(row) { None } else { patterns.get(row)? };
        let Some(pattern) = pattern else {
            out.append_null();
            continue;
        };
        let (seconds, fraction) = moments.local(moments.values.value(row));
        // These functions see milliseconds only.
        let nanos = moments.nanos(fraction) / 1_000_000 * 1_000_000;
        let offset = moments.zone.map(|z| z.offset_at(moments.values.value(row).div_euclid(moments.per.max(1))));
        buffer.clear();
        pattern.format(seconds, nanos, moments.zone.as_ref().zip(offset), &mut buffer);
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

/// Formats each unit once: few days or hours are in many rows.
fn format_units(moments: &Moments, pattern: &Pattern, unit: i64) -> Result<ArrayRef, ArrowError> {
    let rows = moments.values.len();
    let (mut recent, mut numbers) = (Recent::new(rows), UInt32Builder::with_capacity(rows));
    let (mut texts, mut buffer, mut count) = (StringViewBuilder::new(), String::new(), 0);
    for moment in &moments.values {
        let Some(moment) = moment else {
            numbers.append_null();
            continue;
        };
        let (seconds, _) = moments.local(moment);
        let offset = moments.zone.map(|z| z.offset_at(moment.div_euclid(moments.per.max(1))));
        let key = (u128::from(seconds.div_euclid(unit) as u64), offset.unwrap_or_default() as u32);
        numbers.append_value(recent.get(key, || {
            buffer.clear();
            pattern.format(seconds, 0, moments.zone.as_ref().zip(offset), &mut buffer);
            texts.append_value(&buffer);
            count += 1;
            count - 1
        }));
    }
    take(&texts.finish(), &numbers.finish(), None)
}

fn parse(call: &Call<'_>, compile: fn(&str) -> Result<Pattern>) -> Result<ArrayRef> {
    let texts = call.array(0)?;
    let column = call.array(1)?;
    let mut patterns = Patterns::new(call, &column, compile)?;
    let mut out = Int64Builder::with_capacity(call.rows());
    for (row, value) in texts.as_string_view().iter().enumerate() {
        let pattern = patterns.get(row)?;
        out.append_option(match (value, pattern) {
            (Some(value), Some(pattern)) => match pattern.parse(value) {
                Some(moment) => Some(instant(moment)),
                None => {
                    return invalid(format!("Invalid format: \"{value}\" does not follow the pattern"));
                }
            },
            _ => None,
        });
    }
    to_timestamps(&out.finish(), call.return_type())
}

fn instant(moment: Moment) -> i64 {
    match moment.zone {
        Some(zone) => zone.to_utc(moment.millis.div_euclid(1000)) * 1000 + moment.millis.rem_euclid(1000),
        None => moment.millis,
    }
}

/// The zone of a constant text, as its constant pattern reads it.
fn parsed_zone(constants: &[Option<&ScalarValue>]) -> Arc<str> {
    let text = |i: usize| constants.get(i).copied().flatten().and_then(text_of);
    let zone = match (text(0), text(1)) {
        (Some(value), Some(pattern)) => Pattern::joda(pattern).ok().and_then(|p| p.parse(value)).and_then(|m| m.zone),
        _ => None,
    };
    Arc::from(zone.unwrap_or(Zone::UTC).name())
}

fn to_iso(array: &ArrayRef) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(array.len());
    let mut buffer = String::new();
    if types::is_time_tz(array.data_type()) {
        let shown = text::Formatter::new(array, text::Style::Result)?;
        for row in 0..array.len() {
            buffer.clear();
            if shown.write(row, &mut buffer) { out.append_value(&buffer) } else { out.append_null() }
        }
        return Ok(Arc::new(out.finish()));
    }
    let moments = Moments::of(array)?;
    let unit = match array.data_type() {
        DataType::Timestamp(unit, _) => Some(*unit),
        _ => None,
    };
    for v in &moments.values {
        let Some(v) = v else {
            out.append_null();
            continue;
        };
        buffer.clear();
        let (seconds, fraction) = moments.local(v);
        text::date(seconds.div_euclid(DAY), &mut buffer);
        if let Some(unit) = unit {
            buffer.push('T');
            text::time(seconds.rem_euclid(DAY) * per_second(unit) + fraction, unit, &mut buffer);
        }
        if let Some(zone) = moments.zone {
            match zone.offset_at(v.div_euclid(moments.per.max(1))) {
                0 => buffer.push('Z'),
                offset => buffer.push_str(&offset_text(offset)),
            }
        }
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

/// Up to `most` leading digits and what follows.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if len < least {
        return None;
    }
    Some((text[..len].parse().ok()?, &text[len..]))
}

/// `yyyy`, `yyyy-mm`, `yyyy-mm-dd`, `yyyy-ddd`, `yyyy-Www`, `yyyy-Www-d`: days since 1970-01-01 and what follows.
fn iso_date(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (year, rest) = digits(rest, 1, 9)?;
    let year = sign * year;
    let Some(after) = rest.strip_prefix('-') else {
        return Some((days_from_civil(year, 1, 1), rest));
    };
    if let Some(week) = after.strip_prefix('W') {
        let (week, rest) = digits(week, 1, 2)?;
        let (day, rest) = match rest.strip_prefix('-') {
            Some(day) => digits(day, 1, 1)?,
            None => (1, rest),
        };
        let january_4 = days_from_civil(year, 1, 4);
        let monday = january_4 - iso_weekday(january_4) + 1;
        return ((1..=53).contains(&week) && (1..=7).contains(&day))
            .then_some((monday + (week - 1) * 7 + day - 1, rest));
    }
    if let Some((day, rest)) = digits(after, 3, 3) {
        return (day >= 1 && day <= 365 + i64::from(is_leap(year))).then(|| (days_from_civil(year, 1, day), rest));
    }
    let (month, rest) = digits(after, 1, 2)?;
    let month = u32::try_from(month).ok().filter(|m| (1..=12).contains(m))?;
    let (day, rest) = match rest.strip_prefix('-') {
        Some(day) => digits(day, 1, 2)?,
        None => (1, rest),
    };
    (day >= 1 && day <= i64::from(days_in_month(year, month))).then(|| (days_from_civil(year, month, day), rest))
}

/// A moment in ISO 8601: local seconds, picoseconds, zone.
fn iso_moment(text: &str) -> Option<(i64, i64, Option<Zone>)> {
    let (days, rest) = if text.starts_with(['T', 't']) { (0, text) } else { iso_date(text)? };
    let Some(rest) = rest.strip_prefix(['T', 't']) else {
        return rest.is_empty().then_some((days * DAY, 0, None));
    };
    let (mut seconds, mut picos) = (days * DAY, 0);
    let mut rest = rest;
    if let Some((hour, after)) = digits(rest, 1, 2) {
        seconds += hour * 3600;
        rest = after;
        let (mut minute, mut second) = (0, 0);
        if let Some(after) = rest.strip_prefix(':') {
            (minute, rest) = digits(after, 1, 2)?;
            if let Some(after) = rest.strip_prefix(':') {
                (second, rest) = digits(after, 1, 2)?;
                if let Some(after) = rest.strip_prefix(['.', ',']) {
                    let len = after.bytes().take_while(u8::is_ascii_digit).count();
                    if len == 0 {
                        return None;
                    }
                    picos = format!("{:0<12}", &after[..len.min(12)]).parse().ok()?;
                    rest = &after[len..];
                }
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        seconds += minute * 60 + second;
    }
    let zone = match rest {
        "" => None,
        name => Some(Zone::parse(name)?),
    };
    Some((seconds, picos, zone))
}

fn from_iso(name: &'static str, unit: TimeUnit) -> ScalarUDF {
    Scalar::with(
        name,
        |t| crate::scalar::overload(t, &[&[Param::Varchar]]),
        move |_, constants| {
            let zone = constants[0].and_then(text_of).and_then(iso_moment).and_then(|(_, _, zone)| zone);
            Ok(DataType::Timestamp(unit, Some(Arc::from(zone.unwrap_or(Zone::UTC).name()))))
        },
        move |call| {
            let per = per_second(unit);
            let array = call.array(0)?;
            let mut out = Int64Builder::with_capacity(array.len());
            for value in array.as_string_view() {
                out.append_option(match value {
                    None => None,
                    Some(v) => match iso_moment(v).and_then(|(s, p, zone)| {
                        let utc = zone.map_or(s, |z| z.to_utc(s));
                        // Milliseconds are cut, not rounded.
                        let fraction = if unit == TimeUnit::Nanosecond {
                            scale_picos(p, per)
                        } else {
                            p / (1_000_000_000_000 / per)
                        };
                        utc.checked_mul(per)?.checked_add(fraction)
                    }) {
                        Some(v) => Some(v),
                        None => return invalid(format!("Invalid format: \"{v}\"")),
                    },
                });
            }
            to_timestamps(&out.finish(), call.return_type())
        },
    )
    .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn units_are_formatted_as_rows_are(
            // Around the changes of 2026 of offsets in New York and on Lord Howe Island, which changes by half an hour, and anywhere.
            millis in prop::collection::vec(prop::option::of(prop_oneof![1_772_900_000_000..1_773_000_000_000_i64, 1_775_300_000_000..1_775_420_000_000_i64, -2_000_000_000_000..4_000_000_000_000_i64]), 0..300),
            zone in prop_oneof![Just(None), Just(Some(Zone::Region(Tz::America__New_York))), Just(Some(Zone::Region(Tz::Australia__Lord_Howe))), Just(Some(Zone::Fixed(-34_200)))],
        ) {
            let moments = Moments { values: millis.iter().copied().collect(), per: 1000, zone };
            for pattern in ["yyyy-MM-dd", "EEE d MMM", "HH 'h' ZZ", "hh a", "HH:mm", "yyyyDDD HH:mm:ss Z", "xxxx-ww", "'x'", "ZZZ"] {
                let pattern = Pattern::joda(pattern).unwrap();
                let formatted = format_units(&moments, &pattern, pattern.unit().unwrap()).unwrap();
                let rows = millis.iter().map(|millis| {
                    let (seconds, _) = moments.local((*millis)?);
                    let offset = zone.map(|zone| zone.offset_at(millis.unwrap_or_default().div_euclid(1000)));
                    let mut text = String::new();
                    pattern.format(seconds, 0, zone.as_ref().zip(offset), &mut text);
                    Some(text)
                });
                prop_assert_eq!(formatted.as_string_view().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>(), rows.collect::<Vec<_>>());
            }
            prop_assert_eq!(Pattern::joda("HH:mm:ss.SSS").unwrap().unit(), None);
        }
    }

    #[test]
    fn iso_dates() {
        let day = |t| iso_date(t).map(|(d, _)| d);
        assert_eq!(day("2020-05-11"), Some(days_from_civil(2020, 5, 11)));
        assert_eq!(day("2020-132"), Some(days_from_civil(2020, 5, 11)));
        assert_eq!(day("2020-W20"), Some(days_from_civil(2020, 5, 11)));
        assert_eq!(day("2020-W20-3"), Some(days_from_civil(2020, 5, 13)));
        assert_eq!(day("2021-366"), None);
        assert_eq!(day("2021-13"), None);
    }

    #[test]
    fn iso_moments() {
        assert_eq!(iso_moment("2020-05-11T11:15:05Z").map(|m| m.2), Some(Some(Zone::UTC)));
        assert_eq!(iso_moment("2020-05-11T11").map(|m| m.0 % DAY), Some(11 * 3600));
        assert_eq!(iso_moment("2020-05-11T25:00"), None);
        assert_eq!(iso_moment("2020-05-11x"), None);
    }
}
