//! `at_timezone`, `with_timezone`, `timezone` and the offsets of a zone. A column has one zone, so that the zone of
//! these functions must be a constant to be kept; otherwise the instant is kept and shown in UTC.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, Int64Builder, StringViewArray};
use arrow::datatypes::{DataType, Int16Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::ScalarUDF;

use crate::instants::{timestamps, to_timestamps};
use crate::scalar::{Call, Param, Scalar, invalid, text_of};
use crate::temporal::{Zone, offset_text, per_second};
use crate::types;

/// The zone that a constant names, or UTC.
pub(super) fn zone_type(constant: Option<&ScalarValue>) -> Result<Arc<str>> {
    if let Some(ScalarValue::DurationMillisecond(Some(millis))) = constant {
        return match i32::try_from(millis / 60_000) {
            Ok(minutes) if minutes.abs() <= 14 * 60 => Ok(Arc::from(Zone::of_minutes(minutes).name())),
            _ => invalid(format!("Invalid time zone offset interval: {millis} ms")),
        };
    }
    match constant.and_then(text_of) {
        Some(name) => Ok(Arc::from(zone_of(name)?.name())),
        None => Ok(Arc::from("UTC")),
    }
}

/// The zone of a name.
pub(super) fn zone_of(name: &str) -> Result<Zone> {
    match Zone::parse(name) {
        Some(zone) => Ok(zone),
        None => invalid(format!("'{name}' is not a valid time zone")),
    }
}

fn zoned(t: &DataType, zone: Arc<str>) -> DataType {
    match t {
        DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, Some(zone)),
        other => other.clone(),
    }
}

pub(super) fn functions() -> Vec<ScalarUDF> {
    const MOMENT: &[&[Param]] = &[&[Param::Timestamp, Param::Varchar], &[Param::TimestampTz, Param::Varchar]];
    vec![
        Scalar::with(
            "at_timezone",
            |t| crate::scalar::overload(t, MOMENT),
            |t, constants| Ok(zoned(&t[0], zone_type(constants[1])?)),
            |call| {
                check_zones(call)?;
                let values = masked(&timestamps(&call.array(0)?)?, &call.array(1)?);
                to_timestamps(&values, call.return_type())
            },
        )
        .build(),
        Scalar::with(
            "with_timezone",
            |t| crate::scalar::overload(t, &[&[Param::Timestamp, Param::Varchar]]),
            |t, constants| Ok(zoned(&t[0], zone_type(constants[1])?)),
            |call| with_timezone(call),
        )
        .build(),
        Scalar::new("timezone", &[&[Param::TimestampTz], &[Param::TimeTz]], DataType::Utf8View, |call| {
            timezone(&call.array(0)?)
        })
        .build(),
        offset("timezone_hour", |seconds| seconds / 3600),
        offset("timezone_minute", |seconds| seconds / 60 % 60),
        Scalar::with(
            "current_timezone",
            |t| t.is_empty().then(Vec::new),
            |_, _| Ok(DataType::Utf8View),
            |call| Ok(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n("UTC", call.rows())))),
        )
        .build(),
    ]
}

fn check_zones(call: &Call<'_>) -> Result<()> {
    if call.constant(1).is_none() && types::is_varchar(call.array(1)?.data_type()) {
        for name in call.array(1)?.as_string_view().iter().flatten() {
            zone_of(name)?;
        }
    }
    Ok(())
}

fn masked(values: &Int64Array, other: &ArrayRef) -> Int64Array {
    let nulls = arrow::buffer::NullBuffer::union(values.nulls(), other.nulls());
    Int64Array::new(values.values().clone(), nulls)
}

fn with_timezone(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let zones = call.array(1)?;
    let zones = zones.as_string_view();
    let constant = match call.constant_text(1) {
        Some(Some(name)) => Some(zone_of(name)?),
        _ => None,
    };
    let DataType::Timestamp(unit, _) = array.data_type() else {
        return crate::scalar::mismatch("with_timezone takes a timestamp");
    };
    let per = per_second(*unit);
    let values = timestamps(&array)?;
    let mut out = Int64Builder::with_capacity(values.len());
    for row in 0..values.len() {
        if values.is_null(row) || zones.is_null(row) {
            out.append_null();
            continue;
        }
        let zone = match constant {
            Some(zone) => zone,
            None => zone_of(zones.value(row))?,
        };
        let v = values.value(row);
        out.append_value(zone.to_utc(v.div_euclid(per)) * per + v.rem_euclid(per));
    }
    to_timestamps(&out.finish(), call.return_type())
}

fn timezone(array: &ArrayRef) -> Result<ArrayRef> {
    let name = match array.data_type() {
        DataType::Timestamp(_, Some(zone)) => Zone::parse(zone).unwrap_or(Zone::UTC).name(),
        _ => {
            let offsets = array.as_struct().column(1).as_primitive::<Int16Type>();
            let names: StringViewArray = (0..array.len())
                .map(|i| array.is_valid(i).then(|| offset_text(i32::from(offsets.value(i)) * 60)))
                .collect();
            return Ok(Arc::new(names));
        }
    };
    let names: StringViewArray = (0..array.len()).map(|i| array.is_valid(i).then_some(name.as_str())).collect();
    Ok(Arc::new(names))
}

fn offset(name: &'static str, f: fn(i64) -> i64) -> ScalarUDF {
    Scalar::new(name, &[&[Param::TimestampTz], &[Param::TimeTz]], DataType::Int64, move |call| {
        let array = call.array(0)?;
        if types::is_time_tz(array.data_type()) {
            let offsets = array.as_struct().column(1).as_primitive::<Int16Type>();
            let out: Int64Array = offsets.unary(|m| f(i64::from(m) * 60));
            return Ok(Arc::new(masked(&out, &array)));
        }
        let DataType::Timestamp(unit, Some(zone)) = array.data_type() else {
            return crate::scalar::mismatch("a timestamp with time zone is needed");
        };
        let (per, zone) = (per_second(*unit), Zone::parse(zone).unwrap_or(Zone::UTC));
        let out: Int64Array = timestamps(&array)?.unary(|v| f(i64::from(zone.offset_at(v.div_euclid(per)))));
        Ok(Arc::new(out))
    })
    .build()
}
