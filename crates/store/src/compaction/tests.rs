use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;

use super::*;
use crate::crash::thread::crash_after;
use crate::statistics::{Bound, ColumnStatistics};
use crate::writer::tests::{commit, file, record};
use crate::{Snapshot, Store};

fn main(store: &Store) -> EventDataStore {
    store.standard(EventCategory::CloudTrail).unwrap()
}

fn snapshot(root: &Path) -> Snapshot {
    let store = Store::open(root).unwrap();
    store.snapshot(&main(&store)).unwrap()
}

fn batch(files: &[Arc<DataFile>]) -> RecordBatch {
    let merged = Merged::open(files, EventCategory::CloudTrail).unwrap();
    let columns = (0..merged.schema.fields().len()).map(|index| merged.column(index).unwrap()).collect();
    RecordBatch::try_new(Arc::clone(&merged.schema), columns).unwrap()
}

/// Every event with all its columns, as text, in the order of its eventID and origin.
fn events(snapshot: &Snapshot) -> Vec<String> {
    let batch = batch(&snapshot.files);
    let format = arrow::util::display::FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .filter(|column| *column.data_type() != DataType::Null)
        .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &format).unwrap())
        .collect();
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"))
        .collect();
    rows.sort();
    rows
}

/// Commits of one event each, the first two on different days, the fourth without an eventID, the last without a time.
fn fill(root: &Path, commits: usize) {
    for number in 0..commits {
        let day = if number == 0 { 3 } else { 1 + number as u32 % 2 };
        let id = if number == 3 { String::new() } else { format!("id-{number}") };
        commit(root, file(&number.to_string(), &[record(&id, day, "agent")]));
    }
    let timeless = record("timeless", 1, "agent").replace(r#""eventTime":"2026-01-01T01:02:03Z","#, "");
    commit(root, file("timeless", &[timeless]));
}

fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.join("data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    found
}

fn expected(snapshot: &Snapshot) -> BTreeSet<PathBuf> {
    snapshot.files.iter().flat_map(|file| [file.path.clone(), identities::path(&file.path)]).collect()
}

#[test]
fn small_files_become_one_and_readers_keep_theirs() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 6);
    let store = Store::open(folder.path()).unwrap();
    let before = store.snapshot(&main(&store)).unwrap();
    let all = events(&before);
    assert_eq!((before.files.len(), all.len()), (7, 7));

    let compacted = store.compact(&main(&store), When::Always).unwrap();
    assert_eq!((compacted.merged, compacted.made, compacted.events, compacted.removed), (6, 1, 6, 0));
    assert_eq!(events(&before), all, "the files of a snapshot stay");
    let after = store.snapshot(&main(&store)).unwrap();
    assert_eq!((after.files.len(), events(&after)), (2, all));
    let merged = after.files.iter().find(|file| file.rows == 6).unwrap();
    assert_eq!(merged.times(), (Some(1_767_229_323_000), Some(1_767_402_123_000)));
    let with_time = before.files.iter().filter(|file| file.times().0.is_some());
    assert_eq!(merged.json_bytes, with_time.map(|file| file.json_bytes).sum::<u64>());

    drop(before);
    let again = store.compact(&main(&store), When::Always).unwrap();
    assert_eq!((again.merged, again.removed), (0, 0), "a snapshot is still held");
    let now = expected(&after);
    drop(after);
    assert_eq!(store.compact(&main(&store), When::Always).unwrap().removed, 6);
    assert_eq!(files(folder.path()), now);
    assert_eq!(expected(&store.snapshot(&main(&store)).unwrap()), now);
}

#[test]
fn killed_at_any_point_nothing_is_lost_or_doubled() {
    let mut ended = false;
    for points in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), 3);
        let all = events(&snapshot(folder.path()));
        let store = Store::open(folder.path()).unwrap();
        crash_after(Some(points));
        let result = store.compact(&main(&store), When::Always);
        crash_after(None);
        assert_eq!(events(&snapshot(folder.path())), all, "after {points} points");
        store.compact(&main(&store), When::Always).unwrap();
        let after = snapshot(folder.path());
        assert_eq!((events(&after), after.files.len()), (all, 2), "after {points} points");
        assert_eq!(files(folder.path()), expected(&after), "after {points} points");
        if result.is_ok() {
            assert!(points > 8, "only {points} points");
            ended = true;
            break;
        }
    }
    assert!(ended, "it never came to its end");
}

#[test]
fn an_open_store_follows_commits_and_compactions_of_others() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1);
    let store = Store::open(folder.path()).unwrap();
    for number in 10..14 {
        let before = store.snapshot(&main(&store)).unwrap();
        commit(folder.path(), file(&number.to_string(), &[record(&format!("id-{number}"), 1, "agent")]));
        let after = store.snapshot(&main(&store)).unwrap();
        assert_eq!(after, snapshot(folder.path()));
        assert_eq!(events(&after).len(), events(&before).len() + 1);
        drop((before, after));
        if number > 11 {
            let other = Store::open(folder.path()).unwrap();
            assert_eq!(other.compact(&main(&other), When::Always).unwrap().removed, if number == 12 { 4 } else { 2 });
            assert_eq!(store.snapshot(&main(&store)).unwrap(), snapshot(folder.path()));
        }
    }
}

#[test]
fn merged_events_are_still_known() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 5);
    let store = Store::open(folder.path()).unwrap();
    store.compact(&main(&store), When::Always).unwrap();
    let again = commit(folder.path(), file("again", &[record("id-1", 2, "agent"), record("id-4", 1, "other")]));
    assert_eq!((again.events, again.duplicates, again.conflicts), (1, 1, 1));
}

#[test]
fn an_ingest_merges_when_there_are_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut counts = Vec::new();
    for number in 0..9 {
        commit(folder.path(), file(&number.to_string(), &[record(&format!("id-{number}"), 1, "agent")]));
        let mut writer = crate::Writer::begin(folder.path(), None).unwrap();
        writer.compact().unwrap();
        counts.push(snapshot(folder.path()).files.len());
    }
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 1, 2]);
}

fn data_file(rows: u64, json_bytes: u64, time: Option<i64>) -> Arc<DataFile> {
    let bound = time.map(Bound::Int);
    let column = "eventtime".to_owned();
    let columns = vec![ColumnStatistics { column, nulls: None, min: bound.clone(), max: bound, compressed_bytes: 0 }];
    Arc::new(DataFile::new(PathBuf::new(), EventCategory::CloudTrail, (0, rows, json_bytes), columns))
}

#[test]
fn neighbours_are_merged_up_to_a_full_file() {
    let rows = |groups: Vec<Vec<Arc<DataFile>>>| -> Vec<Vec<u64>> {
        groups.into_iter().map(|group| group.into_iter().map(|file| file.rows).collect()).collect()
    };
    let full = MIN_FILE_ROWS as u64;
    let of = |rows: &[u64]| -> Vec<Arc<DataFile>> { rows.iter().map(|rows| data_file(*rows, 0, Some(1))).collect() };
    assert_eq!(rows(groups(&of(&[5, 6, full, 7, 8, 9, full, 1]), When::Always)), [vec![5, 6], vec![7, 8, 9]]);
    let half = full / 2;
    assert_eq!(rows(groups(&of(&[half; 9]), When::Always)), [vec![half; 8]]);
    let huge: Vec<Arc<DataFile>> = (0..3).map(|_| data_file(1, FULL_JSON, Some(1))).collect();
    assert!(groups(&huge, When::Always).is_empty());
    let timeless = [data_file(1, 0, Some(1)), data_file(2, 0, None), data_file(3, 0, None)];
    assert_eq!(rows(groups(&timeless, When::Always)), [vec![2, 3]]);
    assert!(groups(&of(&[1; 7]), When::Many).is_empty());
    assert_eq!(rows(groups(&of(&[1, 1, 900, 1, 1, 1, 1, 1, 1]), When::Many)), [vec![1; 8]]);
}
