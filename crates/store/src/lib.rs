//! Event data stores on disk. (Skeleton of the public names; the rest follows.)
#![allow(missing_docs)]
use cloudtarn_record::schema::EventCategory;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("event data store `{name}` not found in {store}")]
    EventDataStoreNotFound { name: String, store: PathBuf },
}
pub type Result<T> = std::result::Result<T, Error>;

/// One event data store: `id` a UUID in text, `arn` `arn:aws:cloudtrail:REGION:ACCOUNT:eventdatastore/UUID`.
#[derive(Debug, Clone)]
pub struct EventDataStore {
    pub id: String,
    pub arn: String,
    pub name: String,
    pub category: EventCategory,
}

/// A column's minimum or maximum in one data file.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    Text(String),
    Int(i64),
    Boolean(bool),
}

/// Statistics of one top-level column of one data file, exact unless the bound was cut (then None).
#[derive(Debug, Clone)]
pub struct ColumnStatistics {
    pub column: String,
    pub nulls: u64,
    pub min: Option<Bound>,
    pub max: Option<Bound>,
    pub compressed_bytes: u64,
}

/// One immutable Parquet file. `path` absolute; sorted by eventtime ascending; `json_bytes` the raw JSON of its events.
#[derive(Debug, Clone)]
pub struct DataFile {
    pub path: PathBuf,
    pub bytes: u64,
    pub rows: u64,
    pub json_bytes: u64,
    pub columns: Vec<ColumnStatistics>,
}

/// What a reader sees of one event data store: never changes, whatever is ingested or compacted meanwhile.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub id: i64,
    pub store: EventDataStore,
    pub files: Vec<DataFile>,
}

#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}
impl Store {
    pub fn open(root: &Path) -> Result<Self> {
        Ok(Self { root: root.to_path_buf() })
    }
    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn event_data_stores(&self) -> Result<Vec<EventDataStore>> {
        Ok(vec![])
    }
    /// By UUID, ARN or name (case-insensitive); the default store for `default`.
    pub fn event_data_store(&self, name: &str) -> Result<EventDataStore> {
        Err(Error::EventDataStoreNotFound { name: name.to_owned(), store: self.root.clone() })
    }
    pub fn snapshot(&self, eds: &EventDataStore) -> Result<Snapshot> {
        Ok(Snapshot { id: 0, store: eds.clone(), files: vec![] })
    }
}
