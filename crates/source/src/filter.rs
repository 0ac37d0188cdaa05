//! Which part of a source is wanted.
use crate::LogObject;
use cloudtarn_record::key::{Day, Kind, region_name};

/// Prunes a listing before it descends: folders that cannot hold anything wanted are never asked for.
///
/// What a name does not tell is not a reason to leave a file out: a file without a day in its name or folders passes
/// whatever the days, and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Account ids; empty for all.
    pub accounts: Vec<String>,
    /// Regions as AWS spells them (folders like `us_east_1` match too); empty for all.
    pub regions: Vec<String>,
    /// First day of delivery, inclusive.
    pub since: Option<Day>,
    /// Last day of delivery, inclusive. Files are delivered minutes to days after their events, so that who wants the
    /// events until a day adds slack.
    pub until: Option<Day>,
    /// What the files hold; empty for everything that CloudTrail delivers, digests included.
    pub kinds: Vec<Kind>,
}

impl Filter {
    pub(crate) fn account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|wanted| wanted == account)
    }

    pub(crate) fn region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|wanted| *wanted == region_name(region))
    }

    pub(crate) fn kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    pub(crate) fn year(&self, year: u16) -> bool {
        self.since.is_none_or(|day| day.year() <= year) && self.until.is_none_or(|day| year <= day.year())
    }

    pub(crate) fn month(&self, year: u16, month: u8) -> bool {
        let this = (year, month);
        self.since.is_none_or(|day| (day.year(), day.month()) <= this)
            && self.until.is_none_or(|day| this <= (day.year(), day.month()))
    }

    pub(crate) fn day(&self, this: Day) -> bool {
        self.since.is_none_or(|day| day <= this) && self.until.is_none_or(|day| this <= day)
    }

    /// Whether the object is wanted, by what its name and folders say.
    #[must_use]
    pub fn admits(&self, object: &LogObject) -> bool {
        object.account.as_deref().is_none_or(|account| self.account(account))
            && object.region.as_deref().is_none_or(|region| self.region(region))
            && object.day.is_none_or(|day| self.day(day))
            && object.kind.is_none_or(|kind| self.kind(kind))
    }
}
