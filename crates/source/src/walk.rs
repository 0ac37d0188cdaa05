//! The walk: lists a tree of log files in the order of days.
//!
//! It first descends, all folders of a depth at once, until it meets the regions of the layout
//! ([`Place`](crate::layout::Place)). From there it goes by time: the years of all regions, the months of a year, the days
//! of a month, and a day's files in all accounts and regions before the next day's. In memory are the regions, a month's
//! days, and the listings under way, not the bucket. Files outside the layout come in their day's turn if their names have
//! one and they are few; the others come at the end.
use crate::layout::{Place, Step};
use crate::{Error, Filter, LogObject, Result};
use cloudtarn_record::key::{Day, Kind};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Objects listed ahead of who consumes them.
const AHEAD: usize = 1024;
/// Files outside the layout that are kept until their turn; beyond that, folders are listed once more at the end.
const KEPT: usize = 50_000;
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

    /// The address of a file.
    fn uri(&self, path: &str) -> String;

    /// How many listings may be under way.
    fn width(&self) -> usize;
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Walks from `root` (a path in the tree). An error is about one folder or file, which it names; the walk goes on.
pub(crate) fn walk<T: Tree>(
    tree: Arc<T>,
    root: String,
    filter: Filter,
) -> impl Stream<Item = Result<LogObject>> + Send + 'static {
    let (out, mut received) = mpsc::channel(AHEAD);
    let place = Place::of(&root);
    let foreign = place.step == Step::Foreign || filter.kinds.contains(&Kind::Other);
    let mut filter = filter;
    // Who asks for another service's folder by its name wants what is in it.
    if foreign && !filter.kinds.is_empty() {
        filter.kinds.push(Kind::Other);
    }
    let walk = Walk { tree, filter, out, foreign, met: false, loose: Loose::default() };
    let walking = Box::pin(async move {
        // The walk ends early when nobody receives any more.
        let _ = walk.run(Node { path: root, place }).await;
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

/// Nobody receives any more.
struct Closed;

type Walked<T = ()> = Result<T, Closed>;

struct Walk<T> {
    tree: Arc<T>,
    filter: Filter,
    out: mpsc::Sender<Result<LogObject>>,
    /// Whether other services' files are wanted.
    foreign: bool,
    /// Whether anything was met, wanted or not.
    met: bool,
    loose: Loose,
}

impl<T: Tree> Walk<T> {
    async fn run(mut self, root: Node) -> Walked {
        let tree = Arc::clone(&self.tree);
        match tree.single(&root.path).await {
            Ok(Some(files)) => {
                self.files_of(&root, Ok(Level { folders: Vec::new(), files })).await?;
                return self.finish().await;
            }
            Ok(None) => {}
            Err(error) => return self.emit(Err(error)).await,
        }
        let uri = tree.uri(&root.path);
        let nodes = if root.place.step >= Step::Region { vec![root] } else { self.discover(root).await? };
        self.by_time(nodes).await?;
        self.finish().await?;
        if self.met { Ok(()) } else { self.emit(Err(Error::Empty { uri })).await }
    }

    /// Descends to the regions of the layout, or to whatever step of it comes first.
    async fn discover(&mut self, root: Node) -> Walked<Vec<Node>> {
        let mut found = Vec::new();
        let mut round = vec![root];
        for depth in 0.. {
            let mut levels = levels(&self.tree, round);
            round = Vec::new();
            while let Some((node, level)) = levels.next().await {
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
                let listed = listing.await.unwrap_or_default();
                ahead = months.next().map(|nodes| self.days_of(nodes));
                days.extend(self.expand(stream::iter(listed).boxed()).await?);
                days.sort_by(|a, b| (a.place.day, &a.path).cmp(&(b.place.day, &b.path)));
                self.list_days(days).await?;
            }
        }
        Ok(())
    }

    /// Begins to list the days of months; days that the walk already knows are handed back.
    fn days_of(&self, nodes: Vec<Node>) -> (Vec<Node>, JoinHandle<Vec<Listed>>) {
        let (months, days) = split(nodes, Step::Month);
        (days, tokio::spawn(levels(&self.tree, months).collect()))
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
        let width = tree.width();
        let mut listings = stream::iter(days)
            .map(move |node| {
                let listing = tokio::spawn(Arc::clone(&tree).below(node.path.clone()).collect::<Vec<_>>());
                async move { (node, listing.await) }
            })
            .buffered(width);
        while let Some((node, listing)) = listings.next().await {
            if let Some(day) = node.place.day {
                self.emit_dated(day).await?;
            }
            let uri = self.tree.uri(&node.path);
            let files = listing.unwrap_or_else(|_| vec![Err(Error::Interrupted { uri })]);
            self.emit_all(files).await?;
        }
        Ok(())
    }

    /// Takes in the files met on the way down, and hands back the folders.
    async fn files_of(&mut self, node: &Node, level: Result<Level>) -> Walked<Option<Vec<String>>> {
        let level = match level {
            Ok(level) => level,
            Err(error) => {
                self.met = true;
                self.emit(Err(error)).await?;
                return Ok(None);
            }
        };
        self.met |= !(level.files.is_empty() && level.folders.is_empty());
        if self.loose.kept + level.files.len() > KEPT {
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
                Err(error) => self.emit(Err(error)).await?,
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
            match later {
                Later::Level(path) => match Arc::clone(&self.tree).level(&path).await {
                    Ok(level) => self.emit_all(level.files).await?,
                    Err(error) => self.emit(Err(error)).await?,
                },
                Later::Below(path) => {
                    let mut files = Arc::clone(&self.tree).below(path);
                    while let Some(file) = files.next().await {
                        self.emit_all([file]).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether to list a folder.
    fn descends(&self, node: &Node) -> bool {
        (self.foreign || node.place.step != Step::Foreign) && node.place.wanted(&self.filter)
    }

    fn wants(&self, object: &LogObject) -> bool {
        (self.foreign || object.kind != Some(Kind::Other)) && self.filter.admits(object)
    }

    fn describe(&self, entry: Entry) -> LogObject {
        LogObject::describe(self.tree.uri(&entry.path), &entry.path, entry.version, entry.size)
    }

    async fn emit_all(&mut self, files: impl IntoIterator<Item = Result<Entry>>) -> Walked {
        for file in files {
            self.met = true;
            match file.map(|entry| self.describe(entry)) {
                Ok(object) if !self.wants(&object) => {}
                item => self.emit(item).await?,
            }
        }
        Ok(())
    }

    async fn emit(&self, item: Result<LogObject>) -> Walked {
        self.out.send(item).await.map_err(|_| Closed)
    }
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
            async move { (node, listing.await.unwrap_or_else(|_| Err(Error::Interrupted { uri }))) }
        })
        .buffered(width)
        .boxed()
}

#[cfg(test)]
mod tests;
