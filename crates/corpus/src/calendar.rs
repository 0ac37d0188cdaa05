//! Days, and how CloudTrail writes times: in keys, in `eventTime` and in the bodies of answers.

use std::fmt;

/// A calendar day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Year, for instance 2026; years before 1971 count as 1971.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Day {
    /// Seconds since 1970 at the day's midnight, by the civil calendar's arithmetic (eras of 400 years).
    pub fn epoch(self) -> u64 {
        let month = u64::from(self.month.clamp(1, 12));
        let year = u64::from(self.year.max(1971)) - u64::from(month <= 2);
        let (era, of_era) = (year / 400, year % 400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + u64::from(self.day.clamp(1, 31)) - 1;
        (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468) * 86_400
    }

    /// The day that holds the second `epoch`.
    pub fn of_epoch(epoch: u64) -> Self {
        let days = epoch / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: (era * 400 + year + u64::from(month <= 2)) as u16,
            month: month as u8,
            day: (of_year - (153 * shifted + 2) / 5 + 1) as u8,
        }
    }
}

pub(crate) fn two(out: &mut Vec<u8>, n: u64) {
    out.push(b'0' + (n / 10 % 10) as u8);
    out.push(b'0' + (n % 10) as u8);
}

pub(crate) fn number(out: &mut Vec<u8>, mut n: u64) {
    let mut text = [0u8; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

/// `2026-03-02T09:15:04Z`.
pub(crate) fn iso(out: &mut Vec<u8>, epoch: u64) {
    let (day, second) = (Day::of_epoch(epoch), epoch % 86_400);
    two(out, u64::from(day.year) / 100);
    two(out, u64::from(day.year) % 100);
    out.push(b'-');
    two(out, u64::from(day.month));
    out.push(b'-');
    two(out, u64::from(day.day));
    out.push(b'T');
    two(out, second / 3600);
    out.push(b':');
    two(out, second / 60 % 60);
    out.push(b':');
    two(out, second % 60);
    out.push(b'Z');
}

/// `20260302T0915Z`, or with seconds `20260302T091500Z`.
pub(crate) fn stamp(epoch: u64, seconds: bool) -> String {
    let (day, second) = (Day::of_epoch(epoch), epoch % 86_400);
    let tail = if seconds { format!("{:02}", second % 60) } else { String::new() };
    format!("{:04}{:02}{:02}T{:02}{:02}{tail}Z", day.year, day.month, day.day, second / 3600, second / 60 % 60)
}

/// `2026/03/02`.
pub(crate) fn folder(epoch: u64) -> String {
    let day = Day::of_epoch(epoch);
    format!("{:04}/{:02}/{:02}", day.year, day.month, day.day)
}

/// `Mar 2, 2026, 9:15:04 AM`, with the narrow no-break space before AM that new Java runtimes write.
pub(crate) fn american(out: &mut Vec<u8>, epoch: u64) {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, second) = (Day::of_epoch(epoch), epoch % 86_400);
    out.extend_from_slice(MONTHS[usize::from(day.month - 1) % 12].as_bytes());
    out.push(b' ');
    number(out, u64::from(day.day));
    out.extend_from_slice(b", ");
    number(out, u64::from(day.year));
    out.extend_from_slice(b", ");
    number(out, (second / 3600 + 11) % 12 + 1);
    out.push(b':');
    two(out, second / 60 % 60);
    out.push(b':');
    two(out, second % 60);
    out.extend_from_slice("\u{202f}".as_bytes());
    out.extend_from_slice(if second < 43_200 { b"AM" } else { b"PM" });
}
