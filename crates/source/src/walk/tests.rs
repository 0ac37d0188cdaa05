//! Tests of the walk on a tree in memory that notes what is asked of it.
#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Files by path; the listings asked for; folders that refuse.
#[derive(Debug, Default)]
struct Stub {
    files: BTreeSet<String>,
    asked: Mutex<Vec<String>>,
    refused: Vec<String>,
}

impl Tree for Stub {
    async fn single(&self, path: &str) -> Result<Option<Vec<Result<Entry>>>> {
        Ok(self.files.contains(path).then(|| vec![Ok(stub_entry(path))]))
    }

    async fn level(&self, folder: &str) -> Result<Level> {
        self.asked.lock().unwrap().push(folder.to_owned());
        tokio::task::yield_now().await;
        if self.refused.iter().any(|refused| refused == folder) {
            return Err(Error::NotFound { uri: folder.to_owned() });
        }
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.files.iter().filter_map(|path| path.strip_prefix(&prefix));
        let folders: BTreeSet<_> =
            below.clone().filter_map(|rest| rest.split_once('/')).map(|(name, _)| name).collect();
        let files = below.filter(|rest| !rest.contains('/')).map(|name| Ok(stub_entry(&format!("{prefix}{name}"))));
        let folders = folders.into_iter().map(ToOwned::to_owned).collect();
        Ok(Level { folders, files: files.collect(), ..Level::default() })
    }

    fn uri(&self, path: &str) -> String {
        format!("stub:{path}")
    }

    fn width(&self) -> usize {
        7
    }
}

fn stub_entry(path: &str) -> Entry {
    Entry { path: path.to_owned(), version: "1".to_owned(), size: 1 }
}

fn stub(files: impl IntoIterator<Item = String>) -> Arc<Stub> {
    Arc::new(Stub { files: files.into_iter().collect(), ..Stub::default() })
}

async fn list(tree: &Arc<Stub>, root: &str, filter: &Filter) -> Vec<Result<LogObject>> {
    walk(Arc::clone(tree), root.to_owned(), filter.clone(), Settled::default(), Arc::default()).collect().await
}

async fn paths(tree: &Arc<Stub>, root: &str, filter: &Filter) -> Vec<String> {
    let listed = list(tree, root, filter).await;
    listed.into_iter().map(|object| object.unwrap().uri.trim_start_matches("stub:").to_owned()).collect()
}

fn key(account: &str, kind: &str, region: &str, day: &str) -> String {
    let compact = day.replace('/', "");
    format!("AWSLogs/{account}/{kind}/{region}/{day}/{account}_{kind}_{region}_{compact}T0005Z_a.json.gz")
}

const A: &str = "111111111111";
const B: &str = "222222222222";

/// Two accounts, two kinds, two regions, five days.
fn bucket() -> Vec<String> {
    let days = ["2025/12/31", "2026/01/01", "2026/01/02", "2026/02/01", "2027/01/01"];
    let mut keys = Vec::new();
    for account in [A, B] {
        for kind in ["CloudTrail", "CloudTrail-Digest"] {
            for region in ["eu-west-1", "us-east-1"] {
                keys.extend(days.iter().map(|day| key(account, kind, region, day)));
            }
        }
    }
    keys.push(format!("AWSLogs/{A}/Config/us-east-1/2026/1/1/ConfigSnapshot/a.json.gz"));
    keys
}

fn day(text: &str) -> Option<Day> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn one_day_of_all_accounts_before_the_next() {
    let tree = stub(bucket());
    let listed = list(&tree, "", &Filter::default()).await;
    assert_eq!(listed.len(), 40);
    let days: Vec<_> = listed.into_iter().map(|object| object.unwrap().day.unwrap()).collect();
    assert!(days.is_sorted());
    assert_eq!(paths(&tree, "", &Filter::default()).await, paths(&tree, "", &Filter::default()).await);
}

#[tokio::test]
async fn what_is_not_wanted_is_not_asked_for() {
    let tree = stub(bucket());
    let filter = Filter {
        accounts: vec![A.to_owned()],
        regions: vec!["us-east-1".to_owned()],
        since: day("2026-01-02"),
        until: day("2026-02-01"),
        kinds: vec![Kind::CloudTrail],
    };
    let wanted = ["2026/01/02", "2026/02/01"].map(|day| key(A, "CloudTrail", "us-east-1", day));
    assert_eq!(paths(&tree, "", &filter).await, wanted);
    let base = format!("AWSLogs/{A}/CloudTrail");
    let region = format!("{base}/us-east-1");
    let mut asked = vec![String::new(), "AWSLogs".to_owned(), format!("AWSLogs/{A}"), base];
    for below in ["", "/2026", "/2026/01", "/2026/02", "/2026/01/02", "/2026/02/01"] {
        asked.push(format!("{region}{below}"));
    }
    asked.sort();
    let mut met = tree.asked.lock().unwrap().clone();
    met.sort();
    assert_eq!(met, asked);
}

#[tokio::test]
async fn a_root_may_lie_anywhere_in_the_layout() {
    let tree = stub(bucket());
    let whole = paths(&tree, "", &Filter::default()).await;
    let file = key(B, "CloudTrail", "eu-west-1", "2026/01/02");
    let names: Vec<_> = file.split('/').collect();
    for depth in 1..=names.len() {
        let root = names[..depth].join("/");
        let below: Vec<_> =
            whole.iter().filter(|path| **path == root || path.starts_with(&format!("{root}/"))).cloned().collect();
        assert!(!below.is_empty());
        assert_eq!(paths(&tree, &root, &Filter::default()).await, below, "{root}");
    }
    let config = format!("AWSLogs/{A}/Config");
    let listed = list(&tree, &config, &Filter::default()).await;
    assert_eq!(listed.first().unwrap().as_ref().unwrap().kind, Some(Kind::Other));
}

#[tokio::test]
async fn files_outside_the_layout_come_in_their_turn_or_last() {
    let named = format!("{A}_CloudTrail_eu-west-1_20260101T0005Z_b.json.gz");
    let late = format!("odd/{A}_CloudTrail_eu-west-1_20300101T0005Z_b.json.gz");
    let mut files = bucket();
    let odd = ["aaa.json", "notes/x/y.json", "AWSLogs/111111111111/CloudTrail/eu-west-1/2026/tmp/z.json"];
    files.extend(odd.map(ToOwned::to_owned));
    files.extend([named.clone(), late.clone()]);
    let tree = stub(files);
    let filter = Filter { kinds: vec![Kind::CloudTrail], ..Filter::default() };
    let listed = paths(&tree, "", &filter).await;
    assert_eq!(listed.len(), 25);
    let at = |path: &str| listed.iter().position(|met| met == path).unwrap();
    assert!(at(&named) < at(&key(A, "CloudTrail", "eu-west-1", "2026/01/01")));
    assert!(at(&named) > at(&key(B, "CloudTrail", "us-east-1", "2025/12/31")));
    assert_eq!(listed[21], late);
    assert_eq!(listed[22..].iter().filter(|path| odd.contains(&path.as_str())).count(), 3);
}

#[tokio::test]
async fn an_error_names_its_folder_and_the_walk_goes_on() {
    let refused = [format!("AWSLogs/{A}/CloudTrail/eu-west-1/2026/01/01"), format!("AWSLogs/{B}")];
    let tree = Arc::new(Stub { files: bucket().into_iter().collect(), refused: refused.to_vec(), ..Stub::default() });
    let (files, errors): (Vec<_>, Vec<_>) =
        list(&tree, "", &Filter::default()).await.into_iter().partition(Result::is_ok);
    assert_eq!(files.len(), 19);
    let errors: Vec<_> = errors.into_iter().map(|error| error.unwrap_err().to_string()).collect();
    assert_eq!(errors.len(), 2);
    assert!(errors[0].contains(&refused[1]) && errors[1].contains(&refused[0]), "{errors:?}");
}

#[tokio::test]
async fn settled_days_are_not_asked_for_and_failures_are_reported() {
    let refused = format!("AWSLogs/{A}/CloudTrail/eu-west-1/2026/01/02");
    let tree = Arc::new(Stub { files: bucket().into_iter().collect(), refused: vec![refused], ..Stub::default() });
    let mut settled = Settled::default();
    let folder = format!("stub:AWSLogs/{B}/CloudTrail/us-east-1");
    settled.add(&folder, day("2025-01-01").unwrap(), day("2026-01-31").unwrap());
    let filter = Filter { kinds: vec![Kind::CloudTrail], since: day("2025-06-01"), ..Filter::default() };
    let report = Arc::<Mutex<crate::Report>>::default();
    let listed: Vec<_> = walk(Arc::clone(&tree), String::new(), filter, settled, Arc::clone(&report)).collect().await;
    assert_eq!(listed.iter().filter(|item| item.is_ok()).count(), 20 - 3 - 1);
    let below = format!("AWSLogs/{B}/CloudTrail/us-east-1/");
    let asked = tree.asked.lock().unwrap().clone();
    let asked: Vec<_> = asked.iter().filter_map(|path| path.strip_prefix(&below)).collect();
    assert_eq!(asked, ["2026", "2026/02", "2026/02/01", "2027", "2027/01", "2027/01/01"]);
    let report = report.lock().unwrap().clone();
    assert!(!report.complete && report.visited.len() == 4, "{report:?}");
    for visited in &report.visited {
        let fails = visited.folder == format!("stub:AWSLogs/{A}/CloudTrail/eu-west-1");
        assert_eq!(visited.failed, day("2026-01-02").filter(|_| fails), "{visited:?}");
        assert_eq!(Some(visited.first), day("2025-06-01"));
    }
}

#[tokio::test]
async fn nothing_at_the_root_is_an_error_and_nothing_wanted_is_not() {
    let tree = stub(bucket());
    let listed = list(&tree, "AWSLog", &Filter::default()).await;
    assert!(matches!(listed.as_slice(), [Err(Error::Empty { uri })] if uri == "stub:AWSLog"));
    let filter = Filter { accounts: vec!["999999999999".to_owned()], ..Filter::default() };
    assert!(list(&tree, "", &filter).await.is_empty());
}

#[tokio::test]
async fn a_walk_nobody_follows_stops() {
    let tree = stub(bucket());
    let mut walking =
        Box::pin(walk(Arc::clone(&tree), String::new(), Filter::default(), Settled::default(), Arc::default()));
    assert!(walking.next().await.is_some());
    drop(walking);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&tree), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the names, every file that the filter admits comes exactly once, and the layout's in order.
    #[test]
    fn every_wanted_file_comes_once(
        files in proptest::collection::btree_set(
            "(AWSLogs/|x/|o-a1b2c3d4e5/)?(AWSLogs/)?(o-a1b2c3d4e5/)?(111111111111/|222222222222/)?(CloudTrail/|Config/)?\
             (us-east-1/|eu_west_1/)?(2026/|2025/)?(0[1-3]/)?(0[1-3]/)?[a-c]\\.json", 0..40),
        since in proptest::option::of((2025u16..2027, 1u8..4, 1u8..4)),
    ) {
        let filter = Filter {
            since: since.and_then(|(year, month, day)| Day::new(year, month, day)),
            ..Filter::default()
        };
        let tree = stub(files.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let listed: Vec<_> = runtime.block_on(list(&tree, "", &filter)).into_iter().flatten().collect();
        let mut met: Vec<_> = listed.iter().map(|object| object.uri.trim_start_matches("stub:").to_owned()).collect();
        met.sort();
        let wanted = files.into_iter().filter(|path| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let place = Place::of(folder);
            place.step != Step::Foreign && place.wanted(&filter)
        });
        prop_assert_eq!(met, wanted.collect::<Vec<_>>());
        let days: Vec<_> = listed.iter().filter_map(|object| object.day).collect();
        prop_assert!(days.is_sorted());
    }
}
