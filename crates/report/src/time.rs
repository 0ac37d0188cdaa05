//! Times as people write them, the same in every command; and the zone in which times are shown.

use std::str::FromStr;

use chrono::{DateTime, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};

/// What every command says about times.
pub const FORMS: &str = "Times: 2026-01-31, 2026-01, 2026-01-31T10:00, 2026-01-31T10:00:00Z, 2026-01-31 10:00 +02:00, \
today, yesterday, now, 90m, 24h, 7d, 2w (that long ago).";

/// A time as it was written; days and clocks are of the zone that is shown, UTC unless --timezone says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// UTC milliseconds since 1970.
    Instant(i64),
    /// A clock without a zone.
    Local(NaiveDateTime),
    /// A day.
    Day(NaiveDate),
    /// A month, by its first day.
    Month(NaiveDate),
    /// So many days before today.
    DaysBefore(u64),
    /// So many milliseconds ago.
    Ago(i64),
}

/// The zone of times without one, and of those shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Of the IANA database.
    Named(chrono_tz::Tz),
    /// An offset from UTC.
    Fixed(FixedOffset),
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Named(chrono_tz::Tz::UTC);

    /// `2026-01-31 11:00:00.000`, with ` +01:00` where the zone is not UTC.
    pub fn show(self, millis: i64) -> String {
        let Some(utc) = DateTime::from_timestamp_millis(millis) else { return millis.to_string() };
        if self == Self::UTC {
            return utc.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
        }
        utc.with_timezone(&self.offset(&utc.naive_utc())).format("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
    }

    fn offset(self, utc: &NaiveDateTime) -> FixedOffset {
        match self {
            Self::Named(zone) => zone.offset_from_utc_datetime(utc).fix(),
            Self::Fixed(offset) => offset,
        }
    }

    /// The instant of a clock; the earlier one where clocks went back, the next that was where they went forward.
    fn instant(self, local: NaiveDateTime) -> i64 {
        let millis = |time: DateTime<FixedOffset>| time.timestamp_millis();
        let found = match self {
            Self::Fixed(offset) => offset.from_local_datetime(&local).earliest().map(millis),
            Self::Named(zone) => {
                let later = |hours| zone.from_local_datetime(&(local + TimeDelta::hours(hours))).earliest();
                (0..3).find_map(later).map(|time| time.timestamp_millis())
            }
        };
        found.unwrap_or_else(|| local.and_utc().timestamp_millis())
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Ok(zone) = text.parse() {
            return Ok(Self::Named(zone));
        }
        if text.eq_ignore_ascii_case("local") {
            return Ok(Self::Fixed(*chrono::Local::now().offset()));
        }
        text.parse::<FixedOffset>()
            .map(Self::Fixed)
            .map_err(|_| format!("`{text}` is no zone: write for instance UTC, local, Europe/Berlin or +02:00"))
    }
}

impl Moment {
    /// The instant at which it begins.
    pub fn begin(self, zone: Zone, now: i64) -> i64 {
        match self {
            Self::Instant(millis) => millis,
            Self::Ago(millis) => now.saturating_sub(millis),
            Self::Local(local) => zone.instant(local),
            Self::Day(day) | Self::Month(day) => zone.instant(day.and_time(NaiveTime::MIN)),
            Self::DaysBefore(days) => {
                let today = DateTime::from_timestamp_millis(now).unwrap_or_default().naive_utc();
                let today = (today + zone.offset(&today)).date();
                Self::Day(today.checked_sub_days(Days::new(days)).unwrap_or(today)).begin(zone, now)
            }
        }
    }

    /// The instant at which it is over: the same one, except for days and months.
    pub fn end(self, zone: Zone, now: i64) -> i64 {
        match self {
            Self::Day(day) => Self::Day(day.succ_opt().unwrap_or(day)).begin(zone, now),
            Self::Month(day) => Self::Day(day.checked_add_months(Months::new(1)).unwrap_or(day)).begin(zone, now),
            Self::DaysBefore(0) => Self::DaysBefore(0).begin(zone, now).saturating_add(86_400_000),
            Self::DaysBefore(days) => Self::DaysBefore(days - 1).begin(zone, now),
            other => other.begin(zone, now),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "now" => return Ok(Self::Ago(0)),
            "today" => return Ok(Self::DaysBefore(0)),
            "yesterday" => return Ok(Self::DaysBefore(1)),
            _ => {}
        }
        let found = ago(text).or_else(|| absolute(text));
        found.ok_or_else(|| format!("`{text}` is no time. {FORMS}"))
    }
}

/// `7d`, `T-7d`, `-7d`, `7 days ago`.
fn ago(text: &str) -> Option<Moment> {
    let text = text.strip_prefix("T-").or_else(|| text.strip_prefix('-')).unwrap_or(text);
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let unit = unit.strip_suffix("ago").unwrap_or(unit).trim();
    let seconds = match unit {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    };
    Some(Moment::Ago(number.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1000)?))
}

fn absolute(text: &str) -> Option<Moment> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Moment::Instant(time.timestamp_millis()));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return (text.len() == 10).then_some(Moment::Day(day));
    }
    if text.len() == 7
        && let Ok(day) = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
    {
        return Some(Moment::Month(day));
    }
    let (day, rest) = text.split_at_checked(10)?;
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
    let (clock, zone) = (&rest[..end], rest[end..].trim());
    let time = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(clock, form).ok())?;
    let local = day.and_time(time);
    match zone {
        "" => Some(Moment::Local(local)),
        "Z" | "z" | "UTC" => Some(Moment::Instant(local.and_utc().timestamp_millis())),
        zone => Some(Moment::Instant(zone.parse::<Zone>().ok()?.instant(local))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2026-03-10 15:30:00 UTC.
    const NOW: i64 = 1_773_156_600_000;

    fn span(text: &str, zone: &str) -> (String, String) {
        let (moment, zone): (Moment, Zone) = (text.parse().unwrap(), zone.parse().unwrap());
        (Zone::UTC.show(moment.begin(zone, NOW)), Zone::UTC.show(moment.end(zone, NOW)))
    }

    #[test]
    fn every_form_is_read() {
        let instant = |text: &str, at: &str| assert_eq!(span(text, "UTC"), (at.to_owned(), at.to_owned()), "{text}");
        instant("2026-01-31T10:00:00Z", "2026-01-31 10:00:00.000");
        instant("2026-01-31T10:00:00.5+02:00", "2026-01-31 08:00:00.500");
        instant("2026-01-31 10:00", "2026-01-31 10:00:00.000");
        instant("2026-01-31 10:00 +0200", "2026-01-31 08:00:00.000");
        instant("2026-01-31T10:00:00.250", "2026-01-31 10:00:00.250");
        instant("now", "2026-03-10 15:30:00.000");
        for text in ["7d", "T-7d", "-7d", "1w", "168h", "7 days ago", "10080m"] {
            instant(text, "2026-03-03 15:30:00.000");
        }
        let day = |text: &str, from: &str, to: &str| {
            assert_eq!(span(text, "UTC"), (format!("{from} 00:00:00.000"), format!("{to} 00:00:00.000")), "{text}");
        };
        day("2026-01-31", "2026-01-31", "2026-02-01");
        day("2026-02", "2026-02-01", "2026-03-01");
        day("today", "2026-03-10", "2026-03-11");
        day("yesterday", "2026-03-09", "2026-03-10");
    }

    #[test]
    fn days_are_of_the_zone() {
        assert_eq!(span("2026-03-29", "Europe/Berlin").0, "2026-03-28 23:00:00.000");
        assert_eq!(span("2026-03-29", "Europe/Berlin").1, "2026-03-29 22:00:00.000");
        assert_eq!(span("2026-03-29T02:30", "Europe/Berlin").0, "2026-03-29 01:30:00.000");
        assert_eq!(span("2026-01-31T10:00", "+05:30").0, "2026-01-31 04:30:00.000");
        assert_eq!(span("today", "Asia/Tokyo").0, "2026-03-10 15:00:00.000");
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(berlin.show(NOW), "2026-03-10 16:30:00.000 +01:00");
    }

    #[test]
    fn malformed_times_are_refused() {
        for text in [
            "",
            "7",
            "d",
            "7y",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-1-1",
            "01.02.2026",
            "2026-01-31T25:00",
            "tomorrow",
            "2026-01-31T10:00 Nowhere",
            "99999999999999999999d",
            "9223372036854775807w",
            "2026-01-31Tx",
            "ä026-01-31T10:00",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert!("Middle/Earth".parse::<Zone>().is_err());
    }
}
