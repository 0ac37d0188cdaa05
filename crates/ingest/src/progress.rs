//! What a run has done so far, for who watches it. All counters only grow.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters that the pipeline moves and others may read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files listed.
    pub listed: AtomicU64,
    /// Their stored bytes.
    pub listed_bytes: AtomicU64,
    /// Of these, files that were taken in by an earlier run.
    pub passed: AtomicU64,
    /// The bytes of those.
    pub passed_bytes: AtomicU64,
    /// Files read and decoded.
    pub files: AtomicU64,
    /// Their stored bytes.
    pub bytes: AtomicU64,
    /// Their inflated bytes.
    pub inflated: AtomicU64,
    /// Events decoded, duplicates counted.
    pub events: AtomicU64,
    /// Events that are safe in the store.
    pub committed: AtomicU64,
    /// Files that were broken or could not be read.
    pub problems: AtomicU64,
    /// Everything is listed: the totals are final.
    pub listing_done: AtomicBool,
}

impl Progress {
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}
