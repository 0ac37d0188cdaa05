//! CloudTrail Lake's side: a query started, waited for, read page by page.

use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::timeout::TimeoutConfig;
use aws_sdk_cloudtrail::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudtrail::types::{QueryStatisticsForDescribeQuery, QueryStatus};
use cloudtarn_query::Statistics;
use cloudtarn_report::{ROWS_KEPT, Side};
use cloudtarn_source::Options;
use tokio::sync::watch;

use crate::output::complain;

/// Waits between two looks at a running query, the first and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);
/// Variables with the address of CloudTrail, where it is not AWS's own.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_CLOUDTRAIL", "AWS_ENDPOINT_URL"];
/// Refusals of one statement; another may be answered.
const OF_STATEMENT: [&str; 2] = ["InvalidQueryStatementException", "InvalidParameterException"];
/// There are as many queries of the account as may be.
const BUSY: &str = "MaxConcurrentQueriesException";

/// Name of an event data store: `arn:PARTITION:cloudtrail:REGION:ACCOUNT:eventdatastore/UUID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arn {
    text: String,
    region: String,
    account: String,
    id: String,
}

impl FromStr for Arn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let (region, account, id) = match parts[..] {
            ["arn", _, "cloudtrail", region, account, resource] if !region.is_empty() && !account.is_empty() => {
                (region, account, resource.strip_prefix("eventdatastore/"))
            }
            _ => ("", "", None),
        };
        let id = id.filter(|id| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
        let id = id.ok_or("not the ARN of an event data store; `aws cloudtrail list-event-data-stores` lists them")?;
        let [region, account, id] = [region, account, id].map(str::to_owned);
        Ok(Self { text: text.trim().to_owned(), region, account, id })
    }
}

impl Arn {
    /// The UUID, which stands in `FROM`.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The statement has no answer; others may. What it took is billed all the same.
    Statement { reason: String, took: Option<Statistics> },
    /// Nothing will.
    Everything(anyhow::Error),
    /// Nobody wants it any more.
    Stopped,
}

impl Refusal {
    fn of_statement(reason: impl Into<String>) -> Self {
        Self::Statement { reason: reason.into(), took: None }
    }
}

/// An event data store in Lake. What waits for an answer is told to [stop](Lake::stop), not dropped: a query that nobody
/// cancels goes on, and is billed.
pub(super) struct Lake {
    client: Client,
    arn: Arn,
    /// For messages.
    place: String,
    patience: Duration,
    stop: watch::Sender<bool>,
}

impl Lake {
    pub(super) async fn open(arn: &Arn, endpoint: Option<&str>, options: &Options, patience: Duration) -> Self {
        let options = Options { region: Some(arn.region.clone()), ..options.clone() };
        let shared = Box::pin(cloudtarn_source::service_config(&options)).await;
        let mut config = aws_sdk_cloudtrail::config::Builder::from(&shared).timeout_config(
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER).build(),
        );
        if let Some(endpoint) = endpoint {
            config.set_endpoint_url(Some(endpoint.to_owned()));
        }
        if options.unsigned {
            config.set_allow_no_auth();
        }
        let configured = || ENDPOINTS.iter().find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()));
        let place = endpoint.map(str::to_owned).or_else(configured).unwrap_or_else(|| arn.region.clone());
        Self {
            client: Client::from_conf(config.build()),
            arn: arn.clone(),
            place,
            patience,
            stop: watch::Sender::new(false),
        }
    }

    fn owner(&self) -> Option<String> {
        Some(self.arn.account.clone())
    }

    /// Cancels what runs and starts nothing more.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends when it is told to stop.
    pub(super) async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Waits; false if it is told to stop.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stopped() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    /// Runs a statement to its end and reads its rows.
    pub(super) async fn answer(&self, sql: &str) -> Result<Side, Refusal> {
        let deadline = Instant::now() + self.patience;
        let id = self.start(sql, deadline).await?;
        let took = self.wait(&id, deadline).await;
        if let Err(Refusal::Everything(_)) = &took {
            self.cancel(&id).await;
        }
        let took = took?;
        match self.rows(&id).await {
            Ok(side) => Ok(Side { statistics: Statistics { rows: side.rows.len() as u64, ..took }, ..side }),
            Err(Refusal::Statement { reason, .. }) => Err(Refusal::Statement { reason, took: Some(took) }),
            Err(other) => Err(other),
        }
    }

    async fn start(&self, sql: &str, deadline: Instant) -> Result<String, Refusal> {
        while !*self.stop.borrow() {
            let request = self.client.start_query().query_statement(sql);
            let error = match request.set_event_data_store_owner_account_id(self.owner()).send().await {
                Ok(started) => {
                    return started.query_id.ok_or_else(|| Refusal::Everything(anyhow!("Lake names no query")));
                }
                Err(error) => error,
            };
            if error.code() != Some(BUSY) || Instant::now() > deadline {
                return Err(self.refusal("StartQuery", error));
            }
            self.pause(LOOKS.1).await;
        }
        Err(Refusal::Stopped)
    }

    async fn wait(&self, id: &str, deadline: Instant) -> Result<Statistics, Refusal> {
        let mut pause = LOOKS.0;
        loop {
            let request = self.client.describe_query().query_id(id);
            let described = request.set_event_data_store_owner_account_id(self.owner()).send().await;
            let described = described.map_err(|error| self.refusal("DescribeQuery", error))?;
            let took = statistics(described.query_statistics);
            match described.query_status.unwrap_or(QueryStatus::Queued) {
                QueryStatus::Finished => return Ok(took),
                QueryStatus::Queued | QueryStatus::Running if Instant::now() < deadline => {}
                QueryStatus::Queued | QueryStatus::Running => {
                    self.cancel(id).await;
                    let reason = format!("still running after {} s, and cancelled", self.patience.as_secs());
                    return Err(Refusal::Statement { reason, took: Some(took) });
                }
                over => {
                    let message = described.error_message.map(|message| format!(": {message}"));
                    let reason = format!("{over}{}", message.unwrap_or_default());
                    return Err(Refusal::Statement { reason, took: Some(took) });
                }
            }
            if !self.pause(pause).await {
                self.cancel(id).await;
                complain(&format!("query {id} cancelled on Lake"));
                return Err(Refusal::Stopped);
            }
            pause = (pause * 3 / 2).min(LOOKS.1);
        }
    }

    async fn rows(&self, id: &str) -> Result<Side, Refusal> {
        let mut side = Side::default();
        let request = self.client.get_query_results().query_id(id);
        let mut pages = request.set_event_data_store_owner_account_id(self.owner()).into_paginator().send();
        let mut total = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.refusal("GetQueryResults", error))?;
            if *self.stop.borrow() {
                return Err(Refusal::Stopped);
            }
            total = page.query_statistics.and_then(|s| s.total_results_count).and_then(|n| usize::try_from(n).ok());
            if let Some(total) = total
                && total > ROWS_KEPT
            {
                return Err(Refusal::of_statement(too_many(total as u64)));
            }
            for row in page.query_result_rows.unwrap_or_default() {
                if side.columns.is_empty() {
                    let names: Option<Vec<String>> = row.iter().map(|cell| cell.keys().next().cloned()).collect();
                    side.columns = names.unwrap_or_default();
                }
                // A cell is its column's name and its text.
                let texts = row.into_iter().map(|cell| cell.into_values().next().unwrap_or_default());
                side.rows.push(texts.collect());
            }
        }
        match total {
            Some(total) if total != side.rows.len() => {
                Err(Refusal::of_statement(format!("gave {} of {total} rows", side.rows.len())))
            }
            _ => Ok(side),
        }
    }

    async fn cancel(&self, id: &str) {
        let request = self.client.cancel_query().query_id(id);
        // What has ended meanwhile cannot be cancelled, and need not.
        let _ = request.set_event_data_store_owner_account_id(self.owner()).send().await;
    }

    fn refusal<E>(&self, action: &str, error: SdkError<E>) -> Refusal
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let place = &self.place;
        match (error.code(), &error) {
            (Some(code), _) => {
                let said = format!("{code}: {}", error.message().unwrap_or_default());
                if OF_STATEMENT.contains(&code) {
                    return Refusal::of_statement(said);
                }
                let look = match code.contains("AccessDenied") {
                    true => "; it takes cloudtrail:StartQuery, DescribeQuery, GetQueryResults and CancelQuery",
                    false => "",
                };
                Refusal::Everything(anyhow!("CloudTrail Lake ({place}) refuses {action}: {said}{look}"))
            }
            (None, SdkError::ResponseError(_)) => {
                Refusal::of_statement(format!("cannot read what {action} answered: {:#}", anyhow::Error::new(error)))
            }
            (None, _) => Refusal::Everything(anyhow!(
                "cannot ask CloudTrail Lake ({place}): {:#}; check network and endpoint, and whose credentials are used (--profile, --role-arn)",
                anyhow::Error::new(error)
            )),
        }
    }
}

/// Why an answer of so many rows is not compared.
pub(super) fn too_many(rows: u64) -> String {
    format!("{rows} rows are more than the {ROWS_KEPT} that are compared; narrow the question down")
}

fn statistics(told: Option<QueryStatisticsForDescribeQuery>) -> Statistics {
    let number = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let Some(told) = told else { return Statistics::default() };
    Statistics {
        rows: 0,
        events_scanned: number(told.events_scanned),
        events_matched: number(told.events_matched),
        bytes_scanned: number(told.bytes_scanned),
        elapsed: Duration::from_millis(number(told.execution_time_in_millis.map(i64::from))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_region_account_and_id() {
        let id = "0b86f6d5-804a-47e4-8c2f-2c1198db1c45";
        let arn: Result<Arn, _> =
            format!("arn:aws-us-gov:cloudtrail:us-gov-west-1:111122223333:eventdatastore/{id}").parse();
        let parts = arn.map(|arn| (arn.region, arn.account, arn.id));
        assert_eq!(parts, Ok(("us-gov-west-1".to_owned(), "111122223333".to_owned(), id.to_owned())));
        for wrong in
            [id, "", "arn:aws:cloudtrail:us-east-1:1:trail/x", "arn:aws:cloudtrail:us-east-1:1:eventdatastore/x"]
        {
            assert!(wrong.parse::<Arn>().is_err(), "{wrong}");
        }
    }
}
