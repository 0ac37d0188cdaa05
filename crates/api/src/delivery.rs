//! Results in a folder or bucket, in Lake's own layout, with a signature over their hashes.
//!
//! `[prefix/]AWSLogs/ACCOUNT/CloudTrail-Lake/Query/YYYY/MM/DD/QUERY-ID/result_N.csv.gz` and `…/result_sign.json` (AWS
//! CloudTrail User Guide, "Validate CloudTrail Lake saved query results").

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use cloudtarn_source::Source;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fault::{Answer, Fault};
use crate::imports::check_location;
use crate::results;
use crate::run::Run;
use crate::service::Service;

/// Bytes of text after which a new file begins: a file is sent in one piece.
const FILE_BYTES: u64 = 256 << 20;
/// Buckets that Lake takes.
const BUCKET: std::ops::RangeInclusive<usize> = 3..=63;

impl Service {
    /// Refuses addresses that nothing can be delivered to, before a query is run for them.
    pub(crate) fn check_delivery(&self, uri: &str) -> Answer<()> {
        let roots = self.principals().delivery_roots.as_deref();
        check_location(uri, roots)
            .map_err(|reason| Fault::new("InvalidS3PrefixException", format!("{uri}: {reason}")))?;
        let bucket = uri.strip_prefix("s3://").map(|rest| rest.split('/').next().unwrap_or_default());
        if bucket.is_some_and(|bucket| !BUCKET.contains(&bucket.len())) {
            return Err(Fault::new("InvalidS3BucketNameException", format!("{uri} names no bucket.")));
        }
        Ok(())
    }

    /// Sends the results of a finished query where they were asked for, and writes down how it went.
    pub(crate) async fn deliver(self: &Arc<Self>, run: &mut Run) {
        let Some(uri) = run.delivery.as_ref().map(|delivery| delivery.uri.clone()) else { return };
        let status = match self.send(run, &uri).await {
            Ok(()) => "SUCCESS",
            Err((status, reason)) => {
                tracing::warn!(query = %run.id, uri, reason, "results were not delivered");
                status
            }
        };
        if let Some(delivery) = &mut run.delivery {
            status.clone_into(&mut delivery.status);
        }
        if let Err(error) = self.runs.save(run, false) {
            tracing::error!(%error, query = %run.id, "a delivery can't be written down");
        }
    }

    async fn send(self: &Arc<Self>, run: &Run, uri: &str) -> Result<(), (&'static str, String)> {
        let failed = |reason: String| ("FAILED", reason);
        let written = {
            let (folder, columns) = (self.runs.folder(&run.id), run.columns.clone());
            tokio::task::spawn_blocking(move || write(&folder, &columns)).await
        };
        let hashes = written.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        if let Some(folder) = uri.strip_prefix("file://") {
            fs::create_dir_all(folder).map_err(|e| (refused_by_disk(&e), e.to_string()))?;
        }
        let to =
            Source::open(uri, &cloudtarn_source::Options::default()).await.map_err(|e| (refused(&e), e.to_string()))?;
        let ended = DateTime::from_timestamp_millis(run.ended.unwrap_or(run.created)).unwrap_or_default();
        let place = format!("AWSLogs/{}/CloudTrail-Lake/Query/{}/{}", run.account, ended.format("%Y/%m/%d"), run.id);
        let folder = self.runs.folder(&run.id);
        for (name, _) in &hashes {
            let bytes = tokio::fs::read(folder.join(name)).await.map_err(|e| failed(e.to_string()))?;
            to.write(&format!("{place}/{name}"), Bytes::from(bytes)).await.map_err(|e| (refused(&e), e.to_string()))?;
            let _ = tokio::fs::remove_file(folder.join(name)).await;
        }
        let files: Vec<Value> =
            hashes.iter().map(|(name, hash)| json!({"fileHashValue": hash, "fileName": name})).collect();
        let text = hashes.iter().map(|(_, hash)| hash.as_str()).collect::<Vec<_>>().join(" ");
        let signing = Arc::clone(&self.signing);
        let signed = tokio::task::spawn_blocking(move || signing.sign(&text)).await.ok().flatten();
        let unsigned = || ("FAILED_SIGNING_FILE", "there is no key".to_owned());
        let (signature, fingerprint) = signed.ok_or_else(unsigned)?;
        let sign = json!({
            "version": "1.0",
            "region": run.region,
            "files": files,
            "hashAlgorithm": "SHA-256",
            "signatureAlgorithm": "SHA256withRSA",
            "queryCompleteTime": ended.to_rfc3339_opts(SecondsFormat::Secs, true),
            "hashSignature": signature,
            "publicKeyFingerprint": fingerprint,
        });
        let sent = to.write(&format!("{place}/result_sign.json"), Bytes::from(sign.to_string())).await;
        sent.map_err(|e| {
            if refused(&e) == "ACCESS_DENIED" {
                ("ACCESS_DENIED_SIGNING_FILE", e.to_string())
            } else {
                ("FAILED_SIGNING_FILE", e.to_string())
            }
        })
    }
}

fn refused(error: &cloudtarn_source::Error) -> &'static str {
    match error {
        cloudtarn_source::Error::AccessDenied { .. } | cloudtarn_source::Error::Credentials { .. } => "ACCESS_DENIED",
        cloudtarn_source::Error::NoSuchBucket { .. } | cloudtarn_source::Error::NotFound { .. } => "RESOURCE_NOT_FOUND",
        _ => "FAILED",
    }
}

fn refused_by_disk(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied { "ACCESS_DENIED" } else { "FAILED" }
}

/// Writes `result_N.csv.gz` beside the rows. Gives names and hashes (SHA-256 of the gzip files, in hex).
fn write(folder: &Path, columns: &[String]) -> io::Result<Vec<(String, String)>> {
    let mut rows = results::rows(folder)?.peekable();
    let mut hashes = Vec::new();
    while hashes.is_empty() || rows.peek().is_some() {
        let name = format!("result_{}.csv.gz", hashes.len() + 1);
        let path = folder.join(&name);
        let mut out = GzEncoder::new(BufWriter::new(File::create(&path)?), Compression::default());
        let mut size = line(columns, &mut out)?;
        while size < FILE_BYTES
            && let Some(row) = rows.next()
        {
            size += line(&row?, &mut out)?;
        }
        out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        // As large as what is sent in one piece.
        hashes.push((name, hex::encode(Sha256::digest(fs::read(&path)?))));
    }
    Ok(hashes)
}

/// Every cell in quotes, as Lake and Athena write them.
fn line(cells: &[String], out: &mut impl Write) -> io::Result<u64> {
    let cells: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
    let line = format!("{}\n", cells.join(","));
    out.write_all(line.as_bytes())?;
    Ok(line.len() as u64)
}
