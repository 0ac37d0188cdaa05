//! LookupEvents: the event-history API, over events of any age; and SearchSampleQueries.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMillisecondType;
use arrow::record_batch::RecordBatch;
use cloudtarn_query::value::Value as Cell;
use cloudtarn_query::{Guard, Rows};
use cloudtarn_record::EventCategory;
use cloudtarn_store::{EventDataStore, Store};
use futures::StreamExt;
use serde_json::{Map, Value, json};

use crate::access::Target;
use crate::audit;
use crate::call::{Call, Reply, seconds};
use crate::fault::{Answer, Fault};
use crate::service::Service;

/// Events of a page, as in AWS.
const PAGE: usize = 50;
const SAMPLES: usize = 50;
/// The name that AWS shows: the user, the session of a role, `root`, the service.
const USERNAME: &str = "coalesce(userIdentity.userName,
    CASE WHEN userIdentity.type = 'Root' THEN 'root' END,
    CASE WHEN strpos(userIdentity.principalId, ':') > 0 THEN element_at(split(userIdentity.principalId, ':'), -1) END,
    userIdentity.invokedBy)";

/// Opens the one store that is looked into, whatever it is called.
struct Only(EventDataStore, Rows);

impl Guard for Only {
    fn open(&self, _: &Store, _: &str) -> cloudtarn_query::Result<(EventDataStore, Rows)> {
        Ok((self.0.clone(), self.1.clone()))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The condition of one lookup attribute.
fn condition(key: &str, value: &str) -> Answer<String> {
    let value = quoted(value);
    Ok(match key {
        "EventId" => format!("eventID = {value}"),
        "EventName" => format!("eventName = {value}"),
        "EventSource" => format!("eventSource = {value}"),
        "AccessKeyId" => format!("userIdentity.accessKeyId = {value}"),
        "Username" => format!("{USERNAME} = {value}"),
        "ReadOnly" => format!("readOnly = ({value} = 'true')"),
        "ResourceType" => format!("any_match(resources, r -> r.type = {value})"),
        "ResourceName" => {
            format!(
                "any_match(resources, r -> r.arn = {value} OR element_at(split(r.arn, '/'), -1) = {value} OR element_at(split(r.arn, ':'), -1) = {value})"
            )
        }
        _ => {
            let message = format!("'{key}' is no attribute to look up by.");
            return Err(Fault::new("InvalidLookupAttributesException", message));
        }
    })
}

fn time(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .map_or_else(String::new, |time| time.format("TIMESTAMP '%Y-%m-%d %H:%M:%S%.3f'").to_string())
}

impl Service {
    pub(crate) async fn lookup_events(self: &Arc<Self>, call: &Call) -> Answer<Reply> {
        let insight = call.text("EventCategory") == "insight";
        let (category, what) =
            if insight { (EventCategory::Insight, "Insights") } else { (EventCategory::CloudTrail, "CloudTrail") };
        let (target, rows) = self.history(call, category)?;
        let attributes = call.input.get("LookupAttributes").and_then(Value::as_array).cloned().unwrap_or_default();
        if attributes.len() > 1 {
            return Err(Fault::new("InvalidLookupAttributesException", "One attribute can be looked up at a time."));
        }
        let mut conditions = Vec::new();
        for attribute in &attributes {
            let of = |name: &str| attribute.get(name).and_then(Value::as_str).unwrap_or_default();
            let key = match (insight, of("AttributeKey")) {
                (true, "EventName") => format!("insightEventName = {}", quoted(of("AttributeValue"))),
                (true, "EventSource") => format!("insightEventSource = {}", quoted(of("AttributeValue"))),
                (true, "EventId") => condition("EventId", of("AttributeValue"))?,
                (true, key) => {
                    let message = format!("{what} events have no '{key}'.");
                    return Err(Fault::new("InvalidLookupAttributesException", message));
                }
                (false, key) => condition(key, of("AttributeValue"))?,
            };
            conditions.push(key);
        }
        let (from, to) = (call.time_of("StartTime"), call.time_of("EndTime"));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(Fault::new("InvalidTimeRangeException", "StartTime is after EndTime."));
        }
        conditions.extend(from.map(|from| format!("eventTime >= {}", time(from))));
        conditions.extend(to.map(|to| format!("eventTime <= {}", time(to))));
        if !insight && attributes.is_empty() {
            conditions.push("coalesce(eventCategory, 'Management') <> 'Data'".to_owned());
        }
        let size = call.number("MaxResults").unwrap_or(PAGE).clamp(1, PAGE);
        let start = match self.tokens.place(&call.operation, &call.caller.arn, &call.input)? {
            None => (None, 0),
            Some(place) => {
                let parts =
                    place.split_once('/').and_then(|(last, skip)| Some((last.parse().ok()?, skip.parse().ok()?)));
                let (last, skip): (i64, usize) = parts.ok_or_else(Fault::token)?;
                (Some(last), skip)
            }
        };
        // A page goes on at the time of the last event, behind those of that time that were shown.
        conditions.extend(start.0.map(|last| format!("eventTime <= {}", time(last))));
        let filter = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        let columns = if insight {
            "eventID, insightEventName, insightEventSource, eventTime, eventJson".to_owned()
        } else {
            format!(
                "eventID, eventName, eventSource, eventTime, eventJson, readOnly, userIdentity.accessKeyId, {USERNAME}, resources"
            )
        };
        let limit = start.1 + size + 1;
        let sql = format!("SELECT {columns} FROM store {filter} ORDER BY eventTime DESC, eventID LIMIT {limit}");
        let batches = self.look(target, rows, sql).await?;
        let events: Vec<(i64, Value)> =
            batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| event(batch, row, insight))).collect();
        let more = events.len() == limit;
        let page: Vec<&(i64, Value)> = events.iter().skip(start.1).take(size).collect();
        let mut answer = json!({"Events": page.iter().map(|(_, event)| event).collect::<Vec<_>>()});
        if let (true, Some((last, _))) = (more, page.last()) {
            let shown = events.iter().take(start.1 + size).filter(|(time, _)| time == last).count();
            answer["NextToken"] = json!(self.token(call, &format!("{last}/{shown}")));
        }
        Ok(answer.into())
    }

    /// The store that is looked into: the caller's own, else one that a policy shares for it.
    fn history(&self, call: &Call, category: EventCategory) -> Answer<(Target, Rows)> {
        let standard = self.store.standard(category).ok().map(|store| store.id);
        let mut visible = self.visible(call, "LookupEvents")?;
        visible.retain(|(target, _)| {
            target.store.category == category && target.store.name != audit::NAME && self.require_active(target).is_ok()
        });
        visible.sort_by_key(|(target, _)| {
            (target.account != call.caller.account, Some(&target.store.id) != standard.as_ref())
        });
        let action = "cloudtrail:LookupEvents";
        visible.into_iter().next().ok_or_else(|| {
            if matches!(self.rows(call, action, "*", &call.caller.account), Ok(Rows::All)) {
                Fault::new(
                    "OperationNotPermittedException",
                    "There are no events to look up; `cloudtarn ingest` takes some in.",
                )
            } else {
                Fault::denied(&call.caller.arn, action, "*", "no policy allows it, or one denies it")
            }
        })
    }

    async fn look(self: &Arc<Self>, target: Target, rows: Rows, sql: String) -> Answer<Vec<RecordBatch>> {
        let service = Arc::clone(self);
        let looked = self.computing().spawn(async move {
            let guard = Only(target.store, rows);
            let mut query = Box::pin(service.session.prepare(&sql, &[], &guard)).await?.run()?;
            let mut batches = Vec::new();
            while let Some(batch) = query.next().await {
                batches.push(batch?);
            }
            Ok::<_, cloudtarn_query::Error>(batches)
        });
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "looking up events");
            Fault::internal()
        };
        looked.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// The samples in whose words all words of the phrase are, the best first.
    pub(crate) fn search_sample_queries(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let phrase = call.text("SearchPhrase").to_lowercase();
        let words: Vec<&str> = phrase.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let mut found: BTreeMap<(i64, &str), Value> = BTreeMap::new();
        for sample in &self.samples {
            let (title, text, sql) =
                (sample.name.to_lowercase(), sample.description.to_lowercase(), sample.sql.to_lowercase());
            let weight = |word: &&str| {
                if title.contains(*word) {
                    1.0
                } else if text.contains(*word) || sample.alias.contains(*word) {
                    0.7
                } else if sql.contains(*word) {
                    0.4
                } else {
                    0.0
                }
            };
            let relevance = words.iter().map(weight).sum::<f64>() / words.len().max(1) as f64;
            if relevance > 0.0 {
                let told = json!({
                    "Name": sample.name, "Description": sample.description, "SQL": sample.sql, "Relevance": relevance,
                });
                found.insert(((-relevance * 1e6) as i64, &sample.alias), told);
            }
        }
        let (page, token) = self.page(call, found.into_values().collect(), SAMPLES)?;
        let mut answer = json!({"SearchResults": page});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer.into())
    }
}

fn event(batch: &RecordBatch, row: usize, insight: bool) -> (i64, Value) {
    let text = |column: usize| Cell::of(batch.column(column), row).text();
    let times = batch.column(3).as_primitive_opt::<TimestampMillisecondType>();
    let time = times.filter(|times| times.is_valid(row)).map_or(0, |times| times.value(row));
    let mut event = Map::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            event.insert(name.to_owned(), Value::String(value));
        }
    };
    set("EventId", text(0));
    set("EventName", text(1));
    set("EventSource", text(2));
    set("CloudTrailEvent", text(4));
    if !insight {
        set("ReadOnly", text(5));
        set("AccessKeyId", text(6));
        set("Username", text(7));
        let resources = match Cell::of(batch.column(8), row) {
            Cell::Array(items) => items.iter().filter_map(resource).collect(),
            _ => Vec::new(),
        };
        event.insert("Resources".to_owned(), Value::Array(resources));
    }
    event.insert("EventTime".to_owned(), seconds(time));
    (time, Value::Object(event))
}

fn resource(cell: &Cell) -> Option<Value> {
    let Cell::Row(fields) = cell else { return None };
    let of = |name: &str| fields.iter().find(|(field, _)| field == name).and_then(|(_, value)| value.text());
    let mut told = Map::new();
    told.extend(of("type").map(|kind| ("ResourceType".to_owned(), Value::String(kind))));
    told.extend(of("arn").map(|arn| ("ResourceName".to_owned(), Value::String(arn))));
    Some(Value::Object(told))
}
