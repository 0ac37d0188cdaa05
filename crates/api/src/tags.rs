//! Tags of event data stores, channels and dashboards; their resource policies.

use std::collections::BTreeMap;

use cloudtarn_query::Rows;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{POLICY, TAGS, account_of};
use crate::audit;
use crate::call::{Call, Reply};
use crate::fault::{Answer, Fault};
use crate::policy::Policy;
use crate::service::Service;

/// Tags of one resource at most.
const MOST: usize = 50;

/// One tag as the API writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl Service {
    /// The tags by key.
    ///
    /// # Errors
    /// `InvalidTagParameterException` for keys that are there twice or AWS's own.
    pub(crate) fn checked_tags(&self, tags: &[Tag]) -> Answer<BTreeMap<String, String>> {
        let mut checked = BTreeMap::new();
        for tag in tags {
            let reserved = tag.key.to_ascii_lowercase().starts_with("aws:");
            if reserved || checked.insert(tag.key.clone(), tag.value.clone().unwrap_or_default()).is_some() {
                let message = format!("The tag key '{}' is there twice, or begins with `aws:`.", tag.key);
                return Err(Fault::new("InvalidTagParameterException", message));
            }
        }
        if checked.len() > MOST {
            return Err(Fault::new("InvalidTagParameterException", format!("A resource has {MOST} tags at most.")));
        }
        Ok(checked)
    }

    pub(crate) fn put_tags(&self, arn: &str, tags: &BTreeMap<String, String>) -> Answer<()> {
        if tags.is_empty() {
            self.store.remove_document(TAGS, arn)?;
            return Ok(());
        }
        self.keep(TAGS, arn, "", chrono::Utc::now().timestamp_millis(), tags)
    }

    /// The ARN of a resource of the caller's account that has tags or a policy.
    fn resource(&self, call: &Call, name: &str, missing: &str) -> Answer<String> {
        let kind = name.split(':').nth(5).and_then(|resource| resource.split('/').next()).unwrap_or_default();
        match kind {
            "eventdatastore" => {
                let (target, rows) = self.target(call, name, &call.operation).map_err(|mut fault| {
                    if fault.code == "EventDataStoreARNInvalidException"
                        || fault.code == "EventDataStoreNotFoundException"
                    {
                        missing.clone_into(&mut fault.code);
                    }
                    fault
                })?;
                if target.account == call.caller.account && rows == Rows::All {
                    return Ok(target.arn);
                }
            }
            "channel" | "dashboard" => {
                if account_of(name) == call.caller.account {
                    self.require(call, name)?;
                    if self.store.document(kind, name)?.is_some() {
                        return Ok(name.to_owned());
                    }
                    return Err(Fault::new(missing, format!("There is no {kind} {name}.")));
                }
            }
            "trail" => return Err(Fault::new("ResourceTypeNotSupportedException", "There are no trails here.")),
            _ => {
                return Err(Fault::new(
                    missing,
                    format!("'{name}' is no ARN of an event data store, channel or dashboard."),
                ));
            }
        }
        let action = format!("cloudtrail:{}", call.operation);
        Err(Fault::denied(&call.caller.arn, &action, name, "only the account that owns it may"))
    }

    pub(crate) fn add_tags(&self, call: &Call) -> Answer<Reply> {
        let arn = self.resource(call, call.text("ResourceId"), "ResourceNotFoundException")?;
        let mut tags: BTreeMap<String, String> = self.kept(TAGS, &arn)?.unwrap_or_default();
        tags.extend(self.checked_tags(&listed(call)?)?);
        if tags.len() > MOST {
            return Err(Fault::new("TagsLimitExceededException", format!("A resource has {MOST} tags at most.")));
        }
        self.put_tags(&arn, &tags)?;
        Ok(json!({}).into())
    }

    pub(crate) fn remove_tags(&self, call: &Call) -> Answer<Reply> {
        let arn = self.resource(call, call.text("ResourceId"), "ResourceNotFoundException")?;
        let mut tags: BTreeMap<String, String> = self.kept(TAGS, &arn)?.unwrap_or_default();
        for tag in listed(call)? {
            if tag.value.is_none() || tags.get(&tag.key) == tag.value.as_ref() {
                tags.remove(&tag.key);
            }
        }
        self.put_tags(&arn, &tags)?;
        Ok(json!({}).into())
    }

    pub(crate) fn list_tags(&self, call: &Call) -> Answer<Reply> {
        let asked: Vec<String> = call.input.get("ResourceIdList").and_then(crate::policy::texts).unwrap_or_default();
        if asked.len() > 20 {
            return Err(Fault::new(
                "ResourceNotFoundException",
                "The tags of 20 resources at most are listed at once.",
            ));
        }
        let mut found = Vec::with_capacity(asked.len());
        for name in &asked {
            let arn = self.resource(call, name, "ResourceNotFoundException")?;
            let tags: BTreeMap<String, String> = self.kept(TAGS, &arn)?.unwrap_or_default();
            let tags: Vec<Tag> = tags
                .into_iter()
                .map(|(key, value)| Tag { key, value: Some(value).filter(|v| !v.is_empty()) })
                .collect();
            found.push(json!({"ResourceId": name, "TagsList": tags}));
        }
        Ok(json!({"ResourceTagList": found}).into())
    }

    pub(crate) fn put_resource_policy(&self, call: &Call) -> Answer<Reply> {
        let arn = self.resource(call, call.text("ResourceArn"), "ResourceARNNotValidException")?;
        let text = call.text("ResourcePolicy");
        Policy::of_resource(text, &arn).map_err(|reason| {
            Fault::new("ResourcePolicyNotValidException", format!("The resource-based policy is not valid: {reason}"))
        })?;
        if arn.contains(":eventdatastore/") && self.target(call, &arn, "PutResourcePolicy")?.0.store.name == audit::NAME
        {
            return Err(Fault::new("OperationNotPermittedException", "The audit log is not shared."));
        }
        self.keep(POLICY, &arn, "", call.now(), &text)?;
        Ok(json!({"ResourceArn": arn, "ResourcePolicy": text}).into())
    }

    pub(crate) fn get_resource_policy(&self, call: &Call) -> Answer<Reply> {
        let arn = self.resource(call, call.text("ResourceArn"), "ResourceARNNotValidException")?;
        let text: Option<String> = self.kept(POLICY, &arn)?;
        let text = text.ok_or_else(no_policy)?;
        Ok(json!({"ResourceArn": arn, "ResourcePolicy": text}).into())
    }

    pub(crate) fn delete_resource_policy(&self, call: &Call) -> Answer<Reply> {
        let arn = self.resource(call, call.text("ResourceArn"), "ResourceARNNotValidException")?;
        if self.store.remove_document(POLICY, &arn)? { Ok(json!({}).into()) } else { Err(no_policy()) }
    }
}

fn listed(call: &Call) -> Answer<Vec<Tag>> {
    let tags = call.input.get("TagsList").cloned().unwrap_or_default();
    serde_json::from_value(tags).map_err(|error| Fault::new("InvalidTagParameterException", error.to_string()))
}

fn no_policy() -> Fault {
    Fault::new("ResourcePolicyNotFoundException", "The resource has no resource-based policy.")
}
