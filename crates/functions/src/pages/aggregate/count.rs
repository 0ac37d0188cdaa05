//! `count`, which is DataFusion's, but for `count(DISTINCT text)`: over all rows it is [`distinct`], by group of [`GroupTexts`].

mod distinct;
mod packed;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringViewArray, StringViewBuilder, new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
    StatisticsArgs,
};
use datafusion_functions_aggregate::count::count_udaf;

use distinct::DistinctCount;

use super::group_texts::{GroupTexts, elements};

#[derive(Debug, PartialEq, Eq, Hash)]
struct Count(Arc<AggregateUDF>);

/// `count`.
pub(super) fn count() -> AggregateUDF {
    AggregateUDF::from(Count(count_udaf()))
}

fn is_distinct_text(args: &AccumulatorArgs<'_>) -> bool {
    args.is_distinct && args.expr_fields.len() == 1 && args.expr_fields[0].data_type() == &DataType::Utf8View
}

impl AggregateUDFImpl for Count {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn is_nullable(&self) -> bool {
        self.0.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !args.is_distinct || args.input_fields.len() != 1 || args.input_fields[0].data_type() != &DataType::Utf8View
        {
            return self.0.state_fields(args);
        }
        let field = |name: &str, data_type| Arc::new(Field::new(format_state_name(args.name, name), data_type, true));
        let texts = DataType::new_list(DataType::Utf8View, true);
        Ok(vec![
            field("distinct ids", DataType::LargeBinary),
            field("distinct names", DataType::LargeBinary),
            field("distinct texts", texts),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_distinct_text(&args) {
            return Ok(Box::<DistinctCount>::default());
        }
        self.0.accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        is_distinct_text(&args) || self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if is_distinct_text(&args) {
            Ok(Box::<DistinctText>::default())
        } else {
            self.0.create_groups_accumulator(args)
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_udf()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.0.default_value(data_type)
    }

    fn value_from_stats(&self, args: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.0.value_from_stats(args)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.inner().set_monotonicity(data_type)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.0.create_sliding_accumulator(args)
    }
}

/// Distinct text of all groups.
#[derive(Default)]
struct DistinctText {
    texts: GroupTexts,
    counts: Vec<i64>,
}

impl DistinctText {
    /// Counts the texts of the rows that the filter keeps, each in its row's group.
    fn offer(&mut self, texts: &StringViewArray, groups: &[usize], filter: Option<&BooleanArray>, total: usize) {
        let Self { texts: known, counts } = self;
        counts.resize(total.max(counts.len()), 0);
        known.offer(texts, groups, filter, false, |pair| counts[pair.group()] += 1);
    }

    /// Forgets the groups that are emitted.
    fn forget(&mut self, emit_to: EmitTo) -> Vec<i64> {
        self.texts.forget(emit_to, &mut Vec::new());
        emit_to.take_needed(&mut self.counts)
    }
}

/// The state of groups: all text is in the last column, as a list for each group.
fn states(lengths: impl ExactSizeIterator<Item = usize>, texts: ArrayRef) -> Result<Vec<ArrayRef>> {
    let none = new_null_array(&DataType::LargeBinary, lengths.len());
    let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let lists = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), texts, None)?;
    Ok(vec![Arc::clone(&none), none, Arc::new(lists)])
}

impl GroupsAccumulator for DistinctText {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.offer(columns[0].as_string_view(), groups, filter, total);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let (texts, group_of) = elements(states[2].as_list::<i32>(), groups);
        self.offer(texts.as_string_view(), &group_of, None, total);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = self.forget(emit_to);
        Ok(Arc::new(Int64Array::new(ScalarBuffer::from(counts), None)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(n) => n,
        };
        let mut pairs = self.texts.pairs(groups);
        pairs.sort_unstable();
        let mut texts = StringViewBuilder::with_capacity(pairs.len());
        pairs.into_iter().for_each(|pair| texts.append_option(self.texts.text(pair)));
        let lengths = self.counts[..groups].to_vec();
        self.forget(emit_to);
        states(lengths.into_iter().map(|count| count as usize), Arc::new(texts.finish()))
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = &columns[0];
        let kept: BooleanArray = (0..column.len())
            .map(|row| Some(column.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row))))
            .collect();
        let texts = arrow::compute::filter(column, &kept)?;
        let lengths: Vec<usize> = kept.values().iter().map(usize::from).collect();
        states(lengths.into_iter(), texts)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.texts.held() + self.counts.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::Int64Type;

    use super::*;

    fn column(texts: &[Option<&str>]) -> Vec<ArrayRef> {
        vec![Arc::new(texts.iter().copied().collect::<StringViewArray>())]
    }

    fn counts(accumulator: &mut DistinctText, emit_to: EmitTo) -> Vec<i64> {
        accumulator.evaluate(emit_to).unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn nulls_doubles_and_dropped_rows_do_not_count() {
        let mut accumulator = DistinctText::default();
        let long = "a text that is too long for a view";
        let texts = column(&[Some("a"), Some("a"), None, Some("b"), Some(long), Some(long), Some("c")]);
        let filter =
            BooleanArray::from(vec![Some(true), Some(true), Some(true), Some(true), Some(true), Some(true), None]);
        accumulator.update_batch(&texts, &[0, 0, 0, 1, 1, 0, 1], Some(&filter), 3).unwrap();
        accumulator.update_batch(&column(&[Some("a")]), &[0], None, 3).unwrap();
        assert_eq!(counts(&mut accumulator, EmitTo::All), [2, 2, 0]);
    }

    #[test]
    fn states_of_parts_merge_into_the_whole() {
        let (mut left, mut right, mut all) =
            (DistinctText::default(), DistinctText::default(), DistinctText::default());
        left.update_batch(&column(&[Some("a"), Some("b"), Some("c")]), &[0, 1, 2], None, 3).unwrap();
        right.update_batch(&column(&[Some("b"), Some("c"), Some("d")]), &[1, 1, 0], None, 2).unwrap();
        let first = left.state(EmitTo::First(2)).unwrap();
        all.merge_batch(&first, &[0, 1], 2).unwrap();
        all.merge_batch(&left.state(EmitTo::All).unwrap(), &[2], 3).unwrap();
        all.merge_batch(&right.state(EmitTo::All).unwrap(), &[0, 1], 3).unwrap();
        let skipped = all.convert_to_state(&column(&[Some("z"), None]), None).unwrap();
        all.merge_batch(&skipped, &[2, 2], 3).unwrap();
        assert_eq!(counts(&mut all, EmitTo::First(1)), [2]);
        assert_eq!(counts(&mut all, EmitTo::All), [2, 2]);
    }
}
