//! Maps out of groups: `map_agg`, `map_union`, `multimap_agg`, `histogram` and `approx_most_frequent`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, MapArray, StructArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::Accumulator;

use super::udaf::Setup;
use crate::columns::{Resolved, invalid};
use crate::types::{array_of, entry, map_of};

pub(super) fn map_agg_types(actual: &[DataType]) -> Option<Resolved> {
    let [key, value] = actual else { return None };
    Some((actual.to_vec(), map_of(key.clone(), value.clone())))
}

pub(super) fn multimap_agg_types(actual: &[DataType]) -> Option<Resolved> {
    let [key, value] = actual else { return None };
    Some((actual.to_vec(), map_of(key.clone(), array_of(value.clone()))))
}

pub(super) fn map_union_types(actual: &[DataType]) -> Option<Resolved> {
    let [map] = actual else { return None };
    let (key, value) = entry(map)?;
    let map = map_of(key.data_type().clone(), value.data_type().clone());
    Some((vec![map.clone()], map))
}

pub(super) fn histogram_types(actual: &[DataType]) -> Option<Resolved> {
    let [value] = actual else { return None };
    Some((actual.to_vec(), map_of(value.clone(), DataType::Int64)))
}

pub(super) fn most_frequent_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [buckets, value, capacity] if buckets.is_integer() && capacity.is_integer() => {
            let takes = vec![DataType::Int64, value.clone(), DataType::Int64];
            Some((takes, map_of(value.clone(), DataType::Int64)))
        }
        _ => None,
    }
}

/// The partial state is a map like the result.
pub(super) fn state(setup: &Setup) -> Vec<DataType> {
    vec![setup.returns.clone()]
}

/// The same, with the number of entries wanted.
pub(super) fn most_frequent_state(setup: &Setup) -> Vec<DataType> {
    vec![setup.returns.clone(), DataType::Int64]
}

pub(super) fn make_map_agg(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Entries::new(setup, Values::First)?))
}

pub(super) fn make_multimap_agg(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Entries::new(setup, Values::All)?))
}

pub(super) fn make_histogram(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Counts { counted: Keys::new(&setup.returns)?, counts: vec![], column: 0, most: Most::Everything }))
}

pub(super) fn make_most_frequent(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Counts { counted: Keys::new(&setup.returns)?, counts: vec![], column: 1, most: Most::Unknown }))
}

/// Distinct keys in the order of their first appearance.
struct Keys {
    converter: RowConverter,
    key_type: DataType,
    positions: HashMap<OwnedRow, usize>,
    order: Vec<OwnedRow>,
    bytes: usize,
}

impl Keys {
    fn new(map: &DataType) -> Result<Self> {
        let Some((key, _)) = entry(map) else {
            return internal_err!("{map} is no map");
        };
        let key_type = key.data_type().clone();
        let converter = RowConverter::new(vec![SortField::new(key_type.clone())])?;
        Ok(Keys { converter, key_type, positions: HashMap::new(), order: vec![], bytes: 0 })
    }

    /// Calls `each` with every row whose key is not NULL, the position of its key, and whether the key is new.
    fn visit(&mut self, keys: &ArrayRef, mut each: impl FnMut(usize, usize, bool)) -> Result<()> {
        let rows = self.converter.convert_columns(&[Arc::clone(keys)])?;
        let nulls = keys.logical_nulls();
        for (i, row) in rows.iter().enumerate() {
            if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
                continue;
            }
            let row = row.owned();
            match self.positions.get(&row) {
                Some(position) => each(i, *position, false),
                None => {
                    let position = self.order.len();
                    self.bytes += 2 * row.as_ref().len() + 128;
                    self.order.push(row.clone());
                    self.positions.insert(row, position);
                    each(i, position, true);
                }
            }
        }
        Ok(())
    }

    fn column<'a>(&self, positions: impl Iterator<Item = &'a OwnedRow>) -> Result<ArrayRef> {
        columns_of(&self.converter, positions, &self.key_type)
    }
}

fn columns_of<'a>(
    converter: &RowConverter,
    rows: impl Iterator<Item = &'a OwnedRow>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(new_empty_array(data_type));
    }
    Ok(converter.convert_rows(rows.map(OwnedRow::row))?.swap_remove(0))
}

/// A map of one row.
fn as_map(map: &DataType, keys: ArrayRef, values: ArrayRef) -> Result<ScalarValue> {
    let DataType::Map(entries, sorted) = map else {
        return internal_err!("{map} is no map");
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return internal_err!("{map} has no entries");
    };
    let offsets = OffsetBuffer::from_lengths([keys.len()]);
    let structs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let map = MapArray::try_new(Arc::clone(entries), offsets, structs, None, *sorted)?;
    Ok(ScalarValue::Map(Arc::new(map)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// The first value of a key stays.
    First,
    /// All values of a key, in a list.
    All,
}

/// Keys with their values.
struct Entries {
    keep: Values,
    returns: DataType,
    keys: Keys,
    converter: RowConverter,
    value_type: DataType,
    values: Vec<Vec<OwnedRow>>,
    bytes: usize,
}

impl Entries {
    fn new(setup: &Setup, keep: Values) -> Result<Self> {
        let value_type = match (entry(&setup.returns), keep) {
            (Some((_, value)), Values::First) => value.data_type().clone(),
            (Some((_, values)), Values::All) => match values.data_type() {
                DataType::List(item) => item.data_type().clone(),
                t => return internal_err!("{t} is no list of values"),
            },
            (None, _) => return internal_err!("{} is no map", setup.returns),
        };
        let converter = RowConverter::new(vec![SortField::new(value_type.clone())])?;
        let keys = Keys::new(&setup.returns)?;
        Ok(Entries { keep, returns: setup.returns.clone(), keys, converter, value_type, values: vec![], bytes: 0 })
    }

    fn add(&mut self, keys: &ArrayRef, values: &ArrayRef) -> Result<()> {
        let rows = self.converter.convert_columns(&[Arc::clone(values)])?;
        let (stored, keep, bytes) = (&mut self.values, self.keep, &mut self.bytes);
        self.keys.visit(keys, |row, position, new| {
            if new {
                stored.push(vec![]);
            }
            if new || keep == Values::All {
                let value = rows.row(row).owned();
                *bytes += value.as_ref().len() + 48;
                stored[position].push(value);
            }
        })
    }

    fn add_map(&mut self, keys: &ArrayRef, values: &ArrayRef) -> Result<()> {
        if self.keep == Values::First {
            return self.add(keys, values);
        }
        // The lists of a partial state, one value per row.
        let lists = values.as_list::<i32>();
        for row in 0..keys.len() {
            let items = lists.value(row);
            let key = arrow::array::UInt32Array::from(vec![row as u32; items.len()]);
            self.add(&arrow::compute::take(keys, &key, None)?, &items)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("keep", &self.keep).field("keys", &self.values.len()).finish_non_exhaustive()
    }
}

impl Accumulator for Entries {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        match columns {
            [keys, values] => self.add(keys, values),
            _ => self.merge_batch(columns),
        }
    }

    fn merge_batch(&mut self, maps: &[ArrayRef]) -> Result<()> {
        for map in maps[0].as_map().iter().flatten() {
            self.add_map(map.column(0), map.column(1))?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.values.is_empty() {
            return ScalarValue::try_from(&self.returns);
        }
        let keys = self.keys.column(self.keys.order.iter())?;
        let values = columns_of(&self.converter, self.values.iter().flatten(), &self.value_type)?;
        let values = match self.keep {
            Values::First => values,
            Values::All => {
                let item = Arc::new(Field::new_list_field(self.value_type.clone(), true));
                let offsets = OffsetBuffer::from_lengths(self.values.iter().map(Vec::len));
                Arc::new(ListArray::try_new(item, offsets, values, None)?)
            }
        };
        as_map(&self.returns, keys, values)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.keys.bytes + self.bytes
    }
}

/// How many keys the result names.
#[derive(Debug, Clone, Copy)]
enum Most {
    Everything,
    /// As many as the first argument will say.
    Unknown,
    Only(usize),
}

/// How often each value occurs.
struct Counts {
    counted: Keys,
    counts: Vec<i64>,
    column: usize,
    most: Most,
}

impl Counts {
    fn map_type(&self) -> DataType {
        map_of(self.counted.key_type.clone(), DataType::Int64)
    }

    fn limit(&mut self, buckets: &ArrayRef) -> Result<()> {
        let buckets = buckets.as_primitive::<Int64Type>();
        if let (Most::Unknown, Some(Some(n))) = (self.most, buckets.iter().next()) {
            let n = usize::try_from(n).ok().filter(|n| *n >= 2);
            self.most =
                Most::Only(n.ok_or_else(|| invalid("approx_most_frequent bucket count must be greater than one"))?);
        }
        Ok(())
    }

    fn result(&self, most: usize) -> Result<ScalarValue> {
        if self.counts.is_empty() {
            return ScalarValue::try_from(&self.map_type());
        }
        let mut order: Vec<usize> = (0..self.counts.len()).collect();
        if most < usize::MAX {
            order.sort_by_key(|i| std::cmp::Reverse(self.counts[*i]));
            order.truncate(most);
        }
        let keys = self.counted.column(order.iter().map(|i| &self.counted.order[*i]))?;
        let counts: Int64Array = order.iter().map(|i| self.counts[*i]).collect();
        as_map(&self.map_type(), keys, Arc::new(counts))
    }
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counts").field("most", &self.most).field("keys", &self.counts.len()).finish_non_exhaustive()
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.limit_from(columns)?;
        let counts = &mut self.counts;
        self.counted.visit(&columns[self.column], |_, position, new| {
            if new {
                counts.push(0);
            }
            counts[position] += 1;
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if let Some(buckets) = states.get(1) {
            self.limit(buckets)?;
        }
        for map in states[0].as_map().iter().flatten() {
            let more = map.column(1).as_primitive::<Int64Type>();
            let counts = &mut self.counts;
            self.counted.visit(map.column(0), |row, position, new| {
                if new {
                    counts.push(0);
                }
                counts[position] += more.value(row);
            })?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.most {
            Most::Only(n) => self.result(n),
            Most::Everything | Most::Unknown => self.result(usize::MAX),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = vec![self.result(usize::MAX)?];
        match self.most {
            Most::Everything => {}
            Most::Unknown => state.push(ScalarValue::Int64(None)),
            Most::Only(n) => state.push(ScalarValue::Int64(Some(n as i64))),
        }
        Ok(state)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counted.bytes + self.counts.capacity() * 8
    }
}

impl Counts {
    /// Reads the number of buckets where the call has one.
    fn limit_from(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.column > 0 { self.limit(&columns[0]) } else { Ok(()) }
    }
}
