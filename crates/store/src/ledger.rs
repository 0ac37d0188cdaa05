//! The ledger: what became of every log file.

use cloudtarn_record::digest::signature::Metadata;
use cloudtarn_record::{BrokenRecord, Content};
use serde::{Deserialize, Serialize};

/// What became of a log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its events are in the store (or were there already, from other files).
    TakenIn,
    /// It holds no records.
    Empty,
    /// It holds something else, and what.
    NotCloudTrail(String),
    /// It could not be read, and why; or only in part.
    Broken(String),
    /// A bundle that was read to its end: its members are in the ledger by addresses of their own.
    Unpacked,
}

impl Fate {
    /// The word kept in the catalogue.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TakenIn => "taken in",
            Self::Empty => "empty",
            Self::NotCloudTrail(_) => "not cloudtrail",
            Self::Broken(_) => "broken",
            Self::Unpacked => "unpacked",
        }
    }

    /// Why, where there is a why.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotCloudTrail(reason) | Self::Broken(reason) => Some(reason),
            Self::TakenIn | Self::Empty | Self::Unpacked => None,
        }
    }

    pub(crate) fn parse(word: &str, reason: Option<String>) -> Option<Self> {
        Some(match word {
            "taken in" => Self::TakenIn,
            "empty" => Self::Empty,
            "unpacked" => Self::Unpacked,
            "not cloudtrail" => Self::NotCloudTrail(reason.unwrap_or_default()),
            "broken" => Self::Broken(reason.unwrap_or_default()),
            _ => return None,
        })
    }
}

/// One log file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Address: `s3://bucket/key`, `file:///…`, of a bundle's member `<bundle's address>!/<name>`.
    pub path: String,
    /// Version at that address; with the path it says which bytes were read.
    pub version: String,
    /// Stored size in bytes.
    pub bytes: u64,
    /// Inflated size in bytes.
    pub inflated: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: [u8; 32],
    /// Hashes of the inflated bytes, which digests vouch for; `None` if the file could not be inflated to its end.
    pub content: Option<Content>,
    /// What became of it.
    pub fate: Fate,
    /// Events it gave, duplicates counted.
    pub records: u32,
    /// Records it has that could not be read.
    pub broken: Vec<BrokenRecord>,
}

/// One digest file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestFile {
    /// Address: `s3://bucket/key`, `file:///…`.
    pub path: String,
    /// Version at that address.
    pub version: String,
    /// Its bytes as stored.
    pub body: Vec<u8>,
    /// Its signature, where the source had it.
    pub metadata: Metadata,
}

/// Folder with its slash, and name, of an address.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

/// Ascending record indexes as LEB128 of their differences.
pub(crate) fn encode(records: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(records.len());
    let mut last = 0;
    for record in records {
        let mut rest = record - last;
        last = *record;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// The inverse of [`encode`]; stops at the first byte that makes no sense.
pub(crate) fn decode(bytes: &[u8]) -> Vec<u32> {
    let mut records = Vec::new();
    let (mut last, mut value, mut shift) = (0u32, 0u32, 0);
    for byte in bytes {
        if shift > 28 {
            break;
        }
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            last = last.wrapping_add(value);
            records.push(last);
            (value, shift) = (0, 0);
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn record_indexes_round_trip(mut records in proptest::collection::vec(0u32..300_000_000, 0..50)) {
            records.sort_unstable();
            proptest::prop_assert_eq!(decode(&encode(&records)), records);
        }

        #[test]
        fn any_bytes_decode(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn addresses_split_at_the_last_slash() {
        assert_eq!(split("s3://b/a/c.gz"), ("s3://b/a/", "c.gz"));
        assert_eq!(split("c.gz"), ("", "c.gz"));
    }
}
