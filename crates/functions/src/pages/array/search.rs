//! `contains`, `array_position`, `array_remove`, `contains_sequence`, `array_max`, `array_min`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, Int64Builder, UInt64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use super::{two_arrays, with_element};
use crate::lists::{Picked, as_list, bounds, is_null};
use crate::rows;
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::types;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let of_element = |t: &[DataType]| match t {
        [array, value] => with_element(array, value).map(|(a, v)| vec![a, v]),
        _ => None,
    };
    vec![
        Scalar::with("contains", of_element, |_, _| Ok(DataType::Boolean), contains).build(),
        Scalar::with(
            "array_position",
            |t| match t {
                [array, value, rest @ ..] if rest.len() <= 1 => {
                    let (a, v) = with_element(array, value)?;
                    let mut out = vec![a, v];
                    for t in rest {
                        out.push(accept(t, Param::Bigint)?);
                    }
                    Some(out)
                }
                _ => None,
            },
            |_, _| Ok(DataType::Int64),
            position,
        )
        .build(),
        Scalar::with("array_remove", of_element, |t, _| Ok(t[0].clone()), remove).build(),
        Scalar::with(
            "contains_sequence",
            |t| match t {
                [a, b] => two_arrays(a, b),
                _ => None,
            },
            |_, _| Ok(DataType::Boolean),
            contains_sequence,
        )
        .build(),
        extreme("array_max", true),
        extreme("array_min", false),
    ]
}

/// NULL where the value is not found but an element is NULL.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let wanted = call.array(1)?;
    let (elements, values) = rows::encode_two(list.values(), &wanted)?;
    let mut out = BooleanBuilder::with_capacity(list.len());
    for row in 0..list.len() {
        if list.is_null(row) || is_null(&wanted, row) {
            out.append_null();
            continue;
        }
        let mut unknown = false;
        let found = bounds(list.value_offsets(), row).any(|i| {
            unknown |= is_null(list.values(), i);
            elements.row(i) == values.row(row)
        });
        out.append_option(if found || !unknown { Some(found) } else { None });
    }
    Ok(Arc::new(out.finish()))
}

/// From 1; 0 where the value is not found. The third argument counts occurrences, from the end where negative.
fn position(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let wanted = call.array(1)?;
    let instances = if call.len() > 2 { Some(call.array(2)?) } else { None };
    let (elements, values) = rows::encode_two(list.values(), &wanted)?;
    let mut out = Int64Builder::with_capacity(list.len());
    for row in 0..list.len() {
        let instance = match &instances {
            Some(a) if a.is_null(row) => None,
            Some(a) => Some(a.as_primitive::<Int64Type>().value(row)),
            None => Some(1),
        };
        let Some(instance) = instance.filter(|_| list.is_valid(row) && !is_null(&wanted, row)) else {
            out.append_null();
            continue;
        };
        if instance == 0 {
            return invalid("array_position cannot take a 0-valued instance argument");
        }
        let range = bounds(list.value_offsets(), row);
        let start = range.start;
        let same = |i: &usize| !is_null(list.values(), *i) && elements.row(*i) == values.row(row);
        let nth = instance.unsigned_abs() as usize - 1;
        let found = if instance > 0 { range.filter(same).nth(nth) } else { range.rev().filter(same).nth(nth) };
        out.append_value(found.map_or(0, |i| (i - start) as i64 + 1));
    }
    Ok(Arc::new(out.finish()))
}

fn remove(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let wanted = call.array(1)?;
    let (elements, values) = rows::encode_two(list.values(), &wanted)?;
    let mut out = Picked::default();
    for row in 0..list.len() {
        if list.is_null(row) || is_null(&wanted, row) {
            out.null();
            continue;
        }
        for i in bounds(list.value_offsets(), row) {
            if is_null(list.values(), i) || elements.row(i) != values.row(row) {
                out.push(Some(i));
            }
        }
        out.end();
    }
    Ok(Arc::new(out.finish(list.values())?))
}

fn contains_sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (as_list(&call.array(0)?)?, as_list(&call.array(1)?)?);
    let (left, right) = rows::encode_two(a.values(), b.values())?;
    let mut out = BooleanBuilder::with_capacity(a.len());
    for row in 0..a.len() {
        if a.is_null(row) || b.is_null(row) {
            out.append_null();
            continue;
        }
        let (within, wanted) = (bounds(a.value_offsets(), row), bounds(b.value_offsets(), row));
        let last = (within.end + 1).checked_sub(wanted.len()).unwrap_or(within.start);
        let found = wanted.is_empty()
            || (within.start..last).any(|at| wanted.clone().enumerate().all(|(n, w)| left.row(at + n) == right.row(w)));
        out.append_value(found);
    }
    Ok(Arc::new(out.finish()))
}

/// NULL where an element is NULL or there is none; NaN only where all elements are.
fn extreme(name: &'static str, max: bool) -> ScalarUDF {
    Scalar::with(
        name,
        |t| match t {
            [t] => Some(vec![accept(t, Param::Array)?]),
            _ => None,
        },
        |t, _| Ok(types::element(&t[0]).map_or(DataType::Null, |f| f.data_type().clone())),
        move |call| {
            let list = as_list(&call.array(0)?)?;
            let elements = rows::encode(list.values())?;
            let nan = |i: usize| match list.values().data_type() {
                DataType::Float64 => list.values().as_primitive::<arrow::datatypes::Float64Type>().value(i).is_nan(),
                DataType::Float32 => list.values().as_primitive::<arrow::datatypes::Float32Type>().value(i).is_nan(),
                _ => false,
            };
            let indices: UInt64Array = (0..list.len())
                .map(|row| {
                    let range = bounds(list.value_offsets(), row);
                    if list.is_null(row) || range.clone().any(|i| is_null(list.values(), i)) {
                        return None;
                    }
                    let ordered = range.clone().filter(|i| !nan(*i));
                    let best = if max {
                        ordered.max_by_key(|i| elements.row(*i))
                    } else {
                        ordered.min_by_key(|i| elements.row(*i))
                    };
                    let best = best.or_else(|| range.clone().next());
                    best.map(|i| i as u64)
                })
                .collect();
            Ok(arrow::compute::take(list.values(), &indices, None)?)
        },
    )
    .build()
}
