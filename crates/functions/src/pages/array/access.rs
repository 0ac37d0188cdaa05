//! `cardinality`, `element_at`, the subscript, `array_last`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, MapArray, UInt64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::ScalarUDF;

use crate::cast::as_text;
use crate::coercion::unify;
use crate::lists::{as_list, bounds};
use crate::rows;
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::text::{Formatter, Style};
use crate::types;

/// What a missing element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Null,
    Error,
}

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        Scalar::new("cardinality", &[&[Param::Map], &[Param::Array]], DataType::Int64, |call| {
            let array = call.array(0)?;
            let (offsets, nulls) = match array.data_type() {
                DataType::Map(_, _) => (array.as_map().offsets().clone(), array.nulls().cloned()),
                _ => (as_list(&array)?.offsets().clone(), array.nulls().cloned()),
            };
            let lengths: Vec<i64> = offsets.lengths().map(|l| l as i64).collect();
            Ok(Arc::new(Int64Array::new(lengths.into(), nulls)))
        })
        .build(),
        access("element_at", Missing::Null),
        access("$subscript", Missing::Error),
        Scalar::with(
            "array_last",
            |t| match t {
                [t] => Some(vec![accept(t, Param::Array)?]),
                _ => None,
            },
            |t, _| Ok(types::element(&t[0]).map_or(DataType::Null, |f| f.data_type().clone())),
            |call| {
                let list = as_list(&call.array(0)?)?;
                let indices: UInt64Array = (0..list.len())
                    .map(|row| {
                        let range = bounds(list.value_offsets(), row);
                        (list.is_valid(row) && !range.is_empty()).then(|| range.end as u64 - 1)
                    })
                    .collect();
                Ok(arrow::compute::take(list.values(), &indices, None)?)
            },
        )
        .build(),
    ]
}

fn access(name: &'static str, missing: Missing) -> ScalarUDF {
    Scalar::with(
        name,
        move |t| {
            let [container, index] = t else { return None };
            match container {
                DataType::Map(_, _) => {
                    let (key, value) = types::entry(container)?;
                    let text = |t: &DataType| types::is_varchar(t) || matches!(t, DataType::Null);
                    // A map is never rebuilt for the encoding of its texts: that would cost more than the look-up.
                    if types::is_varchar(key.data_type()) && text(index) {
                        return Some(vec![container.clone(), DataType::Utf8View]);
                    }
                    let common = unify(key.data_type(), index)?;
                    if common == *key.data_type() {
                        return Some(vec![container.clone(), common]);
                    }
                    Some(vec![types::map_of(common.clone(), value.data_type().clone()), common])
                }
                t if types::is_row(t) && missing == Missing::Error => {
                    Some(vec![t.clone(), accept(index, Param::Bigint)?])
                }
                t => Some(vec![accept(t, Param::Array)?, accept(index, Param::Bigint)?]),
            }
        },
        |t, constants| match &t[0] {
            DataType::Struct(fields) => match constants[1] {
                Some(ScalarValue::Int64(Some(i))) if *i >= 1 && *i as usize <= fields.len() => {
                    Ok(fields[*i as usize - 1].data_type().clone())
                }
                _ => crate::scalar::mismatch("the subscript of a row must be a constant within its fields"),
            },
            t => Ok(types::entry(t)
                .map(|(_, v)| v)
                .or_else(|| types::element(t))
                .map_or(DataType::Null, |f| f.data_type().clone())),
        },
        move |call| {
            let container = call.array(0)?;
            match container.data_type() {
                DataType::Map(_, _) => of_map(&container, call, missing),
                DataType::Struct(_) => field(&container, call),
                _ => of_array(&container, call, missing),
            }
        },
    )
    .build()
}

fn field(row: &ArrayRef, call: &Call<'_>) -> Result<ArrayRef> {
    let Some(ScalarValue::Int64(Some(i))) = call.constant(1) else {
        return crate::scalar::mismatch("the subscript of a row must be a constant");
    };
    let row = row.as_struct();
    let column = row.column(*i as usize - 1);
    let indices: UInt64Array = (0..row.len()).map(|i| row.is_valid(i).then_some(i as u64)).collect();
    Ok(arrow::compute::take(column, &indices, None)?)
}

fn of_array(array: &ArrayRef, call: &Call<'_>, missing: Missing) -> Result<ArrayRef> {
    let list = as_list(array)?;
    let indices = call.array(1)?;
    let indices = indices.as_primitive::<Int64Type>();
    let mut taken = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        if list.is_null(row) || indices.is_null(row) {
            taken.push(None);
            continue;
        }
        let range = bounds(list.value_offsets(), row);
        let (index, length) = (indices.value(row), range.len() as i64);
        if index == 0 {
            return invalid("SQL array indices start at 1");
        }
        if missing == Missing::Error {
            if index < 0 {
                return invalid(format!("Array subscript is negative: {index}"));
            }
            if index > length {
                return invalid(format!(
                    "Array subscript must be less than or equal to array length: {index} > {length}"
                ));
            }
        }
        let at = if index > 0 { index - 1 } else { length + index };
        taken.push((0..length).contains(&at).then(|| range.start as u64 + at as u64));
    }
    Ok(arrow::compute::take(list.values(), &UInt64Array::from(taken), None)?)
}

fn of_map(map: &ArrayRef, call: &Call<'_>, missing: Missing) -> Result<ArrayRef> {
    let map = map.as_map();
    let wanted = call.array(1)?;
    let keys = map.keys();
    // Text is compared as it lies, everything else as encoded bytes.
    let found = match keys.data_type() {
        DataType::Utf8View => {
            let keys = keys.as_string_view();
            find_text(map, &wanted, |i| keys.value(i))
        }
        DataType::Utf8 => {
            let keys = keys.as_string::<i32>();
            find_text(map, &wanted, |i| keys.value(i))
        }
        t if types::is_varchar(t) => {
            let keys = as_text(keys)?;
            let keys = keys.as_string_view();
            find_text(map, &wanted, |i| keys.value(i))
        }
        _ => {
            let (keys, values) = rows::encode_two(keys, &wanted)?;
            find(map, &wanted, |row, i| keys.row(i) == values.row(row))
        }
    };
    if missing == Missing::Error
        && let Some(row) = (0..map.len()).find(|row| found.is_null(*row) && map.is_valid(*row) && wanted.is_valid(*row))
    {
        let mut shown = String::new();
        Formatter::new(&wanted, Style::Result)?.write(row, &mut shown);
        return invalid(format!("Key not present in map: {shown}"));
    }
    Ok(arrow::compute::take(map.values(), &found, None)?)
}

fn find_text<'a>(map: &MapArray, wanted: &ArrayRef, key: impl Fn(usize) -> &'a str) -> UInt64Array {
    let wanted_text = wanted.as_string_view();
    find(map, wanted, |row, i| key(i) == wanted_text.value(row))
}

/// The entry of each row whose key is the wanted one.
fn find(map: &MapArray, wanted: &ArrayRef, same: impl Fn(usize, usize) -> bool) -> UInt64Array {
    let offsets = map.value_offsets();
    (0..map.len())
        .map(|row| {
            if map.is_null(row) || wanted.is_null(row) {
                return None;
            }
            bounds(offsets, row).find(|i| same(row, *i)).map(|i| i as u64)
        })
        .collect()
}
