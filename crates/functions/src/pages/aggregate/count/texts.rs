//! A set of texts: ids and names as their bits, which are a quarter of the text and quick to compare; all others as they are.

use std::io::Result;

use datafusion_common::HashSet;

use super::packed::{Packed, pack};
use super::sorted_runs::{SortedRuns, SpillFile};

#[derive(Debug, Default)]
pub(super) struct Texts {
    uuids: SortedRuns<u128>,
    shorts: SortedRuns<u128>,
    others: HashSet<Box<str>>,
    /// Of the others' text.
    bytes: usize,
    spilled: SortedRuns<Box<str>>,
}

impl Texts {
    /// Whether the set now takes another amount of memory.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        match pack(text) {
            Some(Packed::Uuid(bits)) => self.uuids.insert(bits),
            Some(Packed::Short(bits)) => self.shorts.insert(bits),
            None if self.others.contains(text) => false,
            None => {
                self.bytes += text.len();
                self.others.insert(text.into())
            }
        }
    }

    /// Takes what another set has.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.uuids.merge(other.uuids);
        self.shorts.merge(other.shorts);
        self.spilled.merge(other.spilled);
        if self.others.len() < other.others.len() {
            std::mem::swap(&mut self.others, &mut other.others);
        }
        self.others.extend(other.others);
        self.bytes = self.others.iter().map(|text| text.len()).sum();
    }

    /// Counts each text once.
    ///
    /// # Errors
    /// What was spilled cannot be read.
    pub(super) fn len(&mut self, threads: usize) -> Result<usize> {
        let others = if self.spilled.is_empty() {
            self.others.len()
        } else {
            self.gather_others();
            self.spilled.len(threads)?
        };
        Ok(self.uuids.len(threads)? + self.shorts.len(threads)? + others)
    }

    fn gather_others(&mut self) {
        self.bytes = 0;
        for text in std::mem::take(&mut self.others) {
            self.bytes += text.len();
            self.spilled.insert(text);
        }
    }

    /// Moves what is in memory to the file.
    ///
    /// # Errors
    /// The file's.
    pub(super) fn spill(&mut self, file: &mut SpillFile) -> Result<()> {
        self.uuids.spill(file)?;
        self.shorts.spill(file)?;
        self.gather_others();
        self.spilled.spill(file)?;
        self.bytes = 0;
        Ok(())
    }

    /// Bytes on the heap.
    pub(super) fn size(&self) -> usize {
        let others = self.others.capacity() * (size_of::<Box<str>>() + 1) + self.bytes;
        others + self.uuids.size() + self.shorts.size() + self.spilled.size()
    }
}
