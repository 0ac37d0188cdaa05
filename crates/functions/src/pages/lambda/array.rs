//! `transform`, `filter`, `any_match`, `all_match`, `none_match`, `zip_with`, `array_first`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, ListArray, UInt64Array};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{HigherOrderUDF, ValueOrLambda};

use crate::higher::{Call, Higher, Known};
use crate::lists::{Picked, as_list, bounds, list};
use crate::scalar::{Param, accept};
use crate::types;

pub(super) fn functions() -> Vec<HigherOrderUDF> {
    vec![
        Higher::new(
            "transform",
            1..=1,
            one_array,
            element_parameter,
            |_, l| Ok(types::array_of(l[0].clone())),
            |call| {
                let (list, rows) = elements(call)?;
                let values = call.evaluate(0, &[list.values().clone()], &rows)?;
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
            },
        )
        .build(),
        Higher::new("filter", 1..=1, one_array, element_parameter, |v, l| predicate(l).map(|()| v[0].clone()), filter)
            .build(),
        matching("any_match", |found, _, unknown| answer(found, unknown, true)),
        matching("all_match", |_, refuted, unknown| answer(refuted, unknown, false)),
        matching("none_match", |found, _, unknown| answer(found, unknown, false)),
        Higher::new(
            "zip_with",
            1..=1,
            |t| match t {
                [a, b] => Some(vec![accept(a, Param::Array)?, accept(b, Param::Array)?]),
                _ => None,
            },
            |known| vec![Some(vec![element(known, 0), element(known, 1)])],
            |_, l| Ok(types::array_of(l[0].clone())),
            zip_with,
        )
        .build(),
        Higher::new(
            "array_first",
            0..=1,
            one_array,
            element_parameter,
            |v, l| {
                if !l.is_empty() {
                    predicate(l)?;
                }
                Ok(types::element(&v[0]).map_or(DataType::Null, |f| f.data_type().clone()))
            },
            first,
        )
        .build(),
    ]
}

pub(super) fn one_array(t: &[DataType]) -> Option<Vec<DataType>> {
    match t {
        [t] => Some(vec![accept(t, Param::Array)?]),
        _ => None,
    }
}

/// The type of the elements of the n-th argument.
pub(super) fn element(known: Known<'_>, n: usize) -> DataType {
    match known.get(n) {
        Some(ValueOrLambda::Value(t)) => types::element(t).map_or(DataType::Null, |f| f.data_type().clone()),
        _ => DataType::Null,
    }
}

fn element_parameter(known: Known<'_>) -> Vec<Option<Vec<DataType>>> {
    vec![Some(vec![element(known, 0)])]
}

/// A lambda that answers yes or no.
pub(super) fn predicate(lambdas: &[DataType]) -> Result<()> {
    match lambdas {
        [DataType::Boolean | DataType::Null] => Ok(()),
        _ => plan_err!("TYPE_MISMATCH: the lambda must return boolean"),
    }
}

/// Answers of a predicate: true, false, unknown.
pub(super) fn answers(array: &ArrayRef) -> Result<Vec<Option<bool>>> {
    if array.data_type() == &DataType::Null {
        return Ok(vec![None; array.len()]);
    }
    Ok(array.as_boolean().iter().collect())
}

/// The first argument without elements of NULL rows, and the row of each of its elements.
pub(super) fn elements(call: &Call<'_>) -> Result<(ListArray, Vec<u32>)> {
    let list = compact(&as_list(&call.values[0])?)?;
    let mut rows = Vec::with_capacity(list.values().len());
    for row in 0..list.len() {
        rows.extend(std::iter::repeat_n(row as u32, bounds(list.value_offsets(), row).len()));
    }
    Ok((list, rows))
}

/// A list whose values are exactly the elements of its rows, in order.
fn compact(source: &ListArray) -> Result<ListArray> {
    let whole = source.offsets().first() == Some(&0)
        && source.offsets().last().is_some_and(|end| *end as usize == source.values().len())
        && source.null_count() == 0;
    if whole {
        return Ok(source.clone());
    }
    let mut out = Picked::default();
    for row in 0..source.len() {
        if source.is_null(row) {
            out.null();
        } else {
            bounds(source.value_offsets(), row).for_each(|i| out.push(Some(i)));
            out.end();
        }
    }
    out.finish(source.values())
}

fn filter(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, rows) = elements(call)?;
    let kept = answers(&call.evaluate(0, &[list.values().clone()], &rows)?)?;
    let mut out = Picked::default();
    for row in 0..list.len() {
        if list.is_null(row) {
            out.null();
            continue;
        }
        bounds(list.value_offsets(), row).filter(|i| kept[*i] == Some(true)).for_each(|i| out.push(Some(i)));
        out.end();
    }
    Ok(Arc::new(out.finish(list.values())?))
}

/// `value` where decided, else NULL where unknown, else its opposite.
fn answer(decided: bool, unknown: bool, value: bool) -> Option<bool> {
    if decided {
        Some(value)
    } else if unknown {
        None
    } else {
        Some(!value)
    }
}

fn matching(name: &'static str, conclude: fn(bool, bool, bool) -> Option<bool>) -> HigherOrderUDF {
    Higher::new(
        name,
        1..=1,
        one_array,
        element_parameter,
        |_, l| predicate(l).map(|()| DataType::Boolean),
        move |call| {
            let (list, rows) = elements(call)?;
            let answers = answers(&call.evaluate(0, &[list.values().clone()], &rows)?)?;
            let mut out = BooleanBuilder::with_capacity(list.len());
            for row in 0..list.len() {
                if list.is_null(row) {
                    out.append_null();
                    continue;
                }
                let of_row = &answers[bounds(list.value_offsets(), row)];
                let any = |wanted: Option<bool>| of_row.contains(&wanted);
                out.append_option(conclude(any(Some(true)), any(Some(false)), any(None)));
            }
            Ok(Arc::new(out.finish()))
        },
    )
    .build()
}

/// The shorter array is filled up with NULL.
fn zip_with(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (as_list(&call.values[0])?, as_list(&call.values[1])?);
    let (mut left, mut right) = (Vec::<Option<u64>>::new(), Vec::<Option<u64>>::new());
    let (mut rows, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let live = a.is_valid(row) && b.is_valid(row);
        let (x, y) = (bounds(a.value_offsets(), row), bounds(b.value_offsets(), row));
        let n = if live { x.len().max(y.len()) } else { 0 };
        for i in 0..n {
            left.push((i < x.len()).then(|| (x.start + i) as u64));
            right.push((i < y.len()).then(|| (y.start + i) as u64));
            rows.push(row as u32);
        }
        lengths.push(n);
        valid.push(live);
    }
    let left = arrow::compute::take(a.values(), &UInt64Array::from(left), None)?;
    let right = arrow::compute::take(b.values(), &UInt64Array::from(right), None)?;
    let values = call.evaluate(0, &[left, right], &rows)?;
    Ok(Arc::new(list(values, lengths, valid)?))
}

/// The first element, or the first for which the lambda holds.
fn first(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, rows) = elements(call)?;
    let kept =
        if call.has_lambda(0) { Some(answers(&call.evaluate(0, &[list.values().clone()], &rows)?)?) } else { None };
    let indices: UInt64Array = (0..list.len())
        .map(|row| {
            bounds(list.value_offsets(), row)
                .find(|i| kept.as_ref().is_none_or(|k| k[*i] == Some(true)))
                .map(|i| i as u64)
        })
        .collect();
    Ok(arrow::compute::take(list.values(), &indices, None)?)
}
