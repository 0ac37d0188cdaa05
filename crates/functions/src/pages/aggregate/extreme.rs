//! `max_by`, `min_by`, and the `n` largest or smallest values.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, make_comparator};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;

use super::udaf::Setup;
use crate::columns::{Resolved, invalid};
use crate::types::array_of;

/// Trino's bound on how many values the `n` forms keep.
const MOST_KEPT: i64 = 10_000;

pub(super) fn by_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [x, y] => Some((vec![x.clone(), y.clone()], x.clone())),
        [x, y, n] if n.is_integer() => Some((vec![x.clone(), y.clone(), DataType::Int64], array_of(x.clone()))),
        _ => None,
    }
}

pub(super) fn by_state(setup: &Setup) -> Vec<DataType> {
    match &setup.args[..] {
        [x, y] => vec![x.clone(), y.clone(), DataType::Boolean],
        [x, y, ..] => vec![array_of(x.clone()), array_of(y.clone()), DataType::Int64],
        _ => vec![],
    }
}

pub(super) fn make_max_by(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    make_by(setup, Ordering::Greater)
}

pub(super) fn make_min_by(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    make_by(setup, Ordering::Less)
}

fn make_by(setup: &Setup, wanted: Ordering) -> Result<Box<dyn Accumulator>> {
    match &setup.args[..] {
        [x, _] => Ok(Box::new(By { wanted, x: x.clone(), y: setup.args[1].clone(), held: None })),
        [x, y, ..] => Ok(Box::new(Top::new(x.clone(), Some(y.clone()), wanted)?)),
        _ => datafusion_common::internal_err!("max_by takes a value and a key"),
    }
}

/// The forms `max(x, n)` and `min(x, n)`.
pub(super) fn n_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [x, n] if n.is_integer() => Some((vec![x.clone(), DataType::Int64], array_of(x.clone()))),
        _ => None,
    }
}

pub(super) fn n_state(setup: &Setup) -> Vec<DataType> {
    vec![array_of(setup.args[0].clone()), DataType::Int64]
}

pub(super) fn make_max_n(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Top::new(setup.args[0].clone(), None, Ordering::Greater)?))
}

pub(super) fn make_min_n(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Top::new(setup.args[0].clone(), None, Ordering::Less)?))
}

/// Keys such that NaN never wins against a number. In Arrow's order it is greater than all numbers, and its
/// negative less than all.
pub(super) fn keys(y: &ArrayRef, wanted: Ordering) -> ArrayRef {
    match y.data_type() {
        DataType::Float64 if wanted == Ordering::Greater => Arc::new(
            y.as_primitive::<Float64Type>().unary::<_, Float64Type>(|v| if v.is_nan() { -f64::NAN.abs() } else { v }),
        ),
        DataType::Float32 if wanted == Ordering::Greater => Arc::new(
            y.as_primitive::<Float32Type>().unary::<_, Float32Type>(|v| if v.is_nan() { -f32::NAN.abs() } else { v }),
        ),
        _ => Arc::clone(y),
    }
}

/// The value beside the best key so far; the first of several best.
#[derive(Debug)]
struct By {
    wanted: Ordering,
    x: DataType,
    y: DataType,
    /// Value and key, as columns of one row.
    held: Option<(ArrayRef, ArrayRef)>,
}

impl By {
    /// Takes the best of a batch if it beats what is held.
    fn offer(&mut self, x: &ArrayRef, y: &ArrayRef) -> Result<()> {
        let y = keys(y, self.wanted);
        let nulls = y.logical_nulls();
        let mut known = (0..y.len()).filter(|row| nulls.as_ref().is_none_or(|n| n.is_valid(*row)));
        let Some(mut best) = known.next() else {
            return Ok(());
        };
        let compare = make_comparator(&y, &y, SortOptions::default())?;
        for row in known {
            if compare(row, best) == self.wanted {
                best = row;
            }
        }
        let better = match &self.held {
            Some((_, held)) => make_comparator(&y, held, SortOptions::default())?(best, 0) == self.wanted,
            None => true,
        };
        if better {
            // Copied, because a slice would keep the whole batch in memory.
            let row = arrow::array::UInt32Array::from(vec![best as u32]);
            self.held = Some((take(x, &row, None)?, take(&y, &row, None)?));
        }
        Ok(())
    }
}

impl Accumulator for By {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.offer(&values[0], &values[1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        // The key of a state that holds nothing is NULL.
        self.offer(&states[0], &states[1])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match &self.held {
            Some((x, _)) => ScalarValue::try_from_array(x, 0),
            None => ScalarValue::try_from(&self.x),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (x, y) = match &self.held {
            Some((x, y)) => (ScalarValue::try_from_array(x, 0)?, ScalarValue::try_from_array(y, 0)?),
            None => (ScalarValue::try_from(&self.x)?, ScalarValue::try_from(&self.y)?),
        };
        Ok(vec![x, y, ScalarValue::Boolean(Some(self.held.is_some()))])
    }

    fn size(&self) -> usize {
        let held = self.held.as_ref().map_or(0, |(x, y)| x.get_array_memory_size() + y.get_array_memory_size());
        size_of_val(self) + held
    }
}

/// Types of the forms with one argument that is computed here: floating-point numbers, for DataFusion's own take NaN
/// for the greatest.
pub(super) fn float_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [DataType::Float32 | DataType::Float64] => Some((actual.to_vec(), actual[0].clone())),
        _ => None,
    }
}

pub(super) fn float_state(setup: &Setup) -> Vec<DataType> {
    vec![setup.returns.clone()]
}

pub(super) fn make_max_float(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Itself(By {
        wanted: Ordering::Greater,
        x: setup.returns.clone(),
        y: setup.returns.clone(),
        held: None,
    })))
}

pub(super) fn make_min_float(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Itself(By { wanted: Ordering::Less, x: setup.returns.clone(), y: setup.returns.clone(), held: None })))
}

/// The best key itself.
#[derive(Debug)]
struct Itself(By);

impl Accumulator for Itself {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.offer(&values[0], &values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.offer(&states[0], &states[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.0.evaluate()?])
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

/// The `n` best values, or the values beside the `n` best keys.
struct Top {
    wanted: Ordering,
    values: RowConverter,
    value_type: DataType,
    /// The converter of the keys and their type, where they are not the values themselves.
    keys: Option<(RowConverter, DataType)>,
    kept: BinaryHeap<Entry>,
    n: Option<usize>,
    arrived: u64,
}

/// Sorted so that the worst entry is the greatest, which is what a heap gives up first.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    key: OwnedRow,
    arrived: u64,
    value: Option<OwnedRow>,
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(self.arrived.cmp(&other.arrived))
    }
}

impl std::fmt::Debug for Top {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Top").field("n", &self.n).field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Top {
    fn new(value_type: DataType, key_type: Option<DataType>, wanted: Ordering) -> Result<Self> {
        // Encoded so that better keys come first.
        let order = SortOptions { descending: wanted == Ordering::Greater, nulls_first: false };
        let ranked = |t: &DataType| RowConverter::new(vec![SortField::new_with_options(t.clone(), order)]);
        let (values, keys) = match key_type {
            Some(t) => (RowConverter::new(vec![SortField::new(value_type.clone())])?, Some((ranked(&t)?, t))),
            None => (ranked(&value_type)?, None),
        };
        Ok(Top { wanted, values, value_type, keys, kept: BinaryHeap::new(), n: None, arrived: 0 })
    }

    fn size_wanted(&mut self, n: Option<i64>) -> Result<usize> {
        if let Some(n) = self.n {
            return Ok(n);
        }
        match n {
            Some(n @ 1..=MOST_KEPT) => Ok(*self.n.insert(n as usize)),
            Some(n) => {
                Err(invalid(format!("the number of values to keep must be in the range [1..{MOST_KEPT}], not {n}")))
            }
            None => Err(invalid("the number of values to keep must not be NULL")),
        }
    }

    fn offer(&mut self, x: &ArrayRef, y: Option<&ArrayRef>) -> Result<()> {
        let Some(n) = self.n else { return Ok(()) };
        let key_column = keys(y.unwrap_or(x), self.wanted);
        let (key_rows, value_rows) = match &mut self.keys {
            Some((converter, _)) => {
                let keys = converter.convert_columns(&[Arc::clone(&key_column)])?;
                (keys, Some(self.values.convert_columns(&[Arc::clone(x)])?))
            }
            None => (self.values.convert_columns(&[Arc::clone(&key_column)])?, None),
        };
        let nulls = key_column.logical_nulls();
        for row in 0..key_column.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let key = key_rows.row(row);
            if self.kept.len() >= n && self.kept.peek().is_some_and(|worst| key >= worst.key.row()) {
                continue;
            }
            self.arrived += 1;
            self.kept.push(Entry {
                key: key.owned(),
                arrived: self.arrived,
                value: value_rows.as_ref().map(|rows| rows.row(row).owned()),
            });
            if self.kept.len() > n {
                self.kept.pop();
            }
        }
        Ok(())
    }

    /// Values and keys, the best first.
    fn sorted(&self) -> Result<(ArrayRef, Option<ArrayRef>)> {
        let mut entries: Vec<&Entry> = self.kept.iter().collect();
        entries.sort();
        let column = |converter: &RowConverter, rows: Vec<&OwnedRow>, t: &DataType| -> Result<ArrayRef> {
            if rows.is_empty() {
                return Ok(arrow::array::new_empty_array(t));
            }
            Ok(converter.convert_rows(rows.into_iter().map(|r| r.row()))?.swap_remove(0))
        };
        let keys: Vec<_> = entries.iter().map(|e| &e.key).collect();
        match &self.keys {
            Some((converter, t)) => {
                let values = entries.iter().filter_map(|e| e.value.as_ref()).collect();
                Ok((column(&self.values, values, &self.value_type)?, Some(column(converter, keys, t)?)))
            }
            None => Ok((column(&self.values, keys, &self.value_type)?, None)),
        }
    }
}

/// A list of one row that holds all of `items`.
pub(super) fn as_list(items: ArrayRef) -> Result<ScalarValue> {
    let item = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let list = ListArray::try_new(item, OffsetBuffer::from_lengths([items.len()]), items, None)?;
    Ok(ScalarValue::List(Arc::new(list)))
}

impl Accumulator for Top {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values[0].is_empty() {
            return Ok(());
        }
        let n = values[values.len() - 1].as_primitive::<Int64Type>();
        self.size_wanted(n.is_valid(0).then(|| n.value(0)))?;
        self.offer(&values[0], self.keys.is_some().then(|| &values[1]))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let n = states[states.len() - 1].as_primitive::<Int64Type>();
        let values = states[0].as_list::<i32>();
        for row in 0..values.len() {
            if values.is_null(row) || n.is_null(row) {
                continue;
            }
            self.size_wanted(Some(n.value(row)))?;
            let keys = self.keys.is_some().then(|| states[1].as_list::<i32>().value(row));
            self.offer(&values.value(row), keys.as_ref())?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.kept.is_empty() {
            return ScalarValue::try_from(&array_of(self.value_type.clone()));
        }
        as_list(self.sorted()?.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (values, keys) = self.sorted()?;
        let mut state = vec![as_list(values)?];
        if let Some(keys) = keys {
            state.push(as_list(keys)?);
        }
        state.push(ScalarValue::Int64(self.n.map(|n| n as i64)));
        Ok(state)
    }

    fn size(&self) -> usize {
        let row = |r: &OwnedRow| r.as_ref().len() + 64;
        size_of_val(self) + self.kept.iter().map(|e| row(&e.key) + e.value.as_ref().map_or(0, row)).sum::<usize>()
    }
}
