//! CloudTrail's digest chain, offline: what a copy of a bucket still proves.
//!
//! ```text
//! store ──┐                  ┌─ digests: signatures, links, gaps ─┐
//!         ├─▶ groups ────────┤                                    ├──▶ findings, hours, regions
//! source ─┘  account, region └─ log files: hashes, names, places ─┘
//! ```
//!
//! [`Verifier`] takes one [`Group`] after the other, so that memory holds one account and region; [`of_store`] and
//! [`of_source`] make the groups. Every file gets a [`Finding`] with its verdict; [`Report`] sums them up.
//!
//! A signature proves itself, wherever it is found: in the object's metadata, in a file beside a copy, or in the digest
//! after it. So a copy without metadata is proven but for its newest digests, and whole replicas are proven wherever they
//! lie. Knows nothing of DataFusion, terminals, files of reports.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod chain;
mod error;
mod evidence;
mod finding;
mod from_source;
mod from_store;
mod logs;
mod place;
mod report;

pub use cloudtarn_store::{Object, Verdict};
pub use error::{Error, Result};
pub use evidence::{DigestEvidence, Group, LogEvidence, Seen, Unreadable};
pub use finding::{Counts, Finding};
pub use from_source::{Progress, of_source};
pub use from_store::{hours, of_store, refresh, row};
pub use report::{Ask, Hour, RegionReport, Report, Verifier};

pub(crate) use report::Expected;

use cloudtarn_record::key::Day;
use evidence::DAY;

/// Which part of the evidence is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Account ids; empty for all.
    pub accounts: Vec<String>,
    /// Regions as AWS spells them; empty for all.
    pub regions: Vec<String>,
    /// First day, inclusive.
    pub since: Option<Day>,
    /// Last day, inclusive; digests are then expected until its end.
    pub until: Option<Day>,
}

impl Scope {
    /// The first moment, UTC milliseconds.
    pub(crate) fn start(&self) -> i64 {
        self.since.map_or(i64::MIN, midnight)
    }

    /// The moment after the last.
    pub(crate) fn end(&self) -> i64 {
        self.until.map_or(i64::MAX, |day| midnight(day) + DAY)
    }

    pub(crate) fn has(&self, time: i64) -> bool {
        self.start() <= time && time < self.end()
    }

    /// Whether a digest's period is looked at: also the one after the last day, which names what came late.
    pub(crate) fn has_period(&self, start: i64, end: i64) -> bool {
        end > self.start() && start <= self.end()
    }

    pub(crate) fn has_group(&self, account: &str, region: &str) -> bool {
        let wanted =
            |list: &[String], this: &str| list.is_empty() || this.is_empty() || list.iter().any(|one| one == this);
        wanted(&self.accounts, account) && wanted(&self.regions, region)
    }
}

fn midnight(day: Day) -> i64 {
    use cloudtarn_record::timestamp::days_from_civil;
    days_from_civil(day.year().into(), day.month().into(), day.day().into()) * DAY
}
