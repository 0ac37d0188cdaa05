//! Which event data store a name in FROM means.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cloudtarn_record::EventCategory;
use cloudtarn_store::{EventDataStore, Store};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_datafusion_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::TableSource;

use crate::rows::Rows;
use crate::system;
use crate::table::{EventTable, KnownStatistics};

/// Decides for a reader what a name in FROM means, and which of its events the reader may see. Asked once a name and
/// statement, and again where the statement cannot be planned.
pub trait Guard: Send + Sync {
    /// The event data store of that name: a UUID, ARN, name or placeholder; and which events of it.
    ///
    /// # Errors
    /// Of a kind and text that tell the reader nothing that it may not know, such as whether there is one of that name.
    fn open(&self, store: &Store, name: &str) -> crate::Result<(EventDataStore, Rows)>;

    /// Whether the reader may see the tables about the store itself: its log files, digests, coverage.
    fn opens_system_tables(&self) -> bool {
        false
    }
}

/// Everything of every store.
#[derive(Debug)]
pub(crate) struct Open;

impl Guard for Open {
    fn open(&self, store: &Store, name: &str) -> crate::Result<(EventDataStore, Rows)> {
        Ok((resolve(store, name)?, Rows::All))
    }

    fn opens_system_tables(&self) -> bool {
        true
    }
}

/// The event data stores that one statement may name. Each is looked at once, so that a statement that names a store twice
/// sees one snapshot of it.
pub(crate) struct Tables<'a> {
    store: Option<&'a Store>,
    guard: &'a dyn Guard,
    /// Hidden columns that the statement names.
    hidden: Vec<String>,
    /// Where all columns are named that the statement wants.
    names_in: Option<String>,
    found: Mutex<HashMap<String, Found>>,
    statistics: Option<Arc<KnownStatistics>>,
}

/// A table, and the event data store that it shows.
type Found = (Arc<dyn TableSource>, EventDataStore);

impl<'a> Tables<'a> {
    pub(crate) fn new(
        store: Option<&'a Store>,
        guard: &'a dyn Guard,
        hidden: Vec<String>,
        names_in: Option<String>,
        statistics: Option<Arc<KnownStatistics>>,
    ) -> Self {
        Self { store, guard, hidden, names_in, found: Mutex::default(), statistics }
    }

    /// The event data stores that were found, by id.
    pub(crate) fn event_data_stores(&self) -> Vec<EventDataStore> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stores: Vec<_> = found.values().map(|(_, store)| store.clone()).collect();
        stores.sort_by(|a, b| a.id.cmp(&b.id));
        stores.dedup_by(|a, b| a.id == b.id);
        stores
    }

    /// The table of a name: an event data store's UUID, ARN or name, or a placeholder such as `$EDS_ID`.
    ///
    /// # Errors
    /// `TABLE_NOT_FOUND`, with the stores that there are; the store's own.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<dyn TableSource>> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((table, _)) = found.get(name) {
            return Ok(Arc::clone(table));
        }
        let store = self.store(name)?;
        let (event_data_store, rows) =
            self.guard.open(store, name).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let snapshot = store.snapshot(&event_data_store).map_err(|error| exec_datafusion_err!("{error}"))?;
        let is_named = |name: &str| self.names_in.as_ref().is_none_or(|text| text.contains(name));
        let table = EventTable::new(snapshot, &self.hidden, &is_named, rows, self.statistics.clone());
        let table = provider_as_source(Arc::new(table));
        found.insert(name.to_owned(), (Arc::clone(&table), event_data_store));
        Ok(table)
    }
}

impl<'a> Tables<'a> {
    /// The store that the table of this name is looked for in.
    ///
    /// # Errors
    /// `TABLE_NOT_FOUND` if there is no store.
    pub(crate) fn store(&self, name: &str) -> Result<&'a Store> {
        self.store.ok_or_else(|| {
            plan_datafusion_err!(
                "TABLE_NOT_FOUND: event data store '{name}' does not exist: there is no store yet; make one with `cloudtarn ingest SOURCE`"
            )
        })
    }

    /// A table about the store. Verdicts that are older than the store's content are made anew first.
    ///
    /// # Errors
    /// `TABLE_NOT_FOUND`, with the tables that there are; the store's own.
    pub(crate) fn system(&self, name: &str) -> Result<Arc<dyn TableSource>> {
        let store = self.store(name)?;
        let Some(table) = system::of_name(name) else {
            let known = system::names().collect::<Vec<_>>().join(", ");
            return Err(plan_datafusion_err!(
                "TABLE_NOT_FOUND: table '{}.{name}' does not exist; there are: {known}",
                system::SCHEMA
            ));
        };
        if system::has_verdicts(table) {
            cloudtarn_verify::refresh(store, false).map_err(|error| exec_datafusion_err!("STORE_ERROR: {error}"))?;
        }
        Ok(provider_as_source(Arc::new(system::table(store, name, table)?)))
    }
}

pub(crate) fn resolve(store: &Store, name: &str) -> cloudtarn_store::Result<EventDataStore> {
    match (store.event_data_store(name), standard(name)) {
        (Err(error), Some(category)) => store.standard(category).map_err(|other| match other {
            cloudtarn_store::Error::EventDataStoreNotFound { .. } => error,
            other => other,
        }),
        (found, _) => found,
    }
}

/// The kind of store that a placeholder stands for, as AWS's console, samples and query generator write it: `$EDS_ID`.
pub fn standard(name: &str) -> Option<EventCategory> {
    let plain = name.trim_start_matches(['$', '<']).trim_end_matches('>').to_lowercase().replace(['-', ' '], "_");
    match plain.as_str() {
        "eds_id" | "eds" | "eventdatastoreid" | "event_data_store_id" | "event_data_store" => {
            Some(EventCategory::CloudTrail)
        }
        "integration_eds_id" => Some(EventCategory::ActivityAuditLog),
        "insights_eds_id" | "insight_eds_id" | "insights_eds" => Some(EventCategory::Insight),
        _ => None,
    }
}
