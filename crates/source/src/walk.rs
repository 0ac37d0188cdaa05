//! The walk: lists a tree of log files in the order of days.
//!
//! It first descends, all folders of a depth at once, until it meets the regions of the layout
//! ([`Place`](crate::layout::Place)). From there it goes by time: the years of all regions, the months of a year, the days
//! of a month, and a day's files in all accounts and regions before the next day's. In memory are the regions, a month's
//! days, and some of the listings under way, not the bucket. Files outside the layout come in their day's turn if their names have
//! one and they are few; the others come at the end.
//!
//! Only of busy regions, which fill a page a day, the days are asked for: a month that is small enough for one answer is taken in one,
//! and waits for its days; one that takes some answers is listed whole, after the busy ones' days.
//!
//! Days that are settled ([`Settled`]) are left out. Where only the newest days of a region are not, a tree that can list from a
//! day on does so at once, which is one request a region and not one a year, a month and a day.
use crate::layout::{Place, Step};
use crate::s3::KEPT;
use crate::{Error, Filter, LogObject, Report, Result, Settled, Visited};
use cloudtarn_record::key::{Day, Kind};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use std::collections::{BTreeMap, HashSet};
use std::future::{Future, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Objects listed ahead of who consumes them.
const AHEAD: usize = 1024;
/// Files that a listing runs ahead of its turn: the pages of a middling month, so that no turn waits for one.
const RUN: usize = 4_000;
/// Files of small months that wait for their days; beyond that, months are listed day by day.
const SMALL: usize = 100_000;
/// Days that are listed from the first on, in one go for each region; before more than these the order of days counts.
const TAIL: usize = 45;
/// Folders of one depth outside the layout; those beyond are listed without looking for a layout in them.
const WIDEST: usize = 100_000;
/// Depth below the root at which the search for a layout ends.
const DEEPEST: usize = 12;

/// A file in a tree.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// From the tree's own root, `/` between the names, none at the start.
    pub(crate) path: String,
    pub(crate) version: String,
    pub(crate) size: u64,
}

/// What lies directly in a folder.
#[derive(Debug, Default)]
pub(crate) struct Level {
    /// Names, sorted.
    pub(crate) folders: Vec<String>,
    pub(crate) files: Vec<Result<Entry>>,
    /// There are more files than fit; none is here.
    pub(crate) more: bool,
    /// Stands for a folder whose name is empty, for [`Tree::below`] alone.
    pub(crate) unnamed: Option<String>,
}

/// Something that has folders and files: a file system, a bucket.
pub(crate) trait Tree: Send + Sync + 'static {
    /// The root itself when it is a file and not a folder; an archive is all its entries.
    fn single(&self, path: &str) -> impl Future<Output = Result<Option<Vec<Result<Entry>>>>> + Send;

    /// Lists one folder; the tree's own root is the empty path.
    fn level(&self, folder: &str) -> impl Future<Output = Result<Level>> + Send;

    /// Every file in a folder and its folders.
    fn below(self: Arc<Self>, folder: String) -> BoxStream<'static, Result<Entry>> {
        let todo = vec![folder];
        stream::unfold((self, todo), |(tree, mut todo)| async move {
            let folder = todo.pop()?;
            let files = match tree.level(&folder).await {
                Ok(level) => {
                    todo.extend(level.folders.iter().rev().map(|name| join(&folder, name)));
                    level.files
                }
                Err(error) => vec![Err(error)],
            };
            Some((stream::iter(files), (tree, todo)))
        })
        .flatten()
        .boxed()
    }

    /// The files of one folder, not of its folders.
    fn direct(self: Arc<Self>, folder: String) -> BoxStream<'static, Result<Entry>> {
        let listing = async move {
            let listed = self.level(&folder).await;
            stream::iter(listed.map_or_else(|error| vec![Err(error)], |level| level.files))
        };
        stream::once(listing).flatten().boxed()
    }

    /// How much there is in the folder of a month; [`Size::Busy`] also where that fails, or is no use to know.
    fn size(&self, _month: &str) -> impl Future<Output = Size> + Send {
        ready(Size::Busy)
    }

    /// Everything in a folder of years from one day on, up to and with another, in the order of days; `None` if that costs more
    /// than to look for the days.
    fn days(
        self: Arc<Self>,
        _folder: String,
        _first: Day,
        _last: Option<Day>,
    ) -> Option<BoxStream<'static, Result<Entry>>> {
        None
    }

    /// Folders below one that may not be listed which may be.
    fn permitted(&self, _folder: &str, _filter: &Filter) -> impl Future<Output = Vec<String>> + Send {
        ready(Vec::new())
    }

    /// The day it is by the tree's own clock.
    fn today(&self) -> Option<Day> {
        None
    }

    /// The address of a file.
    fn uri(&self, path: &str) -> String;

    /// How many listings may be under way.
    fn width(&self) -> usize;
}

/// How much there is in a month.
#[derive(Debug)]
pub(crate) enum Size {
    /// This, and no more.
    Small(Vec<Entry>),
    /// So little that to ask for each day would cost more than to list it whole.
    Middling,
    /// So much that its days are worth a listing each.
    Busy,
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Runs streams side by side, some at a time, and yields what they give in the streams' order. Each runs ahead of its turn by a
/// bounded number of items. `lost` stands for what a stream owes that ended by a defect.
pub(crate) fn in_order<T: Send + 'static>(
    streams: impl Stream<Item = BoxStream<'static, T>> + Send + 'static,
    width: usize,
    lost: impl Fn() -> T + Send + 'static,
) -> BoxStream<'static, T> {
    streams
        .map(|mut items| {
            let (send, received) = mpsc::channel(RUN);
            let task = tokio::spawn(async move {
                while let Some(item) = items.next().await {
                    if send.send(item).await.is_err() {
                        break;
                    }
                }
            });
            ready((received, task))
        })
        .buffered(width)
        .flat_map(|(mut received, task)| {
            let items = stream::poll_fn(move |context| received.poll_recv(context)).map(Some);
            items.chain(stream::once(async move { task.await.err().map(|_| None) }).filter_map(ready))
        })
        .map(move |item| item.unwrap_or_else(&lost))
        .boxed()
}

/// Walks from `root` (a path in the tree). An error is about one folder or file, which it names; the walk goes on. The report is
/// complete when the stream has ended.
pub(crate) fn walk<T: Tree>(
    tree: Arc<T>,
    root: String,
    filter: Filter,
    settled: Settled,
    report: Arc<Mutex<Report>>,
) -> impl Stream<Item = Result<LogObject>> + Send + 'static {
    let (out, mut received) = mpsc::channel(AHEAD);
    let place = Place::of(&root);
    let foreign = place.step == Step::Foreign || filter.kinds.contains(&Kind::Other);
    let mut filter = filter;
    // Who asks for another service's folder by its name wants what is in it.
    if foreign && !filter.kinds.is_empty() {
        filter.kinds.push(Kind::Other);
    }
    let walk = Walk {
        tree,
        filter,
        settled,
        out,
        foreign,
        met: false,
        failed: false,
        loose: Loose::default(),
        busy: Arc::default(),
        last: Default::default(),
        visited: BTreeMap::new(),
        notes: Vec::new(),
    };
    let walking = Box::pin(async move {
        // The walk ends early when nobody receives any more.
        if let Ok(done) = walk.run(Node { path: root, place }).await {
            *report.lock().unwrap_or_else(PoisonError::into_inner) = done;
        }
    });
    let nothing = stream::once(walking).filter_map(|()| ready(None));
    stream::select(stream::poll_fn(move |context| received.poll_recv(context)), nothing)
}

/// A folder and its place in the layout.
#[derive(Debug, Clone)]
struct Node {
    path: String,
    place: Place,
}

impl Node {
    fn child(&self, name: &str) -> Self {
        Self { path: join(&self.path, name), place: self.place.child(name) }
    }

    /// The folder that the years are in, seen from a folder of the layout.
    fn of_years(&self) -> &str {
        let up = match self.place.step {
            Step::Year => 1,
            Step::Month => 2,
            Step::Day => 3,
            _ => 0,
        };
        (0..up).fold(self.path.as_str(), |path, _| path.rsplit_once('/').map_or("", |(above, _)| above))
    }

    /// The place of a file below.
    fn place_of(&self, path: &str) -> Place {
        let below = path.strip_prefix(&self.path).unwrap_or(path);
        let folders = below.rsplit_once('/').map_or("", |(folders, _)| folders);
        folders.split('/').filter(|name| !name.is_empty()).fold(self.place.clone(), |place, name| place.child(name))
    }

    /// First and last day that the folder may hold by its name.
    fn days(&self) -> Option<(Day, Day)> {
        let Place { year, month, day, .. } = self.place;
        if let Some(day) = day {
            return Some((day, day));
        }
        let (first_year, last_year) = year.map_or((1970, 9999), |year| (year, year));
        let (first_month, last_month) = month.map_or((1, 12), |month| (month, month));
        let last = (28..=31).rev().find_map(|day| Day::new(last_year, last_month, day));
        Day::new(first_year, first_month, 1).zip(last)
    }
}

/// Files and folders outside the layout.
#[derive(Debug, Default)]
struct Loose {
    kept: usize,
    dated: BTreeMap<Day, Vec<LogObject>>,
    undated: Vec<LogObject>,
    later: Vec<Later>,
}

#[derive(Debug)]
enum Later {
    /// The files of this folder, not of its folders.
    Level(String),
    /// Everything in this folder.
    Below(String),
}

/// A folder and what its listing gave.
type Listed = (Node, Result<Level>);

type Busy = Arc<Mutex<HashSet<String>>>;

/// The folders of one month: the files of those that are small, those to be listed whole, and the days of the others.
#[derive(Default)]
struct Month {
    small: Vec<(Node, Vec<Entry>)>,
    middling: Vec<Node>,
    levels: Vec<Listed>,
}

/// Nobody receives any more.
struct Closed;

type Walked<T = ()> = Result<T, Closed>;

struct Walk<T> {
    tree: Arc<T>,
    filter: Filter,
    settled: Settled,
    out: mpsc::Sender<Result<LogObject>>,
    /// Whether other services' files are wanted.
    foreign: bool,
    /// Whether anything was met, wanted or not.
    met: bool,
    /// Whether any listing failed.
    failed: bool,
    loose: Loose,
    /// Folders of years that had a busy month.
    busy: Busy,
    /// The folder of the last file, and its place: files come folder by folder.
    last: (String, Place),
    /// Folders of years, with the days that were asked for and the first that failed.
    visited: BTreeMap<String, Visited>,
    notes: Vec<String>,
}

impl<T: Tree> Walk<T> {
    /// Lists everything, and reports.
    async fn run(mut self, root: Node) -> Walked<Report> {
        self.everything(root).await?;
        let visited = std::mem::take(&mut self.visited).into_values().collect();
        let notes = std::mem::take(&mut self.notes);
        Ok(Report { visited, complete: !self.failed && notes.is_empty(), today: self.tree.today(), notes })
    }

    async fn everything(&mut self, root: Node) -> Walked {
        let tree = Arc::clone(&self.tree);
        match tree.single(&root.path).await {
            Ok(Some(files)) => {
                self.files_of(&root, Ok(Level { files, ..Level::default() })).await?;
                return self.finish().await;
            }
            Ok(None) => {}
            Err(error) => return self.fail(None, error).await,
        }
        let uri = tree.uri(&root.path);
        let nodes = if root.place.step >= Step::Region { vec![root] } else { self.discover(root).await? };
        self.by_time(nodes).await?;
        self.finish().await?;
        if self.met { Ok(()) } else { self.fail(None, Error::Empty { uri }).await }
    }

    /// Tells an error, and that nothing from its day on can be settled in its folder of years.
    async fn fail(&mut self, node: Option<&Node>, error: Error) -> Walked {
        self.failed = true;
        if let Some((node, (first, _))) = node.and_then(|node| Some((node, node.days()?)))
            && let Some(visited) = self.visited.get_mut(&self.tree.uri(node.of_years()))
        {
            visited.failed = Some(visited.failed.map_or(first, |failed| failed.min(first)));
        }
        self.emit(Err(error)).await
    }

    /// The days of a folder that are wanted.
    fn span(&self, node: &Node) -> Option<(Day, Day)> {
        let (first, last) = node.days()?;
        Some((
            self.filter.since.map_or(first, |since| since.max(first)),
            self.filter.until.map_or(last, |until| until.min(last)),
        ))
    }

    /// Notes that a folder of years, or a part of one, is listed.
    fn visit(&mut self, node: &Node) {
        let Some((first, last)) = self.span(node).filter(|_| node.place.step < Step::Day) else { return };
        let folder = self.tree.uri(node.of_years());
        let visited = Visited { folder: folder.clone(), first, last, failed: None };
        self.visited.entry(folder).or_insert(visited);
    }

    /// Whether nothing new is expected in a folder of the layout.
    fn is_settled(&self, node: &Node) -> bool {
        let span = self.span(node).filter(|_| node.place.step >= Step::Region);
        span.is_some_and(|(first, last)| self.settled.covers(&self.tree.uri(node.of_years()), first, last))
    }

    /// Descends to the regions of the layout, or to whatever step of it comes first.
    async fn discover(&mut self, root: Node) -> Walked<Vec<Node>> {
        let mut found = Vec::new();
        let mut round = vec![root];
        for depth in 0.. {
            let mut levels = levels(&self.tree, round);
            round = Vec::new();
            while let Some((node, level)) = levels.next().await {
                if matches!(level, Err(Error::AccessDenied { .. })) && node.place.step <= Step::Logs {
                    let permitted = self.tree.permitted(&node.path, &self.filter).await;
                    if !permitted.is_empty() {
                        let addresses: Vec<_> = permitted.iter().map(|path| self.tree.uri(path)).collect();
                        let denied = self.tree.uri(&node.path);
                        self.notes.push(format!("{denied} may not be listed; listed {} instead", addresses.join(", ")));
                        round.extend(permitted.into_iter().map(|path| Node { place: Place::of(&path), path }));
                        continue;
                    }
                }
                let Some(folders) = self.files_of(&node, level).await? else {
                    continue;
                };
                for child in folders.iter().map(|name| node.child(name)) {
                    if !self.descends(&child) {
                        continue;
                    }
                    if child.place.step >= Step::Region {
                        found.push(child);
                    } else if child.place.step == Step::Foreign || depth == DEEPEST || round.len() == WIDEST {
                        self.loose.later.push(Later::Below(child.path));
                    } else {
                        round.push(child);
                    }
                }
            }
            if round.is_empty() {
                break;
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Lists the regions' files in the order of days.
    async fn by_time(&mut self, nodes: Vec<Node>) -> Walked {
        for node in &nodes {
            self.visit(node);
        }
        let nodes = self.newest(nodes).await?;
        let (years, mut nodes) = split(nodes, Step::Region);
        nodes.extend(self.expand(levels(&self.tree, years)).await?);
        let mut years = BTreeMap::<_, Vec<_>>::new();
        for node in nodes {
            years.entry(node.place.year).or_default().push(node);
        }
        for nodes in years.into_values() {
            let (undivided, mut nodes) = split(nodes, Step::Year);
            nodes.extend(self.expand(levels(&self.tree, undivided)).await?);
            let mut months = BTreeMap::<_, Vec<_>>::new();
            for node in nodes {
                months.entry(node.place.month).or_default().push(node);
            }
            // While a month's files are listed, the next month's days already are.
            let mut months = months.into_values();
            let mut ahead = months.next().map(|nodes| self.days_of(nodes));
            while let Some((mut days, listing)) = ahead {
                let month = listing.await.unwrap_or_default();
                let last = month.small.first().and_then(|(node, _)| node.days()).map(|(_, last)| last);
                self.keep(month.small);
                ahead = months.next().map(|nodes| self.days_of(nodes));
                days.extend(self.expand(stream::iter(month.levels).boxed()).await?);
                days.sort_by(|a, b| (a.place.day, &a.path).cmp(&(b.place.day, &b.path)));
                self.list_days(days).await?;
                if let Some(last) = last {
                    self.emit_dated(last).await?;
                }
                self.list_whole(month.middling).await?;
            }
        }
        Ok(())
    }

    /// Lists the regions of which only the newest days are not settled, and hands back the others.
    async fn newest(&mut self, nodes: Vec<Node>) -> Walked<Vec<Node>> {
        let tail = |node: &Node| {
            let (first, last) = self.span(node).filter(|_| node.place.step == Step::Region)?;
            let rest = self.settled.rest(&self.tree.uri(&node.path), first).filter(|rest| *rest <= last)?;
            let today = self.tree.today()?;
            let few = std::iter::successors(Some(rest), |day| Some(day.next())).take(TAIL).any(|day| day >= today);
            let last = Some(last).filter(|last| *last < today);
            few.then(|| Arc::clone(&self.tree).days(node.path.clone(), rest, last)).flatten()
        };
        let (mut others, mut tails) = (Vec::new(), Vec::new());
        for node in nodes {
            match tail(&node) {
                Some(files) => tails.push((node, files)),
                None => others.push(node),
            }
        }
        self.list_side_by_side(tails).await?;
        Ok(others)
    }

    /// Begins to list the days of months; days that the walk already knows are handed back.
    fn days_of(&self, nodes: Vec<Node>) -> (Vec<Node>, JoinHandle<Month>) {
        let (months, days) = split(nodes, Step::Month);
        (days, tokio::spawn(month(Arc::clone(&self.tree), months, Arc::clone(&self.busy))))
    }

    /// Keeps the files of small months until their days come.
    fn keep(&mut self, small: Vec<(Node, Vec<Entry>)>) {
        for (node, entries) in small {
            self.met |= !entries.is_empty();
            let years = self.tree.uri(node.of_years());
            for entry in entries {
                let object = self.describe(entry);
                match object.day {
                    _ if !self.wants(&object) => {}
                    Some(day) if self.settled.covers(&years, day, day) => {}
                    Some(day) => self.loose.dated.entry(day).or_default().push(object),
                    None => self.loose.undated.push(object),
                }
            }
        }
    }

    /// One step down in time.
    async fn expand(&mut self, mut levels: BoxStream<'static, Listed>) -> Walked<Vec<Node>> {
        let mut deeper = Vec::new();
        while let Some((node, level)) = levels.next().await {
            let Some(folders) = self.files_of(&node, level).await? else {
                continue;
            };
            for child in folders.iter().map(|name| node.child(name)) {
                if !self.descends(&child) {
                    continue;
                }
                if child.place.step > node.place.step {
                    deeper.push(child);
                } else {
                    self.loose.later.push(Later::Below(child.path));
                }
            }
        }
        Ok(deeper)
    }

    async fn list_days(&mut self, days: Vec<Node>) -> Walked {
        let tree = Arc::clone(&self.tree);
        self.list_side_by_side(
            days.into_iter()
                .map(move |node| {
                    let files = Arc::clone(&tree).below(node.path.clone());
                    (node, files)
                })
                .collect::<Vec<_>>(),
        )
        .await
    }

    /// Lists months whole, without the days in them that are settled.
    async fn list_whole(&mut self, months: Vec<Node>) -> Walked {
        let tree = Arc::clone(&self.tree);
        let settled = Arc::new(self.settled.clone());
        let folders = months.into_iter().map(move |node| {
            let files = Arc::clone(&tree).below(node.path.clone());
            if settled.spans(&tree.uri(node.of_years())).is_empty() {
                return (node, files);
            }
            let (settled, years, month) = (Arc::clone(&settled), tree.uri(node.of_years()), node.clone());
            let files = files.filter(move |file| {
                let day = file.as_ref().ok().and_then(|entry| month.place_of(&entry.path).day);
                ready(!day.is_some_and(|day| settled.covers(&years, day, day)))
            });
            (node, files.boxed())
        });
        self.list_side_by_side(folders.collect()).await
    }

    /// Emits the files of folders, in the folders' order.
    async fn list_side_by_side(&mut self, folders: Vec<(Node, BoxStream<'static, Result<Entry>>)>) -> Walked {
        enum Item {
            Folder(Box<Node>),
            File(Result<Entry>),
        }
        let uri = folders.first().map(|(node, _)| self.tree.uri(&node.path)).unwrap_or_default();
        let streams = stream::iter(folders).map(|(node, files)| {
            let folder = stream::iter([Item::Folder(Box::new(node))]);
            folder.chain(files.map(Item::File)).boxed()
        });
        let lost = move || Item::File(Err(Error::Interrupted { uri: uri.clone() }));
        let mut items = in_order(streams, self.tree.width().div_ceil(3), lost);
        let mut within = None;
        while let Some(item) = items.next().await {
            match item {
                Item::Folder(node) => {
                    if let Some(day) = node.place.day {
                        self.emit_dated(day).await?;
                    }
                    within = Some(node);
                }
                Item::File(Ok(entry)) => self.emit_entry(entry).await?,
                Item::File(Err(error)) => {
                    self.met = true;
                    self.fail(within.as_deref(), error).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes in the files met on the way down, and hands back the folders.
    async fn files_of(&mut self, node: &Node, level: Result<Level>) -> Walked<Option<Vec<String>>> {
        let level = match level {
            Ok(level) => level,
            Err(error) => {
                self.met = true;
                self.fail(Some(node), error).await?;
                return Ok(None);
            }
        };
        self.met |= level.more || !(level.files.is_empty() && level.folders.is_empty());
        self.loose.later.extend(level.unnamed.map(Later::Below));
        if level.more || self.loose.kept + level.files.len() > KEPT {
            self.loose.later.push(Later::Level(node.path.clone()));
            return Ok(Some(level.folders));
        }
        self.loose.kept += level.files.len();
        for file in level.files {
            match file {
                Ok(entry) => {
                    let object = self.describe(entry);
                    if self.wants(&object) {
                        match object.day {
                            Some(day) => self.loose.dated.entry(day).or_default().push(object),
                            None => self.loose.undated.push(object),
                        }
                    }
                }
                Err(error) => self.fail(Some(node), error).await?,
            }
        }
        Ok(Some(level.folders))
    }

    /// Emits the loose files of the days up to this one.
    async fn emit_dated(&mut self, day: Day) -> Walked {
        while let Some(first) = self.loose.dated.first_entry().filter(|first| *first.key() <= day) {
            for object in first.remove() {
                self.emit(Ok(object)).await?;
            }
        }
        Ok(())
    }

    /// Emits what had no turn.
    async fn finish(&mut self) -> Walked {
        let loose = std::mem::take(&mut self.loose);
        for object in loose.dated.into_values().flatten().chain(loose.undated) {
            self.emit(Ok(object)).await?;
        }
        for later in loose.later {
            let tree = Arc::clone(&self.tree);
            let mut files = match later {
                Later::Level(path) => tree.direct(path),
                Later::Below(path) => tree.below(path),
            };
            while let Some(file) = files.next().await {
                match file {
                    Ok(entry) => self.emit_entry(entry).await?,
                    Err(error) => {
                        self.met = true;
                        self.fail(None, error).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether to list a folder.
    fn descends(&self, node: &Node) -> bool {
        (self.foreign || node.place.step != Step::Foreign) && node.place.wanted(&self.filter) && !self.is_settled(node)
    }

    fn wants(&self, object: &LogObject) -> bool {
        (self.foreign || object.kind != Some(Kind::Other)) && self.filter.admits(object)
    }

    fn describe(&mut self, entry: Entry) -> LogObject {
        let (folder, file) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        if self.last.0 != folder {
            self.last = (folder.to_owned(), Place::of(folder));
        }
        LogObject::within(&self.last.1, file, self.tree.uri(&entry.path), entry.version, entry.size)
    }

    async fn emit_entry(&mut self, entry: Entry) -> Walked {
        self.met = true;
        let object = self.describe(entry);
        if self.wants(&object) { self.emit(Ok(object)).await } else { Ok(()) }
    }

    async fn emit(&self, item: Result<LogObject>) -> Walked {
        self.out.send(item).await.map_err(|_| Closed)
    }
}

/// Lists the folders of a month. A folder that had a busy month is not tried again.
async fn month<T: Tree>(tree: Arc<T>, nodes: Vec<Node>, busy: Busy) -> Month {
    let kept = Arc::new(AtomicUsize::new(0));
    let width = tree.width();
    let tries = stream::iter(nodes).map(|node| {
        let (tree, busy, kept, years) =
            (Arc::clone(&tree), Arc::clone(&busy), Arc::clone(&kept), node.of_years().to_owned());
        let path = node.path.clone();
        let small = tokio::spawn(async move {
            if busy.lock().unwrap_or_else(PoisonError::into_inner).contains(&years) {
                return Size::Busy;
            }
            if kept.load(Ordering::Relaxed) > SMALL {
                return Size::Middling;
            }
            let size = tree.size(&path).await;
            match &size {
                Size::Small(entries) => _ = kept.fetch_add(entries.len(), Ordering::Relaxed),
                Size::Middling => {}
                Size::Busy => _ = busy.lock().unwrap_or_else(PoisonError::into_inner).insert(years),
            }
            size
        });
        async move { (node, small.await.unwrap_or(Size::Busy)) }
    });
    let mut tries = tries.buffered(width);
    let mut month = Month::default();
    let mut large = Vec::new();
    while let Some((node, size)) = tries.next().await {
        match size {
            Size::Small(entries) => month.small.push((node, entries)),
            Size::Middling => month.middling.push(node),
            Size::Busy => large.push(node),
        }
    }
    drop(tries);
    month.levels = levels(&tree, large).collect().await;
    month
}

/// The nodes at a step, and the others.
fn split(nodes: Vec<Node>, step: Step) -> (Vec<Node>, Vec<Node>) {
    nodes.into_iter().partition(|node| node.place.step == step)
}

/// Lists folders, several at a time, in their order. Each listing is a task of its own, so that a slow consumer does not
/// leave requests half-answered until they time out.
fn levels<T: Tree>(tree: &Arc<T>, nodes: Vec<Node>) -> BoxStream<'static, Listed> {
    let tree = Arc::clone(tree);
    let width = tree.width();
    stream::iter(nodes)
        .map(move |node| {
            let (here, path) = (Arc::clone(&tree), node.path.clone());
            let uri = tree.uri(&path);
            let listing = tokio::spawn(async move { here.level(&path).await });
            async move { (node, listing.await.unwrap_or(Err(Error::Interrupted { uri }))) }
        })
        .buffered(width)
        .boxed()
}

#[cfg(test)]
mod tests;
