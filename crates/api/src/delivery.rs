//! Results in a folder or bucket, in Lake's own layout.
use std::sync::Arc;

use crate::fault::{Answer, Fault};
use crate::run::Run;
use crate::service::Service;

impl Service {
    pub(crate) fn check_delivery(&self, _uri: &str) -> Answer<()> {
        Err(Fault::new("UnsupportedOperationException", "Delivery is not supported."))
    }
    pub(crate) async fn deliver(self: &Arc<Self>, _run: &mut Run) {}
}
