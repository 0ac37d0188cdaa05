//! `concat` and `||` of arrays and elements, `flatten`, `repeat`, `zip`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::coercion::unify;
use crate::lists::{Picked, as_list, bounds, list};
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::types;

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        Scalar::with(
            "concat",
            coerce,
            |t, _| Ok(t.iter().max_by_key(|t| depth(t)).map_or(DataType::Null, DataType::clone)),
            concat,
        )
        .build(),
        Scalar::with(
            "flatten",
            |t| match t {
                [DataType::Null] => Some(vec![types::array_of(types::array_of(DataType::Null))]),
                [t] => match types::element(t)?.data_type() {
                    DataType::Null => Some(vec![types::array_of(types::array_of(DataType::Null))]),
                    inner => Some(vec![types::array_of(types::array_of(types::element(inner)?.data_type().clone()))]),
                },
                _ => None,
            },
            |t, _| Ok(types::element(&t[0]).map_or(DataType::Null, |f| f.data_type().clone())),
            flatten,
        )
        .build(),
        Scalar::with(
            "repeat",
            |t| match t {
                [v, n] => Some(vec![v.clone(), accept(n, Param::Bigint)?]),
                _ => None,
            },
            |t, _| Ok(types::array_of(t[0].clone())),
            repeat,
        )
        .build(),
        Scalar::with(
            "zip",
            |t| (t.len() >= 2).then(|| t.iter().map(|t| accept(t, Param::Array)).collect())?,
            |t, _| {
                let fields = t.iter().map(|t| types::element(t).map_or(DataType::Null, |f| f.data_type().clone()));
                Ok(types::array_of(types::row_of(fields)))
            },
            zip,
        )
        .build(),
    ]
}

fn depth(t: &DataType) -> usize {
    types::element(t).map_or(0, |f| 1 + depth(f.data_type()))
}

/// All arguments are arrays of one type, or one level less: elements of it.
fn coerce(arguments: &[DataType]) -> Option<Vec<DataType>> {
    if arguments.len() < 2 || !arguments.iter().any(types::is_array) {
        return None;
    }
    let deepest = arguments.iter().map(depth).max()?;
    let has_empty = |t: &DataType| {
        matches!(t, DataType::Null) || types::element(t).is_some_and(|f| matches!(f.data_type(), DataType::Null))
    };
    let element = arguments.iter().try_fold(DataType::Null, |common, t| {
        if depth(t) == deepest || (types::is_array(t) && has_empty(t)) {
            unify(&common, types::element(t)?.data_type())
        } else {
            unify(&common, t)
        }
    })?;
    let whole = types::array_of(element.clone());
    arguments
        .iter()
        .map(|t| match t {
            DataType::Null => Some(whole.clone()),
            t if depth(t) == deepest || (types::is_array(t) && has_empty(t)) => Some(whole.clone()),
            t => unify(t, &element).map(|_| element.clone()),
        })
        .collect()
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let arrays = call.arrays()?;
    let whole = call.return_type().clone();
    // Elements become lists of one, so that all parts are lists.
    let parts: Vec<ListArray> =
        arrays
            .iter()
            .map(|a| {
                if a.data_type() == &whole {
                    as_list(a)
                } else {
                    list(a.clone(), vec![1; a.len()], vec![true; a.len()])
                }
            })
            .collect::<Result<_>>()?;
    let values: Vec<&dyn Array> = parts.iter().map(|p| p.values().as_ref()).collect();
    let source = arrow::compute::concat(&values)?;
    let starts: Vec<usize> = parts
        .iter()
        .scan(0, |at, p| {
            let start = *at;
            *at += p.values().len();
            Some(start)
        })
        .collect();
    let mut out = Picked::default();
    for row in 0..call.rows() {
        if parts.iter().any(|p| p.is_null(row)) {
            out.null();
            continue;
        }
        for (part, start) in parts.iter().zip(&starts) {
            bounds(part.value_offsets(), row).for_each(|i| out.push(Some(start + i)));
        }
        out.end();
    }
    Ok(Arc::new(out.finish(&source)?))
}

fn flatten(call: &Call<'_>) -> Result<ArrayRef> {
    let outer = as_list(&call.array(0)?)?;
    let inner = as_list(outer.values())?;
    let mut out = Picked::default();
    for row in 0..outer.len() {
        if outer.is_null(row) {
            out.null();
            continue;
        }
        for i in bounds(outer.value_offsets(), row).filter(|i| inner.is_valid(*i)) {
            bounds(inner.value_offsets(), i).for_each(|v| out.push(Some(v)));
        }
        out.end();
    }
    Ok(Arc::new(out.finish(inner.values())?))
}

fn repeat(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.array(0)?;
    let counts = call.array(1)?;
    let mut out = Picked::default();
    for (row, count) in counts.as_primitive::<Int64Type>().iter().enumerate() {
        match count {
            None => out.null(),
            Some(n) if !(0..=10_000).contains(&n) => {
                return invalid("count argument of repeat function must be between 0 and 10000");
            }
            Some(n) => {
                (0..n).for_each(|_| out.push(Some(row)));
                out.end();
            }
        }
    }
    Ok(Arc::new(out.finish(&values)?))
}

/// Shorter arrays are filled up with NULL.
fn zip(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = call.arrays()?.iter().map(as_list).collect::<Result<Vec<_>>>()?;
    let mut columns: Vec<Vec<Option<u64>>> = vec![Vec::new(); lists.len()];
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows() {
        let live = lists.iter().all(|l| l.is_valid(row));
        let longest = lists.iter().map(|l| bounds(l.value_offsets(), row).len()).max().unwrap_or(0);
        let longest = if live { longest } else { 0 };
        for (list, column) in lists.iter().zip(&mut columns) {
            let range = bounds(list.value_offsets(), row);
            column.extend((0..longest).map(|i| (i < range.len()).then(|| (range.start + i) as u64)));
        }
        lengths.push(longest);
        valid.push(live);
    }
    let arrays = lists
        .iter()
        .zip(columns)
        .map(|(l, column)| Ok(arrow::compute::take(l.values(), &UInt64Array::from(column), None)?))
        .collect::<Result<Vec<_>>>()?;
    let DataType::Struct(fields) = types::row_of(arrays.iter().map(|a| a.data_type().clone())) else {
        return crate::scalar::mismatch("zip makes rows");
    };
    let rows: ArrayRef = Arc::new(StructArray::try_new(fields, arrays, None)?);
    Ok(Arc::new(list(rows, lengths, valid)?))
}
