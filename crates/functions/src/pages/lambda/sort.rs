//! `array_sort`, by Trino's order with NULLs last, or by a comparator.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::HigherOrderUDF;

use super::array::{element, one_array};
use crate::higher::{Call, Higher};
use crate::lists::{Picked, as_list, bounds};
use crate::rows;
use crate::scalar::invalid;

/// Arrays up to this length are compared all with all in one batch.
const MATRIX: usize = 64;

pub(super) fn function() -> HigherOrderUDF {
    Higher::new(
        "array_sort",
        0..=1,
        one_array,
        |known| vec![Some(vec![element(known, 0), element(known, 0)])],
        |v, l| match l {
            [] => Ok(v[0].clone()),
            [t] if t.is_integer() => Ok(v[0].clone()),
            _ => plan_err!("TYPE_MISMATCH: the comparator must return integer"),
        },
        |call| {
            let list = as_list(&call.values[0])?;
            if call.has_lambda(0) { by_comparator(call, &list) } else { by_value(&list) }
        },
    )
    .build()
}

fn by_value(list: &ListArray) -> Result<ArrayRef> {
    let encoded = rows::encode_sorted(list.values())?;
    let mut out = Picked::default();
    for row in 0..list.len() {
        if list.is_null(row) {
            out.null();
            continue;
        }
        let mut order: Vec<usize> = bounds(list.value_offsets(), row).collect();
        order.sort_by(|a, b| encoded.row(*a).cmp(&encoded.row(*b)));
        order.into_iter().for_each(|i| out.push(Some(i)));
        out.end();
    }
    Ok(Arc::new(out.finish(list.values())?))
}

fn by_comparator(call: &Call<'_>, list: &ListArray) -> Result<ArrayRef> {
    let mut out = Picked::default();
    for row in 0..list.len() {
        if list.is_null(row) {
            out.null();
            continue;
        }
        let range = bounds(list.value_offsets(), row);
        let (start, n) = (range.start, range.len());
        let order = if n <= MATRIX {
            let pairs: Vec<(usize, usize)> = (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).collect();
            let matrix = compare(call, list, row, start, &pairs)?;
            sort((0..n).collect(), &mut |a, b| Ok(matrix[a * n + b]))?
        } else {
            sort((0..n).collect(), &mut |a, b| {
                let answer = compare(call, list, row, start, &[(a, b)])?;
                Ok(answer.first().copied().unwrap_or(Ordering::Equal))
            })?
        };
        order.into_iter().for_each(|i| out.push(Some(start + i)));
        out.end();
    }
    Ok(Arc::new(out.finish(list.values())?))
}

fn compare(
    call: &Call<'_>,
    list: &ListArray,
    row: usize,
    start: usize,
    pairs: &[(usize, usize)],
) -> Result<Vec<Ordering>> {
    let side = |of: fn(&(usize, usize)) -> usize| -> Result<ArrayRef> {
        let indices: UInt64Array = pairs.iter().map(|p| Some((start + of(p)) as u64)).collect();
        Ok(arrow::compute::take(list.values(), &indices, None)?)
    };
    let answers = call.evaluate(0, &[side(|p| p.0)?, side(|p| p.1)?], &vec![row as u32; pairs.len()])?;
    let answers = arrow::compute::cast(&answers, &DataType::Int64)?;
    answers
        .as_primitive::<Int64Type>()
        .iter()
        .map(|v| match v {
            Some(-1) => Ok(Ordering::Less),
            Some(0) => Ok(Ordering::Equal),
            Some(1) => Ok(Ordering::Greater),
            _ => invalid("Lambda comparator must return either -1, 0, or 1"),
        })
        .collect()
}

/// A stable merge sort that bears comparators without order: the standard library's sort may panic on those.
fn sort(items: Vec<usize>, compare: &mut dyn FnMut(usize, usize) -> Result<Ordering>) -> Result<Vec<usize>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let (left, right) = (sort(left, compare)?, sort(right, compare)?);
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut a, mut b) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        if compare(*x, *y)? == Ordering::Greater {
            out.extend(b.next());
        } else {
            out.extend(a.next());
        }
    }
    out.extend(a);
    out.extend(b);
    Ok(out)
}
