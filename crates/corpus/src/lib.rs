//! A deterministic generator of CloudTrail aggregation buckets as they look today: the same [`Corpus`] gives the same
//! bytes on every machine, whatever the number of threads. All names, numbers and addresses in it are made up, from the
//! ranges that are reserved for documentation.

mod attacks;
mod calendar;
mod catalogue;
mod digests;
mod gzip;
mod insights;
mod logs;
mod plan;
mod pools;
mod principals;
mod record;
mod rng;
mod signing;
mod template;

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use attacks::Planted;
pub use calendar::Day;
pub use digests::{BUCKET, DigestFile, Link, Listed, SignedDigest, hash};
pub use signing::{SigningKey, public_keys};

use gzip::Gzip;
use logs::Logs;

/// How an account's files look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A busy account: 150 records a file in the median.
    Busy,
    /// A quiet account: 5 records a file in the median, and a fifth of the files hold one.
    Quiet,
    /// Few records a file, most of them of 20 to 200 KB.
    Huge,
}

/// What to generate.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Everything random comes from this.
    pub seed: u64,
    /// Distinct management and data events, planted ones among them.
    pub events: u64,
    /// Shape of the files.
    pub profile: Profile,
    /// Number of accounts, at least one; the first is the busiest.
    pub accounts: u32,
    /// Regions, for instance `us-east-1`; the first is the busiest. None means us-east-1.
    pub regions: Vec<String>,
    /// First day.
    pub start: Day,
    /// Number of days, at least one.
    pub days: u32,
    /// Organization id such as `o-exampleorg1`: keys are then `AWSLogs/o-exampleorg1/<account>/…`.
    pub organization: Option<String>,
    /// Share of the events, 0 to 1, that are delivered twice, byte for byte, in a file of a second trail.
    pub duplicates: f64,
    /// Key prefix before `AWSLogs`, without the slash at its end; may be empty.
    pub prefix: String,
    /// Also write Insights files (`CloudTrail-Insight`).
    pub insights: bool,
    /// Also write hourly digest files (`CloudTrail-Digest`), chained and signed: [`public_keys`] verifies them. Costs a
    /// second pass over the log files.
    pub digests: bool,
    /// Also write each digest's S3 metadata, which has its signature, beside it: `<digest>.metadata.json`, in the form of
    /// `aws s3api head-object`.
    pub sidecars: bool,
}

impl Default for Corpus {
    fn default() -> Self {
        Self {
            seed: 1,
            events: 10_000,
            profile: Profile::Busy,
            accounts: 3,
            regions: ["us-east-1", "eu-west-1", "ap-northeast-1"].map(str::to_owned).to_vec(),
            start: Day { year: 2026, month: 3, day: 2 },
            days: 7,
            organization: None,
            duplicates: 0.0,
            prefix: String::new(),
            insights: false,
            digests: false,
            sidecars: false,
        }
    }
}

/// What was generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Log files (Insights and digest files are not counted).
    pub files: u64,
    /// Records in the log files, those delivered twice counted twice.
    pub events: u64,
    /// Distinct events in the log files.
    pub distinct_events: u64,
    /// Bytes of the log files, uncompressed.
    pub raw_bytes: u64,
    /// Bytes of the log files as they are stored.
    pub gz_bytes: u64,
    /// Insights files.
    pub insight_files: u64,
    /// Records in the Insights files.
    pub insight_events: u64,
    /// Digest files.
    pub digest_files: u64,
    /// What is hidden in the log files.
    pub attacks: Vec<Planted>,
}

/// A corpus could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot write {path}: {source}; check that the folder is writable and the disk has room")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A finished file.
#[derive(Debug)]
struct File {
    key: String,
    gz: Vec<u8>,
    raw_bytes: u64,
    records: u64,
    metadata: Vec<(String, String)>,
}

/// A finished object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its user metadata: the signature of a digest.
    pub metadata: Vec<(String, String)>,
}

impl Corpus {
    /// Write the bucket below `folder`, with all the threads of the current rayon pool.
    ///
    /// # Errors
    /// [`Error::Write`] when a folder or file cannot be written; files written until then stay.
    pub fn write(&self, folder: &Path) -> Result<Summary, Error> {
        let logs = Logs::new(self);
        let save = |file: &File| -> Result<(), Error> {
            if self.sidecars && !file.metadata.is_empty() {
                save(&folder.join(format!("{}.metadata.json", file.key)), sidecar(&file.metadata).as_bytes())?;
            }
            save(&folder.join(&file.key), &file.gz)
        };
        let mut summary = (0..logs.len())
            .into_par_iter()
            .map_init(Gzip::new, |gzip, i| {
                let files = logs.files(i, gzip);
                files.iter().try_for_each(save)?;
                let mut summary =
                    Summary { distinct_events: files.first().map_or(0, |f| f.records), ..Summary::default() };
                for file in &files {
                    summary.files += 1;
                    summary.events += file.records;
                    summary.raw_bytes += file.raw_bytes;
                    summary.gz_bytes += file.gz.len() as u64;
                }
                Ok(summary)
            })
            .try_reduce(Summary::default, |a, b| {
                Ok(Summary {
                    files: a.files + b.files,
                    events: a.events + b.events,
                    distinct_events: a.distinct_events + b.distinct_events,
                    raw_bytes: a.raw_bytes + b.raw_bytes,
                    gz_bytes: a.gz_bytes + b.gz_bytes,
                    ..a
                })
            })?;
        let mut gzip = Gzip::new();
        if self.insights {
            for file in insights::files(&logs, &mut gzip) {
                save(&file)?;
                summary.insight_files += 1;
                summary.insight_events += file.records;
            }
        }
        if self.digests {
            summary.digest_files = (0..logs.chains())
                .into_par_iter()
                .map(|chain| {
                    let files = digests::files(&logs, chain);
                    files.iter().try_for_each(save)?;
                    Ok(files.len() as u64)
                })
                .try_reduce(|| 0, |a, b| Ok(a + b))?;
        }
        summary.attacks = logs.planted();
        Ok(summary)
    }

    /// The bucket's files one by one, as (key, gzip bytes): the log files in order of their delivery, then Insights
    /// files, then digests. The same bytes as [`Corpus::write`] puts on disk.
    pub fn files(&self) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
        self.objects().map(|object| (object.key, object.bytes))
    }

    /// The bucket's objects one by one, as [`Corpus::files`] gives them, with their metadata.
    pub fn objects(&self) -> impl Iterator<Item = Object> + use<> {
        let logs = std::sync::Arc::new(Logs::new(self));
        let (for_insights, for_digests) = (self.insights.then(|| logs.clone()), self.digests.then(|| logs.clone()));
        let mut gzip = Gzip::new();
        let lines = (0..logs.len()).flat_map(move |i| logs.files(i, &mut gzip));
        let insights = for_insights.into_iter().flat_map(|logs| insights::files(&logs, &mut Gzip::new()));
        let digests =
            for_digests.into_iter().flat_map(|logs| (0..logs.chains()).flat_map(move |c| digests::files(&logs, c)));
        lines.chain(insights).chain(digests).map(|file| Object {
            key: file.key,
            bytes: file.gz,
            metadata: file.metadata,
        })
    }

    /// What is hidden in the corpus, without generating it. An attack is left out of a corpus of which it would, with those
    /// before it, be more than a quarter.
    pub fn planted(&self) -> Vec<Planted> {
        Logs::new(self).planted()
    }
}

/// An object's metadata as `aws s3api head-object` prints it.
#[must_use]
pub fn sidecar(metadata: &[(String, String)]) -> String {
    let pairs: Vec<String> = metadata.iter().map(|(name, value)| format!("\"{name}\": \"{value}\"")).collect();
    format!("{{\"ContentType\": \"application/json\", \"Metadata\": {{{}}}}}\n", pairs.join(", "))
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    match std::fs::write(path, bytes) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(failed)?;
            }
            std::fs::write(path, bytes).map_err(failed)
        }
        done => done.map_err(failed),
    }
}
