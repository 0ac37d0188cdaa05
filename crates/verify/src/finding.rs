//! What is found.

use cloudtarn_store::{Object, Verdict};

/// The verdict on one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub object: Object,
    /// Twelve digits; empty if not known.
    pub account: String,
    /// The region; empty if not known.
    pub region: String,
    /// Its address; of what is missing, where AWS delivered it.
    pub path: String,
    /// Its version at that address; empty for what is missing.
    pub version: String,
    /// The end of a digest's period, or when a log file was delivered, UTC milliseconds.
    pub time: Option<i64>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, unless it is plainly valid.
    pub reason: Option<String>,
    /// Of a log file: address of the digest that names it.
    pub digest: Option<String>,
}

/// How many of each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; Verdict::ALL.len()]);

impl Counts {
    /// Of one verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    /// Of all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The worst verdict; `None` if nothing was counted.
    #[must_use]
    pub fn worst(&self) -> Option<Verdict> {
        Verdict::ALL.into_iter().rev().find(|verdict| self.of(*verdict) > 0)
    }

    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.0[verdict as usize] += 1;
    }

    pub(crate) fn sum(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }
}
