//! Cells as JSON, and control characters made visible.

use cloudtarn_query::value::Value;
use serde_json::Value as Json;

/// Scalars as Lake's text, structures as JSON structures, JSON as itself.
pub fn natural(v: &Value) -> Json {
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

/// Characters that steer terminals, that cannot be seen, or that turn the direction of what is read.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Log files carry text that attackers chose: characters that [steer](steers) become escapes that can be seen.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
