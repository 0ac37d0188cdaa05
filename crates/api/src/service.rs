//! What there is to answer from, and which operation answers what.

use std::sync::Arc;
use std::time::Duration;

use cloudtarn_query::Session;
use cloudtarn_store::{Document, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Handle, Runtime};

use crate::audit::Audit;
use crate::call::{Call, Reply};
use crate::error::{Error, Result};
use crate::fault::{Answer, Fault};
use crate::imports::Imports;
use crate::model::Operation;
use crate::page::Tokens;
use crate::principal::Principals;
use crate::run::Runs;
use crate::server::Options;
use crate::signing::SigningKey;
use crate::spool::Spools;

/// Stack of the threads that plan: planners recurse with the statement.
const STACK: usize = 16 << 20;
/// How often what is old is removed and what waits is written.
const HOUSEKEEPING: Duration = Duration::from_secs(20);

/// A question with its title: what SearchSampleQueries finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Unique; StartQuery takes it as an alias.
    pub alias: String,
    /// Title.
    pub name: String,
    /// What the query answers.
    pub description: String,
    /// Lake SQL, with `$EDS_ID` in place of the event data store.
    pub sql: String,
}

/// Everything that operations share.
pub(crate) struct Service {
    pub(crate) store: Arc<Store>,
    pub(crate) session: Arc<Session>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) tokens: Tokens,
    pub(crate) runs: Arc<Runs>,
    pub(crate) imports: Imports,
    pub(crate) signing: Arc<SigningKey>,
    pub(crate) spools: Spools,
    principals: Principals,
    audit: Audit,
    computing: Handle,
    /// Ends when the service does.
    _runtime: Background,
}

/// A runtime that may be dropped from within another.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Service {
    pub(crate) async fn open(options: Options, principals: Principals) -> Result<Arc<Self>> {
        let store = Arc::new(Store::create(&options.store)?);
        let session = Arc::new(Session::new(Some(Store::open(&options.store)?), options.limits)?);
        let failed = |source| Error::Io { action: "starting the query threads".to_owned(), source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_stack_size(STACK)
            .thread_name("query")
            .build()
            .map_err(failed)?;
        let computing = runtime.handle().clone();
        let tokens = Tokens::new(secret(&store)?);
        let audit = Audit::open(store.root(), &principals.owner)?;
        let runs = Arc::new(Runs::open(Arc::clone(&store), options.concurrent_queries)?);
        let service = Arc::new(Self {
            store,
            session,
            samples: options.samples,
            tokens,
            runs,
            imports: Imports::default(),
            signing: Arc::new(SigningKey::of(&options.store)),
            spools: Spools::default(),
            principals,
            audit,
            computing,
            _runtime: Background(Some(runtime)),
        });
        service.reopen_imports().map_err(|fault| Error::Internal(fault.message))?;
        Ok(service)
    }

    pub(crate) fn principals(&self) -> &Principals {
        &self.principals
    }

    pub(crate) fn audit(&self, attempt: &crate::audit::Attempt, answer: &Answer<Reply>) {
        self.audit.record(attempt, answer.as_ref());
    }

    /// The threads that plan and run queries.
    pub(crate) fn computing(&self) -> &Handle {
        &self.computing
    }

    /// Answers a call whose input follows the model.
    pub(crate) async fn answer(self: &Arc<Self>, call: &Call, operation: &Operation) -> Answer<Reply> {
        match call.operation.as_str() {
            "StartQuery" => self.start_query(call).await,
            "DescribeQuery" => self.describe_query(call),
            "GetQueryResults" => self.get_query_results(call).await,
            "ListQueries" => self.list_queries(call),
            "CancelQuery" => self.cancel_query(call).await,
            "ListEventDataStores" => self.list_event_data_stores(call),
            "GetEventDataStore" => self.get_event_data_store(call),
            "CreateEventDataStore" => self.create_event_data_store(call),
            "UpdateEventDataStore" => self.update_event_data_store(call),
            "DeleteEventDataStore" => self.delete_event_data_store(call),
            "RestoreEventDataStore" => self.restore_event_data_store(call),
            "StartEventDataStoreIngestion" => self.set_ingestion(call, true),
            "StopEventDataStoreIngestion" => self.set_ingestion(call, false),
            "GetEventConfiguration" => self.get_event_configuration(call),
            "CreateChannel" => self.create_channel(call),
            "GetChannel" => self.get_channel(call),
            "ListChannels" => self.list_channels(call),
            "UpdateChannel" => self.update_channel(call),
            "DeleteChannel" => self.delete_channel(call),
            "PutAuditEvents" => self.put_audit_events(call),
            "CreateDashboard" => self.create_dashboard(call),
            "GetDashboard" => self.get_dashboard(call),
            "ListDashboards" => self.list_dashboards(call),
            "UpdateDashboard" => self.update_dashboard(call),
            "DeleteDashboard" => self.delete_dashboard(call),
            "StartDashboardRefresh" => self.start_dashboard_refresh(call).await,
            "LookupEvents" => self.lookup_events(call).await,
            "SearchSampleQueries" => self.search_sample_queries(call),
            "ListPublicKeys" => self.list_public_keys(call).await,
            "StartImport" => self.start_import(call).await,
            "GetImport" => self.get_import(call),
            "ListImports" => self.list_imports(call),
            "StopImport" => self.stop_import(call),
            "ListImportFailures" => self.list_import_failures(call),
            "AddTags" => self.add_tags(call),
            "RemoveTags" => self.remove_tags(call),
            "ListTags" => self.list_tags(call),
            "PutResourcePolicy" => self.put_resource_policy(call),
            "GetResourcePolicy" => self.get_resource_policy(call),
            "DeleteResourcePolicy" => self.delete_resource_policy(call),
            name => {
                let message = format!("Cloudtarn does not support {name}; docs/api.md lists what it does.");
                let has = operation.has("UnsupportedOperationException");
                Err(Fault::new(if has { "UnsupportedOperationException" } else { "ValidationException" }, message))
            }
        }
    }

    /// Removes what is old and writes what waits, until aborted.
    pub(crate) async fn keep_house(self: Arc<Self>) {
        let mut tick = tokio::time::interval(HOUSEKEEPING);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now = chrono::Utc::now().timestamp_millis();
            if let Err(error) = self.runs.expire(now) {
                tracing::error!(%error, "removing old queries");
            }
            if let Err(fault) = self.expire_stores(now) {
                tracing::error!(%fault.message, "removing old events");
            }
            self.flush_channels(None).await;
            self.flush_audit().await;
        }
    }

    /// Ends what runs, and writes down what is known.
    pub(crate) async fn close(&self) {
        self.runs.close().await;
        self.imports.close().await;
        self.flush_channels(None).await;
        self.audit.flush(&self.store).await;
    }

    /// Makes every call before this one queryable.
    pub(crate) async fn flush_audit(&self) {
        self.audit.flush(&self.store).await;
    }

    /// A document as the type that it was kept as.
    pub(crate) fn kept<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Answer<Option<T>> {
        Ok(self.store.document(kind, id)?.and_then(|document| read(&document)))
    }

    /// Keeps a value as a document.
    pub(crate) fn keep<T: Serialize>(&self, kind: &str, id: &str, scope: &str, created: i64, value: &T) -> Answer<()> {
        let body = serde_json::to_string(value).map_err(|_| Fault::internal())?;
        let document = Document { id: id.to_owned(), scope: scope.to_owned(), created, body };
        Ok(self.store.put_document(kind, &document)?)
    }

    /// A page of a listing: the items from the place of the request's token on, and the token of the next page.
    pub(crate) fn page<T>(&self, call: &Call, items: Vec<T>, limit: usize) -> Answer<(Vec<T>, Option<String>)> {
        let place = self.tokens.place(&call.operation, &call.caller.arn, &call.input)?;
        let start = place.map_or(Ok(0), |place| place.parse::<usize>().map_err(|_| Fault::token()))?;
        let size = call.number("MaxResults").unwrap_or(limit).clamp(1, limit);
        let more = items.len() > start + size;
        let token = more.then(|| self.token(call, &(start + size).to_string()));
        Ok((items.into_iter().skip(start).take(size).collect(), token))
    }

    /// The token for a place.
    pub(crate) fn token(&self, call: &Call, place: &str) -> String {
        self.tokens.token(place, &call.operation, &call.caller.arn, &call.input)
    }
}

/// A document's body; `None` if another version of the program wrote something else.
pub(crate) fn read<T: DeserializeOwned>(document: &Document) -> Option<T> {
    serde_json::from_str(&document.body)
        .map_err(|error| tracing::error!(id = %document.id, %error, "a document can't be read"))
        .ok()
}

/// What tokens are signed with; made at the first start.
fn secret(store: &Store) -> Result<Vec<u8>> {
    const KIND: &str = "server";
    const ID: &str = "token-secret";
    if let Some(document) = store.document(KIND, ID)?
        && let Ok(secret) = hex::decode(document.body.trim_matches('"'))
    {
        return Ok(secret);
    }
    let secret: Vec<u8> = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
    let created = chrono::Utc::now().timestamp_millis();
    let body = format!("\"{}\"", hex::encode(&secret));
    store.put_document(KIND, &Document { id: ID.to_owned(), scope: String::new(), created, body })?;
    Ok(secret)
}
