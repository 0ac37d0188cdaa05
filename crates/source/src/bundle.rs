//! Bundles: a bucket, or a part of one, in one file, as responders receive it.
//!
//! ```text
//! file · object · standard input ──▶ tar, tar.gz, tar.zst, zip, zst ──▶ members, one after the other ──▶ log files
//! ```
//!
//! A bundle is read once, from its start to its end, and nothing is written to disk (but for a large zip archive that is not
//! a local file: its directory is at its end). In memory are the members that wait to be decoded, [`IN_MEMORY`] bytes of them
//! or one that is larger. Names decide which files are worth a look inside; what they are, their first bytes tell.
mod form;
mod input;
mod tar;
mod unpack;

use crate::{Error, Filter, LogObject, Place, Source, folder, s3};
use bytes::Bytes;
use std::path::Path;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

pub(crate) use input::{BOMB, is_bomb};
pub(crate) use unpack::ADDRESS_OF_STDIN;

/// Stands between a bundle's path and a member's name.
pub(crate) const SEPARATOR: &str = "!/";
/// Bytes of members that are unpacked ahead of who takes them.
const IN_MEMORY: usize = 64 << 20;
/// Members, empty ones too, that are unpacked ahead.
const AHEAD: usize = 256;
/// Ends of bundles' names. Those that cannot be read are among them, so that somebody says so.
const ENDS: [&str; 12] =
    [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".zip", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".7z", ".rar"];
/// What stands before `.zst` in the name of a single log file.
const TEXTS: [&str; 6] = [".json", ".jsonl", ".ndjson", ".log", ".csv", ".txt"];

/// Whether a file may be a bundle, by its name.
pub(crate) fn is_bundle(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let single = |rest: &str| TEXTS.iter().any(|text| rest.ends_with(text));
    ENDS.iter().any(|end| name.ends_with(end)) || name.strip_suffix(".zst").is_some_and(|rest| !single(rest))
}

/// Whether a part of a member's path is the bundle that it lies in.
pub(crate) fn is_bundle_segment(segment: &str) -> bool {
    segment.strip_suffix('!').is_some_and(|name| is_bundle(name) || name == ADDRESS_OF_STDIN)
}

/// Splits `…/x.tar!/member`.
pub(crate) fn split(path: &str) -> Option<(&Path, &str)> {
    path.match_indices(SEPARATOR).find_map(|(at, _)| {
        let bundle = path.get(..at)?;
        is_bundle(bundle).then_some((Path::new(bundle), path.get(at + SEPARATOR.len()..)?))
    })
}

/// A file of a bundle.
#[derive(Debug)]
pub struct Member {
    /// Its address is `<bundle>!/<name>`, its version tells its content. Of a file that was no bundle: that file.
    pub object: LogObject,
    /// As stored in the bundle.
    pub body: Bytes,
    /// Room in memory, given back when this is dropped: more is unpacked then.
    pub room: OwnedSemaphorePermit,
}

/// A bundle that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The bundle itself; of standard input, size and version are known now.
    pub object: LogObject,
    /// Of its bytes as stored.
    pub sha256: [u8; 32],
    /// Files in it, those of bundles in it too.
    pub members: u64,
    /// Files that are log files, and not of the accounts, regions or days that were asked for.
    pub left_out: u64,
    /// Files that could not be unpacked.
    pub unread: u64,
    /// Where it, or a bundle in it, ends early or makes no sense, and why; what comes before was unpacked.
    pub damage: Option<String>,
}

/// What unpacking gives, in the order of the bundle. Without an end the bundle was not read to its end, or it was a single
/// log file.
#[derive(Debug)]
pub enum Unpacked {
    /// A log file.
    Member(Member),
    /// A member, or the rest of the bundle, cannot be read.
    Unread(Error),
    /// There is no more.
    End(Bundle),
}

impl Source {
    /// Whether an object is to be unpacked and not read: a bundle by its name, or what the source was opened with, whatever
    /// its name.
    #[must_use]
    pub fn is_bundle(&self, object: &LogObject) -> bool {
        let given = match &self.0 {
            Place::Stdin => true,
            Place::Local { root, .. } => self.local_path(object) == Some(root),
            Place::S3 { root, .. } => s3::split(&object.uri).is_some_and(|(_, key)| key == root),
        };
        given || is_bundle(&object.uri)
    }

    /// Unpacks a bundle on a thread of its own, which ends when it is done or when nobody receives any more. Members that
    /// the filter does not admit are not handed over. Must be called on a tokio runtime.
    #[must_use]
    pub fn unpack(&self, object: &LogObject, filter: &Filter) -> mpsc::Receiver<Unpacked> {
        let (send, receive) = mpsc::channel(AHEAD);
        let (source, object, filter, handle) = (self.clone(), object.clone(), filter.clone(), Handle::current());
        let uri = object.uri.clone();
        let failed = send.clone();
        let work = move || unpack::run(&source, object, filter, &handle, send);
        if let Err(error) = std::thread::Builder::new().name("unpack".to_owned()).spawn(work) {
            // There is room: nobody else sends.
            let _ = failed.try_send(Unpacked::Unread(folder::io("unpack", Path::new(&uri), error)));
        }
        receive
    }
}

#[cfg(test)]
mod tests;
