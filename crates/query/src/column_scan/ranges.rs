//! Rows in ascending order, in ranges.

use std::collections::VecDeque;
use std::ops::Range;

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

/// Rows in ascending order.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    pub(super) of: VecDeque<Range<usize>>,
    pub(super) rows: usize,
}

impl Ranges {
    pub(super) fn new(ranges: impl Iterator<Item = Range<usize>>) -> Self {
        let mut all = Self::default();
        ranges.for_each(|range| all.push(range));
        all
    }

    pub(super) fn of(selection: &RowSelection) -> Self {
        let mut at = 0;
        let selectors: Vec<RowSelector> = selection.clone().into();
        Self::new(selectors.into_iter().filter_map(|selector| {
            let start = at;
            at += selector.row_count;
            (!selector.skip).then_some(start..at)
        }))
    }

    pub(super) fn last(&self) -> usize {
        self.of.back().map_or(0, |range| range.end)
    }

    pub(super) fn push(&mut self, range: Range<usize>) {
        self.rows += range.len();
        match self.of.back_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.of.push_back(range),
        }
    }

    /// The first rows, at most so many, which are taken away.
    pub(super) fn take(&mut self, most: usize) -> Vec<Range<usize>> {
        let mut taken = Vec::new();
        let mut left = most;
        while let Some(first) = self.of.front_mut().filter(|_| left > 0) {
            let now = first.len().min(left);
            taken.push(first.start..first.start + now);
            first.start += now;
            left -= now;
            if first.start == first.end {
                self.of.pop_front();
            }
        }
        self.rows -= most - left;
        taken
    }
}
