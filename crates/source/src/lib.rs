//! Where CloudTrail log files lie, and how to get at them.
//!
//! ```text
//! "s3://bucket/prefix"  "folder"  "x.zip"  ──open──▶ Source ──list(Filter)──▶ LogObject … in the order of days
//!                                                      └────────read(LogObject)──▶ bytes as stored
//! ```
//!
//! A source is a bucket (or a prefix of one), a folder, or a file. [`Source::list`] recognises the layouts in which
//! CloudTrail delivers (account trails, organization trails, Control Tower, any prefix, and copies that begin lower
//! down), leaves out what a [`Filter`] excludes *before* descending, and yields all accounts and regions of one day
//! before the next day, so that who writes the events down meets them nearly sorted. Other services' logs in the same
//! bucket are not listed; files outside any layout come last, with as much known as their names say.
mod archive;
mod error;
mod filter;
mod folder;
mod layout;
mod object;
mod walk;

pub use cloudtarn_record::key::{Day, Kind};
pub use error::{Error, Result};
pub use filter::Filter;
pub use object::LogObject;

use archive::Archives;
use bytes::Bytes;
use folder::Folder;
use futures::stream::{BoxStream, StreamExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a source.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest entry of a zip file that is unpacked, in bytes.
    pub max_entry_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_entry_bytes: 1 << 30,
        }
    }
}

/// A place that holds log files.
#[derive(Debug, Clone)]
pub struct Source {
    /// A canonical path.
    root: PathBuf,
    archives: Arc<Archives>,
}

impl Source {
    /// Opens a folder or a file (a path, or `file:///absolute/path`).
    ///
    /// # Errors
    /// [`Error::Location`] if it is neither, or not there.
    pub async fn open(location: &str, options: &Options) -> Result<Self> {
        let path = location.strip_prefix(folder::SCHEME).unwrap_or(location);
        let root = tokio::fs::canonicalize(path)
            .await
            .map_err(|source| folder::io("open", Path::new(path), source))?;
        Ok(Self {
            root,
            archives: Arc::new(Archives::new(options.max_entry_bytes)),
        })
    }

    /// Lists the log files, day by day; those whose names tell no day come last. Must be polled on a tokio runtime.
    ///
    /// An error is about the one folder, prefix or file that it names; the stream goes on after it.
    pub fn list(&self, filter: &Filter) -> BoxStream<'static, Result<LogObject>> {
        let root = match folder::tree_path(&self.root) {
            Ok(root) => root,
            Err(error) => return futures::stream::iter([Err(error)]).boxed(),
        };
        let folder = Arc::new(Folder::new(self.root.clone(), Arc::clone(&self.archives)));
        walk::walk(Arc::new(folder), root, filter.clone()).boxed()
    }

    /// Reads a file as it is stored.
    ///
    /// # Errors
    /// Names the file, and what to do.
    pub async fn read(&self, object: &LogObject) -> Result<Bytes> {
        let (this, object, uri) = (self.clone(), object.clone(), object.uri.clone());
        let read = tokio::task::spawn_blocking(move || this.read_blocking(&object)).await;
        read.unwrap_or_else(|_| Err(Error::Interrupted { uri }))
    }

    /// Where the file is, if a thread may open it by itself: `None` for objects in S3 and for entries of archives.
    #[must_use]
    pub fn local_path<'a>(&self, object: &'a LogObject) -> Option<&'a Path> {
        let path = object.uri.strip_prefix(folder::SCHEME)?;
        archive::split(path).is_none().then_some(Path::new(path))
    }

    /// Reads a local file or an archive's entry on the calling thread.
    ///
    /// # Errors
    /// Names the file, and what to do. [`Error::Location`] for an object in S3, which only [`Source::read`] reads.
    pub fn read_blocking(&self, object: &LogObject) -> Result<Bytes> {
        let path = object
            .uri
            .strip_prefix(folder::SCHEME)
            .ok_or_else(|| Error::Location {
                location: object.uri.clone(),
                reason: "it is not a local file".to_owned(),
            })?;
        match archive::split(path) {
            Some((archive, entry)) => self.archives.read(archive, entry),
            None => std::fs::read(path)
                .map(Bytes::from)
                .map_err(|source| folder::io("read", Path::new(path), source)),
        }
    }
}
