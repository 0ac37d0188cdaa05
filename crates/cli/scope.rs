//! Options for the part of the store that is asked about.

use anyhow::Result;
use cloudtarn_report::Scope;

use cloudtarn_report::time::Zone;

use crate::time::Span;

/// Which events count.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ScopeArgs {
    #[command(flatten)]
    span: Span,
    /// Only events of this account; may be given several times.
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    /// Only events of this region; may be given several times.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Event data store to ask, by name, id or ARN [default: the one of the first ingest]
    #[arg(long, value_name = "NAME")]
    eds: Option<String>,
}

impl ScopeArgs {
    pub(crate) fn resolve(&self, zone: Zone) -> Result<Scope> {
        let (since, until) = self.span.resolve(zone)?;
        Ok(Scope {
            event_data_store: self.eds.clone(),
            since,
            until,
            accounts: self.accounts.clone(),
            regions: self.regions.clone(),
        })
    }
}
