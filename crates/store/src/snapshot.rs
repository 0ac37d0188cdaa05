//! What a reader sees of a store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::lease::Lease;
use crate::statistics::{Bound, ColumnStatistics, Columns};
use cloudtarn_record::{Deviations, EventCategory};

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

/// One immutable Parquet file. Like events stand together in it ([`crate::arrangement`]).
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
    /// Time of the first and the last event in UTC milliseconds; `None` if no event has one.
    pub(crate) times: (Option<i64>, Option<i64>),
    pub(crate) columns: Columns,
}

/// What a reader sees of one event data store: it never changes, whatever is ingested meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Grows with every commit of the store.
    pub id: i64,
    /// The event data store.
    pub store: EventDataStore,
    /// Its files, by time.
    pub files: Arc<[Arc<DataFile>]>,
    /// Where the columns do not tell what the records say; of events too that the store held once.
    pub deviations: Arc<Deviations>,
    /// Events with an eventTime before this (UTC milliseconds) have expired, though files still hold them.
    pub oldest: Option<i64>,
    /// While it or a clone of it lives, the files stay where they are.
    pub lease: Lease,
}

impl Snapshot {
    /// Without the events of before a time (UTC milliseconds); a file that holds others too stays, and its reader must filter.
    pub(crate) fn not_before(mut self, oldest: i64) -> Self {
        let kept = |file: &&Arc<DataFile>| file.times.1.is_none_or(|last| last >= oldest);
        self.files = self.files.iter().filter(kept).cloned().collect();
        self.oldest = Some(oldest);
        self
    }
}

impl DataFile {
    pub(crate) fn new(
        path: PathBuf,
        category: EventCategory,
        (bytes, rows, json_bytes): (u64, u64, u64),
        columns: Vec<ColumnStatistics>,
    ) -> Self {
        let time = columns.iter().find(|column| column.column == "eventtime");
        let millis = |bound: Option<&Bound>| match bound {
            Some(Bound::Int(time)) => Some(*time),
            _ => None,
        };
        let times = (time.and_then(|t| millis(t.min.as_ref())), time.and_then(|t| millis(t.max.as_ref())));
        Self { path, bytes, rows, json_bytes, times, columns: Columns::new(category, columns) }
    }

    /// First and last event time in UTC milliseconds; `None` if no event has a time.
    pub fn times(&self) -> (Option<i64>, Option<i64>) {
        self.times
    }

    /// Statistics, one a top-level column, hidden ones included.
    pub fn columns(&self) -> &[ColumnStatistics] {
        self.columns.decoded()
    }
}
