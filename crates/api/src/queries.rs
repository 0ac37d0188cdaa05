//! StartQuery, DescribeQuery, GetQueryResults, ListQueries, CancelQuery.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use cloudtarn_query::{Kind, Prepared, Rows};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::{Reader, Target};
use crate::call::{Call, Reply, seconds};
use crate::fault::{Answer, Fault};
use crate::results;
use crate::run::{BROKEN_OFF, Delivery, Run, Slot, Status};
use crate::service::Service;

/// Rows of a page, as in Lake.
const PAGE: usize = 1000;
/// Queries of a page of ListQueries.
const LISTED: usize = 1000;
/// How often what a running query has done is told.
const TOLD: std::time::Duration = std::time::Duration::from_millis(500);
/// Kind of the documents that tell the last run of an alias.
pub(crate) const LAST_RUN: &str = "alias-run";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartQuery {
    query_statement: Option<String>,
    query_alias: Option<String>,
    #[serde(default)]
    query_parameters: Vec<String>,
    #[serde(rename = "DeliveryS3Uri")]
    delivery: Option<String>,
    event_data_store_owner_account_id: Option<String>,
}

/// What a caller saw of a store, so that it can be compared: empty for all of it.
fn fingerprint(rows: &Rows) -> String {
    if *rows == Rows::All { String::new() } else { hex::encode(Sha256::digest(format!("{rows:?}"))) }
}

impl Service {
    pub(crate) async fn start_query(self: &Arc<Self>, call: &Call) -> Answer<Reply> {
        let asked: StartQuery = call.input()?;
        let (statement, alias) = match (asked.query_statement, asked.query_alias) {
            (Some(statement), None) => (statement, None),
            (None, Some(alias)) => (self.statement_of(call, &alias)?, Some(alias)),
            _ => return Err(Fault::invalid("Give either QueryStatement or QueryAlias.")),
        };
        let owner = asked.event_data_store_owner_account_id;
        let run = self.start(call, statement, asked.query_parameters, asked.delivery, owner).await?;
        if let Some(alias) = &alias {
            self.keep(LAST_RUN, &alias_key(&call.caller.account, alias, ""), "", call.now(), &run.id)?;
        }
        Ok(json!({"QueryId": run.id, "EventDataStoreOwnerAccountId": run.owner}).into())
    }

    /// Checks the statement and what the caller may see of its stores, and lets it run.
    pub(crate) async fn start(
        self: &Arc<Self>,
        call: &Call,
        statement: String,
        parameters: Vec<String>,
        delivery: Option<String>,
        owner: Option<String>,
    ) -> Answer<Run> {
        if let Some(uri) = &delivery {
            self.check_delivery(uri)?;
        }
        let slot = self.runs.slot(&call.caller.account)?;
        // Whoever asks for the audit log wants the calls that came before this one.
        self.flush_if_named(&statement).await;
        let (prepared, opened) = self.plan(call, &statement, parameters, owner.as_deref()).await?;
        if opened.is_empty() {
            self.require(call, "*")?;
        }
        let first = opened.values().next();
        let run = Run {
            id: slot.id.clone(),
            statement,
            status: Status::Queued,
            created: call.now(),
            ended: None,
            account: call.caller.account.clone(),
            principal: call.caller.arn.clone(),
            owner: first.map_or_else(|| call.caller.account.clone(), |(target, _)| target.account.clone()),
            region: call.region.clone(),
            stores: opened.iter().map(|(id, (_, rows))| (id.clone(), fingerprint(rows))).collect(),
            columns: prepared.schema().fields().iter().map(|field| field.name().clone()).collect(),
            matched: 0,
            scanned: 0,
            bytes: 0,
            rows: 0,
            millis: 0,
            error: None,
            delivery: delivery.map(|uri| Delivery { uri, status: "PENDING".to_owned() }),
        };
        self.runs.save(&run, true)?;
        let (service, mine) = (Arc::clone(self), run.clone());
        self.computing().spawn(async move { service.execute(mine, prepared, slot).await });
        Ok(run)
    }

    /// Plans on the threads with the stack for it.
    async fn plan(
        self: &Arc<Self>,
        call: &Call,
        statement: &str,
        parameters: Vec<String>,
        owner: Option<&str>,
    ) -> Answer<(Prepared, BTreeMap<String, (Target, Rows)>)> {
        let (service, statement, owner) = (Arc::clone(self), statement.to_owned(), owner.map(str::to_owned));
        let call = Call {
            operation: call.operation.clone(),
            input: call.input.clone(),
            caller: Arc::clone(&call.caller),
            region: call.region.clone(),
            id: call.id.clone(),
            source_ip: call.source_ip,
            user_agent: call.user_agent.clone(),
            time: call.time,
        };
        let planned = self.computing().spawn(async move {
            let reader = Reader::new(&service, &call, "StartQuery", owner.as_deref());
            let prepared = Box::pin(service.session.prepare(&statement, &parameters, &reader)).await;
            let (opened, refused) = reader.opened();
            match (prepared, refused) {
                (_, Some(fault)) => Err(fault),
                (Ok(prepared), None) => Ok((prepared, opened)),
                (Err(error), None) => Err(refusal(&error)),
            }
        });
        planned.await.map_err(|_| Fault::new("InvalidQueryStatementException", "The statement can't be planned."))?
    }

    /// Runs a query to its end, whatever that is.
    async fn execute(self: Arc<Self>, mut run: Run, prepared: Prepared, mut slot: Slot) {
        let folder = self.runs.folder(&run.id);
        let turn = tokio::select! {
            turn = self.runs.turn.acquire() => turn.ok(),
            _ = slot.end.wait_for(Option::is_some) => None,
        };
        let started = Instant::now();
        let ended = match turn {
            None => Ended::as_wanted(&slot),
            Some(_turn) => {
                run.status = Status::Running;
                match self.runs.save(&run, false) {
                    Ok(()) => self.write_rows(&mut run, prepared, &mut slot, started).await,
                    Err(error) => Ended { status: Status::Failed, error: Some(Error::Store(error)) },
                }
            }
        };
        run.status = ended.status;
        run.millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        run.ended = Some(chrono::Utc::now().timestamp_millis());
        run.error = ended.error.map(|error| error.text());
        // Lake lets partial results of a query that ran out of time be read.
        if !matches!(run.status, Status::Finished | Status::TimedOut) {
            run.rows = 0;
            if let Err(error) = results::remove(&folder) {
                tracing::error!(%error, query = %run.id, "results can't be removed");
            }
        }
        if run.status != Status::Finished
            && let Some(delivery) = &mut run.delivery
        {
            let status = if run.status == Status::Cancelled { "CANCELLED" } else { "FAILED" };
            status.clone_into(&mut delivery.status);
        }
        if let Err(error) = self.runs.save(&run, false) {
            tracing::error!(%error, query = %run.id, "the end of a query can't be written down");
        }
        if run.status == Status::Finished && run.delivery.is_some() {
            self.deliver(&mut run).await;
        }
    }

    /// Writes the rows down as they come.
    async fn write_rows(&self, run: &mut Run, prepared: Prepared, slot: &mut Slot, started: Instant) -> Ended {
        let folder = self.runs.folder(&run.id);
        let mut writer = match results::Writer::create(&folder, &run.columns) {
            Ok(writer) => writer,
            Err(error) => return Ended::failed(Error::Disk(error)),
        };
        let mut query = match prepared.run() {
            Ok(query) => query,
            Err(error) => return Ended::failed(Error::Query(error)),
        };
        let mut tell = tokio::time::interval(TOLD);
        let ended = loop {
            tokio::select! {
                biased;
                _ = async { slot.end.wait_for(Option::is_some).await.is_ok() } => break Ended::as_wanted(slot),
                _ = tell.tick() => {
                    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    run.count(&query.statistics(), millis);
                    self.runs.progress(run);
                }
                batch = query.next() => match batch {
                    None => break Ended { status: Status::Finished, error: None },
                    Some(Err(error)) if error.kind == Kind::ExceededTimeLimit => {
                        break Ended { status: Status::TimedOut, error: Some(Error::Query(error)) };
                    }
                    Some(Err(error)) => break Ended::failed(Error::Query(error)),
                    Some(Ok(batch)) => {
                        if let Err(error) = writer.write(&batch) {
                            break Ended::failed(Error::Disk(error));
                        }
                    }
                },
            }
        };
        run.count(&query.statistics(), 0);
        match writer.finish() {
            Err(error) if ended.status == Status::Finished => Ended::failed(Error::Disk(error)),
            _ => ended,
        }
    }

    /// The run of a call's QueryId, or of its alias, if the caller may use it for the action.
    fn run_of(&self, call: &Call) -> Answer<Run> {
        let missing = || {
            Fault::new("QueryIdNotFoundException", "The query ID does not exist, or maps to no query that you may see.")
        };
        let id = match (call.text("QueryId"), call.text("QueryAlias")) {
            ("", "") => return Err(Fault::invalid("Give either QueryId or QueryAlias.")),
            (id, "") => id.to_owned(),
            ("", alias) => {
                let key = alias_key(&call.caller.account, alias, call.text("RefreshId"));
                self.kept::<String>(LAST_RUN, &key)?.ok_or_else(missing)?
            }
            _ => return Err(Fault::invalid("Give either QueryId or QueryAlias, not both.")),
        };
        let run = self.runs.find(&id)?.ok_or_else(missing)?;
        let owner = call.text("EventDataStoreOwnerAccountId");
        if !owner.is_empty() && owner != run.owner {
            return Err(missing());
        }
        if self.may_see(call, &run, &call.operation)? { Ok(run) } else { Err(missing()) }
    }

    /// Whether the caller may use the action on every store of the query now; and, where it may not see every event or
    /// whoever asked did not, whether it is who asked, and sees now what it saw then.
    fn may_see(&self, call: &Call, run: &Run, action: &str) -> Answer<bool> {
        if run.stores.is_empty() {
            return Ok(run.principal == call.caller.arn);
        }
        let targets = self.targets()?;
        for (id, seen) in &run.stores {
            // What was in a store that is gone only who asked may still read.
            let Some(target) = targets.iter().find(|target| target.store.id == *id) else {
                if run.principal == call.caller.arn { continue } else { return Ok(false) }
            };
            let rows = |action: &str| self.rows_of(call, action, target);
            let allowed = rows(&format!("cloudtrail:{action}"))?;
            if allowed == Rows::None {
                return Ok(false);
            }
            // What a query may see is granted with StartQuery; the other actions may narrow it.
            let granted =
                if run.principal == call.caller.arn { rows("cloudtrail:StartQuery")? } else { allowed.clone() };
            let whole = granted == Rows::All && allowed == Rows::All;
            let same = run.principal == call.caller.arn
                && fingerprint(&granted) == *seen
                && (allowed == granted || allowed == Rows::All);
            if !whole && !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn rows_of(&self, call: &Call, action: &str, target: &Target) -> Answer<Rows> {
        self.rows(call, action, &target.arn, &target.account)
    }

    pub(crate) fn describe_query(&self, call: &Call) -> Answer<Reply> {
        let run = self.run_of(call)?;
        let mut answer = json!({
            "QueryId": run.id,
            "QueryString": run.statement,
            "QueryStatus": run.status.as_str(),
            "QueryStatistics": {
                "EventsMatched": run.matched,
                "EventsScanned": run.scanned,
                "BytesScanned": run.bytes,
                "ExecutionTimeInMillis": run.millis.min(i32::MAX as u64),
                "CreationTime": seconds(run.created),
            },
            "EventDataStoreOwnerAccountId": run.owner,
        });
        if let Some(error) = &run.error {
            answer["ErrorMessage"] = json!(error);
        }
        if let Some(delivery) = &run.delivery {
            answer["DeliveryS3Uri"] = json!(delivery.uri);
            answer["DeliveryStatus"] = json!(delivery.status);
        }
        Ok(answer.into())
    }

    pub(crate) async fn get_query_results(&self, call: &Call) -> Answer<Reply> {
        let run = self.run_of(call)?;
        let place = self.tokens.place(&call.operation, &call.caller.arn, &call.input)?;
        let start = match &place {
            None => (0, 0),
            Some(place) => {
                let two = place.split_once('/').and_then(|(row, byte)| Some((row.parse().ok()?, byte.parse().ok()?)));
                two.ok_or_else(Fault::token)?
            }
        };
        let count = call.number("MaxQueryResults").unwrap_or(PAGE).clamp(1, PAGE);
        let folder = self.runs.folder(&run.id);
        let readable = matches!(run.status, Status::Finished | Status::TimedOut);
        let page = if readable {
            let read = tokio::task::spawn_blocking(move || results::read(&folder, start, count)).await;
            read.map_err(|_| Fault::internal())?.map_err(|error| {
                tracing::error!(%error, query = %run.id, "results can't be read");
                Fault::internal()
            })?
        } else {
            results::Page { rows: String::new(), count: 0, next: start }
        };
        let total = if readable { run.rows } else { 0 };
        let statistics = json!({
            "ResultsCount": page.count,
            "TotalResultsCount": total.min(i32::MAX as u64),
            "BytesScanned": run.bytes,
        });
        let mut text = format!(
            "{{\"QueryStatus\":\"{}\",\"QueryStatistics\":{statistics},\"QueryResultRows\":[{}]",
            run.status.as_str(),
            page.rows
        );
        if readable && page.next.0 < total && page.count > 0 {
            let token = self.token(call, &format!("{}/{}", page.next.0, page.next.1));
            text.push_str(&format!(",\"NextToken\":{}", Value::from(token)));
        }
        if let Some(error) = &run.error {
            text.push_str(&format!(",\"ErrorMessage\":{}", Value::from(error.as_str())));
        }
        text.push('}');
        Ok(Reply::Text(text))
    }

    pub(crate) fn list_queries(&self, call: &Call) -> Answer<Reply> {
        let (target, rows) = self.target(call, call.text("EventDataStore"), "ListQueries")?;
        let (from, to) = (call.time_of("StartTime"), call.time_of("EndTime"));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(Fault::new("InvalidDateRangeException", "StartTime is after EndTime."));
        }
        let status = call.text("QueryStatus");
        let place = self.tokens.place(&call.operation, &call.caller.arn, &call.input)?;
        let size = call.number("MaxResults").unwrap_or(LISTED).clamp(1, LISTED);
        let mut queries = Vec::new();
        let mut next = None;
        let mut behind = place.is_none();
        for (created, id) in self.runs.of_store(&target.store.id)? {
            let key = format!("{created}/{id}");
            if !behind {
                // The place is the last query of the page before; newer ones came since.
                behind = place.as_ref() == Some(&key);
                continue;
            }
            if from.is_some_and(|from| created < from) || to.is_some_and(|to| created > to) {
                continue;
            }
            let Some(run) = self.runs.find(&id)? else { continue };
            let mine = rows == Rows::All || run.principal == call.caller.arn;
            if !mine || (!status.is_empty() && status != run.status.as_str()) {
                continue;
            }
            if queries.len() == size {
                next = queries.last().map(|(_, place): &(Value, String)| place.clone());
                break;
            }
            let listed = json!({"QueryId": id, "QueryStatus": run.status.as_str(), "CreationTime": seconds(created)});
            queries.push((listed, key));
        }
        let listed: Vec<Value> = queries.into_iter().map(|(query, _)| query).collect();
        let mut answer = json!({"Queries": listed});
        if let Some(place) = next {
            answer["NextToken"] = json!(self.token(call, &place));
        }
        Ok(answer.into())
    }

    pub(crate) async fn cancel_query(&self, call: &Call) -> Answer<Reply> {
        let run = self.run_of(call)?;
        let over = |status: Status| {
            let message = format!("The query can't be cancelled: it is in the state {}.", status.as_str());
            Fault::new("InactiveQueryException", message)
        };
        if run.status.is_final() || !self.runs.cancel(&run.id) {
            return Err(over(run.status));
        }
        let status = Status::Cancelled.as_str();
        Ok(json!({"QueryId": run.id, "QueryStatus": status, "EventDataStoreOwnerAccountId": run.owner}).into())
    }

    /// The statement that an alias stands for: a sample's, or a widget's of a dashboard.
    fn statement_of(&self, call: &Call, alias: &str) -> Answer<String> {
        let sample = self.samples.iter().find(|sample| sample.alias == alias).map(|sample| sample.sql.clone());
        let statement = if sample.is_some() { sample } else { self.widget_statement(call, alias)? };
        statement.ok_or_else(|| Fault::invalid(format!("There is no query with the alias '{alias}'.")))
    }
}

/// Where the last run of an alias is kept: aliases are an account's own.
pub(crate) fn alias_key(account: &str, alias: &str, refresh: &str) -> String {
    format!("{account}/{alias}/{refresh}")
}

/// Why a query ended.
struct Ended {
    status: Status,
    error: Option<Error>,
}

enum Error {
    Query(cloudtarn_query::Error),
    Store(cloudtarn_store::Error),
    Disk(std::io::Error),
    BrokenOff,
}

impl Error {
    /// For the caller: 4 to 1000 characters, of this machine nothing.
    fn text(&self) -> String {
        let text = match self {
            Self::Query(error) if matches!(error.kind, Kind::Internal | Kind::Unreadable) => {
                tracing::error!(%error, "a query failed");
                format!("{}: the server's log says why", error.kind)
            }
            Self::Query(error) => error.to_string(),
            Self::Store(error) => {
                tracing::error!(%error, "a query can't be written down");
                "The server could not write to its store.".to_owned()
            }
            Self::Disk(error) => {
                tracing::error!(%error, "results can't be written");
                "The server could not write the results to its disk.".to_owned()
            }
            Self::BrokenOff => BROKEN_OFF.to_owned(),
        };
        one_line(&text)
    }
}

impl Ended {
    fn failed(error: Error) -> Self {
        Self { status: Status::Failed, error: Some(error) }
    }

    fn as_wanted(slot: &Slot) -> Self {
        match *slot.end.borrow() {
            Some(Status::Failed) => Self::failed(Error::BrokenOff),
            _ => Self { status: Status::Cancelled, error: None },
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ").chars().take(1000).collect()
}

/// Why a statement does not run.
pub(crate) fn refusal(error: &cloudtarn_query::Error) -> Fault {
    match error.kind {
        Kind::InvalidParameterUsage => Fault::invalid(one_line(&error.message)),
        Kind::Internal | Kind::Unreadable => {
            tracing::error!(%error, "a statement can't be planned");
            Fault::new("InvalidQueryStatementException", "The statement can't be planned; the server's log says why.")
        }
        _ => Fault::new("InvalidQueryStatementException", one_line(&error.to_string())),
    }
}
