//! Options for times, the same in every command.

use anyhow::{Result, bail};
use cloudtarn_report::time::{Moment, Zone};

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
}
