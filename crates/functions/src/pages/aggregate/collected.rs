//! Rows kept until the end: for `DISTINCT`, for `ORDER BY` within a call, and for window frames that slide.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StructArray, UInt32Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortColumn, SortOptions, filter, lexsort_to_indices, take, take_arrays};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use datafusion_common::{HashSet, Result, ScalarValue};
use datafusion_expr::Accumulator;

use super::udaf::{Make, Setup};
use crate::runs::Runs;

/// The state type of rows with these columns.
pub(super) fn collected_type(columns: impl IntoIterator<Item = DataType>) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields(columns)), true)))
}

fn fields(columns: impl IntoIterator<Item = DataType>) -> Fields {
    columns.into_iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t, true)).collect()
}

/// Keeps the rows of one group, and hands them to the function in order and without duplicates at the end. They are
/// kept encoded, because slices of columns would keep whole batches in memory, once for every group.
pub(super) struct Collected {
    setup: Setup,
    make: Make,
    order: Vec<SortOptions>,
    types: Vec<DataType>,
    converter: RowConverter,
    rows: Rows,
    seen: Option<(RowConverter, HashSet<OwnedRow>)>,
}

impl Collected {
    pub(super) fn new(setup: Setup, make: Make, order: Vec<(DataType, SortOptions)>, distinct: bool) -> Result<Self> {
        let types: Vec<_> = setup.args.iter().chain(order.iter().map(|(t, _)| t)).cloned().collect();
        let seen = if distinct { Some((converter(&setup.args)?, HashSet::new())) } else { None };
        let order = order.into_iter().map(|(_, options)| options).collect();
        let converter = converter(&types)?;
        let rows = converter.empty_rows(0, 0);
        Ok(Collected { setup, make, order, types, converter, rows, seen })
    }

    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some((converter, seen)) = &mut self.seen else {
            return Ok(self.converter.append(&mut self.rows, columns)?);
        };
        let args = self.setup.args.len();
        let rows = columns.first().map_or(0, Array::len);
        // Like rows stand together; of each run the first row is enough.
        let starts: UInt32Array = Runs::of(&columns[..args], rows).starts().map(|row| Some(row as u32)).collect();
        let columns = if starts.len() < rows { take_arrays(columns, &starts, None)? } else { columns.to_vec() };
        let rows = converter.convert_columns(&columns[..args])?;
        let new: BooleanArray = rows.iter().map(|row| Some(seen.insert(row.owned()))).collect();
        let columns = columns.iter().map(|c| filter(c, &new)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.converter.append(&mut self.rows, &columns)?)
    }

    /// All rows, column by column.
    fn columns(&self) -> Result<Vec<ArrayRef>> {
        if self.rows.num_rows() == 0 {
            return Ok(self.types.iter().map(new_empty_array).collect());
        }
        Ok(self.converter.convert_rows(self.rows.iter())?)
    }
}

fn converter(types: &[DataType]) -> Result<RowConverter> {
    Ok(RowConverter::new(types.iter().map(|t| SortField::new(t.clone())).collect())?)
}

impl std::fmt::Debug for Collected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collected").field("types", &self.types).finish_non_exhaustive()
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.push(&values[..self.types.len()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut columns = self.columns()?;
        let keys = columns.split_off(self.setup.args.len());
        if !keys.is_empty() {
            let keys = keys.into_iter().zip(&self.order);
            let keys: Vec<_> = keys.map(|(values, options)| SortColumn { values, options: Some(*options) }).collect();
            let order = lexsort_to_indices(&keys, None)?;
            columns = columns.iter().map(|c| take(c, &order, None)).collect::<Result<_, _>>()?;
        }
        let mut function = (self.make)(&self.setup)?;
        function.update_batch(&columns)?;
        function.evaluate()
    }

    fn size(&self) -> usize {
        let seen = self.seen.as_ref().map_or(0, |(_, seen)| seen.iter().map(|r| r.as_ref().len() + 48).sum());
        size_of_val(self) + self.rows.size() + seen
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = self.columns()?;
        let rows = columns.first().map_or(0, arrow::array::Array::len);
        let structs = StructArray::try_new_with_length(fields(self.types.iter().cloned()), columns, None, rows)?;
        let item = Arc::new(Field::new_list_field(structs.data_type().clone(), true));
        let list = ListArray::try_new(item, OffsetBuffer::from_lengths([rows]), Arc::new(structs), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for rows in states[0].as_list::<i32>().iter().flatten() {
            self.push(rows.as_struct().columns())?;
        }
        Ok(())
    }
}

/// Computes a function anew for every position of a frame, for functions that cannot take rows back.
pub(super) struct Sliding {
    setup: Setup,
    make: Make,
    distinct: bool,
    frame: VecDeque<Vec<ArrayRef>>,
}

impl Sliding {
    pub(super) fn new(setup: Setup, make: Make, distinct: bool) -> Self {
        Sliding { setup, make, distinct, frame: VecDeque::new() }
    }
}

impl std::fmt::Debug for Sliding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sliding").field("args", &self.setup.args).finish_non_exhaustive()
    }
}

impl Accumulator for Sliding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.first().is_some_and(|v| !v.is_empty()) {
            self.frame.push_back(values.to_vec());
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut gone = values.first().map_or(0, arrow::array::Array::len);
        while gone > 0 {
            let Some(oldest) = self.frame.front_mut() else {
                break;
            };
            let rows = oldest[0].len();
            if rows <= gone {
                self.frame.pop_front();
                gone -= rows;
            } else {
                for column in oldest.iter_mut() {
                    *column = column.slice(gone, rows - gone);
                }
                gone = 0;
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut function: Box<dyn Accumulator> = if self.distinct {
            Box::new(Collected::new(self.setup.clone(), self.make, vec![], true)?)
        } else {
            (self.make)(&self.setup)?
        };
        for batch in &self.frame {
            function.update_batch(batch)?;
        }
        function.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.frame.iter().flatten().map(arrow::array::Array::get_array_memory_size).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        datafusion_common::internal_err!("window frames have no partial states")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        datafusion_common::internal_err!("window frames have no partial states")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Int64Array, StringViewArray};

    use super::super::listagg;
    use super::*;

    fn columns(values: &[&str], keys: &[i64]) -> Vec<ArrayRef> {
        let separator = StringViewArray::from(vec![","; values.len()]);
        vec![
            Arc::new(StringViewArray::from(values.to_vec())),
            Arc::new(separator),
            Arc::new(Int64Array::from(keys.to_vec())),
        ]
    }

    fn setup() -> Setup {
        Setup { args: vec![DataType::Utf8View; 2], returns: DataType::Utf8View }
    }

    fn collected(distinct: bool) -> Collected {
        let descending = SortOptions { descending: true, nulls_first: false };
        Collected::new(setup(), listagg::make, vec![(DataType::Int64, descending)], distinct).unwrap()
    }

    fn text(value: &ScalarValue) -> String {
        value.try_as_str().unwrap().unwrap().to_owned()
    }

    #[test]
    fn partial_states_are_ordered_together() {
        let (mut left, mut right) = (collected(false), collected(false));
        left.update_batch(&columns(&["b", "d"], &[2, 4])).unwrap();
        right.update_batch(&columns(&["a", "c"], &[1, 3])).unwrap();
        let states: Vec<_> = right.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
        left.merge_batch(&states).unwrap();
        assert_eq!(text(&left.evaluate().unwrap()), "d,c,b,a");
    }

    #[test]
    fn duplicates_count_once_across_batches() {
        let mut distinct = collected(true);
        distinct.update_batch(&columns(&["a", "b", "a"], &[1, 2, 1])).unwrap();
        distinct.update_batch(&columns(&["b", "c"], &[2, 3])).unwrap();
        assert_eq!(text(&distinct.evaluate().unwrap()), "c,b,a");
    }

    #[test]
    fn frames_forget_what_left_them() {
        let mut frame = Sliding::new(setup(), listagg::make, false);
        frame.update_batch(&columns(&["a", "b", "c"], &[0; 3])[..2]).unwrap();
        frame.update_batch(&columns(&["d"], &[0])[..2]).unwrap();
        frame.retract_batch(&columns(&["a", "b"], &[0; 2])[..2]).unwrap();
        assert_eq!(text(&frame.evaluate().unwrap()), "c,d");
        frame.retract_batch(&columns(&["c", "d"], &[0; 2])[..2]).unwrap();
        assert!(frame.evaluate().unwrap().is_null());
    }
}
