//! One call: what is asked, by whom, from where.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::fault::{Answer, Fault};
use crate::principal::Principal;

/// A call whose caller is known and whose input follows the model.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) input: Map<String, Value>,
    pub(crate) caller: Arc<Principal>,
    /// Region that the call was signed for.
    pub(crate) region: String,
    pub(crate) id: String,
    pub(crate) source_ip: IpAddr,
    pub(crate) user_agent: String,
    pub(crate) time: DateTime<Utc>,
}

/// What an operation answers.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(Value),
    /// JSON text, for answers of some megabytes.
    Text(String),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl Call {
    /// The input as a type of the operation's.
    ///
    /// # Errors
    /// `InvalidParameterException`; the model lets nothing pass that gets here.
    pub(crate) fn input<T: DeserializeOwned>(&self) -> Answer<T> {
        serde_json::from_value(Value::Object(self.input.clone())).map_err(|error| Fault::invalid(error.to_string()))
    }

    /// A text of the input; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.input.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Milliseconds since 1970 of a time of the input.
    pub(crate) fn time_of(&self, name: &str) -> Option<i64> {
        self.input.get(name).and_then(crate::model::timestamp)
    }

    /// A whole number of the input.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.input.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
    }

    /// Milliseconds since 1970 of the call.
    pub(crate) fn now(&self) -> i64 {
        self.time.timestamp_millis()
    }
}

/// A time on the wire: seconds since 1970.
pub(crate) fn seconds(millis: i64) -> Value {
    serde_json::json!(millis as f64 / 1000.0)
}
