//! Digest files: hourly lists of the delivered log files with their hashes, each naming the digest before it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::File;
use crate::calendar::{iso, stamp};
use crate::gzip::Gzip;
use crate::logs::Logs;
use crate::plan::Place;
use crate::rng::Rng;

const BUCKET: &str = "example-cloudtrail-logs";
const TRAIL: &str = "management-events";

/// The digests of one account and Region, an hour each over the corpus's days, oldest first.
pub(crate) fn files(logs: &Logs, chain: usize, gzip: &mut Gzip) -> Vec<File> {
    let regions = logs.corpus.regions.len();
    let (account, region) = (chain / regions, chain % regions);
    let start = logs.corpus.start.epoch();
    let hours = u64::from(logs.corpus.days) * 24;
    let mut delivered: Vec<Vec<usize>> = vec![Vec::new(); hours as usize];
    for i in 0..logs.len() {
        let place = logs.plan.place(i);
        if (place.account, place.region) == (account, region)
            && let Some(hour) = delivered.get_mut(((place.delivered - start - 1) / 3_600) as usize)
        {
            hour.push(i);
        }
    }
    let mut previous: Option<(String, String, String)> = None;
    let mut files = Vec::new();
    for (hour, indexes) in (0u64..).zip(delivered) {
        let (from, to) = (start + hour * 3_600, start + (hour + 1) * 3_600);
        let (listed, times) = list(logs, &indexes);
        let place = Place { account, region, delivered: to };
        let key = key(logs, place);
        let mut rng = Rng::keyed(logs.corpus.seed, 8 + chain as u64 * 1000, hour);
        let (id, seen) = (logs.account(account), times.unwrap_or((0, 0)));
        let time = |t: u64| {
            let mut out = Vec::new();
            iso(&mut out, t);
            String::from_utf8_lossy(&out).into_owned()
        };
        let event = |t: u64| {
            if times.is_some() { format!("\"{}\"", time(t)) } else { "null".to_owned() }
        };
        let before = match &previous {
            Some((key, hash, signature)) => format!(
                r#""previousDigestS3Bucket":"{BUCKET}","previousDigestS3Object":"{key}","previousDigestHashValue":"{hash}","previousDigestHashAlgorithm":"SHA-256","previousDigestSignature":"{signature}""#
            ),
            None => r#""previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null"#.to_owned(),
        };
        let raw = format!(
            r#"{{"awsAccountId":"{id}","digestStartTime":"{}","digestEndTime":"{}","digestS3Bucket":"{BUCKET}","digestS3Object":"{key}","digestPublicKeyFingerprint":"0123456789abcdef0123456789abcdef","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":{},"oldestEventTime":{},{before},"logFiles":[{listed}]}}"#,
            time(from),
            time(to),
            event(seen.1),
            event(seen.0),
        );
        let mut signature = Vec::new();
        rng.hex(&mut signature, 512);
        previous = Some((key.clone(), hash(raw.as_bytes()), String::from_utf8_lossy(&signature).into_owned()));
        files.push(File { key, gz: gzip.pack(raw.as_bytes()), raw_bytes: raw.len() as u64, records: 0 });
    }
    files
}

fn key(logs: &Logs, place: Place) -> String {
    let (account, region) = (logs.account(place.account), &logs.corpus.regions[place.region]);
    let home = &logs.corpus.regions[0];
    let stamp = stamp(place.delivered, true);
    format!(
        "{}{account}_CloudTrail-Digest_{region}_{TRAIL}_{home}_{stamp}.json.gz",
        logs.folder("CloudTrail-Digest", place)
    )
}

/// The list of log files with their hashes, and the oldest and newest event in them.
fn list(logs: &Logs, indexes: &[usize]) -> (String, Option<(u64, u64)>) {
    let mut listed = String::new();
    let mut times: Option<(u64, u64)> = None;
    for (key, body) in indexes.iter().flat_map(|i| logs.bodies(*i)) {
        let mut text = Vec::new();
        iso(&mut text, body.times.1);
        text.extend_from_slice(br#"","oldestEventTime":""#);
        iso(&mut text, body.times.0);
        let comma = if listed.is_empty() { "" } else { "," };
        let text = String::from_utf8_lossy(&text);
        // Writing to a String cannot fail.
        let _ = write!(
            listed,
            r#"{comma}{{"s3Bucket":"{BUCKET}","s3Object":"{key}","hashValue":"{}","hashAlgorithm":"SHA-256","newestEventTime":"{text}"}}"#,
            hash(&body.raw)
        );
        let (oldest, newest) = times.unwrap_or(body.times);
        times = Some((oldest.min(body.times.0), newest.max(body.times.1)));
    }
    (listed, times)
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
