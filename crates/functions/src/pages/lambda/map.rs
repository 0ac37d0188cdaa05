//! `map_filter`, `transform_keys`, `transform_values`, `map_zip_with`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt64Array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{HigherOrderUDF, ValueOrLambda};

use super::array::{answers, predicate};
use crate::coercion::unify;
use crate::higher::{Call, Higher, Known};
use crate::lists::bounds;
use crate::maps::{checked_map, map};
use crate::rows;
use crate::scalar::{Param, accept};
use crate::types;

fn entry(t: &DataType) -> (DataType, DataType) {
    types::entry(t).map_or((DataType::Null, DataType::Null), |(k, v)| (k.data_type().clone(), v.data_type().clone()))
}

fn one_map(t: &[DataType]) -> Option<Vec<DataType>> {
    match t {
        [t] => Some(vec![accept(t, Param::Map)?]),
        _ => None,
    }
}

fn map_parameters(known: Known<'_>) -> Vec<Option<Vec<DataType>>> {
    match known.first() {
        Some(ValueOrLambda::Value(t)) => {
            let (k, v) = entry(t);
            vec![Some(vec![k, v])]
        }
        _ => vec![None],
    }
}

pub(super) fn functions() -> Vec<HigherOrderUDF> {
    vec![
        Higher::new(
            "map_filter",
            1..=1,
            one_map,
            map_parameters,
            |v, l| predicate(l).map(|()| v[0].clone()),
            |call| {
                let entries = Entries::of(call)?;
                let kept =
                    answers(&call.evaluate(0, &[entries.keys.clone(), entries.values.clone()], &entries.rows)?)?;
                let picked: Vec<u64> = (0..kept.len()).filter(|i| kept[*i] == Some(true)).map(|i| i as u64).collect();
                let mut lengths = vec![0; call.rows];
                picked.iter().for_each(|i| lengths[entries.rows[*i as usize] as usize] += 1);
                let picked = UInt64Array::from(picked);
                let keys = arrow::compute::take(&entries.keys, &picked, None)?;
                let values = arrow::compute::take(&entries.values, &picked, None)?;
                Ok(Arc::new(map(keys, values, lengths, entries.valid)?))
            },
        )
        .build(),
        Higher::new(
            "transform_keys",
            1..=1,
            one_map,
            map_parameters,
            |v, l| Ok(types::map_of(l[0].clone(), entry(&v[0]).1)),
            |call| {
                let entries = Entries::of(call)?;
                let keys = call.evaluate(0, &[entries.keys.clone(), entries.values.clone()], &entries.rows)?;
                Ok(Arc::new(checked_map(keys, entries.values, entries.lengths, entries.valid)?))
            },
        )
        .build(),
        Higher::new(
            "transform_values",
            1..=1,
            one_map,
            map_parameters,
            |v, l| Ok(types::map_of(entry(&v[0]).0, l[0].clone())),
            |call| {
                let entries = Entries::of(call)?;
                let values = call.evaluate(0, &[entries.keys.clone(), entries.values.clone()], &entries.rows)?;
                Ok(Arc::new(map(entries.keys, values, entries.lengths, entries.valid)?))
            },
        )
        .build(),
        Higher::new(
            "map_zip_with",
            1..=1,
            |t| {
                let [a, b] = t else { return None };
                let (a, b) = (accept(a, Param::Map)?, accept(b, Param::Map)?);
                let ((ak, av), (bk, bv)) = (entry(&a), entry(&b));
                let key = unify(&ak, &bk)?;
                Some(vec![types::map_of(key.clone(), av), types::map_of(key, bv)])
            },
            |known| match known {
                [ValueOrLambda::Value(a), ValueOrLambda::Value(b), ..] => {
                    let (k, v) = entry(a);
                    vec![Some(vec![k, v, entry(b).1])]
                }
                _ => vec![None],
            },
            |v, l| match l {
                [l] => Ok(types::map_of(entry(&v[0]).0, l.clone())),
                _ => plan_err!("FUNCTION_NOT_FOUND: Unexpected parameters for function map_zip_with"),
            },
            zip_with,
        )
        .build(),
    ]
}

/// The entries of the first argument, those of NULL rows left out.
struct Entries {
    keys: ArrayRef,
    values: ArrayRef,
    rows: Vec<u32>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl Entries {
    fn of(call: &Call<'_>) -> Result<Self> {
        let map = call.values[0].as_map();
        let (mut indices, mut rows, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in 0..map.len() {
            let range = if map.is_valid(row) { bounds(map.value_offsets(), row) } else { 0..0 };
            lengths.push(range.len());
            valid.push(map.is_valid(row));
            rows.extend(std::iter::repeat_n(row as u32, range.len()));
            indices.extend(range.map(|i| i as u64));
        }
        let indices = UInt64Array::from(indices);
        Ok(Self {
            keys: arrow::compute::take(map.keys(), &indices, None)?,
            values: arrow::compute::take(map.values(), &indices, None)?,
            rows,
            lengths,
            valid,
        })
    }
}

/// Keys of either map; a value that one of them lacks is NULL.
fn zip_with(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b): (&MapArray, &MapArray) = (call.values[0].as_map(), call.values[1].as_map());
    let keys = arrow::compute::concat(&[a.keys().as_ref(), b.keys().as_ref()])?;
    let encoded = rows::encode(&keys)?;
    let shift = a.keys().len();
    let (mut k, mut left, mut right) = (Vec::<u64>::new(), Vec::<Option<u64>>::new(), Vec::<Option<u64>>::new());
    let (mut of_row, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let live = a.is_valid(row) && b.is_valid(row);
        let before = k.len();
        if live {
            let mut at = HashMap::new();
            for i in bounds(a.value_offsets(), row) {
                at.insert(encoded.row(i), k.len());
                k.push(i as u64);
                left.push(Some(i as u64));
                right.push(None);
            }
            for i in bounds(b.value_offsets(), row) {
                match at.get(&encoded.row(shift + i)) {
                    Some(slot) => right[*slot] = Some(i as u64),
                    None => {
                        k.push((shift + i) as u64);
                        left.push(None);
                        right.push(Some(i as u64));
                    }
                }
            }
        }
        of_row.extend(std::iter::repeat_n(row as u32, k.len() - before));
        lengths.push(k.len() - before);
        valid.push(live);
    }
    let keys = arrow::compute::take(&keys, &UInt64Array::from(k), None)?;
    let left = arrow::compute::take(a.values(), &UInt64Array::from(left), None)?;
    let right = arrow::compute::take(b.values(), &UInt64Array::from(right), None)?;
    let values = call.evaluate(0, &[keys.clone(), left, right], &of_row)?;
    Ok(Arc::new(map(keys, values, lengths, valid)?))
}
