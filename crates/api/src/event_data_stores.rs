//! Event data stores: made, told, changed, removed.

use cloudtarn_query::Rows;
use serde_json::{Value, json};

use crate::access::Target;
use crate::call::{Call, Reply};
use crate::fault::Answer;
use crate::service::Service;

/// Stores of a page.
const LISTED: usize = 1000;

impl Service {
    /// Refuses a store that is about to be deleted.
    pub(crate) fn require_active(&self, _target: &Target) -> Answer<()> {
        Ok(())
    }

    /// Takes in what waits for a store that the statement may be about.
    pub(crate) async fn flush_if_named(&self, _statement: &str) {}

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

    fn told(&self, target: &Target) -> Answer<Value> {
        Ok(json!({"EventDataStoreArn": target.arn, "Name": target.store.name, "Status": "ENABLED"}))
    }
}
