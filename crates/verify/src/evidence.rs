//! What is verified: the digests and log files of one account and region in one copy of a bucket.

use cloudtarn_record::Content;
use cloudtarn_record::digest::signature::Metadata;
use cloudtarn_record::digest::{Digest, Sha256};
use cloudtarn_record::inflate::Inflater;
use cloudtarn_record::key::{FileName, Kind, Time, region_name};
use cloudtarn_record::timestamp::days_from_civil;
use cloudtarn_store::Verdict;

use crate::place::Layout;

/// Digests are small: larger ones are not read.
const MAX_DIGEST: usize = 1 << 28;

/// A digest as it was found.
#[derive(Debug, Clone)]
pub struct DigestEvidence {
    /// Its address.
    pub path: String,
    /// Its version there.
    pub version: String,
    /// What its S3 metadata says.
    pub metadata: Metadata,
    /// What it says and the hash of its inflated bytes, or why it cannot be read.
    pub read: Result<(Digest, Sha256), Unreadable>,
}

/// Why a file tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Its bytes are not those of such a file.
    Damaged(String),
    /// Its bytes could not be got.
    NotRead(String),
}

impl Unreadable {
    pub(crate) fn verdict(&self) -> (Verdict, String) {
        match self {
            Self::Damaged(reason) => (Verdict::Invalid, reason.clone()),
            Self::NotRead(reason) => (Verdict::Unproven, format!("it cannot be read: {reason}")),
        }
    }
}

impl DigestEvidence {
    /// Reads the stored bytes of a digest.
    #[must_use]
    pub fn new(path: String, version: String, stored: &[u8], metadata: Metadata) -> Self {
        let mut inflated = Vec::new();
        let read = match Inflater::new(MAX_DIGEST).append(stored, &mut inflated) {
            Ok(None) => Digest::parse(&inflated)
                .map(|digest| (digest, cloudtarn_record::digest::sha256(&inflated)))
                .map_err(|error| Unreadable::Damaged(error.to_string())),
            Ok(Some(_)) => Err(Unreadable::Damaged("a second gzip member is appended to it".to_owned())),
            Err(error) => Err(Unreadable::Damaged(error.to_string())),
        };
        Self { path, version, metadata, read }
    }

    /// A digest whose bytes could not be got.
    #[must_use]
    pub fn not_read(path: String, version: String, reason: String) -> Self {
        Self { path, version, metadata: Metadata::default(), read: Err(Unreadable::NotRead(reason)) }
    }
}

/// A log file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvidence {
    /// Its address.
    pub path: String,
    /// Its version there.
    pub version: String,
    /// What is in it.
    pub seen: Seen,
}

/// What is known of a log file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Their hashes.
    Content(Content),
    /// There are none to hash.
    Unreadable(Unreadable),
    /// They were taken in by a program that did not keep hashes.
    Unhashed,
}

/// Everything that was found of one account and region below one root.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The address that the copy's layout begins at, such as `s3://bucket/prefix/`.
    pub root: String,
    /// Twelve digits; empty if names do not tell.
    pub account: String,
    /// The region; empty if names do not tell.
    pub region: String,
    /// Its digests.
    pub digests: Vec<DigestEvidence>,
    /// Its log files.
    pub log_files: Vec<LogEvidence>,
}

/// What a file's address says about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Belongs {
    pub(crate) root: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) digest: bool,
}

/// Which group a file belongs to; `None` for a file that is neither named nor filed like one that CloudTrail delivers.
pub(crate) fn belongs(path: &str) -> Option<Belongs> {
    let layout = Layout::of(path);
    let name = FileName::parse(layout.file);
    let kind = layout.kind.or(name.map(|name| name.kind))?;
    let account = name.map(|name| name.account).or(layout.account);
    let region = name.map(|name| region_name(name.region).into_owned()).or(layout.region);
    Some(Belongs {
        root: layout.root.to_owned(),
        account: account.unwrap_or_default().to_owned(),
        region: region.unwrap_or_default(),
        // By its name where that tells: a log file in the digests' folder is still a log file.
        digest: name.map_or(kind, |name| name.kind) == Kind::Digest,
    })
}

/// UTC milliseconds.
pub(crate) fn millis(time: Time) -> i64 {
    let days = days_from_civil(time.day.year().into(), time.day.month().into(), time.day.day().into());
    let minutes = i64::from(time.hour) * 60 + i64::from(time.minute);
    days * DAY + (minutes * 60 + i64::from(time.second)) * 1000
}

/// A day in milliseconds.
pub(crate) const DAY: i64 = 86_400_000;
/// An hour in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;

/// `2026-03-02T01:00:00Z`.
pub(crate) fn text(time: i64) -> String {
    let (day, second) = (time.div_euclid(DAY), time.rem_euclid(DAY) / 1000);
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of a count of days since 1970 (the inverse of `days_from_civil`, by the same author).
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back() {
        for time in ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-12-31T00:00:00Z", "2100-03-01T12:00:00Z"] {
            assert_eq!(text(cloudtarn_record::timestamp::parse(time).unwrap()), time);
        }
    }

    #[test]
    fn files_and_their_groups() {
        let digest = "s3://b/p/AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260302T010000Z.json.gz";
        let found = belongs(digest).unwrap();
        assert_eq!((found.root.as_str(), found.account.as_str(), found.digest), ("s3://b/p/", "111122223333", true));
        assert!(belongs("file:///x/CloudTrail-Digest/us-east-1/2026/03/02/evil.json").unwrap().digest);
        assert_eq!(belongs("file:///x/notes.txt"), None);
    }
}
