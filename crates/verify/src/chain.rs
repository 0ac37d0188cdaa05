//! The digests of one account and region: signatures, links, gaps.
//!
//! A digest is proven by a signature that verifies, wherever it was found (in its own metadata, or in the digest after it),
//! or by a proven digest after it that has its hash. Digests are judged from the newest to the oldest, so that what one says
//! of the one before it has its weight by then.

use std::collections::{BTreeMap, HashMap, HashSet};

use cloudtarn_record::digest::keys::PublicKeys;
use cloudtarn_record::digest::signature::verifies;
use cloudtarn_record::digest::{Digest, SIGNATURE_ALGORITHM, Sha256, hex};
use cloudtarn_record::key::{FileName, Kind, LogKey, Tail, Time};
use cloudtarn_store::{Object, Verdict};
use rayon::prelude::*;

use crate::evidence::{DAY, DigestEvidence, Group, HOUR, millis, text};
use crate::finding::Finding;
use crate::place::{Placement, placement, stem};
use crate::{Expected, Scope};

/// Keys sign a little before and after the validity that ListPublicKeys tells.
const VALIDITY_SLACK: i64 = 2 * HOUR;
/// Missing digests of longer gaps are told in one.
const MOST_HOURS: i64 = 10_000;

/// A digest with its verdict.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) evidence: &'a DigestEvidence,
    pub(crate) digest: &'a Digest,
    hash: Sha256,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<String>,
    /// It contradicts itself or its place: it has none in a chain.
    stray: bool,
    /// Whether its signature is by AWS's key: none, wrong, right.
    signed: Signed,
}

impl Judged<'_> {
    /// Whether it is what AWS delivered.
    pub(crate) fn is_proven(&self) -> bool {
        self.verdict <= Verdict::Moved
    }

    /// The name that it was delivered under.
    pub(crate) fn name(&self) -> &str {
        file_of(&self.digest.object)
    }
}

/// The last segment of a key.
pub(crate) fn file_of(object: &str) -> &str {
    object.rsplit('/').next().unwrap_or(object)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signed {
    /// No signature at hand.
    Nothing,
    /// No key with the fingerprint.
    NoKey,
    /// The key was not in use.
    OtherTime,
    No,
    Yes,
}

/// A stretch of time without proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
}

/// Which trail a digest is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Trail {
    pub(crate) name: String,
    pub(crate) home_region: String,
    pub(crate) backfill: bool,
}

/// Where a chain ends.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) trail: Trail,
    /// End of the newest digest's period.
    pub(crate) at: i64,
    /// Bucket and key of the newest digest.
    pub(crate) newest: (String, String),
}

/// The digests of a group.
#[derive(Debug)]
pub(crate) struct Chains<'a> {
    pub(crate) digests: Vec<Judged<'a>>,
    pub(crate) holes: Vec<Hole>,
    pub(crate) ends: Vec<End>,
    /// Digests that are missing or cannot be read.
    pub(crate) others: Vec<Finding>,
}

/// Judges the digests of a group.
pub(crate) fn judge<'a>(group: &'a Group, keys: &PublicKeys, scope: &Scope) -> Chains<'a> {
    let mut others = Vec::new();
    // Names that are taken, by whatever.
    let mut present: HashSet<&str> = HashSet::new();
    let mut digests: Vec<Judged<'_>> = Vec::new();
    for evidence in &group.digests {
        let name = file_of(&evidence.path);
        present.insert(stem(name));
        match &evidence.read {
            Ok((digest, hash)) => {
                present.insert(stem(file_of(&digest.object)));
                if scope.has_period(digest.start, digest.end) {
                    digests.push(first_look(evidence, digest, *hash));
                }
            }
            Err(unreadable) => {
                let (verdict, reason) = unreadable.verdict();
                let named = FileName::parse(name).filter(|name| name.kind == Kind::Digest);
                let (verdict, reason) = match named {
                    Some(_) => (verdict, reason),
                    None => (Verdict::Invalid, format!("its name is none that CloudTrail gives a digest; {reason}")),
                };
                let time = named.map(|name| millis(name.time));
                if time.is_none_or(|time| scope.has_period(time - HOUR, time)) {
                    others.push(finding(group, evidence, time, verdict, Some(reason)));
                }
            }
        }
    }
    digests.par_iter_mut().for_each(|judged| {
        let own = judged.evidence.metadata.signature.as_deref();
        judged.signed = signed(judged.digest, &judged.hash, own, judged.evidence, keys);
    });
    digests.sort_by(|a, b| (b.digest.end, &b.evidence.path).cmp(&(a.digest.end, &a.evidence.path)));
    prove(&mut digests, keys);
    let mut chains = Chains { digests, holes: Vec::new(), ends: Vec::new(), others };
    follow(group, &mut chains, &present, scope);
    chains
}

/// A finding about a digest that is there.
pub(crate) fn finding(
    group: &Group,
    evidence: &DigestEvidence,
    time: Option<i64>,
    verdict: Verdict,
    reason: Option<String>,
) -> Finding {
    Finding {
        object: Object::Digest,
        account: group.account.clone(),
        region: group.region.clone(),
        path: evidence.path.clone(),
        version: evidence.version.clone(),
        time,
        verdict,
        reason,
        digest: None,
    }
}

/// What can be told of a digest without any other.
fn first_look<'a>(evidence: &'a DigestEvidence, digest: &'a Digest, hash: Sha256) -> Judged<'a> {
    let place = placement(&evidence.path, &digest.bucket, &digest.object);
    let wrong = contradiction(digest);
    let (verdict, reason) = match (wrong, place) {
        (Some(why), _) | (None, Placement::Misplaced(why)) => (Verdict::Invalid, Some(why)),
        (None, Placement::Same) => (Verdict::Valid, None),
        (None, Placement::Copied) => (Verdict::Moved, None),
    };
    let stray = verdict == Verdict::Invalid;
    Judged { evidence, digest, hash, verdict, reason, stray, signed: Signed::Nothing }
}

/// What contradicts itself in a digest: its key tells account and time again.
fn contradiction(digest: &Digest) -> Option<String> {
    let object = &digest.object;
    let name = FileName::parse(file_of(object)).filter(|name| name.kind == Kind::Digest);
    let Some(name) = name else { return Some(format!("it says that it is {object}, which is no digest's key")) };
    if name.account != digest.account {
        return Some(format!("it is about account {} and its key about {}", digest.account, name.account));
    }
    if millis(name.time) != digest.end {
        let named = text(millis(name.time));
        return Some(format!("its period ends {}, and its key says {named}", text(digest.end)));
    }
    let day = LogKey::parse(object).and_then(|key| key.day).map(|day| {
        let midnight = Time { day, hour: 0, minute: 0, second: 0 };
        (day, millis(midnight))
    });
    let far = |midnight: i64| digest.end < midnight - DAY || digest.end > midnight + 2 * DAY;
    let (day, _) = day.filter(|(_, midnight)| far(*midnight))?;
    Some(format!("its period ends {}, and its key lies under {day}", text(digest.end)))
}

fn signed(
    digest: &Digest,
    hash: &Sha256,
    signature: Option<&str>,
    evidence: &DigestEvidence,
    keys: &PublicKeys,
) -> Signed {
    let Some(signature) = signature else { return Signed::Nothing };
    let algorithm = evidence.metadata.algorithm.as_deref().unwrap_or(SIGNATURE_ALGORITHM);
    if algorithm != SIGNATURE_ALGORITHM || digest.signature_algorithm != SIGNATURE_ALGORITHM {
        return Signed::No;
    }
    let Some(key) = keys.get(&digest.fingerprint) else { return Signed::NoKey };
    if !verifies(digest, hash, signature, key) {
        return Signed::No;
    }
    // Backfill digests are signed when they are made, which only their metadata tells.
    let backfill = stem(file_of(&digest.object)).ends_with("_backfill");
    let generated = evidence.metadata.generated.as_deref().and_then(cloudtarn_record::timestamp::parse);
    let Some(time) = generated.or((!backfill).then_some(digest.end)) else { return Signed::Yes };
    let early = key.from.is_some_and(|from| time < from - VALIDITY_SLACK);
    let late = key.until.is_some_and(|until| time > until + VALIDITY_SLACK);
    if early || late { Signed::OtherTime } else { Signed::Yes }
}

/// Judges by signatures and hashes, the newest first.
fn prove(digests: &mut [Judged<'_>], keys: &PublicKeys) {
    // Which digests name the digest of a name as the one before them; all newer, hence judged before it.
    let mut after: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, judged) in digests.iter().enumerate() {
        if let Some(previous) = &judged.digest.previous {
            after.entry(stem(file_of(&previous.object)).to_owned()).or_default().push(index);
        }
    }
    for index in 0..digests.len() {
        let judged = &digests[index];
        let (digest, evidence, hash) = (judged.digest, judged.evidence, judged.hash);
        let none = Vec::new();
        let after = after.get(stem(judged.name())).unwrap_or(&none);
        let mut right = judged.signed == Signed::Yes;
        let mut wrong: Option<String> = None;
        let mut carried_no_key = false;
        let same = |index: usize| {
            digests[index].digest.previous.as_ref().is_some_and(|p| p.hash.eq_ignore_ascii_case(&hex(&hash)))
        };
        for &next in after.iter().filter(|next| **next != index) {
            let Some(previous) = &digests[next].digest.previous else { continue };
            let by = digests[next].name();
            match signed(digest, &hash, Some(&previous.signature), evidence, keys) {
                Signed::Yes => right = true,
                Signed::No if digests[next].verdict != Verdict::Invalid => {
                    wrong = Some(format!("the signature that {by} has of it does not verify"));
                }
                Signed::NoKey => carried_no_key = true,
                Signed::No | Signed::OtherTime | Signed::Nothing => {}
            }
            if digests[next].is_proven() && same(next) {
                right = true;
            } else if digests[next].verdict != Verdict::Invalid && !same(next) {
                wrong = Some(format!("changed: {by} has another hash of it"));
            }
        }
        let own = judged.signed;
        let fingerprint = &digest.fingerprint;
        let (verdict, reason) = if right {
            (None, None)
        } else if let Some(wrong) = wrong {
            (Some(Verdict::Invalid), Some(wrong))
        } else if own == Signed::No {
            (Some(Verdict::Invalid), Some("its signature does not verify".to_owned()))
        } else if own == Signed::OtherTime {
            let why = format!("signed with key {fingerprint} outside of the key's validity");
            (Some(Verdict::Unproven), Some(why))
        } else if own == Signed::NoKey || carried_no_key {
            let why = format!(
                "no public key with fingerprint {fingerprint} (list-public-keys of the trail's home region{})",
                home_region(digest).map_or_else(String::new, |region| format!(", {region}"))
            );
            (Some(Verdict::Unproven), Some(why))
        } else {
            let why =
                "its signature was S3 metadata, which this copy lacks, and no digest after it is there to repeat it";
            (Some(Verdict::Unproven), Some(why.to_owned()))
        };
        // What a digest says of one that is proven must be so.
        let liars: Vec<(usize, String)> = if right {
            let signature = |next: usize| {
                let previous = digests[next].digest.previous.as_ref()?;
                Some(signed(digest, &hash, Some(&previous.signature), evidence, keys))
            };
            let name = judged.name();
            let others = after.iter().copied().filter(|next| *next != index);
            others
                .filter_map(|next| match (same(next), signature(next)) {
                    (false, _) => Some((next, format!("it has a wrong hash of {name}, the digest before it"))),
                    (_, Some(Signed::No)) => {
                        Some((next, format!("it has a wrong signature of {name}, the digest before it")))
                    }
                    _ => None,
                })
                .collect()
        } else {
            Vec::new()
        };
        for (next, why) in liars {
            if digests[next].verdict != Verdict::Invalid {
                digests[next].verdict = Verdict::Invalid;
                digests[next].reason = Some(why);
            }
        }
        let judged = &mut digests[index];
        if judged.verdict == Verdict::Invalid {
            continue;
        }
        if let Some(verdict) = verdict {
            (judged.verdict, judged.reason) = (verdict, reason);
        } else if own == Signed::No {
            judged.reason = Some("the signature in its metadata is wrong; the digest after it proves it".to_owned());
        }
    }
}

/// The home region in a digest's name, whose keys sign it.
pub(crate) fn home_region(digest: &Digest) -> Option<&str> {
    match FileName::parse(file_of(&digest.object))?.tail {
        Tail::Digest { home_region, .. } => Some(home_region),
        Tail::Log { .. } => None,
    }
}

fn trail(digest: &Digest) -> Option<Trail> {
    match FileName::parse(file_of(&digest.object))?.tail {
        Tail::Digest { trail, home_region, backfill } => {
            Some(Trail { name: trail.to_owned(), home_region: home_region.to_owned(), backfill })
        }
        Tail::Log { .. } => None,
    }
}

/// Goes along each trail's digests, oldest first, and finds what is not there.
fn follow(group: &Group, chains: &mut Chains<'_>, present: &HashSet<&str>, scope: &Scope) {
    let mut by_trail: BTreeMap<Trail, Vec<usize>> = BTreeMap::new();
    for (index, judged) in chains.digests.iter().enumerate().rev().filter(|(_, judged)| !judged.stray) {
        if let Some(trail) = trail(judged.digest) {
            by_trail.entry(trail).or_default().push(index);
        }
    }
    for (trail, indexes) in by_trail {
        let mut reached: Option<i64> = None;
        for &index in &indexes {
            let digest = chains.digests[index].digest;
            let previous = digest.previous.as_ref();
            let named = previous.map(|previous| stem(file_of(&previous.object)));
            let gone = named.is_some_and(|name| !present.contains(name));
            let from = reached.unwrap_or(digest.start);
            match previous {
                Some(previous) if gone => {
                    let time =
                        FileName::parse(file_of(&previous.object)).map_or(digest.start, |name| millis(name.time));
                    if scope.has_period(time - HOUR, time) {
                        let from = reached.unwrap_or(time - HOUR).min(time - HOUR);
                        let by = format!("{} names it as the digest before it", file_of(&digest.object));
                        let link = (previous.bucket.as_str(), previous.object.as_str());
                        missing(group, chains, (from.max(scope.start()), time), link, &by);
                    }
                }
                None if reached.is_some_and(|reached| reached < digest.start) => {
                    let reason = format!(
                        "{} begins a new chain: digests were off, or their chain was cut before it",
                        file_of(&digest.object)
                    );
                    chains.holes.push(Hole { from, to: digest.start, verdict: Verdict::Unproven, reason });
                }
                _ if from < digest.start => {
                    let reason = format!("no digest covers it, though {} follows", file_of(&digest.object));
                    chains.holes.push(Hole { from, to: digest.start, verdict: Verdict::Unproven, reason });
                }
                _ => {}
            }
            if !trail.backfill
                && reached.is_some_and(|reached| digest.start < reached - HOUR / 2)
                && !is_twin(&chains.digests, &indexes, index)
            {
                let judged = &mut chains.digests[index];
                if judged.verdict != Verdict::Invalid {
                    judged.verdict = Verdict::Invalid;
                    judged.reason = Some("its period begins before that of the digest before it ends".to_owned());
                }
            }
            reached = Some(reached.map_or(digest.end, |reached| reached.max(digest.end)));
        }
        let newest = indexes.iter().rev().map(|index| &chains.digests[*index]).find(|j| j.verdict != Verdict::Invalid);
        if let (Some(newest), false) = (newest, trail.backfill) {
            let at = newest.digest.end;
            let newest = (newest.digest.bucket.clone(), newest.digest.object.clone());
            chains.ends.push(End { trail, at, newest });
        }
    }
}

/// Whether a digest is there twice: in two copies, or two versions.
fn is_twin(digests: &[Judged<'_>], indexes: &[usize], index: usize) -> bool {
    let name = stem(digests[index].name());
    indexes.iter().any(|other| *other != index && stem(digests[*other].name()) == name)
}

/// Adds the digests that are missing from one time to another; the last of them is named by bucket and key.
pub(crate) fn missing(group: &Group, chains: &mut Chains<'_>, span: (i64, i64), last: (&str, &str), by: &str) {
    let (from, to) = span;
    let hours = (to - from + HOUR / 2) / HOUR;
    let times: Vec<i64> =
        if hours > MOST_HOURS { vec![to] } else { (0..hours.max(1)).map(|n| to - n * HOUR).collect() };
    let count = times.len();
    for time in times.into_iter().rev() {
        let reason = match (time == to, hours > MOST_HOURS) {
            (true, true) => format!("{by}; with it all since {} are missing", text(from)),
            (true, false) => by.to_owned(),
            (false, _) => format!("one of {count} digests in a row that are missing until {}", text(to)),
        };
        let start = if hours > MOST_HOURS { from } else { time - HOUR };
        chains.holes.push(Hole {
            from: start,
            to: time,
            verdict: Verdict::Missing,
            reason: format!("its digest is missing: {reason}"),
        });
        chains.others.push(absent(group, last, time, reason));
    }
}

/// A finding about a digest that is not there, named like another of its chain.
pub(crate) fn absent(group: &Group, like: (&str, &str), time: i64, reason: String) -> Finding {
    let (bucket, object) = like;
    Finding {
        object: Object::Digest,
        account: group.account.clone(),
        region: group.region.clone(),
        path: format!("s3://{bucket}/{}", renamed(object, time).as_deref().unwrap_or(object)),
        version: String::new(),
        time: Some(time),
        verdict: Verdict::Missing,
        reason: Some(reason),
        digest: None,
    }
}

/// The key of the digest of the same chain that ends at another time.
fn renamed(object: &str, time: i64) -> Option<String> {
    let mut key = LogKey::parse(object)?;
    let mut name = key.name?;
    let (year, month, day) = crate::evidence::civil(time.div_euclid(DAY));
    let seconds = time.rem_euclid(DAY) / 1000;
    let number = |number: i64| u8::try_from(number).ok();
    let day = cloudtarn_record::key::Day::new(u16::try_from(year).ok()?, number(month)?, number(day)?)?;
    name.time =
        Time { day, hour: number(seconds / 3600)?, minute: number(seconds / 60 % 60)?, second: number(seconds % 60)? };
    let file = name.to_string();
    (key.day, key.file) = (Some(day), &file);
    Some(key.to_string())
}

/// The digests that should come after a chain's newest.
pub(crate) fn tail(group: &Group, end: &End, expected: &Expected) -> (Vec<Finding>, Vec<Hole>) {
    let mut chains = Chains { digests: Vec::new(), holes: Vec::new(), ends: Vec::new(), others: Vec::new() };
    let last = (end.newest.0.as_str(), end.newest.1.as_str());
    missing(group, &mut chains, (end.at, expected.until), last, &expected.reason);
    (chains.others, chains.holes)
}
