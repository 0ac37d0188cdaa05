//! One row per group that beats the others, for all groups at once: `max_by`, `min_by` and `any_value`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::{nullif, take};
use arrow::datatypes::DataType;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::extreme::keys;
use super::udaf::Setup;
use crate::columns::Resolved;

pub(super) fn any_types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    Some((vec![t.clone()], t.clone()))
}

pub(super) fn any_state(setup: &Setup) -> Vec<DataType> {
    vec![setup.returns.clone()]
}

pub(super) fn make_any(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Any { value_type: setup.returns.clone(), value: None }))
}

pub(super) fn any_groups(setup: &Setup) -> Option<Box<dyn GroupsAccumulator>> {
    Some(Box::new(Winners::new(&setup.args[0], None, Wins::First).ok()?))
}

pub(super) fn max_by_groups(setup: &Setup) -> Option<Box<dyn GroupsAccumulator>> {
    by_groups(setup, Ordering::Greater)
}

pub(super) fn min_by_groups(setup: &Setup) -> Option<Box<dyn GroupsAccumulator>> {
    by_groups(setup, Ordering::Less)
}

fn by_groups(setup: &Setup, wanted: Ordering) -> Option<Box<dyn GroupsAccumulator>> {
    match &setup.args[..] {
        [x, y] => Some(Box::new(Winners::new(x, Some(y), Wins::Compared(wanted)).ok()?)),
        // The forms with n keep many rows per group.
        _ => None,
    }
}

/// The first value that is not NULL.
#[derive(Debug)]
struct Any {
    value_type: DataType,
    value: Option<ScalarValue>,
}

impl Accumulator for Any {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.value.is_none() {
            let nulls = columns[0].logical_nulls();
            let first = (0..columns[0].len()).find(|row| nulls.as_ref().is_none_or(|n| n.is_valid(*row)));
            self.value = first.map(|row| ScalarValue::try_from_array(&columns[0], row)).transpose()?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value.clone().map_or_else(|| ScalarValue::try_from(&self.value_type), Ok)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.as_ref().map_or(0, ScalarValue::size)
    }
}

/// Which row of a group wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wins {
    First,
    /// The first of those whose key compares so with all others.
    Compared(Ordering),
}

/// The winner of each group, as encoded rows, because they compare without looking at types.
struct Winners {
    wins: Wins,
    value_type: DataType,
    values: RowConverter,
    key_type: DataType,
    /// Converter of the keys, unless a value is its own key.
    keys: Option<RowConverter>,
    held: Vec<Option<Held>>,
    bytes: usize,
}

struct Held {
    key: Option<OwnedRow>,
    value: OwnedRow,
}

impl std::fmt::Debug for Winners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Winners").field("wins", &self.wins).field("groups", &self.held.len()).finish_non_exhaustive()
    }
}

fn converter(t: &DataType) -> Result<RowConverter> {
    Ok(RowConverter::new(vec![SortField::new(t.clone())])?)
}

impl Winners {
    fn new(value: &DataType, key: Option<&DataType>, wins: Wins) -> Result<Self> {
        Ok(Winners {
            wins,
            value_type: value.clone(),
            values: converter(value)?,
            key_type: key.unwrap_or(value).clone(),
            keys: key.map(converter).transpose()?,
            held: vec![],
            bytes: 0,
        })
    }

    /// Columns are the values and, for compared winners, the keys; further ones are of no interest.
    fn offer(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.held.resize_with(total, || None);
        let key_column = match self.wins {
            Wins::First => Arc::clone(&columns[0]),
            Wins::Compared(wanted) => keys(&columns[1], wanted),
        };
        let nulls = key_column.logical_nulls();
        let counts = |row: usize| {
            nulls.as_ref().is_none_or(|n| n.is_valid(row)) && filter.is_none_or(|f| f.is_valid(row) && f.value(row))
        };
        let key_rows = match &mut self.keys {
            Some(keys) => Some(keys.convert_columns(&[Arc::clone(&key_column)])?),
            None => None,
        };
        // Winners of this batch by group; only they are worth encoding.
        let mut winners: Vec<(usize, usize)> = vec![];
        let mut winner_of: Vec<u32> = vec![u32::MAX; total];
        for (row, group) in groups.iter().copied().enumerate() {
            if !counts(row) {
                continue;
            }
            let standing = winner_of[group];
            let better = match (self.wins, &key_rows) {
                (Wins::Compared(wanted), Some(rows)) => {
                    let key = rows.row(row);
                    if standing != u32::MAX {
                        key.cmp(&rows.row(winners[standing as usize].1)) == wanted
                    } else {
                        let held = self.held[group].as_ref().and_then(|held| held.key.as_ref());
                        held.is_none_or(|held| key.cmp(&held.row()) == wanted)
                    }
                }
                _ => standing == u32::MAX && self.held[group].is_none(),
            };
            if better && standing != u32::MAX {
                winners[standing as usize].1 = row;
            } else if better {
                winner_of[group] = winners.len() as u32;
                winners.push((group, row));
            }
        }
        if winners.is_empty() {
            return Ok(());
        }
        let rows = UInt32Array::from_iter_values(winners.iter().map(|(_, row)| *row as u32));
        let values = self.values.convert_columns(&[take(&columns[0], &rows, None)?])?;
        for (i, (group, row)) in winners.into_iter().enumerate() {
            let held = Held { key: key_rows.as_ref().map(|rows| rows.row(row).owned()), value: values.row(i).owned() };
            self.bytes += held.bytes();
            if let Some(before) = self.held[group].replace(held) {
                self.bytes -= before.bytes();
            }
        }
        Ok(())
    }

    /// Takes the winners of the groups that `emit_to` names.
    fn emit(&mut self, emit_to: EmitTo) -> Vec<Option<Held>> {
        let held = emit_to.take_needed(&mut self.held);
        self.bytes -= held.iter().flatten().map(Held::bytes).sum::<usize>();
        held
    }
}

impl Held {
    fn bytes(&self) -> usize {
        let row = |r: &OwnedRow| r.as_ref().len() + size_of::<OwnedRow>();
        row(&self.value) + self.key.as_ref().map_or(0, row)
    }
}

/// A column of the rows that are there, NULL for those that are not.
fn column<'a>(
    converter: &RowConverter,
    rows: impl ExactSizeIterator<Item = Option<&'a OwnedRow>>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let mut present = Vec::with_capacity(rows.len());
    let positions: UInt32Array = rows
        .map(|row| {
            row.map(|row| {
                present.push(row.row());
                present.len() as u32 - 1
            })
        })
        .collect();
    if present.is_empty() {
        return Ok(new_null_array(data_type, positions.len()));
    }
    let column = converter.convert_rows(present)?.swap_remove(0);
    if positions.null_count() == 0 { Ok(column) } else { Ok(take(&column, &positions, None)?) }
}

impl GroupsAccumulator for Winners {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.offer(columns, groups, filter, total)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        // The key of a group without a winner is NULL.
        self.offer(states, groups, None, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let held = self.emit(emit_to);
        column(&self.values, held.iter().map(|h| h.as_ref().map(|h| &h.value)), &self.value_type)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let held = self.emit(emit_to);
        let values = column(&self.values, held.iter().map(|h| h.as_ref().map(|h| &h.value)), &self.value_type)?;
        let Some(keys) = &self.keys else { return Ok(vec![values]) };
        let keys = column(keys, held.iter().map(|h| h.as_ref().and_then(|h| h.key.as_ref())), &self.key_type)?;
        let present: BooleanArray = held.iter().map(|h| Some(h.is_some())).collect();
        Ok(vec![values, keys, Arc::new(present)])
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        // A row that the filter drops gets a NULL key.
        let hidden = |column: &ArrayRef| -> Result<ArrayRef> {
            let Some(filter) = filter else { return Ok(Arc::clone(column)) };
            let dropped: BooleanArray = filter.iter().map(|keep| Some(keep != Some(true))).collect();
            Ok(nullif(column, &dropped)?)
        };
        if self.keys.is_none() {
            return Ok(vec![hidden(&columns[0])?]);
        }
        let keys = hidden(&columns[1])?;
        let nulls = keys.logical_nulls();
        let present: BooleanArray =
            (0..keys.len()).map(|row| Some(nulls.as_ref().is_none_or(|n| n.is_valid(row)))).collect();
        Ok(vec![Arc::clone(&columns[0]), keys, Arc::new(present)])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.held.capacity() * size_of::<Option<Held>>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{AsArray, Float64Array, StringViewArray};

    use super::*;

    fn columns(values: Vec<Option<&str>>, keys: Vec<Option<f64>>) -> Vec<ArrayRef> {
        vec![Arc::new(StringViewArray::from(values)), Arc::new(Float64Array::from(keys))]
    }

    fn setup() -> Setup {
        Setup { args: vec![DataType::Utf8View, DataType::Float64], returns: DataType::Utf8View }
    }

    fn texts(array: &ArrayRef) -> Vec<Option<&str>> {
        array.as_string_view().iter().collect()
    }

    #[test]
    fn the_greatest_key_wins_and_nan_never_does() {
        let mut groups = max_by_groups(&setup()).unwrap();
        let first = columns(vec![Some("a"), Some("b"), Some("x")], vec![Some(1.0), Some(f64::NAN), None]);
        groups.update_batch(&first, &[0, 0, 1], None, 2).unwrap();
        let second = columns(vec![None, Some("c"), Some("d")], vec![Some(3.0), Some(2.0), Some(9.0)]);
        let keep = BooleanArray::from(vec![true, true, false]);
        groups.update_batch(&second, &[0, 0, 1], Some(&keep), 3).unwrap();
        // The winner of the first group has the value NULL; the others have no winner.
        assert_eq!(texts(&groups.evaluate(EmitTo::All).unwrap()), [None, None, None]);
    }

    #[test]
    fn states_compete() {
        let (mut left, right) = (min_by_groups(&setup()).unwrap(), min_by_groups(&setup()).unwrap());
        left.update_batch(&columns(vec![Some("a")], vec![Some(2.0)]), &[0], None, 1).unwrap();
        let rows = columns(vec![Some("b"), Some("c"), Some("d")], vec![Some(1.0), Some(5.0), None]);
        let keep = BooleanArray::from(vec![true, true, true]);
        let states = right.convert_to_state(&rows, Some(&keep)).unwrap();
        left.merge_batch(&states, &[0, 1, 2], 3).unwrap();
        assert_eq!(texts(&left.evaluate(EmitTo::First(1)).unwrap()), [Some("b")]);
        assert_eq!(texts(&left.evaluate(EmitTo::All).unwrap()), [Some("c"), None]);
    }

    #[test]
    fn any_value_is_the_first_that_is_known() {
        let setup = Setup { args: vec![DataType::Utf8View], returns: DataType::Utf8View };
        let mut groups = any_groups(&setup).unwrap();
        let values = columns(vec![None, Some("a"), Some("b")], vec![None; 3]);
        groups.update_batch(&values[..1], &[0, 0, 0], None, 2).unwrap();
        assert_eq!(texts(&groups.evaluate(EmitTo::All).unwrap()), [Some("a"), None]);
    }
}
