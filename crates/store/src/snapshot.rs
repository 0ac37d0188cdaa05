//! What a reader sees of a store.

use std::path::PathBuf;

use cloudtarn_record::EventCategory;
use serde::{Deserialize, Serialize};

/// One event data store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDataStore {
    /// UUID in text: what `FROM` takes.
    pub id: String,
    /// `arn:aws:cloudtrail:REGION:ACCOUNT:eventdatastore/UUID`.
    pub arn: String,
    /// Unique in the store, whatever the case.
    pub name: String,
    /// Which events it holds, hence its columns.
    pub category: EventCategory,
}

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

/// One immutable Parquet file, sorted by `eventtime`, ascending, NULLs last.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Absolute.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// Events.
    pub rows: u64,
    /// Bytes of the events' JSON as delivered, uncompressed.
    pub json_bytes: u64,
    /// One a top-level column, hidden ones included.
    pub columns: Vec<ColumnStatistics>,
}

/// What a reader sees of one event data store: it never changes, whatever is ingested meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Grows with every commit of the store.
    pub id: i64,
    /// The event data store.
    pub store: EventDataStore,
    /// Its files, by time.
    pub files: Vec<DataFile>,
    /// Events with an eventTime before this (UTC milliseconds) have expired, though files still hold them.
    pub oldest: Option<i64>,
}

impl DataFile {
    /// First and last event time in UTC milliseconds; `None` if no event has a time.
    pub fn times(&self) -> (Option<i64>, Option<i64>) {
        let time = self.columns.iter().find(|column| column.column == "eventtime");
        let millis = |bound: Option<&Bound>| match bound {
            Some(Bound::Int(time)) => Some(*time),
            _ => None,
        };
        (time.and_then(|t| millis(t.min.as_ref())), time.and_then(|t| millis(t.max.as_ref())))
    }
}
