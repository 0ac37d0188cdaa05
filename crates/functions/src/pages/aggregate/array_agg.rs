//! `array_agg`: DataFusion's, except that distinct values stay in the order in which they first appear, and that distinct text by group
//! is of [`GroupTexts`].

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, StringViewArray, StringViewBuilder, StructArray, new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion_functions_aggregate::array_agg::array_agg_udaf;

use super::collected::collected_type;
use super::extreme::as_list;
use super::group_texts::{GroupTexts, Pair, elements};
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

fn is_distinct_text(args: &AccumulatorArgs<'_>) -> bool {
    let [value] = args.expr_fields else { return false };
    args.is_distinct && args.order_bys.is_empty() && value.data_type() == &DataType::Utf8View
}

/// Distinct text of all groups, in the order in which it first appears.
#[derive(Default)]
struct DistinctTexts {
    texts: GroupTexts,
    order: Vec<Pair>,
    groups: usize,
}

impl DistinctTexts {
    fn offer(&mut self, texts: &StringViewArray, groups: &[usize], filter: Option<&BooleanArray>, total: usize) {
        let Self { texts: known, order, groups: all } = self;
        *all = total.max(*all);
        known.offer(texts, groups, filter, true, |_, _| false, |pair| order.push(pair));
    }

    /// The texts of the groups that are emitted, and how many each has.
    fn emit(&mut self, emit_to: EmitTo) -> (ArrayRef, Vec<usize>) {
        let groups = match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        };
        let mut lengths = vec![0; groups];
        let mut pairs: Vec<Pair> = self.order.iter().copied().filter(|pair| pair.group() < groups).collect();
        pairs.iter().for_each(|pair| lengths[pair.group()] += 1);
        // The sort is stable: a group's texts stay in order.
        pairs.sort_by_key(|pair| pair.group());
        let mut texts = StringViewBuilder::with_capacity(pairs.len());
        pairs.into_iter().for_each(|pair| texts.append_option(self.texts.text(pair)));
        self.texts.forget(emit_to, &mut self.order);
        self.groups -= groups;
        (Arc::new(texts.finish()), lengths)
    }
}

/// Rows of one text, as [`super::collected`] keeps them: a list for each group.
fn collected(texts: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> Result<Vec<ArrayRef>> {
    let DataType::List(item) = collected_type([DataType::Utf8View]) else {
        return internal_err!("what is collected is a list");
    };
    let DataType::Struct(fields) = item.data_type() else { return internal_err!("what is collected is rows") };
    let rows = StructArray::try_new(fields.clone(), vec![texts], None)?;
    Ok(vec![Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(rows), None)?)])
}

impl GroupsAccumulator for DistinctTexts {
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
        let (rows, group_of) = elements(states[0].as_list::<i32>(), groups);
        self.offer(rows.as_struct().column(0).as_string_view(), &group_of, None, total);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (texts, lengths) = self.emit(emit_to);
        // Of no rows there is no array.
        let there = NullBuffer::from_iter(lengths.iter().map(|length| *length > 0));
        let item = Arc::new(Field::new_list_field(DataType::Utf8View, true));
        Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), texts, Some(there))?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (texts, lengths) = self.emit(emit_to);
        collected(texts, lengths)
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = columns[0].len();
        let kept: BooleanArray =
            (0..rows).map(|row| Some(filter.is_none_or(|f| f.is_valid(row) && f.value(row)))).collect();
        let texts = arrow::compute::filter(&columns[0], &kept)?;
        collected(texts, kept.values().iter().map(usize::from))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.texts.held() + self.order.capacity() * size_of::<Pair>()
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
        is_distinct_text(&args) || self.form(args.is_distinct).groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if is_distinct_text(&args) {
            return Ok(Box::<DistinctTexts>::default());
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn column(texts: &[Option<&str>]) -> Vec<ArrayRef> {
        vec![Arc::new(texts.iter().copied().collect::<StringViewArray>())]
    }

    fn lists(accumulator: &mut DistinctTexts, emit_to: EmitTo) -> Vec<Option<Vec<Option<String>>>> {
        let lists = accumulator.evaluate(emit_to).unwrap();
        let texts = |list: ArrayRef| list.as_string_view().iter().map(|text| text.map(str::to_owned)).collect();
        lists.as_list::<i32>().iter().map(|list| list.map(texts)).collect()
    }

    fn list(texts: &[Option<&str>]) -> Option<Vec<Option<String>>> {
        Some(texts.iter().map(|text| text.map(str::to_owned)).collect())
    }

    #[test]
    fn texts_of_groups_stay_in_order_across_parts() {
        let (mut left, mut right, mut all) =
            (DistinctTexts::default(), DistinctTexts::default(), DistinctTexts::default());
        let long = "a text that is too long for a view";
        let texts = column(&[Some("b"), Some(long), None, Some("b"), Some("a"), None, Some("x")]);
        let filter = BooleanArray::from(vec![true, true, true, true, true, true, false]);
        left.update_batch(&texts, &[0, 1, 0, 1, 0, 0, 2], Some(&filter), 3).unwrap();
        right.update_batch(&column(&[Some("a"), Some("c"), Some(long)]), &[1, 1, 0], None, 2).unwrap();
        let first = left.state(EmitTo::First(1)).unwrap();
        all.merge_batch(&first, &[0], 1).unwrap();
        all.merge_batch(&left.state(EmitTo::All).unwrap(), &[1, 2], 3).unwrap();
        all.merge_batch(&right.state(EmitTo::All).unwrap(), &[0, 1], 3).unwrap();
        let skipped = all.convert_to_state(&column(&[Some("z"), None, Some("z")]), None).unwrap();
        all.merge_batch(&[skipped[0].slice(1, 2)], &[3, 3], 4).unwrap();
        assert!(all.size() > 0);
        assert_eq!(lists(&mut all, EmitTo::First(1)), [list(&[Some("b"), None, Some("a"), Some(long)])]);
        let rest = [list(&[Some(long), Some("b"), Some("a"), Some("c")]), None, list(&[None, Some("z")])];
        assert_eq!(lists(&mut all, EmitTo::All), rest);
    }
}
