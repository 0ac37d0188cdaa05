//! Which hours the store can speak about, and the tables about the store itself.

use std::fs;
use std::path::Path;

use crate::program::{bucket, ingest, rows, run, text};
use crate::verify::{corpus, saved_keys};

fn coverage(store: &Path, arguments: &[&str]) -> Vec<String> {
    let ended = run(&[&["coverage", "--store", text(store), "--output", "csv"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn hours_are_proven_empty_unproven_and_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = corpus(&["us-east-1", "eu-west-1"]).write(&from).unwrap();
    let digest = |region: &str, hour: u32| {
        from.join(format!(
            "AWSLogs/111122223333/CloudTrail-Digest/{region}/2026/03/02/111122223333_CloudTrail-Digest_{region}_audit_us-east-1_20260302T{hour:02}0000Z.json.gz"
        ))
    };
    fs::remove_file(digest("us-east-1", 7)).unwrap();
    ingest(&from, &store);
    // Nothing is proven without keys.
    let states = rows(&store, "SELECT DISTINCT state FROM cloudtarn.coverage ORDER BY 1");
    assert_eq!(states, ["missing", "unproven"]);
    let all = coverage(&store, &["--hours", "--keys", &saved_keys(folder.path())]);
    let of = |line: &String, column: usize| line.split(',').nth(column).unwrap().to_owned();
    assert!(all.iter().any(|line| of(line, 3) == "proven empty" && of(line, 5) == "0"), "{all:#?}");
    assert!(all.iter().any(|line| of(line, 3) == "proven" && of(line, 5) != "0"));
    let missing: Vec<_> = all.iter().filter(|line| of(line, 3) == "missing").collect();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].contains("us-east-1,2026-03-02 06:00:00"), "{missing:?}");
    let events: u64 = all.iter().map(|line| of(line, 6).parse::<u64>().unwrap()).sum();
    assert_eq!(events, made.distinct_events);

    // Only what is not proven, in stretches.
    let gaps = coverage(&store, &["--gaps", "--region", "us-east-1", "--since", "2026-03-02", "--until", "2026-03-02"]);
    assert!(gaps.iter().any(|line| line.contains(",1,missing,")), "{gaps:#?}");
    let stretches = coverage(&store, &[]);
    assert!(stretches.len() < all.len(), "{stretches:#?}");
    let hours: usize = stretches.iter().map(|line| of(line, 4).parse::<usize>().unwrap()).sum();
    assert_eq!(hours, all.len());
}

#[test]
fn the_ledger_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = bucket(&from, 2_000);
    fs::write(from.join("broken.json.gz"), b"\x1f\x8b\x08 no gzip").unwrap();
    fs::write(
        from.join("half.json"),
        r#"{"Records":[{"eventVersion":"1.08","eventTime":"2026-03-02T00:00:00Z","eventName":"A","eventSource":"s"},{"eventVersion":}]}"#,
    )
    .unwrap();
    assert_eq!(run(&["ingest", text(&from), "--store", text(&store)]).code, Some(3));
    let count = |sql: &str| rows(&store, sql)[0].parse::<u64>().unwrap();
    let files = made.files + made.insight_files + 2;
    assert_eq!(count("SELECT count(*) FROM cloudtarn.log_files"), files);
    assert_eq!(
        count(
            "SELECT count(*) FROM CLOUDTARN.LOG_FILES WHERE account = '111122223333' AND kind = 'CloudTrail' AND delivered >= TIMESTAMP '2026-03-02 00:00:00' AND length(content_sha256) = 64"
        ) > 0,
        true
    );
    assert_eq!(count("SELECT sum(records) FROM cloudtarn.log_files WHERE kind = 'CloudTrail'"), made.events);
    let dropped = made.events - made.distinct_events;
    assert_eq!(count("SELECT count(*) FROM cloudtarn.duplicates WHERE kind = 'duplicate'"), dropped);
    assert_eq!(count("SELECT sum(duplicates) FROM cloudtarn.log_files"), dropped);
    let errors =
        rows(&store, "SELECT kind, regexp_extract(path, '[^/]+$'), record FROM cloudtarn.errors ORDER BY 1, 2");
    assert_eq!(errors, ["file,broken.json.gz,", "file,half.json,", "record,half.json,1"]);
    assert_eq!(
        count("SELECT count(*) FROM cloudtarn.digests WHERE ends > TIMESTAMP '2026-03-02 00:00:00'"),
        made.digest_files
    );
    // Tables about the store join with the events themselves.
    let joined =
        "SELECT count(*) FROM $EDS_ID e JOIN cloudtarn.log_files f ON e.\"$path\" = f.path WHERE f.kind = 'CloudTrail'";
    assert_eq!(count(joined), made.distinct_events);
    assert!(rows(&store, "DESCRIBE cloudtarn.coverage").iter().any(|row| row.starts_with("state,varchar")));
    assert!(rows(&store, "SHOW TABLES").iter().any(|row| row.starts_with("cloudtarn.log_files,")));
    let unknown = run(&["query", "SELECT * FROM cloudtarn.nothing", "--store", text(&store)]);
    assert!(
        unknown.code == Some(1) && unknown.err.contains("TABLE_NOT_FOUND") && unknown.err.contains("log_files"),
        "{}",
        unknown.err
    );
    // A limit ends the reading.
    assert_eq!(rows(&store, "SELECT path FROM cloudtarn.log_files LIMIT 3").len(), 3);
}
