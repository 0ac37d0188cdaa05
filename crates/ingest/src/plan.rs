//! What an ingest would do, without doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use cloudtarn_source::{Day, Kind, Settled, Source};
use cloudtarn_store::{Known, Store};
use futures::StreamExt;

use crate::coordinator::Options;
use crate::error::Result;
use crate::listing::settled;
use crate::progress::Progress;
use crate::summary::Problems;

/// What one account has in one region, of one kind; what names do not tell is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The account's id.
    pub account: String,
    /// The region, as AWS spells it.
    pub region: String,
    /// The folder's name: `CloudTrail`, `CloudTrail-Insight`, …
    pub kind: String,
    /// Days of delivery that have files.
    pub days: BTreeSet<Day>,
    /// Files listed.
    pub files: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Of these, files that an ingest would read.
    pub new_files: u64,
    /// Their stored bytes.
    pub new_bytes: u64,
}

/// What an ingest would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// By account, region and kind.
    pub parts: Vec<Part>,
    /// Prefixes and folders that could not be listed.
    pub unlisted: Problems,
    /// What was done otherwise than asked, and why.
    pub notes: Vec<String>,
    /// Days were left out that earlier runs have listed for good.
    pub partial: bool,
    /// It was asked to stop before its end.
    pub interrupted: bool,
}

/// Lists what [`crate::run`] would list, and counts what it would read. The store need not exist, and is not changed.
///
/// # Errors
/// The store's. Prefixes that cannot be listed are in the plan instead.
pub async fn plan(sources: &[Source], options: &Options, progress: &Progress, stop: &AtomicBool) -> Result<Plan> {
    let (mut ledger, mut known, mut opened) = (None, Settled::default(), None);
    match Store::open(&options.store) {
        Ok(store) => {
            let name = options.event_data_store.as_deref().unwrap_or(cloudtarn_store::DEFAULT_NAME);
            if let Ok(event_data_store) = store.event_data_store(name) {
                if !options.full {
                    known = settled(&store.settled(&event_data_store)?);
                }
                ledger = Some(store.sightings(&event_data_store)?);
            }
            opened = Some(store);
        }
        Err(cloudtarn_store::Error::NoStore(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut plan = Plan { partial: known != Settled::default(), ..Plan::default() };
    let mut parts: BTreeMap<[String; 3], Part> = BTreeMap::new();
    for source in sources {
        let mut objects = source.list_since(&options.filter, &known);
        while let Some(object) = objects.next().await {
            if stop.load(Ordering::Relaxed) {
                plan.interrupted = true;
                break;
            }
            let object = match object {
                Ok(object) => object,
                Err(error) => {
                    plan.unlisted.push("listing", &error.to_string());
                    continue;
                }
            };
            Progress::add(&progress.listed, 1);
            Progress::add(&progress.listed_bytes, object.size);
            let met = match (&mut ledger, &opened) {
                (_, Some(store)) if object.kind == Some(Kind::Digest) => {
                    store.has_digest(&object.uri, &object.version)?
                }
                (Some(ledger), _) => matches!(ledger.meet(&object.uri, &object.version)?, Known::Same(_)),
                _ => false,
            };
            let kind = object.kind.and_then(Kind::folder).unwrap_or_default().to_owned();
            let key = [object.account.unwrap_or_default(), object.region.unwrap_or_default(), kind];
            let part = parts.entry(key).or_default();
            part.days.extend(object.day);
            part.files += 1;
            part.bytes += object.size;
            if !met {
                part.new_files += 1;
                part.new_bytes += object.size;
            }
        }
        plan.notes.extend(objects.report().notes);
    }
    plan.parts =
        parts.into_iter().map(|([account, region, kind], part)| Part { account, region, kind, ..part }).collect();
    Ok(plan)
}
