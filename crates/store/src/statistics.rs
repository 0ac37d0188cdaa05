//! Statistics of a data file's columns, and how the catalogue keeps them: some hundred bytes a file, decoded only when
//! somebody asks, so that a snapshot of many files is quick.

use std::sync::OnceLock;

use cloudtarn_record::{EventCategory, shredded};
use serde::{Deserialize, Serialize};

/// A column's minimum or maximum in one data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Bound {
    /// Of a `varchar` column.
    Text(String),
    /// Of a `timestamp` (UTC milliseconds) or `integer` column.
    Int(i64),
    /// Of a `boolean` column.
    Boolean(bool),
}

/// Statistics of one top-level column of one data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// Name in the file's schema.
    pub column: String,
    /// Rows without a value; `None` if not known.
    pub nulls: Option<u64>,
    /// Exact minimum; `None` without values, if it was cut, and for nested columns.
    pub min: Option<Bound>,
    /// Exact maximum, as `min`.
    pub max: Option<Bound>,
    /// Bytes in the file, compressed.
    pub compressed_bytes: u64,
}

/// Statistics of all columns of a data file, as they lie in the catalogue.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    category: EventCategory,
    encoded: Box<[u8]>,
    decoded: OnceLock<Vec<ColumnStatistics>>,
}

impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        self.decoded() == other.decoded()
    }
}

impl Columns {
    /// Of a file that was written just now.
    pub(crate) fn new(category: EventCategory, columns: Vec<ColumnStatistics>) -> Self {
        Self { category, encoded: encode(category, &columns).into(), decoded: columns.into() }
    }

    /// Of a file in the catalogue.
    pub(crate) fn of_catalogue(category: EventCategory, encoded: &[u8]) -> Self {
        Self { category, encoded: encoded.into(), decoded: OnceLock::new() }
    }

    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// Bytes that make no sense are as good as no statistics.
    pub(crate) fn decoded(&self) -> &[ColumnStatistics] {
        self.decoded.get_or_init(|| decode(self.category, &self.encoded).unwrap_or_default())
    }
}

const NULLS: u8 = 1;
const MIN: u8 = 2;
const MAX: u8 = 4;

/// One entry a column of [`EventCategory::file_schema`], in its order, as far as the file has them: which parts follow, the
/// compressed bytes, the nulls, the bounds. Numbers are LEB128, signed ones in zigzag.
fn encode(category: EventCategory, columns: &[ColumnStatistics]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in category.file_schema().fields().iter().take(columns.len()) {
        let Some(column) = columns.iter().find(|column| column.column == *field.name()) else {
            out.extend([0, 0]);
            continue;
        };
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        out.push(
            flag(column.nulls.is_some(), NULLS) | flag(column.min.is_some(), MIN) | flag(column.max.is_some(), MAX),
        );
        put(&mut out, column.compressed_bytes);
        if let Some(nulls) = column.nulls {
            put(&mut out, nulls);
        }
        for bound in [&column.min, &column.max].into_iter().flatten() {
            match bound {
                Bound::Text(text) => {
                    out.push(0);
                    put(&mut out, text.len() as u64);
                    out.extend_from_slice(text.as_bytes());
                }
                Bound::Int(number) => {
                    out.push(1);
                    put(&mut out, (number << 1 ^ number >> 63) as u64);
                }
                Bound::Boolean(value) => out.extend([2, u8::from(*value)]),
            }
        }
    }
    out
}

fn decode(category: EventCategory, mut bytes: &[u8]) -> Option<Vec<ColumnStatistics>> {
    let bytes = &mut bytes;
    let schema = category.file_schema();
    let mut columns = Vec::with_capacity(schema.fields().len());
    let least = schema.fields().len() - shredded(category).len();
    for (number, field) in schema.fields().iter().enumerate() {
        // Shredded keys that came to be later.
        if number >= least && bytes.is_empty() {
            break;
        }
        let flags = byte(bytes)?;
        let compressed_bytes = take(bytes)?;
        let nulls = if flags & NULLS == 0 { None } else { Some(take(bytes)?) };
        let min = if flags & MIN == 0 { None } else { Some(bound(bytes)?) };
        let max = if flags & MAX == 0 { None } else { Some(bound(bytes)?) };
        columns.push(ColumnStatistics { column: field.name().clone(), nulls, min, max, compressed_bytes });
    }
    bytes.is_empty().then_some(columns)
}

fn bound(bytes: &mut &[u8]) -> Option<Bound> {
    Some(match byte(bytes)? {
        0 => {
            let length = usize::try_from(take(bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Bound::Text(std::str::from_utf8(text).ok()?.to_owned())
        }
        1 => {
            let zigzag = take(bytes)?;
            Bound::Int((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
        }
        2 => Bound::Boolean(byte(bytes)? != 0),
        _ => return None,
    })
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(bytes)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_bound() -> impl Strategy<Value = Option<Bound>> {
        proptest::option::of(prop_oneof![
            ".{0,20}".prop_map(Bound::Text),
            any::<i64>().prop_map(Bound::Int),
            any::<bool>().prop_map(Bound::Boolean),
        ])
    }

    proptest! {
        #[test]
        fn statistics_round_trip(parts in proptest::collection::vec((any::<Option<u64>>(), any_bound(), any_bound(), any::<u64>()), 60), later in 0..20_usize) {
            for category in EventCategory::ALL {
                let schema = category.file_schema();
                let columns: Vec<ColumnStatistics> = schema
                    .fields()
                    .iter()
                    .take(schema.fields().len() - later.min(shredded(category).len()))
                    .zip(&parts)
                    .map(|(field, (nulls, min, max, compressed_bytes))| ColumnStatistics {
                        column: field.name().clone(),
                        nulls: *nulls,
                        min: min.clone(),
                        max: max.clone(),
                        compressed_bytes: *compressed_bytes,
                    })
                    .collect();
                prop_assert!(columns.len() + later >= schema.fields().len());
                let kept = Columns::new(category, columns.clone());
                let again = Columns::of_catalogue(category, kept.encoded());
                prop_assert_eq!(again.decoded(), &columns[..]);
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let columns = Columns::of_catalogue(EventCategory::CloudTrail, &bytes);
            prop_assert!(columns.decoded().is_empty() || bytes.len() > 70);
        }
    }
}
