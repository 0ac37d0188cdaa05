//! Takes decoded events in, commit by commit.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cloudtarn_record::gather::{Chunks, Place};
use cloudtarn_record::{Chunk, Deviations, EventCategory};
use rayon::prelude::*;

use crate::arrangement;
use crate::catalogue::{Addition, Catalogue, DEFAULT_NAME, FILE as CATALOGUE, Span, relative};
use crate::compaction::{self, Compacted, When};
use crate::crash;
use crate::disk;
use crate::duplicates;
use crate::error::{Error, Result, io};
use crate::identities;
use crate::lease;
use crate::ledger::{DigestFile, LogFile};
use crate::manifest;
use crate::parquet_file::{self, Decoded, ROW_GROUP_ROWS};
use crate::selector;
use crate::snapshot::{DataFile, EventDataStore};

const DAY: i64 = 86_400_000;
/// A data file ends with a day, once it has this many events …
pub(crate) const MIN_FILE_ROWS: usize = 1 << 16;
/// … and anywhere, once it has this many.
const MAX_FILE_ROWS: usize = 1 << 22;

const DATA: &str = "data";
pub(crate) const COMMITS: &str = "commits";

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Events that are new in the store.
    pub events: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// New events that share eventID and account with another but differ from it.
    pub conflicts: u64,
    /// Events that the store's selectors do not take, or that are older than its retention.
    pub unselected: u64,
    /// Data files made.
    pub data_files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Committed {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.unselected += other.unselected;
        self.data_files += other.data_files;
        self.bytes += other.bytes;
    }
}

/// The one writer of a store. A process that holds it keeps others from writing.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    catalogue: Catalogue,
    name: String,
    /// Holds the management, data and network activity events, and the ledger.
    main: EventDataStore,
    _lock: File,
}

impl Writer {
    /// Begins to write into the event data store of that name (`default` if none is given), which is made if there is none;
    /// Insights events go to a store beside it, named `NAME-insights`, made when the first arrives. Sweeps what an earlier
    /// writer left unfinished.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process writes; [`Error::Name`] for a name that Lake would refuse.
    pub fn begin(root: &Path, name: Option<&str>) -> Result<Self> {
        let name = name.unwrap_or(DEFAULT_NAME).to_owned();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(3..=128).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(Error::Name(name));
        }
        let root = std::path::absolute(root).map_err(io("finding", root))?;
        disk::create_folder(&root)?;
        let lock = lock(&root)?;
        refuse_lost_catalogue(&root)?;
        let mut catalogue = Catalogue::create(&root)?;
        crash::point("catalogue made")?;
        sweep(&root, &mut catalogue)?;
        crash::point("swept")?;
        let existing = catalogue.event_data_stores()?.into_iter().find(|store| store.name.eq_ignore_ascii_case(&name));
        let main = match existing {
            Some(store) => store,
            None => catalogue.event_data_store(&name, EventCategory::CloudTrail)?,
        };
        disk::create_folder(&root.join(COMMITS))?;
        Ok(Self { root, catalogue, name, main, _lock: lock })
    }

    /// Refuses a store that its settings keep from taking events in; an import is taken by a store whose ingestion is
    /// stopped.
    ///
    /// # Errors
    /// [`Error::Stopped`]; the catalogue's.
    pub fn admit(&self, import: bool) -> Result<()> {
        let settings = self.catalogue.settings(&self.main.id)?;
        let admitted = settings.deleted.is_none() && (settings.ingesting || import);
        if admitted { Ok(()) } else { Err(Error::Stopped(self.main.name.clone())) }
    }

    /// The event data store that was named; for management, data and network activity events unless it was made for
    /// others.
    pub fn event_data_store(&self) -> &EventDataStore {
        &self.main
    }

    /// Replaces what is known of the days that were listed for good.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn settle(&mut self, spans: &[Span]) -> Result<()> {
        self.catalogue.settle(&self.main.id, spans)
    }

    /// Notes log files, by address, that are not where they were any more, and how that showed. Their events stay.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn note_gone(&mut self, gone: &[(String, String)]) -> Result<()> {
        self.catalogue.note_gone(&self.main.id, gone)
    }

    /// Makes the events of `chunks` and the fates of the log files that they came from (and of such as gave none) visible, at
    /// once, and the digests with them. After a crash at any point either all of it is there or nothing.
    ///
    /// # Errors
    /// The file system's and the catalogue's; then nothing was committed.
    pub fn commit(&mut self, chunks: Vec<Chunk>, log_files: Vec<LogFile>, digests: &[DigestFile]) -> Result<Committed> {
        let chunks = Chunks::new(chunks);
        let mut committed = Committed::default();
        let mut data_files: Vec<(String, Arc<DataFile>)> = Vec::new();
        let mut conflicts = Vec::new();
        let mut deviations = Vec::new();
        let mut dropped: HashMap<(Arc<str>, Arc<str>), Vec<u32>> = HashMap::new();
        for category in EventCategory::ALL {
            if chunks.chunks().iter().all(|chunk| chunk.rows(category).is_empty()) {
                continue;
            }
            let Some(store) = self.store_of(category)? else {
                committed.unselected +=
                    chunks.chunks().iter().map(|chunk| chunk.rows(category).len() as u64).sum::<u64>();
                continue;
            };
            let times: Vec<Vec<Option<i64>>> =
                chunks.chunks().iter().map(|chunk| chunk.event_times(category).collect()).collect();
            let spans = times.iter().flatten().flatten();
            let first = spans.clone().min().map_or(0, |time| day(*time) * DAY);
            let last = spans.max().map_or(0, |time| day(*time) * DAY + DAY - 1);
            let near = self.catalogue.data_files_between(&store.id, first, last)?;
            let mut verdict = duplicates::judge(&chunks, category, &near)?;
            let before = verdict.kept.len();
            self.select(&store, &chunks, category, &mut verdict.kept)?;
            committed.unselected += (before - verdict.kept.len()) as u64;
            committed.events += verdict.kept.len() as u64;
            committed.duplicates += verdict.dropped.len() as u64;
            committed.conflicts += verdict.conflicts.len() as u64;
            for place in verdict.dropped {
                let (origin, record) = chunks.origin(category, place);
                dropped.entry((Arc::clone(&origin.path), Arc::clone(&origin.version))).or_default().push(record as u32);
            }
            for place in verdict.conflicts {
                let (origin, record) = chunks.origin(category, place);
                conflicts.push((store.id.clone(), origin.path.to_string(), record));
            }
            let mut deviating = Deviations::default();
            chunks.chunks().iter().for_each(|chunk| deviating.merge(&chunk.deviations(category)));
            deviations.push((store.id.clone(), deviating));
            let time = |place: &Place| times[place.chunk as usize][place.row as usize];
            let mut order = verdict.kept;
            // NULLs last; equal times in the order of reading.
            order.par_sort_unstable_by_key(|place| (time(place).is_none(), time(place), *place));
            // Beside each other: while one is being made durable, columns of the next are encoded.
            let written = data_file_ends(order.len(), |index| time(&order[index]).map(day))
                .into_par_iter()
                .with_max_len(1)
                .map(|file| write(&self.root, &store, &chunks, category, &order[file], time))
                .collect::<Result<Vec<DataFile>>>()?;
            data_files.extend(written.into_iter().map(|file| (store.id.clone(), Arc::new(file))));
        }
        committed.data_files = data_files.len() as u64;
        committed.bytes = data_files.iter().map(|(_, file)| file.bytes).sum();
        let log_files: Vec<(LogFile, Vec<u32>)> = log_files
            .into_iter()
            .map(|file| {
                let key = (Arc::from(file.path.as_str()), Arc::from(file.version.as_str()));
                let mut records = dropped.remove(&key).unwrap_or_default();
                records.sort_unstable();
                (file, records)
            })
            .collect();
        let addition = Addition {
            manifest: &format!("{COMMITS}/{}.json.zst", uuid::Uuid::new_v4()),
            data_files: &data_files,
            retired: &[],
            ledger_of: &self.main.id,
            log_files: &log_files,
            conflicts: &conflicts,
            deviations: &deviations,
            digests,
        };
        manifest::write(&self.root, &self.catalogue.event_data_stores()?, &addition)?;
        self.catalogue.commit(&addition)?;
        Ok(committed)
    }

    /// Merges small data files where there are many, in the event data stores that this writer writes to.
    ///
    /// # Errors
    /// The file system's and the catalogue's; what was committed stays as it was.
    pub fn compact(&mut self) -> Result<Compacted> {
        let insights = self.insights_name();
        let mut compacted = Compacted::default();
        for store in self.catalogue.event_data_stores()? {
            if store.id == self.main.id || store.name.eq_ignore_ascii_case(&insights) {
                compacted += compaction::compact(&self.root, &mut self.catalogue, &store, When::Many)?;
            }
        }
        Ok(compacted)
    }

    fn insights_name(&self) -> String {
        format!("{}-insights", self.name)
    }

    /// The event data store for events of a category; `None` if the one that was named takes other events only.
    fn store_of(&mut self, category: EventCategory) -> Result<Option<EventDataStore>> {
        if category == self.main.category {
            return Ok(Some(self.main.clone()));
        }
        let takes_all = self.catalogue.settings(&self.main.id)?.selectors.is_empty();
        if category == EventCategory::Insight && self.main.category == EventCategory::CloudTrail && takes_all {
            return self.catalogue.event_data_store(&self.insights_name(), category).map(Some);
        }
        Ok(None)
    }

    /// Leaves of the events those that the store's settings take.
    fn select(
        &self,
        store: &EventDataStore,
        chunks: &Chunks,
        category: EventCategory,
        places: &mut Vec<Place>,
    ) -> Result<()> {
        let settings = self.catalogue.settings(&store.id)?;
        let mut keep = vec![true; places.len()];
        if !settings.selectors.is_empty() {
            keep = selector::select(&settings.selectors, chunks, category, places)?;
        }
        if let Some(oldest) = settings.oldest() {
            let recent = selector::not_before(oldest, chunks, category, places)?;
            keep.iter_mut().zip(recent).for_each(|(keep, recent)| *keep &= recent);
        }
        let mut keep = keep.into_iter();
        places.retain(|_| keep.next().unwrap_or(true));
        Ok(())
    }
}

/// Writes sorted events as a data file, with their identities.
fn write(
    root: &Path,
    store: &EventDataStore,
    chunks: &Chunks,
    category: EventCategory,
    order: &[Place],
    time: impl Fn(&Place) -> Option<i64>,
) -> Result<DataFile> {
    let path = data_file_path(root, store, order.first().and_then(time))?;
    let mut known: Vec<_> = order.iter().filter_map(|place| duplicates::known(chunks, category, *place)).collect();
    known.par_sort_unstable();
    identities::write(&path, &known)?;
    let arranged = arrangement::of_chunks(chunks, category, order);
    let groups: Vec<Decoded<'_>> =
        arranged.chunks(ROW_GROUP_ROWS).map(|order| Decoded { chunks, category, order }).collect();
    let (bytes, columns) = parquet_file::write(&path, category, &groups, groups.len())?;
    path.parent().map_or(Ok(()), disk::sync_folder)?;
    let lengths: Vec<Vec<usize>> =
        chunks.chunks().iter().map(|chunk| chunk.record_lengths(category).collect()).collect();
    let json_bytes = order.iter().map(|place| lengths[place.chunk as usize][place.row as usize] as u64).sum();
    Ok(DataFile::new(path, category, (bytes, order.len() as u64, json_bytes), columns))
}

/// The UTC day of a time, counted from 1970.
pub(crate) fn day(time: i64) -> i64 {
    time.div_euclid(DAY)
}

/// Which stretches of events that are sorted by time become a data file each: whole days, several if they are small. Events
/// without a time have files of their own.
pub(crate) fn data_file_ends(events: usize, day: impl Fn(usize) -> Option<i64>) -> Vec<std::ops::Range<usize>> {
    let mut files = Vec::new();
    let mut start = 0;
    for index in 1..=events {
        let rows = index - start;
        let ends = index == events
            || rows >= MAX_FILE_ROWS
            || (day(index) != day(index - 1) && (rows >= MIN_FILE_ROWS || day(index).is_none()));
        if ends {
            files.push(start..index);
            start = index;
        }
    }
    files
}

/// A new data file's path, in the folder of the day of its first event, which is made.
pub(crate) fn data_file_path(root: &Path, store: &EventDataStore, first: Option<i64>) -> Result<PathBuf> {
    let day = first.map_or_else(|| "unknown".to_owned(), day_name);
    let folder = root.join(DATA).join(&store.id).join(day);
    disk::create_folder(&folder)?;
    Ok(folder.join(format!("{}.parquet", uuid::Uuid::new_v4())))
}

/// `yyyy-mm-dd` of a time in UTC milliseconds.
fn day_name(time: i64) -> String {
    chrono::DateTime::from_timestamp_millis(time)
        .map_or_else(|| "unknown".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

/// Keeps others from writing.
pub(crate) fn lock(root: &Path) -> Result<File> {
    let path = root.join("ingest.lock");
    let lock = File::create(&path).map_err(io("creating", &path))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::Busy(root.to_path_buf()),
        TryLockError::Error(error) => io("locking", &path)(error),
    })?;
    Ok(lock)
}

/// Merges small data files of an event data store, as [`crate::Store::compact`].
pub(crate) fn compact(root: &Path, store: &EventDataStore, when: When) -> Result<Compacted> {
    let _lock = lock(root)?;
    let mut catalogue = Catalogue::open(root)?;
    let removed = sweep(root, &mut catalogue)?;
    let compacted = compaction::compact(root, &mut catalogue, store, when)?;
    Ok(Compacted { removed: compacted.removed + removed, ..compacted })
}

/// A catalogue that is not there, or empty, beside commits that are: to begin anew would sweep all data away.
fn refuse_lost_catalogue(root: &Path) -> Result<()> {
    let path = root.join(CATALOGUE);
    let begun = fs::read_dir(root.join(COMMITS)).is_ok_and(|mut commits| commits.next().is_some());
    if begun && fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
        let reason =
            "it is missing or empty, but the store has commits; put it back from a backup, or ingest into a new folder";
        return Err(Error::Damaged { path, reason: reason.to_owned() });
    }
    Ok(())
}

/// Removes what is in the store's folders but not in the catalogue (a writer that was killed left it), and merged files that
/// nobody reads any more, of which it gives the number.
fn sweep(root: &Path, catalogue: &mut Catalogue) -> Result<u64> {
    let removed = lease::remove_retired(root, catalogue)?;
    let mut known: HashSet<String> = HashSet::new();
    for path in catalogue.files()? {
        if let Some(stem) = path.strip_suffix(".parquet") {
            known.insert(format!("{stem}.ids"));
        }
        known.insert(path);
    }
    let mut folders = vec![root.join(DATA), root.join(COMMITS)];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io("reading folder", &folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(io("reading folder", &folder))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(io("looking at", &path))?;
            if kind.is_dir() {
                folders.push(path);
            } else if !known.contains(&relative(root, &path)) {
                tracing::info!(path = %path.display(), "removing what an unfinished commit left");
                fs::remove_file(&path).map_err(io("removing", &path))?;
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
pub(crate) mod tests {
    use cloudtarn_record::{Decoder, Origin};

    use super::*;
    use crate::{Fate, Store};

    pub(crate) fn record(id: &str, day: u32, agent: &str) -> String {
        format!(
            r#"{{"eventVersion":"1.08","eventTime":"2026-01-{day:02}T01:02:03Z","eventName":"GetObject","eventSource":"s3.amazonaws.com","awsRegion":"us-east-1","userAgent":"{agent}","eventID":"{id}","recipientAccountId":"111122223333"}}"#
        )
    }

    pub(crate) fn file(name: &str, records: &[String]) -> (Vec<Chunk>, Vec<LogFile>) {
        let mut chunk = Chunk::default();
        let path = format!("file:///bucket/{name}");
        let text = format!("{{\"Records\":[{}]}}", records.join(","));
        let origin = Origin { path: Arc::from(path.as_str()), version: Arc::from("1") };
        let decoded = Decoder::default().decode(text.as_bytes(), origin, &mut chunk).unwrap();
        let log_file = LogFile {
            path,
            version: "1".to_owned(),
            bytes: text.len() as u64,
            inflated: decoded.inflated,
            sha256: [7; 32],
            content: None,
            fate: if decoded.records == 0 { Fate::Empty } else { Fate::TakenIn },
            records: decoded.records,
            broken: decoded.broken,
        };
        (vec![chunk], vec![log_file])
    }

    pub(crate) fn commit(root: &Path, (chunks, files): (Vec<Chunk>, Vec<LogFile>)) -> Committed {
        Writer::begin(root, None).unwrap().commit(chunks, files, &[]).unwrap()
    }

    #[test]
    fn equal_events_count_once_within_a_commit_and_across_commits() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (record("a", 1, "x"), record("b", 2, "x"));
        let first = commit(folder.path(), file("1", &[a.clone(), b.clone(), a.clone()]));
        assert_eq!((first.events, first.duplicates, first.conflicts), (2, 1, 0));
        let second = commit(folder.path(), file("2", &[b, record("c", 2, "x")]));
        assert_eq!((second.events, second.duplicates, second.conflicts), (1, 1, 0));
        let store = Store::open(folder.path()).unwrap();
        let main = store.standard(EventCategory::CloudTrail).unwrap();
        let snapshot = store.snapshot(&main).unwrap();
        assert_eq!(snapshot.files.iter().map(|f| f.rows).sum::<u64>(), 3);
        assert_eq!(store.duplicates(&main, "file:///bucket/1", "1").unwrap(), [2]);
        assert_eq!(store.duplicates(&main, "file:///bucket/2", "1").unwrap(), [0]);
    }

    #[test]
    fn differing_events_of_one_id_and_events_without_id_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let nameless = record("", 1, "x");
        let first = commit(folder.path(), file("1", &[nameless.clone(), nameless.clone(), record("a", 1, "x")]));
        assert_eq!((first.events, first.duplicates, first.conflicts), (3, 0, 0));
        let second = commit(folder.path(), file("2", &[record("a", 1, "y"), record("a", 1, "x"), nameless]));
        assert_eq!((second.events, second.duplicates, second.conflicts), (2, 1, 1));
    }

    #[test]
    fn the_ledger_knows_versions_and_fates() {
        let folder = tempfile::tempdir().unwrap();
        commit(folder.path(), file("1", &[]));
        let writer = Writer::begin(folder.path(), None).unwrap();
        let store = Store::open(folder.path()).unwrap();
        let fate = |of: &EventDataStore, path: &str, version: &str| store.fate(of, path, version).unwrap();
        let main = writer.event_data_store();
        assert_eq!(fate(main, "file:///bucket/1", "1"), Some(Fate::Empty));
        assert_eq!(fate(main, "file:///bucket/1", "2"), None);
        assert_eq!(fate(main, "file:///bucket/2", "1"), None);
        assert!(matches!(Writer::begin(folder.path(), None), Err(Error::Busy(_))));
        drop(writer);
        let other = Writer::begin(folder.path(), Some("other")).unwrap();
        assert_eq!(fate(other.event_data_store(), "file:///bucket/1", "1"), None);
        assert!(matches!(Writer::begin(folder.path(), Some("a/b")), Err(Error::Name(_))));
    }

    #[test]
    fn a_snapshot_does_not_change_and_leftovers_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        commit(folder.path(), file("1", &[record("a", 1, "x")]));
        let store = Store::open(folder.path()).unwrap();
        let main = store.standard(EventCategory::CloudTrail).unwrap();
        let before = store.snapshot(&main).unwrap();
        let left = before.files[0].path.with_file_name("left.parquet");
        fs::write(&left, b"half").unwrap();
        fs::write(disk::temporary(&left), b"half").unwrap();
        commit(folder.path(), file("2", &[record("b", 3, "x")]));
        assert!(!left.exists() && !disk::temporary(&left).exists());
        let after = store.snapshot(&main).unwrap();
        assert!(after.id > before.id && before.files.len() == 1 && after.files.len() == 2);
        let time = before.files[0].columns().iter().find(|c| c.column == "eventtime").unwrap();
        assert_eq!(time.min, Some(crate::Bound::Int(1_767_229_323_000)));
        let name = before.files[0].columns().iter().find(|c| c.column == "eventname").unwrap();
        assert_eq!((name.min.clone(), name.nulls), (Some(crate::Bound::Text("GetObject".to_owned())), Some(0)));
    }

    #[test]
    fn files_hold_whole_days() {
        let order: Vec<Place> = (0..200_010).map(|row| Place { chunk: 0, row }).collect();
        let time = |place: &Place| (place.row < 200_000).then(|| i64::from(place.row / 40_000) * DAY);
        let ends = |events: usize| data_file_ends(events, |index| time(&order[index]).map(day));
        assert_eq!(ends(order.len()), [0..80_000, 80_000..160_000, 160_000..200_000, 200_000..200_010]);
        assert!(ends(0).is_empty());
    }
}
