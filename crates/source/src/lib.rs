//! Where CloudTrail log files lie, and how to get at them.
//!
//! ```text
//! "s3://bucket/prefix"  "folder"  "x.zip"  ──open──▶ Source ──list(Filter)──▶ LogObject … in the order of days
//!                                                      ├────────read(LogObject)──▶ bytes as stored
//!                                                      └──────unpack(LogObject)──▶ a bundle's members with their bytes
//! ```
//!
//! A source is a bucket (or a prefix of one), a folder, a file, or standard input (`-`). [`Source::list`] recognises the layouts in which
//! CloudTrail delivers (account trails, organization trails, Control Tower, any prefix, and copies that begin lower
//! down), leaves out what a [`Filter`] excludes *before* descending, and yields all accounts and regions of one day
//! before the next day, so that who writes the events down meets them nearly sorted (in a bucket, regions that have but a few pages of
//! files a month come after the month's others). Other services' logs in the same
//! bucket are not listed; files outside any layout come last, with as much known as their names say.
mod archive;
mod bundle;
mod credentials;
mod error;
mod filter;
mod folder;
mod layout;
mod object;
mod public_keys;
mod roles;
mod s3;
mod visits;
mod walk;

pub use bundle::{Bundle, Member, Unpacked};
pub use cloudtarn_record::key::{Day, Kind};
pub use credentials::{Keys, service_config};
pub use error::{Error, Result};
pub use filter::Filter;
pub use object::{LogObject, Stored};
pub use public_keys::list_public_keys;
pub use roles::{AskCode, Roles};
pub use visits::{Report, Settled, Visited};

use archive::Archives;
use bundle::ADDRESS_OF_STDIN;
use bytes::Bytes;
use folder::Folder;
use futures::stream::{BoxStream, Stream, StreamExt};
use s3::Bucket;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

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
    /// How buckets are addressed.
    pub addressing: Addressing,
    /// Keys to use instead of any that would be found.
    pub keys: Option<Keys>,
    /// Roles to assume with what was found or given.
    pub roles: Roles,
    /// Do not sign requests: for public buckets.
    pub unsigned: bool,
    /// Pay for requests to buckets that demand it.
    pub request_payer: bool,
    /// How often a failed request is tried again.
    pub max_retries: usize,
    /// Silence after which an answer is given up and the request tried again.
    pub read_timeout: Duration,
    /// Listings under way at the same time in a bucket.
    pub listings: usize,
    /// Requests under way at the same time at most; fewer when S3 says to slow down.
    pub requests: usize,
    /// Largest member of a bundle that is unpacked, in bytes.
    pub max_entry_bytes: u64,
    /// Folder for the temporary file that a large zip archive needs which is not a local file; the system's own if not
    /// given.
    pub spool: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            endpoint: None,
            addressing: Addressing::default(),
            keys: None,
            roles: Roles::default(),
            unsigned: false,
            request_payer: false,
            max_retries: 10,
            read_timeout: Duration::from_secs(20),
            listings: 128,
            requests: 256,
            max_entry_bytes: 1 << 30,
            spool: None,
        }
    }
}

/// How a bucket's name is told to the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Addressing {
    /// In the host's name on AWS, in the path elsewhere.
    #[default]
    Automatic,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    VirtualHost,
}

/// Requests to a bucket so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    /// Requests that were sent, repeated ones counted.
    pub requests: u64,
    /// Of these, tries after a failure.
    pub repeated: u64,
    /// Answers that said to slow down.
    pub slowed: u64,
    /// Credentials that ended early and were renewed.
    pub renewed: u64,
}

impl std::ops::AddAssign for Effort {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.repeated += other.repeated;
        self.slowed += other.slowed;
        self.renewed += other.renewed;
    }
}

impl std::ops::Sub for Effort {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            repeated: self.repeated - other.repeated,
            slowed: self.slowed - other.slowed,
            renewed: self.renewed - other.renewed,
        }
    }
}

/// What became of an object that was listed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// It is there.
    There,
    /// A delete marker hides it; its content may still be there as an older version.
    Hidden {
        /// The delete marker's version id.
        version: String,
    },
    /// It is not there, and no delete marker either.
    Absent,
}

/// A listing, and at its end what there is to say about it.
pub struct Listing {
    objects: BoxStream<'static, Result<LogObject>>,
    report: Arc<Mutex<Report>>,
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Listing {
    /// What was listed; only after the end of the stream is it true.
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stream for Listing {
    type Item = Result<LogObject>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.objects.poll_next_unpin(context)
    }
}

/// Whether a listing looks for files in a folder, given by its address.
#[must_use]
pub fn looks_into(folder: &str, filter: &Filter, settled: &Settled) -> bool {
    // Bundles are not opened again, and what is in them is not met.
    if bundle::split(folder).is_some() {
        return false;
    }
    let place = layout::Place::of(path_of(folder));
    let is_settled = place.day.is_some_and(|day| {
        let folders = format!("/{:04}/{:02}/{:02}/", day.year(), day.month(), day.day());
        folder.find(&folders).is_some_and(|at| settled.covers(&folder[..at], day, day))
    });
    place.step != layout::Step::Foreign && place.wanted(filter) && !is_settled
}

/// The day of delivery that a file's address tells.
#[must_use]
pub fn delivered(uri: &str) -> Option<Day> {
    layout::Place::of(path_of(uri).rsplit_once('/')?.0).day
}

/// The path in a bucket or file system.
fn path_of(uri: &str) -> &str {
    match uri.strip_prefix(s3::SCHEME) {
        Some(rest) => rest.split_once('/').map_or("", |(_, key)| key),
        None => uri.strip_prefix(folder::SCHEME).unwrap_or(uri),
    }
}

/// A place that holds log files. Clones share connections and open archives.
#[derive(Debug, Clone)]
pub struct Source(Place, Limits);

/// What unpacking may take.
#[derive(Debug, Clone)]
struct Limits {
    entry: u64,
    spool: PathBuf,
}

impl Limits {
    fn of(options: &Options) -> Self {
        Self { entry: options.max_entry_bytes, spool: options.spool.clone().unwrap_or_else(std::env::temp_dir) }
    }
}

#[derive(Debug, Clone)]
enum Place {
    Stdin,
    /// The root is a canonical path.
    Local {
        root: PathBuf,
        archives: Arc<Archives>,
    },
    /// The root is a prefix without slashes at its ends.
    S3 {
        root: String,
        bucket: Arc<Bucket>,
    },
}

impl Source {
    /// Opens `s3://bucket/prefix`, a folder, a file (a path, or `file:///absolute/path`), or standard input (`-`).
    ///
    /// A bucket is not asked whether it is there and may be read; the first listing tells.
    ///
    /// # Errors
    /// [`Error::Location`] for other addresses, [`Error::Io`] if there is no such folder or file.
    pub async fn open(location: &str, options: &Options) -> Result<Self> {
        let wrong = |reason: &str| Error::Location { location: location.to_owned(), reason: reason.to_owned() };
        let limits = Limits::of(options);
        if location == "-" {
            if std::io::stdin().is_terminal() {
                return Err(wrong("standard input is a terminal; pipe a bundle or log files into it"));
            }
            return Ok(Self(Place::Stdin, limits));
        }
        if let Some((bucket, prefix)) = s3::split(location) {
            if bucket.is_empty() {
                return Err(wrong("it names no bucket; write s3://bucket/prefix"));
            }
            let bucket = Box::pin(Bucket::open(bucket, options)).await?;
            return Ok(Self(Place::S3 { root: prefix.to_owned(), bucket: Arc::new(bucket) }, limits));
        }
        let path = location.strip_prefix(folder::SCHEME).unwrap_or(location);
        if path.contains("://") {
            return Err(wrong("only s3:// and local folders and files can be read"));
        }
        let root = tokio::fs::canonicalize(path).await.map_err(|error| folder::io("open", Path::new(path), error))?;
        let archives = Arc::new(Archives::new(options.max_entry_bytes));
        Ok(Self(Place::Local { root, archives }, limits))
    }

    /// Lists the log files, day by day; those whose names tell no day come last. Must be polled on a tokio runtime.
    ///
    /// An error is about the one folder, prefix or file that it names; the stream goes on after it.
    pub fn list(&self, filter: &Filter) -> BoxStream<'static, Result<LogObject>> {
        self.list_since(filter, &Settled::default()).objects
    }

    /// As [`Source::list`], without the days that are settled; its report says what was listed.
    pub fn list_since(&self, filter: &Filter, settled: &Settled) -> Listing {
        let report = Arc::<Mutex<Report>>::default();
        let (filter, settled, told) = (filter.clone(), settled.clone(), Arc::clone(&report));
        let objects = match &self.0 {
            Place::Stdin => {
                let (uri, path) = (ADDRESS_OF_STDIN.to_owned(), ADDRESS_OF_STDIN);
                futures::stream::iter([Ok(LogObject::describe(uri, path, String::new(), 0))]).boxed()
            }
            Place::S3 { root, bucket } => walk::walk(Arc::clone(bucket), root.clone(), filter, settled, told).boxed(),
            Place::Local { root, archives } => match folder::tree_path(root) {
                Ok(path) => {
                    let folder = Folder::new(root.clone(), Arc::clone(archives));
                    walk::walk(Arc::new(Arc::new(folder)), path, filter, settled, told).boxed()
                }
                Err(error) => futures::stream::iter([Err(error)]).boxed(),
            },
        };
        Listing { objects, report }
    }

    /// The address under which all files of a bucket lie, with a slash at its end; `None` for local sources.
    #[must_use]
    pub fn bucket_root(&self) -> Option<String> {
        let Place::S3 { root, bucket } = &self.0 else { return None };
        let uri = walk::Tree::uri(&**bucket, root);
        Some(if uri.ends_with('/') { uri } else { format!("{uri}/") })
    }

    /// The requests to the bucket so far; none for local sources.
    #[must_use]
    pub fn effort(&self) -> Effort {
        match &self.0 {
            Place::S3 { bucket, .. } => bucket.effort(),
            Place::Stdin | Place::Local { .. } => Effort::default(),
        }
    }

    /// What became of an object that a listing does not show any more.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub async fn whereabouts(&self, uri: &str) -> Result<Whereabouts> {
        match &self.0 {
            Place::S3 { bucket, .. } => bucket.whereabouts(uri).await,
            Place::Stdin | Place::Local { .. } => {
                let path = uri.strip_prefix(folder::SCHEME).unwrap_or(uri);
                let there = tokio::fs::try_exists(path).await.unwrap_or_default();
                Ok(if there { Whereabouts::There } else { Whereabouts::Absent })
            }
        }
    }

    /// Reads a file as it is stored.
    ///
    /// # Errors
    /// Names the file, and what to do. [`Error::Changed`] if an object is not the one that was listed.
    pub async fn read(&self, object: &LogObject) -> Result<Bytes> {
        if let Place::S3 { bucket, .. } = &self.0 {
            return Ok(bucket.fetch(object).await?.bytes);
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
                let root = root.trim_end_matches('/');
                let key = if root.is_empty() { name.to_owned() } else { format!("{root}/{name}") };
                bucket.write(&key, bytes).await
            }
            Place::Stdin => {
                let reason = "standard input takes no files".to_owned();
                Err(Error::Location { location: name.to_owned(), reason })
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

    fn limits(&self) -> Limits {
        self.1.clone()
    }

    /// Reads a file as it is stored, with the user metadata of its object: of a local file what lies beside it as
    /// `<file>.metadata.json`, in the form that `aws s3api head-object` prints.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub async fn fetch(&self, object: &LogObject) -> Result<Stored> {
        if let Place::S3 { bucket, .. } = &self.0 {
            return bucket.fetch(object).await;
        }
        let (this, object, uri) = (self.clone(), object.clone(), object.uri.clone());
        let read = tokio::task::spawn_blocking(move || this.fetch_blocking(&object)).await;
        read.unwrap_or_else(|_| Err(Error::Interrupted { uri }))
    }

    /// As [`Source::fetch`], of a local file or an archive's entry, on the calling thread.
    ///
    /// # Errors
    /// As [`Source::read_blocking`]. Metadata that is not there, or in another form, is no error: there is none then.
    pub fn fetch_blocking(&self, object: &LogObject) -> Result<Stored> {
        let bytes = self.read_blocking(object)?;
        let beside = LogObject { uri: format!("{}{}", object.uri, folder::SIDECAR), ..object.clone() };
        let sidecar = self.read_blocking(&beside).ok();
        Ok(Stored { bytes, metadata: sidecar.map_or_else(Vec::new, |json| folder::metadata(&json)) })
    }

    /// Where the file is, if a thread may open it by itself: `None` for objects in S3 and for members of bundles.
    #[must_use]
    pub fn local_path<'a>(&self, object: &'a LogObject) -> Option<&'a Path> {
        let path = object.uri.strip_prefix(folder::SCHEME)?;
        bundle::split(path).is_none().then_some(Path::new(path))
    }

    /// Reads a local file or an archive's entry on the calling thread.
    ///
    /// # Errors
    /// Names the file, and what to do. [`Error::Location`] for an object in S3, which only [`Source::read`] reads.
    pub fn read_blocking(&self, object: &LogObject) -> Result<Bytes> {
        let (Place::Local { archives, .. }, Some(path)) = (&self.0, object.uri.strip_prefix(folder::SCHEME)) else {
            let reason = "it is not a file of a local source; bundles are unpacked instead".to_owned();
            return Err(Error::Location { location: object.uri.clone(), reason });
        };
        match archive::split(path) {
            Some((archive, entry)) => archives.read(archive, entry),
            None => std::fs::read(path).map(Bytes::from).map_err(|error| folder::io("read", Path::new(path), error)),
        }
    }
}
