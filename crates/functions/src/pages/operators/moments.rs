//! Dates, times, timestamps and intervals in arithmetic.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DurationMillisecondBuilder, Int64Array, Int64Builder, IntervalYearMonthBuilder,
};
use arrow::datatypes::{DataType, DurationMillisecondType, Float64Type, IntervalUnit, IntervalYearMonthType, TimeUnit};
use datafusion_common::{Result, plan_err};

use super::{Op, out_of_range};
use crate::cast::{OnError, cast, utc_clock};
use crate::pages::datetime::{Moments, common, plus_months, rebuild};
use crate::scalar::{fail, invalid};
use crate::temporal::DAY;
use crate::types::{self, Type};

const DAYTIME: DataType = DataType::Duration(TimeUnit::Millisecond);
const YEARMONTH: DataType = DataType::Interval(IntervalUnit::YearMonth);

fn is_moment(t: &Type) -> bool {
    matches!(t, Type::Date | Type::Timestamp(_) | Type::TimestampTz(_, _) | Type::Time(_) | Type::TimeTz(_))
}

fn is_interval(t: &Type) -> bool {
    matches!(t, Type::IntervalDay | Type::IntervalYear)
}

fn is_number(t: &Type) -> bool {
    super::is_number(t)
}

pub(super) fn coerce(op: Op, left: &DataType, right: &DataType) -> Option<Vec<DataType>> {
    let (a, b) = (Type::of(left), Type::of(right));
    match op {
        Op::Add | Op::Subtract => match (&a, &b) {
            (Type::IntervalDay, Type::IntervalDay) => Some(vec![DAYTIME, DAYTIME]),
            (Type::IntervalYear, Type::IntervalYear) => Some(vec![YEARMONTH, YEARMONTH]),
            (m, i) if is_moment(m) && is_interval(i) => Some(vec![left.clone(), b.to_arrow()]),
            (i, m) if op == Op::Add && is_moment(m) && is_interval(i) => Some(vec![a.to_arrow(), right.clone()]),
            (m, n) if op == Op::Subtract && is_moment(m) && is_moment(n) => {
                let t = common(&[left.clone(), right.clone()])?;
                Some(vec![t.clone(), t])
            }
            (m, Type::Unknown) if is_interval(m) => Some(vec![a.to_arrow(), a.to_arrow()]),
            (m, Type::Unknown) if is_moment(m) => Some(vec![left.clone(), DAYTIME]),
            (Type::Unknown, m) if is_interval(m) => Some(vec![b.to_arrow(), b.to_arrow()]),
            (Type::Unknown, m) if is_moment(m) && op == Op::Add => Some(vec![DAYTIME, right.clone()]),
            _ => None,
        },
        Op::Multiply => match (&a, &b) {
            (i, n) if is_interval(i) && (is_number(n) || *n == Type::Unknown) => {
                Some(vec![a.to_arrow(), DataType::Float64])
            }
            (n, i) if is_interval(i) && (is_number(n) || *n == Type::Unknown) => {
                Some(vec![DataType::Float64, b.to_arrow()])
            }
            _ => None,
        },
        Op::Divide if is_interval(&a) && (is_number(&b) || b == Type::Unknown) => {
            Some(vec![a.to_arrow(), DataType::Float64])
        }
        _ => None,
    }
}

/// A time gains the digits of the interval that moves it.
fn moved(moment: &DataType, interval: &DataType) -> DataType {
    if *interval != DAYTIME {
        return moment.clone();
    }
    match Type::of(moment) {
        Type::Timestamp(p) => Type::Timestamp(p.max(3)).to_arrow(),
        Type::TimestampTz(p, zone) => Type::TimestampTz(p.max(3), zone).to_arrow(),
        Type::Time(p) => Type::Time(p.max(3)).to_arrow(),
        Type::TimeTz(p) => Type::TimeTz(p.max(3)).to_arrow(),
        _ => moment.clone(),
    }
}

pub(super) fn result(op: Op, left: &DataType, right: &DataType) -> Result<DataType> {
    let (a, b) = (Type::of(left), Type::of(right));
    if is_moment(&a) && is_interval(&b) {
        return Ok(moved(left, right));
    }
    if is_interval(&a) && is_moment(&b) {
        return Ok(moved(right, left));
    }
    if is_moment(&a) && is_moment(&b) {
        return Ok(DAYTIME);
    }
    match (is_interval(&a), is_interval(&b)) {
        (true, _) => Ok(left.clone()),
        (false, true) => Ok(right.clone()),
        _ => plan_err!("TYPE_MISMATCH: '{op:?}' cannot be applied to {a}, {b}"),
    }
}

pub(super) fn compute(op: Op, left: &ArrayRef, right: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let (a, b) = (Type::of(left.data_type()), Type::of(right.data_type()));
    match op {
        Op::Add | Op::Subtract if is_interval(&a) && is_interval(&b) => intervals(op, left, right),
        Op::Add if is_interval(&a) => shift(right, left, 1, to),
        Op::Add => shift(left, right, 1, to),
        Op::Subtract if is_interval(&b) => shift(left, right, -1, to),
        Op::Subtract => between(left, right),
        Op::Multiply if is_interval(&a) => scale(op, left, right),
        Op::Multiply => scale(op, right, left),
        _ => scale(op, left, right),
    }
}

fn intervals(op: Op, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let sign = if op == Op::Add { 1 } else { -1 };
    if *left.data_type() == DAYTIME {
        let (a, b) = (left.as_primitive::<DurationMillisecondType>(), right.as_primitive::<DurationMillisecondType>());
        let mut out = DurationMillisecondBuilder::with_capacity(a.len());
        for (x, y) in a.iter().zip(b) {
            out.append_option(match (x, y) {
                (Some(x), Some(y)) => match y.checked_mul(sign).and_then(|y| x.checked_add(y)) {
                    Some(v) => Some(v),
                    None => return out_of_range("interval day to second overflow"),
                },
                _ => None,
            });
        }
        return Ok(Arc::new(out.finish()));
    }
    let (a, b) = (left.as_primitive::<IntervalYearMonthType>(), right.as_primitive::<IntervalYearMonthType>());
    let mut out = IntervalYearMonthBuilder::with_capacity(a.len());
    for (x, y) in a.iter().zip(b) {
        out.append_option(match (x, y) {
            (Some(x), Some(y)) => match i32::try_from(i64::from(x) + sign * i64::from(y)) {
                Ok(v) => Some(v),
                Err(_) => return out_of_range("interval year to month overflow"),
            },
            _ => None,
        });
    }
    Ok(Arc::new(out.finish()))
}

/// A moment moved by an interval.
fn shift(moment: &ArrayRef, interval: &ArrayRef, sign: i64, to: &DataType) -> Result<ArrayRef> {
    let like = if moment.data_type() == to { moment.clone() } else { cast(moment, &Type::of(to), OnError::Fail)? };
    let moments = Moments::of(&like)?;
    let t = like.data_type().clone();
    let clock = matches!(t, DataType::Time32(_) | DataType::Time64(_)) || types::is_time_tz(&t);
    let per = moments.per;
    let mut out = Int64Builder::with_capacity(moments.values.len());
    if *interval.data_type() == DAYTIME {
        let millis = interval.as_primitive::<DurationMillisecondType>();
        // The interval is the same for all rows mostly.
        let mut step = (0, Some(0));
        for (v, m) in moments.values.iter().zip(millis) {
            let (Some(v), Some(m)) = (v, m) else {
                out.append_null();
                continue;
            };
            if per > 0 && !clock {
                if step.0 != m {
                    step = (m, i64::try_from(i128::from(m) * i128::from(sign) * i128::from(per) / 1000).ok());
                }
                match step.1.and_then(|step| v.checked_add(step)) {
                    Some(moved) => out.append_value(moved),
                    None => return out_of_range("date or timestamp overflow"),
                }
                continue;
            }
            let m = i128::from(m) * i128::from(sign);
            let moved = if per == 0 {
                if m % i128::from(DAY * 1000) != 0 {
                    return invalid("Cannot add hour, minutes or seconds to a date");
                }
                i128::from(v) + m / i128::from(DAY * 1000)
            } else {
                i128::from(v) + m * i128::from(per) / 1000
            };
            let moved = if clock { moved.rem_euclid(i128::from(DAY * per)) } else { moved };
            match i64::try_from(moved) {
                Ok(v) if per > 0 || i32::try_from(v).is_ok() => out.append_value(v),
                _ => return out_of_range("date or timestamp overflow"),
            }
        }
    } else {
        if clock {
            return plan_err!("TYPE_MISMATCH: a time cannot be moved by months");
        }
        let months = interval.as_primitive::<IntervalYearMonthType>();
        for (v, m) in moments.values.iter().zip(months) {
            out.append_option(match (v, m) {
                (Some(v), Some(m)) => Some(plus_months(v, i64::from(m) * sign, &moments)?),
                _ => None,
            });
        }
    }
    rebuild(&out.finish(), &like)
}

/// The interval from the right moment to the left one, in whole milliseconds.
fn between(left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let read = |array: &ArrayRef| -> Result<(Int64Array, i64)> {
        if types::is_time_tz(array.data_type()) {
            return utc_clock(array);
        }
        let m = Moments::of(array)?;
        Ok((m.values, m.per))
    };
    let ((a, per), (b, _)) = (read(left)?, read(right)?);
    let mut out = DurationMillisecondBuilder::with_capacity(a.len());
    for (x, y) in a.iter().zip(&b) {
        out.append_option(match (x, y) {
            (Some(x), Some(y)) => {
                let d = i128::from(x) - i128::from(y);
                let millis = if per == 0 { d * i128::from(DAY * 1000) } else { (d * 1000).div_euclid(i128::from(per)) };
                match i64::try_from(millis) {
                    Ok(v) => Some(v),
                    Err(_) => return out_of_range("interval overflow"),
                }
            }
            _ => None,
        });
    }
    Ok(Arc::new(out.finish()))
}

/// An interval times or divided by a number.
fn scale(op: Op, interval: &ArrayRef, by: &ArrayRef) -> Result<ArrayRef> {
    let by = by.as_primitive::<Float64Type>();
    let one = |v: i64, n: f64| -> Result<i64> {
        if n.is_nan() {
            return invalid("an interval cannot be multiplied or divided by NaN");
        }
        if op == Op::Divide && n == 0.0 {
            return fail("DIVISION_BY_ZERO", "Division by zero");
        }
        // Whole factors stay exact.
        let exact =
            if op == Op::Multiply && n.fract() == 0.0 && n.abs() < 9e15 { v.checked_mul(n as i64) } else { None };
        let result = if op == Op::Multiply { v as f64 * n } else { v as f64 / n };
        match exact {
            Some(v) => Ok(v),
            None if result.abs() < 9.2e18 => Ok(result as i64),
            None => out_of_range("interval overflow"),
        }
    };
    if *interval.data_type() == DAYTIME {
        let mut out = DurationMillisecondBuilder::with_capacity(by.len());
        for (v, n) in interval.as_primitive::<DurationMillisecondType>().iter().zip(by) {
            out.append_option(match (v, n) {
                (Some(v), Some(n)) => Some(one(v, n)?),
                _ => None,
            });
        }
        return Ok(Arc::new(out.finish()));
    }
    let mut out = IntervalYearMonthBuilder::with_capacity(by.len());
    for (v, n) in interval.as_primitive::<IntervalYearMonthType>().iter().zip(by) {
        out.append_option(match (v, n) {
            (Some(v), Some(n)) => match i32::try_from(one(i64::from(v), n)?) {
                Ok(v) => Some(v),
                Err(_) => return out_of_range("interval overflow"),
            },
            _ => None,
        });
    }
    Ok(Arc::new(out.finish()))
}
