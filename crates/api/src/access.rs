//! Which event data stores a caller may use for what, and what it sees of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cloudtarn_query::{Guard, Kind, Rows};
use cloudtarn_store::{EventDataStore, Store};

use crate::call::Call;
use crate::fault::{Answer, Fault};
use crate::policy::{self, Policy};
use crate::principal::{NO_ACCOUNT, Principals};
use crate::service::Service;

/// Kind of the documents that hold resource policies, by ARN.
pub(crate) const POLICY: &str = "policy";
/// Kind of the documents that hold tags, by ARN.
pub(crate) const TAGS: &str = "tags";

/// An event data store as callers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) store: EventDataStore,
    pub(crate) arn: String,
    /// Account that owns it.
    pub(crate) account: String,
}

/// The account in an ARN.
pub(crate) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

impl Target {
    /// Stores that `cloudtarn ingest` made have no account: they are the owner's.
    pub(crate) fn of(store: EventDataStore, principals: &Principals) -> Self {
        let account = match account_of(&store.arn) {
            NO_ACCOUNT => principals.owner.clone(),
            account => account.to_owned(),
        };
        let arn = store.arn.replacen(&format!(":{NO_ACCOUNT}:"), &format!(":{account}:"), 1);
        Self { store, arn, account }
    }
}

impl Service {
    /// Every event data store there is, the oldest first.
    pub(crate) fn targets(&self) -> Answer<Vec<Target>> {
        let stores = self.store.event_data_stores()?;
        Ok(stores.into_iter().map(|store| Target::of(store, self.principals())).collect())
    }

    /// What the caller may see of a resource by an action; [`Rows::None`] for nothing.
    pub(crate) fn rows(&self, call: &Call, action: &str, arn: &str, account: &str) -> Answer<Rows> {
        let tags: BTreeMap<String, String> = self.kept(TAGS, arn)?.unwrap_or_default();
        let text: Option<String> = self.kept(POLICY, arn)?;
        // A policy is checked when it is put; one that can't be read now gives nothing.
        let resource_policy = text.and_then(|text| Policy::of_resource(&text, arn).ok());
        let request = policy::Request {
            action,
            resource: arn,
            resource_account: account,
            resource_tags: &tags,
            principal: &call.caller,
            time: call.time,
            source_ip: call.source_ip,
            region: &call.region,
            user_agent: &call.user_agent,
            external_id: call.input.get("externalId").and_then(serde_json::Value::as_str),
        };
        Ok(policy::decide(&request, resource_policy.as_ref()))
    }

    /// Refuses a caller whose own account does not allow it the action on resources of the account.
    pub(crate) fn require(&self, call: &Call, resource: &str) -> Answer<()> {
        let action = format!("cloudtrail:{}", call.operation);
        match self.rows(call, &action, resource, &call.caller.account)? {
            Rows::None => Err(self.denial(call, &action, resource)),
            _ => Ok(()),
        }
    }

    fn denial(&self, call: &Call, action: &str, resource: &str) -> Fault {
        Fault::denied(&call.caller.arn, action, resource, "no policy allows it, or one denies it")
    }

    /// The event data store of a UUID, ARN or name, if the caller may use it for the action; and what it sees of it.
    ///
    /// # Errors
    /// The same for a store of another account that is not shared as for one that does not exist.
    pub(crate) fn target(&self, call: &Call, name: &str, action: &str) -> Answer<(Target, Rows)> {
        let action = format!("cloudtrail:{action}");
        let own = &call.caller.account;
        let is_arn = name.starts_with("arn:");
        if is_arn && !is_store_arn(name) {
            let message = format!("'{name}' is not the ARN of an event data store.");
            return Err(Fault::new("EventDataStoreARNInvalidException", message));
        }
        let names = |target: &Target| {
            let by_arn = target.arn.eq_ignore_ascii_case(name);
            by_arn
                || (!is_arn
                    && (target.store.id.eq_ignore_ascii_case(name) || target.store.name.eq_ignore_ascii_case(name)))
        };
        let found = self.targets()?.into_iter().find(names);
        if let Some(target) = found {
            let rows = self.rows(call, &action, &target.arn, &target.account)?;
            return match rows {
                Rows::None if is_arn || target.account == *own => {
                    Err(self.denial(call, &action, if is_arn { name } else { &target.arn }))
                }
                Rows::None => Err(Fault::store_not_found(name)),
                rows => Ok((target, rows)),
            };
        }
        let account = if is_arn { account_of(name) } else { own };
        let arn = if is_arn {
            name.to_owned()
        } else {
            format!("arn:aws:cloudtrail:{}:{own}:eventdatastore/{name}", call.region)
        };
        if is_arn && (account != own || self.rows(call, &action, &arn, account)? == Rows::None) {
            return Err(self.denial(call, &action, name));
        }
        Err(Fault::store_not_found(name))
    }

    /// The stores that the caller may use for the action: its own first, then those shared with it.
    pub(crate) fn visible(&self, call: &Call, action: &str) -> Answer<Vec<(Target, Rows)>> {
        let action = format!("cloudtrail:{action}");
        let mut visible = Vec::new();
        for target in self.targets()? {
            let rows = self.rows(call, &action, &target.arn, &target.account)?;
            if rows != Rows::None {
                visible.push((target, rows));
            }
        }
        visible.sort_by_key(|(target, _)| target.account != call.caller.account);
        Ok(visible)
    }
}

/// `arn:PARTITION:cloudtrail:REGION:ACCOUNT:eventdatastore/UUID`.
fn is_store_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    matches!(parts.as_slice(), ["arn", _, "cloudtrail", _, account, resource]
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
        && resource.strip_prefix("eventdatastore/").is_some_and(|id| uuid::Uuid::try_parse(id).is_ok()))
}

/// What a statement opened, by id, and the refusal if there was one.
pub(crate) type Opened = (BTreeMap<String, (Target, Rows)>, Option<Fault>);

/// Opens to a statement what its caller may see, and remembers what it opened.
pub(crate) struct Reader<'a> {
    service: &'a Service,
    call: &'a Call,
    action: &'static str,
    /// Account that the call says owns the stores.
    owner: Option<&'a str>,
    opened: Mutex<Opened>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(service: &'a Service, call: &'a Call, action: &'static str, owner: Option<&'a str>) -> Self {
        Self { service, call, action, owner, opened: Mutex::default() }
    }

    /// What was opened, by id, and the refusal if there was one.
    pub(crate) fn opened(self) -> Opened {
        self.opened.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Answer<(Target, Rows)> {
        let owned = |target: &Target| self.owner.is_none_or(|owner| target.account == owner);
        let found = match self.service.target(self.call, name, self.action) {
            Err(fault) => match cloudtarn_query::standard(name) {
                Some(category) => {
                    let visible = self.service.visible(self.call, self.action)?;
                    let standard = self.service.store.standard(category).ok().map(|store| store.id);
                    let mut fitting: Vec<_> =
                        visible.into_iter().filter(|(t, _)| t.store.category == category && owned(t)).collect();
                    fitting.sort_by_key(|(t, _)| {
                        (t.store.name == crate::audit::NAME, Some(&t.store.id) != standard.as_ref())
                    });
                    fitting.into_iter().next().ok_or(fault)?
                }
                None => return Err(fault),
            },
            Ok(found) => found,
        };
        if !owned(&found.0) {
            return Err(Fault::store_not_found(name));
        }
        self.service.require_active(&found.0)?;
        Ok(found)
    }
}

impl Guard for Reader<'_> {
    fn open(&self, _: &Store, name: &str) -> cloudtarn_query::Result<(EventDataStore, Rows)> {
        let found = self.find(name);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok((target, rows)) => {
                let answer = (target.store.clone(), rows.clone());
                opened.0.insert(target.store.id.clone(), (target, rows));
                Ok(answer)
            }
            Err(fault) => {
                let message = fault.message.clone();
                opened.1 = Some(fault);
                Err(cloudtarn_query::Error { kind: Kind::TableNotFound, position: None, message })
            }
        }
    }
}
