//! `approx_percentile` in all its forms.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;

use super::extreme::as_list;
use super::tdigest::Digest;
use super::udaf::Setup;
use crate::columns::{Resolved, invalid, list_item};
use crate::types::array_of;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let (x, weight, percentage) = match actual {
        [x, percentage] => (x, None, percentage),
        [x, weight, percentage] => (x, Some(weight), percentage),
        _ => return None,
    };
    let x = match x {
        DataType::Float32 | DataType::Float64 => x.clone(),
        t if t.is_integer() => DataType::Int64,
        t if t.is_numeric() || t.is_null() => DataType::Float64,
        _ => return None,
    };
    let many = match list_item(percentage) {
        Some(item) if item.is_numeric() || item.is_null() => true,
        None if percentage.is_numeric() || percentage.is_null() => false,
        _ => return None,
    };
    if weight.is_some_and(|w| !w.is_numeric() && !w.is_null()) {
        return None;
    }
    let mut takes = vec![x.clone()];
    takes.extend(weight.map(|_| DataType::Float64));
    takes.push(if many { array_of(DataType::Float64) } else { DataType::Float64 });
    Some((takes, if many { array_of(x) } else { x }))
}

/// Means, weights, the two extremes, and the percentages wanted.
pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![array_of(DataType::Float64); 4]
}

pub(super) fn make(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Percentile {
        value_type: setup.args[0].clone(),
        weighted: setup.args.len() == 3,
        many: list_item(&setup.returns).is_some(),
        digest: Digest::default(),
        wanted: None,
    }))
}

#[derive(Debug)]
struct Percentile {
    value_type: DataType,
    weighted: bool,
    many: bool,
    digest: Digest,
    wanted: Option<Vec<f64>>,
}

impl Percentile {
    fn want(&mut self, percentages: &ArrayRef) -> Result<()> {
        if self.wanted.is_some() || percentages.is_empty() {
            return Ok(());
        }
        let values = match percentages.data_type() {
            DataType::Float64 => Arc::clone(percentages),
            _ => percentages.as_list::<i32>().value(0),
        };
        let values = values.as_primitive::<Float64Type>();
        if values.null_count() > 0 {
            return Err(invalid("Percentile cannot be NULL"));
        }
        let values = if self.many { values.values().to_vec() } else { values.values()[..1].to_vec() };
        if let Some(p) = values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(invalid(format!("Percentile must be between 0 and 1, not {p}")));
        }
        self.wanted = Some(values);
        Ok(())
    }

    fn value(&mut self, quantile: f64) -> Option<f64> {
        let value = self.digest.value_at(quantile)?;
        Some(if self.value_type == DataType::Int64 { value.round() } else { value })
    }
}

impl Accumulator for Percentile {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.want(&columns[columns.len() - 1])?;
        let values = cast(&columns[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        let weights = self.weighted.then(|| columns[1].as_primitive::<Float64Type>());
        for row in 0..values.len() {
            if values.is_null(row) || weights.is_some_and(|w| w.is_null(row)) {
                continue;
            }
            let weight = weights.map_or(1.0, |w| w.value(row));
            if !(weight > 0.0 && weight.is_finite()) {
                return Err(invalid(format!("percentile weight must be > 0, not {weight}")));
            }
            let value = values.value(row);
            if value.is_nan() {
                return Err(invalid("approx_percentile: the value is NaN"));
            }
            self.digest.add(value, weight);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let part = |column: usize, row: usize| -> Vec<f64> {
            states[column].as_list::<i32>().value(row).as_primitive::<Float64Type>().values().to_vec()
        };
        for row in 0..states[0].len() {
            let (means, weights, extremes, wanted) = (part(0, row), part(1, row), part(2, row), part(3, row));
            if !wanted.is_empty() {
                self.wanted.get_or_insert(wanted);
            }
            if let [min, max] = extremes[..] {
                self.digest.absorb(&means, &weights, min, max);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let wanted = self.wanted.clone().unwrap_or_default();
        if self.digest.is_empty() || (wanted.is_empty() && !self.many) {
            let none = if self.many { array_of(self.value_type.clone()) } else { self.value_type.clone() };
            return ScalarValue::try_from(&none);
        }
        let values: Float64Array = wanted.iter().map(|q| self.value(*q)).collect();
        let values = cast(&values, &self.value_type)?;
        if self.many { as_list(values) } else { ScalarValue::try_from_array(&values, 0) }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |values: Vec<f64>| as_list(Arc::new(Float64Array::from(values)));
        let (means, weights, min, max) = self.digest.parts();
        let extremes = if self.digest.is_empty() { vec![] } else { vec![min, max] };
        Ok(vec![list(means)?, list(weights)?, list(extremes)?, list(self.wanted.clone().unwrap_or_default())?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.digest.size()
    }
}
