//! Everything that a report shows, gathered from one snapshot; two reports of one store are the same to the byte.

use std::collections::BTreeMap;

use cloudtarn_query::Session;
use cloudtarn_store::{DataFile, Store};
use futures::{StreamExt, TryStreamExt};

use crate::answer::{Answer, Rows, rows};
use crate::attack::Tactic;
use crate::error::{Error, Result};
use crate::question::{Question, Severity, Values};
use crate::statement::Scope;
use crate::time::Zone;

/// Questions that are planned and run at a time.
const AT_ONCE: usize = 4;
/// How often a report is begun while the store changes under it.
const ATTEMPTS: usize = 3;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The event data store that was asked, so that somebody else can tell whether theirs is the same.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub id: String,
    /// The snapshot; it grows with every commit.
    pub snapshot: i64,
    /// Events in it.
    pub events: u64,
    /// First and last event time, UTC milliseconds.
    pub times: (Option<i64>, Option<i64>),
    /// Bytes of the events' JSON as delivered, uncompressed.
    pub json_bytes: u64,
    /// Bytes of the data files.
    pub bytes: u64,
    /// Log files by fate.
    pub log_files: BTreeMap<String, u64>,
    /// SHA-256 over the log files' SHA-256, in hex.
    pub fingerprint: String,
}

/// What to gather.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Headline.
    pub title: String,
    /// What is asked.
    pub questions: Vec<&'a Question>,
    /// Values of parameters.
    pub values: Values,
    /// The part of the store.
    pub scope: Scope,
    /// Zone of the times shown.
    pub zone: Zone,
    /// Rows of one answer that HTML and Markdown show.
    pub shown: usize,
}

/// Events per stretch of time.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Length of a stretch in milliseconds.
    pub step: i64,
    /// Start of each stretch, UTC milliseconds, without gaps; calls that succeeded; calls that failed.
    pub buckets: Vec<(i64, u64, u64)>,
}

/// A report before it has a form.
#[derive(Debug, Clone)]
pub struct Report {
    /// Headline.
    pub title: String,
    /// What was asked.
    pub asked: Asked,
    /// The part of the store.
    pub scope: Scope,
    /// Zone of the times shown.
    pub zone: Zone,
    /// Rows of one answer that HTML and Markdown show.
    pub shown: usize,
    /// Sums over the part: events, errors, principals, accounts, regions, first, last.
    pub totals: Rows,
    /// Events over time.
    pub activity: Activity,
    /// Events by account and region.
    pub places: Rows,
    /// Events, regions and hours with events by account and day.
    pub days: Rows,
    /// How many hours of which accounts and regions are in which state, as the digests prove it.
    pub coverage: Rows,
    /// The statements behind `totals`, `activity`, `places`, `days` and `coverage`.
    pub statements: Vec<(&'static str, String)>,
    /// Every question, the gravest first.
    pub answers: Vec<Answer>,
}

/// Gathers a report, anew if events came in meanwhile. The session must be one over `store`.
///
/// # Errors
/// The store's; [`Error::Query`] for a question that fails; [`Error::Busy`] where events keep coming in.
pub async fn gather(session: &Session, store: &Store, request: &Request<'_>) -> Result<Report> {
    for _ in 0..ATTEMPTS {
        let report = once(session, store, request).await?;
        if asked(store, &request.scope)?.snapshot == report.asked.snapshot {
            return Ok(report);
        }
    }
    Err(Error::Busy)
}

async fn once(session: &Session, store: &Store, request: &Request<'_>) -> Result<Report> {
    let asked = asked(store, &request.scope)?;
    let (scope, zone) = (&request.scope, request.zone);
    let table = scope.table();
    let totals_sql = format!(
        "SELECT count(*) AS events, count_if(errorCode IS NOT NULL) AS errors, count(DISTINCT userIdentity.arn) AS principals,\n       \
         count(DISTINCT recipientAccountId) AS accounts, count(DISTINCT awsRegion) AS regions,\n       \
         min(eventTime) AS first, max(eventTime) AS last\nFROM {table}"
    );
    let places_sql = format!(
        "SELECT recipientAccountId AS account, awsRegion AS region, count(*) AS events, count_if(errorCode IS NOT NULL) AS errors\n\
         FROM {table}\nGROUP BY recipientAccountId, awsRegion\nORDER BY account, region"
    );
    let days_sql = format!(
        "SELECT recipientAccountId AS account, date_trunc('day', eventTime) AS day, count(*) AS events,\n       \
         count(DISTINCT awsRegion) AS regions, count(DISTINCT date_trunc('hour', eventTime)) AS hours\n\
         FROM {table}\nGROUP BY 1, 2\nORDER BY account, day"
    );
    let hours = match scope.conditions_on_hours() {
        all if all.is_empty() => String::new(),
        all => format!("\nWHERE {}", all.join(" AND ")),
    };
    let coverage_sql = format!(
        "SELECT account, region, state, count(*) AS hours, min(hour) AS first, max(hour) AS last\n\
         FROM cloudtarn.hours{hours}\nGROUP BY account, region, state\nORDER BY account, region, state"
    );
    let totals = rows(session, "totals", &totals_sql, zone).await?;
    let span = match totals.times.first() {
        Some(Some(first)) => {
            let last = last_time(session, &table).await?.unwrap_or(*first);
            Some((*first, last))
        }
        _ => None,
    };
    let step = span.map_or(DAY, |(first, last)| match last - first {
        short if short <= 8 * DAY => HOUR,
        long if long <= 150 * DAY => DAY,
        _ => 7 * DAY,
    });
    let unit = match step {
        HOUR => "hour",
        DAY => "day",
        _ => "week",
    };
    let activity_sql = format!(
        "SELECT date_trunc('{unit}', eventTime) AS start, count_if(errorCode IS NULL) AS succeeded,\n       \
         count_if(errorCode IS NOT NULL) AS failed\nFROM {table}\nWHERE eventTime IS NOT NULL\nGROUP BY 1\nORDER BY start"
    );
    let counted = rows(session, "activity", &activity_sql, Zone::UTC).await?;
    let mut answers: Vec<Answer> = futures::stream::iter(&request.questions)
        .map(|question| Answer::to(session, question, &request.values, scope, zone))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    answers.sort_by(|a, b| (b.question.severity, &a.question.name).cmp(&(a.question.severity, &b.question.name)));
    Ok(Report {
        title: request.title.clone(),
        asked,
        scope: scope.clone(),
        zone,
        shown: request.shown,
        places: rows(session, "places", &places_sql, zone).await?,
        days: rows(session, "days", &days_sql, zone).await?,
        coverage: rows(session, "coverage", &coverage_sql, zone).await?,
        totals,
        activity: activity(&counted, step),
        statements: vec![
            ("Totals", totals_sql),
            ("Activity over time", activity_sql),
            ("Accounts and Regions", places_sql),
            ("Events by account and day", days_sql),
            ("Coverage", coverage_sql),
        ],
        answers,
    })
}

/// The facts of the event data store that a scope names.
fn asked(store: &Store, scope: &Scope) -> Result<Asked> {
    let found = match &scope.event_data_store {
        Some(name) => store.event_data_store(name)?,
        None => store.standard(cloudtarn_record::EventCategory::CloudTrail)?,
    };
    let snapshot = store.snapshot(&found)?;
    let provenance = store.provenance(&found)?;
    let sum = |of: fn(&DataFile) -> u64| snapshot.files.iter().map(|file| of(file)).sum::<u64>();
    let times = || snapshot.files.iter().map(|file| file.times());
    Ok(Asked {
        name: found.name,
        id: found.id,
        snapshot: snapshot.id,
        events: sum(|f| f.rows),
        times: (times().filter_map(|t| t.0).min(), times().filter_map(|t| t.1).max()),
        json_bytes: sum(|f| f.json_bytes),
        bytes: sum(|f| f.bytes),
        log_files: provenance.fates,
        fingerprint: hex::encode(provenance.fingerprint),
    })
}

async fn last_time(session: &Session, table: &str) -> Result<Option<i64>> {
    let last = rows(session, "totals", &format!("SELECT max(eventTime) FROM {table}"), Zone::UTC).await?;
    Ok(last.times.first().copied().flatten())
}

/// The counts with the stretches in between that have none.
fn activity(counted: &Rows, step: i64) -> Activity {
    let mut buckets: Vec<(i64, u64, u64)> = Vec::new();
    for (row, start) in counted.times.iter().enumerate() {
        let Some(start) = *start else { continue };
        while let Some((last, ..)) = buckets.last()
            && start - last > step
        {
            buckets.push((last + step, 0, 0));
        }
        buckets.push((start, counted.number(row, "succeeded"), counted.number(row, "failed")));
    }
    Activity { step, buckets }
}

impl Report {
    /// Answers with rows of something to look at, the gravest first.
    pub fn findings(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|answer| answer.is_finding())
    }

    /// The gravest severity that was found.
    pub fn gravest(&self) -> Option<Severity> {
        self.findings().map(|answer| answer.question.severity).max()
    }

    /// How many questions found something, and how many rows, at each severity, the gravest first.
    pub fn by_severity(&self) -> Vec<(Severity, usize, u64)> {
        let severities = Severity::ALL.into_iter().rev().filter(|severity| *severity > Severity::Informational);
        severities
            .map(|severity| {
                let found: Vec<&Answer> = self.findings().filter(|a| a.question.severity == severity).collect();
                (severity, found.len(), found.iter().map(|answer| answer.found.total).sum())
            })
            .collect()
    }

    /// How many questions of each tactic were asked and found something, in the order of the matrix.
    pub fn by_tactic(&self) -> Vec<(Tactic, usize, usize)> {
        let serves = |answer: &&Answer, tactic: Tactic| answer.question.techniques.iter().any(|t| t.tactic == tactic);
        Tactic::all()
            .map(|tactic| {
                let asked = self.answers.iter().filter(|answer| serves(answer, tactic)).count();
                (tactic, asked, self.findings().filter(|answer| serves(answer, tactic)).count())
            })
            .filter(|(_, asked, _)| *asked > 0)
            .collect()
    }

    /// How many rows of findings of each severity fall into each stretch of the activity; those without a time nowhere.
    pub fn findings_over_time(&self) -> Vec<[u64; 5]> {
        let mut counts = vec![[0; 5]; self.activity.buckets.len()];
        for answer in self.findings() {
            for time in answer.found.times.iter().flatten() {
                let at = self.activity.buckets.partition_point(|(start, ..)| start <= time);
                if let Some(count) = at.checked_sub(1).and_then(|at| counts.get_mut(at)) {
                    count[answer.question.severity as usize] += 1;
                }
            }
        }
        counts
    }
}
