//! Maps: building them, and refusing those that hold a key twice.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, MapArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use datafusion_common::{Result, internal_err};

use crate::lists::bounds;
use crate::rows;
use crate::scalar::invalid;
use crate::types;

/// Whether some map of the array holds a key twice.
pub(crate) fn has_duplicate_keys(map: &MapArray) -> Result<bool> {
    let keys = rows::encode(map.keys())?;
    let offsets = map.value_offsets();
    let mut seen = HashSet::new();
    for row in 0..map.len() {
        let range = bounds(offsets, row);
        if range.len() < 2 {
            continue;
        }
        seen.clear();
        for i in range {
            if !seen.insert(keys.row(i)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A map from keys and values, split by lengths.
pub(crate) fn map(keys: ArrayRef, values: ArrayRef, lengths: Vec<usize>, valid: Vec<bool>) -> Result<MapArray> {
    let DataType::Map(field, sorted) = types::map_of(keys.data_type().clone(), values.data_type().clone()) else {
        return internal_err!("map_of makes a map type");
    };
    let DataType::Struct(fields) = field.data_type() else {
        return internal_err!("a map's entries are a struct");
    };
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
    Ok(MapArray::try_new(field, OffsetBuffer::from_lengths(lengths), entries, nulls, sorted)?)
}

/// A map whose keys are checked: `INVALID_FUNCTION_ARGUMENT` for NULL keys and for keys that occur twice.
pub(crate) fn checked_map(keys: ArrayRef, values: ArrayRef, lengths: Vec<usize>, valid: Vec<bool>) -> Result<MapArray> {
    if keys.logical_null_count() > 0 {
        return invalid("map key cannot be null");
    }
    let map = map(keys, values, lengths, valid)?;
    if has_duplicate_keys(&map)? {
        return invalid("Duplicate map keys are not allowed");
    }
    Ok(map)
}
