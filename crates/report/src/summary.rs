//! Who somebody is, by what they did: counts, times, places, tools, what they touched, and calls that are often abused.

use cloudtarn_query::Session;
use serde_json::{Map, Value as Json, json};

use crate::answer::{Rows, rows};
use crate::error::Result;
use crate::json::natural;
use crate::statement::{Scope, quoted};
use crate::subject::{OUTCOME, Subject, TOUCHED};
use crate::time::Zone;

/// A service and its calls a line.
const ABUSED: &str = include_str!("abused.txt");

/// A part of a summary: what it is about, and its rows.
#[derive(Debug, Clone)]
pub struct Part {
    /// `calls`, `regions`, …
    pub name: &'static str,
    /// The rows, the most frequent first.
    pub found: Rows,
}

/// A summary.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Whom it is about.
    pub subject: Subject,
    /// Events, succeeded, failed, first, last and how many there are of each part.
    pub totals: Rows,
    /// The parts, those that have rows.
    pub parts: Vec<Part>,
}

/// Sums a subject up; each part has at most `top` rows.
///
/// # Errors
/// [`crate::Error::Query`].
pub async fn summary(session: &Session, subject: &Subject, scope: &Scope, zone: Zone, top: usize) -> Result<Summary> {
    let from = format!("FROM {}\nWHERE {}", scope.table(), subject.condition());
    let counts = format!(
        "count(*) AS events, count_if({OUTCOME} IS NULL) AS succeeded, count_if({OUTCOME} IS NOT NULL) AS failed, \
         min(eventTime) AS first, max(eventTime) AS last"
    );
    let totals = format!(
        "SELECT {counts}, count(DISTINCT eventName) AS calls, count(DISTINCT sourceIPAddress) AS addresses, \
         count(DISTINCT userIdentity.arn) AS principals, count(DISTINCT userIdentity.accessKeyId) AS keys, \
         count(DISTINCT awsRegion) AS regions, count(DISTINCT recipientAccountId) AS accounts\n{from}"
    );
    let totals = rows(session, "summary", &totals, zone).await?;
    let call = "concat(replace(eventSource, '.amazonaws.com', ''), ':', eventName)";
    let abused = ABUSED.lines().flat_map(|line| {
        let mut words = line.split_whitespace();
        let service = words.next().unwrap_or_default();
        words.map(move |name| quoted(&format!("{service}:{name}")))
    });
    let abused = format!("{call} IN ({})", abused.collect::<Vec<_>>().join(", "));
    let mut parts = Vec::new();
    for (name, column, expression, condition) in [
        ("often abused calls", "call", call, Some(abused.as_str())),
        ("calls", "call", call, None),
        ("errors", "error", OUTCOME, None),
        (
            "principals",
            "principal",
            "coalesce(userIdentity.arn, userIdentity.principalId, userIdentity.invokedBy)",
            None,
        ),
        ("access keys", "access_key", "userIdentity.accessKeyId", None),
        ("addresses", "address", "sourceIPAddress", None),
        ("user agents", "agent", "userAgent", None),
        ("accounts", "account", "recipientAccountId", None),
        ("regions", "region", "awsRegion", None),
        ("resources touched", "resource", TOUCHED, None),
    ] {
        let condition = condition.map(|condition| format!(" AND {condition}")).unwrap_or_default();
        let sql = format!(
            "SELECT {expression} AS {column}, {counts}\n{from}{condition} AND {expression} IS NOT NULL\nGROUP BY 1\nORDER BY events DESC, 1\nLIMIT {top}"
        );
        let found = rows(session, "summary", &sql, zone).await?;
        if !found.rows.is_empty() {
            parts.push(Part { name, found });
        }
    }
    Ok(Summary { subject: subject.clone(), totals, parts })
}

impl Summary {
    /// Events of the subject.
    pub fn events(&self) -> u64 {
        self.totals.number(0, "events")
    }

    /// As one JSON document.
    pub fn document(&self) -> Json {
        let objects = |found: &Rows| -> Vec<Json> {
            let object =
                |row: &Vec<_>| found.columns.iter().cloned().zip(row.iter().map(natural)).collect::<Map<_, _>>();
            found.rows.iter().map(|row| Json::Object(object(row))).collect()
        };
        let parts: Map<String, Json> =
            self.parts.iter().map(|part| (part.name.replace(' ', "_"), Json::Array(objects(&part.found)))).collect();
        json!({
            "subject": self.subject.text(), "kind": self.subject.kind(),
            "totals": objects(&self.totals).into_iter().next(), "parts": parts,
        })
    }
}
