//! `count`, which is DataFusion's, but for `count(DISTINCT text)`: over all rows it is [`distinct`], by group [`by_group`].

mod by_group;
mod distinct;
mod packed;
mod room;
mod sorted_runs;
mod texts;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
    StatisticsArgs,
};
use datafusion_functions_aggregate::count::count_udaf;

use by_group::DistinctByGroup;
use distinct::DistinctCount;
pub use room::Room;

#[derive(Debug)]
struct Count {
    count: Arc<AggregateUDF>,
    room: Arc<Room>,
}

// Which room there is changes no result.
impl PartialEq for Count {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
    }
}

impl Eq for Count {}

impl Hash for Count {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.count.hash(state);
    }
}

/// `count`, of one statement: all its sets of texts share the room.
pub(crate) fn count(room: Room) -> AggregateUDF {
    AggregateUDF::from(Count { count: count_udaf(), room: Arc::new(room) })
}

fn is_distinct_text(args: &AccumulatorArgs<'_>) -> bool {
    args.is_distinct && args.expr_fields.len() == 1 && args.expr_fields[0].data_type() == &DataType::Utf8View
}

impl AggregateUDFImpl for Count {
    fn name(&self) -> &str {
        self.count.name()
    }

    fn signature(&self) -> &Signature {
        self.count.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.count.return_type(types)
    }

    fn is_nullable(&self) -> bool {
        self.count.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !args.is_distinct || args.input_fields.len() != 1 || args.input_fields[0].data_type() != &DataType::Utf8View
        {
            return self.count.state_fields(args);
        }
        let field = |name: &str, data_type| Arc::new(Field::new(format_state_name(args.name, name), data_type, true));
        let texts = DataType::new_list(DataType::Utf8View, true);
        Ok(vec![field("distinct set", DataType::Int64), field("distinct texts", texts)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_distinct_text(&args) {
            return Ok(Box::new(DistinctCount::new(Arc::clone(&self.room))));
        }
        self.count.accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        is_distinct_text(&args) || self.count.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if is_distinct_text(&args) {
            Ok(Box::new(DistinctByGroup::new(Arc::clone(&self.room))))
        } else {
            self.count.create_groups_accumulator(args)
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.count.reverse_udf()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.count.default_value(data_type)
    }

    fn value_from_stats(&self, args: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.count.value_from_stats(args)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.count.inner().set_monotonicity(data_type)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.count.create_sliding_accumulator(args)
    }
}
