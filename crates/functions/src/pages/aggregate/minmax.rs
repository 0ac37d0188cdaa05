//! `max` and `min`: DataFusion's for one argument unless it can be NaN, ours for that and for the `n` forms.

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
    float: Arc<AggregateUDF>,
    many: Arc<AggregateUDF>,
}

pub(super) fn max() -> AggregateUDF {
    let float = Aggregate::new("max", extreme::float_types, extreme::float_state, extreme::make_max_float);
    let many = Aggregate::new("max", extreme::n_types, extreme::n_state, extreme::make_max_n);
    all(max_udaf(), float.idempotent(), many)
}

pub(super) fn min() -> AggregateUDF {
    let float = Aggregate::new("min", extreme::float_types, extreme::float_state, extreme::make_min_float);
    let many = Aggregate::new("min", extreme::n_types, extreme::n_state, extreme::make_min_n);
    all(min_udaf(), float.idempotent(), many)
}

fn all(one: Arc<AggregateUDF>, float: Aggregate, many: Aggregate) -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    AggregateUDF::new_from_impl(MinMax { signature, one, float: Arc::new(float.build()), many: Arc::new(many.build()) })
}

impl MinMax {
    fn form<'t>(&self, mut arguments: impl ExactSizeIterator<Item = &'t DataType>) -> &dyn AggregateUDFImpl {
        let form = match (arguments.len(), arguments.next()) {
            (1, Some(DataType::Float32 | DataType::Float64)) => &self.float,
            (1, _) => &self.one,
            _ => &self.many,
        };
        form.inner().as_ref()
    }

    fn of_fields(&self, fields: &[FieldRef]) -> &dyn AggregateUDFImpl {
        self.form(fields.iter().map(|f| f.data_type()))
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
        self.form(actual.iter()).coerce_types(actual)
    }

    fn return_type(&self, actual: &[DataType]) -> Result<DataType> {
        self.form(actual.iter()).return_type(actual)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.of_fields(args.expr_fields).accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.of_fields(args.expr_fields).create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.of_fields(args.input_fields).state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.of_fields(args.expr_fields).groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.of_fields(args.expr_fields).create_groups_accumulator(args)
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
