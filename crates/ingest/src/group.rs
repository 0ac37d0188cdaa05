//! Some files at a time: fetched together, decoded by one thread into one chunk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cloudtarn_record::digest::sha256;
use cloudtarn_record::digest::signature::Metadata;
use cloudtarn_record::{Chunk, Content, Decoded, Decoder, Error as RecordError, Origin};
use cloudtarn_source::{Kind, LogObject, Member, Source, Stored};
use cloudtarn_store::{DigestFile, Fate, LogFile};
use futures::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::bundle::Token;
use crate::summary::Problem;

/// A group ends with the file that brings it to this many stored bytes …
const GROUP_BYTES: u64 = 1 << 19;
/// … or with this many files.
const GROUP_FILES: usize = 256;
/// Requests under way for one group.
const REQUESTS: usize = 32;
/// What the ledger's entry of a file takes until it is committed, in bytes: its addresses here and in the chunk, the manifest, SQLite.
const FILE_MEMORY: usize = 1600;

/// Inflated bytes that few log files have more of: CloudTrail ends a file after some tens of megabytes.
const COMMON_FILE: u64 = 16 << 20;

/// Files of one source, to be read.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) source: Arc<Source>,
    pub(crate) objects: Vec<LogObject>,
    /// What the ledger has of other versions, by place in `objects`.
    priors: Vec<(usize, Prior)>,
    pub(crate) bytes: u64,
    /// Of a bundle's members: what they are members of, their bytes, and the room that these take.
    pub(crate) bundle: Option<Token>,
    pub(crate) bodies: Vec<Bytes>,
    room: Vec<OwnedSemaphorePermit>,
}

/// An earlier version of a file.
#[derive(Debug)]
pub(crate) struct Prior {
    pub(crate) version: String,
    pub(crate) sha256: [u8; 32],
}

impl Group {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        let source = Arc::clone(source);
        Self { source, objects: vec![], priors: vec![], bytes: 0, bundle: None, bodies: vec![], room: vec![] }
    }

    /// A group for members of a bundle.
    pub(crate) fn of_bundle(source: &Arc<Source>, token: &Token) -> Self {
        Self { bundle: Some(token.clone()), ..Self::new(source) }
    }

    pub(crate) fn push(&mut self, object: LogObject, prior: Option<Prior>) {
        self.bytes += object.size;
        self.priors.extend(prior.map(|prior| (self.objects.len(), prior)));
        self.objects.push(object);
    }

    pub(crate) fn push_member(&mut self, member: Member, prior: Option<Prior>) {
        self.push(member.object, prior);
        self.bodies.push(member.body);
        self.room.push(member.room);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= GROUP_BYTES || self.objects.len() >= GROUP_FILES
    }

    /// Whether threads need not wait for the files.
    pub(crate) fn is_local(&self) -> bool {
        self.bundle.is_some() || self.objects.first().is_some_and(|object| !object.uri.starts_with("s3://"))
    }
}

/// Decoded files, and those that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) files: Vec<LogFile>,
    pub(crate) digests: Vec<DigestFile>,
    pub(crate) unread: Vec<Problem>,
    pub(crate) control_messages: u64,
    pub(crate) other_log_events: u64,
    /// What the files are members of.
    pub(crate) bundle: Option<Token>,
    /// Files whose bytes are others than an earlier run read at their address.
    pub(crate) changed: Vec<Problem>,
    /// Files that were written again with the same bytes.
    pub(crate) rewritten: u64,
    /// The run was stopped before the rest of the group.
    pub(crate) cut: bool,
}

impl Done {
    /// Whether a file was so large that memory to decode its like should not be kept.
    pub(crate) fn is_unusual(&self) -> bool {
        self.files.iter().any(|file| file.inflated > COMMON_FILE)
    }

    pub(crate) fn memory(&self) -> usize {
        let digests = self.digests.iter().map(|digest| digest.body.len() + 1000).sum::<usize>();
        self.chunks.iter().map(Chunk::memory).sum::<usize>() + self.files.len() * FILE_MEMORY + digests
    }
}

impl Done {
    /// Tells a file that changed since an earlier run read it.
    fn compare(&mut self, prior: Option<&Prior>, file: &LogFile) {
        match prior {
            None => {}
            Some(prior) if prior.sha256 == file.sha256 => self.rewritten += 1,
            Some(prior) => {
                let (earlier, version) = (&prior.version, &file.version);
                let reason = format!(
                    "version {earlier} was read before, now it is {version} with other bytes; the events of both are kept"
                );
                self.changed.push(Problem { path: file.path.clone(), reason });
            }
        }
    }
}

/// Each file, in the order of the group; once `stop` is set, only those that were asked for before.
pub(crate) async fn fetch(group: &Group, stop: &AtomicBool) -> Vec<Result<Stored, String>> {
    futures::stream::iter(group.objects.clone())
        .take_while(|_| std::future::ready(!stop.load(Ordering::Relaxed)))
        .map(|object| {
            let source = Arc::clone(&group.source);
            async move { source.fetch(&object).await.map_err(|error| error.to_string()) }
        })
        .buffered(REQUESTS)
        .collect()
        .await
}

/// Where groups are decoded one after the other. It keeps its memory, so that a group's events get just what they need.
#[derive(Debug)]
pub(crate) struct Workplace {
    decoder: Decoder,
    chunk: Chunk,
}

impl Workplace {
    pub(crate) fn new(max_file_size: usize) -> Self {
        Self { decoder: Decoder::new(max_file_size), chunk: Chunk::default() }
    }
}

/// Decodes the files of a group, as many as there are bodies of; without bodies it reads them first, on this thread, until
/// `stop` is set, unless they are a bundle's members.
pub(crate) fn decode(
    group: &Group,
    bodies: Option<Vec<Result<Stored, String>>>,
    workplace: &mut Workplace,
    stop: &AtomicBool,
) -> Done {
    let mut done = Done { bundle: group.bundle.clone(), ..Done::default() };
    let Workplace { decoder, chunk } = workplace;
    let mut bodies = bodies.map(Vec::into_iter);
    let mut priors = group.priors.iter().peekable();
    for (index, object) in group.objects.iter().enumerate() {
        let prior = priors.next_if(|(at, _)| *at == index).map(|(_, prior)| prior);
        let body = match (&mut bodies, group.bodies.get(index)) {
            (Some(bodies), _) => match bodies.next() {
                Some(body) => body,
                None => {
                    done.cut = true;
                    break;
                }
            },
            (None, Some(body)) => Ok(Stored { bytes: body.clone(), metadata: vec![] }),
            (None, None) if stop.load(Ordering::Relaxed) => {
                done.cut = true;
                break;
            }
            (None, None) => read(group, object).map_err(|error| error.to_string()),
        };
        let Stored { bytes: body, metadata } = match body {
            Ok(stored) => stored,
            Err(reason) => {
                done.unread.push(Problem { path: object.uri.clone(), reason });
                continue;
            }
        };
        if object.kind == Some(Kind::Digest) {
            done.digests.push(DigestFile {
                path: object.uri.clone(),
                version: object.version.clone(),
                body: body.to_vec(),
                metadata: Metadata::of(metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
            });
            continue;
        }
        if Decoder::is_full(chunk, &body) {
            done.chunks.push(chunk.take());
        }
        let origin = Origin { path: Arc::from(object.uri.as_str()), version: Arc::from(object.version.as_str()) };
        match decoder.decode(&body, origin, chunk) {
            // Another limit gives another answer, so the ledger must not keep this one.
            Err(error @ RecordError::TooLarge { .. }) => {
                done.unread.push(Problem { path: object.uri.clone(), reason: error.to_string() });
            }
            decoded => {
                if let Ok(decoded) = &decoded {
                    done.control_messages += u64::from(decoded.control_messages);
                    done.other_log_events += u64::from(decoded.other_log_events);
                }
                let file = log_file(object, &body, decoded, decoder.content());
                done.compare(prior, &file);
                done.files.push(file);
            }
        }
    }
    done.chunks.push(chunk.take());
    done
}

/// Reads a local file; only digests have metadata that is of use.
fn read(group: &Group, object: &LogObject) -> cloudtarn_source::Result<Stored> {
    match object.kind {
        Some(Kind::Digest) => group.source.fetch_blocking(object),
        _ => Ok(Stored { bytes: group.source.read_blocking(object)?, metadata: Vec::new() }),
    }
}

fn log_file(
    object: &LogObject,
    body: &Bytes,
    decoded: Result<Decoded, RecordError>,
    content: Option<Content>,
) -> LogFile {
    let (fate, decoded) = match decoded {
        Ok(decoded) => (fate(&decoded), decoded),
        Err(RecordError::NotCloudTrail(reason)) => (Fate::NotCloudTrail(reason), Decoded::default()),
        // Only a file that is named like a log file should have been one.
        Err(error @ RecordError::NotJson(_)) if object.kind.is_none_or(|kind| !kind.holds_events()) => {
            (Fate::NotCloudTrail(error.to_string()), Decoded::default())
        }
        Err(error) => (Fate::Broken(error.to_string()), Decoded::default()),
    };
    LogFile {
        path: object.uri.clone(),
        version: object.version.clone(),
        bytes: body.len() as u64,
        inflated: decoded.inflated,
        sha256: sha256(body),
        content,
        fate,
        records: decoded.records,
        broken: decoded.broken,
    }
}

fn fate(decoded: &Decoded) -> Fate {
    if let Some(damage) = &decoded.damage {
        return Fate::Broken(format!("{damage}; the {} records before it are kept", decoded.records));
    }
    match (decoded.records, decoded.broken.first()) {
        (0, None) => Fate::Empty,
        (_, None) => Fate::TakenIn,
        (records, Some(first)) => Fate::Broken(format!(
            "{} of {} records: the first at index {}, {}",
            decoded.broken.len(),
            records as usize + decoded.broken.len(),
            first.index,
            first.reason
        )),
    }
}
