//! Digest files: hourly lists of the delivered log files with their hashes, each naming the digest before it, signed.

use sha2::{Digest, Sha256};

use crate::File;
use crate::calendar::{folder, iso, stamp};
use crate::gzip::Gzip;
use crate::logs::Logs;
use crate::signing::{SigningKey, hex};

/// The bucket that a corpus's digests say they were delivered to.
pub const BUCKET: &str = "example-cloudtrail-logs";
const TRAIL: &str = "audit";

/// A digest before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestFile {
    /// The bucket it is delivered to.
    pub bucket: String,
    /// What comes before `AWSLogs/` in its key, with the slash at its end; may be empty.
    pub prefix: String,
    /// The organization whose trail this is.
    pub organization: Option<String>,
    /// Twelve digits.
    pub account: String,
    /// The region whose log files it lists.
    pub region: String,
    /// The trail's name.
    pub trail: String,
    /// The trail's home region.
    pub home_region: String,
    /// Start of its period, seconds since 1970.
    pub start: u64,
    /// End of its period.
    pub end: u64,
    /// Whether it is made afterwards.
    pub backfill: bool,
    /// The digest before it.
    pub previous: Option<Link>,
    /// The log files of its period.
    pub log_files: Vec<Listed>,
}

/// What a digest says of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// SHA-256 of its bytes before compression, in hexadecimal digits.
    pub hash: String,
    /// Its signature, in hexadecimal digits.
    pub signature: String,
}

/// What a digest says of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// SHA-256 of its bytes before compression, in hexadecimal digits.
    pub hash: String,
    /// Oldest and newest event, seconds since 1970.
    pub times: (u64, u64),
}

/// A digest as it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDigest {
    /// Where it lies.
    pub key: String,
    /// Its bytes before compression.
    pub raw: Vec<u8>,
    /// Its bytes.
    pub gz: Vec<u8>,
    /// What the digest after it says of it.
    pub link: Link,
}

impl SignedDigest {
    /// The object's user metadata, by which it is signed.
    #[must_use]
    pub fn metadata(&self) -> Vec<(String, String)> {
        [("signature", self.link.signature.as_str()), ("signature-algorithm", "SHA256withRSA")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }
}

impl DigestFile {
    /// Where it is delivered.
    #[must_use]
    pub fn key(&self) -> String {
        let Self { prefix, account, region, trail, home_region, .. } = self;
        let organization = self.organization.as_deref().map_or_else(String::new, |o| format!("{o}/"));
        let (day, stamp) = (folder(self.end), stamp(self.end, true));
        let tail = if self.backfill { "_backfill" } else { "" };
        format!(
            "{prefix}AWSLogs/{organization}{account}/CloudTrail-Digest/{region}/{day}/{account}_CloudTrail-Digest_{region}_{trail}_{home_region}_{stamp}{tail}.json.gz"
        )
    }

    /// Writes and signs it.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> SignedDigest {
        self.sign_at(key, self.key())
    }

    /// Writes and signs it as an object of another key than [`DigestFile::key`].
    #[must_use]
    pub fn sign_at(&self, key: &SigningKey, object: String) -> SignedDigest {
        let Self { bucket, account, .. } = self;
        let quoted = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""));
        let event = |time: Option<u64>| quoted(time.map(time_text).as_deref());
        let oldest = self.log_files.iter().map(|file| file.times.0).min();
        let newest = self.log_files.iter().map(|file| file.times.1).max();
        let link = |of: fn(&Link) -> &str| quoted(self.previous.as_ref().map(of));
        let listed: Vec<String> = self
            .log_files
            .iter()
            .map(|file| {
                let times = file.times;
                format!(
                    r#"{{"s3Bucket":"{bucket}","s3Object":"{}","hashValue":"{}","hashAlgorithm":"SHA-256","newestEventTime":"{}","oldestEventTime":"{}"}}"#,
                    file.key, file.hash, time_text(times.1), time_text(times.0)
                )
            })
            .collect();
        let (start, end) = (time_text(self.start), time_text(self.end));
        let raw = format!(
            r#"{{"awsAccountId":"{account}","digestStartTime":"{start}","digestEndTime":"{end}","digestS3Bucket":"{bucket}","digestS3Object":"{object}","digestPublicKeyFingerprint":"{}","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":{},"oldestEventTime":{},"previousDigestS3Bucket":{},"previousDigestS3Object":{},"previousDigestHashValue":{},"previousDigestHashAlgorithm":{},"previousDigestSignature":{},"logFiles":[{}]}}"#,
            key.fingerprint(),
            event(newest),
            event(oldest),
            link(|link| &link.bucket),
            link(|link| &link.key),
            link(|link| &link.hash),
            link(|_| "SHA-256"),
            link(|link| &link.signature),
            listed.join(",")
        );
        let hash = hash(raw.as_bytes());
        let before = self.previous.as_ref().map_or("null", |link| &link.signature);
        let signature = key.sign(&format!("{end}\n{bucket}/{object}\n{hash}\n{before}"));
        let link = Link { bucket: bucket.clone(), key: object.clone(), hash, signature };
        SignedDigest { key: object, gz: Gzip::new().pack(raw.as_bytes()), raw: raw.into_bytes(), link }
    }
}

/// The digests of one account and Region, an hour each over the corpus's days, oldest first. The signing key changes in the
/// middle.
pub(crate) fn files(logs: &Logs, chain: usize) -> Vec<File> {
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
    let keys = [SigningKey::number(region), SigningKey::number(region + 1)];
    let mut previous: Option<Link> = None;
    let mut files = Vec::new();
    for (hour, indexes) in (0u64..).zip(delivered) {
        let digest = DigestFile {
            bucket: BUCKET.to_owned(),
            prefix: logs.prefix(),
            organization: logs.corpus.organization.clone(),
            account: logs.account(account).to_owned(),
            region: logs.corpus.regions[region].clone(),
            trail: TRAIL.to_owned(),
            home_region: logs.corpus.regions[0].clone(),
            start: start + hour * 3_600,
            end: start + (hour + 1) * 3_600,
            backfill: false,
            previous: previous.take(),
            log_files: list(logs, &indexes),
        };
        let signed = digest.sign(&keys[usize::from(hour * 2 >= hours)]);
        previous = Some(signed.link.clone());
        let metadata = signed.metadata();
        files.push(File { key: signed.key, gz: signed.gz, raw_bytes: signed.raw.len() as u64, records: 0, metadata });
    }
    files
}

fn list(logs: &Logs, indexes: &[usize]) -> Vec<Listed> {
    let bodies = indexes.iter().flat_map(|i| logs.bodies(*i));
    bodies.map(|(key, body)| Listed { key, hash: hash(&body.raw), times: body.times }).collect()
}

/// The hash that digests hold of a file with these bytes before compression.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn time_text(time: u64) -> String {
    let mut text = Vec::new();
    iso(&mut text, time);
    String::from_utf8_lossy(&text).into_owned()
}
