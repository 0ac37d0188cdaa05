//! Events that arrive one by one, on their way into an event data store.
//!
//! They are appended to a file at once, so that none is lost, and taken in together by the real ingester: when someone
//! asks for them, and every while. A file whose events are in the store is removed; a file that was left is taken in at the
//! next opportunity, and what it holds twice counts once.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use cloudtarn_ingest::Progress;
use cloudtarn_record::EventCategory;
use cloudtarn_source::Source;
use cloudtarn_store::{EventDataStore, Store};

use crate::error::{Error, Result};

const OPEN: &str = "open";
/// Memory for the events of one file.
const MEMORY: usize = 128 << 20;

/// The waiting events of one event data store.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    name: String,
    category: EventCategory,
    open: Mutex<Option<File>>,
    /// One flush at a time.
    flushing: tokio::sync::Mutex<()>,
}

/// The spools of stores that channels lead to, by the store's id.
#[derive(Debug, Default)]
pub(crate) struct Spools(Mutex<BTreeMap<String, Arc<Spool>>>);

impl Spools {
    /// The spool of a store, in a folder of the store's id: names may change.
    pub(crate) fn of(&self, root: &Path, store: &EventDataStore) -> Result<Arc<Spool>> {
        let mut spools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spool) = spools.get(&store.id) {
            return Ok(Arc::clone(spool));
        }
        let mut spool = Spool::open(root, &store.id, store.category)?;
        spool.name.clone_from(&store.name);
        let spool = Arc::new(spool);
        spools.insert(store.id.clone(), Arc::clone(&spool));
        Ok(spool)
    }
}

impl Spool {
    /// The spool of the event data store of that name.
    pub(crate) fn open(root: &Path, name: &str, category: EventCategory) -> Result<Self> {
        let folder = root.join("spool").join(name);
        let failed = |source| Error::Io { action: format!("creating folder `{}`", folder.display()), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let (open, flushing) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Ok(Self { folder, name: name.to_owned(), category, open, flushing })
    }

    /// Appends one record, without line ends in it.
    pub(crate) fn append(&self, record: &str) -> std::io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.take() {
            Some(file) => file,
            None => OpenOptions::new().create(true).append(true).open(self.folder.join(OPEN))?,
        };
        let file = open.insert(file);
        file.write_all(format!("{record}\n").as_bytes())
    }

    /// The files whose events wait, the one that is being appended to closed and among them.
    fn close(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.folder.join(OPEN);
        if current.exists() {
            if let Some(file) = open.take() {
                file.sync_all()?;
            }
            fs::rename(&current, self.folder.join(format!("{}.jsonl", uuid::Uuid::new_v4())))?;
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
        Ok(files)
    }

    /// Takes what waits into the store. What can't be taken in now, because another process writes, waits on.
    pub(crate) async fn flush(&self, store: &Store) {
        self.flush_into(store, &self.name).await;
    }

    /// The same into a store that may have another name by now.
    pub(crate) async fn flush_into(&self, store: &Store, name: &str) {
        let _one = self.flushing.lock().await;
        let files = match self.close() {
            Ok(files) if files.is_empty() => return,
            Ok(files) => files,
            Err(error) => {
                tracing::error!(%error, folder = %self.folder.display(), "events that wait can't be read");
                return;
            }
        };
        if let Err(error) = self.take_in(store, name, &files).await {
            tracing::warn!(%error, store = name, "events wait to be taken in");
        }
    }

    async fn take_in(&self, store: &Store, name: &str, files: &[PathBuf]) -> std::result::Result<(), String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        store.ensure_event_data_store(name, self.category).map_err(|error| text(&error))?;
        let mut sources = Vec::with_capacity(files.len());
        for file in files {
            let path = file.to_string_lossy();
            sources
                .push(Source::open(&path, &cloudtarn_source::Options::default()).await.map_err(|error| text(&error))?);
        }
        let mut options = cloudtarn_ingest::Options::new(store.root().to_path_buf());
        options.event_data_store = Some(name.to_owned());
        options.memory = MEMORY;
        options.threads = 1;
        // What was accepted is kept, whatever the store is set to meanwhile.
        options.import = true;
        let (progress, stop) = (Arc::new(Progress::default()), Arc::new(AtomicBool::new(false)));
        let summary = cloudtarn_ingest::run(sources, &options, progress, stop).await.map_err(|error| text(&error))?;
        if summary.unread.count > 0 || summary.unlisted.count > 0 {
            return Err("some could not be read".to_owned());
        }
        for file in files {
            fs::remove_file(file).map_err(|error| text(&error))?;
        }
        Ok(())
    }
}
