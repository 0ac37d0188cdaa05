//! Digest files: the hourly lists of delivered log files by which CloudTrail vouches for them.
//!
//! Each digest names the log files of its hour with their hashes, and the digest before it with hash and signature. Its
//! own signature is not in it but in the object's S3 metadata ([`signature`]); the public keys are what the API's
//! ListPublicKeys gives ([`keys`]). (CloudTrail User Guide, "CloudTrail digest file structure".)

pub mod keys;
pub mod signature;

use serde::Deserialize;

use crate::timestamp;

/// The only hash algorithm that digests name.
pub const HASH_ALGORITHM: &str = "SHA-256";
/// The only signature algorithm that digests name.
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// A SHA-256.
pub type Sha256 = [u8; 32];

/// The SHA-256 of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

/// Hexadecimal digits of either case as bytes; `None` for anything else.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// Why a file is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not JSON, or lacks a member that every digest has.
    #[error("not a digest file: {0}")]
    Form(String),
    /// A time that cannot be read.
    #[error("not a digest file: {member} is not a time: {text}")]
    Time {
        /// Which member.
        member: &'static str,
        /// What it says.
        text: String,
    },
    /// The period has no length.
    #[error("the digest ends ({end}) before it begins ({start})")]
    Period {
        /// `digestStartTime`.
        start: String,
        /// `digestEndTime`.
        end: String,
    },
}

/// A digest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Whose log files it lists.
    pub account: String,
    /// Start of its period, UTC milliseconds, inclusive.
    pub start: i64,
    /// End of its period, UTC milliseconds, exclusive.
    pub end: i64,
    /// `digestEndTime` as written, which is a part of what is signed.
    pub end_text: String,
    /// The bucket that it was delivered to.
    pub bucket: String,
    /// The key that it was delivered under.
    pub object: String,
    /// Which public key verifies it: the MD5 of the key's DER bytes in hexadecimal digits.
    pub fingerprint: String,
    /// `digestSignatureAlgorithm`.
    pub signature_algorithm: String,
    /// The digest before it; `None` where a chain begins.
    pub previous: Option<Previous>,
    /// The log files delivered in its period.
    pub log_files: Vec<Listed>,
}

/// What a digest says of the digest before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub object: String,
    /// SHA-256 of its inflated bytes in hexadecimal digits.
    pub hash: String,
    /// Its signature in hexadecimal digits.
    pub signature: String,
}

/// What a digest says of a log file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its bucket.
    #[serde(rename = "s3Bucket")]
    pub bucket: String,
    /// Its key.
    #[serde(rename = "s3Object")]
    pub object: String,
    /// Hash of its inflated bytes in hexadecimal digits.
    pub hash_value: String,
    /// [`HASH_ALGORITHM`].
    pub hash_algorithm: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    aws_account_id: String,
    digest_start_time: String,
    digest_end_time: String,
    digest_s3_bucket: String,
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: String,
    previous_digest_s3_bucket: Option<String>,
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_signature: Option<String>,
    log_files: Vec<Listed>,
}

impl Digest {
    /// Reads the inflated bytes of a digest file.
    ///
    /// # Errors
    /// As [`Error`] tells.
    pub fn parse(inflated: &[u8]) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(inflated).map_err(|error| Error::Form(error.to_string()))?;
        let time = |member, text: &str| {
            timestamp::parse(text).ok_or_else(|| Error::Time { member, text: text.chars().take(40).collect() })
        };
        let start = time("digestStartTime", &raw.digest_start_time)?;
        let end = time("digestEndTime", &raw.digest_end_time)?;
        if start >= end {
            return Err(Error::Period { start: raw.digest_start_time, end: raw.digest_end_time });
        }
        let previous = match (
            raw.previous_digest_s3_bucket,
            raw.previous_digest_s3_object,
            raw.previous_digest_hash_value,
            raw.previous_digest_signature,
        ) {
            (None, None, None, None) => None,
            (Some(bucket), Some(object), Some(hash), Some(signature)) => {
                Some(Previous { bucket, object, hash, signature })
            }
            _ => return Err(Error::Form("it names the digest before it in part only".to_owned())),
        };
        Ok(Self {
            account: raw.aws_account_id,
            start,
            end,
            end_text: raw.digest_end_time,
            bucket: raw.digest_s3_bucket,
            object: raw.digest_s3_object,
            fingerprint: raw.digest_public_key_fingerprint,
            signature_algorithm: raw.digest_signature_algorithm,
            previous,
            log_files: raw.log_files,
        })
    }

    /// The text that CloudTrail signs: end of the period, place, hash of the inflated digest, and the signature of the
    /// digest before it, a line each.
    #[must_use]
    pub fn signed_text(&self, hash: &Sha256) -> String {
        let previous = self.previous.as_ref().map_or("null", |previous| previous.signature.as_str());
        format!("{}\n{}/{}\n{}\n{previous}", self.end_text, self.bucket, self.object, hex(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-02T00:00:00Z","digestEndTime":"2026-03-02T01:00:00Z","digestS3Bucket":"b","digestS3Object":"k","digestPublicKeyFingerprint":"f","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[{"s3Bucket":"b","s3Object":"l","hashValue":"00","hashAlgorithm":"SHA-256","newestEventTime":"2026-03-02T00:30:00Z","oldestEventTime":"2026-03-02T00:10:00Z"}]}"#;

    #[test]
    fn the_text_that_is_signed() {
        let digest = Digest::parse(DIGEST.as_bytes()).unwrap();
        assert_eq!(digest.end - digest.start, 3_600_000);
        assert_eq!(digest.log_files[0].object, "l");
        let text = format!("2026-03-02T01:00:00Z\nb/k\n{}\nnull", "00".repeat(32));
        assert_eq!(digest.signed_text(&[0; 32]), text);
    }

    #[test]
    fn half_a_link_and_reversed_times_are_refused() {
        let half = DIGEST.replace(r#""previousDigestS3Object":null"#, r#""previousDigestS3Object":"p""#);
        assert!(matches!(Digest::parse(half.as_bytes()), Err(Error::Form(_))));
        let reversed = DIGEST.replace("T00:00:00Z", "T02:00:00Z");
        assert!(matches!(Digest::parse(reversed.as_bytes()), Err(Error::Period { .. })));
        let timeless = DIGEST.replace("2026-03-02T00:00:00Z", "yesterday");
        assert!(matches!(Digest::parse(timeless.as_bytes()), Err(Error::Time { .. })));
        assert!(matches!(Digest::parse(b"{}"), Err(Error::Form(_))));
    }

    #[test]
    fn hexadecimal_digits() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(unhex("009FfF"), Some(vec![0, 0x9f, 0xff]));
        assert_eq!((unhex("0"), unhex("zz"), unhex("+1")), (None, None, None));
        assert_eq!(hex(&sha256(b"")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Digest::parse(&bytes);
            let _ = unhex(&String::from_utf8_lossy(&bytes));
        }
    }
}
