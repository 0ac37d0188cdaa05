//! The key that signs delivered results, and ListPublicKeys, which tells its public half.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use serde_json::json;
use sha2::Sha256;

use crate::call::{Call, Reply, seconds};
use crate::fault::{Answer, Fault};
use crate::service::Service;

const BITS: usize = 2048;
/// How long the key is good for, in milliseconds: ten years.
const VALIDITY: i64 = 10 * 365 * 86_400_000;
/// DER of a SHA-256 hash's `DigestInfo` up to the hash (RFC 8017, 9.2).
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// The key of one store, made when it is first needed and kept in a file that only its owner reads.
#[derive(Debug)]
pub(crate) struct SigningKey {
    path: PathBuf,
    key: OnceLock<Option<Key>>,
}

struct Key {
    private: RsaPrivateKey,
    /// PKCS#1 DER.
    public: Vec<u8>,
    created: i64,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("created", &self.created).finish_non_exhaustive()
    }
}

impl Key {
    fn fingerprint(&self) -> String {
        hex::encode(Md5::digest(&self.public))
    }
}

impl SigningKey {
    pub(crate) fn of(store: &Path) -> Self {
        Self { path: store.join("signing-key.pem"), key: OnceLock::new() }
    }

    /// Reads the key, or makes it, which takes a moment.
    fn key(&self) -> Option<&Key> {
        let key = self.key.get_or_init(|| match open(&self.path) {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::error!(%error, path = %self.path.display(), "there is no key to sign results with");
                None
            }
        });
        key.as_ref()
    }

    /// Signature (RSA PKCS#1 v1.5 with SHA-256) of a text, in hex, and the fingerprint of the key.
    pub(crate) fn sign(&self, text: &str) -> Option<(String, String)> {
        let key = self.key()?;
        let hash = <Sha256 as sha2::Digest>::digest(text.as_bytes());
        let scheme = Pkcs1v15Sign { hash_len: Some(hash.len()), prefix: Box::new(SHA256_PREFIX) };
        let signature = key.private.sign(scheme, &hash).ok()?;
        Some((hex::encode(signature), key.fingerprint()))
    }
}

fn open(path: &Path) -> Result<Key, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    if !path.exists() {
        let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(|error| text(&error))?;
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| text(&error))?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path).map_err(|error| text(&error))?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| text(&error))?;
    }
    let pem = fs::read_to_string(path).map_err(|error| text(&error))?;
    let private = RsaPrivateKey::from_pkcs8_pem(&pem).map_err(|error| text(&error))?;
    let public = RsaPublicKey::from(&private).to_pkcs1_der().map_err(|error| text(&error))?.as_bytes().to_vec();
    let modified = fs::metadata(path).and_then(|data| data.modified()).map_err(|error| text(&error))?;
    let created = chrono::DateTime::<chrono::Utc>::from(modified).timestamp_millis();
    Ok(Key { private, public, created })
}

impl Service {
    pub(crate) async fn list_public_keys(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let (from, to) = (call.time_of("StartTime"), call.time_of("EndTime"));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(Fault::new("InvalidTimeRangeException", "StartTime is after EndTime."));
        }
        if call.input.contains_key("NextToken") {
            return Err(Fault::new("InvalidTokenException", "There is one page of keys."));
        }
        let signing = Arc::clone(&self.signing);
        let key = tokio::task::spawn_blocking(move || {
            signing.key().map(|key| (STANDARD.encode(&key.public), key.fingerprint(), key.created))
        });
        let (value, fingerprint, created) = key.await.ok().flatten().ok_or_else(Fault::internal)?;
        // To the second, as the times on the wire are asked for.
        let (start, end) = (created / 1000 * 1000, created + VALIDITY);
        let keys = if from.is_none_or(|from| from <= end) && to.is_none_or(|to| to >= start) {
            json!([{
                "Value": value,
                "Fingerprint": fingerprint,
                "ValidityStartTime": seconds(start),
                "ValidityEndTime": seconds(end),
            }])
        } else {
            json!([])
        };
        Ok(json!({"PublicKeyList": keys}).into())
    }
}
