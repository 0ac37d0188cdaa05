//! The forms in which CloudTrail records come: which JSON values are records, and what is wrapped around them.

use simd_json::Node;

use crate::key::LogStream;
use crate::schema::EventCategory;
use crate::tape::{Cursor, Value};

/// How deep wrappers may lie in each other: `{"Records":[{"detail":{…}}]}` is three.
const MAX_DEPTH: usize = 8;

/// Keys of a record that make it one: three of them are asked for, as redacted and test records lack some.
const RECORD_KEYS: [&str; 8] =
    ["eventVersion", "eventTime", "eventName", "eventSource", "eventID", "userIdentity", "awsRegion", "eventType"];

/// Keys under which other tools keep records, in the order in which they are looked for:
/// rows of Lake (`eventJson`), delivered files and `lookup-events` (`Records`, `Events`, `CloudTrailEvent`), EventBridge
/// (`detail`), CloudWatch Logs (`logEvents`, `message`), log shippers, their tests and recorded answers of AWS (`message`,
/// `input`, `_source`, `_raw`, `data`).
const ENVELOPE_KEYS: [&str; 15] = [
    "eventJson",
    "eventjson",
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
    "data",
];

/// What an object is.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Record(EventCategory),
    Envelope(&'static str),
    /// What CloudWatch Logs sends to its subscribers, and whether its events come from a trail.
    LogEvents {
        of_trail: bool,
    },
    /// An answer of `get-query-results`.
    QueryResults,
    /// A message of CloudWatch Logs that only tells that a subscription works.
    Control,
    Other(String),
}

/// What is in a document and is rightly no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// A control message of CloudWatch Logs.
    Control,
    /// A log event of another log than a trail's.
    OtherLog,
}

/// Receives what a document holds.
pub(crate) trait Visitor {
    /// A record; must step over it.
    fn record(&mut self, category: EventCategory, cursor: &mut Cursor<'_>);
    /// A string that should itself be a document; unless `strict`, it may as well hold something else.
    fn embedded(&mut self, text: &str, strict: bool);
    /// A value where a record was expected, and why it is none.
    fn other(&mut self, offset: usize, reason: String);
    /// A value that nobody would expect to be a record.
    fn passed(&mut self, what: Passed);
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
            Shape::Envelope(name) => at_key(cursor, len, name, |value| visit_value(value, visitor, depth + 1)),
            Shape::LogEvents { of_trail } => at_key(cursor, len, "logEvents", |events| {
                each(events, |event| visit_log_event(event, visitor, of_trail));
            }),
            Shape::QueryResults => at_key(cursor, len, "QueryResultRows", |rows| {
                each(rows, |row| visit_row(row, visitor));
            }),
            Shape::Control => {
                visitor.passed(Passed::Control);
                cursor.skip();
            }
            Shape::Other(reason) => {
                visitor.other(cursor.offset(), reason);
                cursor.skip();
            }
        },
        Value::Text(text) if depth > 0 && is_document(text) => {
            visitor.embedded(text, true);
            cursor.skip();
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {
            visitor.other(cursor.offset(), "a bare value where a record was expected".to_owned());
            cursor.skip();
        }
    }
}

/// Steps over the object under the cursor, and shows the value of the first key of that name on the way; `visit` must
/// step over it.
fn at_key<'a>(cursor: &mut Cursor<'a>, len: usize, name: &str, mut visit: impl FnMut(&mut Cursor<'a>)) {
    let mut seen = false;
    cursor.object(len, |key, value| {
        if key == name && !seen {
            seen = true;
            visit(value);
        } else {
            value.skip();
        }
    });
}

/// Steps over the value under the cursor, and shows the elements if it is an array; `visit` must step over them.
fn each<'a>(cursor: &mut Cursor<'a>, visit: impl FnMut(&mut Cursor<'a>)) {
    match cursor.value() {
        Value::Array { len } => cursor.array(len, visit),
        _ => {
            cursor.skip();
        }
    }
}

/// `{"id":…,"timestamp":…,"message":"…"}`.
fn visit_log_event(cursor: &mut Cursor<'_>, visitor: &mut impl Visitor, of_trail: bool) {
    let message = cursor.keys().find(|(key, _)| *key == "message").map(|(_, message)| message);
    match message {
        Some(Node::String(text)) if is_document(text) => visitor.embedded(text, of_trail),
        _ if of_trail => visitor.other(cursor.offset(), "a log event of a trail that is no document".to_owned()),
        _ => visitor.passed(Passed::OtherLog),
    }
    cursor.skip();
}

/// `[{"eventName":"…"},{"eventJson":"…"}]`: a row of a query's result.
fn visit_row(cursor: &mut Cursor<'_>, visitor: &mut impl Visitor) {
    let mut found = false;
    let offset = cursor.offset();
    each(cursor, |cell| {
        for (key, value) in cell.keys() {
            if let Node::String(text) = value
                && key.eq_ignore_ascii_case("eventJson")
                && is_document(text)
                && !found
            {
                visitor.embedded(text, true);
                found = true;
            }
        }
        cell.skip();
    });
    if !found {
        visitor.other(offset, NO_EVENT_JSON.to_owned());
    }
}

/// Why rows of a query cannot be taken.
pub(crate) const NO_EVENT_JSON: &str = "results of a query without the column eventJson, from whose other columns no \
                                        record can be made again; run it with eventJson among what it selects";

/// Whether a string may be JSON that is worth a look.
fn is_document(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn shape(cursor: &Cursor<'_>) -> Shape {
    let mut hits = 0;
    let mut category = EventCategory::CloudTrail;
    let (mut notification, mut row) = (false, false);
    for (key, value) in cursor.keys() {
        match key {
            // [`RECORD_KEYS`], spelt out, as every key of every record comes by here.
            "eventVersion" | "eventTime" | "eventName" | "eventSource" | "eventID" | "userIdentity" | "awsRegion"
            | "@timestamp" => hits += 1,
            "eventType" => {
                hits += 1;
                if matches!(value, Node::String("AwsCloudTrailInsight")) {
                    category = EventCategory::Insight;
                }
            }
            "eventCategory" => match value {
                Node::String("Insight") => category = EventCategory::Insight,
                Node::String("ActivityAuditLog") => category = EventCategory::ActivityAuditLog,
                _ => {}
            },
            "s3" => notification = true,
            "eventJson" | "eventjson" => row |= matches!(value, Node::String(text) if is_document(text)),
            _ => {}
        }
    }
    if hits >= 3 && !notification && !row {
        return Shape::Record(category);
    }
    wrapper(cursor)
}

/// What an object is that is no record.
fn wrapper(cursor: &Cursor<'_>) -> Shape {
    let mut lower_case = 0;
    let mut envelope: Option<usize> = None;
    let (mut data, mut log_events, mut of_trail) = (false, false, false);
    for (key, value) in cursor.keys() {
        let text = match value {
            Node::String(text) => *text,
            _ => "",
        };
        match key {
            "digestS3Object" => return Shape::Other("a digest file".to_owned()),
            "configurationItems" => return Shape::Other("AWS Config items".to_owned()),
            "s3" => return Shape::Other("an S3 event notification".to_owned()),
            "hashSignature" => return Shape::Other("the signature of a query's results".to_owned()),
            "QueryResultRows" => return Shape::QueryResults,
            "messageType" if text == "CONTROL_MESSAGE" => return Shape::Control,
            "messageType" => data = text == "DATA_MESSAGE",
            "logStream" => of_trail |= LogStream::parse(text).is_some(),
            "logGroup" => of_trail |= text.trim_start_matches('/').starts_with("aws/cloudtrail/"),
            _ => {}
        }
        log_events |= key == "logEvents";
        let lower = || !key.bytes().any(|byte| byte.is_ascii_uppercase());
        lower_case += usize::from(RECORD_KEYS.iter().any(|name| name.eq_ignore_ascii_case(key)) && lower());
        let holds = matches!(value, Node::Object { .. } | Node::Array { .. }) || is_document(text);
        if let Some(rank) = ENVELOPE_KEYS.iter().position(|name| *name == key).filter(|_| holds) {
            envelope = Some(envelope.map_or(rank, |best| best.min(rank)));
        }
    }
    if data && log_events {
        return Shape::LogEvents { of_trail };
    }
    match envelope {
        Some(rank) => Shape::Envelope(ENVELOPE_KEYS[rank]),
        // Rows of Lake's tables as other engines export them: names of columns are in lower case there.
        None if lower_case >= 3 => Shape::Record(EventCategory::CloudTrail),
        None => {
            let keys: Vec<&str> = cursor.keys().map(|(key, _)| key).take(4).collect();
            let keys = keys.join(", ").chars().filter(|c| !c.is_control()).take(80).collect::<String>();
            Shape::Other(format!("an object with other keys ({keys})"))
        }
    }
}

/// What a file is that is no text, by how it begins, and what to do with it.
pub(crate) fn of_other_formats(bytes: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
        Some("a zip archive; name it .zip")
    } else if bytes.get(257..262) == Some(b"ustar") {
        Some("a tar archive; name it .tar, .tar.gz or .tar.zst, as it is compressed")
    } else if begins(b"PAR1") {
        Some("a Parquet file; only records as JSON are taken in")
    } else if begins(b"Obj\x01") || begins(b"ORC") {
        Some("an Avro or ORC file; only records as JSON are taken in")
    } else if begins(b"\xfd7zXZ\0") || begins(b"BZh") || begins(b"7z\xbc\xaf\x27\x1c") || begins(b"Rar!") {
        Some("compressed with xz, bzip2, 7-Zip or RAR; unpack it first, or compress it with gzip or zstd")
    } else {
        None
    }
}
