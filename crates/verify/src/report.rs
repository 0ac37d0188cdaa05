//! One group after the other, and the sum of it.

use std::collections::BTreeMap;

use cloudtarn_record::digest::keys::PublicKeys;
use cloudtarn_store::{Object, Verdict};

use crate::chain::{self, Chains, End, Hole, Trail};
use crate::evidence::{Group, HOUR, text};
use crate::finding::{Counts, Finding};
use crate::{Result, Scope, logs};

/// Hours between the first and the last that are listed one by one; a digest or log file dated ages away is no reason to
/// list all the years between.
const MOST_HOURS: i64 = 24 * 366 * 30;

/// Until when digests are expected of a chain, and why.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) until: i64,
    pub(crate) reason: String,
}

/// What proves an hour of an account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// The worst verdict on the digests that cover it and the log files that they name.
    pub verdict: Verdict,
    /// Why, unless it is plainly valid.
    pub reason: Option<String>,
    /// Digests that cover it.
    pub digests: u64,
    /// Log files in it: by the digest that names them, else by their delivery.
    pub log_files: u64,
}

impl Hour {
    fn new() -> Self {
        Self { verdict: Verdict::Valid, reason: None, digests: 0, log_files: 0 }
    }

    fn worsen(&mut self, verdict: Verdict, reason: Option<&str>) {
        if verdict > self.verdict || (verdict == self.verdict && self.reason.is_none()) {
            self.verdict = verdict;
            self.reason = reason.map(str::to_owned);
        }
    }

    /// `proven`, `proven empty` (a digest says that nothing was delivered), `unproven`, `missing` or `invalid`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.verdict, self.log_files) {
            (Verdict::Valid | Verdict::Moved, 0) => "proven empty",
            (Verdict::Valid | Verdict::Moved, _) => "proven",
            (Verdict::Unproven, _) => "unproven",
            (Verdict::Missing, _) => "missing",
            (Verdict::Invalid, _) => "invalid",
        }
    }
}

/// What was found of one account and region in one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionReport {
    /// The address that the copy's layout begins at.
    pub root: String,
    /// Twelve digits; empty if not known.
    pub account: String,
    /// The region; empty if not known.
    pub region: String,
    /// Digests by verdict.
    pub digests: Counts,
    /// Log files by verdict.
    pub log_files: Counts,
    /// Hours by verdict.
    pub hours: Counts,
    /// Hours of which a digest proves that nothing was delivered.
    pub empty_hours: u64,
    /// First and last hour of which anything is known, UTC milliseconds.
    pub span: Option<(i64, i64)>,
}

impl RegionReport {
    /// The worst that was found.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.digests.worst().max(self.log_files.worst())
    }
}

/// The end of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// By copy, account and region.
    pub regions: Vec<RegionReport>,
    /// By account, region and start of the hour (UTC milliseconds); where several copies tell of an hour, the best proof.
    pub hours: BTreeMap<(String, String, i64), Hour>,
}

impl Report {
    /// All digests and all log files, by verdict.
    #[must_use]
    pub fn totals(&self) -> (Counts, Counts) {
        let (mut digests, mut log_files) = (Counts::default(), Counts::default());
        for region in &self.regions {
            digests.sum(&region.digests);
            log_files.sum(&region.log_files);
        }
        (digests, log_files)
    }

    /// The worst that was found; `None` if nothing was looked at.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let (digests, log_files) = self.totals();
        digests.worst().max(log_files.worst())
    }

    /// Accounts with the worst that was found of each.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<String, Option<Verdict>> {
        let mut accounts = BTreeMap::new();
        for region in &self.regions {
            let worst = accounts.entry(region.account.clone()).or_insert(None);
            *worst = region.verdict().max(*worst);
        }
        accounts
    }
}

/// What is kept of a group until the ends of all chains are known.
#[derive(Debug)]
struct Done {
    group: Group,
    report: RegionReport,
    hours: BTreeMap<i64, Hour>,
    ends: Vec<End>,
    newest_log: Option<i64>,
}

/// Verifies groups and gives a finding for every file.
pub struct Verifier<'a> {
    /// Public keys; may grow from group to group.
    pub keys: PublicKeys,
    scope: Scope,
    /// Now, UTC milliseconds: the newest digests are on their way.
    now: i64,
    give: &'a mut dyn FnMut(&Finding) -> Result<()>,
    /// Asked for keys that are not at hand.
    ask: Option<Box<Ask<'a>>>,
    /// What was asked: regions, and the time that was covered.
    asked: BTreeMap<String, (i64, i64)>,
    done: Vec<Done>,
}

/// Gives the public keys of a region that are valid between two times (UTC milliseconds), as far as it can.
pub type Ask<'a> = dyn FnMut(&str, i64, i64) -> PublicKeys + 'a;

impl std::fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl<'a> Verifier<'a> {
    /// A verifier with these keys, which hands each finding to `give`.
    pub fn new(keys: PublicKeys, scope: Scope, give: &'a mut dyn FnMut(&Finding) -> Result<()>) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |age| age.as_millis() as i64);
        Self { keys, scope, now, give, ask: None, asked: BTreeMap::new(), done: Vec::new() }
    }

    /// Asks `ask` for the keys of digests that none of the keys at hand verifies.
    #[must_use]
    pub fn asking(mut self, ask: impl FnMut(&str, i64, i64) -> PublicKeys + 'a) -> Self {
        self.ask = Some(Box::new(ask));
        self
    }

    /// Gets the keys that the group's digests name, if they can be had.
    fn get_keys(&mut self, group: &Group) {
        let Some(ask) = &mut self.ask else { return };
        let mut wanted: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for evidence in &group.digests {
            let Ok((digest, _)) = &evidence.read else { continue };
            if self.keys.get(&digest.fingerprint).is_some() {
                continue;
            }
            let Some(region) = chain::home_region(digest) else { continue };
            // Backfill digests are signed when they are made.
            let generated = evidence.metadata.generated.as_deref().and_then(cloudtarn_record::timestamp::parse);
            let time = generated.unwrap_or(digest.end);
            let span = wanted.entry(region.to_owned()).or_insert((time, time));
            *span = (span.0.min(time - HOUR), span.1.max(time + HOUR));
        }
        for (region, (from, until)) in wanted {
            if self.asked.get(&region).is_some_and(|(first, last)| *first <= from && until <= *last) {
                continue;
            }
            ask(&region, from, until).iter().for_each(|key| self.keys.add(key.clone()));
            let asked = self.asked.entry(region).or_insert((from, until));
            *asked = (asked.0.min(from), asked.1.max(until));
        }
    }

    /// Which part is looked at.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Verifies what was found of one account and region.
    ///
    /// # Errors
    /// Those of who takes the findings.
    pub fn group(&mut self, mut group: Group) -> Result<()> {
        let mut report = RegionReport {
            root: group.root.clone(),
            account: group.account.clone(),
            region: group.region.clone(),
            digests: Counts::default(),
            log_files: Counts::default(),
            hours: Counts::default(),
            empty_hours: 0,
            span: None,
        };
        self.get_keys(&group);
        let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
        let chains = chain::judge(&group, &self.keys, &self.scope);
        for finding in digest_findings(&group, &chains) {
            report.digests.add(finding.verdict);
            (self.give)(&finding)?;
        }
        for judged in &chains.digests {
            for start in starts(judged.digest.start, judged.digest.end) {
                let hour = hours.entry(start).or_insert_with(Hour::new);
                hour.digests += 1;
                let reason = judged.reason.as_ref().map(|reason| format!("{}: {reason}", judged.name()));
                hour.worsen(judged.verdict, reason.as_deref());
            }
        }
        add_holes(&mut hours, &chains.holes);
        let (mut newest_log, mut failed) = (None, Ok(()));
        let (give, counts) = (&mut self.give, &mut report.log_files);
        logs::judge(&group, &chains, &self.scope, |log| {
            let finding = &log.finding;
            counts.add(finding.verdict);
            newest_log = newest_log.max(finding.time.filter(|_| finding.digest.is_none()));
            if let Some(time) = log.hour_of {
                let hour = hours.entry(floor(time)).or_insert_with(Hour::new);
                hour.log_files += 1;
                let name = chain::file_of(&finding.path);
                let of_file = finding.reason.as_ref().map(|reason| format!("{name}: {reason}"));
                // What cannot be proven for want of a digest is so for all files of the hour.
                let of_hour = finding.digest.is_none() && finding.verdict == Verdict::Unproven;
                hour.worsen(finding.verdict, if of_hour { finding.reason.as_deref() } else { of_file.as_deref() });
            }
            if failed.is_ok() {
                failed = give(finding);
            }
        });
        failed?;
        let ends = chains.ends.clone();
        drop(chains);
        (group.digests, group.log_files) = (Vec::new(), Vec::new());
        self.done.push(Done { group, report, hours, ends, newest_log });
        Ok(())
    }

    /// Compares the ends of the chains, and sums up.
    ///
    /// # Errors
    /// Those of who takes the findings.
    pub fn finish(mut self) -> Result<Report> {
        let mut reached: BTreeMap<(String, Trail), (i64, String)> = BTreeMap::new();
        for done in &self.done {
            for end in &done.ends {
                let place = format!("{} {}", done.group.account, done.group.region);
                let furthest =
                    reached.entry((done.group.root.clone(), end.trail.clone())).or_insert((end.at, place.clone()));
                if end.at > furthest.0 {
                    *furthest = (end.at, place);
                }
            }
        }
        let mut report = Report::default();
        for mut done in std::mem::take(&mut self.done) {
            for end in &done.ends {
                let furthest = reached.get(&(done.group.root.clone(), end.trail.clone()));
                let Some(expected) = self.expected(end, furthest) else { continue };
                let (findings, holes) = chain::tail(&done.group, end, &expected);
                for finding in findings {
                    done.report.digests.add(finding.verdict);
                    (self.give)(&finding)?;
                }
                add_holes(&mut done.hours, &holes);
            }
            let last = done.ends.iter().map(|end| end.at).max();
            if let (Some(last), Some(newest)) = (last, done.newest_log)
                && newest >= last + 2 * HOUR
            {
                let reason = format!(
                    "log files go on after the last digest ({}): digests were turned off, or removed",
                    text(last)
                );
                let hole = Hole { from: last, to: newest, verdict: Verdict::Unproven, reason };
                add_holes(&mut done.hours, &[hole]);
            }
            fill(&mut done.hours);
            done.report.span = done.hours.keys().next().copied().zip(done.hours.keys().next_back().copied());
            for (start, hour) in done.hours {
                done.report.hours.add(hour.verdict);
                done.report.empty_hours += u64::from(hour.state() == "proven empty");
                let key = (done.group.account.clone(), done.group.region.clone(), start);
                match report.hours.entry(key) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(hour);
                    }
                    std::collections::btree_map::Entry::Occupied(mut entry) if hour.verdict < entry.get().verdict => {
                        entry.insert(hour);
                    }
                    std::collections::btree_map::Entry::Occupied(_) => {}
                }
            }
            report.regions.push(done.report);
        }
        Ok(report)
    }

    /// Until when a chain should go on; `None` if it goes that far.
    fn expected(&self, end: &End, furthest: Option<&(i64, String)>) -> Option<Expected> {
        // The digests of the last two hours may still be on their way.
        let settled = |time: i64| if time > self.now - 2 * HOUR { time - HOUR } else { time };
        let others = furthest.map(|(at, place)| Expected {
            until: settled(*at),
            reason: format!("the chain ends before the others of its trail ({place} goes on until {})", text(*at)),
        });
        let until = self.scope.until.map(|day| Expected {
            until: self.scope.end().min(self.now - 2 * HOUR),
            reason: format!("the chain ends before {day} does, which was asked for"),
        });
        let expected = [until, others].into_iter().flatten().max_by_key(|expected| expected.until)?;
        (expected.until >= end.at + HOUR).then_some(expected)
    }
}

fn digest_findings(group: &Group, chains: &Chains<'_>) -> Vec<Finding> {
    let judged = chains.digests.iter().map(|judged| {
        let (verdict, reason) = (judged.verdict, judged.reason.clone());
        chain::finding(group, judged.evidence, Some(judged.digest.end), verdict, reason)
    });
    let mut findings: Vec<Finding> = judged.chain(chains.others.iter().cloned()).collect();
    findings.sort_by(|a, b| (a.time, &a.path, &a.version).cmp(&(b.time, &b.path, &b.version)));
    findings
}

fn floor(time: i64) -> i64 {
    time.div_euclid(HOUR) * HOUR
}

/// The hours that a stretch of time touches.
fn starts(from: i64, to: i64) -> impl Iterator<Item = i64> {
    let first = floor(from);
    let count = (to - first + HOUR - 1) / HOUR;
    (0..count.clamp(0, MOST_HOURS)).map(move |n| first + n * HOUR)
}

fn add_holes(hours: &mut BTreeMap<i64, Hour>, holes: &[Hole]) {
    for hole in holes {
        for start in starts(hole.from, hole.to) {
            // An hour that is covered but for a moment is not a hole.
            if hole.to.min(start + HOUR) - hole.from.max(start) >= 60_000 {
                hours.entry(start).or_insert_with(Hour::new).worsen(hole.verdict, Some(&hole.reason));
            }
        }
    }
}

/// Adds the hours between that nothing tells of.
fn fill(hours: &mut BTreeMap<i64, Hour>) {
    let (Some(first), Some(last)) = (hours.keys().next().copied(), hours.keys().next_back().copied()) else { return };
    if (last - first) / HOUR > MOST_HOURS {
        return;
    }
    for start in starts(first, last) {
        hours.entry(start).or_insert_with(|| Hour {
            verdict: Verdict::Unproven,
            reason: Some("neither digest nor log file".to_owned()),
            digests: 0,
            log_files: 0,
        });
    }
}

/// What a finding is about, for the sums.
impl Finding {
    /// Whether it is about a digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.object == Object::Digest
    }
}
