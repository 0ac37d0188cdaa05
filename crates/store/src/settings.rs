//! What event data stores are set to: retention, selectors, whether they take events in.

use rusqlite::{OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, now};
use crate::error::{Error, Result};
use crate::lease;
use crate::selector::AdvancedEventSelector;
use crate::writer;
use crate::{EventDataStore, Store};

const DAY: i64 = 86_400_000;
/// Kind of the documents that hold them, by the store's id.
const KIND: &str = "event-data-store";

/// Settings of one event data store. Those of a store that nobody set are the default: it keeps everything for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Events older than this many days, by their eventTime, are not taken in, not seen, and removed.
    pub retention_days: Option<u32>,
    /// Which events are taken in; empty for all.
    pub selectors: Vec<AdvancedEventSelector>,
    /// False while only imports are taken in.
    pub ingesting: bool,
    /// The store can't be deleted.
    pub termination_protection: bool,
    /// As told at its creation; every region is kept.
    pub multi_region: bool,
    /// As told at its creation.
    pub organization: bool,
    /// `EXTENDABLE_RETENTION_PRICING` or `FIXED_RETENTION_PRICING`, as told.
    pub billing_mode: String,
    /// UTC milliseconds; 0 if not known.
    pub updated: i64,
    /// When deletion was asked for, UTC milliseconds; the store can still be restored.
    pub deleted: Option<i64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention_days: None,
            selectors: Vec::new(),
            ingesting: true,
            termination_protection: true,
            multi_region: true,
            organization: false,
            billing_mode: "EXTENDABLE_RETENTION_PRICING".to_owned(),
            updated: 0,
            deleted: None,
        }
    }
}

impl Settings {
    /// The oldest eventTime that is kept, UTC milliseconds.
    pub fn oldest(&self) -> Option<i64> {
        self.retention_days.map(|days| now() - i64::from(days) * DAY)
    }
}

impl Catalogue {
    pub(crate) fn settings(&self, store: &str) -> Result<Settings> {
        // Stores of programs without the API have no documents.
        let there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'document'";
        if self.connection().prepare_cached(there)?.query_row([], |_| Ok(())).optional()?.is_none() {
            return Ok(Settings::default());
        }
        let sql = "SELECT body FROM document WHERE kind = ?1 AND id = ?2";
        let body: Option<String> =
            self.connection().prepare_cached(sql)?.query_row([KIND, store], |row| row.get(0)).optional()?;
        let Some(body) = body else { return Ok(Settings::default()) };
        serde_json::from_str(&body)
            .map_err(|error| Error::Settings { store: store.to_owned(), reason: error.to_string() })
    }
}

impl Store {
    /// The settings of an event data store.
    ///
    /// # Errors
    /// The catalogue's; [`Error::Settings`] if a newer program wrote them.
    pub fn settings(&self, store: &EventDataStore) -> Result<Settings> {
        self.catalogue().settings(&store.id)
    }

    /// Changes the settings of an event data store.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn set(&self, store: &EventDataStore, settings: &Settings) -> Result<()> {
        let created = self.created(store)?;
        let body = serde_json::to_string(settings).unwrap_or_default();
        let document = crate::Document { id: store.id.clone(), scope: String::new(), created, body };
        self.put_document(KIND, &document)
    }

    /// When an event data store was made, UTC milliseconds.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn created(&self, store: &EventDataStore) -> Result<i64> {
        let catalogue = self.catalogue();
        let mut statement =
            catalogue.connection().prepare_cached("SELECT created FROM event_data_store WHERE id = ?1")?;
        Ok(statement.query_row([&store.id], |row| row.get(0)).optional()?.unwrap_or_default())
    }

    /// Makes an event data store that no placeholder stands for; false if its name is taken.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that Lake would refuse; the catalogue's.
    pub fn create_event_data_store(&self, store: &EventDataStore, settings: &Settings) -> Result<bool> {
        let made = self.catalogue().create_event_data_store(store, now())?;
        if made {
            self.set(store, settings)?;
        }
        Ok(made)
    }

    /// Gives an event data store another name; false if that is taken.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn rename(&self, store: &EventDataStore, name: &str) -> Result<bool> {
        let sql = "UPDATE OR IGNORE event_data_store SET name = ?2 WHERE id = ?1";
        let catalogue = self.catalogue();
        let mut statement = catalogue.connection().prepare_cached(sql)?;
        statement.execute([&store.id, name])?;
        drop(statement);
        drop(catalogue);
        Ok(self.event_data_stores()?.iter().any(|s| s.id == store.id && s.name == name))
    }

    /// Removes an event data store with everything in it, for good.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process writes; the catalogue's, the file system's.
    pub fn remove_event_data_store(&self, store: &EventDataStore) -> Result<()> {
        let _lock = writer::lock(self.root())?;
        let mut catalogue = self.catalogue();
        let transaction = catalogue.connection_mut().transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Tables may refer to each other; at the end nothing refers to the store.
        transaction.pragma_update(None, "defer_foreign_keys", true)?;
        let of_stores =
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'event_data_store'
                         WHERE m.type = 'table'";
        let tables: Vec<String> =
            transaction.prepare(of_stores)?.query_map([], |row| row.get(0))?.collect::<std::result::Result<_, _>>()?;
        for table in tables {
            transaction.execute(&format!("DELETE FROM \"{table}\" WHERE event_data_store = ?1"), [&store.id])?;
        }
        transaction.execute("DELETE FROM document WHERE kind = ?1 AND id = ?2", [KIND, &store.id])?;
        transaction.execute("DELETE FROM event_data_store WHERE id = ?1", [&store.id])?;
        transaction.commit()?;
        drop(catalogue);
        let folder = self.root().join("data").join(&store.id);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(crate::error::io("removing", &folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes the data files out of an event data store whose events are all older than its retention; they are
    /// removed when nobody reads them any more. Gives how many files were taken out.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process writes; the catalogue's, the file system's.
    pub fn expire(&self, store: &EventDataStore) -> Result<u64> {
        let Some(oldest) = self.settings(store)?.oldest() else { return Ok(0) };
        // A compaction must not find that the files are gone which it merges.
        let _lock = writer::lock(self.root())?;
        let mut catalogue = self.catalogue();
        let transaction = catalogue.connection_mut().transaction_with_behavior(TransactionBehavior::Immediate)?;
        let expired = "event_data_store = ?1 AND last IS NULL AND max_time < ?2";
        let count = format!("SELECT count(*) FROM data_file WHERE {expired}");
        let mut taken: i64 = transaction.query_row(&count, params![store.id, oldest], |row| row.get(0))?;
        if taken > 0 {
            // A snapshot of its own, so that those that began before keep what they see. It has no manifest.
            let manifest = format!("expired/{}", uuid::Uuid::new_v4());
            transaction
                .execute("INSERT INTO snapshot (created, manifest) VALUES (?1, ?2)", params![now(), manifest])?;
            let snapshot = transaction.last_insert_rowid();
            let sql = format!("UPDATE data_file SET last = ?3 WHERE {expired}");
            taken = transaction.execute(&sql, params![store.id, oldest, snapshot])? as i64;
        }
        transaction.commit()?;
        lease::remove_retired(self.root(), &mut catalogue)?;
        Ok(taken.max(0) as u64)
    }
}
