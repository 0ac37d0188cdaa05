//! Where columns do not tell what stands at their path in the record.
//!
//! A column mostly holds what the record has at the column's path, so that a question about the path can be answered from
//! the column. Not always: keys are found whatever their case, a text column takes an object as its JSON text, and a map holds
//! the text `{"a":1}` for an object and for a string alike. Such columns, and keys of map columns, are noted while records are
//! decoded. What is not noted is exact.

use std::collections::{BTreeMap, BTreeSet};

/// Keys of one map column that are noted one by one; beyond these the column as a whole is.
const MAX_KEYS: usize = 256;

/// Keys of records, as CloudTrail spells them, whose columns and fields are compared with paths.
const SPELLINGS: [&str; 43] = [
    "accessKeyId",
    "accountId",
    "additionalEventData",
    "apiVersion",
    "arn",
    "assumedRoot",
    "attributes",
    "awsRegion",
    "cipherSuite",
    "clientProvidedHostHeader",
    "credentialId",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventType",
    "eventVersion",
    "identityProvider",
    "invokedBy",
    "keyExchange",
    "mfaAuthenticated",
    "principalId",
    "recipientAccountId",
    "requestID",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "sessionContext",
    "sessionCredentialFromConsole",
    "sessionIssuer",
    "sharedEventID",
    "sourceIPAddress",
    "sourceIdentity",
    "tlsDetails",
    "tlsVersion",
    "type",
    "userAgent",
    "userIdentity",
    "userName",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// How records spell the key of a column or field; `None` for those that no path is compared with.
pub fn spelling(name: &str) -> Option<&'static str> {
    SPELLINGS.into_iter().find(|spelling| spelling.eq_ignore_ascii_case(name))
}

/// Whether the text in a map may be that of an object or an array. True of all that are, and of few strings.
pub fn may_be_nested(text: &[u8]) -> bool {
    // Without blanks between its tokens, as it lies in maps.
    match text {
        [b'{', b'}'] | [b'[', b']'] | [b'{', b'"', .., b'}'] => true,
        [b'[', first, .., b']'] => matches!(first, b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'),
        _ => false,
    }
}

/// Some keys, or all there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// These.
    Some(BTreeSet<String>),
    /// Every key, and the column itself.
    All,
}

impl Default for Keys {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Keys {
    pub(crate) fn add(&mut self, key: &str) {
        let Self::Some(keys) = self else { return };
        if !keys.contains(key) {
            keys.insert(key.to_owned());
        }
        if keys.len() > MAX_KEYS {
            *self = Self::All;
        }
    }

    fn add_all(&mut self, others: &Self) {
        match others {
            Self::All => *self = Self::All,
            Self::Some(keys) => keys.iter().for_each(|key| self.add(key)),
        }
    }
}

/// Columns, and keys of map columns, that do not tell of every event what stands at their path in its record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deviations(BTreeMap<String, Keys>);

impl Deviations {
    /// As [`Deviations::columns`] gives them.
    pub fn new(columns: impl IntoIterator<Item = (String, Keys)>) -> Self {
        Self(columns.into_iter().collect())
    }

    /// Each column that deviates, by name, or that has keys which do.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Keys)> {
        self.0.iter().map(|(column, keys)| (column.as_str(), keys))
    }

    /// True if every column tells what stands at its path.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a top-level column deviates as a whole.
    pub fn has_column(&self, column: &str) -> bool {
        self.0.get(column) == Some(&Keys::All)
    }

    /// Whether a key of a map column deviates, or all of the column.
    pub fn has_key(&self, column: &str, key: &str) -> bool {
        match self.0.get(column) {
            None => false,
            Some(Keys::All) => true,
            Some(Keys::Some(keys)) => keys.contains(key),
        }
    }

    /// Takes in what deviates among other events.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(column, keys)| self.note(column, keys));
    }

    pub(crate) fn note(&mut self, column: &str, keys: &Keys) {
        if *keys == Keys::default() {
            return;
        }
        match self.0.get_mut(column) {
            Some(known) => known.add_all(keys),
            None => {
                self.0.insert(column.to_owned(), keys.clone());
            }
        }
    }
}
