//! A bucket, a folder or an archive itself: every digest and log file is read, none is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloudtarn_record::Content;
use cloudtarn_record::digest::signature::Metadata;
use cloudtarn_record::inflate::Inflater;
use cloudtarn_source::{Filter, Kind, LogObject, Source, Stored};
use futures::StreamExt;
use rayon::prelude::*;

use crate::evidence::{Belongs, DigestEvidence, Group, LogEvidence, Seen, Unreadable, belongs};
use crate::place::Layout;
use crate::{Error, Report, Result, Verifier};

/// Objects of a bucket that are read at the same time.
const REQUESTS: usize = 64;

/// What was read so far, for who watches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files to read, as far as they are listed.
    pub listed: AtomicU64,
    /// Files read.
    pub read: AtomicU64,
    /// Their stored bytes.
    pub bytes: AtomicU64,
}

/// A listed file, in few bytes: a bucket has millions.
#[derive(Debug)]
struct Listed {
    folder: u32,
    name: Box<str>,
    version: Box<str>,
    size: u64,
    digest: bool,
}

/// Verifies what a source holds. Files that inflate to more than `max_file_size` bytes count as unreadable.
///
/// # Errors
/// [`Error::Source`] if a part of it cannot be listed; those of who takes the findings.
pub async fn of_source(
    source: Source,
    mut verifier: Verifier<'_>,
    max_file_size: usize,
    progress: Arc<Progress>,
) -> Result<Report> {
    let scope = verifier.scope();
    let filter = Filter {
        accounts: scope.accounts.clone(),
        regions: scope.regions.clone(),
        since: scope.since,
        // The digest after the last day names what came late.
        until: scope.until.map(cloudtarn_record::key::Day::next),
        kinds: Kind::DELIVERED.to_vec(),
    };
    let mut folders: Vec<String> = Vec::new();
    let mut ids: HashMap<String, u32> = HashMap::new();
    let mut groups: BTreeMap<(String, String, String), Vec<Listed>> = BTreeMap::new();
    let mut objects = source.list(&filter);
    while let Some(object) = objects.next().await {
        let object = object?;
        let Some(place) = belongs(&object.uri) else { continue };
        let name = Layout::of(&object.uri).file;
        let folder = object.uri.get(..object.uri.len() - name.len()).unwrap_or_default();
        let id = match ids.get(folder) {
            Some(id) => *id,
            None => {
                let id = folders.len() as u32;
                folders.push(folder.to_owned());
                ids.insert(folder.to_owned(), id);
                id
            }
        };
        let Belongs { root, account, region, digest } = place;
        let (name, version) = (name.into(), object.version.into());
        let listed = Listed { folder: id, name, version, size: object.size, digest };
        groups.entry((root, account, region)).or_default().push(listed);
        progress.listed.fetch_add(1, Ordering::Relaxed);
    }
    drop(ids);
    if groups.is_empty() {
        return Err(Error::Nothing(filter_name(&folders)));
    }
    let (source, folders) = (Arc::new(source), Arc::new(folders));
    for ((root, account, region), files) in groups {
        let reading = Reading {
            source: Arc::clone(&source),
            folders: Arc::clone(&folders),
            progress: Arc::clone(&progress),
            max_file_size,
        };
        let (digests, log_files) = reading.read(files).await;
        verifier.group(Group { root, account, region, digests, log_files })?;
    }
    verifier.finish()
}

fn filter_name(folders: &[String]) -> String {
    folders.first().cloned().unwrap_or_else(|| "the source".to_owned())
}

struct Reading {
    source: Arc<Source>,
    folders: Arc<Vec<String>>,
    progress: Arc<Progress>,
    max_file_size: usize,
}

enum Read {
    Digest(Box<DigestEvidence>),
    LogFile(LogEvidence),
}

impl Reading {
    async fn read(self, files: Vec<Listed>) -> (Vec<DigestEvidence>, Vec<LogEvidence>) {
        let remote = files.first().is_some_and(|file| self.object(file).uri.starts_with("s3://"));
        let this = Arc::new(self);
        let read: Vec<Read> = if remote {
            futures::stream::iter(files)
                .map(|file| {
                    let this = Arc::clone(&this);
                    async move {
                        let object = this.object(&file);
                        let stored = this.source.fetch(&object).await;
                        let judged = tokio::task::spawn_blocking(move || {
                            let mut inflater = Inflater::new(this.max_file_size);
                            this.look(&file, object, stored, &mut inflater, &mut Vec::new())
                        });
                        judged.await.ok()
                    }
                })
                .buffer_unordered(REQUESTS)
                .filter_map(std::future::ready)
                .collect()
                .await
        } else {
            let all = tokio::task::spawn_blocking(move || {
                let state = || (Inflater::new(this.max_file_size), Vec::new());
                let look = |(inflater, buffer): &mut (Inflater, Vec<u8>), file: &Listed| {
                    let object = this.object(file);
                    let stored = if file.digest {
                        this.source.fetch_blocking(&object)
                    } else {
                        let bytes = this.source.read_blocking(&object);
                        bytes.map(|bytes| Stored { bytes, metadata: Vec::new() })
                    };
                    this.look(file, object, stored, inflater, buffer)
                };
                files.par_iter().map_init(state, look).collect()
            });
            all.await.unwrap_or_default()
        };
        let (mut digests, mut log_files) = (Vec::new(), Vec::new());
        for read in read {
            match read {
                Read::Digest(digest) => digests.push(*digest),
                Read::LogFile(file) => log_files.push(file),
            }
        }
        log_files.sort_by(|a: &LogEvidence, b| a.path.cmp(&b.path));
        (digests, log_files)
    }

    fn object(&self, file: &Listed) -> LogObject {
        let folder = self.folders.get(file.folder as usize).map_or("", String::as_str);
        LogObject {
            uri: format!("{folder}{}", file.name),
            version: file.version.to_string(),
            size: file.size,
            kind: None,
            day: None,
            organization: None,
            account: None,
            region: None,
        }
    }

    fn look(
        &self,
        file: &Listed,
        object: LogObject,
        stored: cloudtarn_source::Result<Stored>,
        inflater: &mut Inflater,
        buffer: &mut Vec<u8>,
    ) -> Read {
        self.progress.read.fetch_add(1, Ordering::Relaxed);
        self.progress.bytes.fetch_add(file.size, Ordering::Relaxed);
        let (path, version) = (object.uri, object.version);
        match (stored, file.digest) {
            (Ok(stored), true) => {
                let pairs = stored.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                Read::Digest(Box::new(DigestEvidence::new(path, version, &stored.bytes, Metadata::of(pairs))))
            }
            (Err(error), true) => Read::Digest(Box::new(DigestEvidence::not_read(path, version, error.to_string()))),
            (Ok(stored), false) => {
                buffer.clear();
                let seen = match inflater.append(&stored.bytes, buffer) {
                    Ok(first_member) => Seen::Content(Content::of(buffer, first_member)),
                    Err(error @ cloudtarn_record::Error::TooLarge { .. }) => {
                        Seen::Unreadable(Unreadable::NotRead(error.to_string()))
                    }
                    Err(error) => Seen::Unreadable(Unreadable::Damaged(error.to_string())),
                };
                Read::LogFile(LogEvidence { path, version, seen })
            }
            (Err(error), false) => {
                let seen = Seen::Unreadable(Unreadable::NotRead(error.to_string()));
                Read::LogFile(LogEvidence { path, version, seen })
            }
        }
    }
}
