//! Dashboards: widgets are queries with parameters, a refresh runs them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::{POLICY, TAGS, account_of};
use crate::call::{Call, Reply, seconds};
use crate::fault::{Answer, Fault};
use crate::queries::{LAST_RUN, alias_key};
use crate::service::{Service, read};
use crate::tags::Tag;

/// Kind of the documents, by ARN.
const DASHBOARD: &str = "dashboard";
const LISTED: usize = 1000;
/// Widgets of one dashboard, and dashboards of one account, as in Lake.
const WIDGETS: usize = 10;
const DASHBOARDS: usize = 100;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Widget {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    query_alias: String,
    query_statement: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    query_parameters: Vec<String>,
    view_properties: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Dashboard {
    arn: String,
    name: String,
    widgets: Vec<Widget>,
    schedule: Option<Value>,
    protected: bool,
    created: i64,
    updated: i64,
    refresh: Option<String>,
    failure: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted {
    name: Option<String>,
    widgets: Option<Vec<Widget>>,
    refresh_schedule: Option<Value>,
    termination_protection_enabled: Option<bool>,
    #[serde(default)]
    tags_list: Vec<Tag>,
}

impl Wanted {
    fn apply(self, dashboard: &mut Dashboard) -> Answer<()> {
        if self.refresh_schedule.as_ref().is_some_and(|schedule| schedule["Status"] != "DISABLED") {
            let message = "Dashboards are refreshed on request only: leave RefreshSchedule out, or disable it.";
            return Err(Fault::new("UnsupportedOperationException", message));
        }
        dashboard.schedule = self.refresh_schedule.or(dashboard.schedule.take());
        dashboard.protected = self.termination_protection_enabled.unwrap_or(dashboard.protected);
        if let Some(mut widgets) = self.widgets {
            if widgets.len() > WIDGETS {
                return Err(Fault::new(
                    "ServiceQuotaExceededException",
                    format!("A dashboard has {WIDGETS} widgets at most."),
                ));
            }
            for widget in &mut widgets {
                // Shows whether statement and parameters go together.
                cloudtarn_query::check(&widget.query_statement, &widget.query_parameters)
                    .map_err(|error| Fault::new("InvalidQueryStatementException", error.to_string()))?;
                widget.query_alias = format!("AWSCloudTrail-{}", uuid::Uuid::new_v4());
            }
            dashboard.widgets = widgets;
        }
        Ok(())
    }
}

impl Service {
    /// A dashboard of the caller's account, by ARN or name.
    fn dashboard(&self, call: &Call) -> Answer<Dashboard> {
        let name = call.text("DashboardId");
        let own = || format!("arn:aws:cloudtrail:{}:{}:dashboard/{name}", call.region, call.caller.account);
        let arn = if name.starts_with("arn:") { name.to_owned() } else { own() };
        if account_of(&arn) == call.caller.account {
            self.require(call, &arn)?;
        }
        let found: Option<Dashboard> = self.kept(DASHBOARD, &arn)?;
        let found = found.filter(|dashboard| account_of(&dashboard.arn) == call.caller.account);
        found.ok_or_else(|| Fault::new("ResourceNotFoundException", format!("The dashboard '{name}' was not found.")))
    }

    fn save_dashboard(&self, dashboard: &Dashboard) -> Answer<()> {
        self.keep(DASHBOARD, &dashboard.arn, account_of(&dashboard.arn), dashboard.created, dashboard)
    }

    pub(crate) fn create_dashboard(&self, call: &Call) -> Answer<Reply> {
        let wanted: Wanted = call.input()?;
        let name = wanted.name.clone().unwrap_or_default();
        let arn = format!("arn:aws:cloudtrail:{}:{}:dashboard/{name}", call.region, call.caller.account);
        self.require(call, &arn)?;
        if self.store.document(DASHBOARD, &arn)?.is_some() {
            return Err(Fault::new("ConflictException", format!("A dashboard with the name '{name}' already exists.")));
        }
        if self.store.documents(DASHBOARD, Some(&call.caller.account))?.len() >= DASHBOARDS {
            return Err(Fault::new(
                "ServiceQuotaExceededException",
                format!("An account has {DASHBOARDS} dashboards at most."),
            ));
        }
        let tags = self.checked_tags(&wanted.tags_list)?;
        let listed = json!(wanted.tags_list);
        let mut dashboard = Dashboard {
            arn,
            name,
            widgets: Vec::new(),
            schedule: None,
            protected: false,
            created: call.now(),
            updated: call.now(),
            refresh: None,
            failure: None,
        };
        wanted.apply(&mut dashboard)?;
        self.save_dashboard(&dashboard)?;
        self.put_tags(&dashboard.arn, &tags)?;
        let mut answer = told(&dashboard);
        answer["Name"] = json!(dashboard.name);
        answer["TagsList"] = listed;
        Ok(answer.into())
    }

    pub(crate) fn get_dashboard(&self, call: &Call) -> Answer<Reply> {
        let dashboard = self.dashboard(call)?;
        let mut answer = told(&dashboard);
        answer["Status"] = json!(if dashboard.updated == dashboard.created { "CREATED" } else { "UPDATED" });
        answer["CreatedTimestamp"] = seconds(dashboard.created);
        answer["UpdatedTimestamp"] = seconds(dashboard.updated);
        if let Some(refresh) = &dashboard.refresh {
            answer["LastRefreshId"] = json!(refresh);
        }
        if let Some(failure) = &dashboard.failure {
            answer["LastRefreshFailureReason"] = json!(failure);
        }
        Ok(answer.into())
    }

    pub(crate) fn list_dashboards(&self, call: &Call) -> Answer<Reply> {
        self.require(call, "*")?;
        let (prefix, kind) = (call.text("NamePrefix"), call.text("Type"));
        let all = self.store.documents(DASHBOARD, Some(&call.caller.account))?;
        let listed: Vec<Value> = all
            .iter()
            .filter_map(read::<Dashboard>)
            .filter(|dashboard| dashboard.name.starts_with(prefix) && kind != "MANAGED")
            .map(|dashboard| json!({"DashboardArn": dashboard.arn, "Type": "CUSTOM"}))
            .collect();
        let (page, token) = self.page(call, listed, LISTED)?;
        let mut answer = json!({"Dashboards": page});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer.into())
    }

    pub(crate) fn update_dashboard(&self, call: &Call) -> Answer<Reply> {
        let mut dashboard = self.dashboard(call)?;
        call.input::<Wanted>()?.apply(&mut dashboard)?;
        dashboard.updated = call.now().max(dashboard.created + 1);
        self.save_dashboard(&dashboard)?;
        let mut answer = told(&dashboard);
        answer["Name"] = json!(dashboard.name);
        answer["CreatedTimestamp"] = seconds(dashboard.created);
        answer["UpdatedTimestamp"] = seconds(dashboard.updated);
        Ok(answer.into())
    }

    pub(crate) fn delete_dashboard(&self, call: &Call) -> Answer<Reply> {
        let dashboard = self.dashboard(call)?;
        if dashboard.protected {
            let message = "The dashboard can't be deleted: termination protection is enabled for it.";
            return Err(Fault::new("ConflictException", message));
        }
        for kind in [DASHBOARD, TAGS, POLICY] {
            self.store.remove_document(kind, &dashboard.arn)?;
        }
        Ok(json!({}).into())
    }

    /// Starts the query of every widget; they are described by their alias and the refresh.
    pub(crate) async fn start_dashboard_refresh(self: &Arc<Self>, call: &Call) -> Answer<Reply> {
        let mut dashboard = self.dashboard(call)?;
        let values: BTreeMap<String, String> = call
            .input
            .get("QueryParameterValues")
            .and_then(|values| serde_json::from_value(values.clone()).ok())
            .unwrap_or_default();
        // 10 to 20 digits.
        let refresh = call.time.timestamp_micros().to_string();
        dashboard.failure = None;
        for widget in &dashboard.widgets {
            let filled: Vec<String> =
                widget.query_parameters.iter().map(|name| values.get(name).unwrap_or(name).clone()).collect();
            let started = self.start(call, widget.query_statement.clone(), filled, None, None).await;
            match started {
                Ok(run) => {
                    for refresh in ["", &refresh] {
                        let key = alias_key(&call.caller.account, &widget.query_alias, refresh);
                        self.keep(LAST_RUN, &key, "", call.now(), &run.id)?;
                    }
                }
                Err(fault) if fault.code == "MaxConcurrentQueriesException" => {
                    return Err(Fault::new("ServiceQuotaExceededException", fault.message));
                }
                Err(fault) => dashboard.failure = Some(fault.message.chars().take(1000).collect()),
            }
        }
        dashboard.refresh = Some(refresh.clone());
        self.save_dashboard(&dashboard)?;
        Ok(json!({"RefreshId": refresh}).into())
    }

    /// The statement of a widget, for StartQuery by its alias.
    pub(crate) fn widget_statement(&self, call: &Call, alias: &str) -> Answer<Option<String>> {
        let all = self.store.documents(DASHBOARD, Some(&call.caller.account))?;
        let widgets = all.iter().filter_map(read::<Dashboard>).flat_map(|dashboard| dashboard.widgets);
        Ok(widgets.into_iter().find(|widget| widget.query_alias == alias).map(|widget| widget.query_statement))
    }
}

fn told(dashboard: &Dashboard) -> Value {
    let mut answer = json!({
        "DashboardArn": dashboard.arn,
        "Type": "CUSTOM",
        "Widgets": dashboard.widgets,
        "TerminationProtectionEnabled": dashboard.protected,
    });
    if let Some(schedule) = &dashboard.schedule {
        answer["RefreshSchedule"] = schedule.clone();
    }
    answer
}
