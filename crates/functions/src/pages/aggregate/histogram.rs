//! `numeric_histogram`: buckets that adapt to the values (Ben-Haim and Tom-Tov, "A streaming parallel decision tree
//! algorithm"), merged where the merge loses least.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::Accumulator;

use super::extreme::as_list;
use super::udaf::Setup;
use crate::columns::{Resolved, invalid};
use crate::types::{array_of, map_of};

/// Values that wait between two merges.
const WAITING: usize = 100;
/// Trino's bound on the first argument, well above what anyone looks at.
const MOST_BUCKETS: i64 = 100_000;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let fits = match actual {
        [buckets, rest @ ..] if matches!(rest.len(), 1 | 2) => {
            buckets.is_integer() && rest.iter().all(|t| t.is_numeric() || t.is_null())
        }
        _ => false,
    };
    let mut takes = vec![DataType::Float64; actual.len()];
    *takes.first_mut()? = DataType::Int64;
    fits.then(|| (takes, map_of(DataType::Float64, DataType::Float64)))
}

pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![array_of(DataType::Float64), array_of(DataType::Float64), DataType::Int64]
}

pub(super) fn make(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Histogram { returns: setup.returns.clone(), most: None, buckets: vec![] }))
}

#[derive(Debug)]
struct Histogram {
    returns: DataType,
    most: Option<usize>,
    /// Value and weight.
    buckets: Vec<(f64, f64)>,
}

impl Histogram {
    fn limit(&mut self, most: i64) -> Result<usize> {
        if let Some(most) = self.most {
            return Ok(most);
        }
        match most {
            2..=MOST_BUCKETS => Ok(*self.most.insert(most as usize)),
            _ => Err(invalid(format!(
                "numeric_histogram bucket count must be in the range [2..{MOST_BUCKETS}], not {most}"
            ))),
        }
    }

    fn add(&mut self, value: f64, weight: f64, most: usize) {
        self.buckets.push((value, weight));
        if self.buckets.len() >= most + WAITING {
            compact(&mut self.buckets, most);
        }
    }
}

fn compact(buckets: &mut Vec<(f64, f64)>, most: usize) {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    while buckets.len() > most {
        let penalty = |i: &usize| {
            let ((v1, w1), (v2, w2)) = (buckets[*i], buckets[*i + 1]);
            (v1 - v2) * (v1 - v2) * w1 * w2 / (w1 + w2)
        };
        let closest = (0..buckets.len() - 1).min_by(|a, b| penalty(a).total_cmp(&penalty(b)));
        let Some(i) = closest else { break };
        let ((v1, w1), (v2, w2)) = (buckets[i], buckets[i + 1]);
        buckets[i] = ((v1 * w1 + v2 * w2) / (w1 + w2), w1 + w2);
        buckets.remove(i + 1);
    }
}

impl Accumulator for Histogram {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if columns[0].is_empty() {
            return Ok(());
        }
        let most = self.limit(columns[0].as_primitive::<Int64Type>().value(0))?;
        let values = columns[1].as_primitive::<Float64Type>();
        let weights = columns.get(2).map(arrow::array::AsArray::as_primitive::<Float64Type>);
        for row in 0..values.len() {
            if values.is_valid(row) && weights.is_none_or(|w| w.is_valid(row)) {
                self.add(values.value(row), weights.map_or(1.0, |w| w.value(row)), most);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, weights) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        let most = states[2].as_primitive::<Int64Type>();
        for row in (0..most.len()).filter(|row| most.is_valid(*row)) {
            let most = self.limit(most.value(row))?;
            let (values, weights) = (values.value(row), weights.value(row));
            let pairs = values.as_primitive::<Float64Type>().values().iter();
            for (value, weight) in pairs.zip(weights.as_primitive::<Float64Type>().values()) {
                self.add(*value, *weight, most);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(most) = self.most.filter(|_| !self.buckets.is_empty()) else {
            return ScalarValue::try_from(&self.returns);
        };
        compact(&mut self.buckets, most);
        let DataType::Map(field, sorted) = &self.returns else {
            return internal_err!("a histogram is a map");
        };
        let DataType::Struct(fields) = field.data_type() else {
            return internal_err!("a map has entries");
        };
        let (values, weights): (Vec<f64>, Vec<f64>) = self.buckets.iter().copied().unzip();
        let columns: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(values)), Arc::new(Float64Array::from(weights))];
        let entries = StructArray::try_new(fields.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths([entries.len()]);
        Ok(ScalarValue::Map(Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, None, *sorted)?)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (values, weights): (Vec<f64>, Vec<f64>) = self.buckets.iter().copied().unzip();
        let list = |values| as_list(Arc::new(Float64Array::from(values)));
        Ok(vec![list(values)?, list(weights)?, ScalarValue::Int64(self.most.map(|m| m as i64))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.buckets.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge_first() {
        let mut buckets = vec![(10.0, 1.0), (1.0, 1.0), (2.0, 1.0), (10.0, 1.0)];
        compact(&mut buckets, 2);
        assert_eq!(buckets, [(1.5, 2.0), (10.0, 2.0)]);
    }
}
