//! `sequence` of integers, dates and timestamps.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, DurationMillisecondType, Int64Type, IntervalUnit, IntervalYearMonthType, TimeUnit};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::coercion::unify;
use crate::lists::list;
use crate::pages::datetime::{Moments, plus_months, rebuild};
use crate::scalar::{Call, Scalar, invalid};
use crate::temporal::DAY;
use crate::types;

/// More elements are refused.
const MOST: usize = 10_000;

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![Scalar::with("sequence", coerce, |t, _| Ok(types::array_of(t[0].clone())), sequence).build()]
}

fn coerce(t: &[DataType]) -> Option<Vec<DataType>> {
    let (first, rest) = t.split_first()?;
    let (second, step) = rest.split_first()?;
    let common = match unify(first, second)? {
        t if t.is_integer() => DataType::Int64,
        DataType::Null => DataType::Int64,
        t @ (DataType::Date32 | DataType::Timestamp(_, _)) => t,
        _ => return None,
    };
    let mut out = vec![common.clone(), common.clone()];
    match step {
        [] if matches!(common, DataType::Timestamp(_, _)) => return None,
        [] => {}
        [s] if common == DataType::Int64 && (s.is_integer() || matches!(s, DataType::Null)) => {
            out.push(DataType::Int64);
        }
        [DataType::Duration(_)] if common != DataType::Int64 => out.push(DataType::Duration(TimeUnit::Millisecond)),
        [s @ DataType::Interval(IntervalUnit::YearMonth)] if common != DataType::Int64 => out.push(s.clone()),
        _ => return None,
    }
    Some(out)
}

fn sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let arrays = call.arrays()?;
    let like = &arrays[0];
    let (start, stop, moments) = if like.data_type() == &DataType::Int64 {
        let of = |a: &ArrayRef| a.as_primitive::<Int64Type>().clone();
        (of(&arrays[0]), of(&arrays[1]), None)
    } else {
        let (a, b) = (Moments::of(&arrays[0])?, Moments::of(&arrays[1])?);
        (a.values.clone(), b.values, Some(a))
    };
    let (mut values, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows() {
        let live = arrays.iter().all(|a| a.is_valid(row));
        let before = values.len();
        if live {
            let (from, to) = (start.value(row), stop.value(row));
            match (arrays.get(2), &moments) {
                (None, _) => steps(from, to, if from <= to { 1 } else { -1 }, &mut values)?,
                (Some(s), None) => steps(from, to, s.as_primitive::<Int64Type>().value(row), &mut values)?,
                (Some(s), Some(m)) if matches!(s.data_type(), DataType::Interval(_)) => {
                    let months = i64::from(s.as_primitive::<IntervalYearMonthType>().value(row));
                    monthly(from, to, months, m, &mut values)?;
                }
                (Some(s), Some(m)) => {
                    let millis = s.as_primitive::<DurationMillisecondType>().value(row);
                    let step = if m.per == 0 {
                        if millis % (DAY * 1000) != 0 {
                            return invalid("sequence step must be a day interval if start and end values are dates");
                        }
                        millis / (DAY * 1000)
                    } else {
                        (i128::from(millis) * i128::from(m.per) / 1000) as i64
                    };
                    steps(from, to, step, &mut values)?;
                }
            }
        }
        lengths.push(values.len() - before);
        valid.push(live);
    }
    let values = Int64Array::from(values);
    let values: ArrayRef = if moments.is_some() { rebuild(&values, &like.slice(0, 0))? } else { Arc::new(values) };
    Ok(Arc::new(list(values, lengths, valid)?))
}

fn check(from: i64, to: i64, step: i64) -> Result<()> {
    if step == 0 {
        return invalid("step must not be zero");
    }
    if (step > 0 && from > to) || (step < 0 && from < to) {
        return invalid(
            "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start",
        );
    }
    Ok(())
}

fn too_long<T>() -> Result<T> {
    invalid(format!("result of sequence function must not have more than {MOST} entries"))
}

fn steps(from: i64, to: i64, step: i64, out: &mut Vec<i64>) -> Result<()> {
    check(from, to, step)?;
    let count = (i128::from(to) - i128::from(from)) / i128::from(step) + 1;
    if count > MOST as i128 {
        return too_long();
    }
    out.extend((0..count).map(|i| (i128::from(from) + i * i128::from(step)) as i64));
    Ok(())
}

fn monthly(from: i64, to: i64, months: i64, moments: &Moments, out: &mut Vec<i64>) -> Result<()> {
    check(from, to, months)?;
    for i in 0.. {
        let v = plus_months(from, i * months, moments)?;
        if (months > 0 && v > to) || (months < 0 && v < to) {
            return Ok(());
        }
        if i as usize >= MOST {
            return too_long();
        }
        out.push(v);
    }
    Ok(())
}
