//! Log files in S3, and in stores that speak its protocol.
mod client;
mod listing;
pub(crate) mod refusal;
mod site;
mod throttle;

pub(crate) use client::causes;
pub(crate) use site::domain;

use crate::credentials::{Chain, Loaded, load, variable};
use crate::roles::sts;
use crate::walk::{Entry, Level, Size, Tree, in_order};
use crate::{Effort, Error, Filter, LogObject, Options, Result, Stored, Whereabouts};
use aws_types::service_config::ServiceConfigKey;
use bytes::Bytes;
use chrono::{DateTime, Datelike, Utc};
use client::{Answer, Client, Failure, Request, Setup};
use cloudtarn_record::key::{Day, FileName, ROOT, is_organization};
use futures::stream::{self, BoxStream, StreamExt};
use http::Method;
use listing::{Document, Object, Page};
use refusal::{Doing, explain};
use site::Site;
use std::sync::Arc;
use std::time::Duration;

/// Days after the first that a page of a month must reach for the month to be listed whole, its pages one after the other.
const MIDDLING: u32 = 5;
/// The scheme of objects' addresses.
pub(crate) const SCHEME: &str = "s3://";
/// How long STS has to say whose credentials these are.
const CALLER: Duration = Duration::from_secs(10);
/// Files of one folder that a level holds; of more it only says that there are more.
pub(crate) const KEPT: usize = 50_000;
/// Parts of one folder that are listed side by side.
const PARTS: usize = 6;

/// A bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    client: Client,
    width: usize,
    /// Tells whose credentials these are; `None` where nobody could.
    sts: Option<aws_sdk_sts::Client>,
}

/// Splits `s3://bucket/prefix` (`s3a://` too).
pub(crate) fn split(location: &str) -> Option<(&str, &str)> {
    let rest = location.strip_prefix(SCHEME).or_else(|| location.strip_prefix("s3a://"))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    Some((bucket, prefix.trim_matches('/')))
}

impl Bucket {
    /// Finds credentials and endpoint; asks nothing of the bucket itself.
    pub(crate) async fn open(name: &str, options: &Options) -> Result<Self> {
        let Loaded { config, provider } = Box::pin(load(options)).await;
        let key = ServiceConfigKey::builder().service_id("S3").profile("endpoint_url").env("AWS_ENDPOINT_URL").build();
        let configured = key.ok().and_then(|key| config.service_config()?.load_config(key));
        let endpoint = options.endpoint.clone().or_else(|| variable("AWS_ENDPOINT_URL_S3")).or(configured);
        let endpoint = endpoint.or_else(|| config.endpoint_url().map(ToOwned::to_owned));
        // Credentials for another service are not shown to AWS.
        let asks = endpoint.is_none() || config.endpoint_url().is_some() || variable("AWS_ENDPOINT_URL_STS").is_some();
        let caller = provider.clone().filter(|_| asks).map(|provider| sts(&config, provider));
        let region = config.region().map_or("us-east-1", |region| region.as_ref());
        let client = Client::new(Setup {
            site: Site {
                endpoint: endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
                addressing: options.addressing,
                fips: config.use_fips().unwrap_or_default(),
                dual_stack: config.use_dual_stack().unwrap_or_default(),
            },
            bucket: name.to_owned(),
            region: region.to_owned(),
            keys: provider.map(Chain::new),
            payer: options.request_payer,
            tries: options.max_retries + 1,
            patience: options.read_timeout,
            most: options.requests,
        })?;
        Ok(Self { client, width: options.listings.max(1), sts: caller })
    }

    /// Reads an object, if it still is the one that was listed, with the metadata that was stored with it.
    pub(crate) async fn fetch(&self, object: &LogObject) -> Result<Stored> {
        self.get(object, None).await
    }

    /// Reads a part of an object, which may not be empty, if it still is the one that was listed.
    pub(crate) async fn read_range(&self, object: &LogObject, part: std::ops::Range<u64>) -> Result<Bytes> {
        Ok(self.get(object, Some(part)).await?.bytes)
    }

    async fn get(&self, object: &LogObject, part: Option<std::ops::Range<u64>>) -> Result<Stored> {
        let key = self.key(&object.uri)?;
        // A version made of size and time is no ETag, and only a GET can tell whether it still holds.
        let tag = Some(object.version.as_str()).filter(|version| !version.starts_with(&format!("{}-", object.size)));
        let size = part.as_ref().map_or(object.size, |part| part.end - part.start);
        let request = Request { method: Method::GET, key, query: Vec::new(), only: tag, part, body: Bytes::new() };
        let read = self.client.send(&request, |answer| {
            let found = found(&answer);
            if found != object.version && !same_age(&object.version, &answer) {
                return Ok(Err(refusal::changed(object, &found)));
            }
            let came = answer.body.len() as u64;
            if came != size {
                return Err(Failure::Garbled(format!("{came} bytes came, listed were {size}")));
            }
            let named = |name: &str| name.strip_prefix("x-amz-meta-").map(ToOwned::to_owned);
            let metadata = answer.headers.iter().filter_map(|(name, value)| {
                Some((named(name.as_str())?, String::from_utf8_lossy(value.as_bytes()).into_owned()))
            });
            Ok(Ok(Stored { metadata: metadata.collect(), bytes: answer.body.clone() }))
        });
        match read.await {
            Ok(read) => read,
            Err(failure) => match explain(&self.client, Doing::Read, key, failure) {
                Error::Changed { .. } => Err(refusal::changed(object, "another")),
                error => Err(error),
            },
        }
    }

    /// Writes an object.
    pub(crate) async fn write(&self, key: &str, body: Bytes) -> Result<()> {
        let request = Request { method: Method::PUT, key, query: Vec::new(), only: None, part: None, body };
        let written = self.client.send(&request, |_| Ok(())).await;
        written.map_err(|failure| explain(&self.client, Doing::Write, key, failure))
    }

    /// What became of an object that is not listed any more.
    pub(crate) async fn whereabouts(&self, uri: &str) -> Result<Whereabouts> {
        let key = self.key(uri)?;
        let request =
            Request { method: Method::HEAD, key, query: Vec::new(), only: None, part: None, body: Bytes::new() };
        match self.client.send(&request, Ok).await {
            Ok(_) => Ok(Whereabouts::There),
            Err(Failure::Refused { marker: Some(version), .. }) => Ok(Whereabouts::Hidden { version }),
            Err(Failure::Refused { status: 404, .. }) => Ok(Whereabouts::Absent),
            Err(failure) => Err(explain(&self.client, Doing::Read, key, failure)),
        }
    }

    pub(crate) fn effort(&self) -> Effort {
        self.client.effort()
    }

    fn key<'a>(&self, uri: &'a str) -> Result<&'a str> {
        let rest = uri.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(self.client.bucket())?.strip_prefix('/'));
        rest.ok_or_else(|| Error::Location {
            location: uri.to_owned(),
            reason: format!("it is not in bucket `{}`", self.client.bucket()),
        })
    }

    /// One page of a listing.
    async fn page(&self, prefix: &str, ask: &Ask<'_>) -> Result<Page> {
        let mut query = vec![("list-type", "2"), ("prefix", prefix)];
        let named = [
            ("delimiter", ask.delimiter),
            ("start-after", ask.after),
            ("continuation-token", ask.token),
            ("max-keys", ask.most),
        ];
        query.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let request = Request { method: Method::GET, key: "", query, only: None, part: None, body: Bytes::new() };
        let page = self.client.send(&request, |answer| match listing::read(&answer.body) {
            Ok(Document::Page(page)) => Ok(page),
            Ok(Document::Refusal(refusal)) => Err(Failure::Refused { status: 200, refusal, marker: None, date: None }),
            Err(reason) => Err(Failure::Garbled(reason)),
        });
        page.await.map_err(|failure| explain(&self.client, Doing::List, prefix, failure))
    }

    /// Objects under a prefix, page after page: with keys after `after`, up to and with `until`, of folders or not.
    fn pages(self: Arc<Self>, range: Range) -> BoxStream<'static, Result<Entry>> {
        let first = Some(Turn { bucket: self, range, token: None });
        stream::unfold(first, |turn| async move {
            let mut turn = turn?;
            let ask = Ask {
                delimiter: turn.range.flat.then_some("/"),
                after: turn.range.after.as_deref().filter(|_| turn.token.is_none()),
                token: turn.token.as_deref(),
                most: None,
            };
            let page = match turn.bucket.page(&turn.range.prefix, &ask).await {
                Ok(page) => page,
                Err(error) => return Some((stream::iter(vec![Err(error)]), None)),
            };
            let until = turn.range.until.as_deref();
            let past = until.is_some_and(|until| page.objects.last().is_some_and(|last| last.key.as_str() > until));
            let wanted =
                page.objects.into_iter().filter(|object| until.is_none_or(|until| object.key.as_str() <= until));
            let files = wanted.filter_map(entry).map(Ok).collect::<Vec<_>>();
            turn.token = page.next;
            let next = (turn.token.is_some() && !past).then_some(turn);
            Some((stream::iter(files), next))
        })
        .flatten()
        .boxed()
    }
}

/// Part of a listing.
#[derive(Debug, Clone, Default)]
struct Range {
    prefix: String,
    after: Option<String>,
    until: Option<String>,
    /// Without what is in folders.
    flat: bool,
}

struct Turn {
    bucket: Arc<Bucket>,
    range: Range,
    token: Option<String>,
}

#[derive(Debug, Default)]
struct Ask<'a> {
    delimiter: Option<&'a str>,
    after: Option<&'a str>,
    token: Option<&'a str>,
    most: Option<&'a str>,
}

/// The prefix of a folder's keys. A folder without a name in the bucket's root is written `/`.
fn prefix(folder: &str) -> String {
    match folder {
        "" => String::new(),
        "/" => "/".to_owned(),
        folder => format!("{folder}/"),
    }
}

/// A file, unless it only marks a folder for consoles that show folders.
fn entry(object: Object) -> Option<Entry> {
    let name = object.key.rsplit('/').next().unwrap_or_default();
    let marker = object.size == 0 && (!name.contains('.') || name.ends_with("_$folder$"));
    (!marker).then_some(Entry { path: object.key, version: object.version, size: object.size })
}

/// The version that a GET or HEAD tells.
fn found(answer: &Answer) -> String {
    let size = answer.header("content-length").and_then(|size| size.parse().ok());
    listing::version(answer.header("etag"), size.unwrap_or(answer.body.len() as u64), modified(answer))
}

fn modified(answer: &Answer) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(answer.header("last-modified")?).ok().map(|time| time.to_utc())
}

/// For servers that tell no ETags when they list: the same time to the second, as a GET tells it.
fn same_age(listed: &str, answer: &Answer) -> bool {
    let Some((_, micros)) = listed.split_once('-') else { return false };
    let seconds = micros.parse::<i64>().ok().map(|micros| micros.div_euclid(1_000_000));
    seconds.is_some() && seconds == modified(answer).map(|time| time.timestamp())
}

/// The day of the month in a key below the prefix of a month.
fn day_in(prefix: &str, key: &str) -> Option<u32> {
    let (day, _) = key.strip_prefix(prefix)?.split_once('/')?;
    (day.len() == 2).then(|| day.parse().ok())?.filter(|day| (1..=31).contains(day))
}

/// Where to part the rest of a month, as [`parts`] does for a day.
fn parts_of_month(prefix: &str, last: &str) -> Vec<String> {
    let Some(day) = day_in(prefix, last) else { return Vec::new() };
    let rest = 31 - day;
    let count = rest.div_ceil(day).max(1);
    // The keys of a day come after the name of its folder.
    (1..count).map(|part| format!("{prefix}{:02}", day + 1 + rest * part / count)).collect()
}

/// Where to part the rest of a day that is too long for one page: keys between `last` and the day's end, so that each part holds
/// about a page if the rest of the day is like its beginning. Empty if the name tells no time.
fn parts(prefix: &str, last: &str) -> Vec<String> {
    const DAY: u32 = 24 * 60;
    let Some(name) = last.strip_prefix(prefix) else { return Vec::new() };
    let Some(parsed) = FileName::parse(name) else { return Vec::new() };
    let day = parsed.time.day;
    let stamp = format!("_{:04}{:02}{:02}T", day.year(), day.month(), day.day());
    let Some(at) = name.find(&stamp) else { return Vec::new() };
    let stem = &name[..at + stamp.len()];
    let minute = u32::from(parsed.time.hour) * 60 + u32::from(parsed.time.minute);
    let rest = DAY.saturating_sub(minute);
    let count = (rest / minute.max(1)).clamp(1, 96);
    let bound = |part: u32| minute + rest * part / count;
    (1..count).map(bound).map(|time| format!("{prefix}{stem}{:02}{:02}", time / 60, time % 60)).collect()
}

impl Tree for Bucket {
    async fn single(&self, key: &str) -> Result<Option<Vec<Result<Entry>>>> {
        // Only a name with a dot is worth a request; who may not ask learns from the listing.
        if !key.rsplit('/').next().is_some_and(|name| name.contains('.')) {
            return Ok(None);
        }
        let request =
            Request { method: Method::HEAD, key, query: Vec::new(), only: None, part: None, body: Bytes::new() };
        let found = self.client.send(&request, |answer| {
            let size = answer.header("content-length").and_then(|size| size.parse().ok()).unwrap_or_default();
            Ok(Object { key: key.to_owned(), version: found(&answer), size })
        });
        Ok(found.await.ok().and_then(entry).map(|entry| vec![Ok(entry)]))
    }

    async fn level(&self, folder: &str) -> Result<Level> {
        let prefix = prefix(folder);
        let mut level = Level::default();
        let mut token: Option<String> = None;
        loop {
            let ask = Ask { delimiter: Some("/"), token: token.as_deref(), ..Ask::default() };
            let page = self.page(&prefix, &ask).await?;
            for below in page.folders {
                let name = below.strip_prefix(&prefix).unwrap_or(&below).trim_end_matches('/');
                if name.is_empty() {
                    level.unnamed = Some(if folder.is_empty() { "/".to_owned() } else { format!("{folder}/") });
                } else {
                    level.folders.push(name.to_owned());
                }
            }
            level.more |= level.files.len() + page.objects.len() > KEPT;
            if level.more {
                level.files = Vec::new();
            } else {
                level.files.extend(page.objects.into_iter().filter_map(entry).map(Ok));
            }
            token = page.next;
            if token.is_none() {
                level.folders.sort_unstable();
                return Ok(level);
            }
        }
    }

    fn direct(self: Arc<Self>, folder: String) -> BoxStream<'static, Result<Entry>> {
        self.pages(Range { prefix: prefix(&folder), flat: true, ..Range::default() })
    }

    /// Pages without folders. A day that is longer than a page is parted by the times in its files' names, a month by days.
    fn below(self: Arc<Self>, folder: String) -> BoxStream<'static, Result<Entry>> {
        let prefix = prefix(&folder);
        stream::once(async move {
            let mut page = match self.page(&prefix, &Ask::default()).await {
                Ok(page) => page,
                Err(error) => return stream::iter([Err(error)]).boxed(),
            };
            let last = page.next.take().and(page.objects.last()).map(|last| last.key.clone());
            let files = stream::iter(page.objects.into_iter().filter_map(entry).map(Ok).collect::<Vec<_>>());
            let Some(last) = last else { return files.boxed() };
            let bounds = match parts(&prefix, &last) {
                none if none.is_empty() => parts_of_month(&prefix, &last),
                bounds => bounds,
            };
            let starts = std::iter::once(last).chain(bounds.clone());
            let ends = bounds.into_iter().map(Some).chain([None]);
            let uri = self.uri(&folder);
            let ranges = starts.zip(ends).map(move |(after, until)| {
                let range = Range { prefix: prefix.clone(), after: Some(after), until, flat: false };
                Arc::clone(&self).pages(range)
            });
            let ranges = stream::iter(ranges.collect::<Vec<_>>());
            files.chain(in_order(ranges, PARTS, move || Err(Error::Interrupted { uri: uri.clone() }))).boxed()
        })
        .flatten()
        .boxed()
    }

    async fn size(&self, month: &str) -> Size {
        let prefix = prefix(month);
        let Ok(page) = self.page(&prefix, &Ask::default()).await else { return Size::Busy };
        if page.next.is_none() {
            return Size::Small(page.objects.into_iter().filter_map(entry).collect());
        }
        let last = page.objects.last().and_then(|last| day_in(&prefix, &last.key));
        let first = page.objects.first().and_then(|first| day_in(&prefix, &first.key));
        match last.zip(first) {
            // A page that spans these days is one of about five.
            Some((last, first)) if last >= first + MIDDLING => Size::Middling,
            _ => Size::Busy,
        }
    }

    fn days(
        self: Arc<Self>,
        folder: String,
        first: Day,
        last: Option<Day>,
    ) -> Option<BoxStream<'static, Result<Entry>>> {
        let key = |day: Day| format!("{folder}/{:04}/{:02}/{:02}", day.year(), day.month(), day.day());
        // The keys of a day come after the name of its folder, and before that of the next.
        let (after, until) = (Some(key(first)), last.map(|last| key(last.next())));
        Some(self.pages(Range { prefix: prefix(&folder), after, until, flat: false }))
    }

    async fn permitted(&self, folder: &str, filter: &Filter) -> Vec<String> {
        let mut accounts = filter.accounts.clone();
        if accounts.is_empty()
            && let Some(sts) = &self.sts
            && let Ok(Ok(caller)) = tokio::time::timeout(CALLER, sts.get_caller_identity().send()).await
        {
            accounts.extend(caller.account().map(ToOwned::to_owned));
        }
        let mut names = folder.rsplit('/');
        let inside = match (names.next(), names.next()) {
            (Some(ROOT), _) => true,
            (Some(last), Some(ROOT)) => is_organization(last),
            _ => false,
        };
        let base = if inside { folder.to_owned() } else { format!("{}{ROOT}", prefix(folder)) };
        let mut permitted = Vec::new();
        for account in accounts {
            let folder = format!("{base}/{account}");
            let ask = Ask { most: Some("1"), ..Ask::default() };
            if self.page(&prefix(&folder), &ask).await.is_ok() {
                permitted.push(folder);
            }
        }
        permitted
    }

    fn today(&self) -> Option<Day> {
        let now = self.client.now();
        Day::new(u16::try_from(now.year()).ok()?, u8::try_from(now.month()).ok()?, u8::try_from(now.day()).ok()?)
    }

    fn uri(&self, path: &str) -> String {
        format!("{SCHEME}{}/{path}", self.client.bucket())
    }

    fn width(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests;
