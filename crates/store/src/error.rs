//! What can go wrong with a store.

use std::path::{Path, PathBuf};

/// Errors of a store. Each names what was tried on which object, and what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no store in the folder.
    #[error("no store in `{0}`; make one with `cloudtarn ingest SOURCE --store DIR`, or name another with --store")]
    NoStore(PathBuf),
    /// No event data store of that id, ARN or name.
    #[error("event data store `{name}` not found; there are: {known}")]
    EventDataStoreNotFound {
        /// As the caller wrote it.
        name: String,
        /// Those that exist, by name.
        known: String,
    },
    /// Another process is ingesting.
    #[error("the store in `{0}` is being written by another process; wait until it ends")]
    Busy(PathBuf),
    /// Another version of the program made the store.
    #[error("the store in `{path}` has format {found}, this program reads format {known}: {}", if found > known {
        "use a newer cloudtarn"
    } else {
        "ingest the logs again into a new folder"
    })]
    Format {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The one that this program knows.
        known: i64,
    },
    /// The name of an event data store breaks Lake's rules (3 to 128 of `a-z A-Z 0-9 . _ -`).
    #[error("`{0}` can't name an event data store: 3 to 128 letters, digits, `.`, `_` or `-`")]
    Name(String),
    /// The settings of an event data store can't be read.
    #[error("settings of event data store `{store}`: {reason}; use a newer cloudtarn")]
    Settings {
        /// Its id.
        store: String,
        /// What is wrong.
        reason: String,
    },
    /// An event data store that takes no events in, or none but imports.
    #[error(
        "event data store `{0}` is deleted or its ingestion is stopped; start it with StartEventDataStoreIngestion, or name another"
    )]
    Stopped(String),
    /// The file system refused.
    #[error("{action} `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The catalogue refused.
    #[error("catalogue `catalog.db`: {reason}{advice}", reason = .0, advice = advice(.0))]
    Catalogue(#[from] rusqlite::Error),
    /// A Parquet file could not be written.
    #[error("writing `{path}`: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: parquet::errors::ParquetError,
    },
    /// A Parquet file could not be read.
    #[error("reading `{path}`: {source}")]
    Reading {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: parquet::errors::ParquetError,
    },
    /// Columns that do not fit their schema: a defect of this program.
    #[error("columns of a commit: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file of the store does not hold what its name promises.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What to do about an error of SQLite.
fn advice(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another program holds it locked: close that program and run again"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; it is damaged: put it back from a backup, or ingest into a new folder"
        }
        Some(ErrorCode::DiskFull) => "; make room on the disk and run again",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; the store must be writable for this: check the folder's permissions and that its disk is not read-only"
        }
        _ => "",
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds the action and the path to an I/O error.
pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_path_buf(), source }
}
