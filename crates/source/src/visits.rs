//! What of a bucket has been listed for good, and what a listing saw of it.
use cloudtarn_record::key::Day;
use std::collections::HashMap;

/// Spans of days in which nothing new is expected, by the address of the folder that the years are in.
///
/// A listing with it leaves those days out: a bucket that is looked at often is not listed from its beginning every time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled(HashMap<String, Vec<(Day, Day)>>);

impl Settled {
    /// Adds a span, both days inclusive; spans that touch become one.
    pub fn add(&mut self, folder: &str, first: Day, last: Day) {
        if first > last {
            return;
        }
        let spans = self.0.entry(folder.to_owned()).or_default();
        spans.push((first, last));
        spans.sort_unstable();
        let mut merged: Vec<(Day, Day)> = Vec::with_capacity(spans.len());
        for (first, last) in spans.drain(..) {
            match merged.last_mut() {
                Some((_, end)) if first <= end.next() => *end = (*end).max(last),
                _ => merged.push((first, last)),
            }
        }
        *spans = merged;
    }

    /// The spans of a folder, in order.
    pub fn spans(&self, folder: &str) -> &[(Day, Day)] {
        self.0.get(folder).map_or(&[], Vec::as_slice)
    }

    /// Whether all these days are settled.
    pub fn covers(&self, folder: &str, first: Day, last: Day) -> bool {
        self.spans(folder).iter().any(|(start, end)| *start <= first && last <= *end)
    }

    /// The first day that is not settled, if all days from `first` to the one before it are and none after.
    pub(crate) fn rest(&self, folder: &str, first: Day) -> Option<Day> {
        let last = self.spans(folder).last()?;
        (last.0 <= first && first <= last.1).then(|| last.1.next())
    }

    /// The folders with their spans.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[(Day, Day)])> {
        self.0.iter().map(|(folder, spans)| (folder.as_str(), spans.as_slice()))
    }
}

/// A folder whose years were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited {
    /// Its address, without a slash at its end.
    pub folder: String,
    /// First day that was asked for.
    pub first: Day,
    /// Last day that was asked for, which may lie in the future.
    pub last: Day,
    /// The first day that could not be listed wholly.
    pub failed: Option<Day>,
}

/// What a listing has to say at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The folders of the layout that were listed.
    pub visited: Vec<Visited>,
    /// The listing came to its end, no part of it failed, and it was of all that was asked for.
    pub complete: bool,
    /// The day it was for S3 when the listing ended.
    pub today: Option<Day>,
    /// What was done otherwise than asked, and why.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn spans_that_touch_become_one() {
        let mut settled = Settled::default();
        settled.add("a", day("2026-01-10"), day("2026-01-20"));
        settled.add("a", day("2026-03-01"), day("2026-03-05"));
        settled.add("a", day("2026-01-21"), day("2026-02-10"));
        settled.add("a", day("2026-05-02"), day("2026-05-01"));
        let spans = [(day("2026-01-10"), day("2026-02-10")), (day("2026-03-01"), day("2026-03-05"))];
        assert_eq!(settled.spans("a"), spans);
        assert!(settled.covers("a", day("2026-01-31"), day("2026-02-10")));
        assert!(!settled.covers("a", day("2026-01-31"), day("2026-03-01")));
        assert!(!settled.covers("b", day("2026-01-31"), day("2026-01-31")));
        assert_eq!(settled.rest("a", day("2026-03-02")), Some(day("2026-03-06")));
        assert_eq!(settled.rest("a", day("2026-01-12")), None);
        assert_eq!(settled.rest("a", day("2026-04-12")), None);
    }
}
