//! Event data stores: made, told, changed, deleted, restored.

use cloudtarn_query::Rows;
use cloudtarn_record::EventCategory;
use cloudtarn_store::{AdvancedEventSelector, EventDataStore, Settings, selector};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Target;
use crate::audit;
use crate::call::{Call, Reply, seconds};
use crate::fault::{Answer, Fault};
use crate::service::Service;
use crate::tags::Tag;

/// Stores of a page.
const LISTED: usize = 1000;
/// What Lake keeps at most, and what is told of stores that keep everything.
const LONGEST: u32 = 3653;
/// How long a deleted store can be restored.
const RESTORABLE: i64 = 7 * 86_400_000;
const EXTENDABLE: &str = "EXTENDABLE_RETENTION_PRICING";
const FIXED: &str = "FIXED_RETENTION_PRICING";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted {
    name: Option<String>,
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
    multi_region_enabled: Option<bool>,
    organization_enabled: Option<bool>,
    retention_period: Option<u32>,
    termination_protection_enabled: Option<bool>,
    kms_key_id: Option<String>,
    start_ingestion: Option<bool>,
    billing_mode: Option<String>,
    #[serde(default)]
    tags_list: Vec<Tag>,
}

impl Wanted {
    fn apply(&self, settings: &mut Settings, category: EventCategory) -> Answer<()> {
        if self.kms_key_id.is_some() {
            let message =
                "Event data stores here are files of this machine; encrypt its disk instead of naming a KMS key.";
            return Err(Fault::new("InvalidKmsKeyIdException", message));
        }
        if let Some(selectors) = &self.advanced_event_selectors {
            if category_of(selectors)? != category {
                let message = "An event data store holds the kind of events that it was made for.";
                return Err(Fault::new("InvalidEventSelectorsException", message));
            }
            settings.selectors.clone_from(selectors);
        }
        if let Some(mode) = &self.billing_mode {
            settings.billing_mode.clone_from(mode);
        }
        if self.retention_period.is_some() {
            settings.retention_days = self.retention_period;
        }
        if settings.billing_mode == FIXED && settings.retention_days.is_some_and(|days| days > 2557) {
            return Err(Fault::invalid("With FIXED_RETENTION_PRICING events are kept 2557 days at most."));
        }
        let set = |to: &mut bool, value: Option<bool>| *to = value.unwrap_or(*to);
        set(&mut settings.multi_region, self.multi_region_enabled);
        set(&mut settings.organization, self.organization_enabled);
        set(&mut settings.termination_protection, self.termination_protection_enabled);
        Ok(())
    }
}

fn category_of(selectors: &[AdvancedEventSelector]) -> Answer<EventCategory> {
    selector::category(selectors).map_err(|reason| Fault::new("InvalidEventSelectorsException", reason))
}

fn status(settings: &Settings) -> &'static str {
    match (settings.deleted, settings.ingesting) {
        (Some(_), _) => "PENDING_DELETION",
        (None, true) => "ENABLED",
        (None, false) => "STOPPED_INGESTION",
    }
}

fn taken(name: &str) -> Fault {
    Fault::new(
        "EventDataStoreAlreadyExistsException",
        format!("An event data store with the name '{name}' already exists."),
    )
}

impl Service {
    /// Refuses a store that is about to be deleted.
    pub(crate) fn require_active(&self, target: &Target) -> Answer<()> {
        if self.store.settings(&target.store)?.deleted.is_some() {
            let message = format!("The event data store {} is pending deletion.", target.arn);
            return Err(Fault::new("InactiveEventDataStoreException", message));
        }
        Ok(())
    }

    /// The store of a call that changes it: its own account's only, whatever policies say; never the audit log.
    pub(crate) fn own(&self, call: &Call, name: &str) -> Answer<Target> {
        let (target, rows) = self.target(call, name, &call.operation)?;
        if target.account != call.caller.account || rows != Rows::All {
            let action = format!("cloudtrail:{}", call.operation);
            return Err(Fault::denied(
                &call.caller.arn,
                &action,
                name,
                "only the account that owns it may, and sees all of it",
            ));
        }
        if target.store.name == audit::NAME {
            return Err(Fault::new("OperationNotPermittedException", "The audit log is kept as it is."));
        }
        Ok(target)
    }

    /// Takes in what waits for the stores that the statement may be about: calls for the audit log, events of channels.
    pub(crate) async fn flush_if_named(&self, statement: &str) {
        self.flush_channels(Some(statement)).await;
        let named = self.store.event_data_store(audit::NAME).is_ok_and(|store| statement.contains(&store.id));
        if named || statement.contains(audit::NAME) {
            self.flush_audit().await;
        }
    }

    pub(crate) fn create_event_data_store(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let wanted: Wanted = call.input()?;
        let name = wanted.name.clone().unwrap_or_default();
        let management = || {
            let field = selector::FieldSelector {
                field: "eventCategory".to_owned(),
                equals: vec!["Management".to_owned()],
                ..selector::FieldSelector::default()
            };
            vec![AdvancedEventSelector {
                name: Some("Default management events".to_owned()),
                field_selectors: vec![field],
            }]
        };
        let selectors = wanted.advanced_event_selectors.clone().unwrap_or_else(management);
        let category = category_of(&selectors)?;
        let fixed = wanted.billing_mode.as_deref() == Some(FIXED);
        let mut settings = Settings {
            retention_days: Some(if fixed { 2557 } else { 366 }),
            selectors,
            ingesting: wanted.start_ingestion.unwrap_or(true),
            termination_protection: true,
            updated: call.now(),
            ..Settings::default()
        };
        wanted.apply(&mut settings, category)?;
        let tags = self.checked_tags(&wanted.tags_list)?;
        let id = uuid::Uuid::new_v4().to_string();
        let arn = format!("arn:aws:cloudtrail:{}:{}:eventdatastore/{id}", call.region, call.caller.account);
        let store = EventDataStore { id, arn, name: name.clone(), category };
        if !self.store.create_event_data_store(&store, &settings)? {
            return Err(taken(&name));
        }
        let target = Target::of(store, self.principals());
        self.put_tags(&target.arn, &tags)?;
        let mut answer = self.told(&target)?;
        answer["TagsList"] = json!(wanted.tags_list);
        Ok(answer.into())
    }

    pub(crate) fn get_event_data_store(&self, call: &Call) -> Answer<Reply> {
        let (target, _) = self.target(call, call.text("EventDataStore"), "GetEventDataStore")?;
        Ok(self.told(&target)?.into())
    }

    pub(crate) fn list_event_data_stores(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let mut listed = Vec::new();
        for target in self.targets()? {
            let by = |action: &str| self.rows_of(call, action, &target);
            let usable =
                by("cloudtrail:GetEventDataStore")? != Rows::None || by("cloudtrail:StartQuery")? != Rows::None;
            if usable {
                listed.push(json!({"EventDataStoreArn": target.arn, "Name": target.store.name}));
            }
        }
        let (page, token) = self.page(call, listed, LISTED)?;
        let mut answer = json!({"EventDataStores": page});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer.into())
    }

    pub(crate) fn update_event_data_store(&self, call: &Call) -> Answer<Reply> {
        let mut target = self.own(call, call.text("EventDataStore"))?;
        self.require_active(&target)?;
        let wanted: Wanted = call.input()?;
        let mut settings = self.store.settings(&target.store)?;
        wanted.apply(&mut settings, target.store.category)?;
        if let Some(name) = &wanted.name
            && *name != target.store.name
        {
            if !self.store.rename(&target.store, name)? {
                return Err(taken(name));
            }
            target.store.name.clone_from(name);
        }
        settings.updated = call.now();
        self.store.set(&target.store, &settings)?;
        Ok(self.told(&target)?.into())
    }

    pub(crate) fn delete_event_data_store(&self, call: &Call) -> Answer<Reply> {
        let target = self.own(call, call.text("EventDataStore"))?;
        self.require_active(&target)?;
        let mut settings = self.store.settings(&target.store)?;
        if settings.termination_protection {
            let message = "The event data store can't be deleted: termination protection is enabled for it.";
            return Err(Fault::new("EventDataStoreTerminationProtectedException", message));
        }
        if self.has_channel(&target)? {
            let message = "The event data store is in use by a channel; delete that first.";
            return Err(Fault::new("ChannelExistsForEDSException", message));
        }
        if self.imports.runs_into(&target.store.id) {
            let message = "An import into the event data store is in progress.";
            return Err(Fault::new("EventDataStoreHasOngoingImportException", message));
        }
        settings.deleted = Some(call.now());
        self.store.set(&target.store, &settings)?;
        Ok(json!({}).into())
    }

    pub(crate) fn restore_event_data_store(&self, call: &Call) -> Answer<Reply> {
        let target = self.own(call, call.text("EventDataStore"))?;
        let mut settings = self.store.settings(&target.store)?;
        if settings.deleted.take().is_none() {
            let message = "Only an event data store that is pending deletion can be restored.";
            return Err(Fault::new("InvalidEventDataStoreStatusException", message));
        }
        settings.updated = call.now();
        self.store.set(&target.store, &settings)?;
        Ok(self.told(&target)?.into())
    }

    /// StartEventDataStoreIngestion and StopEventDataStoreIngestion.
    pub(crate) fn set_ingestion(&self, call: &Call, ingesting: bool) -> Answer<Reply> {
        let target = self.own(call, call.text("EventDataStore"))?;
        let mut settings = self.store.settings(&target.store)?;
        if settings.deleted.is_some() || settings.ingesting == ingesting {
            let message = format!("The event data store is in the status {}.", status(&settings));
            return Err(Fault::new("InvalidEventDataStoreStatusException", message));
        }
        settings.ingesting = ingesting;
        settings.updated = call.now();
        self.store.set(&target.store, &settings)?;
        Ok(json!({}).into())
    }

    /// Events are kept whole, whatever their size; what Lake adds to them on request is not added here.
    pub(crate) fn get_event_configuration(&self, call: &Call) -> Answer<Reply> {
        match (call.text("EventDataStore"), call.text("TrailName")) {
            (name, "") if !name.is_empty() => {
                let (target, _) = self.target(call, name, "GetEventConfiguration")?;
                Ok(json!({"EventDataStoreArn": target.arn, "MaxEventSize": "Large", "ContextKeySelectors": []}).into())
            }
            ("", name) if !name.is_empty() => Err(Fault::new("TrailNotFoundException", "There are no trails here.")),
            _ => {
                let message = "Give either EventDataStore or TrailName.";
                Err(Fault::new("InvalidParameterCombinationException", message))
            }
        }
    }

    fn told(&self, target: &Target) -> Answer<Value> {
        let settings = self.store.settings(&target.store)?;
        let created = self.store.created(&target.store)?;
        let all = || match target.store.category {
            EventCategory::Insight => json!([all_of("Insight")]),
            EventCategory::ActivityAuditLog => json!([all_of("ActivityAuditLog")]),
            EventCategory::CloudTrail => json!(["Management", "Data", "NetworkActivity"].map(all_of)),
        };
        Ok(json!({
            "EventDataStoreArn": target.arn,
            "Name": target.store.name,
            "Status": status(&settings),
            "AdvancedEventSelectors": if settings.selectors.is_empty() { all() } else { json!(settings.selectors) },
            "MultiRegionEnabled": settings.multi_region,
            "OrganizationEnabled": settings.organization,
            "RetentionPeriod": settings.retention_days.unwrap_or(LONGEST),
            "TerminationProtectionEnabled": settings.termination_protection,
            "CreatedTimestamp": seconds(created),
            "UpdatedTimestamp": seconds(if settings.updated == 0 { created } else { settings.updated }),
            "BillingMode": if settings.billing_mode == FIXED { FIXED } else { EXTENDABLE },
        }))
    }

    /// Removes what has expired, and stores whose time to be restored is over.
    pub(crate) fn expire_stores(&self, now: i64) -> Answer<()> {
        for store in self.store.event_data_stores()? {
            let gone = self.store.settings(&store)?.deleted.is_some_and(|deleted| deleted + RESTORABLE < now);
            let removed =
                if gone { self.store.remove_event_data_store(&store) } else { self.store.expire(&store).map(|_| ()) };
            match removed {
                // What has expired is not seen anyway; it goes when nobody writes.
                Ok(()) | Err(cloudtarn_store::Error::Busy(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn all_of(category: &str) -> Value {
    json!({"Name": format!("All {category} events"), "FieldSelectors": [{"Field": "eventCategory", "Equals": [category]}]})
}
