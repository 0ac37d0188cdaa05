//! Means of logarithms and of higher powers: `geometric_mean`, `skewness`, `kurtosis`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;

use super::udaf::Setup;
use crate::columns::Resolved;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    (t.is_numeric() || t.is_null()).then(|| (vec![DataType::Float64], DataType::Float64))
}

/// Count, mean, and the second to fourth central moments.
pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![DataType::Float64; 5]
}

pub(super) fn make_skewness(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Central { moments: Moments::default(), result: Moments::skewness }))
}

pub(super) fn make_kurtosis(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Central { moments: Moments::default(), result: Moments::kurtosis }))
}

/// Count and sum of the logarithms.
pub(super) fn geometric_mean_state(_: &Setup) -> Vec<DataType> {
    vec![DataType::Float64; 2]
}

pub(super) fn make_geometric_mean(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::<Logarithms>::default())
}

/// Moments that can be merged (Pébay, "Formulas for robust, one-pass parallel computation").
#[derive(Debug, Default, Clone, Copy)]
struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Moments {
    fn merge(&mut self, other: &Moments) {
        if other.n == 0.0 {
            return;
        }
        let (na, nb, n) = (self.n, other.n, self.n + other.n);
        let delta = other.mean - self.mean;
        let m4 = self.m4
            + other.m4
            + delta.powi(4) * na * nb * (na * na - na * nb + nb * nb) / n.powi(3)
            + 6.0 * delta.powi(2) * (na * na * other.m2 + nb * nb * self.m2) / (n * n)
            + 4.0 * delta * (na * other.m3 - nb * self.m3) / n;
        let m3 = self.m3
            + other.m3
            + delta.powi(3) * na * nb * (na - nb) / (n * n)
            + 3.0 * delta * (na * other.m2 - nb * self.m2) / n;
        let m2 = self.m2 + other.m2 + delta.powi(2) * na * nb / n;
        *self = Moments { n, mean: self.mean + delta * nb / n, m2, m3, m4 };
    }

    fn skewness(&self) -> Option<f64> {
        (self.n >= 3.0).then(|| self.n.sqrt() * self.m3 / self.m2.powf(1.5))
    }

    fn kurtosis(&self) -> Option<f64> {
        let n = self.n;
        (n >= 4.0).then(|| {
            let rest = (n - 2.0) * (n - 3.0);
            (n - 1.0) * n * (n + 1.0) / rest * self.m4 / (self.m2 * self.m2) - 3.0 * (n - 1.0) * (n - 1.0) / rest
        })
    }
}

#[derive(Debug)]
struct Central {
    moments: Moments,
    result: fn(&Moments) -> Option<f64>,
}

impl Central {
    fn add(&mut self, value: f64) {
        self.moments.merge(&Moments { n: 1.0, mean: value, ..Moments::default() });
    }
}

impl Accumulator for Central {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in columns[0].as_primitive::<Float64Type>().iter().flatten() {
            self.add(value);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let column = |i: usize| states[i].as_primitive::<Float64Type>();
        for row in 0..states[0].len() {
            if states[0].is_null(row) {
                continue;
            }
            let at = |i: usize| column(i).value(row);
            self.moments.merge(&Moments { n: at(0), mean: at(1), m2: at(2), m3: at(3), m4: at(4) });
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64((self.result)(&self.moments)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let m = self.moments;
        Ok([m.n, m.mean, m.m2, m.m3, m.m4].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The mean of logarithms.
#[derive(Debug, Default)]
struct Logarithms {
    n: f64,
    sum: f64,
}

impl Accumulator for Logarithms {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in columns[0].as_primitive::<Float64Type>().iter().flatten() {
            self.n += 1.0;
            self.sum += value.ln();
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let total = |i: usize| states[i].as_primitive::<Float64Type>().iter().flatten().sum::<f64>();
        self.n += total(0);
        self.sum += total(1);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64((self.n > 0.0).then(|| (self.sum / self.n).exp())))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok([self.n, self.sum].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
