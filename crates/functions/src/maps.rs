//! Maps: building them, and refusing those that hold a key twice.

use std::collections::HashSet;

use arrow::array::{Array, MapArray};
use datafusion_common::Result;

use crate::lists::bounds;
use crate::rows;

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
