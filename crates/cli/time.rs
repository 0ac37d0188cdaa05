//! Options for times, the same in every command.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use cloudtarn_report::time::{Moment, Zone};
use cloudtarn_source::Day;

/// The display zone's option.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ZoneArg {
    /// Zone of the times shown, and of times written without one: UTC, local, Europe/Berlin, +02:00.
    #[arg(long, value_name = "ZONE", default_value = "UTC", hide_default_value = true)]
    pub(crate) timezone: Zone,
}

/// The options for a span of time.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Span {
    /// Only events of this time or later: a day, an instant, or `7d` for the last seven days.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only events before this time; a day or month counts wholly.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

impl Span {
    /// First instant that counts and first that no longer does, in UTC milliseconds.
    ///
    /// # Errors
    /// Where nothing lies between.
    pub(crate) fn resolve(self, zone: Zone) -> Result<(Option<i64>, Option<i64>)> {
        let now = chrono::Utc::now().timestamp_millis();
        let since = self.since.map(|moment| moment.begin(zone, now));
        let until = self.until.map(|moment| moment.end(zone, now));
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            bail!("no time lies between --since ({}) and --until ({})", zone.show(since), zone.show(until));
        }
        Ok((since, until))
    }
}

/// The options for a span of whole days (UTC), where files are kept by day.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Days {
    /// Only from the day (UTC) of this time on: a day, an instant, or `7d` for the last seven days.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only until the end of the day (UTC) of this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

impl Days {
    /// First and last day.
    ///
    /// # Errors
    /// Where nothing lies between, or a time is out of range.
    pub(crate) fn resolve(self) -> Result<(Option<Day>, Option<Day>)> {
        let (since, until) = Span { since: self.since, until: self.until }.resolve(Zone::UTC)?;
        Ok((since.map(day).transpose()?, until.map(|until| day(until - 1)).transpose()?))
    }
}

/// The UTC day of an instant in milliseconds.
fn day(millis: i64) -> Result<Day> {
    let time = chrono::DateTime::from_timestamp_millis(millis).context("the time is out of range")?;
    Ok(Day::from_str(&time.format("%Y-%m-%d").to_string())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_span_holds_something() {
        let span = |since: &str, until: &str| Span { since: since.parse().ok(), until: until.parse().ok() };
        assert!(span("2026-01-02", "2026-01-01").resolve(Zone::UTC).is_err());
        assert!(span("2026-01-01", "2026-01-01").resolve(Zone::UTC).is_ok());
    }

    #[test]
    fn days_are_whole() {
        let days = |since: &str, until: &str| {
            let days = Days { since: since.parse().ok(), until: until.parse().ok() }.resolve().unwrap();
            (days.0.unwrap().to_string(), days.1.unwrap().to_string())
        };
        assert_eq!(days("2026-01-01", "2026-01-03"), ("2026-01-01".to_owned(), "2026-01-03".to_owned()));
        assert_eq!(
            days("2026-01-01T13:00:00Z", "2026-01-03T00:00:01Z"),
            ("2026-01-01".to_owned(), "2026-01-03".to_owned())
        );
    }
}
