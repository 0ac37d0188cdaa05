//! `max` and `min`: DataFusion's for one argument, ours for the `n` forms.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
    StatisticsArgs, Volatility,
};
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};

use super::extreme;
use super::udaf::Aggregate;

#[derive(Debug, PartialEq, Eq, Hash)]
struct MinMax {
    signature: Signature,
    one: Arc<AggregateUDF>,
    many: Arc<AggregateUDF>,
}

pub(super) fn max() -> AggregateUDF {
    let many = Aggregate::new("max", extreme::n_types, extreme::n_state, extreme::make_max_n);
    both(max_udaf(), many)
}

pub(super) fn min() -> AggregateUDF {
    let many = Aggregate::new("min", extreme::n_types, extreme::n_state, extreme::make_min_n);
    both(min_udaf(), many)
}

fn both(one: Arc<AggregateUDF>, many: Aggregate) -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    AggregateUDF::new_from_impl(MinMax { signature, one, many: Arc::new(many.build()) })
}

impl MinMax {
    fn form(&self, arguments: usize) -> &dyn AggregateUDFImpl {
        if arguments == 1 { self.one.inner().as_ref() } else { self.many.inner().as_ref() }
    }
}

impl AggregateUDFImpl for MinMax {
    fn name(&self) -> &str {
        self.one.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, actual: &[DataType]) -> Result<Vec<DataType>> {
        self.form(actual.len()).coerce_types(actual)
    }

    fn return_type(&self, actual: &[DataType]) -> Result<DataType> {
        self.form(actual.len()).return_type(actual)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.form(args.exprs.len()).accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.form(args.exprs.len()).create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.form(args.input_fields.len()).state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.form(args.exprs.len()).groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.form(args.exprs.len()).create_groups_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn is_descending(&self) -> Option<bool> {
        self.one.is_descending()
    }

    fn value_from_stats(&self, statistics: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        if statistics.exprs.len() == 1 { self.one.value_from_stats(statistics) } else { None }
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.one.inner().set_monotonicity(data_type)
    }
}
