//! `TRY(x)`, lowered to `"$try"(() -> x)`: NULL for the rows in which x fails.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, new_null_array};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::HigherOrderUDF;

use crate::higher::{Call, Higher};

pub(super) fn function() -> HigherOrderUDF {
    Higher::new(
        "$try",
        1..=1,
        |t| t.is_empty().then(Vec::new),
        |_| vec![Some(Vec::new())],
        |_, l| Ok(l[0].clone()),
        |call| {
            let mut parts = Vec::new();
            attempt(call, 0..call.rows, &mut parts)?;
            let refs: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            match refs.as_slice() {
                [] => Ok(new_null_array(call.return_type, 0)),
                [_] => Ok(parts.swap_remove(0)),
                _ => Ok(arrow::compute::concat(&refs)?),
            }
        },
    )
    .build()
}

/// Evaluates a run of rows; a run that fails is halved until the rows that fail are alone.
fn attempt(call: &Call<'_>, rows: Range<usize>, parts: &mut Vec<ArrayRef>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let indices: Vec<u32> = rows.clone().map(|row| row as u32).collect();
    match call.evaluate(0, &[], &indices) {
        Ok(values) => parts.push(values),
        Err(e) if !is_caught(&e) => return Err(e),
        Err(_) if rows.len() == 1 => parts.push(new_null_array(call.result(0), 1)),
        Err(_) => {
            let middle = rows.start + rows.len() / 2;
            attempt(call, rows.start..middle, parts)?;
            attempt(call, middle..rows.end, parts)?;
        }
    }
    Ok(())
}

/// Failures of values are caught; those of the query (memory, plans, I/O) are not.
fn is_caught(e: &DataFusionError) -> bool {
    matches!(e.find_root(), DataFusionError::Execution(_) | DataFusionError::ArrowError(_, _))
}
