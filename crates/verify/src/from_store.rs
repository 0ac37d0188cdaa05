//! A store's own digests and hashes: nothing is read again.

use std::collections::BTreeMap;

use cloudtarn_record::digest::keys::PublicKeys;
use cloudtarn_store::{Entry, Fate, HourVerdict, LogRow, Store, VerdictRow};

use crate::evidence::{Belongs, DigestEvidence, Group, LogEvidence, Seen, Unreadable, belongs};
use crate::place::Layout;
use crate::{Finding, Report, Result, Scope, Verifier};

/// Verifies what the store took in, group by group.
///
/// # Errors
/// The store's, and those of who takes the findings.
pub fn of_store(store: &Store, mut verifier: Verifier<'_>) -> Result<Report> {
    // Folders of one copy, account and region together, as far as the folders tell.
    let mut parts: BTreeMap<(String, Option<String>, Option<String>), Vec<Entry>> = BTreeMap::new();
    for folder in store.folders()? {
        let layout = Layout::of(&folder.path);
        let (account, region) = (layout.account.map(str::to_owned), layout.region.clone());
        let scope = verifier.scope();
        if scope.has_group(account.as_deref().unwrap_or_default(), region.as_deref().unwrap_or_default()) {
            parts.entry((layout.root.to_owned(), account, region)).or_default().push(folder);
        }
    }
    for folders in parts.into_values() {
        let mut groups: BTreeMap<(String, String, String), Group> = BTreeMap::new();
        for folder in folders {
            for row in store.digests_of(&folder)? {
                let path = format!("{}{}", folder.path, row.name);
                let Some(place) = belongs(&path) else { continue };
                let evidence = DigestEvidence::new(path, row.version, &row.body, row.metadata);
                group_of(&mut groups, place).digests.push(evidence);
            }
            for row in store.log_files_of(&folder)? {
                let path = format!("{}{}", folder.path, row.name);
                let Some(place) = belongs(&path).filter(|place| !place.digest) else { continue };
                let evidence = LogEvidence { seen: seen(&row), path, version: row.version };
                group_of(&mut groups, place).log_files.push(evidence);
            }
        }
        for group in groups.into_values() {
            if verifier.scope().has_group(&group.account, &group.region) {
                verifier.group(group)?;
            }
        }
    }
    verifier.finish()
}

fn seen(row: &LogRow) -> Seen {
    match (&row.content, &row.fate) {
        (Some(content), _) => Seen::Content(*content),
        (None, Fate::Broken(reason)) => Seen::Unreadable(Unreadable::Damaged(reason.clone())),
        (None, _) => Seen::Unhashed,
    }
}

fn group_of(groups: &mut BTreeMap<(String, String, String), Group>, place: Belongs) -> &mut Group {
    let key = (place.root.clone(), place.account.clone(), place.region.clone());
    groups.entry(key).or_insert_with(|| Group {
        root: place.root,
        account: place.account,
        region: place.region,
        ..Group::default()
    })
}

/// Verifies the whole store with the keys that it has, if anything was taken in since the last time, and keeps the verdicts
/// in it, if it can be written. Tells whether it did.
///
/// # Errors
/// The store's.
pub fn refresh(store: &Store, force: bool) -> Result<bool> {
    if !store.is_writable()? || (!force && store.is_verified()?) {
        return Ok(false);
    }
    let mut keys = PublicKeys::default();
    store.public_keys()?.into_iter().for_each(|key| keys.add(key));
    let mut verdicts = store.begin_verdicts()?;
    let mut give = |finding: &Finding| Ok(verdicts.add(&row(finding))?);
    let report = of_store(store, Verifier::new(keys, Scope::default(), &mut give))?;
    verdicts.finish(hours(&report))?;
    Ok(true)
}

/// A finding as the store keeps it.
#[must_use]
pub fn row(finding: &Finding) -> VerdictRow<'_> {
    VerdictRow {
        object: finding.object,
        path: &finding.path,
        version: &finding.version,
        verdict: finding.verdict,
        reason: finding.reason.as_deref(),
        digest: finding.digest.as_deref(),
    }
}

/// The hours of a report as the store keeps them.
pub fn hours(report: &Report) -> impl Iterator<Item = HourVerdict> + '_ {
    report.hours.iter().map(|((account, region, hour), found)| HourVerdict {
        account: account.clone(),
        region: region.clone(),
        hour: *hour,
        state: found.state(),
        reason: found.reason.clone(),
        digests: found.digests,
        log_files: found.log_files,
    })
}
