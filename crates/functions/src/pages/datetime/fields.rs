//! `year(x)`, `hour(x)` and the like, of dates, times, timestamps and intervals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array};
use arrow::datatypes::{DataType, Date32Type, DurationMillisecondType, IntervalUnit, IntervalYearMonthType};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use datafusion_expr::preimage::PreimageResult;

use super::Moments;
use super::arithmetic::year_preimage;
use crate::scalar::{Param, Scalar};
use crate::temporal::{DAY, civil_from_days, day_of_year, days_from_civil, days_in_month, iso_week, iso_weekday};

const MOMENT: &[&[Param]] = &[&[Param::Date], &[Param::Timestamp], &[Param::TimestampTz]];
const DATE_PART: &[&[Param]] = &[&[Param::Date], &[Param::Timestamp], &[Param::TimestampTz]];
const MONTHS_PART: &[&[Param]] = &[&[Param::Date], &[Param::Timestamp], &[Param::TimestampTz], &[Param::IntervalYear]];
const DAY_PART: &[&[Param]] = &[&[Param::Date], &[Param::Timestamp], &[Param::TimestampTz], &[Param::IntervalDay]];
const CLOCK_PART: &[&[Param]] =
    &[&[Param::Timestamp], &[Param::TimestampTz], &[Param::Time], &[Param::TimeTz], &[Param::IntervalDay]];

pub(super) fn functions() -> Vec<ScalarUDF> {
    let mut out = Vec::new();
    let mut date_part = |names: &[&'static str], f: fn(i64) -> i64| {
        for name in names {
            out.push(part(name, DATE_PART, f));
        }
    };
    date_part(&["quarter"], |days| (i64::from(civil_from_days(days).1) + 2) / 3);
    date_part(&["week", "week_of_year"], |days| iso_week(days).1);
    date_part(&["year_of_week", "yow"], |days| iso_week(days).0);
    date_part(&["day_of_week", "dow"], iso_weekday);
    date_part(&["day_of_year", "doy"], day_of_year);
    out.push(part("year", MONTHS_PART, |days| civil_from_days(days).0));
    out.push(part("month", MONTHS_PART, |days| i64::from(civil_from_days(days).1)));
    for name in ["day", "day_of_month"] {
        out.push(part(name, DAY_PART, |days| i64::from(civil_from_days(days).2)));
    }
    out.push(clock("hour", 3_600_000, 24));
    out.push(clock("minute", 60_000, 60));
    out.push(clock("second", 1000, 60));
    out.push(clock("millisecond", 1, 1000));
    out.push(Scalar::new("last_day_of_month", MOMENT, DataType::Date32, |call| last_day(&call.array(0)?)).build());
    out
}

/// A part of the date; of intervals the months, years or days.
fn part(name: &'static str, overloads: &'static [&'static [Param]], f: fn(i64) -> i64) -> ScalarUDF {
    Scalar::new(name, overloads, DataType::Int64, move |call| {
        let array = call.array(0)?;
        match array.data_type() {
            DataType::Interval(IntervalUnit::YearMonth) => {
                let months = array.as_primitive::<IntervalYearMonthType>();
                let out: Int64Array = months.unary(|m| i64::from(if name == "year" { m / 12 } else { m % 12 }));
                Ok(Arc::new(out))
            }
            DataType::Duration(_) => {
                let millis = array.as_primitive::<DurationMillisecondType>();
                let out: Int64Array = millis.unary(|m| m / (DAY * 1000));
                Ok(Arc::new(out))
            }
            _ => Ok(Moments::of(&array)?.map(|seconds, _| f(seconds.div_euclid(DAY)))),
        }
    })
    .preimage(move |args, literal, info| {
        Ok(if name == "year" { year_preimage(args, literal, info) } else { PreimageResult::None })
    })
    .build()
}

/// A part of the time of day: so many milliseconds each, so many of them in the next larger part.
fn clock(name: &'static str, millis: i64, modulus: i64) -> ScalarUDF {
    Scalar::new(name, CLOCK_PART, DataType::Int64, move |call| {
        let array = call.array(0)?;
        if let DataType::Duration(_) = array.data_type() {
            let values = array.as_primitive::<DurationMillisecondType>();
            let out: Int64Array = values.unary(|v| v / millis % modulus);
            return Ok(Arc::new(out));
        }
        let moments = Moments::of(&array)?;
        Ok(moments.map(|seconds, fraction| {
            let clock = seconds.rem_euclid(DAY) * 1000 + moments.nanos(fraction) / 1_000_000;
            clock / millis % modulus
        }))
    })
    .build()
}

fn last_day(array: &ArrayRef) -> Result<ArrayRef> {
    let moments = Moments::of(array)?;
    let out: Date32Array = moments.values.unary::<_, Date32Type>(|v| {
        let (year, month, _) = civil_from_days(moments.local(v).0.div_euclid(DAY));
        days_from_civil(year, month, i64::from(days_in_month(year, month))) as i32
    });
    Ok(Arc::new(out))
}
