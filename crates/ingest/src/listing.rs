//! What the sources have, beside what the store has: new files, known ones, changed ones, and ones that are gone.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloudtarn_record::key::FileName;
use cloudtarn_source::{Day, Filter, Kind, LogObject, Report, Settled, Source, Whereabouts};
use cloudtarn_store::{EventDataStore, Fate, Known, LogFile, Sightings, Span, Store};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::bundle::Token;
use crate::group::{Group, Prior};
use crate::progress::Progress;
use crate::summary::Problem;

/// Files that are put into the order of their delivery at once.
const SORTED: usize = 32 * 1024;
/// Files that are gone of which S3 is asked how; of more it is only said that they are.
const ASKED: usize = 1000;

/// What there is to say about the sources, in the order in which it shows.
pub(crate) enum Listed {
    Group(Group),
    /// A bundle whose members have all been sent.
    Bundle(Box<LogFile>, Token),
    /// A bundle, or a member of one, that cannot be read.
    Unread(Problem),
    Problem(Problem),
    /// Known, and whether it was broken when it was taken in.
    Already(bool),
    /// A source is listed to its end.
    Ended(Box<Ended>),
    Failed(cloudtarn_store::Error),
}

/// What is known at the end of a source's listing.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) report: Report,
    /// Addresses that the ledger has and the source has not any more, and what became of them.
    pub(crate) gone: Vec<(String, String)>,
}

/// Lists the sources and drops what the ledger knows.
pub(crate) struct Listing {
    pub(crate) sources: Vec<Arc<Source>>,
    pub(crate) filter: Filter,
    pub(crate) settled: Settled,
    pub(crate) event_data_store: EventDataStore,
    pub(crate) store: Store,
    pub(crate) send: mpsc::Sender<Listed>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// Nobody wants to know any more.
pub(crate) struct Unwanted;

impl Listing {
    pub(crate) async fn run(self) {
        // Only several sources can name a file twice.
        let mut seen = (self.sources.len() > 1).then(HashSet::new);
        for source in &self.sources {
            match self.source(source, &mut seen).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let _ = self.send.send(Listed::Failed(error)).await;
                    return;
                }
                Err(Unwanted) => return,
            }
        }
        self.progress.listing_done.store(true, Ordering::Relaxed);
    }

    async fn source(
        &self,
        source: &Arc<Source>,
        seen: &mut Option<HashSet<u64>>,
    ) -> Result<cloudtarn_store::Result<()>, Unwanted> {
        let mut sightings = match self.store.sightings(&self.event_data_store) {
            Ok(sightings) => sightings,
            Err(error) => return Ok(Err(error)),
        };
        let mut day = OneDay::default();
        let mut group = Group::new(source);
        let mut objects = source.list_since(&self.filter, &self.settled);
        while let Some(object) = objects.next().await {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Unwanted);
            }
            match object {
                Err(error) => {
                    let problem = Problem { path: "listing".to_owned(), reason: error.to_string() };
                    self.say(Listed::Problem(problem)).await?;
                }
                Ok(object) => {
                    let again = seen.as_mut().is_some_and(|seen| !seen.insert(hash(&object.uri)));
                    match verdict(&object, &self.store, &mut sightings, again) {
                        Err(error) => return Ok(Err(error)),
                        Ok(Verdict::Read(_)) if source.is_bundle(&object) => {
                            if let Err(error) = self.unpack(source, &object, &mut sightings).await? {
                                return Ok(Err(error));
                            }
                        }
                        Ok(Verdict::Read(prior)) => {
                            self.count(&object);
                            if day.ends_before(&object) {
                                self.read(source, &mut group, &mut day).await?;
                            }
                            day.0.push((object, prior));
                        }
                        Ok(Verdict::Pass(message)) => self.pass(&object, message).await?,
                    }
                }
            }
        }
        self.read(source, &mut group, &mut day).await?;
        if !group.objects.is_empty() {
            self.say(Listed::Group(group)).await?;
        }
        let report = objects.report();
        let gone = match (source.bucket_root(), report.complete) {
            (Some(root), true) => {
                let looked = |folder: &str| cloudtarn_source::looks_into(folder, &self.filter, &self.settled);
                match sightings.missing(&root, looked) {
                    Ok(missing) => whereabouts(source, missing).await,
                    Err(error) => return Ok(Err(error)),
                }
            }
            _ => Vec::new(),
        };
        self.say(Listed::Ended(Box::new(Ended { report, gone }))).await?;
        Ok(Ok(()))
    }

    /// Sends a day's files on, group by group.
    async fn read(&self, source: &Arc<Source>, group: &mut Group, day: &mut OneDay) -> Result<(), Unwanted> {
        for (object, prior) in day.by_delivery() {
            group.push(object, prior);
            if group.is_full() {
                self.say(Listed::Group(std::mem::replace(group, Group::new(source)))).await?;
            }
        }
        Ok(())
    }

    /// Counts a listed file.
    pub(crate) fn count(&self, object: &LogObject) {
        Progress::add(&self.progress.listed, 1);
        Progress::add(&self.progress.listed_bytes, object.size);
    }

    /// Counts a file that is not read, and says why.
    pub(crate) async fn pass(&self, object: &LogObject, why: Listed) -> Result<(), Unwanted> {
        self.count(object);
        Progress::add(&self.progress.passed, 1);
        Progress::add(&self.progress.passed_bytes, object.size);
        self.say(why).await
    }

    pub(crate) async fn say(&self, message: Listed) -> Result<(), Unwanted> {
        self.send.send(message).await.map_err(|_| Unwanted)
    }
}

/// Files of one day that are to be read. A listing gives them account by account and region by region; read in the order of their
/// delivery, a data file has the events of few hours, and other hours need not look into it.
#[derive(Debug, Default)]
struct OneDay(Vec<(LogObject, Option<Prior>)>);

impl OneDay {
    /// Whether what there is must be read before a file is added.
    fn ends_before(&self, object: &LogObject) -> bool {
        self.0.len() >= SORTED || self.0.last().is_some_and(|(last, _)| last.day != object.day)
    }

    /// The files by the time in their names; those that have none come first, in the order of the listing.
    fn by_delivery(&mut self) -> Vec<(LogObject, Option<Prior>)> {
        let mut files = std::mem::take(&mut self.0);
        files.sort_by_cached_key(|(object, _)| {
            let name = object.uri.rsplit_once('/').map_or(object.uri.as_str(), |(_, name)| name);
            FileName::parse(name).map(|name| name.time)
        });
        files
    }
}

/// What to do with a file.
pub(crate) enum Verdict {
    Read(Option<Prior>),
    Pass(Listed),
}

/// What to do with a file; `again` if this run has met it before.
pub(crate) fn verdict(
    object: &LogObject,
    store: &Store,
    sightings: &mut Sightings,
    again: bool,
) -> cloudtarn_store::Result<Verdict> {
    if again {
        return Ok(Verdict::Pass(Listed::Already(false)));
    }
    if object.kind == Some(Kind::Digest) {
        let known = store.has_digest(&object.uri, &object.version)?;
        return Ok(if known { Verdict::Pass(Listed::Already(false)) } else { Verdict::Read(None) });
    }
    Ok(match sightings.meet(&object.uri, &object.version)? {
        Known::New => Verdict::Read(None),
        Known::Same(fate) => Verdict::Pass(Listed::Already(matches!(fate, Fate::Broken(_)))),
        Known::Other { version, sha256 } => Verdict::Read(Some(Prior { version, sha256 })),
    })
}

pub(crate) fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// What became of files that are not listed any more; those that are there after all are left out.
async fn whereabouts(source: &Arc<Source>, missing: Vec<String>) -> Vec<(String, String)> {
    let asked = missing.into_iter().enumerate().map(|(index, uri)| async move {
        if index >= ASKED {
            return Some((uri, "it is not listed any more".to_owned()));
        }
        let how = match source.whereabouts(&uri).await {
            Ok(Whereabouts::There) => return None,
            Ok(Whereabouts::Hidden { version }) => format!("a delete marker hides it (version {version})"),
            Ok(Whereabouts::Absent) => "it was deleted".to_owned(),
            Err(_) => "it is not listed any more".to_owned(),
        };
        Some((uri, how))
    });
    futures::stream::iter(asked).buffered(32).filter_map(std::future::ready).collect().await
}

/// What the store knows to be listed for good.
pub(crate) fn settled(spans: &[Span]) -> Settled {
    let mut settled = Settled::default();
    for Span { folder, first, last } in spans {
        // A span that is no span of days is as good as none: the days are listed again.
        if let (Ok(first), Ok(last)) = (first.parse::<Day>(), last.parse::<Day>()) {
            settled.add(folder, first, last);
        }
    }
    settled
}

/// Adds what a finished run has listed for good: the days that are older than the window, and before the first that failed or has
/// files that could not be read.
pub(crate) fn settle(settled: &mut Settled, report: &Report, window: u32, unread: &[Problem]) {
    let Some(today) = report.today else { return };
    let old = (0..=window).fold(today, |day, _| day.previous());
    for visited in &report.visited {
        let below = format!("{}/", visited.folder);
        let unread = unread.iter().filter(|problem| problem.path.starts_with(&below));
        // A file without a day in its path keeps everything open.
        let unread = unread.map(|problem| cloudtarn_source::delivered(&problem.path).unwrap_or(visited.first));
        let failed = unread.chain(visited.failed).min();
        if failed.is_some_and(|failed| failed <= visited.first) {
            continue;
        }
        let last = failed.map_or(visited.last, |failed| visited.last.min(failed.previous())).min(old);
        settled.add(&visited.folder, visited.first, last);
    }
}

/// The form in which the store keeps it.
pub(crate) fn spans(settled: &Settled) -> Vec<Span> {
    let spans = settled.iter().flat_map(|(folder, spans)| {
        spans.iter().map(|(first, last)| Span {
            folder: folder.to_owned(),
            first: first.to_string(),
            last: last.to_string(),
        })
    });
    spans.collect()
}

#[cfg(test)]
mod tests {
    use cloudtarn_source::Visited;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_read_in_the_order_of_delivery() {
        let object = |account: &str, name: &str| LogObject {
            uri: format!("s3://b/AWSLogs/{account}/CloudTrail/us-east-1/2026/03/01/{name}"),
            version: String::new(),
            size: 1,
            kind: None,
            day: Some(day("2026-03-01")),
            organization: None,
            account: Some(account.to_owned()),
            region: None,
        };
        let file = |account: &str, time: &str| {
            object(account, &format!("{account}_CloudTrail_us-east-1_20260301T{time}Z_0123456789abcdef.json.gz"))
        };
        let (one, two) = ("111122223333", "444455556666");
        let listed =
            [file(one, "0105"), file(one, "2300"), object(one, "x.json"), file(two, "0010"), file(two, "0105")];
        let mut files = OneDay::default();
        for object in &listed {
            assert!(!files.ends_before(object));
            files.0.push((object.clone(), None));
        }
        let next = LogObject { day: Some(day("2026-03-02")), ..listed[0].clone() };
        assert!(files.ends_before(&next));
        let order: Vec<LogObject> = files.by_delivery().into_iter().map(|(object, _)| object).collect();
        assert_eq!(order, [2, 3, 0, 4, 1].map(|at: usize| listed[at].clone()));
        assert!(!files.ends_before(&next));
    }

    fn after(failed: Option<&str>, unread: &[&str]) -> Vec<Span> {
        let folder = "s3://b/AWSLogs/111122223333/CloudTrail/us-east-1".to_owned();
        let visited = Visited { folder, first: day("2026-01-01"), last: day("9999-12-31"), failed: failed.map(day) };
        let report =
            Report { visited: vec![visited], complete: true, today: Some(day("2026-03-10")), notes: Vec::new() };
        let unread: Vec<_> =
            unread.iter().map(|path| Problem { path: (*path).to_owned(), reason: String::new() }).collect();
        let mut settled = Settled::default();
        settle(&mut settled, &report, 3, &unread);
        spans(&settled)
    }

    #[test]
    fn days_settle_once_the_window_is_past_and_nothing_failed() {
        let ends = |spans: Vec<Span>| spans.into_iter().map(|span| span.last).collect::<Vec<_>>();
        assert_eq!(ends(after(None, &[])), ["2026-03-06"]);
        assert_eq!(ends(after(Some("2026-02-01"), &[])), ["2026-01-31"]);
        assert_eq!(ends(after(Some("2025-02-01"), &[])), Vec::<String>::new());
        let unread = "s3://b/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/20/x.json.gz";
        assert_eq!(ends(after(Some("2026-02-01"), &[unread])), ["2026-01-19"]);
        assert_eq!(ends(after(None, &["s3://b/AWSLogs/111122223333/CloudTrail/us-east-1/x.gz"])), Vec::<String>::new());
        assert_eq!(ends(after(None, &["s3://b/elsewhere/2026/01/20/x.json.gz"])), ["2026-03-06"]);
        let kept = after(None, &[]);
        assert_eq!(spans(&settled(&kept)), kept);
    }
}
