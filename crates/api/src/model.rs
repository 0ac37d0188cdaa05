//! The service model: which operations there are, what they take, what they may answer.
//!
//! `model.json` holds the shapes of botocore's service models (Apache-2.0) without their texts; a test compares the two.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fault::Fault;

/// Operations and shapes of one service.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    operations: HashMap<String, Operation>,
    shapes: HashMap<String, Shape>,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    input: String,
    errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    members: HashMap<String, String>,
    #[serde(default)]
    required: Vec<String>,
    member: Option<String>,
    key: Option<String>,
    value: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(rename = "enum", default)]
    allowed: Vec<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Deserialize)]
struct Models {
    cloudtrail: Model,
    #[serde(rename = "cloudtrail-data")]
    data: Model,
}

static MODELS: LazyLock<Option<Models>> = LazyLock::new(|| serde_json::from_str(include_str!("model.json")).ok());

/// The model of `cloudtrail`.
pub(crate) fn cloudtrail() -> Option<&'static Model> {
    MODELS.as_ref().map(|models| &models.cloudtrail)
}

/// The model of `cloudtrail-data`.
pub(crate) fn data() -> Option<&'static Model> {
    MODELS.as_ref().map(|models| &models.data)
}

/// Which exception tells that a member is wrong, for operations that have it; the others have `InvalidParameterException`
/// or, failing that, the `ValidationException` of all services.
const BLAME: [(&str, &str); 31] = [
    ("MaxResults", "InvalidMaxResultsException"),
    ("MaxQueryResults", "InvalidMaxResultsException"),
    ("NextToken", "InvalidNextTokenException"),
    ("NextToken", "InvalidTokenException"),
    ("EventDataStore", "EventDataStoreARNInvalidException"),
    ("EventDataStores", "EventDataStoreARNInvalidException"),
    ("Destination", "EventDataStoreARNInvalidException"),
    ("QueryStatement", "InvalidQueryStatementException"),
    ("Widgets", "InvalidQueryStatementException"),
    ("TagsList", "InvalidTagParameterException"),
    ("Tags", "InvalidTagParameterException"),
    ("AdvancedEventSelectors", "InvalidEventSelectorsException"),
    ("EventSelectors", "InvalidEventSelectorsException"),
    ("InsightSelectors", "InvalidInsightSelectorsException"),
    ("ResourceArn", "ResourceARNNotValidException"),
    ("ResourcePolicy", "ResourcePolicyNotValidException"),
    ("ResourceId", "ResourceNotFoundException"),
    ("ResourceIdList", "ResourceNotFoundException"),
    ("DashboardId", "ResourceNotFoundException"),
    ("Channel", "ChannelARNInvalidException"),
    ("Source", "InvalidSourceException"),
    ("ImportSource", "InvalidImportSourceException"),
    ("LookupAttributes", "InvalidLookupAttributesException"),
    ("EventCategory", "InvalidEventCategoryException"),
    ("StartTime", "InvalidTimeRangeException"),
    ("EndTime", "InvalidTimeRangeException"),
    ("QueryStatus", "InvalidQueryStatusException"),
    ("DeliveryS3Uri", "InvalidS3PrefixException"),
    ("KmsKeyId", "InvalidKmsKeyIdException"),
    ("Name", "InvalidTrailNameException"),
    ("TrailName", "InvalidTrailNameException"),
];

/// A member that breaks the model.
struct Violation {
    path: Vec<String>,
    reason: String,
}

impl Model {
    pub(crate) fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// Checks the input of an operation, takes out what is `null` and what the model does not know.
    ///
    /// # Errors
    /// The exception of the operation that fits the member best.
    pub(crate) fn check(&self, operation: &Operation, input: Value) -> Result<Map<String, Value>, Fault> {
        let Value::Object(mut input) = input else {
            return Err(Fault::new("SerializationException", "The body of a request is a JSON object."));
        };
        let shape = self.shapes.get(&operation.input);
        input.retain(|name, value| !value.is_null() && shape.is_some_and(|shape| shape.members.contains_key(name)));
        let mut path = Vec::new();
        match shape.map_or(Ok(()), |shape| self.structure(shape, &input, &mut path)) {
            Ok(()) => Ok(input),
            Err(violation) => Err(operation.refusal(&violation)),
        }
    }

    fn structure(&self, shape: &Shape, value: &Map<String, Value>, path: &mut Vec<String>) -> Result<(), Violation> {
        for name in &shape.required {
            if value.get(name).is_none_or(Value::is_null) {
                path.push(name.clone());
                return Err(Violation { path: path.clone(), reason: "is required".to_owned() });
            }
        }
        for (name, value) in value {
            // Results go to folders too, which the model's pattern does not have.
            if name == "DeliveryS3Uri" && value.as_str().is_some_and(|uri| uri.starts_with("file:///")) {
                continue;
            }
            let Some(member) = shape.members.get(name) else { continue };
            path.push(name.clone());
            self.value(member, value, path)?;
            path.pop();
        }
        Ok(())
    }

    fn value(&self, shape: &str, value: &Value, path: &mut Vec<String>) -> Result<(), Violation> {
        let Some(shape) = self.shapes.get(shape) else { return Ok(()) };
        let wrong = |path: &[String], reason: String| Err(Violation { path: path.to_vec(), reason });
        match (shape.kind.as_str(), value) {
            (_, Value::Null) => Ok(()),
            ("structure", Value::Object(members)) => self.structure(shape, members, path),
            ("list", Value::Array(items)) => {
                if let Some(reason) = shape.outside(items.len() as f64, "items") {
                    return wrong(path, reason);
                }
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    if let (Some(member), false) = (&shape.member, item.is_null()) {
                        self.value(member, item, path)?;
                    } else if item.is_null() {
                        return wrong(path, "is null".to_owned());
                    }
                    path.pop();
                }
                Ok(())
            }
            ("map", Value::Object(entries)) => {
                for (key, value) in entries {
                    path.push(key.clone());
                    if let Some(shape) = &shape.key {
                        self.value(shape, &Value::String(key.clone()), path)?;
                    }
                    if let Some(shape) = &shape.value {
                        self.value(shape, value, path)?;
                    }
                    path.pop();
                }
                Ok(())
            }
            ("string", Value::String(text)) => shape.text(text).map_or(Ok(()), |reason| wrong(path, reason)),
            ("boolean", Value::Bool(_)) => Ok(()),
            ("integer" | "long", Value::Number(number)) => {
                let Some(whole) = number.as_i64() else { return wrong(path, "is not a whole number".to_owned()) };
                if shape.kind == "integer" && i32::try_from(whole).is_err() {
                    return wrong(path, "has more than 32 bits".to_owned());
                }
                shape.outside(whole as f64, "").map_or(Ok(()), |reason| wrong(path, reason))
            }
            ("float" | "double", Value::Number(_)) => Ok(()),
            ("timestamp", value) => match timestamp(value) {
                Some(_) => Ok(()),
                None => wrong(path, "is not a time: seconds since 1970".to_owned()),
            },
            ("blob", Value::String(_)) => Ok(()),
            (kind, _) => wrong(path, format!("is not a {kind}")),
        }
    }
}

/// Milliseconds since 1970 of a timestamp on the wire: seconds as a number, or as a number in text.
pub(crate) fn timestamp(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.parse::<f64>() {
            Ok(seconds) => seconds,
            Err(_) => return Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()),
        },
        _ => return None,
    };
    // Years 1 to 9999.
    (-62_135_596_800.0..253_402_300_800.0).contains(&seconds).then(|| (seconds * 1000.0).round() as i64)
}

impl Shape {
    fn outside(&self, size: f64, unit: &str) -> Option<String> {
        let (min, max) = (self.min.filter(|min| size < *min), self.max.filter(|max| size > *max));
        let of = if unit.is_empty() { String::new() } else { format!("has {size} {unit}, ") };
        match (min, max) {
            (Some(min), _) => Some(format!("{of}is less than the minimum {min}")),
            (_, Some(max)) => Some(format!("{of}is more than the maximum {max}")),
            _ => None,
        }
    }

    fn text(&self, text: &str) -> Option<String> {
        if let Some(reason) = self.outside(text.chars().count() as f64, "characters") {
            return Some(reason);
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == text) {
            return Some(format!("is none of {}", self.allowed.join(", ")));
        }
        let compiled = self.compiled.get_or_init(|| {
            let pattern = self.pattern.as_deref()?;
            Regex::new(&format!("^(?:{pattern})$")).ok()
        });
        let matches = compiled.as_ref().is_none_or(|pattern| pattern.is_match(text));
        (!matches).then(|| format!("does not match {}", self.pattern.as_deref().unwrap_or_default()))
    }
}

impl Operation {
    /// Whether the operation may answer with this exception.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error == code)
    }

    fn refusal(&self, violation: &Violation) -> Fault {
        let top = violation.path.first().map_or("", String::as_str);
        let path = violation.path.join(".");
        let message = format!("1 validation error detected: '{path}' {}", violation.reason);
        let own = BLAME.iter().filter(|(member, _)| *member == top).map(|(_, code)| *code);
        let code = own.chain(["InvalidParameterException"]).find(|code| self.has(code));
        Fault::new(code.unwrap_or("ValidationException"), message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(operation: &str, input: Value) -> String {
        let model = cloudtrail().unwrap();
        match model.check(model.operation(operation).unwrap(), input) {
            Ok(_) => "ok".to_owned(),
            Err(fault) => fault.code,
        }
    }

    #[test]
    fn every_pattern_of_an_input_compiles() {
        for model in [cloudtrail().unwrap(), data().unwrap()] {
            for (name, shape) in &model.shapes {
                let Some(pattern) = &shape.pattern else { continue };
                // Surrogates can't be in a Rust string; the shape is only answered with.
                if !pattern.contains("\\uD800") {
                    assert!(Regex::new(&format!("^(?:{pattern})$")).is_ok(), "{name}: {pattern}");
                }
            }
        }
    }

    #[test]
    fn inputs_are_checked_against_the_model() {
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(code("GetQueryResults", json!({"QueryId": id, "MaxQueryResults": 1000})), "ok");
        assert_eq!(
            code("GetQueryResults", json!({"QueryId": id, "MaxQueryResults": 1001})),
            "InvalidMaxResultsException"
        );
        assert_eq!(
            code("GetQueryResults", json!({"QueryId": id, "MaxQueryResults": 1.5})),
            "InvalidMaxResultsException"
        );
        assert_eq!(code("GetQueryResults", json!({"QueryId": "x"})), "InvalidParameterException");
        assert_eq!(code("GetQueryResults", json!({})), "InvalidParameterException");
        assert_eq!(code("GetQueryResults", json!([])), "SerializationException");
        assert_eq!(code("GetQueryResults", json!({"QueryId": id, "NextToken": null, "Other": 1})), "ok");
        assert_eq!(code("StartQuery", json!({"QueryStatement": ""})), "InvalidQueryStatementException");
        assert_eq!(code("ListQueries", json!({"EventDataStore": "a b c"})), "EventDataStoreARNInvalidException");
        assert_eq!(code("GetDashboard", json!({"DashboardId": 7})), "ResourceNotFoundException");
        assert_eq!(code("LookupEvents", json!({"StartTime": "yesterday"})), "InvalidTimeRangeException");
        assert_eq!(code("LookupEvents", json!({"StartTime": 1e300})), "InvalidTimeRangeException");
        assert_eq!(code("LookupEvents", json!({"StartTime": "1598911142"})), "ok");
        let selector = json!({"FieldSelectors": [{"Field": "eventName", "Equals": [null]}]});
        let input = json!({"Name": "abc", "AdvancedEventSelectors": [selector]});
        assert_eq!(code("CreateEventDataStore", input), "InvalidEventSelectorsException");
        assert_eq!(code("CreateDashboard", json!({"Name": "a b"})), "ValidationException");
    }
}
