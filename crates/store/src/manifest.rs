//! What a commit did, in a file of its own: `commits/<uuid>.json.zst`, one JSON document.
//!
//! The catalogue can be lost; the manifests and the data files are enough to make it anew. The ledger is here and not in the
//! Parquet footers because every query reads footers, and a commit of thousands of small log files would make them large.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cloudtarn_record::digest::hex;
use serde::Serialize;

use crate::catalogue::{Addition, now, relative};
use crate::deviations;
use crate::disk;
use crate::error::{Result, io};
use crate::snapshot::EventDataStore;
use crate::statistics::ColumnStatistics;

#[derive(Serialize)]
struct Manifest<'a> {
    format: u32,
    created: i64,
    event_data_stores: Vec<Store<'a>>,
    data_files: Vec<Data<'a>>,
    /// Data files of earlier commits that these take the place of.
    retired: &'a [String],
    log_files: Vec<Log<'a>>,
    conflicts: Vec<(&'a str, &'a str, i32)>,
    /// By event data store: columns that deviate, with the keys of a map column that do.
    deviations: BTreeMap<&'a str, BTreeMap<String, Option<BTreeSet<String>>>>,
    digests: Vec<Digest<'a>>,
}

#[derive(Serialize)]
struct Store<'a> {
    id: &'a str,
    arn: &'a str,
    name: &'a str,
    category: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    event_data_store: &'a str,
    path: String,
    bytes: u64,
    rows: u64,
    json_bytes: u64,
    columns: &'a [ColumnStatistics],
}

#[derive(Serialize)]
struct Log<'a> {
    event_data_store: &'a str,
    path: &'a str,
    version: &'a str,
    bytes: u64,
    inflated: u64,
    sha256: String,
    content: Option<String>,
    first_member: Option<String>,
    fate: &'a str,
    reason: Option<&'a str>,
    records: u32,
    broken: Vec<(u32, u64, &'a str)>,
    duplicates: &'a [u32],
}

#[derive(Serialize)]
struct Digest<'a> {
    path: &'a str,
    version: &'a str,
    /// The stored bytes, in hexadecimal digits.
    body: String,
    signature: Option<&'a str>,
    algorithm: Option<&'a str>,
    generated: Option<&'a str>,
}

/// Writes the manifest of a commit, durably.
pub(crate) fn write(root: &Path, stores: &[EventDataStore], addition: &Addition<'_>) -> Result<()> {
    let path = root.join(addition.manifest);
    let manifest = Manifest {
        format: 3,
        created: now(),
        event_data_stores: stores
            .iter()
            .map(|s| Store { id: &s.id, arn: &s.arn, name: &s.name, category: s.category.as_str() })
            .collect(),
        data_files: addition
            .data_files
            .iter()
            .map(|(store, file)| Data {
                event_data_store: store,
                path: relative(root, &file.path),
                bytes: file.bytes,
                rows: file.rows,
                json_bytes: file.json_bytes,
                columns: file.columns(),
            })
            .collect(),
        retired: addition.retired,
        log_files: addition
            .log_files
            .iter()
            .map(|(file, duplicates)| Log {
                event_data_store: addition.ledger_of,
                path: &file.path,
                version: &file.version,
                bytes: file.bytes,
                inflated: file.inflated,
                sha256: hex(&file.sha256),
                content: file.content.map(|content| hex(&content.sha256)),
                first_member: file.content.and_then(|content| content.first_member).map(|hash| hex(&hash)),
                fate: file.fate.as_str(),
                reason: file.fate.reason(),
                records: file.records,
                broken: file.broken.iter().map(|b| (b.index, b.offset, b.reason.as_str())).collect(),
                duplicates,
            })
            .collect(),
        conflicts: addition.conflicts.iter().map(|(s, p, r)| (s.as_str(), p.as_str(), *r)).collect(),
        deviations: addition.deviations.iter().map(|(s, new)| (s.as_str(), deviations::columns(new))).collect(),
        digests: addition
            .digests
            .iter()
            .map(|digest| Digest {
                path: &digest.path,
                version: &digest.version,
                body: hex(&digest.body),
                signature: digest.metadata.signature.as_deref(),
                algorithm: digest.metadata.algorithm.as_deref(),
                generated: digest.metadata.generated.as_deref(),
            })
            .collect(),
    };
    let failed = |error: std::io::Error| io("writing", &path)(error);
    let mut encoder = zstd::Encoder::new(Vec::new(), 0).map_err(failed)?;
    serde_json::to_writer(&mut encoder, &manifest).map_err(|error| failed(error.into()))?;
    disk::write(&path, &encoder.finish().map_err(failed)?)
}
