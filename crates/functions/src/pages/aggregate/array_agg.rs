//! `array_agg`: DataFusion's, except that distinct values stay in the order in which they first appear.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature};
use datafusion_functions_aggregate::array_agg::array_agg_udaf;

use super::extreme::as_list;
use super::udaf::{Aggregate, Setup};
use crate::columns::Resolved;
use crate::types::array_of;

pub(super) fn array_agg() -> AggregateUDF {
    let distinct = Aggregate::new("array_agg", types, state, make).ordered().build();
    AggregateUDF::new_from_impl(ArrayAgg { all: Arc::clone(array_agg_udaf().inner()), distinct: Arc::new(distinct) })
}

fn types(actual: &[DataType]) -> Option<Resolved> {
    let [t] = actual else { return None };
    Some((vec![t.clone()], array_of(t.clone())))
}

fn state(setup: &Setup) -> Vec<DataType> {
    vec![setup.returns.clone()]
}

fn make(setup: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Values { item: setup.args[0].clone(), batches: vec![] }))
}

#[derive(Debug)]
struct Values {
    item: DataType,
    batches: Vec<ArrayRef>,
}

impl Accumulator for Values {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if !columns[0].is_empty() {
            self.batches.push(Arc::clone(&columns[0]));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.batches.extend(states[0].as_list::<i32>().iter().flatten().filter(|items| !items.is_empty()));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.batches.is_empty() {
            return ScalarValue::try_from(&array_of(self.item.clone()));
        }
        as_list(concat(&self.batches.iter().map(std::convert::AsRef::as_ref).collect::<Vec<_>>())?)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![match self.batches.is_empty() {
            true => as_list(new_empty_array(&self.item))?,
            false => self.evaluate()?,
        }])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.batches.iter().map(arrow::array::Array::get_array_memory_size).sum::<usize>()
    }
}

#[derive(Debug, Clone)]
struct ArrayAgg {
    all: Arc<dyn AggregateUDFImpl>,
    distinct: Arc<AggregateUDF>,
}

// There is one function of this name; how its input is ordered changes nothing but speed.
impl PartialEq for ArrayAgg {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ArrayAgg {}

impl std::hash::Hash for ArrayAgg {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ArrayAgg {
    fn form(&self, distinct: bool) -> &dyn AggregateUDFImpl {
        if distinct { self.distinct.inner().as_ref() } else { self.all.as_ref() }
    }
}

impl AggregateUDFImpl for ArrayAgg {
    fn name(&self) -> &str {
        "array_agg"
    }

    fn signature(&self) -> &Signature {
        self.all.signature()
    }

    fn return_type(&self, actual: &[DataType]) -> Result<DataType> {
        self.all.return_type(actual)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.form(args.is_distinct).accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.form(args.is_distinct).create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.form(args.is_distinct).state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.form(args.is_distinct).groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.form(args.is_distinct).create_groups_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.all.order_sensitivity()
    }

    fn with_beneficial_ordering(self: Arc<Self>, ordered: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let all = Arc::clone(&self.all).with_beneficial_ordering(ordered)?;
        Ok(all.map(|all| Arc::new(ArrayAgg { all, distinct: Arc::clone(&self.distinct) }) as _))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        // DataFusion's answer names its own function.
        ReversedUDAF::NotSupported
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.all.supports_null_handling_clause()
    }
}
