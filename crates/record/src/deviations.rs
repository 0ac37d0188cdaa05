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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Chunk, Decoder, EventCategory, Origin};

    use super::*;

    fn record(fields: &str) -> String {
        format!(
            r#"{{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:07Z","awsRegion":"r","eventSource":"s",{fields}}}"#
        )
    }

    fn deviations(records: &[String]) -> Deviations {
        let mut chunk = Chunk::default();
        let origin = Origin { path: Arc::from("file:///f.json"), version: Arc::from("7") };
        let text = format!("[{}]", records.join(","));
        let decoded = Decoder::default().decode(text.as_bytes(), origin, &mut chunk).unwrap();
        assert_eq!(decoded.records as usize, records.len());
        chunk.deviations(EventCategory::CloudTrail)
    }

    fn noted(fields: &str) -> Vec<String> {
        // The same must be found after other records, whose keys the columns are searched in the order of.
        let usual = record(
            r#""eventName":"n","userIdentity":{"type":"t","arn":"a"},"requestParameters":{"a":{"b":[1]},"c":"x"}"#,
        );
        let after = deviations(&[usual.clone(), record(fields), usual]);
        let found = deviations(&[record(fields)]);
        assert_eq!(found, after, "{fields}");
        found
            .columns()
            .flat_map(|(column, keys)| match keys {
                Keys::All => vec![column.to_owned()],
                Keys::Some(keys) => keys.iter().map(|key| format!("{column}.{key}")).collect(),
            })
            .collect()
    }

    #[test]
    fn what_columns_do_not_tell_is_noted() {
        let nothing: [&str; 0] = [];
        for (fields, expected) in [
            (
                r#""requestParameters":{"a":{"b":1},"c":[1],"d":"{x}","e":" {}","f":"[::1]","g":"","h":1,"i":null}"#,
                &nothing[..],
            ),
            (r#""requestParameters":{"a":{"b":"{}"}},"responseElements":"{}","eventName":"{}","errorCode":7"#, &[]),
            (
                r#""requestParameters":{"a":"{}","b":"[\"x\"]","\u0063":"{\"a\":1}","d":"[1]"}"#,
                &["requestparameters.a", "requestparameters.b", "requestparameters.c", "requestparameters.d"],
            ),
            (r#""responseElements":{"a":1,"a":"[]"}"#, &["responseelements.a"]),
            (r#""requestparameters":{}"#, &["requestparameters"]),
            (r#""RequestParameters":null"#, &["requestparameters"]),
            (r#""eventName":[]"#, &["eventname"]),
            (r#""eventname":"n""#, &["eventname"]),
            (r#""userIdentity":{"sessionContext":{"sessionIssuer":{"ARN":"a"}}}"#, &["useridentity"]),
            (r#""userIdentity":{"sessionContext":{"sessionIssuer":{"arn":["a"]}}}"#, &["useridentity"]),
            // No path is compared with these.
            (r#""resources":[{"ARN":"a"},{"arn":{}}],"readonly":true,"eventtime":"x""#, &[]),
        ] {
            assert_eq!(noted(fields), expected, "{fields}");
        }
    }

    #[test]
    fn events_that_are_taken_take_their_deviations_along() {
        let fields = r#""eventname":"n","errorCode":{},"requestParameters":{"a":"{}"},"userIdentity":{"ARN":"a"}"#;
        let text = format!("[{}]", record(fields));
        let mut chunk = Chunk::default();
        let mut take = |text: &str| {
            let origin = Origin { path: Arc::from("file:///f.json"), version: Arc::from("7") };
            Decoder::default().decode(text.as_bytes(), origin, &mut chunk).unwrap();
            chunk.take().deviations(EventCategory::CloudTrail)
        };
        let first = take(&text);
        assert_eq!(first.columns().count(), 4);
        assert_eq!(take(&text), first);
        assert!(take(&format!("[{}]", record(r#""eventName":"n""#))).is_empty());
        assert_eq!(take(&text), first);
    }

    #[test]
    fn objects_and_arrays_are_like_themselves() {
        for text in [
            "{}",
            "[]",
            "[[]]",
            "[1]",
            r#"["a"]"#,
            "[true]",
            "[null]",
            "[false]",
            "[-1,2]",
            "[{}]",
            r#"{"a":{}}"#,
            r#"{"":1}"#,
        ] {
            assert!(may_be_nested(text.as_bytes()), "{text}");
        }
        for text in ["", "{", "[", "{]", "[}", "{ }", "[ 1]", "{a}", "{}\n", " {}", "[x]", "1", "\"{}\"", "]", "}"] {
            assert!(!may_be_nested(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn very_many_keys_are_all_keys() {
        let some = |from: usize, to: usize| {
            let fields: Vec<String> = (from..to).map(|n| format!(r#""k{n}":"{{}}""#)).collect();
            deviations(&[record(&format!(r#""requestParameters":{{{}}}"#, fields.join(",")))])
        };
        let mut found = some(0, MAX_KEYS);
        assert!(found.has_key("requestparameters", "k0") && !found.has_key("requestparameters", "x"));
        assert!(!found.has_column("requestparameters"));
        found.merge(&some(1, MAX_KEYS));
        assert!(!found.has_column("requestparameters"));
        found.merge(&some(MAX_KEYS, MAX_KEYS + 1));
        assert!(found.has_column("requestparameters") && found.has_key("requestparameters", "x"));
        assert_eq!(some(0, MAX_KEYS + 1), found);
        assert!(!found.has_key("responseelements", "k0"));
    }

    #[test]
    fn spellings_are_of_columns_and_fields() {
        fn names(fields: &arrow::datatypes::Fields, found: &mut BTreeSet<String>) {
            for field in fields {
                found.insert(field.name().clone());
                if let arrow::datatypes::DataType::Struct(fields) = field.data_type() {
                    names(fields, found);
                }
            }
        }
        let mut known = BTreeSet::new();
        names(EventCategory::CloudTrail.schema().fields(), &mut known);
        for spelling in SPELLINGS {
            assert!(known.contains(&spelling.to_ascii_lowercase()), "{spelling}");
        }
    }
}
