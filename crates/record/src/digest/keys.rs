//! Public keys: the answer of the API's ListPublicKeys, as `aws cloudtrail list-public-keys` prints it.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::Value;

use super::hex;
use crate::timestamp;

/// A public key of CloudTrail's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// MD5 of the DER bytes in hexadecimal digits: how digests name it.
    pub fingerprint: String,
    /// The key: PKCS#1 in DER.
    pub der: Vec<u8>,
    /// From when it signs, UTC milliseconds.
    pub from: Option<i64>,
    /// Until when, UTC milliseconds.
    pub until: Option<i64>,
}

/// A file that is no answer of ListPublicKeys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its form is another.
    #[error("not an answer of ListPublicKeys: {0}; save one with `aws cloudtrail list-public-keys`")]
    Form(String),
    /// A key's bytes are not those that its fingerprint names.
    #[error("the public key with fingerprint {stated} has bytes with fingerprint {found}; fetch the keys again")]
    Fingerprint {
        /// As the answer says.
        stated: String,
        /// Of its bytes.
        found: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    public_key_list: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    value: String,
    #[serde(default)]
    validity_start_time: Value,
    #[serde(default)]
    validity_end_time: Value,
    fingerprint: Option<String>,
}

/// Public keys by fingerprint. Keys belong to regions, but a fingerprint names one key wherever it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicKeys(HashMap<String, PublicKey>);

impl PublicKeys {
    /// Reads an answer of ListPublicKeys, or several in one JSON array, or one after the other; adds its keys and tells
    /// how many.
    ///
    /// # Errors
    /// As [`Error`] tells; then no key was added.
    pub fn read(&mut self, text: &[u8]) -> Result<usize, Error> {
        let form = |error: serde_json::Error| Error::Form(error.to_string());
        let mut keys = Vec::new();
        for document in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
            let answers = match document.map_err(form)? {
                Value::Array(answers) => answers,
                answer => vec![answer],
            };
            for answer in answers {
                for item in serde_json::from_value::<Answer>(answer).map_err(form)?.public_key_list {
                    keys.push(item.key()?);
                }
            }
        }
        if keys.is_empty() {
            return Err(Error::Form("it has no keys".to_owned()));
        }
        let count = keys.len();
        keys.into_iter().for_each(|key| self.add(key));
        Ok(count)
    }

    /// Adds a key.
    pub fn add(&mut self, key: PublicKey) {
        self.0.insert(key.fingerprint.clone(), key);
    }

    /// The key of a fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.0.get(fingerprint)
    }

    /// All keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.values()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PublicKey {
    /// The key of these DER bytes.
    #[must_use]
    pub fn new(der: Vec<u8>, from: Option<i64>, until: Option<i64>) -> Self {
        Self { fingerprint: hex(&Md5::digest(&der)), der, from, until }
    }

    /// As ListPublicKeys gives it, times as numbers of seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let time = |time: Option<i64>| time.map_or(Value::Null, |millis| (millis as f64 / 1000.0).into());
        serde_json::json!({
            "Value": STANDARD.encode(&self.der),
            "ValidityStartTime": time(self.from),
            "ValidityEndTime": time(self.until),
            "Fingerprint": self.fingerprint,
        })
    }
}

impl Item {
    fn key(self) -> Result<PublicKey, Error> {
        let der = STANDARD.decode(self.value.trim()).map_err(|error| Error::Form(format!("a key's Value: {error}")))?;
        let key = PublicKey::new(der, time(&self.validity_start_time), time(&self.validity_end_time));
        match self.fingerprint {
            Some(stated) if !stated.eq_ignore_ascii_case(&key.fingerprint) => {
                Err(Error::Fingerprint { stated, found: key.fingerprint })
            }
            _ => Ok(key),
        }
    }
}

/// Seconds since 1970 (version 1 of the command line and the wire) or text (version 2), in milliseconds.
fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(seconds) => seconds.as_f64().map(|seconds| (seconds * 1000.0) as i64),
        Value::String(text) => timestamp::parse(text).or_else(|| Some((text.parse::<f64>().ok()? * 1000.0) as i64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fingerprint: &str, from: &str) -> String {
        format!(
            r#"{{"PublicKeyList":[{{"Value":"AAEC","ValidityStartTime":{from},"ValidityEndTime":null,"Fingerprint":{fingerprint}}}]}}"#
        )
    }

    #[test]
    fn both_versions_of_the_command_line() {
        for from in ["1772409600.0", "1772409600", r#""2026-03-02T00:00:00+00:00""#, r#""1772409600.0""#] {
            let mut keys = PublicKeys::default();
            assert_eq!(keys.read(answer("null", from).as_bytes()), Ok(1));
            let key = keys.iter().next().unwrap();
            assert_eq!(
                (key.der.as_slice(), key.from, key.until),
                ([0, 1, 2].as_slice(), Some(1_772_409_600_000), None)
            );
            assert_eq!(key.fingerprint, "b95f67f61ebb03619622d798f45fc2d3");
            let mut again = PublicKeys::default();
            again.read(serde_json::json!({ "PublicKeyList": [key.to_json()] }).to_string().as_bytes()).unwrap();
            assert_eq!(again, keys);
        }
    }

    #[test]
    fn several_answers_in_a_file_and_wrong_ones() {
        let one = answer("null", "1");
        let mut keys = PublicKeys::default();
        assert_eq!(keys.read(format!("[{one},{one}]").as_bytes()), Ok(2));
        assert_eq!(keys.read(format!("{one}\n{one}").as_bytes()), Ok(2));
        assert!(matches!(keys.read(answer(r#""00""#, "1").as_bytes()), Err(Error::Fingerprint { .. })));
        for wrong in ["", "{}", "[]", "x", r#"{"PublicKeyList":[{"Value":"?"}]}"#] {
            assert!(matches!(keys.read(wrong.as_bytes()), Err(Error::Form(_))), "{wrong}");
        }
    }
}
