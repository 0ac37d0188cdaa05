//! `count_if`.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Accumulator, Case, Expr, lit};
use datafusion_functions_aggregate::count::count_udaf;

use super::udaf::Setup;
use crate::columns::Resolved;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    (t == &DataType::Boolean || t.is_null()).then(|| (vec![DataType::Boolean], DataType::Int64))
}

pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![DataType::Int64]
}

/// `count(CASE WHEN x THEN true END)`, which DataFusion computes for all groups at once.
pub(super) fn rewrite(mut call: AggregateFunction, _: &SimplifyContext) -> Result<Expr> {
    let condition = call.params.args.swap_remove(0);
    let counted = Case::new(None, vec![(Box::new(condition), Box::new(lit(true)))], None);
    call.params.args = vec![Expr::Case(counted)];
    call.func = count_udaf();
    Ok(Expr::AggregateFunction(call))
}

pub(super) fn make(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::<CountIf>::default())
}

#[derive(Debug, Default)]
struct CountIf(i64);

fn trues(column: &ArrayRef) -> i64 {
    column.as_boolean().true_count() as i64
}

impl Accumulator for CountIf {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.0 += trues(&columns[0]);
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.0 -= trues(&columns[0]);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0 += states[0].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.0)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
