//! What a listing meets of what the ledger knows: files that are known, that changed, that are gone.

use std::path::Path;

use rusqlite::{OptionalExtension, params};

use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::ledger::{self, Fate};
use crate::snapshot::EventDataStore;

/// What the ledger has of a file that was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    New,
    /// This very version, and what became of it.
    Same(Fate),
    /// Only other versions: the newest taken in, and the SHA-256 of its bytes.
    Other {
        /// Version that the ledger has.
        version: String,
        /// SHA-256 of its bytes.
        sha256: [u8; 32],
    },
}

/// One listing beside the ledger. What it has met lies in a temporary table, on disk when it grows, not in memory.
#[derive(Debug)]
pub struct Sightings {
    catalogue: Catalogue,
    store: String,
    /// The folder of the last file, with its id; no id if the ledger has nothing of it.
    folder: Option<(String, Option<i64>)>,
    met: usize,
}

/// Files after which the transaction ends and another begins: one for each would be slow, and an old one keeps the catalogue's log
/// from being emptied.
const TOGETHER: usize = 1000;

impl Sightings {
    pub(crate) fn begin(root: &Path, store: &EventDataStore) -> Result<Self> {
        let catalogue = Catalogue::open(root)?;
        catalogue.connection().execute_batch(
            "CREATE TEMP TABLE seen (folder INTEGER, name TEXT, PRIMARY KEY (folder, name)) WITHOUT ROWID; BEGIN;",
        )?;
        Ok(Self { catalogue, store: store.id.clone(), folder: None, met: 0 })
    }

    /// Looks a listed file up, and remembers that it is there.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn meet(&mut self, path: &str, version: &str) -> Result<Known> {
        self.met += 1;
        if self.met.is_multiple_of(TOGETHER) {
            self.catalogue.connection().execute_batch("COMMIT; BEGIN")?;
            // What the ledger did not have may be there by now.
            self.folder = None;
        }
        let (folder, name) = ledger::split(path);
        let Some(id) = self.folder_id(folder)? else { return Ok(Known::New) };
        let connection = self.catalogue.connection();
        let sql = "SELECT version, fate, reason, sha256 FROM log_file
                   WHERE event_data_store = ?1 AND folder = ?2 AND name = ?3 ORDER BY version <> ?4, snapshot DESC LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement
            .query_row(params![self.store, id, name, version], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, [u8; 32]>(3)?))
            })
            .optional()?;
        let Some((known, word, reason, sha256)) = found else { return Ok(Known::New) };
        connection.prepare_cached("INSERT OR IGNORE INTO seen VALUES (?1, ?2)")?.execute(params![id, name])?;
        if known != version {
            return Ok(Known::Other { version: known, sha256 });
        }
        Ok(Fate::parse(&word, reason).map_or(Known::New, Known::Same))
    }

    /// Files of the ledger below an address that were not met, if their folder was looked into, and that were not known to be gone.
    /// `looked` is asked about each folder.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn missing(&self, below: &str, looked: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let connection = self.catalogue.connection();
        // All that begins with `below`, by the index: it ends in a slash, and `0` comes after that.
        let past = format!("{}0", below.trim_end_matches('/'));
        let mut folders = connection.prepare("SELECT id, path FROM folder WHERE path >= ?1 AND path < ?2")?;
        let mut files = connection.prepare(
            "SELECT DISTINCT name FROM log_file l WHERE event_data_store = ?1 AND folder = ?2
             AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.folder = l.folder AND s.name = l.name)
             AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.event_data_store = ?1 AND g.path = ?3 || l.name)",
        )?;
        let mut missing = Vec::new();
        let mut rows = folders.query([below, past.as_str()])?;
        while let Some(row) = rows.next()? {
            let (id, path): (i64, String) = (row.get(0)?, row.get(1)?);
            if !looked(&path) {
                continue;
            }
            for name in files.query_map(params![self.store, id, path], |row| row.get::<_, String>(0))? {
                missing.push(format!("{path}{}", name?));
            }
        }
        Ok(missing)
    }

    fn folder_id(&mut self, folder: &str) -> Result<Option<i64>> {
        if let Some((known, id)) = &self.folder
            && known == folder
        {
            return Ok(*id);
        }
        let mut statement = self.catalogue.connection().prepare_cached("SELECT id FROM folder WHERE path = ?1")?;
        let id = statement.query_row([folder], |row| row.get(0)).optional()?;
        self.folder = Some((folder.to_owned(), id));
        Ok(id)
    }
}
