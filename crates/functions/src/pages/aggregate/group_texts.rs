//! Which texts the groups of an aggregation have, each once: what `count(DISTINCT text)` and `array_agg(DISTINCT text)` by group are made
//! of. DataFusion has a set for each group, and takes the rows of each group one group after the other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, ListArray, StringViewArray};
use datafusion_common::{HashMap, HashSet};
use datafusion_expr::EmitTo;

use crate::recent::Recent;
use crate::runs::Runs;

/// Stands for NULL among the numbers of texts.
const NULL: u32 = u32::MAX;

/// The elements of lists, and the group of each, where `groups` has that of the lists.
pub(super) fn elements(lists: &ListArray, groups: &[usize]) -> (ArrayRef, Vec<usize>) {
    let offsets = lists.value_offsets();
    let first = offsets[0] as usize;
    let mut group_of = Vec::with_capacity(lists.values().len());
    for (list, group) in groups.iter().enumerate() {
        group_of.resize(offsets[list + 1] as usize - first, *group);
    }
    (lists.values().slice(first, group_of.len()), group_of)
}

/// One number a text, one set of pairs of group and number.
#[derive(Default)]
pub(super) struct GroupTexts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    /// Bytes of the texts.
    bytes: usize,
    pairs: HashSet<Pair>,
}

/// The group in the upper half, the number of the text in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pair(u64);

impl Pair {
    fn new(group: usize, number: u32) -> Self {
        Self((group as u64) << 32 | u64::from(number))
    }

    pub(super) fn group(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// The same once so many groups before it are gone.
    fn after(self, groups: usize) -> Self {
        Self(self.0 - ((groups as u64) << 32))
    }
}

impl GroupTexts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        let text: Arc<str> = Arc::from(text);
        self.bytes += text.len();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// How many pairs there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Takes the text of each row that the filter keeps in the row's group, and NULL if `with_nulls`; not what is `taken`
    /// elsewhere. What a group did not have is `new`.
    pub(super) fn offer(
        &mut self,
        texts: &StringViewArray,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        with_nulls: bool,
        mut taken: impl FnMut(usize, &str) -> bool,
        mut new: impl FnMut(Pair),
    ) {
        let kept = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        // Like events stand together: text often is that of the row before, and its view the same then.
        let mut recent = Recent::new(texts.len());
        let mut before = None;
        let take = |row: usize| {
            let pair = if texts.is_null(row) {
                if !with_nulls {
                    return;
                }
                Pair::new(groups[row], NULL)
            } else {
                if taken(groups[row], texts.value(row)) {
                    return;
                }
                let number = recent.get((texts.views()[row], 0), || self.number(texts.value(row)));
                Pair::new(groups[row], number)
            };
            if before != Some(pair) && self.pairs.insert(pair) {
                new(pair);
            }
            before = Some(pair);
        };
        if filter.is_some() {
            return (0..texts.len()).filter(|row| kept(*row)).for_each(take);
        }
        let mut runs = Runs::one(texts.len());
        runs.divide(texts.views());
        runs.divide(groups);
        if let Some(nulls) = texts.nulls().filter(|nulls| nulls.null_count() > 0) {
            runs.divide_bits(nulls.inner());
        }
        runs.starts().for_each(take);
    }

    /// The text of a pair, or NULL.
    pub(super) fn text(&self, pair: Pair) -> Option<&str> {
        self.texts.get(pair.0 as u32 as usize).map(AsRef::as_ref)
    }

    /// What the first groups have, in no order.
    pub(super) fn pairs(&self, groups: usize) -> Vec<Pair> {
        self.pairs.iter().copied().filter(|pair| pair.group() < groups).collect()
    }

    /// Forgets the groups that are emitted, here and in a list of pairs.
    pub(super) fn forget(&mut self, emit_to: EmitTo, list: &mut Vec<Pair>) {
        match emit_to {
            EmitTo::All => {
                *self = Self::default();
                list.clear();
            }
            EmitTo::First(groups) => {
                let later = self.pairs.drain().filter(|pair| pair.group() >= groups);
                self.pairs = later.map(|pair| pair.after(groups)).collect();
                list.retain(|pair| pair.group() >= groups);
                list.iter_mut().for_each(|pair| *pair = pair.after(groups));
            }
        }
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        let text = size_of::<Arc<str>>();
        self.bytes
            + self.texts.capacity() * (text + 16)
            + self.numbers.capacity() * (text + size_of::<u32>() + 1)
            + self.pairs.capacity() * (size_of::<Pair>() + 1)
    }
}
