//! Cells as JSON.

use cloudtarn_query::value::Value;
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

/// Scalars as Lake's text, structures as JSON structures, JSON as itself.
pub(crate) fn natural(v: &Value) -> Json {
    match v {
        Value::Null => Json::Null,
        Value::Boolean(b) => Json::Bool(*b),
        Value::Number(s) => serde_json::from_str(s).unwrap_or_else(|_| Json::String(s.clone())),
        Value::Text(s) => Json::String(s.clone()),
        Value::Json(s) => serde_json::from_str(s).unwrap_or_else(|_| Json::String(s.clone())),
        Value::Array(items) => Json::Array(items.iter().map(natural).collect()),
        Value::Row(fields) if fields.iter().any(|(n, _)| n.is_empty()) => {
            Json::Array(fields.iter().map(|(_, v)| natural(v)).collect())
        }
        Value::Row(fields) => Json::Object(fields.iter().map(|(n, v)| (n.clone(), natural(v))).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(k, v)| (k.text().unwrap_or_default(), natural(v))).collect())
        }
    }
}
