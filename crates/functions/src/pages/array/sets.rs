//! `array_distinct`, `array_except`, `array_intersect`, `array_union`, `arrays_overlap`, `array_histogram`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanBuilder, Int64Array, UInt64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use super::two_arrays;
use crate::lists::{Picked, as_list, bounds, is_null};
use crate::maps;
use crate::rows;
use crate::scalar::{Call, Param, Scalar, accept};
use crate::types;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let two = |t: &[DataType]| match t {
        [a, b] => two_arrays(a, b),
        _ => None,
    };
    let one = |t: &[DataType]| match t {
        [t] => Some(vec![accept(t, Param::Array)?]),
        _ => None,
    };
    vec![
        Scalar::with("array_distinct", one, |t, _| Ok(t[0].clone()), distinct).build(),
        Scalar::with("array_except", two, |t, _| Ok(t[0].clone()), |call| combine(call, |_, in_b| !in_b, false))
            .build(),
        Scalar::with("array_intersect", two, |t, _| Ok(t[0].clone()), |call| combine(call, |_, in_b| in_b, false))
            .build(),
        Scalar::with("array_union", two, |t, _| Ok(t[0].clone()), |call| combine(call, |_, _| true, true)).build(),
        Scalar::with("arrays_overlap", two, |_, _| Ok(DataType::Boolean), overlap).build(),
        Scalar::with(
            "array_histogram",
            one,
            |t, _| {
                let element = types::element(&t[0]).map_or(DataType::Null, |f| f.data_type().clone());
                Ok(types::map_of(element, DataType::Int64))
            },
            histogram,
        )
        .build(),
    ]
}

fn distinct(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let elements = rows::encode(list.values())?;
    let mut out = Picked::default();
    let mut seen = HashSet::new();
    for row in 0..list.len() {
        if list.is_null(row) {
            out.null();
            continue;
        }
        seen.clear();
        for i in bounds(list.value_offsets(), row) {
            if seen.insert(elements.row(i)) {
                out.push(Some(i));
            }
        }
        out.end();
    }
    Ok(Arc::new(out.finish(list.values())?))
}

/// Distinct elements of the first array (and of the second one) for which `keep(in first, in second)` holds.
fn combine(call: &Call<'_>, keep: fn(bool, bool) -> bool, both: bool) -> Result<ArrayRef> {
    let (a, b) = (as_list(&call.array(0)?)?, as_list(&call.array(1)?)?);
    let (left, right) = rows::encode_two(a.values(), b.values())?;
    let source = arrow::compute::concat(&[a.values().as_ref(), b.values().as_ref()])?;
    let shift = a.values().len();
    let mut out = Picked::default();
    for row in 0..a.len() {
        if a.is_null(row) || b.is_null(row) {
            out.null();
            continue;
        }
        let second: HashSet<_> = bounds(b.value_offsets(), row).map(|i| right.row(i)).collect();
        let mut seen = HashSet::new();
        for i in bounds(a.value_offsets(), row) {
            let value = left.row(i);
            if keep(true, second.contains(&value)) && seen.insert(value) {
                out.push(Some(i));
            }
        }
        if both {
            for i in bounds(b.value_offsets(), row) {
                if seen.insert(right.row(i)) {
                    out.push(Some(shift + i));
                }
            }
        }
        out.end();
    }
    Ok(Arc::new(out.finish(&source)?))
}

/// NULL where no non-null element is shared but an element of either is NULL and both have elements.
fn overlap(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (as_list(&call.array(0)?)?, as_list(&call.array(1)?)?);
    let (left, right) = rows::encode_two(a.values(), b.values())?;
    let mut out = BooleanBuilder::with_capacity(a.len());
    for row in 0..a.len() {
        if a.is_null(row) || b.is_null(row) {
            out.append_null();
            continue;
        }
        let (x, y) = (bounds(a.value_offsets(), row), bounds(b.value_offsets(), row));
        let second: HashSet<_> = y.clone().filter(|i| b.values().is_valid(*i)).map(|i| right.row(i)).collect();
        let found = x.clone().any(|i| a.values().is_valid(i) && second.contains(&left.row(i)));
        let unknown = !x.is_empty()
            && !y.is_empty()
            && (x.clone().any(|i| a.values().is_null(i)) || y.clone().any(|i| b.values().is_null(i)));
        out.append_option(if found { Some(true) } else { (!unknown).then_some(false) });
    }
    Ok(Arc::new(out.finish()))
}

/// How often each element occurs; NULL elements are not counted.
fn histogram(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let elements = rows::encode(list.values())?;
    let (mut keys, mut counts, mut lengths, mut valid): (Vec<u64>, Vec<i64>, _, _) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..list.len() {
        let start = keys.len();
        let mut at = HashMap::new();
        if list.is_valid(row) {
            for i in bounds(list.value_offsets(), row).filter(|i| !is_null(list.values(), *i)) {
                let slot = *at.entry(elements.row(i)).or_insert_with(|| {
                    keys.push(i as u64);
                    counts.push(0);
                    counts.len() - 1
                });
                counts[slot] += 1;
            }
        }
        lengths.push(keys.len() - start);
        valid.push(list.is_valid(row));
    }
    let keys = arrow::compute::take(list.values(), &UInt64Array::from(keys), None)?;
    Ok(Arc::new(maps::map(keys, Arc::new(Int64Array::from(counts)), lengths, valid)?))
}
