//! Casts to date, time and timestamp.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int16Array, Int64Array, Int64Builder, StructArray};
use arrow::datatypes::{DataType, Date32Type, Int16Type, TimeUnit};
use datafusion_common::{Result, internal_err};

use super::{OnError, as_text, cannot};
use crate::instants::{times, timestamps, to_times, to_timestamps};
use crate::scalar::fail;
use crate::temporal::{
    DAY, Zone, parse_date, parse_offset, parse_time, parse_timestamp, per_second, round_to, scale_picos,
};
use crate::types::{self, Type};

/// Casts to date, time, timestamp and their zoned kinds. The session's zone is UTC.
pub(super) fn cast(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    if types::is_varchar(array.data_type()) {
        return from_text(array, to, on_error);
    }
    match to {
        Type::Date => to_date(array),
        Type::Timestamp(p) => to_timestamp(array, *p, to, on_error),
        Type::TimestampTz(p, _) => to_timestamp(array, *p, to, on_error),
        Type::Time(p) => {
            let (seconds, per) = local_clock(array)?;
            build_times(&seconds, per, *p, &to.to_arrow())
        }
        Type::TimeTz(p) => to_time_tz(array, *p, to),
        _ => internal_err!("{to} is neither date nor time"),
    }
}

fn map(values: &Int64Array, on_error: OnError, f: impl Fn(i64) -> Result<i64>) -> Result<Int64Array> {
    let mut out = Int64Builder::with_capacity(values.len());
    for v in values {
        out.append_option(match v {
            Some(v) => on_error.settle(f(v))?,
            None => None,
        });
    }
    Ok(out.finish())
}

fn out_of_range<T>(to: &Type) -> Result<T> {
    fail("INVALID_CAST_ARGUMENT", format!("Value out of range of {to}"))
}

/// A value in another unit, rounded half up, with at most `p` digits of a second.
pub(crate) fn rescale(v: i64, from: i64, to: i64, p: u8) -> Option<i64> {
    let scaled = if to >= from {
        v.checked_mul(to / from)?
    } else {
        let step = from / to;
        v.checked_add(step / 2)?.div_euclid(step)
    };
    round_to(scaled, to, p)
}

fn to_date(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Date32 => array.clone(),
        DataType::Timestamp(unit, zone) => {
            let per = per_second(*unit);
            let zone = zone.as_deref().and_then(Zone::parse);
            let values = timestamps(array)?;
            Arc::new(values.unary::<_, Date32Type>(|v| {
                let utc = v.div_euclid(per);
                let local = utc + zone.map_or(0, |z| i64::from(z.offset_at(utc)));
                local.div_euclid(DAY) as i32
            }))
        }
        other => return internal_err!("no cast from {} to date", types::trino_name(other)),
    })
}

fn to_timestamp(array: &ArrayRef, p: u8, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let arrow_type = to.to_arrow();
    let DataType::Timestamp(unit, to_zone) = &arrow_type else {
        return internal_err!("{to} is no timestamp");
    };
    let per = per_second(*unit);
    let or_range = |v: Option<i64>| match v {
        Some(v) => Ok(v),
        None => out_of_range(to),
    };
    let values = match array.data_type() {
        DataType::Timestamp(from, from_zone) => {
            let from = per_second(*from);
            let values = timestamps(array)?;
            // A zone is only dropped or taken: the session's zone is UTC.
            let zone = if to_zone.is_none() { from_zone.as_deref().and_then(Zone::parse) } else { None };
            map(&values, on_error, |v| {
                let shift = zone.map_or(0, |z| i64::from(z.offset_at(v.div_euclid(from))) * from);
                or_range(rescale(v.saturating_add(shift), from, per, p))
            })?
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            let days: Int64Array = days.unary(i64::from);
            map(&days, on_error, |d| or_range((d * DAY).checked_mul(per)))?
        }
        DataType::Struct(_) if types::is_time_tz(array.data_type()) => {
            let (utc, from) = utc_clock(array)?;
            map(&utc, on_error, |v| or_range(rescale(v, from, per, p)))?
        }
        _ => {
            let (clock, from) = local_clock(array)?;
            let today = chrono::Utc::now().timestamp().div_euclid(DAY) * DAY;
            map(&clock, on_error, |v| or_range(rescale(v + today * from, from, per, p)))?
        }
    };
    to_timestamps(&values, &arrow_type)
}

/// The local time of day, and its units in a second.
fn local_clock(array: &ArrayRef) -> Result<(Int64Array, i64)> {
    match array.data_type() {
        DataType::Timestamp(unit, zone) => {
            let per = per_second(*unit);
            let zone = zone.as_deref().and_then(Zone::parse);
            let values = timestamps(array)?;
            let clock = values.unary(|v| {
                let shift = zone.map_or(0, |z| i64::from(z.offset_at(v.div_euclid(per))) * per);
                (v + shift).rem_euclid(DAY * per)
            });
            Ok((clock, per))
        }
        DataType::Struct(_) => {
            let (values, unit) = times(array.as_struct().column(0))?;
            Ok((values, per_second(unit)))
        }
        _ => {
            let (values, unit) = times(array)?;
            Ok((values, per_second(unit)))
        }
    }
}

/// The UTC time of day of a zoned time, and its units in a second.
pub(crate) fn utc_clock(array: &ArrayRef) -> Result<(Int64Array, i64)> {
    let row = array.as_struct();
    let (clock, unit) = times(row.column(0))?;
    let per = per_second(unit);
    let offsets = row.column(1).as_primitive::<Int16Type>();
    let utc = arrow::compute::binary(&clock, offsets, |c, o| (c - i64::from(o) * 60 * per).rem_euclid(DAY * per))?;
    Ok((utc, per))
}

fn build_times(clock: &Int64Array, from: i64, p: u8, to: &DataType) -> Result<ArrayRef> {
    let unit = match to {
        DataType::Time32(u) | DataType::Time64(u) => *u,
        _ => TimeUnit::Millisecond,
    };
    let per = per_second(unit);
    // Rounding up the last moment of a day wraps around to midnight.
    let values = clock.unary(|v| rescale(v, from, per, p).unwrap_or(0).rem_euclid(DAY * per));
    to_times(&values, to)
}

fn to_time_tz(array: &ArrayRef, p: u8, to: &Type) -> Result<ArrayRef> {
    let DataType::Struct(fields) = to.to_arrow() else {
        return internal_err!("{to} is carried by a struct");
    };
    let (clock, per) = local_clock(array)?;
    let offsets: Int16Array = match array.data_type() {
        DataType::Struct(_) => array.as_struct().column(1).as_primitive::<Int16Type>().clone(),
        DataType::Timestamp(unit, Some(zone)) => {
            let zone = Zone::parse(zone).unwrap_or(Zone::UTC);
            let unit = per_second(*unit);
            timestamps(array)?.unary(|v| (zone.offset_at(v.div_euclid(unit)) / 60) as i16)
        }
        _ => Int16Array::from(vec![0; array.len()]),
    };
    let values = build_times(&clock, per, p, fields[0].data_type())?;
    Ok(Arc::new(StructArray::try_new(fields, vec![values, Arc::new(offsets)], array.nulls().cloned())?))
}

/// The offset in minutes that a time's text names.
fn offset_minutes(text: &str) -> Option<i16> {
    let seconds = match parse_offset(text) {
        Some(s) => s,
        None if text == "UTC" || text == "Z" => 0,
        None => return None,
    };
    i16::try_from(seconds / 60).ok()
}

fn from_text(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let text = as_text(array)?;
    let text = text.as_string_view();
    let arrow_type = to.to_arrow();
    let mut out = Int64Builder::with_capacity(text.len());
    let mut offsets: Vec<i16> = Vec::new();
    for value in text {
        let parsed = match value {
            None => None,
            Some(s) => {
                let outcome = match read(s, to, &arrow_type) {
                    Some(v) => Ok(v),
                    None => cannot(s, to),
                };
                on_error.settle(outcome)?
            }
        };
        out.append_option(parsed.map(|(v, _)| v));
        if matches!(to, Type::TimeTz(_)) {
            offsets.push(parsed.map_or(0, |(_, o)| o));
        }
    }
    let values = out.finish();
    match &arrow_type {
        DataType::Date32 => Ok(Arc::new(values.unary::<_, Date32Type>(|v| v as i32))),
        DataType::Timestamp(_, _) => to_timestamps(&values, &arrow_type),
        DataType::Struct(fields) => {
            let nulls = values.nulls().cloned();
            let clock = to_times(&values, fields[0].data_type())?;
            let offsets: ArrayRef = Arc::new(Int16Array::from(offsets));
            Ok(Arc::new(StructArray::try_new(fields.clone(), vec![clock, offsets], nulls)?))
        }
        _ => to_times(&values, &arrow_type),
    }
}

/// A value in the target's unit and, for a zoned time, its offset in minutes.
fn read(s: &str, to: &Type, arrow_type: &DataType) -> Option<(i64, i16)> {
    match to {
        Type::Date => parse_date(s).filter(|d| i32::try_from(*d).is_ok()).map(|d| (d, 0)),
        Type::Timestamp(p) | Type::TimestampTz(p, _) => {
            let DataType::Timestamp(unit, _) = arrow_type else {
                return None;
            };
            let parsed = parse_timestamp(s)?;
            let zone = match parsed.zone {
                Some(name) => Some(Zone::parse(name)?),
                None => None,
            };
            let seconds = match (zone, to) {
                (Some(zone), Type::TimestampTz(_, _)) => zone.to_utc(parsed.seconds),
                _ => parsed.seconds,
            };
            let per = per_second(*unit);
            let value = seconds.checked_mul(per)?.checked_add(scale_picos(parsed.picos, per))?;
            Some((round_to(value, per, *p)?, 0))
        }
        Type::Time(p) | Type::TimeTz(p) => {
            let parsed = parse_time(s)?;
            let minutes = match parsed.zone {
                Some(name) => offset_minutes(name)?,
                None => 0,
            };
            let per = per_second(types::unit(*p));
            let value = round_to(parsed.seconds * per + scale_picos(parsed.picos, per), per, *p)?;
            Some((value.rem_euclid(DAY * per), minutes))
        }
        _ => None,
    }
}
