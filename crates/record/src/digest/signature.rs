//! Signatures of digests: RSASSA-PKCS1-v1_5 over SHA-256 (RFC 8017, 8.2).

use super::keys::PublicKey;
use super::{Digest, SIGNATURE_ALGORITHM, Sha256, unhex};

/// What an object's S3 metadata says of a digest: `x-amz-meta-signature` and its kin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `signature`: hexadecimal digits.
    pub signature: Option<String>,
    /// `signature-algorithm`.
    pub algorithm: Option<String>,
    /// `backfill-generation-timestamp`: when a backfill digest was made, and so signed.
    pub generated: Option<String>,
}

impl Metadata {
    /// Picks what belongs to digests out of an object's user metadata, whatever the case of the names.
    #[must_use]
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut metadata = Self::default();
        for (name, value) in pairs {
            let name = name.to_ascii_lowercase();
            let name = name.strip_prefix("x-amz-meta-").unwrap_or(&name);
            let value = Some(value.to_owned());
            match name {
                "signature" => metadata.signature = value,
                "signature-algorithm" => metadata.algorithm = value,
                "backfill-generation-timestamp" => metadata.generated = value,
                _ => {}
            }
        }
        metadata
    }

    /// Whether there is a signature by the algorithm that is known.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signature.is_some() && self.algorithm.as_deref().is_none_or(|name| name == SIGNATURE_ALGORITHM)
    }
}

/// Whether the key's owner signed the digest, whose inflated bytes have this hash. A signature proves itself: it does not
/// matter where it was found.
#[must_use]
pub fn verifies(digest: &Digest, hash: &Sha256, signature: &str, key: &PublicKey) -> bool {
    let Some(signature) = unhex(signature) else { return false };
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, &key.der);
    key.verify(digest.signed_text(hash).as_bytes(), &signature).is_ok()
}
