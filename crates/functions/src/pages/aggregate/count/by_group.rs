//! `count(DISTINCT text)` by group. Groups with few texts share one set of pairs; one with many has a set of its own.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringViewArray, StringViewBuilder};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion_common::{Result, internal_err};
use datafusion_expr::{EmitTo, GroupsAccumulator};

use super::room::{Room, unread};
use super::texts::Texts;
use crate::pages::aggregate::group_texts::{GroupTexts, elements};

/// From so many texts on a group has a set of its own.
const LARGE: i64 = 4096;
/// The same once all groups together have [`MANY`].
const LARGE_OF_MANY: i64 = 64;
const MANY: usize = 1 << 18;

/// Distinct text of all groups.
pub(super) struct DistinctByGroup {
    room: Arc<Room>,
    /// What groups had before they had a set of their own, and all of those that have none.
    pairs: GroupTexts,
    /// How many of the pairs are each group's.
    counts: Vec<i64>,
    /// One a group, and the memory that it takes.
    sets: Vec<Option<Box<(Texts, usize)>>>,
    /// Bytes of all sets.
    held: usize,
    /// Bytes that the room knows of.
    taken: usize,
}

impl DistinctByGroup {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, pairs: GroupTexts::default(), counts: Vec::new(), sets: Vec::new(), held: 0, taken: 0 }
    }

    /// Counts the texts of the rows that the filter keeps, each in its row's group.
    fn offer(
        &mut self,
        texts: &StringViewArray,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let Self { pairs, counts, sets, held, .. } = self;
        counts.resize(total.max(counts.len()), 0);
        let (mut grown, mut all) = (Vec::new(), pairs.len());
        let large = |group: usize, text: &str| {
            let Some(set) = sets.get_mut(group).and_then(Option::as_mut) else { return false };
            let (texts, size) = &mut **set;
            if texts.insert(text) {
                *held -= *size;
                *size = texts.size();
                *held += *size;
            }
            true
        };
        pairs.offer(texts, groups, filter, false, large, |pair| {
            let count = &mut counts[pair.group()];
            *count += 1;
            all += 1;
            if *count >= LARGE || *count >= LARGE_OF_MANY && all >= MANY {
                grown.push(pair.group());
            }
        });
        grown.into_iter().for_each(|group| {
            self.set(group);
        });
        self.account()
    }

    /// The group's own set, made if it has none.
    fn set(&mut self, group: usize) -> &mut (Texts, usize) {
        if self.sets.len() <= group {
            self.sets.resize_with(group + 1, || None);
        }
        self.sets[group].get_or_insert_default()
    }

    /// Tells the room, and makes room where there is too little.
    fn account(&mut self) -> Result<()> {
        let over = self.room.change(self.taken, self.held);
        self.taken = self.held;
        let least = self.room.worth_spilling();
        if over && self.held > least {
            // Small sets would make many small runs.
            let small = (self.held / 2 / self.sets.iter().flatten().count().max(1)).min(least);
            let Self { room, sets, held, .. } = self;
            room.spill(|file| {
                for set in sets.iter_mut().flatten().filter(|set| set.1 > small) {
                    set.0.spill(file)?;
                    *held -= set.1;
                    set.1 = set.0.size();
                    *held += set.1;
                }
                Ok(())
            })?;
            self.room.change(self.taken, self.held);
            self.taken = self.held;
        }
        Ok(())
    }

    /// Groups that are emitted.
    fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(groups) => groups,
        }
    }

    /// Takes the first groups' sets, with all that they have, and forgets what they had among the pairs.
    fn take_sets(&mut self, groups: usize) -> Vec<Option<Box<(Texts, usize)>>> {
        let many = self.sets.len().min(groups);
        let mut sets: Vec<_> = self.sets.drain(..many).collect();
        if sets.iter().any(Option::is_some) {
            for pair in self.pairs.pairs(many) {
                if let (Some(set), Some(text)) = (&mut sets[pair.group()], self.pairs.text(pair)) {
                    set.0.insert(text);
                }
            }
        }
        for set in sets.iter_mut().flatten() {
            self.held -= set.1;
            set.1 = set.0.size();
        }
        sets.resize_with(groups, || None);
        sets
    }

    /// Forgets the groups that are emitted.
    fn forget(&mut self, emit_to: EmitTo) -> Vec<i64> {
        self.pairs.forget(emit_to, &mut Vec::new());
        emit_to.take_needed(&mut self.counts)
    }
}

/// The state of groups: the number of a set that the room has, and a list of texts.
fn states(sets: Int64Array, lengths: impl ExactSizeIterator<Item = usize>, texts: ArrayRef) -> Result<Vec<ArrayRef>> {
    let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let lists = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), texts, None)?;
    Ok(vec![Arc::new(sets), Arc::new(lists)])
}

impl GroupsAccumulator for DistinctByGroup {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.offer(columns[0].as_string_view(), groups, filter, total)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        for (number, group) in states[0].as_primitive::<Int64Type>().iter().zip(groups) {
            let Some(number) = number else { continue };
            let Some((texts, taken)) = self.room.take(number) else { return internal_err!("no set of texts {number}") };
            self.taken += taken;
            let (set, size) = self.set(*group);
            set.merge(texts);
            let before = std::mem::replace(size, set.size());
            let now = *size;
            self.held = self.held - before + now;
        }
        let (texts, group_of) = elements(states[1].as_list::<i32>(), groups);
        self.offer(texts.as_string_view(), &group_of, None, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sets = self.take_sets(self.emitted(emit_to));
        let mut counts = self.forget(emit_to);
        for (count, set) in counts.iter_mut().zip(sets) {
            if let Some(mut set) = set {
                *count = set.0.len(self.room.threads()).map_err(|error| unread(&error))? as i64;
            }
        }
        self.account()?;
        Ok(Arc::new(Int64Array::new(ScalarBuffer::from(counts), None)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emitted(emit_to);
        let sets = self.take_sets(groups);
        let mut pairs = self.pairs.pairs(groups);
        pairs.retain(|pair| sets[pair.group()].is_none());
        pairs.sort_unstable();
        let mut texts = StringViewBuilder::with_capacity(pairs.len());
        pairs.into_iter().for_each(|pair| texts.append_option(self.pairs.text(pair)));
        let lengths = self.forget(emit_to).into_iter().zip(&sets);
        let lengths: Vec<usize> = lengths.map(|(count, set)| if set.is_some() { 0 } else { count as usize }).collect();
        let handed: usize = sets.iter().flatten().map(|set| set.1).sum();
        self.room.change(self.taken, self.held + handed);
        self.taken = self.held;
        let hand = |set: Box<(Texts, usize)>| self.room.hand(set.0, set.1);
        let numbers: Int64Array = sets.into_iter().map(|set| set.map(hand)).collect();
        states(numbers, lengths.into_iter(), Arc::new(texts.finish()))
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = &columns[0];
        let kept: BooleanArray = (0..column.len())
            .map(|row| Some(column.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row))))
            .collect();
        let texts = arrow::compute::filter(column, &kept)?;
        let lengths: Vec<usize> = kept.values().iter().map(usize::from).collect();
        states(Int64Array::new_null(lengths.len()), lengths.into_iter(), texts)
    }

    fn size(&self) -> usize {
        let sets = self.sets.capacity() * size_of::<Option<Box<(Texts, usize)>>>() + self.held;
        size_of_val(self) + self.pairs.held() + self.counts.capacity() * size_of::<i64>() + sets
    }
}

impl Drop for DistinctByGroup {
    fn drop(&mut self) {
        self.room.change(self.taken, 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn accumulator() -> DistinctByGroup {
        DistinctByGroup::new(Arc::new(Room::new(usize::MAX, None, 1)))
    }

    fn column(texts: &[Option<&str>]) -> Vec<ArrayRef> {
        vec![Arc::new(texts.iter().copied().collect::<StringViewArray>())]
    }

    fn counts(accumulator: &mut DistinctByGroup, emit_to: EmitTo) -> Vec<i64> {
        accumulator.evaluate(emit_to).unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn nulls_doubles_and_dropped_rows_do_not_count() {
        let mut accumulator = accumulator();
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
        let (mut left, mut right, mut all) = (accumulator(), accumulator(), accumulator());
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

    /// Batches for two parts: group and number of each row, the first groups with the more texts.
    fn batches() -> impl Strategy<Value = Vec<(bool, Vec<(usize, usize)>)>> {
        let row = (0..4_usize).prop_flat_map(|group| (Just(group), 0..8 * 10_usize.pow(4 - group as u32)));
        prop::collection::vec((any::<bool>(), prop::collection::vec(row, 0..20_000)), 1..5)
    }

    fn text(number: usize) -> String {
        match number % 3 {
            0 => format!("{number:08x}-0000-4000-8000-{number:012x}"),
            1 => format!("name{number}"),
            _ => format!("arn:aws:iam::111122223333:user/u{number}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn groups_small_and_large_count_as_sets_do(batches in batches(), bytes in prop_oneof![Just(usize::MAX), 0..2_000_000_usize], first in 0..=4_usize) {
            let room = Arc::new(Room::new(bytes, None, 2));
            let new = || DistinctByGroup::new(Arc::clone(&room));
            let (mut parts, mut whole, mut sets) = ([new(), new()], new(), vec![BTreeSet::new(); 4]);
            for (part, rows) in batches {
                let texts: StringViewArray = rows.iter().map(|row| Some(text(row.1))).collect();
                let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
                rows.iter().for_each(|(group, number)| {
                    sets[*group].insert(*number);
                });
                let part = &mut parts[usize::from(part)];
                part.update_batch(&[Arc::new(texts)], &groups, None, 4).unwrap();
            }
            // The parts' groups come as others, and in two goes.
            for part in &mut parts {
                part.update_batch(&column(&[]), &[], None, 4).unwrap();
                let state = part.state(EmitTo::First(first)).unwrap();
                whole.merge_batch(&state, &[3, 2, 1, 0][..first], 4).unwrap();
                let state = part.state(EmitTo::All).unwrap();
                whole.merge_batch(&state, &[3, 2, 1, 0][first..], 4).unwrap();
            }
            let mut found = counts(&mut whole, EmitTo::First(first));
            found.extend(counts(&mut whole, EmitTo::All));
            let expected: Vec<i64> = sets.iter().rev().map(|set| set.len() as i64).collect();
            prop_assert_eq!(found, expected);
            drop((parts, whole));
            prop_assert!(!room.change(0, bytes), "all that was taken was given back");
        }
    }
}
