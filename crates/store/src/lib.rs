//! Event data stores on disk.
//!
//! ```text
//! <store>/catalog.db                        event data stores, snapshots, data files with statistics, ledger
//! <store>/commits/<uuid>.json.zst           what each commit did, again: a lost catalogue can be made anew
//! <store>/data/<id>/<day>/<uuid>.parquet    immutable data files of whole days; <day> is the first of the file
//! <store>/data/<id>/<day>/<uuid>.ids        the identities of its events, for exact deduplication
//! ```
//!
//! [`Writer`] takes chunks of decoded events and the fates of their log files; each commit is wholly there or not at all:
//! files are written under temporary names, synced and renamed, then one SQLite transaction makes them visible together with
//! the ledger of their sources. [`Store`] is the reader's side: a [`Snapshot`] never changes.
//!
//! Knows nothing of S3's layouts, SQL text, DataFusion.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cloudtarn_record::EventCategory;

mod arrangement;
mod catalogue;
mod column_writers;
mod compaction;
mod crash;
mod deviations;
mod disk;
mod documents;
mod duplicates;
mod error;
mod evidence;
mod identities;
mod lease;
mod ledger;
mod manifest;
mod parquet_file;
mod provenance;
pub mod selector;
mod settings;
mod sightings;
mod snapshot;
mod statistics;
mod system;
mod text_column;
mod writer;

pub use catalogue::{DEFAULT_NAME, Span};
pub use compaction::{Compacted, When};
pub use documents::Document;
pub use error::{Error, Result};
pub use evidence::{DigestRow, Entry, HourVerdict, LogRow, Object, Verdict, VerdictRow, Verdicts};
pub use lease::Lease;
pub use ledger::{DigestFile, Fate, LogFile};
pub use parquet_file::BLOOM_FILTERED;
pub use provenance::Provenance;
pub use selector::AdvancedEventSelector;
pub use settings::Settings;
pub use sightings::{Known, Sightings};
pub use snapshot::{DataFile, EventDataStore, Snapshot};
pub use statistics::{Bound, ColumnStatistics};
pub use system::{Cell, ColumnKind, SystemTable};
pub use writer::{Committed, Writer};

use catalogue::Catalogue;

/// A store, for reading.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    // SQLite's connection is not for several threads at once.
    catalogue: std::sync::Mutex<Catalogue>,
    /// The last one of each event data store, without a lease: the next has most files in common with it.
    snapshots: std::sync::Mutex<HashMap<String, Snapshot>>,
}

impl Store {
    /// Opens the store in a folder.
    ///
    /// # Errors
    /// [`Error::NoStore`] if there is none; [`Error::Format`] if a newer program made it.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).map_err(error::io("finding", root))?;
        let catalogue = std::sync::Mutex::new(Catalogue::open(&root)?);
        Ok(Self { root, catalogue, snapshots: std::sync::Mutex::default() })
    }

    /// Opens the store in a folder, and makes the folder and an empty store if there is none.
    ///
    /// # Errors
    /// The file system's; [`Error::Format`] if a newer program made it.
    pub fn create(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).map_err(error::io("finding", root))?;
        disk::create_folder(&root)?;
        let catalogue = std::sync::Mutex::new(Catalogue::create(&root)?);
        Ok(Self { root, catalogue, snapshots: std::sync::Mutex::default() })
    }

    /// The folder, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn catalogue(&self) -> std::sync::MutexGuard<'_, Catalogue> {
        self.catalogue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All event data stores, the oldest first.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn event_data_stores(&self) -> Result<Vec<EventDataStore>> {
        self.catalogue().event_data_stores()
    }

    /// The event data store of that UUID, ARN or name, whatever the case; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::EventDataStoreNotFound`], with those that exist.
    pub fn event_data_store(&self, name: &str) -> Result<EventDataStore> {
        let stores = self.event_data_stores()?;
        let known = stores.iter().map(|store| store.name.as_str()).collect::<Vec<_>>().join(", ");
        let matches =
            |store: &EventDataStore| [&store.id, &store.arn, &store.name].iter().any(|n| n.eq_ignore_ascii_case(name));
        let found = stores.into_iter().find(matches);
        found.ok_or_else(|| Error::EventDataStoreNotFound { name: name.to_owned(), known })
    }

    /// The event data store that `$EDS_ID` (or, for Insights, `$INSIGHTS_EDS_ID`) stands for.
    ///
    /// # Errors
    /// [`Error::EventDataStoreNotFound`] if the store has none of the category.
    pub fn standard(&self, category: EventCategory) -> Result<EventDataStore> {
        let found = self.catalogue().standard(category)?;
        let name = || format!("standard store for {} events", category.as_str());
        found.ok_or_else(|| Error::EventDataStoreNotFound { name: name(), known: "none of that kind".to_owned() })
    }

    /// Makes the event data store of that name unless there is one; no placeholder will stand for it.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn ensure_event_data_store(&self, name: &str, category: EventCategory) -> Result<()> {
        let id = uuid::Uuid::new_v4().to_string();
        let arn = format!("{}{id}", catalogue::ARN);
        let store = EventDataStore { id, arn, name: name.to_owned(), category };
        self.catalogue().create_event_data_store(&store, catalogue::now()).map(|_| ())
    }

    /// What there is now of an event data store.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn snapshot(&self, store: &EventDataStore) -> Result<Snapshot> {
        // First the lease, so that no file can go between being found and being kept.
        let lease = lease::take(&self.root);
        let mut last = self.snapshots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let catalogue = self.catalogue();
        let snapshot = catalogue.snapshot(store, lease, last.get(&store.id))?;
        last.insert(store.id.clone(), Snapshot { lease: Lease::none(), ..snapshot.clone() });
        Ok(match catalogue.settings(&store.id)?.oldest() {
            Some(oldest) => snapshot.not_before(oldest),
            None => snapshot,
        })
    }

    /// How many data files of an event data store [`Self::compact`] would merge.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn mergeable(&self, store: &EventDataStore) -> Result<u64> {
        Ok(compaction::mergeable(&self.snapshot(store)?.files))
    }

    /// Merges the data files of an event data store that have less than a million events or so. Readers see the same events before, during and after; merged files
    /// are removed when no snapshot that sees them is held any more, by this or a later call or ingest.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process writes; the file system's and the catalogue's, with the store as it was.
    pub fn compact(&self, store: &EventDataStore, when: When) -> Result<Compacted> {
        writer::compact(&self.root, store, when)
    }

    /// What became of a log file when it was taken in; `None` if it was not, or only another version of it.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn fate(&self, store: &EventDataStore, path: &str, version: &str) -> Result<Option<Fate>> {
        self.catalogue().fate(&store.id, path, version)
    }

    /// Begins to compare a listing with the ledger.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn sightings(&self, store: &EventDataStore) -> Result<Sightings> {
        Sightings::begin(&self.root, store)
    }

    /// Days of buckets' folders that were listed for good.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn settled(&self, store: &EventDataStore) -> Result<Vec<Span>> {
        self.catalogue().settled(&store.id)
    }

    /// Record indexes of a log file that were dropped as duplicates, ascending.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn duplicates(&self, store: &EventDataStore, path: &str, version: &str) -> Result<Vec<u32>> {
        self.catalogue().duplicates(&store.id, path, version)
    }
}
