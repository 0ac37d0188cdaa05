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
mod credentials;
mod error;
mod filter;
mod folder;
mod layout;
mod object;
mod s3;
mod walk;

pub use cloudtarn_record::key::{Day, Kind};
pub use credentials::Keys;
pub use error::{Error, Result};
pub use filter::Filter;
pub use object::LogObject;

use archive::Archives;
use bytes::Bytes;
use folder::Folder;
use futures::stream::{BoxStream, StreamExt};
use object_store::ObjectStore;
use s3::Bucket;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a source. The default is what the AWS command line would do.
#[derive(Debug, Clone)]
pub struct Options {
    /// A profile of the shared AWS configuration; otherwise `AWS_PROFILE`, or what the environment offers.
    pub profile: Option<String>,
    /// The bucket's region; otherwise AWS is asked where the bucket is, and failing that the configured region is taken.
    pub region: Option<String>,
    /// A store other than AWS, for example `http://127.0.0.1:9000`; otherwise `AWS_ENDPOINT_URL_S3`, then
    /// `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Keys to use instead of any that would be found.
    pub keys: Option<Keys>,
    /// Do not sign requests: for public buckets.
    pub unsigned: bool,
    /// Pay for requests to buckets that demand it.
    pub request_payer: bool,
    /// How often a failed request is tried again.
    pub max_retries: usize,
    /// Listings under way at the same time in a bucket.
    pub listings: usize,
    /// Largest entry of a zip file that is unpacked, in bytes.
    pub max_entry_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            endpoint: None,
            keys: None,
            unsigned: false,
            request_payer: false,
            max_retries: 10,
            listings: 64,
            max_entry_bytes: 1 << 30,
        }
    }
}

/// A place that holds log files. Clones share connections and open archives.
#[derive(Debug, Clone)]
pub struct Source(Place);

#[derive(Debug, Clone)]
enum Place {
    /// The root is a canonical path.
    Local { root: PathBuf, archives: Arc<Archives> },
    /// The root is a prefix without slashes at its ends.
    S3 { root: String, bucket: Arc<Bucket> },
}

impl Source {
    /// Opens `s3://bucket/prefix`, a folder, or a file (a path, or `file:///absolute/path`).
    ///
    /// A bucket is not asked whether it is there and may be read; the first listing tells.
    ///
    /// # Errors
    /// [`Error::Location`] for other addresses, [`Error::Io`] if there is no such folder or file, [`Error::WrongRegion`]
    /// if nothing tells the bucket's region.
    pub async fn open(location: &str, options: &Options) -> Result<Self> {
        let wrong = |reason: &str| Error::Location { location: location.to_owned(), reason: reason.to_owned() };
        if let Some((bucket, prefix)) = s3::split(location) {
            if bucket.is_empty() {
                return Err(wrong("it names no bucket; write s3://bucket/prefix"));
            }
            let bucket = Box::pin(Bucket::open(bucket, options)).await?;
            return Ok(Self(Place::S3 { root: prefix.to_owned(), bucket: Arc::new(bucket) }));
        }
        let path = location.strip_prefix(folder::SCHEME).unwrap_or(location);
        if path.contains("://") {
            return Err(wrong("only s3:// and local folders and files can be read"));
        }
        let root = tokio::fs::canonicalize(path).await.map_err(|error| folder::io("open", Path::new(path), error))?;
        let archives = Arc::new(Archives::new(options.max_entry_bytes));
        Ok(Self(Place::Local { root, archives }))
    }

    /// A bucket behind any object store, which holds the objects under their keys.
    #[must_use]
    pub fn of_store(store: Arc<dyn ObjectStore>, bucket: &str, prefix: &str, options: &Options) -> Self {
        let bucket = Arc::new(Bucket::of_store(store, bucket, options));
        Self(Place::S3 { root: prefix.trim_matches('/').to_owned(), bucket })
    }

    /// Lists the log files, day by day; those whose names tell no day come last. Must be polled on a tokio runtime.
    ///
    /// An error is about the one folder, prefix or file that it names; the stream goes on after it.
    pub fn list(&self, filter: &Filter) -> BoxStream<'static, Result<LogObject>> {
        match &self.0 {
            Place::S3 { root, bucket } => walk::walk(Arc::clone(bucket), root.clone(), filter.clone()).boxed(),
            Place::Local { root, archives } => match folder::tree_path(root) {
                Ok(path) => {
                    let folder = Folder::new(root.clone(), Arc::clone(archives));
                    walk::walk(Arc::new(Arc::new(folder)), path, filter.clone()).boxed()
                }
                Err(error) => futures::stream::iter([Err(error)]).boxed(),
            },
        }
    }

    /// Reads a file as it is stored.
    ///
    /// # Errors
    /// Names the file, and what to do. [`Error::Changed`] if an object is not the one that was listed.
    pub async fn read(&self, object: &LogObject) -> Result<Bytes> {
        if let Place::S3 { bucket, .. } = &self.0 {
            return bucket.read(object).await;
        }
        let (this, object, uri) = (self.clone(), object.clone(), object.uri.clone());
        let read = tokio::task::spawn_blocking(move || this.read_blocking(&object)).await;
        read.unwrap_or_else(|_| Err(Error::Interrupted { uri }))
    }

    /// Writes a file below this place, in place of one of that name if there is one.
    ///
    /// # Errors
    /// Names the file, and what to do.
    pub async fn write(&self, name: &str, bytes: Bytes) -> Result<()> {
        match &self.0 {
            Place::S3 { root, bucket } => {
                let key = if root.is_empty() { name.to_owned() } else { format!("{root}/{name}") };
                bucket.write(&key, bytes).await
            }
            Place::Local { root, .. } => {
                let path = root.join(name);
                if let Some(folder) = path.parent() {
                    tokio::fs::create_dir_all(folder).await.map_err(|error| folder::io("create", folder, error))?;
                }
                // Whoever watches the folder never meets half a file.
                let half = path.with_extension("part");
                tokio::fs::write(&half, &bytes).await.map_err(|error| folder::io("write", &half, error))?;
                tokio::fs::rename(&half, &path).await.map_err(|error| folder::io("rename to", &path, error))
            }
        }
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
        let (Place::Local { archives, .. }, Some(path)) = (&self.0, object.uri.strip_prefix(folder::SCHEME)) else {
            let reason = "it is not a local file of a local source".to_owned();
            return Err(Error::Location { location: object.uri.clone(), reason });
        };
        match archive::split(path) {
            Some((archive, entry)) => archives.read(archive, entry),
            None => std::fs::read(path).map(Bytes::from).map_err(|error| folder::io("read", Path::new(path), error)),
        }
    }
}
