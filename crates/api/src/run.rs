//! Queries that run or have run: their states, what is kept of them.
//!
//! QUEUED, RUNNING, then FINISHED, FAILED, CANCELLED or TIMED_OUT. Every change is written down before it is told, so that
//! a server that starts finds what the one before it finished, and marks what that broke off.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use cloudtarn_query::Statistics;
use cloudtarn_store::{Document, Store};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use crate::error::Result;
use crate::fault::{Answer, Fault};
use crate::results;
use crate::service::read;

/// Kind of the documents that hold runs, by query id.
const RUN: &str = "query";
/// Kind of the documents that list the runs of an event data store.
const OF_STORE: &str = "query-of-store";
/// How long results and history are kept, as in Lake.
const KEPT: TimeDelta = TimeDelta::days(7);
/// Queries that run at once, whoever asked; the others are queued.
const RUNNING: usize = 10;

/// Why a query failed that the end of the server broke off.
pub(crate) const BROKEN_OFF: &str = "The server was stopped while the query ran. Start it again.";

/// States of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Queued,
    Running,
    Finished,
    Failed,
    Cancelled,
    TimedOut,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What is known of one query.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) statement: String,
    pub(crate) status: Status,
    /// UTC milliseconds.
    pub(crate) created: i64,
    /// UTC milliseconds.
    pub(crate) ended: Option<i64>,
    /// Account of who asked.
    pub(crate) account: String,
    /// ARN of who asked.
    pub(crate) principal: String,
    /// Account that owns the event data stores.
    pub(crate) owner: String,
    /// Region of the call.
    pub(crate) region: String,
    /// Ids of the event data stores, and a hash of what the caller saw of each; empty where it saw all.
    pub(crate) stores: Vec<(String, String)>,
    pub(crate) columns: Vec<String>,
    pub(crate) matched: u64,
    pub(crate) scanned: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) millis: u64,
    pub(crate) error: Option<String>,
    pub(crate) delivery: Option<Delivery>,
}

/// Where results go, and whether they arrived.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) uri: String,
    pub(crate) status: String,
}

impl Run {
    pub(crate) fn count(&mut self, statistics: &Statistics, millis: u64) {
        self.matched = statistics.events_matched;
        self.scanned = statistics.events_scanned;
        self.bytes = statistics.bytes_scanned;
        self.rows = statistics.rows;
        self.millis = millis;
    }
}

/// A query that has not ended.
#[derive(Debug)]
struct Live {
    account: String,
    /// What the query should end as, once someone wants it to end.
    end: watch::Sender<Option<Status>>,
    /// `None` while the statement is being planned.
    run: Option<Run>,
}

/// All queries.
#[derive(Debug)]
pub(crate) struct Runs {
    store: Arc<Store>,
    live: Mutex<HashMap<String, Live>>,
    pub(crate) turn: Semaphore,
    limit: usize,
}

/// A place among the account's queries; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    runs: Arc<Runs>,
    pub(crate) id: String,
    pub(crate) end: watch::Receiver<Option<Status>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.runs.live().remove(&self.id);
    }
}

impl Runs {
    /// Reads what there is, and marks as failed what another server did not end. Removes results of no known query.
    pub(crate) fn open(store: Arc<Store>, limit: usize) -> Result<Self> {
        let mut known = BTreeSet::new();
        for document in store.documents(RUN, None)? {
            known.insert(document.id.clone());
            let Some(mut run) = read::<Run>(&document) else { continue };
            if !run.status.is_final() {
                run.status = Status::Failed;
                run.ended = Some(chrono::Utc::now().timestamp_millis());
                run.error = Some(BROKEN_OFF.to_owned());
                store.put_document(RUN, &of_run(&run))?;
                let _ = results::remove(&results::folder(&store.root().join("queries"), &run.id));
            } else if run.delivery.as_ref().is_some_and(|delivery| delivery.status == "PENDING") {
                run.delivery.iter_mut().for_each(|delivery| "FAILED".clone_into(&mut delivery.status));
                store.put_document(RUN, &of_run(&run))?;
            }
        }
        if let Ok(entries) = std::fs::read_dir(store.root().join("queries")) {
            for entry in entries.flatten() {
                if !known.contains(entry.file_name().to_string_lossy().as_ref()) {
                    let _ = results::remove(&entry.path());
                }
            }
        }
        Ok(Self { store, live: Mutex::default(), turn: Semaphore::new(RUNNING), limit })
    }

    fn live(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folder of results.
    pub(crate) fn folder(&self, id: &str) -> PathBuf {
        results::folder(&self.store.root().join("queries"), id)
    }

    /// A place for one more query of an account.
    ///
    /// # Errors
    /// `MaxConcurrentQueriesException` if it has as many as it may.
    pub(crate) fn slot(self: &Arc<Self>, account: &str) -> Answer<Slot> {
        let mut live = self.live();
        let limit = self.limit;
        if live.values().filter(|live| live.account == account).count() >= limit {
            let message = format!(
                "You are already running the maximum number of concurrent queries, {limit}. Wait for some to finish."
            );
            return Err(Fault::new("MaxConcurrentQueriesException", message));
        }
        let id = uuid::Uuid::new_v4().to_string();
        let (end, wanted) = watch::channel(None);
        live.insert(id.clone(), Live { account: account.to_owned(), end, run: None });
        Ok(Slot { runs: Arc::clone(self), id, end: wanted })
    }

    /// Writes a query down, a new one too.
    pub(crate) fn save(&self, run: &Run, new: bool) -> cloudtarn_store::Result<()> {
        self.store.put_document(RUN, &of_run(run))?;
        if new {
            for (store, _) in &run.stores {
                let id = format!("{store}/{}", run.id);
                let body = format!("\"{}\"", run.id);
                self.store
                    .put_document(OF_STORE, &Document { id, scope: store.clone(), created: run.created, body })?;
            }
        }
        self.progress(run);
        Ok(())
    }

    /// Tells what a running query has done, without writing it down.
    pub(crate) fn progress(&self, run: &Run) {
        if let Some(live) = self.live().get_mut(&run.id) {
            live.run = Some(run.clone());
        }
    }

    /// The query of that id.
    pub(crate) fn find(&self, id: &str) -> Answer<Option<Run>> {
        if let Some(run) = self.live().get(id).and_then(|live| live.run.clone()) {
            return Ok(Some(run));
        }
        Ok(self.store.document(RUN, id)?.and_then(|document| read(&document)))
    }

    /// Ids of the queries of an event data store, the newest first.
    pub(crate) fn of_store(&self, store: &str) -> Answer<Vec<(i64, String)>> {
        let documents = self.store.documents(OF_STORE, Some(store))?;
        Ok(documents
            .into_iter()
            .map(|document| (document.created, document.body.trim_matches('"').to_owned()))
            .collect())
    }

    /// Asks a query to end; false if it does not run.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        self.live().get(id).is_some_and(|live| live.end.send(Some(Status::Cancelled)).is_ok())
    }

    /// Ends all of them as failed, and waits until that is written down.
    pub(crate) async fn close(&self) {
        for live in self.live().values() {
            // Nobody listens where the query has just ended.
            let _ = live.end.send(Some(Status::Failed));
        }
        for _ in 0..100 {
            if self.live().is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Removes what is older than seven days.
    pub(crate) fn expire(&self, now: i64) -> cloudtarn_store::Result<()> {
        let oldest = now - KEPT.num_milliseconds();
        for document in self.store.documents(RUN, None)?.into_iter().rev().take_while(|d| d.created < oldest) {
            if self.live().contains_key(&document.id) {
                continue;
            }
            if let Err(error) = results::remove(&self.folder(&document.id)) {
                tracing::error!(%error, query = %document.id, "old results can't be removed");
                continue;
            }
            self.store.remove_document(RUN, &document.id)?;
        }
        for document in self.store.documents(OF_STORE, None)?.into_iter().rev().take_while(|d| d.created < oldest) {
            self.store.remove_document(OF_STORE, &document.id)?;
        }
        Ok(())
    }
}

fn of_run(run: &Run) -> Document {
    let body = serde_json::to_string(run).unwrap_or_default();
    Document { id: run.id.clone(), scope: run.account.clone(), created: run.created, body }
}
