//! What can be completed: stores, columns, fields, functions, and what the events themselves hold.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::datatypes::DataType;
use cloudtarn_query::Session;
use cloudtarn_record::EventCategory;
use cloudtarn_report::time::Zone;
use cloudtarn_report::{Scope, rows};
use cloudtarn_store::Store;
use tokio::runtime::Runtime;

use crate::location::Location;

/// Names as Lake's documentation writes them.
const SPELLINGS: &str = "eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode \
    errorMessage requestParameters responseElements additionalEventData requestID eventID readOnly eventType apiVersion managementEvent \
    recipientAccountId sharedEventID vpcEndpointId vpcEndpointAccountId serviceEventDetails edgeDeviceDetails insightDetails \
    eventCategory tlsDetails sessionCredentialFromConsole eventJson eventJsonChecksum eventContext principalId accountId accessKeyId \
    userName sessionContext creationDate mfaAuthenticated sessionIssuer webIdFederationData federatedProvider sourceIdentity \
    ec2RoleDelivery onBehalfOf userId identityStoreArn inScopeOf sourceArn sourceAccount issuerType invokedBy identityProvider \
    credentialId tlsVersion cipherSuite clientProvidedHostHeader keyExchange requestContext tagContext principalTags resourceTags \
    arnPrefix insightSource insightState insightEventSource insightEventName insightErrorCode insightType insightContext";

/// Columns whose frequent values help.
const VALUES: [&str; 8] = [
    "eventName",
    "eventSource",
    "awsRegion",
    "errorCode",
    "recipientAccountId",
    "userIdentity.type",
    "eventType",
    "userIdentity.arn",
];
const MAPS: [&str; 4] = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"];
const DAY: i64 = 86_400_000;

/// Everything to choose from.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) stores: Vec<String>,
    /// Paths of columns and fields, as Lake spells them.
    pub(super) columns: Vec<String>,
    pub(super) functions: Vec<&'static str>,
    /// Frequent values by column, and keys by map, in small letters; filled as the store is looked through.
    pub(super) values: RwLock<BTreeMap<String, Vec<String>>>,
}

impl Words {
    /// The words of a store; what its latest events hold is looked up meanwhile.
    pub(super) fn of(session: &Arc<Session>, runtime: &Runtime, location: &Location) -> Arc<Self> {
        let mut words =
            Self { functions: cloudtarn_functions::docs().map(|doc| doc.name).collect(), ..Self::default() };
        words.stores.push("$EDS_ID".to_owned());
        let mut since = None;
        // A shell over no store completes all but its stores.
        if let Ok(store) = location.folder().and_then(|folder| Ok(Store::open(&folder)?)) {
            let stores = store.event_data_stores().unwrap_or_default();
            words.stores.extend(stores.iter().flat_map(|s| [s.name.clone(), s.id.clone()]));
            let latest = store.standard(EventCategory::CloudTrail).and_then(|s| store.snapshot(&s));
            let times = latest.iter().flat_map(|s| s.files.iter()).map(|file| file.times());
            since = times.filter_map(|(_, last)| last).max().map(|last| last - DAY);
        }
        for field in EventCategory::CloudTrail.schema().fields() {
            columns("", field.name(), field.data_type(), &mut words.columns);
        }
        let words = Arc::new(words);
        if let Some(since) = since {
            runtime.spawn(look(Arc::clone(session), Arc::clone(&words), since));
        }
        words
    }

    /// Frequent values of a column or keys of a map.
    pub(super) fn values_of(&self, column: &str) -> Vec<String> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.get(&column.to_lowercase()).cloned().unwrap_or_default()
    }
}

fn spelling(name: &str) -> &str {
    SPELLINGS.split_whitespace().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
}

fn columns(parent: &str, name: &str, data_type: &DataType, out: &mut Vec<String>) {
    let path = format!("{parent}{}", spelling(name));
    if let DataType::Struct(fields) = data_type {
        for field in fields {
            columns(&format!("{path}."), field.name(), field.data_type(), out);
        }
    }
    out.push(path);
}

/// Looks through the last day of events for values and keys.
async fn look(session: Arc<Session>, words: Arc<Words>, since: i64) {
    let table = Scope { since: Some(since), ..Scope::default() }.table();
    let values = VALUES.iter().map(|column| {
        let sql = format!(
            "SELECT {column} FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 300"
        );
        (*column, sql)
    });
    let keys = MAPS.iter().map(|map| {
        let sql = format!(
            "SELECT k FROM (SELECT map_keys({map}) AS ks FROM {table}) CROSS JOIN UNNEST(ks) AS t (k) GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 500"
        );
        (*map, sql)
    });
    for (name, sql) in values.chain(keys) {
        // What cannot be looked up is not completed.
        let Ok(found) = rows(&session, "completion", &sql, Zone::UTC).await else { continue };
        let list = found.rows.iter().filter_map(|row| row.first()?.text()).collect();
        words.values.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_lowercase(), list);
    }
}
