//! Some files at a time: fetched together, decoded by one thread into one chunk.

use std::sync::Arc;

use bytes::Bytes;
use cloudtarn_record::{Chunk, Decoded, Decoder, Error as RecordError, Origin};
use cloudtarn_source::{LogObject, Source};
use cloudtarn_store::{Fate, LogFile};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use crate::summary::Problem;

/// A group ends with the file that brings it to this many stored bytes …
const GROUP_BYTES: u64 = 1 << 19;
/// … or with this many files.
const GROUP_FILES: usize = 256;
/// Requests under way for one group.
const REQUESTS: usize = 32;

/// Files of one source, to be read.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) source: Arc<Source>,
    pub(crate) objects: Vec<LogObject>,
    pub(crate) bytes: u64,
}

impl Group {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), objects: Vec::new(), bytes: 0 }
    }

    pub(crate) fn push(&mut self, object: LogObject) {
        self.bytes += object.size;
        self.objects.push(object);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= GROUP_BYTES || self.objects.len() >= GROUP_FILES
    }

    /// Whether threads can read the files themselves.
    pub(crate) fn is_local(&self) -> bool {
        self.objects.first().is_some_and(|object| !object.uri.starts_with("s3://"))
    }
}

/// Decoded files, and those that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) files: Vec<LogFile>,
    pub(crate) unread: Vec<Problem>,
}

impl Done {
    pub(crate) fn memory(&self) -> usize {
        self.chunks.iter().map(Chunk::memory).sum::<usize>() + self.files.len() * 400
    }
}

/// The bytes of each file, in the order of the group.
pub(crate) async fn fetch(group: &Group) -> Vec<Result<Bytes, String>> {
    futures::stream::iter(group.objects.clone())
        .map(|object| {
            let source = Arc::clone(&group.source);
            async move { source.read(&object).await.map_err(|error| error.to_string()) }
        })
        .buffered(REQUESTS)
        .collect()
        .await
}

/// Decodes the files of a group; without bodies it reads them first, on this thread.
pub(crate) fn decode(group: &Group, bodies: Option<Vec<Result<Bytes, String>>>, max_file_size: usize) -> Done {
    let mut done = Done::default();
    let mut decoder = Decoder::new(max_file_size);
    let mut chunk = Chunk::default();
    let mut bodies = bodies.map(Vec::into_iter);
    for object in &group.objects {
        let body = match bodies.as_mut().and_then(Iterator::next) {
            Some(body) => body,
            None => group.source.read_blocking(object).map_err(|error| error.to_string()),
        };
        let body = match body {
            Ok(body) => body,
            Err(reason) => {
                done.unread.push(Problem { path: object.uri.clone(), reason });
                continue;
            }
        };
        if Decoder::is_full(&chunk, &body) {
            done.chunks.push(std::mem::take(&mut chunk));
        }
        let origin = Origin { path: Arc::from(object.uri.as_str()), version: Arc::from(object.version.as_str()) };
        match decoder.decode(&body, origin, &mut chunk) {
            // Another limit gives another answer, so the ledger must not keep this one.
            Err(error @ RecordError::TooLarge { .. }) => {
                done.unread.push(Problem { path: object.uri.clone(), reason: error.to_string() });
            }
            decoded => done.files.push(log_file(object, &body, decoded)),
        }
    }
    done.chunks.push(chunk);
    done
}

fn log_file(object: &LogObject, body: &Bytes, decoded: Result<Decoded, RecordError>) -> LogFile {
    let (fate, decoded) = match decoded {
        Ok(decoded) => (fate(&decoded), decoded),
        Err(RecordError::NotCloudTrail(reason)) => (Fate::NotCloudTrail(reason), Decoded::default()),
        // Only a file that is named like a log file should have been one.
        Err(error @ RecordError::NotJson(_)) if object.kind.is_none() => {
            (Fate::NotCloudTrail(error.to_string()), Decoded::default())
        }
        Err(error) => (Fate::Broken(error.to_string()), Decoded::default()),
    };
    LogFile {
        path: object.uri.clone(),
        version: object.version.clone(),
        bytes: body.len() as u64,
        inflated: decoded.inflated,
        sha256: Sha256::digest(body).into(),
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
