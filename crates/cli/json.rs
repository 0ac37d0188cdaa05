//! Cells as JSON.

use cloudtarn_query::value::Value;
pub(crate) use cloudtarn_report::json::natural;
use serde_json::Value as Json;

/// Lake's forms with real nesting: every scalar a string, arrays and rows lists, maps objects.
pub(crate) fn strings(v: &Value) -> Json {
    match v {
        Value::Null => Json::Null,
        Value::Boolean(b) => Json::String(b.to_string()),
        Value::Number(s) | Value::Text(s) | Value::Json(s) => Json::String(s.clone()),
        Value::Array(items) => Json::Array(items.iter().map(strings).collect()),
        Value::Row(fields) => Json::Array(fields.iter().map(|(_, v)| strings(v)).collect()),
        Value::Map(entries) => Json::Object(entries.iter().map(|(k, v)| (key(k), strings(v))).collect()),
    }
}

/// A key: text, or the JSON of an array or a row.
fn key(k: &Value) -> String {
    match k {
        Value::Array(_) | Value::Row(_) | Value::Map(_) => natural(k).to_string(),
        other => other.text().unwrap_or_default(),
    }
}
