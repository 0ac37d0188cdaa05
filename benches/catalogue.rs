//! What the catalogue of a store with many data files costs: `cargo bench -p cloudtarn-ingest --bench catalogue`.
//!
//! The rows of 100,000 data files are put into a new store's catalogue, as if each held a quarter of an hour of 65,536
//! events. `first snapshot` is what a program pays once; `snapshot` what each query of a session pays; `commit` is that of
//! one small log file from before all those, in a gap among them or after them, with its Parquet file, its manifest and
//! everything synced; `snapshot after a commit` reads what is new.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudtarn_record::{Chunk, Decoder, Origin};
use cloudtarn_store::{EventDataStore, Fate, LogFile, Store, Writer};
use criterion::Criterion;

const FILES: i64 = 100_000;
const SPAN: i64 = 15 * 60 * 1000;
/// Before all the files.
const EARLY: &str = "2026-01-02T03:04:05Z";

fn log_file(number: u64, time: &str) -> (Chunk, LogFile) {
    let path = format!("file:///bucket/{number}.json.gz");
    let record = format!(
        r#"{{"Records":[{{"eventVersion":"1.11","eventTime":"{time}","eventName":"GetObject","eventSource":"s3.amazonaws.com","awsRegion":"us-east-1","eventID":"id-{number}","recipientAccountId":"111122223333"}}]}}"#
    );
    let mut chunk = Chunk::default();
    let origin = Origin { path: Arc::from(path.as_str()), version: Arc::from("1") };
    let decoded = Decoder::default().decode(record.as_bytes(), origin, &mut chunk).unwrap();
    let file = LogFile {
        path,
        version: "1".to_owned(),
        bytes: record.len() as u64,
        inflated: decoded.inflated,
        sha256: [0; 32],
        content: None,
        fate: Fate::TakenIn,
        records: 1,
        broken: vec![],
    };
    (chunk, file)
}

/// A store whose catalogue has many rows like that of its one real data file; their times begin in 2027.
fn fill(root: &Path) -> EventDataStore {
    let (chunk, file) = log_file(0, EARLY);
    let mut writer = Writer::begin(root, None).unwrap();
    writer.commit(vec![chunk], vec![file], &[]).unwrap();
    let store = writer.event_data_store().clone();
    drop(writer);
    let connection = rusqlite::Connection::open(root.join("catalog.db")).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let sql = "INSERT INTO data_file (path, event_data_store, first, bytes, rows, json_bytes, min_time, max_time, columns)
               SELECT 'data/' || ?1 || '/2027-01-01/' || ?2 || '.parquet', ?1, first, 20000000, 65536, 100000000, ?3, ?4, columns
               FROM data_file LIMIT 1";
    let mut statement = connection.prepare(sql).unwrap();
    for number in 0..FILES {
        // Three days in the middle, from 2028-06-19 on, have none.
        let time = 1_800_000_000_000 + number * SPAN + if number < FILES / 2 { 0 } else { 3 * 24 * 60 * 60 * 1000 };
        let name = format!("00000000-0000-4000-8000-{number:012}");
        statement.execute(rusqlite::params![store.id, name, time, time + SPAN]).unwrap();
        // A writer sweeps files that are not in the catalogue, and not the other way round.
    }
    connection.execute_batch("COMMIT").unwrap();
    store
}

fn main() {
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(10).measurement_time(Duration::from_secs(4));
    let folder = tempfile::tempdir().unwrap();
    let eds = fill(folder.path());
    let mut group = criterion.benchmark_group("catalogue of 100,000 data files");
    group.bench_function("open", |bench| bench.iter(|| Store::open(folder.path()).unwrap()));
    group.bench_function("first snapshot", |bench| {
        bench.iter(|| Store::open(folder.path()).unwrap().snapshot(&eds).unwrap());
    });
    let store = Store::open(folder.path()).unwrap();
    group.bench_function("snapshot", |bench| bench.iter(|| store.snapshot(&eds).unwrap()));
    group.bench_function("list", |bench| bench.iter(|| store.event_data_stores().unwrap()));
    group.bench_function("is a log file known", |bench| {
        bench.iter(|| store.fate(&eds, "file:///bucket/0.json.gz", "1").unwrap());
    });
    let mut writer = Writer::begin(folder.path(), None).unwrap();
    let mut number = 0;
    let mut commit = |time| {
        number += 1;
        let (chunk, file) = log_file(number, time);
        writer.commit(vec![chunk], vec![file], &[]).unwrap();
    };
    for (name, time) in [
        ("commit", EARLY),
        ("commit among them", "2028-06-20T00:00:00Z"),
        ("commit after them", "2031-01-01T00:00:00Z"),
    ] {
        group.bench_function(name, |bench| bench.iter(|| commit(time)));
    }
    group.bench_function("snapshot after a commit", |bench| {
        bench.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    commit(EARLY);
                    let start = Instant::now();
                    store.snapshot(&eds).unwrap();
                    start.elapsed()
                })
                .sum()
        });
    });
    group.finish();
    criterion.final_summary();
}
