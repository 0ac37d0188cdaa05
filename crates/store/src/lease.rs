//! Who still reads files that a compaction has merged.
//!
//! `readers.lock` is locked shared by everybody who holds a snapshot. Files that no later snapshot sees are removed by a
//! writer that gets the lock for itself; while it has it nobody takes a snapshot, so nobody can come to need them.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::crash;
use crate::error::{Result, io};
use crate::identities;

/// Keeps the files of a snapshot from being removed, for as long as it or a clone of it lives.
#[derive(Debug, Clone)]
pub struct Lease(#[allow(dead_code, reason = "held for the lock")] Option<Arc<File>>);

impl Lease {
    /// For a writer, who alone removes files.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

/// A lease is a right, not a part of what a snapshot is.
impl PartialEq for Lease {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("readers.lock")
}

fn open(root: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path(root))
}

/// To be taken before the catalogue is asked for files. On a file system that can't be written to, nobody else can remove
/// files either, and the lease is empty.
pub(crate) fn take(root: &Path) -> Lease {
    let locked = open(root).or_else(|_| File::open(path(root))).and_then(|file| file.lock_shared().map(|()| file));
    Lease(locked.ok().map(Arc::new))
}

/// Removes the data files that later snapshots do not see, unless somebody reads; then a later call does. Gives how many.
pub(crate) fn remove_retired(root: &Path, catalogue: &mut Catalogue) -> Result<u64> {
    let retired = catalogue.retired()?;
    if retired.is_empty() {
        return Ok(0);
    }
    let lock = path(root);
    let file = open(root).map_err(io("opening", &lock))?;
    if file.try_lock().is_err() {
        return Ok(0);
    }
    crash::point("found retired")?;
    // First out of the catalogue: files that it does not name are swept if this process ends here.
    catalogue.set_removed(&retired)?;
    for data_file in &retired {
        crash::point("removing retired")?;
        let data_file = root.join(data_file);
        for path in [identities::path(&data_file), data_file] {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::info!(path = %path.display(), %error, "a merged file is left for the next sweep");
            }
        }
    }
    Ok(retired.len() as u64)
}
