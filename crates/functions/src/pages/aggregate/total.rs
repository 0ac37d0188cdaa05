//! `sum` and `avg`: exact on integers, decimals and intervals, with an error where the result does not fit its type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, DurationMillisecondType, Float64Type, Int64Type, IntervalUnit,
    IntervalYearMonthType, TimeUnit,
};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::udaf::Setup;
use crate::columns::{Resolved, out_of_range};

const MILLIS: DataType = DataType::Duration(TimeUnit::Millisecond);
const MONTHS: DataType = DataType::Interval(IntervalUnit::YearMonth);

fn input(t: &DataType) -> Option<DataType> {
    Some(match t {
        DataType::Null => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float32,
        DataType::Float64 => DataType::Float64,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
            DataType::Decimal128(*p, *s)
        }
        DataType::Duration(_) => MILLIS,
        t if *t == MONTHS => MONTHS,
        t if t.is_integer() => DataType::Int64,
        _ => return None,
    })
}

pub(super) fn sum_types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    let t = input(t)?;
    let returns = match &t {
        DataType::Decimal128(_, s) => DataType::Decimal128(38, *s),
        t => t.clone(),
    };
    Some((vec![t], returns))
}

pub(super) fn avg_types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    let t = input(t)?;
    let returns = if t == DataType::Int64 { DataType::Float64 } else { t.clone() };
    Some((vec![t], returns))
}

fn is_float(t: &DataType) -> bool {
    matches!(t, DataType::Float32 | DataType::Float64)
}

/// What was added to a double cannot be taken back: rounding stays, and so does NaN.
pub(super) fn retracts(setup: &Setup) -> bool {
    !is_float(&setup.args[0])
}

/// A total and the number of values in it.
pub(super) fn state(setup: &Setup) -> Vec<DataType> {
    let total = if is_float(&setup.args[0]) { DataType::Float64 } else { DataType::Decimal128(38, 0) };
    vec![total, DataType::Int64]
}

pub(super) fn make_sum(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(One(Totals::new(setup, false))))
}

pub(super) fn make_avg(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(One(Totals::new(setup, true))))
}

pub(super) fn sum_groups(setup: &Setup) -> Option<Box<dyn GroupsAccumulator>> {
    Some(Box::new(Totals::new(setup, false)))
}

pub(super) fn avg_groups(setup: &Setup) -> Option<Box<dyn GroupsAccumulator>> {
    Some(Box::new(Totals::new(setup, true)))
}

/// The totals of all groups. Integers are added up in 128 bits, so that only the final result can fail to fit.
#[derive(Debug)]
struct Totals {
    returns: DataType,
    average: bool,
    amounts: Amounts,
    counts: Vec<i64>,
}

#[derive(Debug)]
enum Amounts {
    Exact(Vec<i128>),
    Float(Vec<f64>),
}

impl Totals {
    fn new(setup: &Setup, average: bool) -> Self {
        let amounts = if is_float(&setup.args[0]) { Amounts::Float(vec![]) } else { Amounts::Exact(vec![]) };
        Totals { returns: setup.returns.clone(), average, amounts, counts: vec![] }
    }

    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        match &mut self.amounts {
            Amounts::Exact(sums) => sums.resize(groups, 0),
            Amounts::Float(sums) => sums.resize(groups, 0.0),
        }
    }

    /// Adds (`sign` 1) or takes back (`sign` -1) values; `group` says which group a row belongs to.
    fn apply(&mut self, values: &ArrayRef, sign: i8, mut group: impl FnMut(usize) -> Option<usize>) -> Result<()> {
        let counts = &mut self.counts;
        match &mut self.amounts {
            Amounts::Float(sums) => {
                let values = match values.data_type() {
                    DataType::Float32 => cast(values, &DataType::Float64)?,
                    _ => Arc::clone(values),
                };
                let values = values.as_primitive::<Float64Type>();
                each(values, &mut group, |g, v| {
                    sums[g] += v * f64::from(sign);
                    counts[g] += i64::from(sign);
                    Ok(())
                })
            }
            Amounts::Exact(sums) => {
                let mut add = |g: usize, v: i128| {
                    sums[g] =
                        sums[g].checked_add(v * i128::from(sign)).ok_or_else(|| out_of_range("Decimal overflow"))?;
                    counts[g] += i64::from(sign);
                    Ok(())
                };
                match values.data_type() {
                    DataType::Int64 => each(values.as_primitive::<Int64Type>(), &mut group, |g, v| add(g, v.into())),
                    DataType::Decimal128(..) => each(values.as_primitive::<Decimal128Type>(), &mut group, add),
                    t if *t == MILLIS => {
                        each(values.as_primitive::<DurationMillisecondType>(), &mut group, |g, v| add(g, v.into()))
                    }
                    t if *t == MONTHS => {
                        each(values.as_primitive::<IntervalYearMonthType>(), &mut group, |g, v| add(g, v.into()))
                    }
                    t => exec_err!("{t} cannot be added up"),
                }
            }
        }
    }

    fn merge(&mut self, states: &[ArrayRef], mut group: impl FnMut(usize) -> Option<usize>) -> Result<()> {
        let counts = states[1].as_primitive::<Int64Type>();
        for row in 0..counts.len() {
            let Some(g) = group(row) else { continue };
            if counts.is_null(row) {
                continue;
            }
            self.counts[g] += counts.value(row);
            match &mut self.amounts {
                Amounts::Float(sums) => sums[g] += states[0].as_primitive::<Float64Type>().value(row),
                Amounts::Exact(sums) => {
                    let more = states[0].as_primitive::<Decimal128Type>().value(row);
                    sums[g] = sums[g].checked_add(more).ok_or_else(|| out_of_range("Decimal overflow"))?;
                }
            }
        }
        Ok(())
    }

    /// The results of groups, which leave with `take`.
    fn results(&self, range: std::ops::Range<usize>) -> Result<ArrayRef> {
        match &self.amounts {
            Amounts::Float(sums) => {
                let result: Float64Array = range
                    .map(|g| match self.counts[g] {
                        0 => None,
                        n if self.average => Some(sums[g] / n as f64),
                        _ => Some(sums[g]),
                    })
                    .collect();
                Ok(cast(&result, &self.returns)?)
            }
            Amounts::Exact(sums) if self.returns == DataType::Float64 => {
                let value = |g: usize| (self.counts[g] > 0).then(|| sums[g] as f64 / self.counts[g] as f64);
                Ok(Arc::new(range.map(value).collect::<Float64Array>()))
            }
            Amounts::Exact(sums) => {
                let value = |g: usize| match self.counts[g] {
                    0 => None,
                    n if self.average => Some(half_up(sums[g], n.into())),
                    _ => Some(sums[g]),
                };
                self.exact(range.map(value))
            }
        }
    }

    fn exact(&self, values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
        match &self.returns {
            DataType::Int64 => narrow::<Int64Type>(values, "bigint addition overflow"),
            DataType::Decimal128(p, s) => {
                // Largest magnitude of as many digits as the type has.
                let limit = 10i128.pow(u32::from(*p).min(38)) - 1;
                let fits = |v: Option<i128>| match v {
                    Some(v) if v.unsigned_abs() > limit.unsigned_abs() => Err(out_of_range("Decimal overflow")),
                    v => Ok(v),
                };
                let values = values.map(fits).collect::<Result<Decimal128Array>>()?;
                Ok(Arc::new(values.with_precision_and_scale(*p, *s)?))
            }
            t if *t == MILLIS => narrow::<DurationMillisecondType>(values, "interval overflow"),
            t if *t == MONTHS => narrow::<IntervalYearMonthType>(values, "interval overflow"),
            t => exec_err!("{t} is no result of adding up"),
        }
    }

    fn states(&self, range: std::ops::Range<usize>) -> Result<Vec<ArrayRef>> {
        let amounts: ArrayRef = match &self.amounts {
            Amounts::Exact(sums) => {
                let sums = Decimal128Array::from(sums[range.clone()].to_vec());
                Arc::new(sums.with_precision_and_scale(38, 0)?)
            }
            Amounts::Float(sums) => Arc::new(Float64Array::from(sums[range.clone()].to_vec())),
        };
        Ok(vec![amounts, Arc::new(Int64Array::from(self.counts[range].to_vec()))])
    }

    /// Groups that `emit_to` names.
    fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(n) => n,
        }
    }

    fn forget(&mut self, groups: usize) {
        self.counts.drain(..groups);
        match &mut self.amounts {
            Amounts::Exact(sums) => drop(sums.drain(..groups)),
            Amounts::Float(sums) => drop(sums.drain(..groups)),
        }
    }
}

fn each<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    group: &mut impl FnMut(usize) -> Option<usize>,
    mut f: impl FnMut(usize, T::Native) -> Result<()>,
) -> Result<()> {
    for row in 0..values.len() {
        if values.is_valid(row)
            && let Some(g) = group(row)
        {
            f(g, values.value(row))?;
        }
    }
    Ok(())
}

fn half_up(sum: i128, n: i128) -> i128 {
    let (quotient, rest) = (sum / n, sum % n);
    if rest.unsigned_abs() * 2 >= n.unsigned_abs() { quotient + rest.signum() } else { quotient }
}

fn narrow<T>(values: impl Iterator<Item = Option<i128>>, overflow: &str) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    let fits = |v: Option<i128>| v.map(|v| T::Native::try_from(v).map_err(|_| out_of_range(overflow))).transpose();
    Ok(Arc::new(values.map(fits).collect::<Result<PrimitiveArray<T>>>()?))
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.resize(total);
        let wanted = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        self.apply(&values[0], 1, |row| wanted(row).then(|| groups[row]))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.resize(total);
        self.merge(states, |row| Some(groups[row]))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let n = self.emitted(emit_to);
        let result = self.results(0..n)?;
        self.forget(n);
        Ok(result)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let n = self.emitted(emit_to);
        let result = self.states(0..n)?;
        self.forget(n);
        Ok(result)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        // Every row is a group of its own.
        let mut totals = Totals {
            returns: self.returns.clone(),
            average: self.average,
            amounts: match self.amounts {
                Amounts::Exact(_) => Amounts::Exact(vec![]),
                Amounts::Float(_) => Amounts::Float(vec![]),
            },
            counts: vec![],
        };
        let rows: Vec<usize> = (0..values[0].len()).collect();
        GroupsAccumulator::update_batch(&mut totals, values, &rows, filter, rows.len())?;
        totals.states(0..rows.len())
    }

    fn size(&self) -> usize {
        let amounts = match &self.amounts {
            Amounts::Exact(sums) => sums.capacity() * 16,
            Amounts::Float(sums) => sums.capacity() * 8,
        };
        size_of_val(self) + amounts + self.counts.capacity() * 8
    }
}

/// The total of one group.
#[derive(Debug)]
struct One(Totals);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.resize(1);
        self.0.apply(&values[0], 1, |_| Some(0))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.resize(1);
        self.0.apply(&values[0], -1, |_| Some(0))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.resize(1);
        ScalarValue::try_from_array(&self.0.results(0..1)?, 0)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.resize(1);
        self.0.states(0..1)?.iter().map(|a| ScalarValue::try_from_array(a, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.resize(1);
        self.0.merge(states, |_| Some(0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn setup(arg: DataType, rule: fn(&[DataType]) -> Option<Resolved>) -> Setup {
        let (args, returns) = rule(&[arg]).unwrap();
        Setup { args, returns }
    }

    fn bigints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn only_the_result_must_fit() {
        let mut sum = make_sum(&setup(DataType::Int64, sum_types)).unwrap();
        sum.update_batch(&[bigints(&[i64::MAX, 1])]).unwrap();
        assert!(sum.evaluate().unwrap_err().to_string().contains("NUMERIC_VALUE_OUT_OF_RANGE"));
        sum.update_batch(&[bigints(&[-1])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX)));
    }

    #[test]
    fn states_of_groups_add_up() {
        let avg = setup(DataType::Int64, avg_types);
        let (mut left, mut right) = (avg_groups(&avg).unwrap(), avg_groups(&avg).unwrap());
        left.update_batch(&[bigints(&[1, 2, 10])], &[0, 0, 1], None, 2).unwrap();
        let keep = BooleanArray::from(vec![true, false]);
        right.update_batch(&[bigints(&[6, 99])], &[0, 1], Some(&keep), 3).unwrap();
        let states = right.state(EmitTo::All).unwrap();
        left.merge_batch(&states, &[0, 1, 2], 3).unwrap();
        let result = left.evaluate(EmitTo::First(1)).unwrap();
        assert_eq!(result.as_primitive::<Float64Type>().values(), &[3.0]);
        let rest = left.evaluate(EmitTo::All).unwrap();
        assert_eq!(rest.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(10.0), None]);
    }

    #[test]
    fn decimals_round_half_up_and_keep_their_type() {
        let mut avg = make_avg(&setup(DataType::Decimal128(3, 1), avg_types)).unwrap();
        let values = Decimal128Array::from(vec![10, 21]).with_precision_and_scale(3, 1).unwrap();
        avg.update_batch(&[Arc::new(values)]).unwrap();
        assert_eq!(avg.evaluate().unwrap(), ScalarValue::Decimal128(Some(16), 3, 1));
    }

    #[test]
    fn rows_can_be_taken_back() {
        let mut sum = make_sum(&setup(DataType::Int64, sum_types)).unwrap();
        sum.update_batch(&[bigints(&[1, 2, 3])]).unwrap();
        sum.retract_batch(&[bigints(&[1, 2])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(3)));
        sum.retract_batch(&[bigints(&[3])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(None));
    }
}
