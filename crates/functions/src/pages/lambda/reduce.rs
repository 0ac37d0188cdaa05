//! `reduce`: all rows take one step at a time, so that the lambda sees a batch and not a value.

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{HigherOrderUDF, ValueOrLambda};

use super::array::element;
use crate::coercion::unify;
use crate::higher::{Call, Higher};
use crate::lists::{as_list, bounds};
use crate::scalar::{Param, accept};

pub(super) fn function() -> HigherOrderUDF {
    Higher::new(
        "reduce",
        2..=2,
        |t| match t {
            [a, s] => Some(vec![accept(a, Param::Array)?, s.clone()]),
            _ => None,
        },
        |known| {
            let [_, ValueOrLambda::Value(initial), ValueOrLambda::Lambda(step), ..] = known else {
                return vec![None, None];
            };
            let state = state(initial, step.as_ref());
            let finish = step.as_ref().map(|_| vec![state.clone()]);
            vec![Some(vec![state, element(known, 0)]), finish]
        },
        |_, l| match l {
            [_, result] => Ok(result.clone()),
            _ => plan_err!("FUNCTION_NOT_FOUND: Unexpected parameters for function reduce"),
        },
        reduce,
    )
    .settle(|fields| match fields {
        [ValueOrLambda::Value(a), ValueOrLambda::Value(initial), ValueOrLambda::Lambda(step), ..] => {
            Some(vec![a.clone(), state(initial, Some(step))])
        }
        _ => None,
    })
    .build()
}

/// The state holds the initial value as well as what the lambda makes of it.
fn state(initial: &DataType, step: Option<&DataType>) -> DataType {
    step.and_then(|s| unify(initial, s)).unwrap_or_else(|| initial.clone())
}

fn reduce(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.values[0])?;
    let mut state = call.values[1].clone();
    let length = |row: usize| if list.is_valid(row) { bounds(list.value_offsets(), row).len() } else { 0 };
    let longest = (0..list.len()).map(length).max().unwrap_or(0);
    for n in 0..longest {
        let active: Vec<u32> = (0..list.len()).filter(|row| n < length(*row)).map(|row| row as u32).collect();
        let at: UInt64Array =
            active.iter().map(|row| Some((bounds(list.value_offsets(), *row as usize).start + n) as u64)).collect();
        let rows: UInt64Array = active.iter().map(|row| Some(u64::from(*row))).collect();
        let values = arrow::compute::take(list.values(), &at, None)?;
        let current = arrow::compute::take(&state, &rows, None)?;
        let next = call.evaluate(0, &[current, values], &active)?;
        let next =
            if next.data_type() == state.data_type() { next } else { arrow::compute::cast(&next, state.data_type())? };
        let mut picks: Vec<(usize, usize)> = (0..list.len()).map(|row| (0, row)).collect();
        for (i, row) in active.iter().enumerate() {
            picks[*row as usize] = (1, i);
        }
        state = arrow::compute::interleave(&[state.as_ref(), next.as_ref()], &picks)?;
    }
    let all: Vec<u32> = (0..list.len() as u32).collect();
    let result = call.evaluate(1, &[state], &all)?;
    if list.null_count() == 0 {
        return Ok(result);
    }
    let live: UInt64Array = (0..list.len()).map(|row| list.is_valid(row).then_some(row as u64)).collect();
    Ok(arrow::compute::take(&result, &live, None)?)
}
