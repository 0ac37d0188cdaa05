//! Who starts what, and when.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cloudtarn_record::decode::DEFAULT_MAX_FILE_SIZE;
use cloudtarn_source::{Filter, Report, Settled, Source};
use cloudtarn_store::{Committed, Fate, LogFile, Store, Writer};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::mpsc;

use crate::bundle::Token;
use crate::error::{Error, Result};
use crate::group::{self, Done, Group, Workplace};
use crate::listing::{self, Listed, Listing};
use crate::progress::Progress;
use crate::summary::Summary;

/// Groups that wait for a thread, beyond those that are being worked on.
const AHEAD: usize = 2;
/// Groups of remote files under way, a thread: most of their time is waiting.
const REMOTE_AHEAD: usize = 6;
/// Memory that a stored byte of a gzipped log file needs when decoded, until the run has measured its own.
const FIRST_RATIO: f64 = 16.0;
/// Memory that is not the events': the program, the catalogue, listings.
const PROGRAM_MEMORY: usize = 64 << 20;
/// … and a thread: where it decodes a group, where it encodes a column.
const THREAD_MEMORY: usize = 32 << 20;
/// Of the rest, what the allocator holds back because it is in pieces.
const PIECES_SHARE: f64 = 0.25;
/// Memory for events that a run takes whatever it was told: some groups.
const LEAST_EVENT_MEMORY: usize = 24 << 20;
/// The rest if nobody says otherwise: for each thread, and for all together.
const EVENT_MEMORY: (usize, usize) = (32 << 20, 320 << 20);
/// Of the memory for events, what a commit waits for: enough for large data files, while the rest lets the next events be decoded.
const COMMIT_SHARE: f64 = 0.75;
/// What a commit takes beside the events that it writes, by their memory: places in order, identities, encoded columns.
const COMMIT_OVERHEAD: f64 = 0.2;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the store.
    pub store: PathBuf,
    /// Event data store to write to; `default` if not given.
    pub event_data_store: Option<String>,
    /// What to list.
    pub filter: Filter,
    /// Days before today in which files may still come late; they are listed again by every run.
    pub window: u32,
    /// List everything, whatever earlier runs have listed for good.
    pub full: bool,
    /// Memory that the run may take, in bytes.
    pub memory: usize,
    /// Inflated size past which a file is refused, in bytes.
    pub max_file_size: usize,
    /// Threads that decode and encode; 0 for one a core.
    pub threads: usize,
    /// An import, which a store takes whose ingestion is stopped.
    pub import: bool,
}

impl Options {
    /// The defaults for a store: a window of 3 days, [`default_memory`], files up to 1 GiB, all cores.
    pub fn new(store: PathBuf) -> Self {
        Self {
            store,
            event_data_store: None,
            filter: Filter::default(),
            window: 3,
            full: false,
            memory: default_memory(0),
            max_file_size: DEFAULT_MAX_FILE_SIZE,
            threads: 0,
            import: false,
        }
    }
}

/// Memory that a run may take if nobody says otherwise, in bytes: 512 MiB with two threads, 64 MiB more for each further one.
/// `threads` as in [`Options`].
#[must_use]
pub fn default_memory(threads: usize) -> usize {
    let threads = threads_of(threads);
    PROGRAM_MEMORY + EVENT_MEMORY.1 + threads * (THREAD_MEMORY + EVENT_MEMORY.0)
}

/// What of a run's memory is for events.
fn event_memory(memory: usize, threads: usize) -> usize {
    let apart = PROGRAM_MEMORY + threads_of(threads) * THREAD_MEMORY;
    let events = memory.saturating_sub(apart) as f64 * (1.0 - PIECES_SHARE);
    (events as usize).max(LEAST_EVENT_MEMORY)
}

fn threads_of(threads: usize) -> usize {
    if threads > 0 { threads } else { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) }
}

enum Event {
    Decoded { estimate: usize, stored: u64, done: Done },
    Committed(Box<(Writer, cloudtarn_store::Result<Committed>)>),
}

/// Takes everything that the sources list and the store does not have yet into the store. Set `stop` to end early: what is
/// decoded by then is committed.
///
/// # Errors
/// The store's. Files and prefixes that cannot be read are in the summary instead.
pub async fn run(
    sources: Vec<Source>,
    options: &Options,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
) -> Result<Summary> {
    let threads = options.threads;
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("ingest-{index}"))
        .build()
        .map_err(|source| Error::Threads { threads, source })?;
    let writer = Writer::begin(&options.store, options.event_data_store.as_deref())?;
    writer.admit(options.import)?;
    let store = Store::open(&options.store)?;
    let settled = listing::settled(&store.settled(writer.event_data_store())?);
    let sources: Vec<_> = sources.into_iter().map(Arc::new).collect();
    let before: Vec<_> = sources.iter().map(|source| source.effort()).collect();
    let (send_listed, listed) = mpsc::channel(64);
    let listing = Listing {
        sources: sources.clone(),
        filter: options.filter.clone(),
        settled: if options.full { Settled::default() } else { settled.clone() },
        event_data_store: writer.event_data_store().clone(),
        store,
        send: send_listed,
        progress: Arc::clone(&progress),
        stop: Arc::clone(&stop),
    };
    let listing_task = tokio::spawn(listing.run());
    let (send, events) = mpsc::unbounded_channel();
    let coordinator = Coordinator {
        pool: Arc::new(pool),
        budget: event_memory(options.memory, threads),
        max_file_size: options.max_file_size,
        workplaces: Arc::default(),
        writer: Some(writer),
        send,
        progress,
        stop,
        summary: Summary::default(),
        window: options.window,
        settled,
        reports: Vec::new(),
        gone: Vec::new(),
        pending: None,
        bundles: vec![],
        in_flight: 0,
        estimated: 0,
        ready: Done::default(),
        ready_memory: 0,
        committing: 0,
        ratio: FIRST_RATIO,
    };
    let summary = coordinator.run(listed, events).await;
    listing_task.abort();
    summary.map(|mut summary| {
        for (source, before) in sources.iter().zip(before) {
            summary.effort += source.effort() - before;
        }
        summary
    })
}

struct Coordinator {
    pool: Arc<ThreadPool>,
    /// Memory for events, in bytes.
    budget: usize,
    max_file_size: usize,
    /// Where nobody decodes just now.
    workplaces: Arc<Mutex<Vec<Workplace>>>,
    /// At home unless a commit has it.
    writer: Option<Writer>,
    send: mpsc::UnboundedSender<Event>,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    summary: Summary,
    window: u32,
    /// What earlier runs have listed for good.
    settled: Settled,
    /// What the listings that came to their end have reported.
    reports: Vec<Report>,
    /// Files that are gone, and how.
    gone: Vec<(String, String)>,
    /// Listed, but there is no room yet.
    pending: Option<Group>,
    /// Bundles of which all members were listed, until these are decoded.
    bundles: Vec<(LogFile, Token)>,
    in_flight: usize,
    /// Memory that the groups in flight are expected to need.
    estimated: usize,
    /// Decoded and waiting for a commit.
    ready: Done,
    ready_memory: usize,
    /// Memory of the commit under way.
    committing: usize,
    ratio: f64,
}

impl Coordinator {
    async fn run(
        mut self,
        mut listed: mpsc::Receiver<Listed>,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) -> Result<Summary> {
        let mut listing = true;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                self.summary.interrupted |= listing || self.pending.is_some();
                self.pending = None;
                listing = false;
                listed.close();
            }
            if let Some(group) = self.pending.take() {
                self.start(group);
            }
            self.end_bundles();
            let starved = self.in_flight == 0 && (self.pending.is_some() || !listing);
            if self.writer.is_some() && (self.ready_memory >= self.enough() || starved) && self.has_ready() {
                self.commit();
            }
            if !listing && self.pending.is_none() && self.in_flight == 0 && self.writer.is_some() && !self.has_ready() {
                self.finish()?;
                return self.end().await;
            }
            let tick = std::time::Duration::from_millis(200);
            tokio::select! {
                message = listed.recv(), if listing && self.pending.is_none() => match message {
                    Some(message) => self.listed(message)?,
                    None => listing = false,
                },
                event = events.recv() => match event {
                    Some(event) => self.event(event)?,
                    None => return Err(Error::Ended("workers")),
                },
                // Looks at `stop` even when nothing happens.
                () = tokio::time::sleep(tick) => {}
            }
        }
    }

    /// Merges what small commits have left, if there is much of it.
    async fn end(mut self) -> Result<Summary> {
        if let Some(mut writer) = self.writer.take().filter(|_| self.summary.committed.data_files > 0) {
            let pool = Arc::clone(&self.pool);
            let compaction = tokio::task::spawn_blocking(move || pool.install(|| writer.compact()));
            self.summary.compacted = compaction.await.map_err(|_| Error::Ended("compaction"))??;
        }
        Ok(self.summary)
    }

    /// Memory of events that are worth a commit.
    fn enough(&self) -> usize {
        (self.budget as f64 * COMMIT_SHARE / (1.0 + COMMIT_OVERHEAD)) as usize
    }

    fn has_ready(&self) -> bool {
        !self.ready.files.is_empty() || !self.ready.digests.is_empty()
    }

    fn listed(&mut self, message: Listed) -> Result<()> {
        match message {
            Listed::Group(group) => {
                self.summary.listed += group.objects.len() as u64;
                self.pending = Some(group);
            }
            Listed::Bundle(file, token) => self.bundles.push((*file, token)),
            Listed::Unread(problem) => {
                Progress::add(&self.progress.problems, 1);
                self.summary.unread.push(&problem.path, &problem.reason);
            }
            Listed::Problem(problem) => self.summary.unlisted.push(&problem.path, &problem.reason),
            Listed::Already(broken) => {
                self.summary.listed += 1;
                self.summary.already += 1;
                self.summary.already_broken += u64::from(broken);
            }
            Listed::Ended(ended) => {
                self.summary.notes.extend(ended.report.notes.iter().cloned());
                for (path, how) in &ended.gone {
                    self.summary.gone.push(path, how);
                }
                self.gone.extend(ended.gone);
                self.reports.push(ended.report);
            }
            Listed::Failed(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Bundles whose members are all decoded go into the ledger, with the last of these or after them.
    fn end_bundles(&mut self) {
        let ended = |(_, token): &mut (LogFile, Token)| token.is_last();
        for (file, token) in self.bundles.extract_if(.., ended) {
            if matches!(file.fate, Fate::Broken(_)) {
                Progress::add(&self.progress.problems, 1);
            }
            if token.is_good() {
                self.summary.count(&file.path, &file.fate, false);
                self.ready.files.push(file);
            } else if matches!(file.fate, Fate::Broken(_)) {
                self.summary.count(&file.path, &file.fate, false);
            }
        }
    }

    /// Keeps what the run has learnt about the sources, once everything it took in is safe.
    fn finish(&mut self) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if !self.gone.is_empty() {
            writer.note_gone(&self.gone)?;
        }
        // Files that could not be read must be met again; of too many it is not known where they are.
        let all_named = self.summary.unread.count == self.summary.unread.first.len() as u64;
        if !self.summary.interrupted && all_named {
            let before = self.settled.clone();
            for report in &self.reports {
                listing::settle(&mut self.settled, report, self.window, &self.summary.unread.first);
            }
            if self.settled != before {
                writer.settle(&listing::spans(&self.settled))?;
            }
        }
        Ok(())
    }

    /// Starts the group if there is room, else keeps it.
    fn start(&mut self, group: Group) {
        let estimate = (group.bytes as f64 * self.ratio * 1.25) as usize;
        let used = self.estimated + self.ready_memory + self.committing;
        let ahead = if group.is_local() { AHEAD } else { REMOTE_AHEAD };
        let room = used + estimate <= self.budget && self.in_flight < self.pool.current_num_threads() * ahead;
        // A group that is larger than the whole budget still goes, alone.
        if !room && used > 0 {
            self.pending = Some(group);
            return;
        }
        self.in_flight += 1;
        self.estimated += estimate;
        let (send, pool, max) = (self.send.clone(), Arc::clone(&self.pool), self.max_file_size);
        let workplaces = Arc::clone(&self.workplaces);
        let (stop, stopped) = (Arc::clone(&self.stop), Arc::clone(&self.stop));
        let decode = move |group: Group, bodies| {
            pool.spawn(move || {
                let free = || workplaces.lock().unwrap_or_else(PoisonError::into_inner);
                let mut workplace = free().pop().unwrap_or_else(|| Workplace::new(max));
                let done = group::decode(&group, bodies, &mut workplace, &stopped);
                if !done.is_unusual() {
                    free().push(workplace);
                }
                // The coordinator is gone only if the run failed.
                let _ = send.send(Event::Decoded { estimate, stored: group.bytes, done });
            });
        };
        if group.is_local() {
            decode(group, None);
        } else {
            tokio::spawn(async move {
                let bodies = group::fetch(&group, &stop).await;
                decode(group, Some(bodies));
            });
        }
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Decoded { estimate, stored, done } => self.decoded(estimate, stored, done),
            Event::Committed(result) => {
                let (writer, committed) = *result;
                self.writer = Some(writer);
                self.committing = 0;
                let committed = committed?;
                Progress::add(&self.progress.committed, committed.events);
                self.summary.committed += committed;
            }
        }
        Ok(())
    }

    fn decoded(&mut self, estimate: usize, stored: u64, mut done: Done) {
        self.in_flight -= 1;
        self.estimated -= estimate;
        self.summary.interrupted |= done.cut;
        let memory = done.memory();
        self.ready_memory += memory;
        if stored > 0 {
            self.ratio = self.ratio * 0.8 + memory as f64 / stored as f64 * 0.2;
        }
        let progress = Arc::clone(&self.progress);
        for file in &done.files {
            let partly = file.records > 0;
            self.summary.count(&file.path, &file.fate, partly);
            self.summary.broken_records += file.broken.len() as u64;
            self.summary.records += u64::from(file.records);
            self.summary.bytes += file.bytes;
            self.summary.inflated += file.inflated;
            Progress::add(&progress.files, 1);
            Progress::add(&progress.bytes, file.bytes);
            Progress::add(&progress.inflated, file.inflated);
            Progress::add(&progress.events, u64::from(file.records));
            Progress::add(&progress.problems, u64::from(matches!(file.fate, Fate::Broken(_))));
        }
        self.summary.control_messages += done.control_messages;
        self.summary.other_log_events += done.other_log_events;
        if let (Some(token), false) = (done.bundle.take(), done.unread.is_empty()) {
            token.spoil();
        }
        for problem in done.unread.drain(..) {
            Progress::add(&progress.problems, 1);
            self.summary.unread.push(&problem.path, &problem.reason);
        }
        for digest in &done.digests {
            self.summary.digests += 1;
            self.summary.bytes += digest.body.len() as u64;
            Progress::add(&progress.files, 1);
            Progress::add(&progress.bytes, digest.body.len() as u64);
        }
        self.ready.digests.append(&mut done.digests);
        for problem in done.changed.drain(..) {
            self.summary.changed.push(&problem.path, &problem.reason);
        }
        self.summary.rewritten += done.rewritten;
        self.ready.chunks.append(&mut done.chunks);
        self.ready.files.append(&mut done.files);
    }

    fn commit(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        let ready = std::mem::take(&mut self.ready);
        self.committing = (std::mem::take(&mut self.ready_memory) as f64 * (1.0 + COMMIT_OVERHEAD)) as usize;
        let (send, pool) = (self.send.clone(), Arc::clone(&self.pool));
        tokio::task::spawn_blocking(move || {
            let committed = pool.install(|| writer.commit(ready.chunks, ready.files, &ready.digests));
            let _ = send.send(Event::Committed(Box::new((writer, committed))));
        });
    }
}
