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
    let rows: Vec<u32> = (0..files.iter().map(|file| file.rows as u32).sum()).collect();
    taken(&merged, &rows)
}

fn taken(merged: &Merged<'_>, rows: &[u32]) -> RecordBatch {
    let taken = Taken::new(merged, rows);
    let columns = (0..merged.schema.fields().len()).map(|index| {
        let mut parts = vec![arrow::array::new_empty_array(merged.schema.field(index).data_type())];
        taken
            .column(index, &mut |part| {
                parts.push(Arc::clone(part));
                Ok(())
            })
            .unwrap();
        concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
    });
    let columns = columns.collect();
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

#[test]
fn rows_are_taken_from_many_files_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..5 {
        let records: Vec<String> =
            (0..40).map(|record_number| record(&format!("id-{number}-{record_number}"), 1, "agent")).collect();
        commit(folder.path(), file(&number.to_string(), &records));
    }
    let snapshot = snapshot(folder.path());
    let mut merged = Merged::open(&snapshot.files, EventCategory::CloudTrail).unwrap();
    let all = batch(&snapshot.files);
    assert_eq!(all.num_rows(), 200);
    let mut numbers: Vec<u32> = (0..200).collect();
    for round in 0..20_usize {
        // Any order will do, as long as it is always the same.
        numbers.sort_by_key(|number| (*number as usize * 7919 + round * 104_729) % 211);
        let rows = &numbers[..round * 10];
        merged.part = if round % 2 == 0 { PART } else { 500 };
        let expected = arrow::compute::take_record_batch(&all, &UInt32Array::from(rows.to_vec())).unwrap();
        assert_eq!(taken(&merged, rows), expected, "{rows:?}");
    }
}

#[test]
fn like_events_of_all_files_stand_together() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..4 {
        let named = |name: &str| record(&format!("{name}-{number}"), 1, "agent").replace("GetObject", name);
        commit(folder.path(), file(&number.to_string(), &["PutObject", "GetObject"].map(named)));
    }
    let store = Store::open(folder.path()).unwrap();
    store.compact(&main(&store), When::Always).unwrap();
    let batch = batch(&store.snapshot(&main(&store)).unwrap().files);
    let names = batch.column_by_name("eventname").unwrap().as_string_view().iter().flatten().collect::<Vec<_>>();
    assert_eq!(names, [["GetObject"; 4], ["PutObject"; 4]].concat());
}

#[test]
fn row_groups_have_neither_too_many_rows_nor_too_much_json() {
    let order: Vec<u32> = (0..10).rev().collect();
    let ends = |weights: [f32; 10]| row_groups(&order, &weights).into_iter().map(|group| group.end).collect::<Vec<_>>();
    assert_eq!(ends([1.0; 10]), [10]);
    let half = (ROW_GROUP_JSON / 2.0) as f32;
    assert_eq!(ends([half; 10]), [2, 4, 6, 8, 10]);
    let mut one = [1.0; 10];
    one[3] = half * 6.0;
    assert_eq!(ends(one), [6, 7, 10], "the fourth row is the seventh of the order");
    let many: Vec<u32> = (0..ROW_GROUP_ROWS as u32 * 2 + 1).collect();
    assert_eq!(
        row_groups(&many, &vec![0.0; many.len()]).iter().map(Range::len).collect::<Vec<_>>(),
        [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 1]
    );
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
    let of = |rows: &[u64]| -> Vec<Arc<DataFile>> { rows.iter().map(|rows| data_file(*rows, 0, Some(1))).collect() };
    let full = FULL_ROWS;
    assert_eq!(rows(groups(&of(&[5, 6, full, 7, 8, 9, full, 1]), When::Always)), [vec![5, 6], vec![7, 8, 9]]);
    let half = MAX_ROWS / 2;
    assert_eq!(rows(groups(&of(&[half; 5]), When::Always)), [vec![half; 2], vec![half; 2]]);
    let huge: Vec<Arc<DataFile>> = (0..3).map(|_| data_file(1, FULL_JSON, Some(1))).collect();
    assert!(groups(&huge, When::Always).is_empty());
    let timeless = [data_file(1, 0, Some(1)), data_file(2, 0, None), data_file(3, 0, None)];
    assert_eq!(rows(groups(&timeless, When::Always)), [vec![2, 3]]);
    let few = MIN_FILE_ROWS as u64;
    let days =
        [(1, 1), (few, 2), (2, 2), (3, 3), (4, 4)].map(|(rows, days)| data_file(rows, 0, Some(days * 86_400_000)));
    assert_eq!(rows(groups(&days, When::Always)), [vec![1, few, 2], vec![3, 4]]);
    assert!(groups(&of(&[1; 7]), When::Many).is_empty());
    assert_eq!(rows(groups(&of(&[1, 1, 900, 1, 1, 1, 1, 1, 1]), When::Many)), [vec![1; 8]]);
    assert!(groups(&of(&[few; 20]), When::Many).is_empty());
    let sizes = groups(&of(&vec![1; MAX_FILES * 2 + 1]), When::Always).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes, [MAX_FILES; 2], "the last one waits for what becomes of the others");
    assert_eq!((mergeable(&of(&[few; 20])), mergeable(&of(&[full, few, full]))), (20, 0));
}

#[test]
fn keys_come_from_maps_where_a_file_has_no_columns_for_them() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..4 {
        let record = record(&format!("id-{number}"), 1, "agent");
        let parameters = format!(r#""requestParameters":{{"name":"n","bucketName":"bucket {number}"}},"eventTime""#);
        commit(folder.path(), file(&number.to_string(), &[record.replace(r#""eventTime""#, &parameters)]));
    }
    let store = Store::open(folder.path()).unwrap();
    let before = store.snapshot(&main(&store)).unwrap();
    let all = events(&before);
    assert!(all.iter().any(|event| event.contains("|bucket 3|")), "{all:?}");
    for file in before.files.iter().take(3) {
        let open = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path).unwrap()).unwrap();
        let shown: Vec<usize> = (0..open.schema().fields().len() - shredded(EventCategory::CloudTrail).len()).collect();
        let batch = open.build().unwrap().next().unwrap().unwrap().project(&shown).unwrap();
        let rewritten = File::create(&file.path).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(rewritten, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    assert_eq!(events(&before), all);
    store.compact(&main(&store), When::Always).unwrap();
    let after = store.snapshot(&main(&store)).unwrap();
    assert_eq!((after.files.len(), events(&after)), (1, all));
    assert_eq!(after.files[0].columns().len(), EventCategory::CloudTrail.file_schema().fields().len());
}
