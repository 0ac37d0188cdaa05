//! The grammar of object keys: what the name of a delivered file says before anyone opens it.
//!
//! ```text
//! [prefix/]AWSLogs/[o-id/]ACCOUNT/SERVICE/REGION/YYYY/MM/DD/FILE
//! ```
//!
//! Account trails lack the organization; Control Tower uses the organization's id as the prefix too. The prefix is
//! free text and may itself contain `AWSLogs`, so the grammar is read from the right. Nothing here allocates or
//! panics: a [`LogKey`] borrows from the key it was read from, and a name outside the grammar is `None`.
//! (CloudTrail User Guide, "Finding your CloudTrail log files" and "CloudTrail digest file structure".)
mod log_stream;

pub use log_stream::LogStream;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The folder under which every AWS service delivers its logs.
pub const ROOT: &str = "AWSLogs";

/// A day of the calendar, UTC. In a key it is the day of delivery, not of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The day, if the calendar has it; years 1970 to 9999.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let fits = (1970..=9999).contains(&year) && day >= 1 && day <= days_in(year, month);
        fits.then_some(Self { year, month, day })
    }

    /// The year, four digits.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// The day after, and the last day itself at the end of 9999.
    #[must_use]
    pub fn next(self) -> Self {
        let Self { year, month, day } = self;
        Self::new(year, month, day + 1)
            .or_else(|| Self::new(year, month + 1, 1))
            .or_else(|| Self::new(year + 1, 1, 1))
            .unwrap_or(self)
    }

    /// The day before, and the first day itself at the start of 1970.
    #[must_use]
    pub fn previous(self) -> Self {
        let Self { year, month, day } = self;
        Self::new(year, month, day - 1)
            .or_else(|| Self::new(year, month - 1, days_in(year, month - 1)))
            .or_else(|| Self::new(year - 1, 12, 31))
            .unwrap_or(self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A text that is not a day written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day of the calendar; write it as YYYY-MM-DD, for example 2026-05-31")]
pub struct NotADay;

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let mut parts = text.split('-');
        let day = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(year), Some(month), Some(day), None) => day_of(year, month, day),
            _ => None,
        };
        day.ok_or(NotADay)
    }
}

/// What a folder under an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `CloudTrail`: management and data events.
    CloudTrail,
    /// `CloudTrail-Insight`: Insights events.
    Insight,
    /// `CloudTrail-NetworkActivity`: events of VPC endpoints.
    NetworkActivity,
    /// `CloudTrail-Aggregated`: aggregated data events.
    Aggregated,
    /// `CloudTrail-Digest`: the hourly digests that sign the log files.
    Digest,
    /// Any other service's logs (AWS Config, flow logs, load balancers, results of Lake queries); [`LogKey::service`]
    /// says which.
    Other,
}

impl Kind {
    /// The kinds that CloudTrail delivers.
    pub const DELIVERED: [Self; 5] =
        [Self::CloudTrail, Self::Insight, Self::NetworkActivity, Self::Aggregated, Self::Digest];

    /// Those of them that hold events.
    pub const EVENTS: [Self; 4] = [Self::CloudTrail, Self::Insight, Self::NetworkActivity, Self::Aggregated];

    /// The kind that a folder under an account is for; [`Kind::Other`] when CloudTrail has no such folder.
    #[must_use]
    pub fn of_folder(name: &str) -> Self {
        Self::DELIVERED.into_iter().find(|kind| kind.folder() == Some(name)).unwrap_or(Self::Other)
    }

    /// The folder's name, which file names repeat; `None` for [`Kind::Other`].
    #[must_use]
    pub fn folder(self) -> Option<&'static str> {
        match self {
            Self::CloudTrail => Some("CloudTrail"),
            Self::Insight => Some("CloudTrail-Insight"),
            Self::NetworkActivity => Some("CloudTrail-NetworkActivity"),
            Self::Aggregated => Some("CloudTrail-Aggregated"),
            Self::Digest => Some("CloudTrail-Digest"),
            Self::Other => None,
        }
    }

    /// Whether files of this kind hold events.
    #[must_use]
    pub fn holds_events(self) -> bool {
        !matches!(self, Self::Digest | Self::Other)
    }
}

/// The moment in a file's name, UTC: of a log file the minute of delivery, of a digest the second its period ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Day of the calendar.
    pub day: Day,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59; 0 in the names of log files, which do not have it.
    pub second: u8,
}

/// The name of a delivered file. `Display` writes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileName<'a> {
    /// Twelve digits: the account whose events these are.
    pub account: &'a str,
    /// Never [`Kind::Other`].
    pub kind: Kind,
    /// The region as written.
    pub region: &'a str,
    /// When it was delivered, or for a digest the end of its period.
    pub time: Time,
    /// What follows the time.
    pub tail: Tail<'a>,
    /// What follows, dot included, such as `.json.gz`; empty when there is none.
    pub extension: &'a str,
}

/// The part of a file's name that differs between log files and digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail<'a> {
    /// A log file: letters and digits (16 of them as AWS writes it) that tell files of one minute apart.
    Log {
        /// The letters and digits.
        unique: &'a str,
    },
    /// A digest: the trail that it is about.
    Digest {
        /// The trail's name, which may contain underscores.
        trail: &'a str,
        /// The trail's home region.
        home_region: &'a str,
        /// Whether the digest was made afterwards; such digests form a chain of their own.
        backfill: bool,
    },
}

impl<'a> FileName<'a> {
    /// Reads the last segment of a key, or the name of a copied file.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        let (account, rest) = name.split_once('_')?;
        let (folder, rest) = rest.split_once('_')?;
        let (region, rest) = rest.split_once('_')?;
        let kind = Kind::of_folder(folder);
        if !is_account(account) || kind == Kind::Other || !is_region_segment(region) {
            return None;
        }
        let (time, tail, extension) = if kind == Kind::Digest { digest_tail(rest)? } else { log_tail(rest)? };
        Some(Self { account, kind, region, time, tail, extension })
    }
}

/// `YYYYMMDDTHHmmZ_UNIQUE.json.gz`; one documented name of old lacks the underscore.
fn log_tail(rest: &str) -> Option<(Time, Tail<'_>, &str)> {
    let (time, rest) = rest.split_at_checked("YYYYMMDDTHHmmZ".len())?;
    let rest = rest.strip_prefix('_').unwrap_or(rest);
    let (unique, extension) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
    let known = !unique.is_empty() && unique.bytes().all(|byte| byte.is_ascii_alphanumeric());
    known.then_some((time_of(time)?, Tail::Log { unique }, extension))
}

/// `TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ[_backfill].json.gz`, read from the right because of the trail's name.
fn digest_tail(rest: &str) -> Option<(Time, Tail<'_>, &str)> {
    let (before, last) = rest.rsplit_once('_')?;
    let (last, extension) = last.split_at(last.find('.').unwrap_or(last.len()));
    let backfill = last == "backfill";
    let (before, time) = if backfill { before.rsplit_once('_')? } else { (before, last) };
    let (trail, home_region) = before.rsplit_once('_')?;
    if time.len() != "YYYYMMDDTHHMMSSZ".len() || trail.is_empty() || !is_region_segment(home_region) {
        return None;
    }
    Some((time_of(time)?, Tail::Digest { trail, home_region, backfill }, extension))
}

impl fmt::Display for FileName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Time { day, hour, minute, second } = self.time;
        let folder = self.kind.folder().unwrap_or_default();
        let date = format!("{:04}{:02}{:02}", day.year, day.month, day.day);
        write!(f, "{}_{folder}_{}_", self.account, self.region)?;
        match self.tail {
            Tail::Log { unique } => write!(f, "{date}T{hour:02}{minute:02}Z_{unique}")?,
            Tail::Digest { trail, home_region, backfill } => {
                write!(f, "{trail}_{home_region}_{date}T{hour:02}{minute:02}{second:02}Z")?;
                f.write_str(if backfill { "_backfill" } else { "" })?;
            }
        }
        f.write_str(self.extension)
    }
}

/// The key of an object under `AWSLogs/`. `Display` writes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogKey<'a> {
    /// What comes before `AWSLogs/`, its slash included; empty when nothing does.
    pub prefix: &'a str,
    /// The organization's id (`o-…`) of an organization trail.
    pub organization: Option<&'a str>,
    /// Twelve digits.
    pub account: &'a str,
    /// What the files hold.
    pub kind: Kind,
    /// The folder under the account, such as `CloudTrail` or `vpcflowlogs`.
    pub service: &'a str,
    /// The region as written (see [`LogKey::region_name`]). Always there unless the kind is [`Kind::Other`].
    pub region: Option<&'a str>,
    /// The day of delivery. Always there unless the kind is [`Kind::Other`].
    pub day: Option<Day>,
    /// The rest of the key: the file's name, and for foreign files the folders before it.
    pub file: &'a str,
    /// What the file's name says; `None` if it does not follow CloudTrail's grammar.
    pub name: Option<FileName<'a>>,
}

impl<'a> LogKey<'a> {
    /// Reads a key. `None` for anything that is not an object under `[prefix/]AWSLogs/[o-id/]account/service/`, and for
    /// CloudTrail's own folders if region, day or file are missing.
    #[must_use]
    pub fn parse(key: &'a str) -> Option<Self> {
        // A prefix may contain the word too, hence the rightmost that is followed by an account.
        let mut end = key.len();
        while let Some(at) = key.get(..end)?.rfind(ROOT) {
            let begins = at == 0 || key.as_bytes().get(at - 1) == Some(&b'/');
            let rest = key.get(at + ROOT.len()..).and_then(|rest| rest.strip_prefix('/'));
            if let (true, Some(rest)) = (begins, rest)
                && let Some(found) = Self::parse_below(key.get(..at)?, rest)
            {
                return Some(found);
            }
            end = at;
        }
        None
    }

    fn parse_below(prefix: &'a str, rest: &'a str) -> Option<Self> {
        let (mut account, mut rest) = rest.split_once('/')?;
        let organization = is_organization(account).then_some(account);
        if organization.is_some() {
            (account, rest) = rest.split_once('/')?;
        }
        let (service, rest) = rest.split_once('/')?;
        if !is_account(account) || service.is_empty() || service == ROOT {
            return None;
        }
        let kind = Kind::of_folder(service);
        let (region, day, file) = match region_and_day(rest) {
            Some((region, day, file)) => (Some(region), Some(day), file),
            None if kind == Kind::Other => (None, None, rest),
            None => return None,
        };
        if file.is_empty() || file.ends_with('/') {
            return None;
        }
        let name = FileName::parse(file);
        Some(Self { prefix, organization, account, kind, service, region, day, file, name })
    }

    /// The moment in the file's name.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        self.name.map(|name| name.time)
    }

    /// The region as AWS spells it (see [`region_name`]).
    #[must_use]
    pub fn region_name(&self) -> Option<Cow<'a, str>> {
        self.region.map(region_name)
    }
}

/// `REGION/YYYY/MM/DD/REST`.
fn region_and_day(rest: &str) -> Option<(&str, Day, &str)> {
    let (region, rest) = rest.split_once('/')?;
    let (year, rest) = rest.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (day, rest) = rest.split_once('/')?;
    is_region_segment(region).then_some((region, day_of(year, month, day)?, rest))
}

impl fmt::Display for LogKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{ROOT}/", self.prefix)?;
        if let Some(organization) = self.organization {
            write!(f, "{organization}/")?;
        }
        write!(f, "{}/{}/", self.account, self.service)?;
        if let (Some(region), Some(day)) = (self.region, self.day) {
            write!(f, "{region}/{:04}/{:02}/{:02}/", day.year, day.month, day.day)?;
        }
        f.write_str(self.file)
    }
}

/// The region as AWS spells it: some copies of buckets have `us_east_1` for `us-east-1`.
#[must_use]
pub fn region_name(written: &str) -> Cow<'_, str> {
    if written.contains('_') { written.replace('_', "-").into() } else { written.into() }
}

/// Whether this is an account's id: twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is an organization's id: `o-` and 10 to 32 lower-case letters or digits.
#[must_use]
pub fn is_organization(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// Whether this is a region by its looks, without a list of them: `us-gov-east-1`, also `us_east_1`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let mut words = 0;
    let number = loop {
        match parts.next() {
            Some(word) if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                words += 1;
            }
            other => break other,
        }
    };
    let numbered = number.is_some_and(|n| (1..=2).contains(&n.len()) && n.bytes().all(|byte| byte.is_ascii_digit()));
    words >= 2 && numbered && parts.next().is_none()
}

/// Whether this may stand where a key has its region: lower-case letters, digits, `-`, `_`. The place decides and not a
/// list, so that regions and partitions to come need no new release.
#[must_use]
pub fn is_region_segment(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// The day that three folders' names make: four digits, two, two.
#[must_use]
pub fn day_of(year: &str, month: &str, day: &str) -> Option<Day> {
    let year = (year.len() == 4).then(|| digits(year))??;
    let month = (month.len() == 2).then(|| digits(month))??;
    let day = (day.len() == 2).then(|| digits(day))??;
    Day::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

/// `YYYYMMDDTHHmm[SS]Z`.
fn time_of(text: &str) -> Option<Time> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let day = day_of(date.get(..4)?, date.get(4..6)?, date.get(6..)?)?;
    let part = |range: std::ops::Range<usize>, most: u16| {
        let number = digits(clock.get(range)?)?;
        (number <= most).then(|| u8::try_from(number).ok())?
    };
    let second = match clock.len() {
        4 => 0,
        6 => part(4..6, 59)?,
        _ => return None,
    };
    Some(Time { day, hour: part(0..2, 23)?, minute: part(2..4, 59)?, second })
}

/// Decimal digits and nothing else (`str::parse` would take a sign).
fn digits(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
