//! A bucket in, the right events in the store.

use std::collections::HashSet;
use std::fs;
use std::io::Write;

use crate::program::{bucket, ingest, records, rows, run, text};

#[test]
fn every_event_once_and_a_second_run_takes_in_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = bucket(&from, 8_000);
    let raw = records(&from);
    let distinct: HashSet<_> =
        raw.iter().map(|r| (r["eventID"].to_string(), r["recipientAccountId"].to_string())).collect();
    assert!(raw.len() > distinct.len(), "the corpus should hold events twice");
    assert_eq!((raw.len() as u64, distinct.len() as u64), (made.events, made.distinct_events));

    let first = ingest(&from, &store);
    let listed = made.files + made.insight_files + made.digest_files;
    assert!(first.err.replace(',', "").contains(&format!("{listed} files listed")), "{}", first.err);
    let counted = rows(&store, "SELECT count(*), count(DISTINCT eventID) FROM $EDS_ID");
    assert_eq!(counted, [format!("{0},{0}", distinct.len())]);
    let insights = rows(&store, "SELECT count(*) FROM $INSIGHTS_EDS_ID");
    assert_eq!(insights, [made.insight_events.to_string()]);

    let before = rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY eventID");
    let second = ingest(&from, &store);
    assert!(second.err.contains("already had") && second.err.contains("\n0 records read"), "{}", second.err);
    assert_eq!(rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY eventID"), before);
}

#[test]
fn event_json_is_kept_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    fs::create_dir(&from).unwrap();
    let record = r#"{ "eventVersion":"1.08" ,"eventTime":"2026-01-01T00:00:00Z","eventName":"A\u0042","eventSource":"s3.amazonaws.com","extra":[1.50, 2e3]}"#;
    fs::write(from.join("a.json"), format!("{{\"Records\": [ {record} ]}}")).unwrap();
    ingest(&from, &store);
    let ended =
        run(&["query", "SELECT eventJson, eventName FROM $EDS_ID", "--store", text(&store), "--output", "ndjson"]);
    let row: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(row["eventJson"], record);
    assert_eq!(row["eventName"], "AB");
}

#[test]
fn a_broken_file_is_told_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let day = from.join("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/01");
    fs::create_dir_all(&day).unwrap();
    let record = |id: &str| {
        format!(
            r#"{{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventName":"A","eventSource":"s","eventID":"{id}"}}"#
        )
    };
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let name = |n: u32| format!("111122223333_CloudTrail_us-east-1_20260101T0005Z_{n:016}.json.gz");
    fs::write(day.join(name(1)), gzip(&format!(r#"{{"Records":[{}]}}"#, record("good")))).unwrap();
    fs::write(day.join(name(2)), gzip(&format!(r#"{{"Records":[{},{{"eventVersion":}}]}}"#, record("half")))).unwrap();
    fs::write(day.join(name(3)), b"\x1f\x8b\x08 no gzip").unwrap();
    fs::write(day.join(name(4)), gzip(r#"{"Records":[]}"#)).unwrap();
    fs::write(from.join("notes.txt"), "hello").unwrap();
    let ended = run(&["ingest", text(&from), "--store", text(&store)]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    for part in [
        "5 files listed",
        "2  taken in",
        "1  empty",
        "1  not CloudTrail",
        "2  broken",
        "1  more records were broken",
        "gzip stream is damaged",
        "index 1",
    ] {
        assert!(ended.err.contains(part), "no `{part}` in\n{}", ended.err);
    }
    assert_eq!(rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY 1"), ["good", "half"]);
    let places = rows(&store, r#"SELECT regexp_replace("$path", '.*/'), "$record" FROM $EDS_ID ORDER BY eventID"#);
    assert_eq!(places, [format!("{},0", name(1)), format!("{},0", name(2))]);
}

#[test]
fn a_file_that_is_too_large_comes_in_when_the_limit_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = bucket(&from, 2_000);
    let ended = run(&["ingest", text(&from), "--store", text(&store), "--max-file-size", "100kB"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("--max-file-size"), "{}", ended.err);
    ingest(&from, &store);
    assert_eq!(rows(&store, "SELECT count(*) FROM $EDS_ID"), [made.distinct_events.to_string()]);
}

#[test]
fn a_part_of_a_bucket_and_a_store_of_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 3_000);
    let account = records(&from)[0]["recipientAccountId"].as_str().unwrap().to_owned();
    let ended = run(&[
        "ingest",
        text(&from),
        "--store",
        text(&store),
        "--eds",
        "one-account",
        "--account",
        &account,
        "--until",
        "2026-03-03",
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let found = rows(&store, "SELECT DISTINCT recipientAccountId FROM \"one-account\"");
    assert_eq!(found, [account]);
    let last = rows(&store, "SELECT max(eventTime) < TIMESTAMP '2026-03-05 00:00:00' FROM \"one-account\"");
    assert_eq!(last, ["true"]);
}

#[test]
fn the_demo_finds_what_it_hid() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&["demo", "--events", "3000", "--dir", text(folder.path())]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("StopLogging") && ended.err.contains("new events"), "{}{}", ended.out, ended.err);
    // Another time over what is there.
    assert_eq!(run(&["demo", "--events", "500", "--dir", text(folder.path())]).code, Some(0));
}
