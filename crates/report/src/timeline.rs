//! What somebody did, in order: sessions, and what was seen for the first time.

use std::collections::{HashMap, HashSet};

use cloudtarn_query::Session as Lake;
use serde_json::{Value as Json, json};

use crate::answer::{Rows, rows};
use crate::error::Result;
use crate::statement::Scope;
use crate::subject::{OUTCOME, Subject, TOUCHED};
use crate::time::Zone;

/// One call, or several of one kind on end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// UTC milliseconds of the first; `None` for an event without a time.
    pub time: Option<i64>,
    /// Of the last.
    pub last: Option<i64>,
    /// How many.
    pub times: u64,
    /// `iam:CreateUser`.
    pub call: String,
    /// Error code; `None` where it succeeded.
    pub error: Option<String>,
    /// Region.
    pub region: String,
    /// What it touched.
    pub touched: Option<String>,
    /// What is seen for the first time in the store: `call`, `region`, `address`, `agent`, `error`.
    pub first_seen: Vec<&'static str>,
    /// eventID of the first.
    pub event_id: String,
}

/// Steps of one identity, key, address and client, without a long break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub principal: String,
    /// With which key.
    pub key: Option<String>,
    /// From where.
    pub address: String,
    /// With what.
    pub agent: String,
    /// Account that it happened in.
    pub account: String,
    /// What, in order.
    pub steps: Vec<Step>,
}

/// A timeline.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// In the order of their first step.
    pub sessions: Vec<Session>,
    /// Events that the sessions hold.
    pub events: u64,
    /// Events that were left out because of the limit.
    pub left_out: u64,
}

/// What to follow.
#[derive(Debug, Clone)]
pub struct Follow {
    /// Whom or what.
    pub subject: Subject,
    /// The part of the store; what came before it is not new in it.
    pub scope: Scope,
    /// A break of this many milliseconds ends a session.
    pub pause: i64,
    /// Events to show at most.
    pub limit: u64,
    /// Leave out calls that only read.
    pub writes_only: bool,
}

const CALL: &str = "concat(replace(eventSource, '.amazonaws.com', ''), ':', eventName)";

/// Follows a subject.
///
/// # Errors
/// [`crate::Error::Query`].
pub async fn timeline(lake: &Lake, follow: &Follow) -> Result<Timeline> {
    let writes = if follow.writes_only { " AND coalesce(readOnly, false) = false" } else { "" };
    let condition = format!("{}{writes}", follow.subject.condition());
    let mut seen: HashSet<(&'static str, String)> = HashSet::new();
    // What is new is told by everything before, too.
    if let Some(since) = follow.scope.since {
        let before = Scope { since: None, until: Some(since), ..follow.scope.clone() }.table();
        for (kind, column) in [
            ("call", CALL),
            ("region", "awsRegion"),
            ("address", "sourceIPAddress"),
            ("agent", "userAgent"),
            ("error", OUTCOME),
        ] {
            let sql = format!("SELECT DISTINCT {column} AS value FROM {before} WHERE {condition} ORDER BY 1");
            let known = rows(lake, "timeline", &sql, Zone::UTC).await?;
            seen.extend((0..known.rows.len()).filter_map(|row| Some((kind, known.text(row, "value")?))));
        }
    }
    let table = follow.scope.table();
    let sql = format!(
        "SELECT eventTime, eventID, {CALL} AS call, {OUTCOME} AS error, awsRegion AS region,\n       \
         coalesce(userIdentity.arn, userIdentity.principalId, userIdentity.invokedBy) AS principal, userIdentity.accessKeyId AS key,\n       \
         sourceIPAddress AS address, userAgent AS agent, recipientAccountId AS account,\n       {TOUCHED} AS touched\n\
         FROM {table}\nWHERE {condition}\nORDER BY eventTime, eventID\nLIMIT {}",
        follow.limit
    );
    let found = rows(lake, "timeline", &sql, Zone::UTC).await?;
    let all =
        rows(lake, "timeline", &format!("SELECT count(*) AS events FROM {table} WHERE {condition}"), Zone::UTC).await?;
    Ok(sessions(&found, follow.pause, all.number(0, "events"), seen))
}

fn sessions(found: &Rows, pause: i64, events: u64, mut seen: HashSet<(&'static str, String)>) -> Timeline {
    let mut open: HashMap<(String, Option<String>, String, String, String), usize> = HashMap::new();
    let shown = found.rows.len() as u64;
    let mut all = Timeline { events: shown, left_out: events.saturating_sub(shown), ..Timeline::default() };
    for row in 0..found.rows.len() {
        let text = |name: &str| found.text(row, name);
        let some = |name: &str| text(name).unwrap_or_default();
        let time = found.times[row];
        let (call, error, region) = (some("call"), text("error"), some("region"));
        let (address, agent) = (some("address"), some("agent"));
        let mut first_seen = Vec::new();
        for (kind, value) in [
            ("call", Some(&call)),
            ("region", Some(&region)),
            ("address", Some(&address)),
            ("agent", Some(&agent)),
            ("error", error.as_ref()),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty())
                && seen.insert((kind, value.clone()))
            {
                first_seen.push(kind);
            }
        }
        let step = Step {
            time,
            last: time,
            times: 1,
            call,
            error,
            region,
            touched: text("touched"),
            first_seen,
            event_id: some("eventID"),
        };
        let who = (some("principal"), text("key"), address, agent, some("account"));
        let current = open.get(&who).copied().filter(|at| {
            let last = all.sessions[*at].steps.last().and_then(|step| step.last);
            time.zip(last).is_none_or(|(time, last)| time - last <= pause)
        });
        match current {
            Some(at) => add(&mut all.sessions[at].steps, step),
            None => {
                open.insert(who.clone(), all.sessions.len());
                let (principal, key, address, agent, account) = who;
                all.sessions.push(Session { principal, key, address, agent, account, steps: vec![step] });
            }
        }
    }
    all
}

/// Adds a step, or counts it with the one before that it repeats.
fn add(steps: &mut Vec<Step>, step: Step) {
    if let Some(last) = steps.last_mut()
        && step.first_seen.is_empty()
        && (&last.call, &last.error, &last.region, &last.touched)
            == (&step.call, &step.error, &step.region, &step.touched)
    {
        last.times += 1;
        last.last = step.time;
        return;
    }
    steps.push(step);
}

impl Timeline {
    /// One JSON object a step, its session's number and facts in it.
    pub fn documents(&self, zone: Zone) -> Vec<Json> {
        let mut out = Vec::new();
        for (index, session) in self.sessions.iter().enumerate() {
            for step in &session.steps {
                out.push(json!({
                    "session": index + 1, "time": step.time.map(|t| zone.show(t)), "last": step.last.map(|t| zone.show(t)),
                    "times": step.times, "call": step.call, "error": step.error, "region": step.region,
                    "touched": step.touched, "first_seen": step.first_seen, "principal": session.principal,
                    "access_key": session.key, "address": session.address, "agent": session.agent,
                    "account": session.account, "event_id": step.event_id,
                }));
            }
        }
        out
    }
}
