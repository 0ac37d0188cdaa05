//! Trino's page `map`; those of its functions that take lambdas are on the page `lambda`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::coercion::unify_all;
use crate::lists::{as_list, bounds, list};
use crate::maps::{checked_map, map};
use crate::rows;
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let scalars = vec![
        constructor("map"),
        constructor("$map"),
        part("map_keys", |m| m.keys().clone(), |k, _| k),
        part("map_values", |m| m.values().clone(), |_, v| v),
        part(
            "map_entries",
            |m| {
                let entries = m.entries();
                match row_type(m.keys().data_type().clone(), m.values().data_type().clone()) {
                    DataType::Struct(fields) => {
                        Arc::new(StructArray::new(fields, entries.columns().to_vec(), None)) as ArrayRef
                    }
                    _ => Arc::new(entries.clone()),
                }
            },
            row_type,
        ),
        from_entries("map_from_entries", false),
        from_entries("multimap_from_entries", true),
        Scalar::with(
            "map_concat",
            |t| {
                let common = unify_all(t.iter())?;
                (t.len() >= 2 && matches!(common, DataType::Map(_, _))).then(|| vec![common; t.len()])
            },
            |t, _| Ok(t[0].clone()),
            concat,
        )
        .build(),
    ];
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

fn row_type(key: DataType, value: DataType) -> DataType {
    types::row_of([key, value])
}

fn element_type(t: &DataType) -> DataType {
    types::element(t).map_or(DataType::Null, |f| f.data_type().clone())
}

/// `map(keys, values)` and `map()`.
fn constructor(name: &'static str) -> ScalarUDF {
    Scalar::with(
        name,
        |t| match t {
            [] => Some(Vec::new()),
            [k, v] => Some(vec![accept(k, Param::Array)?, accept(v, Param::Array)?]),
            _ => None,
        },
        |t, _| match t {
            [k, v] => Ok(types::map_of(element_type(k), element_type(v))),
            _ => Ok(types::map_of(DataType::Null, DataType::Null)),
        },
        |call| {
            if call.len() == 0 {
                let empty = arrow::array::new_null_array(&DataType::Null, 0);
                let n = call.rows();
                return Ok(Arc::new(map(empty.clone(), empty, vec![0; n], vec![true; n])?));
            }
            construct(&as_list(&call.array(0)?)?, &as_list(&call.array(1)?)?)
        },
    )
    .build()
}

fn construct(keys: &ListArray, values: &ListArray) -> Result<ArrayRef> {
    let (mut k, mut v) = (Vec::<u64>::new(), Vec::<u64>::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..keys.len() {
        let live = keys.is_valid(row) && values.is_valid(row);
        let (a, b) = (bounds(keys.value_offsets(), row), bounds(values.value_offsets(), row));
        if live && a.len() != b.len() {
            return invalid("Key and value arrays must be the same length");
        }
        lengths.push(if live { a.len() } else { 0 });
        valid.push(live);
        if live {
            k.extend(a.map(|i| i as u64));
            v.extend(b.map(|i| i as u64));
        }
    }
    let keys = arrow::compute::take(keys.values(), &UInt64Array::from(k), None)?;
    let values = arrow::compute::take(values.values(), &UInt64Array::from(v), None)?;
    if has_null_inside(&keys) {
        return invalid("map key cannot be indeterminate");
    }
    Ok(Arc::new(checked_map(keys, values, lengths, valid)?))
}

/// Whether a nested key holds NULL somewhere.
fn has_null_inside(keys: &ArrayRef) -> bool {
    match keys.data_type() {
        DataType::List(_) => {
            let values = keys.as_list::<i32>().values();
            values.logical_null_count() > 0 || has_null_inside(values)
        }
        t if types::is_row(t) => {
            keys.as_struct().columns().iter().any(|c| c.logical_null_count() > 0 || has_null_inside(c))
        }
        _ => false,
    }
}

/// A list of one part of each entry.
fn part(name: &'static str, of: fn(&MapArray) -> ArrayRef, t: fn(DataType, DataType) -> DataType) -> ScalarUDF {
    Scalar::with(
        name,
        |t| match t {
            [t] => Some(vec![accept(t, Param::Map)?]),
            _ => None,
        },
        move |arguments, _| {
            Ok(types::array_of(
                types::entry(&arguments[0])
                    .map_or(DataType::Null, |(k, v)| t(k.data_type().clone(), v.data_type().clone())),
            ))
        },
        move |call| {
            let array = call.array(0)?;
            let map = array.as_map();
            let values = of(map);
            let field = Arc::new(arrow::datatypes::Field::new_list_field(values.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(field, map.offsets().clone(), values, map.nulls().cloned())?))
        },
    )
    .build()
}

/// `map_from_entries` and, with `multi`, `multimap_from_entries`.
fn from_entries(name: &'static str, multi: bool) -> ScalarUDF {
    let pair = |t: &DataType| -> Option<(DataType, DataType)> {
        match t {
            DataType::Null => Some((DataType::Null, DataType::Null)),
            DataType::Struct(fields) if fields.len() == 2 && types::is_row(t) => {
                Some((fields[0].data_type().clone(), fields[1].data_type().clone()))
            }
            _ => None,
        }
    };
    Scalar::with(
        name,
        move |t| match t {
            [t] => {
                let array = accept(t, Param::Array)?;
                let (k, v) = pair(&element_type(&array))?;
                Some(vec![match element_type(&array) {
                    DataType::Null => types::array_of(row_type(k, v)),
                    _ => array,
                }])
            }
            _ => None,
        },
        move |t, _| {
            let (k, v) = pair(&element_type(&t[0])).unwrap_or((DataType::Null, DataType::Null));
            Ok(types::map_of(k, if multi { types::array_of(v) } else { v }))
        },
        move |call| entries(call, multi),
    )
    .build()
}

fn entries(call: &Call<'_>, multi: bool) -> Result<ArrayRef> {
    let source = as_list(&call.array(0)?)?;
    let pairs = source.values().as_struct();
    let (keys, values) = (pairs.column(0), pairs.column(1));
    let encoded = rows::encode(keys)?;
    let mut groups: Vec<(u64, Vec<u64>)> = Vec::new();
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..source.len() {
        let before = groups.len();
        let mut at = HashMap::new();
        if source.is_valid(row) {
            for i in bounds(source.value_offsets(), row) {
                if pairs.is_null(i) {
                    return invalid("map entry cannot be null");
                }
                if keys.is_null(i) {
                    return invalid("map key cannot be null");
                }
                match at.get(&encoded.row(i)) {
                    Some(_) if !multi => return invalid("Duplicate map keys are not allowed"),
                    Some(slot) => {
                        let slot: usize = *slot;
                        groups[slot].1.push(i as u64);
                    }
                    None => {
                        at.insert(encoded.row(i), groups.len());
                        groups.push((i as u64, vec![i as u64]));
                    }
                }
            }
        }
        lengths.push(groups.len() - before);
        valid.push(source.is_valid(row));
    }
    let first: UInt64Array = groups.iter().map(|(i, _)| Some(*i)).collect();
    let keys = arrow::compute::take(keys, &first, None)?;
    if has_null_inside(&keys) {
        return invalid("map key cannot be indeterminate");
    }
    let all: UInt64Array = groups.iter().flat_map(|(_, v)| v.iter().map(|i| Some(*i))).collect();
    let values = arrow::compute::take(values, &all, None)?;
    let values: ArrayRef = if multi {
        let inner = groups.iter().map(|(_, v)| v.len()).collect();
        Arc::new(list(values, inner, vec![true; groups.len()])?)
    } else {
        values
    };
    Ok(Arc::new(map(keys, values, lengths, valid)?))
}

/// Of a key that several maps hold, the last map's value is taken; NULL maps make the result NULL.
fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let arrays = call.arrays()?;
    let all: Vec<&MapArray> = arrays.iter().map(AsArray::as_map).collect();
    let columns = |of: fn(&MapArray) -> &ArrayRef| -> Result<ArrayRef> {
        let parts: Vec<&dyn Array> = all.iter().map(|m| of(m).as_ref()).collect();
        Ok(arrow::compute::concat(&parts)?)
    };
    let (keys, values) = (columns(MapArray::keys)?, columns(MapArray::values)?);
    let encoded = rows::encode(&keys)?;
    let (mut k, mut v) = (Vec::<u64>::new(), Vec::<u64>::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows() {
        let before = k.len();
        let live = all.iter().all(|m| m.is_valid(row));
        let mut at = HashMap::new();
        let mut start = 0;
        for m in all.iter().filter(|_| live) {
            for i in bounds(m.value_offsets(), row).map(|i| start + i) {
                match at.get(&encoded.row(i)) {
                    Some(slot) => v[*slot] = i as u64,
                    None => {
                        at.insert(encoded.row(i), k.len());
                        k.push(i as u64);
                        v.push(i as u64);
                    }
                }
            }
            start += m.keys().len();
        }
        lengths.push(k.len() - before);
        valid.push(live);
    }
    let keys = arrow::compute::take(&keys, &UInt64Array::from(k), None)?;
    let values = arrow::compute::take(&values, &UInt64Array::from(v), None)?;
    Ok(Arc::new(map(keys, values, lengths, valid)?))
}

macro_rules! doc {
    ($name:literal, $signature:literal, $example:literal) => {
        Doc { name: $name, page: "map", signature: $signature, example: $example }
    };
}

const DOCS: &[Doc] = &[
    doc!("map", "map() -> map\nmap(array(K), array(V)) -> map(K, V)", "map(ARRAY['a'], ARRAY[1]) = {a=1}"),
    doc!(
        "map_concat",
        "map_concat(map(K, V), …) -> map(K, V)",
        "map_concat(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['b'], ARRAY[2])) = {a=1, b=2}"
    ),
    doc!(
        "map_entries",
        "map_entries(map(K, V)) -> array(row(K, V))",
        "map_entries(MAP(ARRAY['a'], ARRAY[1])) = [{a, 1}]"
    ),
    doc!(
        "map_from_entries",
        "map_from_entries(array(row(K, V))) -> map(K, V)",
        "map_from_entries(ARRAY[ROW('a', 1)]) = {a=1}"
    ),
    doc!("map_keys", "map_keys(map(K, V)) -> array(K)", "map_keys(requestparameters)"),
    doc!("map_values", "map_values(map(K, V)) -> array(V)", "map_values(requestparameters)"),
    doc!(
        "multimap_from_entries",
        "multimap_from_entries(array(row(K, V))) -> map(K, array(V))",
        "multimap_from_entries(ARRAY[ROW('a', 1), ROW('a', 2)]) = {a=[1, 2]}"
    ),
];
