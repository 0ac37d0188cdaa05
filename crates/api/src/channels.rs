//! Channels, and PutAuditEvents: events from outside AWS into an event data store.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use cloudtarn_query::Rows;
use cloudtarn_record::EventCategory;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::access::{POLICY, TAGS, Target, account_of};
use crate::call::{Call, Reply};
use crate::fault::{Answer, Fault};
use crate::service::{Service, read};
use crate::tags::Tag;

/// Kind of the documents, by ARN.
const CHANNEL: &str = "channel";
const LISTED: usize = 1000;
/// Channels of one account, as in Lake.
const CHANNELS: usize = 25;
/// What an event must say (AWS CloudTrail User Guide, "CloudTrail Lake integrations event schema").
const REQUIRED: [&str; 6] = ["version", "userIdentity", "eventSource", "eventName", "eventTime", "UID"];

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Channel {
    arn: String,
    name: String,
    source: String,
    /// ARN of the event data store.
    destination: String,
    created: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuditEvent {
    id: String,
    event_data: String,
    event_data_checksum: Option<String>,
}

fn told(channel: &Channel) -> Value {
    json!({
        "ChannelArn": channel.arn,
        "Name": channel.name,
        "Source": channel.source,
        "Destinations": [{"Type": "EVENT_DATA_STORE", "Location": channel.destination}],
    })
}

impl Service {
    fn channels(&self, account: &str) -> Answer<Vec<Channel>> {
        Ok(self.store.documents(CHANNEL, Some(account))?.iter().filter_map(read).collect())
    }

    /// Whether a channel leads to the store.
    pub(crate) fn has_channel(&self, target: &Target) -> Answer<bool> {
        Ok(self.channels(&target.account)?.iter().any(|channel| channel.destination == target.arn))
    }

    /// A channel of the caller's account, by ARN or id.
    fn channel(&self, call: &Call) -> Answer<Channel> {
        let name = call.text("Channel");
        self.require(call, if name.starts_with("arn:") { name } else { "*" })?;
        let found = self.channels(&call.caller.account)?;
        let found =
            found.into_iter().find(|channel| channel.arn == name || channel.arn.ends_with(&format!(":channel/{name}")));
        found.ok_or_else(|| Fault::new("ChannelNotFoundException", format!("The channel '{name}' was not found.")))
    }

    /// The one store that the call names as destination: of the caller's, and for such events.
    fn destination(&self, call: &Call) -> Answer<Option<String>> {
        let Some(destinations) = call.input.get("Destinations").and_then(Value::as_array) else { return Ok(None) };
        let [one] = destinations.as_slice() else {
            return Err(Fault::invalid("A channel leads to one event data store."));
        };
        if one["Type"] != "EVENT_DATA_STORE" {
            return Err(Fault::invalid("A channel leads to an EVENT_DATA_STORE."));
        }
        let target = self.own(call, one["Location"].as_str().unwrap_or_default())?;
        self.require_active(&target)?;
        if target.store.category != EventCategory::ActivityAuditLog {
            let message = "The event data store must be made with a selector for the eventCategory ActivityAuditLog.";
            return Err(Fault::new("InvalidEventDataStoreCategoryException", message));
        }
        Ok(Some(target.arn))
    }

    fn save_channel(&self, channel: &Channel) -> Answer<()> {
        self.keep(CHANNEL, &channel.arn, account_of(&channel.arn), channel.created, channel)
    }

    pub(crate) fn create_channel(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let name = call.text("Name").to_owned();
        let existing = self.channels(&call.caller.account)?;
        if existing.iter().any(|channel| channel.name == name) {
            return Err(Fault::new(
                "ChannelAlreadyExistsException",
                format!("A channel with the name '{name}' already exists."),
            ));
        }
        if existing.len() >= CHANNELS {
            return Err(Fault::new(
                "ChannelMaxLimitExceededException",
                format!("An account has {CHANNELS} channels at most."),
            ));
        }
        let destination = self.destination(call)?.ok_or_else(|| Fault::invalid("Destinations is required."))?;
        let tags = call.input.get("Tags").cloned().unwrap_or_else(|| json!([]));
        let tags: Vec<Tag> = serde_json::from_value(tags).unwrap_or_default();
        let checked = self.checked_tags(&tags)?;
        let channel = Channel {
            arn: format!("arn:aws:cloudtrail:{}:{}:channel/{}", call.region, call.caller.account, uuid::Uuid::new_v4()),
            name,
            source: call.text("Source").to_owned(),
            destination,
            created: call.now(),
        };
        self.save_channel(&channel)?;
        self.put_tags(&channel.arn, &checked)?;
        let mut answer = told(&channel);
        answer["Tags"] = json!(tags);
        Ok(answer.into())
    }

    pub(crate) fn get_channel(&self, call: &Call) -> Answer<Reply> {
        Ok(told(&self.channel(call)?).into())
    }

    pub(crate) fn list_channels(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let all = self.channels(&call.caller.account)?;
        let all = all.iter().map(|channel| json!({"ChannelArn": channel.arn, "Name": channel.name})).collect();
        let (page, token) = self.page(call, all, LISTED)?;
        let mut answer = json!({"Channels": page});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer.into())
    }

    pub(crate) fn update_channel(&self, call: &Call) -> Answer<Reply> {
        let mut channel = self.channel(call)?;
        let name = call.text("Name");
        if !name.is_empty() && name != channel.name {
            if self.channels(&call.caller.account)?.iter().any(|other| other.name == name) {
                let message = format!("A channel with the name '{name}' already exists.");
                return Err(Fault::new("ChannelAlreadyExistsException", message));
            }
            name.clone_into(&mut channel.name);
        }
        if let Some(destination) = self.destination(call)? {
            channel.destination = destination;
        }
        self.save_channel(&channel)?;
        Ok(told(&channel).into())
    }

    pub(crate) fn delete_channel(&self, call: &Call) -> Answer<Reply> {
        let channel = self.channel(call)?;
        for kind in [CHANNEL, TAGS, POLICY] {
            self.store.remove_document(kind, &channel.arn)?;
        }
        Ok(json!({}).into())
    }

    /// Takes the good ones of the events, and says of the others what is wrong.
    pub(crate) fn put_audit_events(&self, call: &Call) -> Answer<Reply> {
        let arn = call.text("channelArn");
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        if !matches!(parts.as_slice(), ["arn", _, "cloudtrail", _, _, resource] if resource.starts_with("channel/")) {
            return Err(Fault::new("InvalidChannelARN", format!("'{arn}' is not the ARN of a channel.")));
        }
        let account = account_of(arn).to_owned();
        let rows = self.rows(call, "cloudtrail-data:PutAuditEvents", arn, &account)?;
        let missing = || Fault::new("ChannelNotFound", format!("The channel {arn} was not found."));
        if rows != Rows::All {
            let message = format!("{} may not put events into {arn}.", call.caller.arn);
            return Err(Fault::new("ChannelInsufficientPermission", message));
        }
        let channel: Channel = self.kept(CHANNEL, arn)?.ok_or_else(missing)?;
        let target =
            self.targets()?.into_iter().find(|target| target.arn == channel.destination).ok_or_else(missing)?;
        if self.store.settings(&target.store)?.deleted.is_some() {
            return Err(missing());
        }
        let events = call.input.get("auditEvents").cloned().unwrap_or_default();
        let events: Vec<AuditEvent> =
            serde_json::from_value(events).map_err(|error| Fault::invalid(error.to_string()))?;
        let mut ids = BTreeSet::new();
        if !events.iter().all(|event| ids.insert(&event.id)) {
            return Err(Fault::new("DuplicatedAuditEventId", "Two events of one call have the same id."));
        }
        let spool = self.spools.of(self.store.root(), &target.store).map_err(|error| {
            tracing::error!(%error, "events can't be spooled");
            Fault::internal()
        })?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for event in &events {
            match record(call, event, &channel, &target.account) {
                Ok((id, record)) => {
                    spool.append(&record.to_string()).map_err(|error| {
                        tracing::error!(%error, "events can't be spooled");
                        Fault::internal()
                    })?;
                    successful.push(json!({"id": event.id, "eventID": id}));
                }
                Err((code, reason)) => {
                    failed.push(json!({"id": event.id, "errorCode": code, "errorMessage": reason}));
                }
            }
        }
        Ok(json!({"successful": successful, "failed": failed}).into())
    }

    /// Takes in what waits for the stores that channels lead to; with a statement, for those that it may name.
    pub(crate) async fn flush_channels(&self, statement: Option<&str>) {
        let Ok(stores) = self.store.event_data_stores() else { return };
        for store in stores.into_iter().filter(|store| store.category == EventCategory::ActivityAuditLog) {
            let placeholder = |text: &str| text.to_lowercase().contains("integration");
            let named = statement
                .is_none_or(|text| text.contains(&store.id) || text.contains(&store.name) || placeholder(text));
            if let (true, Ok(spool)) = (named, self.spools.of(self.store.root(), &store)) {
                spool.flush_into(&self.store, &store.name).await;
            }
        }
    }
}

/// The record that is kept of an event, and its id.
fn record(
    call: &Call,
    event: &AuditEvent,
    channel: &Channel,
    account: &str,
) -> Result<(String, Value), (&'static str, String)> {
    if let Some(checksum) = &event.event_data_checksum {
        use base64::Engine;
        let own = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(event.event_data.as_bytes()));
        if own != *checksum {
            return Err(("InvalidChecksum", "eventDataChecksum is not the base64 of eventData's SHA-256.".to_owned()));
        }
    }
    let invalid = |reason: String| ("InvalidData", reason);
    let data: Map<String, Value> = serde_json::from_str(&event.event_data)
        .map_err(|error| invalid(format!("eventData is not a JSON object: {error}")))?;
    if let Some(missing) = REQUIRED.iter().find(|name| data.get(**name).is_none_or(Value::is_null)) {
        return Err(("FieldNotFound", format!("eventData has no {missing}.")));
    }
    for name in ["/userIdentity/type", "/userIdentity/principalId"] {
        if Value::Object(data.clone()).pointer(name).and_then(Value::as_str).is_none() {
            return Err((
                "FieldNotFound",
                format!("eventData has no {}.", name.trim_start_matches('/').replace('/', ".")),
            ));
        }
    }
    let time = data.get("eventTime").and_then(Value::as_str).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let time = time.ok_or_else(|| invalid("eventTime is not a time such as 2026-01-31T23:59:59Z.".to_owned()))?;
    let id = uuid::Uuid::new_v4().to_string();
    let record = json!({
        "eventVersion": "1.0",
        "eventCategory": "ActivityAuditLog",
        "eventType": "ActivityLog",
        "eventID": id,
        "eventTime": time.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::Millis, true),
        "awsRegion": call.region,
        "recipientAccountId": account,
        "metadata": {
            "ingestionTime": call.time.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
            "channelARN": channel.arn,
        },
        "eventData": data,
    });
    Ok((id, record))
}
