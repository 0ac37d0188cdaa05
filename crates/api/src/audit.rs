//! The audit log: every call as a CloudTrail record, in an event data store of its own.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use cloudtarn_record::EventCategory;
use cloudtarn_store::Store;
use serde_json::{Map, Value, json};

use crate::call::Reply;
use crate::error::Result;
use crate::fault::Fault;
use crate::principal::Principal;
use crate::spool::Spool;

/// Name of the event data store.
pub(crate) const NAME: &str = "cloudtarn-audit";
/// Bytes of request parameters past which they are left out, as CloudTrail leaves them out.
const LARGE: usize = 100 << 10;

/// A call, known as far as it got.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) id: String,
    pub(crate) operation: String,
    /// Of `cloudtrail-data`.
    pub(crate) data: bool,
    pub(crate) time: DateTime<Utc>,
    pub(crate) source_ip: IpAddr,
    pub(crate) user_agent: String,
    pub(crate) region: String,
    pub(crate) caller: Option<Arc<Principal>>,
    /// As the call says, proven or not.
    pub(crate) access_key_id: Option<String>,
    pub(crate) input: Map<String, Value>,
}

/// Records on their way into the event data store.
#[derive(Debug)]
pub(crate) struct Audit {
    spool: Spool,
    owner: String,
}

impl Audit {
    pub(crate) fn open(root: &Path, owner: &str) -> Result<Self> {
        Ok(Self { spool: Spool::open(root, NAME, EventCategory::CloudTrail)?, owner: owner.to_owned() })
    }

    /// Writes the call down. Where that fails the log says so; the call is not failed for it.
    pub(crate) fn record(&self, attempt: &Attempt, answer: std::result::Result<&Reply, &Fault>) {
        let record = record(attempt, answer.err(), &self.owner);
        if let Err(error) = self.spool.append(&record.to_string()) {
            tracing::error!(%error, "the audit log can't be written");
        }
    }

    /// Makes what was recorded queryable.
    pub(crate) async fn flush(&self, store: &Store) {
        self.spool.flush(store).await;
    }
}

/// `StartQuery` as `startQuery`, which is how CloudTrail writes members.
fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn lower_members(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(members) if depth < 8 => {
            members.iter().map(|(name, value)| (lower_first(name), lower_members(value, depth + 1))).collect()
        }
        Value::Array(items) if depth < 8 => items.iter().map(|item| lower_members(item, depth + 1)).collect(),
        other => other.clone(),
    }
}

fn is_read_only(operation: &str) -> bool {
    ["Get", "List", "Describe", "Lookup", "Search"].iter().any(|verb| operation.starts_with(verb))
}

fn record(attempt: &Attempt, fault: Option<&Fault>, owner: &str) -> Value {
    let identity = match &attempt.caller {
        Some(caller) => json!({
            "type": caller.kind(), "principalId": caller.access_key_id, "arn": caller.arn, "accountId": caller.account,
            "accessKeyId": attempt.access_key_id.as_ref().unwrap_or(&caller.access_key_id), "userName": caller.name(),
        }),
        None => json!({"type": "Unknown", "accessKeyId": attempt.access_key_id}),
    };
    let parameters = lower_members(&Value::Object(attempt.input.clone()), 0);
    let large = parameters.to_string().len() > LARGE;
    let name: String = attempt.operation.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": attempt.time.to_rfc3339_opts(SecondsFormat::Secs, true),
        "eventSource": if attempt.data { "cloudtrail-data.amazonaws.com" } else { "cloudtrail.amazonaws.com" },
        "eventName": if name.is_empty() { "Unknown" } else { name.as_str() },
        "awsRegion": attempt.region,
        "sourceIPAddress": attempt.source_ip.to_string(),
        "userAgent": attempt.user_agent,
        "requestParameters": if attempt.input.is_empty() || large { Value::Null } else { parameters },
        "responseElements": Value::Null,
        "requestID": attempt.id,
        "eventID": uuid::Uuid::new_v4().to_string(),
        "readOnly": is_read_only(&name),
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": owner,
        "eventCategory": "Management",
    });
    if let (Some(fault), Value::Object(members)) = (fault, &mut record) {
        let code = fault.code.trim_end_matches("Exception");
        let code = if fault.code.starts_with("AccessDenied") { "AccessDenied" } else { code };
        members.insert("errorCode".to_owned(), json!(code));
        members.insert("errorMessage".to_owned(), json!(fault.message.chars().take(1024).collect::<String>()));
    }
    record
}
