//! What the store holds for verification: digests, the hashes of log files, public keys; and the verdicts on them.

use cloudtarn_record::Content;
use cloudtarn_record::digest::keys::PublicKey;
use cloudtarn_record::digest::signature::Metadata;
use rusqlite::{OptionalExtension, Row, params};

use crate::catalogue::{Catalogue, Folders, now};
use crate::error::Result;
use crate::{Fate, Store};

/// A folder that files were taken in from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in this store.
    pub id: i64,
    /// Its address, with the slash at its end.
    pub path: String,
}

/// A digest file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRow {
    /// Name in its folder.
    pub name: String,
    /// Version at its address.
    pub version: String,
    /// Its bytes as they were stored.
    pub body: Vec<u8>,
    /// Its signature, where the source had it.
    pub metadata: Metadata,
}

/// A log file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Name in its folder.
    pub name: String,
    /// Version at its address.
    pub version: String,
    /// Hashes of its inflated bytes.
    pub content: Option<Content>,
    /// What became of it.
    pub fate: Fate,
}

/// What a verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A digest file.
    Digest,
    /// A log file.
    LogFile,
}

impl Object {
    /// The word kept in the catalogue and shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::LogFile => "log file",
        }
    }
}

/// What verifying found, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is what AWS delivered, at the place where AWS delivered it.
    Valid,
    /// It is what AWS delivered; the whole copy lies elsewhere.
    Moved,
    /// There is nothing that proves it, nor anything against it.
    Unproven,
    /// It was delivered, and is not there.
    Missing,
    /// It is not what AWS delivered.
    Invalid,
}

impl Verdict {
    /// All, from good to bad.
    pub const ALL: [Self; 5] = [Self::Valid, Self::Moved, Self::Unproven, Self::Missing, Self::Invalid];

    /// The words kept in the catalogue and shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Moved => "valid but moved",
            Self::Unproven => "unproven",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
        }
    }
}

/// A verdict on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictRow<'a> {
    /// What it is about.
    pub object: Object,
    /// Address of the file, also where it should have been.
    pub path: &'a str,
    /// Version at that address; empty if the file is missing.
    pub version: &'a str,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<&'a str>,
    /// Address of the digest that names it.
    pub digest: Option<&'a str>,
}

/// The verdict on an hour of an account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourVerdict {
    /// Twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// Start of the hour, UTC milliseconds.
    pub hour: i64,
    /// `proven`, `proven empty`, `unproven`, `missing` or `invalid`.
    pub state: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// Digests that cover it.
    pub digests: u64,
    /// Log files that were delivered in it.
    pub log_files: u64,
}

impl Store {
    /// The folders that digests or log files were taken in from, in the order of their addresses.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn folders(&self) -> Result<Vec<Entry>> {
        let catalogue = self.catalogue();
        let sql = "SELECT id, path FROM folder f WHERE EXISTS (SELECT 1 FROM digest_file WHERE folder = f.id)
                   OR id IN (SELECT folder FROM log_file) ORDER BY path";
        let mut statement = catalogue.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok(Entry { id: row.get(0)?, path: row.get(1)? }))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// The digests of a folder, in the order of their names.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn digests_of(&self, folder: &Entry) -> Result<Vec<DigestRow>> {
        let catalogue = self.catalogue();
        let sql = "SELECT name, version, body, signature, algorithm, generated FROM digest_file WHERE folder = ?1
                   ORDER BY name, version";
        let mut statement = catalogue.connection.prepare_cached(sql)?;
        let rows = statement.query_map([folder.id], |row| {
            let metadata = Metadata { signature: row.get(3)?, algorithm: row.get(4)?, generated: row.get(5)? };
            Ok(DigestRow { name: row.get(0)?, version: row.get(1)?, body: row.get(2)?, metadata })
        })?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// The log files of a folder, in the order of their names; each once, however many event data stores took it in.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn log_files_of(&self, folder: &Entry) -> Result<Vec<LogRow>> {
        let catalogue = self.catalogue();
        let mut stores =
            catalogue.connection.prepare_cached("SELECT id FROM event_data_store ORDER BY created, rowid")?;
        let stores: Vec<String> = stores.query_map([], |row| row.get(0))?.collect::<std::result::Result<_, _>>()?;
        // One store after the other, so that the ledger's key finds the folder.
        let sql = "SELECT name, version, content, first_member, fate, reason FROM log_file
                   WHERE event_data_store = ?1 AND folder = ?2 ORDER BY name, version";
        let mut statement = catalogue.connection.prepare_cached(sql)?;
        let mut found: Vec<LogRow> = Vec::new();
        for store in stores {
            let rows = statement.query_map(params![store, folder.id], log_row)?;
            found.extend(rows.collect::<std::result::Result<Vec<_>, _>>()?.into_iter().flatten());
        }
        found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        found.dedup_by(|next, first| (&next.name, &next.version) == (&first.name, &first.version));
        Ok(found)
    }

    /// Whether a digest was taken in.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn has_digest(&self, path: &str, version: &str) -> Result<bool> {
        let (folder, name) = crate::ledger::split(path);
        let catalogue = self.catalogue();
        let sql = "SELECT 1 FROM digest_file d JOIN folder f ON f.id = d.folder
                   WHERE f.path = ?1 AND d.name = ?2 AND d.version = ?3";
        let mut statement = catalogue.connection.prepare_cached(sql)?;
        Ok(statement.exists(params![folder, name, version])?)
    }

    /// CloudTrail's public keys that were given to earlier verifications.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn public_keys(&self) -> Result<Vec<PublicKey>> {
        let catalogue = self.catalogue();
        let mut statement = catalogue.connection.prepare("SELECT der, valid_from, valid_until FROM public_key")?;
        let rows = statement.query_map([], |row| Ok(PublicKey::new(row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Keeps public keys for later verifications.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn keep_public_keys<'a>(&self, keys: impl IntoIterator<Item = &'a PublicKey>) -> Result<()> {
        let catalogue = self.catalogue();
        let sql = "INSERT OR REPLACE INTO public_key VALUES (?1, ?2, ?3, ?4)";
        let mut statement = catalogue.connection.prepare_cached(sql)?;
        for key in keys {
            statement.execute(params![key.fingerprint, key.der, key.from, key.until])?;
        }
        Ok(())
    }

    /// Whether keys and verdicts can be kept: evidence may lie on a disk that cannot be written.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn is_writable(&self) -> Result<bool> {
        self.catalogue().is_writable()
    }

    /// Whether nothing was taken in since the last verification that was kept.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn is_verified(&self) -> Result<bool> {
        let catalogue = self.catalogue();
        let sql = "SELECT snapshot >= (SELECT coalesce(max(id), 0) FROM snapshot) FROM verification";
        Ok(catalogue.connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(false))
    }

    /// Begins to keep the verdicts of a verification of the store as it is now.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn begin_verdicts(&self) -> Result<Verdicts> {
        let catalogue = Catalogue::open(&self.root)?;
        // A temporary table, so that nobody waits for a verification to end.
        catalogue.connection.execute_batch(
            "CREATE TEMP TABLE new_verdict (object TEXT, path TEXT, version TEXT, verdict TEXT, reason TEXT, digest TEXT)",
        )?;
        let sql = "SELECT coalesce(max(id), 0) FROM snapshot";
        let snapshot = catalogue.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(Verdicts { catalogue, snapshot })
    }
}

fn log_row(row: &Row<'_>) -> rusqlite::Result<Option<LogRow>> {
    let (fate, reason): (String, Option<String>) = (row.get(4)?, row.get(5)?);
    let sha256: Option<[u8; 32]> = row.get(2)?;
    let first_member: Option<[u8; 32]> = row.get(3)?;
    let (name, version) = (row.get(0)?, row.get(1)?);
    let content = sha256.map(|sha256| Content { sha256, first_member });
    Ok(Fate::parse(&fate, reason).map(|fate| LogRow { name, version, content, fate }))
}

/// Keeps the verdicts of one verification; they replace those of the one before when it ends.
#[derive(Debug)]
pub struct Verdicts {
    catalogue: Catalogue,
    snapshot: i64,
}

impl Verdicts {
    /// Adds a verdict on a file.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn add(&mut self, row: &VerdictRow<'_>) -> Result<()> {
        let sql = "INSERT INTO new_verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (object, verdict) = (row.object.as_str(), row.verdict.as_str());
        let mut statement = self.catalogue.connection.prepare_cached(sql)?;
        statement.execute(params![object, row.path, row.version, verdict, row.reason, row.digest])?;
        Ok(())
    }

    /// Puts what was added, and the verdicts on the hours, in the place of the last verification's.
    ///
    /// # Errors
    /// The catalogue's; then the last verification's verdicts stay.
    pub fn finish(mut self, hours: impl IntoIterator<Item = HourVerdict>) -> Result<()> {
        let transaction =
            self.catalogue.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch("DELETE FROM verdict; DELETE FROM hour_verdict;")?;
        {
            let mut rows = transaction.prepare("SELECT * FROM new_verdict ORDER BY path")?;
            let mut rows = rows.query([])?;
            let mut folders = Folders::new(&transaction)?;
            let sql = "INSERT OR REPLACE INTO verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let mut add = transaction.prepare(sql)?;
            while let Some(row) = rows.next()? {
                let text = |index| row.get::<_, Option<String>>(index);
                let path = text(1)?.unwrap_or_default();
                let (folder, name) = folders.place(&path)?;
                add.execute(params![text(0)?, folder, name, text(2)?, text(3)?, text(4)?, text(5)?])?;
            }
            let mut add =
                transaction.prepare("INSERT OR REPLACE INTO hour_verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            for hour in hours {
                let counts = [hour.digests, hour.log_files].map(|count| count as i64);
                add.execute(params![
                    hour.account,
                    hour.region,
                    hour.hour,
                    hour.state,
                    hour.reason,
                    counts[0],
                    counts[1]
                ])?;
            }
        }
        let sql = "INSERT OR REPLACE INTO verification VALUES (1, ?1, ?2)";
        transaction.execute(sql, params![now(), self.snapshot])?;
        transaction.commit()?;
        Ok(())
    }
}
