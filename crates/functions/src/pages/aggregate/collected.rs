//! Rows kept until the end: for `DISTINCT`, for `ORDER BY` within a call, and for window frames that slide.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StructArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortColumn, SortOptions, concat, filter, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;

use super::udaf::{Make, Setup};

/// The state type of rows with these columns.
pub(super) fn collected_type(columns: impl IntoIterator<Item = DataType>) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields(columns)), true)))
}

fn fields(columns: impl IntoIterator<Item = DataType>) -> Fields {
    columns.into_iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t, true)).collect()
}

/// Keeps the rows of one group, and hands them to the function in order and without duplicates at the end.
pub(super) struct Collected {
    setup: Setup,
    make: Make,
    order: Vec<SortOptions>,
    types: Vec<DataType>,
    seen: Option<(RowConverter, HashSet<OwnedRow>)>,
    batches: Vec<Vec<ArrayRef>>,
}

impl Collected {
    pub(super) fn new(setup: Setup, make: Make, order: Vec<(DataType, SortOptions)>, distinct: bool) -> Result<Self> {
        let types = setup.args.iter().chain(order.iter().map(|(t, _)| t)).cloned().collect();
        let seen = if distinct { Some((converter(&setup.args)?, HashSet::new())) } else { None };
        let order = order.into_iter().map(|(_, options)| options).collect();
        Ok(Collected { setup, make, order, types, seen, batches: vec![] })
    }

    fn push(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let Some((converter, seen)) = &mut self.seen else {
            self.batches.push(columns);
            return Ok(());
        };
        let rows = converter.convert_columns(&columns[..self.setup.args.len()])?;
        let new: BooleanArray = rows.iter().map(|row| Some(seen.insert(row.owned()))).collect();
        self.batches.push(columns.iter().map(|c| filter(c, &new)).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// All rows, column by column.
    fn columns(&self) -> Result<Vec<ArrayRef>> {
        let column = |(i, t): (usize, &DataType)| match self.batches.len() {
            0 => Ok(new_empty_array(t)),
            1 => Ok(Arc::clone(&self.batches[0][i])),
            _ => Ok(concat(&self.batches.iter().map(|b| b[i].as_ref()).collect::<Vec<_>>())?),
        };
        self.types.iter().enumerate().map(column).collect()
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
        self.push(values[..self.types.len()].to_vec())
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
        let held: usize = self.batches.iter().flatten().map(arrow::array::Array::get_array_memory_size).sum();
        let seen = self.seen.as_ref().map_or(0, |(_, seen)| seen.iter().map(|r| r.as_ref().len() + 48).sum());
        size_of_val(self) + held + seen
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
            self.push(rows.as_struct().columns().to_vec())?;
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
