//! `date_trunc`, `date_add`, `date_diff`, `date`: moments moved and compared in calendar units.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, Int64Builder, StructArray};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::interval_arithmetic::Interval;
use datafusion_expr::preimage::PreimageResult;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Expr, ScalarUDF};

use super::Moments;
use crate::cast::{OnError, cast};
use crate::instants::{to_times, to_timestamps};
use crate::scalar::{Call, Param, Scalar, fail, invalid, text_of};
use crate::temporal::{DAY, add_months, civil_from_days, days_from_civil, iso_weekday};
use crate::types::{self, Type};

/// A unit of `date_trunc`, `date_add` and `date_diff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// Reads a unit, any case.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "millisecond" => Self::Millisecond,
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => return invalid(format!("'{name}' is not a valid date field")),
        })
    }

    /// Milliseconds of a unit of fixed length.
    fn millis(self) -> Option<i64> {
        Some(match self {
            Self::Millisecond => 1,
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => DAY * 1000,
            Self::Week => 7 * DAY * 1000,
            Self::Month | Self::Quarter | Self::Year => return None,
        })
    }

    /// Months of a unit of the calendar.
    fn months(self) -> i64 {
        match self {
            Self::Quarter => 3,
            Self::Year => 12,
            _ => 1,
        }
    }

    /// The first day of the unit that holds a day.
    fn truncate_day(self, days: i64) -> i64 {
        if self < Self::Week {
            return days;
        }
        let (year, month, _) = civil_from_days(days);
        match self {
            Self::Week => days - iso_weekday(days) + 1,
            Self::Month => days_from_civil(year, month, 1),
            Self::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
            _ => days_from_civil(year, 1, 1),
        }
    }
}

const X: [&[Param]; 5] = [&[Param::Date], &[Param::Timestamp], &[Param::TimestampTz], &[Param::Time], &[Param::TimeTz]];

/// Argument types of a function whose last arguments are dates or times: all of them take the type of the widest.
fn coerce(before: &'static [Param], moments: usize) -> impl Fn(&[DataType]) -> Option<Vec<DataType>> {
    move |arguments| {
        if arguments.len() != before.len() + moments {
            return None;
        }
        let (first, last) = arguments.split_at(before.len());
        let mut out: Vec<DataType> =
            first.iter().zip(before).map(|(t, p)| crate::scalar::accept(t, *p)).collect::<Option<_>>()?;
        let common = common(last)?;
        X.iter().find(|p| crate::scalar::accept(&common, p[0]).is_some_and(|t| t == common))?;
        out.extend(std::iter::repeat_n(common, moments));
        Some(out)
    }
}

/// The type that dates and timestamps are compared in.
pub(crate) fn common(arguments: &[DataType]) -> Option<DataType> {
    let mut out: Option<DataType> = None;
    for t in arguments.iter().filter(|t| !matches!(t, DataType::Null)) {
        out = Some(match (out, t) {
            (None, t) => t.clone(),
            (Some(a), b) if a == *b => a,
            (Some(DataType::Timestamp(a, az)), DataType::Timestamp(b, bz)) => {
                DataType::Timestamp(a.max(*b), az.or_else(|| bz.clone()))
            }
            (Some(DataType::Date32), t @ DataType::Timestamp(_, _)) => t.clone(),
            (Some(t @ DataType::Timestamp(_, _)), DataType::Date32) => t,
            (Some(a @ DataType::Time64(_)), DataType::Time32(_)) => a,
            (Some(DataType::Time32(_)), b @ DataType::Time64(_)) => b.clone(),
            (Some(DataType::Time32(a)), DataType::Time32(b)) => DataType::Time32(a.max(*b)),
            _ => return None,
        });
    }
    out.or(Some(DataType::Date32))
}

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        Scalar::with("date_trunc", coerce(&[Param::Varchar], 1), |types, _| Ok(types[1].clone()), truncate)
            .preimage(|args, literal, _| Ok(preimage(args, literal)))
            .build(),
        Scalar::with("date_add", coerce(&[Param::Varchar, Param::Bigint], 1), |types, _| Ok(types[2].clone()), add)
            .build(),
        Scalar::with("date_diff", coerce(&[Param::Varchar], 2), |_, _| Ok(DataType::Int64), diff).build(),
        Scalar::new(
            "date",
            &[&[Param::Date], &[Param::Timestamp], &[Param::TimestampTz], &[Param::Varchar]],
            DataType::Date32,
            |call| cast(&call.array(0)?, &Type::Date, OnError::Fail),
        )
        .preimage(|args, literal, info| Ok(date_preimage(args, literal, info)))
        .build(),
    ]
}

/// Applies a function to each value with its row's unit; the unit is read once where it is constant.
fn each_unit(call: &Call<'_>, values: &Int64Array, f: impl Fn(Unit, usize, i64) -> Result<i64>) -> Result<Int64Array> {
    let constant = match call.constant_text(0) {
        Some(None) => return Ok(Int64Array::new_null(values.len())),
        Some(Some(name)) => Some(Unit::parse(name)?),
        None => None,
    };
    let names = call.array(0)?;
    let names = names.as_string_view();
    let mut out = Int64Builder::with_capacity(values.len());
    for row in 0..values.len() {
        if values.is_null(row) || names.is_null(row) {
            out.append_null();
            continue;
        }
        let unit = match constant {
            Some(unit) => unit,
            None => Unit::parse(names.value(row))?,
        };
        out.append_value(f(unit, row, values.value(row))?);
    }
    Ok(out.finish())
}

/// An array of a moment type from values in its unit; a zoned time keeps the offsets of another array.
pub(crate) fn rebuild(values: &Int64Array, like: &ArrayRef) -> Result<ArrayRef> {
    Ok(match like.data_type() {
        DataType::Date32 => Arc::new(values.unary::<_, Date32Type>(|v| v as i32)) as ArrayRef,
        DataType::Timestamp(_, _) => to_timestamps(values, like.data_type())?,
        t @ DataType::Struct(fields) if types::is_time_tz(t) => {
            let clock = to_times(values, fields[0].data_type())?;
            let offsets = like.as_struct().column(1).clone();
            Arc::new(StructArray::try_new(fields.clone(), vec![clock, offsets], values.nulls().cloned())?)
        }
        t => to_times(values, t)?,
    })
}

fn is_clock(t: &DataType) -> bool {
    matches!(t, DataType::Time32(_) | DataType::Time64(_)) || types::is_time_tz(t)
}

fn bad_unit<T>(unit: Unit, t: &DataType) -> Result<T> {
    invalid(format!("{unit:?} is not a valid field of {}", types::trino_name(t)))
}

fn truncate(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(1)?;
    let moments = Moments::of(&array)?;
    let t = array.data_type().clone();
    let out = match call.constant_text(0) {
        Some(Some(name)) if moments.zone.is_none() => truncate_near(Unit::parse(name)?, &moments, &t)?,
        _ => each_unit(call, &moments.values, |unit, _, v| truncate_one(unit, v, &moments, &t))?,
    };
    rebuild(&out, &array)
}

/// All values to one unit, without a zone. Times come in an order mostly, so that the unit of one is that of the next.
fn truncate_near(unit: Unit, moments: &Moments, t: &DataType) -> Result<Int64Array> {
    let nulls = moments.values.nulls();
    let mut span = 0..0;
    let mut out = Vec::with_capacity(moments.values.len());
    for (row, value) in moments.values.values().iter().enumerate() {
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            if !span.contains(value) {
                let start = truncate_one(unit, *value, moments, t)?;
                span = start..add_one(unit, 1, start, moments, t).unwrap_or(start);
            }
            out.push(span.start);
        } else {
            out.push(0);
        }
    }
    Ok(Int64Array::new(out.into(), nulls.cloned()))
}

fn truncate_one(unit: Unit, v: i64, moments: &Moments, t: &DataType) -> Result<i64> {
    if moments.per == 0 {
        if unit < Unit::Day {
            return bad_unit(unit, t);
        }
        return Ok(unit.truncate_day(v));
    }
    let per = moments.per;
    if unit <= Unit::Hour {
        let Some(millis) = unit.millis() else {
            return bad_unit(unit, t);
        };
        // Units per step; the step may be finer than the value's unit.
        let step = (i128::from(millis) * i128::from(per) / 1000) as i64;
        if step <= 1 {
            return Ok(v);
        }
        let offset = moments.zone.map_or(0, |z| i64::from(z.offset_at(v.div_euclid(per))) * per);
        return Ok((v + offset).div_euclid(step) * step - offset);
    }
    if is_clock(t) {
        return bad_unit(unit, t);
    }
    let (seconds, _) = moments.local(v);
    let day = unit.truncate_day(seconds.div_euclid(DAY)) * DAY;
    let utc = moments.zone.map_or(day, |z| z.to_utc(day));
    Ok(utc * per)
}

fn overflow<T>() -> Result<T> {
    invalid("datetime field overflow")
}

/// A moment some units later.
fn add(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(2)?;
    let amounts = call.array(1)?;
    let amounts = amounts.as_primitive::<Int64Type>();
    let moments = Moments::of(&array)?;
    let t = array.data_type().clone();
    let nulls = arrow::buffer::NullBuffer::union(moments.values.nulls(), amounts.nulls());
    let values = Int64Array::new(moments.values.values().clone(), nulls);
    let out = each_unit(call, &values, |unit, row, v| add_one(unit, amounts.value(row), v, &moments, &t))?;
    rebuild(&out, &array)
}

fn add_one(unit: Unit, amount: i64, v: i64, moments: &Moments, t: &DataType) -> Result<i64> {
    let per = moments.per;
    if per == 0 {
        if unit < Unit::Day {
            return bad_unit(unit, t);
        }
        let days = match unit {
            Unit::Day => v.checked_add(amount),
            Unit::Week => amount.checked_mul(7).and_then(|d| v.checked_add(d)),
            _ => amount.checked_mul(unit.months()).filter(|m| m.abs() < 200_000_000).map(|m| add_months(v, m)),
        };
        return match days.filter(|d| i32::try_from(*d).is_ok()) {
            Some(days) => Ok(days),
            None => overflow(),
        };
    }
    if unit <= Unit::Hour {
        let Some(millis) = unit.millis() else {
            return bad_unit(unit, t);
        };
        let step = i128::from(amount) * i128::from(millis) * i128::from(per) / 1000;
        if is_clock(t) {
            return Ok((i128::from(v) + step).rem_euclid(i128::from(DAY * per)) as i64);
        }
        return i64::try_from(i128::from(v) + step).or_else(|_| overflow());
    }
    if is_clock(t) {
        return bad_unit(unit, t);
    }
    add_calendar(unit, amount, v, moments)
}

/// Days and months are added to the local time, the clock stays.
fn add_calendar(unit: Unit, amount: i64, v: i64, moments: &Moments) -> Result<i64> {
    let per = moments.per;
    let (seconds, fraction) = moments.local(v);
    let (days, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let moved = match unit {
        Unit::Day => days.checked_add(amount),
        Unit::Week => amount.checked_mul(7).and_then(|d| days.checked_add(d)),
        _ => amount.checked_mul(unit.months()).filter(|m| m.abs() < 4_000_000_000).map(|m| add_months(days, m)),
    };
    let local = moved.and_then(|d| d.checked_mul(DAY)).and_then(|s| s.checked_add(clock));
    let utc = local.map(|s| moments.zone.map_or(s, |z| z.to_utc(s)));
    match utc.and_then(|s| s.checked_mul(per)).and_then(|v| v.checked_add(fraction)) {
        // Trino keeps zoned timestamps in 52 bits of milliseconds.
        Some(v) if moments.zone.is_none() || (v / per).abs() < 2_251_799_813_685 => Ok(v),
        _ => overflow(),
    }
}

/// A moment some months later, the clock unchanged; for interval arithmetic.
pub(crate) fn plus_months(v: i64, months: i64, moments: &Moments) -> Result<i64> {
    if moments.per == 0 { Ok(add_months(v, months)) } else { add_calendar(Unit::Month, months, v, moments) }
}

fn diff(call: &Call<'_>) -> Result<ArrayRef> {
    let (from, to) = (call.array(1)?, call.array(2)?);
    let t = from.data_type().clone();
    // The offsets of zoned times matter, those of zoned timestamps are in the zone of the first.
    let (a, b) = if types::is_time_tz(&t) {
        let (a, per) = crate::cast::utc_clock(&from)?;
        let (b, _) = crate::cast::utc_clock(&to)?;
        (Moments { values: a, per, zone: None }, Moments { values: b, per, zone: None })
    } else {
        (Moments::of(&from)?, Moments::of(&to)?)
    };
    let nulls = arrow::buffer::NullBuffer::union(a.values.nulls(), b.values.nulls());
    let values = Int64Array::new(a.values.values().clone(), nulls);
    let out = each_unit(call, &values, |unit, row, v| {
        if (a.per == 0 && unit < Unit::Day) || (is_clock(&t) && unit > Unit::Hour) {
            return bad_unit(unit, &t);
        }
        diff_one(unit, v, b.values.value(row), &a)
    })?;
    Ok(Arc::new(out))
}

/// Whole units from one moment to another, towards zero.
fn diff_one(unit: Unit, from: i64, to: i64, moments: &Moments) -> Result<i64> {
    let per = if moments.per == 0 { 1 } else { moments.per };
    if unit <= Unit::Hour {
        let millis = unit.millis().unwrap_or(1);
        // Truncated to milliseconds first, as Trino compares them. In 64 bits, where these are enough: that is several times as fast.
        let as_millis = |v: i64| Some(v.checked_mul(1000)?.div_euclid(per));
        if let (Some(from), Some(to)) = (as_millis(from), as_millis(to))
            && let Some(millis_between) = to.checked_sub(from)
        {
            return Ok(millis_between / millis);
        }
        let millis = i128::from(millis);
        let as_millis = |v: i64| (i128::from(v) * 1000).div_euclid(i128::from(per));
        return i64::try_from((as_millis(to) - as_millis(from)) / millis)
            .or_else(|_| fail("NUMERIC_VALUE_OUT_OF_RANGE", "bigint overflow in date_diff"));
    }
    let (from_seconds, from_fraction) = moments.local(from);
    let (to_seconds, to_fraction) = moments.local(to);
    let start = (from_seconds, from_fraction);
    let end = (to_seconds, to_fraction);
    if let Some(millis) = unit.millis() {
        let nanos = |(s, f): (i64, i64)| i128::from(s) * i128::from(per) + i128::from(f);
        let length = i128::from(millis / 1000) * i128::from(per);
        return Ok(((nanos(end) - nanos(start)) / length) as i64);
    }
    let (y1, m1, _) = civil_from_days(start.0.div_euclid(DAY));
    let (y2, m2, _) = civil_from_days(end.0.div_euclid(DAY));
    let mut months = (y2 - y1) * 12 + i64::from(m2) - i64::from(m1);
    let reached = |months: i64| {
        let days = add_months(start.0.div_euclid(DAY), months);
        (days * DAY + start.0.rem_euclid(DAY), start.1)
    };
    if start < end && reached(months) > end {
        months -= 1;
    } else if start > end && reached(months) < end {
        months += 1;
    }
    Ok(months / unit.months())
}

/// `date_trunc(unit, x) = literal` holds where x is in the unit that starts at the literal.
fn preimage(args: &[Expr], literal: &Expr) -> PreimageResult {
    let [Expr::Literal(unit, _), expr] = args else {
        return PreimageResult::None;
    };
    let (Some(Ok(unit)), Expr::Literal(start, _)) = (text_of(unit).map(Unit::parse), literal) else {
        return PreimageResult::None;
    };
    let Some((from, until)) = bounds(unit, start) else {
        return PreimageResult::None;
    };
    range(expr, from, until)
}

fn range(expr: &Expr, from: ScalarValue, until: ScalarValue) -> PreimageResult {
    match Interval::try_new(from, until) {
        Ok(interval) => PreimageResult::Range { expr: expr.clone(), interval: Box::new(interval) },
        Err(_) => PreimageResult::None,
    }
}

/// The unit that starts at a date or a timestamp without zone; None where none starts there.
fn bounds(unit: Unit, start: &ScalarValue) -> Option<(ScalarValue, ScalarValue)> {
    let array = start.to_array().ok()?;
    if !matches!(array.data_type(), DataType::Date32 | DataType::Timestamp(_, None)) {
        return None;
    }
    let moments = Moments::of(&array).ok()?;
    if moments.values.is_null(0) {
        return None;
    }
    let v = moments.values.value(0);
    if truncate_one(unit, v, &moments, array.data_type()).ok()? != v {
        return None;
    }
    let end = add_one(unit, 1, v, &moments, array.data_type()).ok()?;
    let end = rebuild(&Int64Array::from(vec![end]), &array).ok()?;
    Some((start.clone(), ScalarValue::try_from_array(&end, 0).ok()?))
}

/// `date(x) = literal` holds where x is on that day. Only a timestamp of milliseconds without zone, as `eventtime` is,
/// maps to an interval of its own type.
pub(crate) fn date_preimage(args: &[Expr], literal: &Expr, info: &SimplifyContext) -> PreimageResult {
    match (args.first(), literal) {
        (Some(expr), Expr::Literal(ScalarValue::Date32(Some(day)), _)) => {
            days_range(expr, i64::from(*day), i64::from(*day) + 1, info)
        }
        _ => PreimageResult::None,
    }
}

/// `year(x) = literal` holds where x is in that year.
pub(super) fn year_preimage(args: &[Expr], literal: &Expr, info: &SimplifyContext) -> PreimageResult {
    match (args, literal) {
        ([expr], Expr::Literal(ScalarValue::Int64(Some(year)), _)) if (0..10_000).contains(year) => {
            days_range(expr, days_from_civil(*year, 1, 1), days_from_civil(year + 1, 1, 1), info)
        }
        _ => PreimageResult::None,
    }
}

/// From the start of one day to that of another.
fn days_range(expr: &Expr, from: i64, until: i64, info: &SimplifyContext) -> PreimageResult {
    if !matches!(info.get_data_type(expr), Ok(DataType::Timestamp(TimeUnit::Millisecond, None))) {
        return PreimageResult::None;
    }
    let start = |day: i64| day.checked_mul(DAY * 1000).map(|v| ScalarValue::TimestampMillisecond(Some(v), None));
    match (start(from), start(until)) {
        (Some(from), Some(until)) => range(expr, from, until),
        _ => PreimageResult::None,
    }
}
