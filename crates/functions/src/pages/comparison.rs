//! Trino's page `comparison`. The operators themselves (`BETWEEN`, `IS DISTINCT FROM`, …) are DataFusion's.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, make_comparator};
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit};
use datafusion_common::Result;
use datafusion_expr::type_coercion::binary::type_union_resolution;

use crate::columns::{Call, Resolved, Scalar, Types};
use crate::types::is_varchar;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let scalars = vec![
        Scalar::new("greatest", Types::Rule(types), |call| extreme(call, Ordering::Greater)).into(),
        Scalar::new("least", Types::Rule(types), |call| extreme(call, Ordering::Less)).into(),
    ];
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

fn types(actual: &[DataType]) -> Option<Resolved> {
    let first = actual.first()?;
    let common = if actual.iter().all(|t| t == first) {
        first.clone()
    } else {
        if let Some(t) = timestamp(actual) {
            return Some((vec![t.clone(); actual.len()], t));
        }
        let numbers = actual.iter().skip(1).try_fold(first.clone(), |t, next| super::math::widest(&t, next));
        // Numbers and texts have no order in common, though DataFusion would find one.
        let refused = actual.iter().any(DataType::is_numeric) && actual.iter().any(is_varchar);
        numbers.or_else(|| type_union_resolution(actual).filter(|_| !refused))?
    };
    Some((vec![common.clone(); actual.len()], common))
}

/// The finest of several timestamp types, in the zone of the first that has one.
fn timestamp(actual: &[DataType]) -> Option<DataType> {
    let mut finest = TimeUnit::Second;
    let mut zone = None;
    for t in actual {
        match t {
            DataType::Timestamp(unit, z) => {
                finest = finest.max(*unit);
                zone = zone.or_else(|| z.clone());
            }
            DataType::Null => {}
            _ => return None,
        }
    }
    Some(DataType::Timestamp(finest, zone))
}

/// The argument that comes first in the given direction; NULL as soon as one of them is NULL.
fn extreme(call: &Call, wanted: Ordering) -> Result<ArrayRef> {
    let columns = (0..call.len()).map(|i| call.expanded(i)).collect::<Result<Vec<_>>>()?;
    let nulls: Vec<_> = columns.iter().map(arrow::array::Array::logical_nulls).collect();
    let is_null = |column: usize, row: usize| nulls[column].as_ref().is_some_and(|n| n.is_null(row));
    let mut best: Vec<(usize, usize)> = (0..call.rows).map(|row| (0, row)).collect();
    let mut unknown: Vec<bool> = (0..call.rows).map(|row| is_null(0, row)).collect();
    for candidate in 1..columns.len() {
        // Rows hold the best of earlier columns, any of which may be compared with this one.
        let against = (0..candidate)
            .map(|earlier| make_comparator(&columns[candidate], &columns[earlier], SortOptions::default()))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..call.rows {
            if unknown[row] || is_null(candidate, row) {
                unknown[row] = true;
                continue;
            }
            let (holder, _) = best[row];
            // NaN is in the way of neither: another number wins.
            let better = match (is_nan(&columns[candidate], row), is_nan(&columns[holder], row)) {
                (true, _) => false,
                (false, true) => true,
                (false, false) => against[holder](row, row) == wanted,
            };
            if better {
                best[row] = (candidate, row);
            }
        }
    }
    let arrays: Vec<&dyn Array> = columns.iter().map(std::convert::AsRef::as_ref).collect();
    let found = interleave(&arrays, &best)?;
    let unknown = arrow::array::BooleanArray::from(unknown);
    Ok(arrow::compute::nullif(&found, &unknown)?)
}

fn is_nan(column: &ArrayRef, row: usize) -> bool {
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).is_nan(),
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).is_nan(),
        _ => false,
    }
}

const DOCS: &[Doc] = &[
    doc("greatest", "greatest(value1, value2, ..., valueN) -> [same as input]", "greatest(1, 3, 2) = 3"),
    doc("least", "least(value1, value2, ..., valueN) -> [same as input]", "least(1, 3, 2) = 1"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "comparison", signature, example }
}
