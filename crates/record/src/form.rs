//! The forms in which CloudTrail records come: which JSON values are records, and what is wrapped around them.

use simd_json::Node;

use crate::schema::EventCategory;
use crate::tape::{Cursor, Value};

/// How deep wrappers may lie in each other: `{"Records":[{"detail":{…}}]}` is three.
const MAX_DEPTH: usize = 8;

/// Keys of a record that make it one: three of them are asked for, as redacted and test records lack some.
const RECORD_KEYS: [&str; 8] =
    ["eventVersion", "eventTime", "eventName", "eventSource", "eventID", "userIdentity", "awsRegion", "eventType"];

/// Keys under which other tools keep records, in the order in which they are looked for:
/// delivered files and `lookup-events` (`Records`, `Events`, `CloudTrailEvent`), EventBridge (`detail`), CloudWatch Logs
/// subscriptions (`logEvents`, `message`), log shippers and their tests (`message`, `input`, `_source`, `_raw`).
const ENVELOPE_KEYS: [&str; 12] = [
    "Records",
    "records",
    "CloudTrailEvent",
    "Events",
    "events",
    "detail",
    "logEvents",
    "message",
    "input",
    "_source",
    "_raw",
    "event",
];

/// What an object is.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Record(EventCategory),
    Envelope(&'static str),
    Other(String),
}

/// Receives what a document holds.
pub(crate) trait Visitor {
    /// A record; must step over it.
    fn record(&mut self, category: EventCategory, cursor: &mut Cursor<'_>);
    /// A string that should itself be a document.
    fn embedded(&mut self, text: &str);
    /// A value where a record was expected, and why it is none.
    fn other(&mut self, offset: usize, reason: String);
}

/// Finds the records of a document, in order.
pub(crate) fn visit(cursor: &mut Cursor<'_>, visitor: &mut impl Visitor) {
    visit_value(cursor, visitor, 0);
}

fn visit_value(cursor: &mut Cursor<'_>, visitor: &mut impl Visitor, depth: usize) {
    if depth > MAX_DEPTH {
        visitor.other(cursor.offset(), format!("nested in more than {MAX_DEPTH} wrappers"));
        cursor.skip();
        return;
    }
    match cursor.value() {
        Value::Array { len } => cursor.array(len, |element| visit_value(element, visitor, depth + 1)),
        Value::Object { len } => match shape(cursor) {
            Shape::Record(category) => visitor.record(category, cursor),
            Shape::Envelope(name) => {
                let mut seen = false;
                cursor.object(len, |key, value| {
                    if key == name && !seen {
                        seen = true;
                        visit_value(value, visitor, depth + 1);
                    } else {
                        value.skip();
                    }
                });
            }
            Shape::Other(reason) => {
                visitor.other(cursor.offset(), reason);
                cursor.skip();
            }
        },
        Value::Text(text) if depth > 0 && text.trim_start().starts_with(['{', '[']) => {
            visitor.embedded(text);
            cursor.skip();
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {
            visitor.other(cursor.offset(), "a bare value where a record was expected".to_owned());
            cursor.skip();
        }
    }
}

fn shape(cursor: &Cursor<'_>) -> Shape {
    let mut hits = 0;
    let mut category = EventCategory::CloudTrail;
    let mut envelope: Option<usize> = None;
    let (mut notification, mut digest, mut control, mut config) = (false, false, false, false);
    for (key, value) in cursor.keys() {
        match key {
            "eventCategory" if matches!(value, Node::String("Insight")) => category = EventCategory::Insight,
            "eventCategory" if matches!(value, Node::String("ActivityAuditLog")) => {
                category = EventCategory::ActivityAuditLog;
            }
            "eventCategory" => {}
            "s3" => notification = true,
            "digestS3Object" => digest = true,
            "configurationItems" => config = true,
            "messageType" => control = matches!(value, Node::String("CONTROL_MESSAGE")),
            "@timestamp" => hits += 1,
            _ if RECORD_KEYS.contains(&key) => {
                hits += 1;
                if key == "eventType" && matches!(value, Node::String("AwsCloudTrailInsight")) {
                    category = EventCategory::Insight;
                }
            }
            _ => {
                let holds = match value {
                    Node::Object { .. } | Node::Array { .. } => true,
                    Node::String(text) => text.trim_start().starts_with(['{', '[']),
                    Node::Static(_) => false,
                };
                if let Some(rank) = ENVELOPE_KEYS.iter().position(|name| *name == key).filter(|_| holds) {
                    envelope = Some(envelope.map_or(rank, |best| best.min(rank)));
                }
            }
        }
    }
    if hits >= 3 && !notification {
        return Shape::Record(category);
    }
    if digest {
        return Shape::Other("a digest file".to_owned());
    }
    if config {
        return Shape::Other("AWS Config items".to_owned());
    }
    if control {
        return Shape::Other("a CloudWatch Logs control message".to_owned());
    }
    if notification {
        return Shape::Other("an S3 event notification".to_owned());
    }
    match envelope {
        Some(rank) => Shape::Envelope(ENVELOPE_KEYS[rank]),
        None => {
            let keys: Vec<&str> = cursor.keys().map(|(key, _)| key).take(4).collect();
            let keys = keys.join(", ").chars().filter(|c| !c.is_control()).take(80).collect::<String>();
            Shape::Other(format!("an object with other keys ({keys})"))
        }
    }
}
