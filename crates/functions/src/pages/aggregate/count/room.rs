//! What the distinct texts of a statement have in common.

use std::collections::HashMap;
use std::io::Result;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion_common::{DataFusionError, resources_datafusion_err};

use super::sorted_runs::SpillFile;
use super::texts::Texts;

/// The memory that `count(DISTINCT text)` may take in one statement, and the folder where texts go beyond it.
#[derive(Debug)]
pub struct Room {
    folder: Option<PathBuf>,
    bytes: usize,
    threads: usize,
    taken: AtomicUsize,
    handed: Mutex<Handed>,
}

/// Sets on their way from the first stage of an aggregation to the last, with the memory that they take. They go as they are: as columns
/// they would be copied, and what is on disk would have to be read.
#[derive(Debug, Default)]
struct Handed {
    next: i64,
    sets: HashMap<i64, (Texts, usize)>,
}

impl Room {
    /// Memory in bytes, the folder to spill to (the system's for temporary files by default), and how many threads may count.
    pub fn new(bytes: usize, folder: Option<PathBuf>, threads: usize) -> Self {
        Self { folder, bytes, threads, taken: AtomicUsize::new(0), handed: Mutex::default() }
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Notes that somebody has `now` bytes instead of `before`; whether that is too much for all together.
    pub(super) fn change(&self, before: usize, now: usize) -> bool {
        // Wraps where less is taken than before.
        let by = now.wrapping_sub(before);
        self.taken.fetch_add(by, Ordering::Relaxed).wrapping_add(by) > self.bytes
    }

    /// Bytes from which on a set is worth writing to disk.
    pub(super) fn worth_spilling(&self) -> usize {
        self.bytes / 64
    }

    /// Spills to a new file.
    ///
    /// # Errors
    /// The folder has no room, say.
    pub(super) fn spill(&self, write: impl FnOnce(&mut SpillFile) -> Result<()>) -> datafusion_common::Result<()> {
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let file = tempfile::tempfile_in(&folder).and_then(SpillFile::new);
        file.and_then(|mut file| write(&mut file).and_then(|()| file.finish())).map_err(|error| {
            resources_datafusion_err!(
                "distinct texts have no room in memory, and writing them to {} failed: {error}; make room there, or raise --memory",
                folder.display()
            )
        })
    }

    fn handed(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a set until somebody takes it, and the memory that was noted for it.
    pub(super) fn hand(&self, texts: Texts, bytes: usize) -> i64 {
        let mut handed = self.handed();
        handed.next += 1;
        let number = handed.next;
        handed.sets.insert(number, (texts, bytes));
        number
    }

    /// A set that was handed over, and the memory that is noted for it.
    pub(super) fn take(&self, number: i64) -> Option<(Texts, usize)> {
        self.handed().sets.remove(&number)
    }
}

/// Of a set that cannot be read again.
pub(super) fn unread(error: &std::io::Error) -> DataFusionError {
    resources_datafusion_err!("distinct texts that were written to disk cannot be read: {error}")
}
