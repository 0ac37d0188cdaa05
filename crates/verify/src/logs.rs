//! The log files of one account and region, against the digests that name them.

use std::collections::HashMap;

use cloudtarn_record::digest::{HASH_ALGORITHM, Listed, hex};
use cloudtarn_record::key::FileName;
use cloudtarn_store::{Object, Verdict};

use crate::Scope;
use crate::chain::{Chains, Judged, file_of};
use crate::evidence::{Group, HOUR, LogEvidence, Seen, millis, text};
use crate::finding::Finding;
use crate::place::{Placement, placement, stem};

/// A log file as a digest names it.
struct Named<'a> {
    listed: &'a Listed,
    by: &'a Judged<'a>,
    found: bool,
}

/// A verdict, and the time that it counts for: the period of the digest that names the file, else its delivery.
pub(crate) struct LogVerdict {
    pub(crate) finding: Finding,
    pub(crate) hour_of: Option<i64>,
}

/// Judges each log file of a group, and those that are not there.
pub(crate) fn judge(group: &Group, chains: &Chains<'_>, scope: &Scope, mut give: impl FnMut(LogVerdict)) {
    let mut named: HashMap<&str, Named<'_>> = HashMap::new();
    for by in &chains.digests {
        for listed in &by.digest.log_files {
            let entry = named.entry(stem(file_of(&listed.object)));
            // The word of a proven digest counts more than that of another, and of such none.
            let better = |known: &Named<'_>| by.verdict < known.by.verdict;
            entry
                .and_modify(|known| {
                    if better(known) {
                        (known.listed, known.by) = (listed, by);
                    }
                })
                .or_insert(Named { listed, by, found: false });
        }
    }
    let proven = Proven::of(chains);
    for file in &group.log_files {
        let name = file_of(&file.path);
        let delivered = FileName::parse(name).map(|name| millis(name.time));
        let (verdict, reason, digest, hour_of) = match named.get_mut(stem(name)) {
            Some(named) => {
                named.found = true;
                let (verdict, reason) = compare(file, named);
                (verdict, reason, Some(named.by.evidence.path.clone()), Some(named.by.digest.start))
            }
            None if delivered.is_some_and(|time| !scope.has(time)) => continue,
            None => {
                let (verdict, reason) = unnamed(file, delivered, &proven);
                (verdict, Some(reason), None, delivered)
            }
        };
        let finding = Finding {
            object: Object::LogFile,
            account: group.account.clone(),
            region: group.region.clone(),
            path: file.path.clone(),
            version: file.version.clone(),
            time: delivered,
            verdict,
            reason,
            digest,
        };
        give(LogVerdict { finding, hour_of });
    }
    // An invalid digest may name what never was.
    let mut gone: Vec<&Named<'_>> =
        named.values().filter(|named| !named.found && named.by.verdict != Verdict::Invalid).collect();
    gone.sort_by(|a, b| a.listed.object.cmp(&b.listed.object));
    for Named { listed, by, .. } in gone {
        let finding = Finding {
            object: Object::LogFile,
            account: group.account.clone(),
            region: group.region.clone(),
            path: format!("s3://{}/{}", listed.bucket, listed.object),
            version: String::new(),
            time: FileName::parse(file_of(&listed.object)).map(|name| millis(name.time)),
            verdict: Verdict::Missing,
            reason: Some(format!("{} names it", by.name())),
            digest: Some(by.evidence.path.clone()),
        };
        give(LogVerdict { finding, hour_of: Some(by.digest.start) });
    }
}

fn compare(file: &LogEvidence, named: &Named<'_>) -> (Verdict, Option<String>) {
    let (listed, by) = (named.listed, named.by);
    let name = by.name();
    if by.verdict == Verdict::Invalid {
        return (Verdict::Unproven, Some(format!("{name}, which names it, is invalid")));
    }
    if listed.hash_algorithm != HASH_ALGORITHM {
        return (Verdict::Unproven, Some(format!("{name} has a hash of it by an algorithm that is not known")));
    }
    let content = match &file.seen {
        Seen::Content(content) => content,
        Seen::Unreadable(unreadable) => {
            let (verdict, reason) = unreadable.verdict();
            return (verdict, Some(reason));
        }
        Seen::Unhashed => {
            let why = "its hash was not kept when it was taken in; ingest it into a new store";
            return (Verdict::Unproven, Some(why.to_owned()));
        }
    };
    let is = |hash: &[u8; 32]| listed.hash_value.eq_ignore_ascii_case(&hex(hash));
    if !is(&content.sha256) {
        let why = if content.first_member.is_some_and(|hash| is(&hash)) {
            format!("changed: more gzip members are appended to the one that {name} names")
        } else {
            format!("changed: its hash is not the one that {name} has of it")
        };
        return (Verdict::Invalid, Some(why));
    }
    match placement(&file.path, &listed.bucket, &listed.object) {
        Placement::Misplaced(why) => (Verdict::Invalid, Some(why)),
        _ if by.verdict == Verdict::Unproven => {
            let reason = by.reason.as_deref().unwrap_or_default();
            (Verdict::Unproven, Some(format!("{name}, which names it, is unproven: {reason}")))
        }
        Placement::Same => (Verdict::Valid, None),
        Placement::Copied => (Verdict::Moved, None),
    }
}

/// The time that proven digests cover, in stretches.
struct Proven(Vec<(i64, i64)>);

impl Proven {
    fn of(chains: &Chains<'_>) -> Self {
        let proven = chains.digests.iter().filter(|judged| judged.is_proven());
        let mut periods: Vec<(i64, i64)> = proven.map(|judged| (judged.digest.start, judged.digest.end)).collect();
        periods.sort_unstable();
        let mut stretches: Vec<(i64, i64)> = Vec::new();
        for (start, end) in periods {
            match stretches.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => stretches.push((start, end)),
            }
        }
        Self(stretches)
    }

    fn covers(&self, from: i64, to: i64) -> bool {
        self.0.iter().any(|(start, end)| *start <= from && to <= *end)
    }
}

/// The verdict on a log file that no digest names: digests list every log file that CloudTrail delivers, in the hour in
/// which it is delivered, or in the next.
fn unnamed(file: &LogEvidence, delivered: Option<i64>, proven: &Proven) -> (Verdict, String) {
    if let Seen::Unreadable(unreadable) = &file.seen {
        let (verdict, reason) = unreadable.verdict();
        return (verdict, format!("no digest names it, and {reason}"));
    }
    let Some(time) = delivered else {
        return (Verdict::Invalid, "no digest names it, and its name is none that CloudTrail gives".to_owned());
    };
    let (Some(first), Some(last)) = (proven.0.first(), proven.0.last()) else {
        return (Verdict::Unproven, "there are no proven digests of its account and region".to_owned());
    };
    if proven.covers(time, time + HOUR) {
        let why = "no digest names it, though those of its time are there: added by somebody, or delivered by a trail \
                   without digests";
        return (Verdict::Invalid, why.to_owned());
    }
    let why = if time < first.0 {
        format!("no digest names it: the first proven one begins {}", text(first.0))
    } else if time + HOUR > last.1 {
        format!("no digest names it: the last proven one ends {}", text(last.1))
    } else {
        "no digest names it, and of its time not all are there and proven".to_owned()
    };
    (Verdict::Unproven, why)
}
