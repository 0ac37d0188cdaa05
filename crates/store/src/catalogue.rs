//! `catalog.db`: SQLite in WAL mode.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloudtarn_record::{Deviations, EventCategory};
use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::crash;
use crate::deviations;
use crate::documents;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::ledger::{self, DigestFile, Fate, LogFile};
use crate::snapshot::{DataFile, EventDataStore, Snapshot};
use crate::statistics::Columns;

/// The oldest format that can be read and brought up, in SQLite's `user_version`: before, nothing was noted of columns that do
/// not tell what the records say.
const OLDEST: i64 = 4;
/// What makes the oldest format out of nothing, then each format out of the one before it.
const STEPS: [&str; 1] = [include_str!("catalogue.sql")];
/// Stores of older programs get it too: only [`Catalogue::data_files_between`] asks for it.
const BEGINNINGS: &str =
    "CREATE INDEX IF NOT EXISTS data_file_beginning ON data_file (event_data_store, min_time, max_time)";
/// The format that this program writes.
const FORMAT: i64 = OLDEST + STEPS.len() as i64 - 1;
pub(crate) const FILE: &str = "catalog.db";
/// Region and account of the ARNs of stores made here: there is no account behind them.
pub(crate) const ARN: &str = "arn:aws:cloudtrail:us-east-1:000000000000:eventdatastore/";
/// Name of the event data store that the first ingest makes.
pub const DEFAULT_NAME: &str = "default";

/// A connection to the catalogue of one store.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) connection: Connection,
    pub(crate) root: PathBuf,
}

/// What one commit adds.
#[derive(Debug)]
pub(crate) struct Addition<'a> {
    pub(crate) manifest: &'a str,
    /// Id of the event data store and its new file.
    pub(crate) data_files: &'a [(String, Arc<DataFile>)],
    /// Paths of data files, relative to the root, whose events the new files hold from now on.
    pub(crate) retired: &'a [String],
    /// Id of the event data store that the ledger entries belong to.
    pub(crate) ledger_of: &'a str,
    /// Log files with the indexes of their records that were dropped as duplicates.
    pub(crate) log_files: &'a [(LogFile, Vec<u32>)],
    /// Id of the event data store, address and record of events that conflict with another.
    pub(crate) conflicts: &'a [(String, String, i32)],
    /// Id of the event data store, and where the columns of its new events do not tell what their records say.
    pub(crate) deviations: &'a [(String, Deviations)],
    pub(crate) digests: &'a [DigestFile],
}

/// Days in which nothing new is expected in a folder of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Address of the folder that the years are in.
    pub folder: String,
    /// First day, `yyyy-mm-dd`.
    pub first: String,
    /// Last day, `yyyy-mm-dd`.
    pub last: String,
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as i64)
}

impl Catalogue {
    /// Opens the catalogue of the store at `root`.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        if !root.join(FILE).is_file() {
            return Err(Error::NoStore(root.to_path_buf()));
        }
        match Self::connect(root) {
            Err(Error::Catalogue(error)) if is_read_only(&error) => Self::read_only(root).unwrap_or(Err(error.into())),
            opened => opened,
        }
    }

    /// Opens it where nothing can be written; `None` if that needs what an unfinished writer left to be put in order first.
    fn read_only(root: &Path) -> Option<Result<Self>> {
        let log = root.join(format!("{FILE}-wal"));
        if log.metadata().is_ok_and(|log| log.len() > 0) {
            return None;
        }
        // SQLite's own way to say that nobody can change the file. The path may hold what has a meaning in addresses.
        let path: String = root.join(FILE).to_string_lossy().chars().fold(String::new(), |path, c| match c {
            '%' => path + "%25",
            '?' => path + "%3f",
            '#' => path + "%23",
            c => path + c.encode_utf8(&mut [0; 4]),
        });
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).map_err(Error::from);
        Some(opened.and_then(|connection| Self::checked(connection, root)))
    }

    /// Opens or makes it; the folder must exist.
    pub(crate) fn create(root: &Path) -> Result<Self> {
        let mut catalogue = Self::connect(root)?;
        catalogue.bring_up()?;
        Ok(catalogue)
    }

    /// Makes the tables of this program's format out of those of an older one, or out of none.
    fn bring_up(&mut self) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = format(&transaction)?;
        for step in STEPS.iter().skip((found - OLDEST + 1).max(0) as usize) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.execute_batch(include_str!("sources.sql"))?;
        transaction.execute_batch(BEGINNINGS)?;
        transaction.execute_batch(documents::SCHEMA)?;
        transaction.commit()?;
        Ok(())
    }

    pub(crate) fn is_writable(&self) -> Result<bool> {
        Ok(!self.connection.is_readonly("main")?)
    }

    fn connect(root: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(root.join(FILE), flags)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Self::checked(connection, root)
    }

    /// The catalogue, if this program knows its format.
    fn checked(connection: Connection, root: &Path) -> Result<Self> {
        let found = format(&connection)?;
        if found > FORMAT || (1..OLDEST).contains(&found) {
            return Err(Error::Format { path: root.to_path_buf(), found, known: FORMAT });
        }
        let mut catalogue = Self { connection, root: root.to_path_buf() };
        // Of an older store that cannot be written, the events can still be read.
        if (OLDEST..FORMAT).contains(&found) && catalogue.is_writable()? {
            catalogue.bring_up()?;
        }
        Ok(catalogue)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// As [`Catalogue::connection`], for transactions.
    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(crate) fn event_data_stores(&self) -> Result<Vec<EventDataStore>> {
        let sql = "SELECT id, arn, name, category FROM event_data_store ORDER BY created, rowid";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut stores = Vec::new();
        while let Some(row) = rows.next()? {
            let category: String = row.get(3)?;
            let Some(category) = EventCategory::parse(&category) else { continue };
            stores.push(EventDataStore { id: row.get(0)?, arn: row.get(1)?, name: row.get(2)?, category });
        }
        Ok(stores)
    }

    /// The store that stands for its category when none is named.
    pub(crate) fn standard(&self, category: EventCategory) -> Result<Option<EventDataStore>> {
        let sql = "SELECT id FROM event_data_store WHERE standard AND category = ?1";
        let id: Option<String> = self.connection.query_row(sql, [category.as_str()], |row| row.get(0)).optional()?;
        Ok(self.event_data_stores()?.into_iter().find(|store| Some(&store.id) == id.as_ref()))
    }

    /// The store of that name and category, made if there is none. The first of its category becomes the standard one.
    pub(crate) fn event_data_store(&mut self, name: &str, category: EventCategory) -> Result<EventDataStore> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = uuid::Uuid::new_v4().to_string();
        transaction.execute(
            "INSERT INTO event_data_store (id, arn, name, category, standard, created)
             SELECT ?1, ?2, ?3, ?4, NOT EXISTS (SELECT 1 FROM event_data_store WHERE category = ?4 AND standard), ?5
             WHERE NOT EXISTS (SELECT 1 FROM event_data_store WHERE name = ?3)",
            params![id, format!("{ARN}{id}"), name, category.as_str(), now()],
        )?;
        transaction.commit()?;
        let stores = self.event_data_stores()?;
        let found =
            stores.into_iter().find(|store| store.name.eq_ignore_ascii_case(name) && store.category == category);
        found.ok_or_else(|| Error::Name(name.to_owned()))
    }

    /// What there is now of an event data store. Of the files only those that are new since `before` are read.
    pub(crate) fn snapshot(&self, store: &EventDataStore, lease: Lease, before: Option<&Snapshot>) -> Result<Snapshot> {
        // All statements must be of one moment.
        let transaction = self.connection.unchecked_transaction()?;
        let sql = "SELECT coalesce(max(id), 0) FROM snapshot";
        let id: i64 = transaction.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        let mut known: Cow<'_, [Arc<DataFile>]> = Cow::Borrowed(&[]);
        if let Some(before) = before {
            if before.id == id {
                return Ok(Snapshot { lease, ..before.clone() });
            }
            let sql = "SELECT path FROM data_file WHERE last > ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            let gone = statement.query_map([before.id], |row| row.get::<_, String>(0))?;
            let gone = gone.map(|path| Ok(self.root.join(path?))).collect::<Result<HashSet<PathBuf>>>()?;
            known = match gone.is_empty() {
                true => Cow::Borrowed(&before.files),
                false => before.files.iter().filter(|file| !gone.contains(&file.path)).cloned().collect(),
            };
        }
        let sql = "SELECT path, bytes, rows, json_bytes, min_time, max_time, columns FROM data_file
                   WHERE event_data_store = ?1 AND first > ?2 AND last IS NULL";
        let mut statement = transaction.prepare_cached(sql)?;
        let mut rows = statement.query(params![store.id, before.map_or(0, |before| before.id)])?;
        let mut new: Vec<Arc<DataFile>> = Vec::new();
        while let Some(row) = rows.next()? {
            let count = |index| row.get::<_, i64>(index).map(|n| n.max(0) as u64);
            let columns = row.get_ref(6)?.as_blob().map_err(rusqlite::Error::from)?;
            let relative = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            // Asked for once: there may be very many.
            let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + 1 + relative.len());
            path.push(&self.root);
            path.push(relative);
            new.push(Arc::new(DataFile {
                path,
                bytes: count(1)?,
                rows: count(2)?,
                json_bytes: count(3)?,
                times: (row.get(4)?, row.get(5)?),
                columns: Columns::of_catalogue(store.category, columns),
            }));
        }
        new.sort_by(|left, right| in_time(left, right));
        let files = put_among(&known, new);
        let deviations = deviations::of_store(&transaction, &self.root.join(FILE), &store.id)?.into();
        Ok(Snapshot { id, store: store.clone(), files: files.into(), deviations, oldest: None, lease })
    }

    /// Makes a store that no placeholder stands for, owned by an account; false if its name is taken.
    pub(crate) fn create_event_data_store(&self, store: &EventDataStore, created: i64) -> Result<bool> {
        let made = self.connection.execute(
            "INSERT OR IGNORE INTO event_data_store (id, arn, name, category, standard, created) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            params![store.id, store.arn, store.name, store.category.as_str(), created],
        )?;
        Ok(made > 0)
    }

    /// Data files whose events may fall into a span of time (UTC milliseconds, inclusive); those with events that have no time
    /// always may.
    pub(crate) fn data_files_between(&self, store: &str, min: i64, max: i64) -> Result<Vec<PathBuf>> {
        // Spans are found by one of their ends, and the files before or after it are looked at one by one: those that are fewer, if
        // files are about as many at all times.
        let ends = "SELECT (SELECT min_time FROM data_file INDEXED BY data_file_beginning
                            WHERE event_data_store = ?1 AND min_time IS NOT NULL ORDER BY min_time LIMIT 1),
                           (SELECT max_time FROM data_file INDEXED BY data_file_time
                            WHERE event_data_store = ?1 AND max_time IS NOT NULL ORDER BY max_time DESC LIMIT 1)";
        let (first, last): (Option<i64>, Option<i64>) =
            self.connection.prepare_cached(ends)?.query_row([store], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let before = max.saturating_sub(first.unwrap_or(max));
        let after = last.unwrap_or(min).saturating_sub(min);
        let sql = if before < after {
            "SELECT path FROM data_file INDEXED BY data_file_beginning
             WHERE event_data_store = ?1 AND min_time <= ?3 AND max_time >= ?2 AND last IS NULL
             UNION ALL
             SELECT path FROM data_file INDEXED BY data_file_time
             WHERE event_data_store = ?1 AND max_time IS NULL AND last IS NULL"
        } else {
            "SELECT path FROM data_file INDEXED BY data_file_time
             WHERE event_data_store = ?1 AND max_time >= ?2 AND min_time <= ?3 AND last IS NULL
             UNION ALL
             SELECT path FROM data_file INDEXED BY data_file_time
             WHERE event_data_store = ?1 AND max_time IS NULL AND last IS NULL"
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![store, min, max], |row| row.get::<_, String>(0))?;
        rows.map(|path| Ok(self.root.join(path?))).collect()
    }

    /// What became of a log file at its last taking in.
    pub(crate) fn fate(&self, store: &str, path: &str, version: &str) -> Result<Option<Fate>> {
        let (folder, name) = ledger::split(path);
        let sql = "SELECT l.fate, l.reason FROM log_file l JOIN folder f ON f.id = l.folder
                   WHERE l.event_data_store = ?1 AND f.path = ?2 AND l.name = ?3 AND l.version = ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![store, folder, name, version], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        });
        Ok(found.optional()?.and_then(|(word, reason)| Fate::parse(&word, reason)))
    }

    /// Record indexes that were dropped from a log file as duplicates.
    pub(crate) fn duplicates(&self, store: &str, path: &str, version: &str) -> Result<Vec<u32>> {
        let (folder, name) = ledger::split(path);
        let sql = "SELECT l.duplicates FROM log_file l JOIN folder f ON f.id = l.folder
                   WHERE l.event_data_store = ?1 AND f.path = ?2 AND l.name = ?3 AND l.version = ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let blob: Option<Vec<u8>> =
            statement.query_row(params![store, folder, name, version], |row| row.get(0)).optional()?;
        Ok(blob.map_or_else(Vec::new, |blob| ledger::decode(&blob)))
    }

    /// Everything that the catalogue says is there: data files and manifests, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let sql = "SELECT path FROM data_file WHERE NOT removed UNION ALL SELECT manifest FROM snapshot";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Spans of days that were listed for good, as `yyyy-mm-dd`.
    pub(crate) fn settled(&self, store: &str) -> Result<Vec<Span>> {
        // Stores that only older programs wrote have no such table.
        if !self.connection.table_exists(None, "settled")? {
            return Ok(Vec::new());
        }
        let sql = "SELECT folder, first, last FROM settled WHERE event_data_store = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map([store], |row| Ok(Span { folder: row.get(0)?, first: row.get(1)?, last: row.get(2)? }))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Puts these spans in the place of all that the store has.
    pub(crate) fn settle(&mut self, store: &str, spans: &[Span]) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM settled WHERE event_data_store = ?1", [store])?;
        for Span { folder, first, last } in spans {
            transaction
                .prepare_cached("INSERT INTO settled VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![store, folder, first, last])?;
        }
        Ok(transaction.commit()?)
    }

    /// Notes log files that are gone from where they were, and how.
    pub(crate) fn note_gone(&mut self, store: &str, gone: &[(String, String)]) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (path, how) in gone {
            let mut statement = transaction.prepare_cached("INSERT OR IGNORE INTO gone VALUES (?1, ?2, ?3, ?4)")?;
            statement.execute(params![store, path, now(), how])?;
        }
        Ok(transaction.commit()?)
    }

    /// One transaction: new files become visible and the fates of their sources known, or neither.
    pub(crate) fn commit(&mut self, addition: &Addition<'_>) -> Result<i64> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "INSERT INTO snapshot (created, manifest) VALUES (?1, ?2)";
        transaction.execute(sql, params![now(), addition.manifest])?;
        let snapshot = transaction.last_insert_rowid();
        insert_data_files(&transaction, &self.root, snapshot, addition.data_files)?;
        for path in addition.retired {
            let sql = "UPDATE data_file SET last = ?1 WHERE path = ?2 AND last IS NULL";
            if transaction.execute(sql, params![snapshot, path])? != 1 {
                let reason = format!("`{path}` is not there to be merged");
                return Err(Error::Damaged { path: self.root.join(FILE), reason });
            }
        }
        for (store, new) in addition.deviations {
            deviations::add(&transaction, &self.root.join(FILE), store, new)?;
        }
        insert_log_files(&transaction, snapshot, addition.ledger_of, addition.log_files)?;
        insert_digests(&transaction, snapshot, addition.digests)?;
        {
            let sql = "INSERT INTO conflict (event_data_store, path, record, snapshot) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = transaction.prepare_cached(sql)?;
            for (store, path, record) in addition.conflicts {
                statement.execute(params![store, path, record, snapshot])?;
            }
        }
        crash::point("catalogue written")?;
        transaction.commit()?;
        crash::point("catalogue committed")?;
        Ok(snapshot)
    }

    /// Data files that later snapshots do not see, relative to the root.
    pub(crate) fn retired(&self) -> Result<Vec<String>> {
        let mut statement =
            self.connection.prepare_cached("SELECT path FROM data_file WHERE last IS NOT NULL AND NOT removed")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Notes that these of the retired data files are no longer on disk. Their rows stay: who has an old snapshot learns from
    /// them what is gone.
    pub(crate) fn set_removed(&mut self, paths: &[String]) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for path in paths {
            transaction.execute("UPDATE data_file SET removed = 1, columns = x'' WHERE path = ?1", [path])?;
        }
        Ok(transaction.commit()?)
    }
}

fn is_read_only(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

fn format(connection: &Connection) -> Result<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn in_time(left: &DataFile, right: &DataFile) -> Ordering {
    left.times.cmp(&right.times).then_with(|| left.path.cmp(&right.path))
}

/// Files in the order of time, and among them others that are. Of the files that were there few are looked at: a store has many.
fn put_among(known: &[Arc<DataFile>], others: Vec<Arc<DataFile>>) -> Vec<Arc<DataFile>> {
    let mut all = Vec::with_capacity(known.len() + others.len());
    let mut rest = known;
    for other in others {
        let (before, after) = rest.split_at(rest.partition_point(|file| in_time(file, &other).is_le()));
        all.extend_from_slice(before);
        all.push(other);
        rest = after;
    }
    all.extend_from_slice(rest);
    all
}

fn insert_data_files(
    tx: &Transaction<'_>,
    root: &Path,
    snapshot: i64,
    files: &[(String, Arc<DataFile>)],
) -> Result<()> {
    let sql =
        "INSERT INTO data_file (path, event_data_store, first, bytes, rows, json_bytes, min_time, max_time, columns)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut statement = tx.prepare_cached(sql)?;
    for (store, file) in files {
        let path = relative(root, &file.path);
        let (min, max) = file.times();
        let columns = file.columns.encoded();
        let sizes = [file.bytes, file.rows, file.json_bytes].map(|n| n as i64);
        statement.execute(params![path, store, snapshot, sizes[0], sizes[1], sizes[2], min, max, columns])?;
    }
    Ok(())
}

fn insert_log_files(tx: &Transaction<'_>, snapshot: i64, store: &str, files: &[(LogFile, Vec<u32>)]) -> Result<()> {
    let mut add_file = tx.prepare_cached(
        "INSERT OR REPLACE INTO log_file (event_data_store, folder, name, version, snapshot, bytes, inflated, sha256, fate,
             reason, records, broken, duplicates, content, first_member)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    let mut add_broken = tx.prepare_cached("INSERT INTO broken_record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut folders = Folders::new(tx)?;
    for (file, duplicates) in files {
        let (folder_id, name) = folders.place(&file.path)?;
        add_file.execute(params![
            store,
            folder_id,
            name,
            file.version,
            snapshot,
            file.bytes as i64,
            file.inflated as i64,
            file.sha256,
            file.fate.as_str(),
            file.fate.reason(),
            file.records,
            file.broken.len() as i64,
            ledger::encode(duplicates),
            file.content.map(|content| content.sha256),
            file.content.and_then(|content| content.first_member),
        ])?;
        for broken in &file.broken {
            let offset = broken.offset as i64;
            add_broken.execute(params![store, folder_id, name, file.version, broken.index, offset, broken.reason])?;
        }
    }
    Ok(())
}

/// The ids of folders, made as they are met.
pub(crate) struct Folders<'a> {
    add: CachedStatement<'a>,
    find: CachedStatement<'a>,
    last: Option<(String, i64)>,
}

impl<'a> Folders<'a> {
    pub(crate) fn new(tx: &'a Connection) -> Result<Self> {
        Ok(Self {
            add: tx.prepare_cached("INSERT OR IGNORE INTO folder (path) VALUES (?1)")?,
            find: tx.prepare_cached("SELECT id FROM folder WHERE path = ?1")?,
            last: None,
        })
    }

    /// The folder's id and the name in it of an address.
    pub(crate) fn place<'p>(&mut self, path: &'p str) -> Result<(i64, &'p str)> {
        let (folder, name) = ledger::split(path);
        if let Some((known, id)) = &self.last
            && known == folder
        {
            return Ok((*id, name));
        }
        self.add.execute([folder])?;
        let id = self.find.query_row([folder], |row| row.get(0))?;
        self.last = Some((folder.to_owned(), id));
        Ok((id, name))
    }
}

fn insert_digests(tx: &Transaction<'_>, snapshot: i64, digests: &[DigestFile]) -> Result<()> {
    let mut add = tx.prepare_cached("INSERT OR REPLACE INTO digest_file VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut folders = Folders::new(tx)?;
    for digest in digests {
        let (folder, name) = folders.place(&digest.path)?;
        let metadata = &digest.metadata;
        add.execute(params![
            folder,
            name,
            digest.version,
            snapshot,
            digest.body,
            metadata.signature,
            metadata.algorithm,
            metadata.generated,
        ])?;
    }
    Ok(())
}

/// The path below the root, with slashes.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
