//! The keys that sign the corpus's digests. They are part of this source, so that the same corpus has the same bytes
//! everywhere; they are not AWS's and prove nothing about anybody's logs.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use ring::rsa::KeyPair;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256};

/// A private key a line: PKCS#1 in DER, base64.
const KEYS: &str = include_str!("signing_keys.txt");

/// An RSA key pair of 2048 bits.
#[derive(Debug)]
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// One of the keys: numbers from [`SigningKey::COUNT`] on begin again.
    ///
    /// # Panics
    /// Never: the keys are a part of this crate, and its tests read them all.
    #[must_use]
    pub fn number(number: usize) -> Self {
        let line = KEYS.lines().nth(number % Self::COUNT).unwrap_or_default();
        let pair = STANDARD.decode(line).ok().and_then(|der| KeyPair::from_der(&der).ok());
        #[allow(clippy::expect_used)]
        Self(pair.expect("the crate's own keys can be read"))
    }

    /// The public key: PKCS#1 in DER.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The MD5 of the public key in hexadecimal digits, by which digests name it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&Md5::digest(self.public()))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, in hexadecimal digits.
    ///
    /// # Panics
    /// Never: a signature of such a key has a place for every text.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        #[allow(clippy::expect_used)]
        self.0.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).expect("a key signs");
        hex(&signature)
    }
}

/// The public keys as the API's ListPublicKeys gives them, valid from `from` until `until` (seconds since 1970).
#[must_use]
pub fn public_keys(from: u64, until: u64) -> String {
    let keys: Vec<String> = (0..SigningKey::COUNT)
        .map(|number| {
            let key = SigningKey::number(number);
            format!(
                r#"{{"Value":"{}","ValidityStartTime":{from}.0,"ValidityEndTime":{until}.0,"Fingerprint":"{}"}}"#,
                STANDARD.encode(key.public()),
                key.fingerprint()
            )
        })
        .collect();
    format!("{{\"PublicKeyList\":[{}]}}\n", keys.join(","))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
