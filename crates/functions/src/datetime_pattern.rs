//! The two pattern languages for dates: MySQL's (`date_format`, `date_parse`) and Joda's (`format_datetime`,
//! `parse_datetime`), compiled once to a list of items.

use std::fmt::Write as _;

use datafusion_common::Result;

use crate::scalar::invalid;
use crate::temporal::{
    DAY, Zone, civil_from_days, day_of_year, days_from_civil, days_in_month, is_leap, iso_week, iso_weekday,
    offset_text, parse_offset,
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A numeric part of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Century,
    Year,
    TwoDigitYear,
    Weekyear,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    Hour,
    ClockhourOfDay,
    HourOfHalfday,
    ClockhourOfHalfday,
    Minute,
    Second,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    Number { field: Field, min: usize, max: usize },
    MonthText { long: bool },
    DayText { long: bool },
    Halfday,
    Era,
    Fraction { min: usize, max: usize },
    Offset { colon: bool },
    ZoneId,
    ZoneName,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    items: Vec<Item>,
}

/// What a text gave when parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Local milliseconds since 1970-01-01.
    pub(crate) millis: i64,
    /// The zone that the text named.
    pub(crate) zone: Option<Zone>,
}

impl Pattern {
    /// Compiles a MySQL pattern.
    ///
    /// # Errors
    /// `INVALID_FUNCTION_ARGUMENT` for `%D %U %u %V %w %X`, which Trino does not support.
    pub(crate) fn mysql(pattern: &str) -> Result<Self> {
        let mut items = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                literal(&mut items, c);
                continue;
            }
            let Some(code) = chars.next() else { break };
            let two = |field| Item::Number { field, min: 2, max: 2 };
            match code {
                'a' => items.push(Item::DayText { long: false }),
                'b' => items.push(Item::MonthText { long: false }),
                'c' => items.push(Item::Number { field: Field::Month, min: 1, max: 2 }),
                'd' => items.push(two(Field::Day)),
                'e' => items.push(Item::Number { field: Field::Day, min: 1, max: 2 }),
                'f' => items.push(Item::Fraction { min: 6, max: 9 }),
                'H' => items.push(two(Field::Hour)),
                'h' | 'I' => items.push(two(Field::ClockhourOfHalfday)),
                'i' => items.push(two(Field::Minute)),
                'j' => items.push(Item::Number { field: Field::DayOfYear, min: 3, max: 3 }),
                'k' => items.push(Item::Number { field: Field::Hour, min: 1, max: 2 }),
                'l' => items.push(Item::Number { field: Field::ClockhourOfHalfday, min: 1, max: 2 }),
                'M' => items.push(Item::MonthText { long: true }),
                'm' => items.push(two(Field::Month)),
                'p' => items.push(Item::Halfday),
                'r' | 'T' => {
                    items.push(two(if code == 'r' { Field::ClockhourOfHalfday } else { Field::Hour }));
                    literal(&mut items, ':');
                    items.push(two(Field::Minute));
                    literal(&mut items, ':');
                    items.push(two(Field::Second));
                    if code == 'r' {
                        literal(&mut items, ' ');
                        items.push(Item::Halfday);
                    }
                }
                'S' | 's' => items.push(two(Field::Second)),
                'v' => items.push(two(Field::Week)),
                'x' => items.push(Item::Number { field: Field::Weekyear, min: 4, max: 4 }),
                'W' => items.push(Item::DayText { long: true }),
                'Y' => items.push(Item::Number { field: Field::Year, min: 4, max: 4 }),
                'y' => items.push(Item::Number { field: Field::TwoDigitYear, min: 2, max: 2 }),
                'w' | 'U' | 'u' | 'V' | 'X' | 'D' => {
                    return invalid(format!("%{code} not currently supported in date format string"));
                }
                other => literal(&mut items, other),
            }
        }
        Ok(Self { items })
    }

    /// Compiles a Joda pattern.
    ///
    /// # Errors
    /// `INVALID_FUNCTION_ARGUMENT` for a letter that means nothing.
    pub(crate) fn joda(pattern: &str) -> Result<Self> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut items = Vec::new();
        let mut i = 0;
        while i < chars.len() {
            let c = chars[i];
            if c == '\'' {
                i = quoted(&chars, i + 1, &mut items);
                continue;
            }
            if !c.is_ascii_alphabetic() {
                literal(&mut items, c);
                i += 1;
                continue;
            }
            let n = chars[i..].iter().take_while(|x| **x == c).count();
            i += n;
            // A number directly followed by another one takes no more digits than it has letters.
            let adjacent = chars.get(i).is_some_and(|next| "CYxywWeDdHhKkmsS".contains(*next) || (*next == 'M'));
            let year = |field| Item::Number { field, min: n, max: if adjacent { n } else { 9 } };
            let number = |field, most: usize| Item::Number { field, min: n, max: most.max(n) };
            items.push(match c {
                'G' => Item::Era,
                'C' => number(Field::Century, 2),
                'y' | 'Y' | 'x' if n == 2 => Item::Number { field: Field::TwoDigitYear, min: 2, max: 2 },
                'y' | 'Y' => year(Field::Year),
                'x' => year(Field::Weekyear),
                'M' if n >= 3 => Item::MonthText { long: n >= 4 },
                'M' => number(Field::Month, 2),
                'w' => number(Field::Week, 2),
                'd' => number(Field::Day, 2),
                'D' => number(Field::DayOfYear, 3),
                'e' => number(Field::DayOfWeek, 1),
                'E' => Item::DayText { long: n >= 4 },
                'a' => Item::Halfday,
                'H' => number(Field::Hour, 2),
                'k' => number(Field::ClockhourOfDay, 2),
                'K' => number(Field::HourOfHalfday, 2),
                'h' => number(Field::ClockhourOfHalfday, 2),
                'm' => number(Field::Minute, 2),
                's' => number(Field::Second, 2),
                'S' => Item::Fraction { min: n, max: n },
                'z' => Item::ZoneName,
                'Z' if n >= 3 => Item::ZoneId,
                'Z' => Item::Offset { colon: n == 2 },
                other => return invalid(format!("Illegal pattern component: {other}")),
            });
        }
        Ok(Self { items })
    }

    /// Seconds of local time, from a multiple of them on, in which nothing changes but what a zone's offset changes; `None` where
    /// fractions or names of zones are told.
    pub(crate) fn unit(&self) -> Option<i64> {
        let of = |item: &Item| match item {
            Item::Fraction { .. } | Item::ZoneName => None,
            Item::Number { field: Field::Second, .. } => Some(1),
            Item::Number { field: Field::Minute, .. } => Some(60),
            Item::Halfday
            | Item::Number {
                field: Field::Hour | Field::ClockhourOfDay | Field::HourOfHalfday | Field::ClockhourOfHalfday,
                ..
            } => Some(3600),
            _ => Some(DAY),
        };
        self.items.iter().map(of).try_fold(DAY, |least, unit| Some(least.min(unit?)))
    }

    /// Appends a moment: local seconds, nanoseconds, and for patterns that show it the zone and its offset.
    pub(crate) fn format(&self, seconds: i64, nanos: i64, zone: Option<(&Zone, i32)>, out: &mut String) {
        let days = seconds.div_euclid(DAY);
        let clock = seconds.rem_euclid(DAY);
        let (year, month, day) = civil_from_days(days);
        let hour = clock / 3600;
        for item in &self.items {
            let _ = match item {
                Item::Literal(text) => write!(out, "{text}"),
                Item::Number { field, min, .. } => {
                    let value = match field {
                        Field::Century => year / 100,
                        Field::Year => year,
                        Field::TwoDigitYear => year.rem_euclid(100),
                        Field::Weekyear => iso_week(days).0,
                        Field::Month => i64::from(month),
                        Field::Week => iso_week(days).1,
                        Field::Day => i64::from(day),
                        Field::DayOfYear => day_of_year(days),
                        Field::DayOfWeek => iso_weekday(days),
                        Field::Hour => hour,
                        Field::ClockhourOfDay => (hour + 23) % 24 + 1,
                        Field::HourOfHalfday => hour % 12,
                        Field::ClockhourOfHalfday => (hour + 11) % 12 + 1,
                        Field::Minute => clock / 60 % 60,
                        Field::Second => clock % 60,
                    };
                    if value < 0 {
                        out.push('-');
                    }
                    write!(out, "{:0min$}", value.unsigned_abs())
                }
                Item::MonthText { long } => {
                    let name = MONTHS[(month as usize + 11) % 12];
                    write!(out, "{}", if *long { name } else { &name[..3] })
                }
                Item::DayText { long } => {
                    let name = DAYS[(iso_weekday(days) as usize + 6) % 7];
                    write!(out, "{}", if *long { name } else { &name[..3] })
                }
                Item::Halfday => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
                Item::Era => write!(out, "{}", if year > 0 { "AD" } else { "BC" }),
                Item::Fraction { min, max } => {
                    let digits = format!("{nanos:09}");
                    let used = digits.trim_end_matches('0').len().clamp((*min).min(9), (*max).min(9));
                    let padding = "0".repeat(min.saturating_sub(9));
                    write!(out, "{}{padding}", &digits[..used])
                }
                Item::Offset { colon } => {
                    let text = offset_text(zone.map_or(0, |(_, o)| o));
                    write!(out, "{}", if *colon { text } else { text.replace(':', "") })
                }
                Item::ZoneId => write!(out, "{}", zone.map_or_else(|| "UTC".into(), |(z, _)| z.name())),
                Item::ZoneName => {
                    let name = zone.map_or_else(|| "UTC".into(), |(z, o)| z.abbreviation(seconds - i64::from(o)));
                    write!(out, "{name}")
                }
            };
        }
    }

    /// Reads a text that follows the pattern from its first to its last character.
    pub(crate) fn parse(&self, text: &str) -> Option<Moment> {
        let mut rest = text;
        let mut fields = Fields::default();
        for item in &self.items {
            match item {
                Item::Literal(expected) => rest = strip_ignore_case(rest, expected)?,
                Item::Number { field, max, .. } => {
                    let signed = matches!(field, Field::Year | Field::Weekyear);
                    let (negative, digits) = match rest.as_bytes().first()? {
                        b'-' if signed => (true, &rest[1..]),
                        b'+' if signed => (false, &rest[1..]),
                        _ => (false, rest),
                    };
                    let len = digits.bytes().take(*max).take_while(u8::is_ascii_digit).count();
                    if len == 0 {
                        return None;
                    }
                    let mut value: i64 = digits[..len].parse().ok()?;
                    rest = &digits[len..];
                    if negative {
                        value = -value;
                    }
                    fields.set(*field, value)?;
                }
                Item::MonthText { .. } => {
                    let (at, after) = name(rest, &MONTHS)?;
                    fields.month = Some(at as i64 + 1);
                    rest = after;
                }
                Item::DayText { .. } => {
                    let (at, after) = name(rest, &DAYS)?;
                    fields.day_of_week = Some(at as i64 + 1);
                    rest = after;
                }
                Item::Halfday => {
                    let (at, after) = name(rest, &["AM ", "PM "])?;
                    fields.afternoon = Some(at == 1);
                    rest = after;
                }
                Item::Era => {
                    let (_, after) = name(rest, &["AD ", "BC "])?;
                    rest = after;
                }
                Item::Fraction { max, .. } => {
                    let len = rest.bytes().take(*max).take_while(u8::is_ascii_digit).count();
                    if len == 0 {
                        return None;
                    }
                    let padded = format!("{:0<3}", &rest[..len]);
                    fields.millis = padded[..3].parse().ok()?;
                    rest = &rest[len..];
                }
                Item::Offset { .. } | Item::ZoneId | Item::ZoneName => {
                    let len =
                        rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:".contains(c))).unwrap_or(rest.len());
                    let (zone, after) = rest.split_at(len);
                    fields.zone = Some(match item {
                        Item::Offset { .. } if zone == "Z" => Zone::UTC,
                        Item::Offset { .. } => match parse_offset(zone)? {
                            0 => Zone::UTC,
                            o => Zone::Fixed(o),
                        },
                        _ => Zone::parse(zone)?,
                    });
                    rest = after;
                }
            }
        }
        if rest.is_empty() { fields.moment() } else { None }
    }
}

fn literal(items: &mut Vec<Item>, c: char) {
    match items.last_mut() {
        Some(Item::Literal(text)) => text.push(c),
        _ => items.push(Item::Literal(c.to_string())),
    }
}

/// Text between apostrophes, two of which stand for one.
fn quoted(chars: &[char], mut i: usize, items: &mut Vec<Item>) -> usize {
    if chars.get(i) == Some(&'\'') {
        literal(items, '\'');
        return i + 1;
    }
    while let Some(c) = chars.get(i) {
        if *c != '\'' {
            literal(items, *c);
        } else if chars.get(i + 1) == Some(&'\'') {
            literal(items, '\'');
            i += 1;
        } else {
            return i + 1;
        }
        i += 1;
    }
    i
}

fn strip_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Which of the names the text starts with, in full or by its first letters.
fn name<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    let full = names.iter().position(|n| strip_ignore_case(text, n.trim_end()).is_some());
    if let Some(at) = full {
        return Some((at, &text[names[at].trim_end().len()..]));
    }
    let short = names.iter().position(|n| n.len() > 3 && strip_ignore_case(text, &n[..3]).is_some())?;
    Some((short, &text[3..]))
}

#[derive(Default)]
struct Fields {
    year: Option<i64>,
    weekyear: Option<i64>,
    month: Option<i64>,
    week: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    day_of_week: Option<i64>,
    hour: Option<i64>,
    half_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    millis: i64,
    zone: Option<Zone>,
}

impl Fields {
    fn set(&mut self, field: Field, v: i64) -> Option<()> {
        let within = |from: i64, to: i64| (from..=to).contains(&v).then_some(v);
        match field {
            Field::Century => self.year = Some(v * 100),
            Field::Year => self.year = Some(v),
            // The hundred years around 2020, as Trino has it.
            Field::TwoDigitYear => self.year = Some(if v < 70 { 2000 + v } else { 1900 + v }),
            Field::Weekyear => self.weekyear = Some(v),
            Field::Month => self.month = Some(within(1, 12)?),
            Field::Week => self.week = Some(within(1, 53)?),
            Field::Day => self.day = Some(within(1, 31)?),
            Field::DayOfYear => self.day_of_year = Some(within(1, 366)?),
            Field::DayOfWeek => self.day_of_week = Some(within(1, 7)?),
            Field::Hour => self.hour = Some(within(0, 23)?),
            Field::ClockhourOfDay => self.hour = Some(within(1, 24)? % 24),
            Field::HourOfHalfday => self.half_hour = Some(within(0, 11)?),
            Field::ClockhourOfHalfday => self.half_hour = Some(within(1, 12)? % 12),
            Field::Minute => self.minute = within(0, 59)?,
            Field::Second => self.second = within(0, 59)?,
        }
        Some(())
    }

    fn days(&self) -> Option<i64> {
        if self.weekyear.is_some() || self.week.is_some() {
            let year = self.weekyear.or(self.year).unwrap_or(1970);
            let january_4 = days_from_civil(year, 1, 4);
            let monday = january_4 - iso_weekday(january_4) + 1;
            return Some(monday + (self.week.unwrap_or(1) - 1) * 7 + self.day_of_week.unwrap_or(1) - 1);
        }
        if let Some(n) = self.day_of_year {
            let year = self.year.unwrap_or(2000);
            return (n < 366 || is_leap(year)).then(|| days_from_civil(year, 1, n));
        }
        // A month or day without a year is taken in a leap year, so that 29 February is one.
        let default = if self.month.is_some() || self.day.is_some() { 2000 } else { 1970 };
        let year = self.year.unwrap_or(default);
        let month = u32::try_from(self.month.unwrap_or(1)).ok()?;
        let day = self.day.unwrap_or(1);
        if day > i64::from(days_in_month(year, month)) {
            return None;
        }
        let days = days_from_civil(year, month, day);
        match self.day_of_week {
            // Only a weekday: within the week of the default date.
            Some(d) if self.day.is_none() && self.month.is_none() => Some(days - iso_weekday(days) + d),
            _ => Some(days),
        }
    }

    fn moment(&self) -> Option<Moment> {
        let hour = match (self.hour, self.half_hour) {
            (Some(h), _) => h,
            (None, Some(h)) => h + if self.afternoon == Some(true) { 12 } else { 0 },
            (None, None) => {
                if self.afternoon == Some(true) {
                    12
                } else {
                    0
                }
            }
        };
        let seconds = self.days()? * DAY + hour * 3600 + self.minute * 60 + self.second;
        Some(Moment { millis: seconds * 1000 + self.millis, zone: self.zone })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn shown(p: &Pattern, seconds: i64, nanos: i64) -> String {
        let mut out = String::new();
        p.format(seconds, nanos, None, &mut out);
        out
    }

    #[test]
    fn mysql_patterns() {
        let t = days_from_civil(2001, 1, 9) * DAY + 13 * 3600 + 4 * 60 + 5;
        let p = Pattern::mysql("%a %b %c %d %e %f %H %h %i %j %k %l %M %p %r %T %v %x %W %y %% %q").unwrap();
        assert_eq!(
            shown(&p, t, 321_000_000),
            "Tue Jan 1 09 9 321000 13 01 04 009 13 1 January PM 01:04:05 PM 13:04:05 02 2001 Tuesday 01 % q"
        );
        assert!(Pattern::mysql("%U").is_err());
        let p = Pattern::mysql("%d-%b-%y %l.%i.%s.%f %p").unwrap();
        let m = p.parse("11-DEC-70 11.12.13.456000 AM").unwrap();
        assert_eq!(m.millis, days_from_civil(1970, 12, 11) * DAY * 1000 + 40_333_456);
        assert_eq!(p.parse("11-DEC-70"), None);
    }

    #[test]
    fn joda_patterns() {
        let p = Pattern::joda("yyyy-MM-dd'T'HH:mm:ss.SSSZZ").unwrap();
        let m = p.parse("2020-05-10T12:34:56.555+05:45").unwrap();
        assert_eq!(m.zone, Some(Zone::Fixed(5 * 3600 + 45 * 60)));
        let p = Pattern::joda("yyyyMMdd").unwrap();
        assert_eq!(p.parse("20200510").unwrap().millis, days_from_civil(2020, 5, 10) * DAY * 1000);
        assert!(p.parse("2020051").is_some() && p.parse("20201310").is_none());
        assert!(Pattern::joda("bb").is_err());
        assert_eq!(
            shown(&Pattern::joda("EEEE, d MMMM yyyy 'o''clock' h a").unwrap(), 0, 0),
            "Thursday, 1 January 1970 o'clock 12 AM"
        );
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_parsed_back(seconds in -60_000_000_000_i64..200_000_000_000) {
            for p in [
                Pattern::mysql("%Y-%m-%d %H:%i:%s").unwrap(),
                Pattern::mysql("%M %e %Y %r").unwrap(),
                Pattern::mysql("%Y %j %T").unwrap(),
                Pattern::joda("yyyy-MM-dd HH:mm:ss").unwrap(),
                Pattern::joda("xxxx ww e KK a mm ss").unwrap(),
            ] {
                prop_assert_eq!(p.parse(&shown(&p, seconds, 0)).map(|m| m.millis), Some(seconds * 1000));
            }
        }

        #[test]
        fn no_text_panics(pattern in ".*", text in ".*") {
            for p in [Pattern::mysql(&pattern), Pattern::joda(&pattern)].into_iter().flatten() {
                let _ = p.parse(&text);
                let _ = shown(&p, 12345, 6);
            }
        }
    }
}
