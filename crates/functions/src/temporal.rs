//! Calendar arithmetic and time zones, as Trino's `java.time` does them: proleptic Gregorian, no leap seconds.

use chrono::{NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::{OffsetComponents as _, OffsetName as _, Tz};

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a civil date. The month is 1 to 12; the day may overflow into other months.
pub(crate) fn days_from_civil(year: i64, month: u32, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (i64::from(month) + 9) % 12;
    let doy = (153 * mp + 2) / 5;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468 + day - 1
}

/// Year, month and day of a day since 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// Whether February has 29 days.
pub(crate) fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

/// Days of a month.
pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Monday = 1 … Sunday = 7.
pub(crate) fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Day of the year, from 1.
pub(crate) fn day_of_year(days: i64) -> i64 {
    let (year, _, _) = civil_from_days(days);
    days - days_from_civil(year, 1, 1) + 1
}

/// ISO 8601 week-based year and week.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - iso_weekday(days) + 4;
    let (year, _, _) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// A date some months later, its day clamped to the month's last.
pub(crate) fn add_months(days: i64, months: i64) -> i64 {
    let (year, month, day) = civil_from_days(days);
    let total = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    days_from_civil(year, month, i64::from(day.min(days_in_month(year, month))))
}

/// Units of one second in Arrow's unit.
pub(crate) fn per_second(unit: arrow::datatypes::TimeUnit) -> i64 {
    use arrow::datatypes::TimeUnit;
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A time zone: an offset, or a region with its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// A region of the tz database.
    Region(Tz),
}

impl Zone {
    pub(crate) const UTC: Self = Self::Region(Tz::UTC);

    /// An offset from UTC in minutes, eastward.
    pub(crate) fn of_minutes(minutes: i32) -> Self {
        if minutes == 0 { Self::UTC } else { Self::Fixed(minutes * 60) }
    }

    /// Reads `UTC`, `Z`, `+05:45`, `-8`, `UTC+05:30`, `GMT-08:30`, `America/New_York`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(offset) = parse_offset(text) {
            return Some(if offset == 0 { Self::UTC } else { Self::Fixed(offset) });
        }
        if ["z", "utc", "gmt", "ut", "zulu", "uct", "gmt0", "greenwich"].contains(&text.to_ascii_lowercase().as_str())
            || text == "Etc/UTC"
            || text == "Etc/GMT"
            || text == "Etc/UCT"
            || text == "Etc/Zulu"
            || text == "Etc/Greenwich"
            || text == "Etc/Universal"
        {
            return Some(Self::UTC);
        }
        for prefix in ["UTC", "GMT", "UT", "Etc/"] {
            if let Some(rest) = text.strip_prefix(prefix)
                && let Some(offset) = parse_offset(rest)
                && prefix != "Etc/"
            {
                return Some(if offset == 0 { Self::UTC } else { Self::Fixed(offset) });
            }
        }
        text.parse::<Tz>().ok().map(Self::Region)
    }

    /// The name as Trino prints it: `UTC`, `+05:45`, `America/New_York`.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Fixed(seconds) => offset_text(seconds),
            Self::Region(tz) => tz.name().to_string(),
        }
    }

    /// Seconds east of UTC at an instant (seconds since 1970-01-01 UTC).
    pub(crate) fn offset_at(self, utc: i64) -> i32 {
        match self {
            Self::Fixed(seconds) => seconds,
            Self::Region(Tz::UTC) => 0,
            Self::Region(tz) => tz.offset_from_utc_datetime(&naive(utc)).fix().local_minus_utc(),
        }
    }

    /// The instant of a local time. In a gap the clock runs on by the gap's length, in an overlap the earlier instant
    /// is meant.
    pub(crate) fn to_utc(self, local: i64) -> i64 {
        match self {
            Self::Fixed(seconds) => local - i64::from(seconds),
            Self::Region(Tz::UTC) => local,
            Self::Region(tz) => match tz.offset_from_local_datetime(&naive(local)) {
                chrono::MappedLocalTime::Single(o) | chrono::MappedLocalTime::Ambiguous(o, _) => {
                    local - i64::from(o.fix().local_minus_utc())
                }
                chrono::MappedLocalTime::None => local - i64::from(self.offset_at(local - DAY)),
            },
        }
    }

    /// The abbreviation in force at an instant: `EST`, `UTC`, `+05:45`.
    pub(crate) fn abbreviation(self, utc: i64) -> String {
        match self {
            Self::Fixed(seconds) => offset_text(seconds),
            Self::Region(tz) => {
                let offset = tz.offset_from_utc_datetime(&naive(utc));
                let _ = offset.dst_offset();
                offset.abbreviation().map_or_else(|| offset_text(self.offset_at(utc)), str::to_string)
            }
        }
    }
}

/// `+05:45`, with seconds where the offset has some.
pub(crate) fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let s = seconds.unsigned_abs();
    if s.is_multiple_of(60) {
        format!("{sign}{:02}:{:02}", s / 3600, s / 60 % 60)
    } else {
        format!("{sign}{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// `±h`, `±hh`, `±h:mm`, `±hh:mm`, `±hhmm`, up to 14 hours, in seconds.
pub(crate) fn parse_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((h, m)) if m.len() == 2 => (h, m),
        Some(_) => return None,
        None if rest.len() == 4 => (rest.get(..2)?, rest.get(2..)?),
        None => (rest, "0"),
    };
    if hours.is_empty() || hours.len() > 2 || !hours.bytes().chain(minutes.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 14 * 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn naive(seconds: i64) -> NaiveDateTime {
    // chrono covers the years ±262,000; beyond them any offset is as good as the last.
    let clamped = seconds.clamp(-8_000_000_000_000, 8_000_000_000_000);
    chrono::DateTime::from_timestamp(clamped, 0).unwrap_or_default().naive_utc()
}

/// A timestamp read from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    /// Seconds since 1970-01-01 of the local time.
    pub(crate) seconds: i64,
    /// Fraction of a second, in picoseconds, truncated.
    pub(crate) picos: i64,
    /// Digits of the fraction as written.
    pub(crate) digits: u8,
    /// Text after the time, which names a zone.
    pub(crate) zone: Option<&'a str>,
}

struct Cursor<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let bytes = self.text.as_bytes();
        let start = self.pos;
        while self.pos < bytes.len() && self.pos - start < max && bytes[self.pos].is_ascii_digit() {
            self.pos += 1;
        }
        (self.pos - start >= min).then(|| self.text[start..self.pos].parse().ok()).flatten()
    }

    fn eat(&mut self, c: u8) -> bool {
        let found = self.text.as_bytes().get(self.pos) == Some(&c);
        self.pos += usize::from(found);
        found
    }

    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }
}

/// Reads `[+-]yyyy-m-d`; the year has at least four digits.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let text = text.trim();
    let mut cursor = Cursor { text, pos: 0 };
    let days = date_part(&mut cursor)?;
    cursor.rest().is_empty().then_some(days)
}

fn date_part(c: &mut Cursor<'_>) -> Option<i64> {
    let sign = if c.eat(b'-') {
        -1
    } else {
        c.eat(b'+');
        1
    };
    let year = sign * c.number(4, 9)?;
    if !c.eat(b'-') {
        return None;
    }
    let month = u32::try_from(c.number(1, 2)?).ok()?;
    if !c.eat(b'-') {
        return None;
    }
    let day = c.number(1, 2)?;
    ((1..=12).contains(&month) && day >= 1 && day <= i64::from(days_in_month(year, month)))
        .then(|| days_from_civil(year, month, day))
}

/// Seconds of the day, picoseconds and digits of `h:m[:s[.fraction]]`.
fn time_part(c: &mut Cursor<'_>) -> Option<(i64, i64, u8)> {
    let hour = c.number(1, 2)?;
    if !c.eat(b':') {
        return None;
    }
    let minute = c.number(1, 2)?;
    let (mut second, mut picos, mut digits) = (0, 0, 0);
    if c.eat(b':') {
        second = c.number(1, 2)?;
        if c.eat(b'.') {
            let bytes = c.text.as_bytes();
            let start = c.pos;
            while c.pos < bytes.len() && bytes[c.pos].is_ascii_digit() {
                c.pos += 1;
            }
            let count = c.pos - start;
            if count == 0 || count > 12 {
                return None;
            }
            digits = count as u8;
            picos = c.text[start..c.pos].parse::<i64>().ok()? * 10_i64.pow(12 - u32::from(digits));
        }
    }
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 3600 + minute * 60 + second, picos, digits))
}

/// Reads a time of day with an optional offset: seconds of the day, picoseconds, digits, zone text.
pub(crate) fn parse_time(text: &str) -> Option<Parsed<'_>> {
    let text = text.trim();
    let mut c = Cursor { text, pos: 0 };
    let (seconds, picos, digits) = time_part(&mut c)?;
    let zone = c.rest().trim();
    Some(Parsed { seconds, picos, digits, zone: (!zone.is_empty()).then_some(zone) })
}

/// Reads Trino's timestamp text: `yyyy-m-d[ h:m[:s[.fraction]]][ zone]`.
pub(crate) fn parse_timestamp(text: &str) -> Option<Parsed<'_>> {
    let text = text.trim();
    let mut c = Cursor { text, pos: 0 };
    let days = date_part(&mut c)?;
    let mut parsed = Parsed { seconds: days * DAY, picos: 0, digits: 0, zone: None };
    if c.rest().is_empty() {
        return Some(parsed);
    }
    if !c.eat(b' ') {
        return None;
    }
    let start = c.pos;
    if c.rest().as_bytes().first().is_some_and(u8::is_ascii_digit) {
        let (seconds, picos, digits) = time_part(&mut c)?;
        parsed.seconds += seconds;
        parsed.picos = picos;
        parsed.digits = digits;
    } else {
        c.pos = start;
    }
    let zone = c.rest().trim();
    parsed.zone = (!zone.is_empty()).then_some(zone);
    Some(parsed)
}

/// A fraction of a second in picoseconds, rounded half up to units of `1/per_second`.
pub(crate) fn scale_picos(picos: i64, per_second: i64) -> i64 {
    let unit = 1_000_000_000_000 / per_second;
    (picos + unit / 2) / unit
}

/// A value rounded half up to fewer digits of a second; the unit stays.
pub(crate) fn round_to(value: i64, per_second: i64, digits: u8) -> Option<i64> {
    let step = per_second / 10_i64.pow(u32::from(digits).min(9)).min(per_second);
    if step <= 1 {
        return Some(value);
    }
    value.checked_add(step / 2).map(|v| v.div_euclid(step) * step)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn civil_dates_round_trip() {
        for days in (-800_000..800_000).step_by(37) {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, i64::from(d)), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(19_723), (2024, 1, 1));
    }

    #[test]
    fn iso_weeks_at_the_turn_of_the_year() {
        assert_eq!(iso_week(days_from_civil(2021, 1, 3)), (2020, 53));
        assert_eq!(iso_week(days_from_civil(2018, 12, 31)), (2019, 1));
        assert_eq!(iso_weekday(days_from_civil(2023, 1, 1)), 7);
    }

    #[test]
    fn zones_gaps_and_overlaps() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let at = |y, m, d, h: i64, min: i64| days_from_civil(y, m, d) * DAY + h * 3600 + min * 60;
        // 02:30 does not exist on 31 March 2013: the clock reads 03:30, which is 01:30 UTC.
        assert_eq!(berlin.to_utc(at(2013, 3, 31, 2, 30)), at(2013, 3, 31, 1, 30));
        // 02:30 happens twice on 27 October 2013: the first is meant.
        assert_eq!(berlin.to_utc(at(2013, 10, 27, 2, 30)), at(2013, 10, 27, 0, 30));
        assert_eq!(Zone::parse("GMT-08:30").unwrap().name(), "-08:30");
        assert_eq!(Zone::parse("Z").unwrap().name(), "UTC");
        assert!(Zone::parse("+15:00").is_none() && Zone::parse("Mars/Olympus").is_none());
    }

    #[test]
    fn timestamps_are_read_as_trino_reads_them() {
        let p = parse_timestamp("2001-1-22 03:04:05.321 +07:09").unwrap();
        assert_eq!((p.picos, p.digits, p.zone), (321_000_000_000, 3, Some("+07:09")));
        assert!(parse_timestamp("2020-05-10T12:34:56").is_none());
        assert!(parse_timestamp("2022-01-00").is_none());
        assert!(parse_date("2013- 2-02").is_none());
    }
}
