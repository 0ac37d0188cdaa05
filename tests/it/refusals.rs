//! What is refused, and how it is said.

use crate::program::{bucket, ingest, run, text};

#[test]
fn only_queries_run_and_errors_help() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 300);
    ingest(&from, &store);
    let outside = folder.path().join("out.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", outside.display());
    for (sql, parts) in [
        ("SELECT eventNam FROM $EDS_ID", &["COLUMN_NOT_FOUND", "1:8", "'eventname'"][..]),
        ("SELECT lenght(eventName) FROM $EDS_ID", &["FUNCTION_NOT_FOUND", "1:8", "length"]),
        ("SELECT 1 FROM nothing", &["TABLE_NOT_FOUND", "default"]),
        ("SELECT FROM WHERE", &["SYNTAX_ERROR", "line 1:"]),
        ("SELECT 1; SELECT 2", &["SYNTAX_ERROR"]),
        ("DELETE FROM $EDS_ID", &["NOT_SUPPORTED"]),
        ("DROP TABLE default", &["NOT_SUPPORTED"]),
        ("SET datafusion.execution.batch_size = 1", &["NOT_SUPPORTED"]),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", &["NOT_SUPPORTED"]),
        (copy.as_str(), &["NOT_SUPPORTED"]),
        ("SELECT 1/0", &["DIVISION_BY_ZERO"]),
    ] {
        let ended = run(&["query", sql, "--store", text(&store)]);
        assert_eq!(ended.code, Some(1), "{sql}\n{}{}", ended.out, ended.err);
        assert_eq!(ended.out, "", "{sql}");
        for part in parts {
            assert!(ended.err.contains(part), "{sql}: no `{part}` in\n{}", ended.err);
        }
    }
    assert!(!outside.exists());
}

#[test]
fn statements_are_as_long_as_lake_takes_them_or_longer_on_request() {
    let sql = format!("SELECT 1 /* {} */", "x".repeat(10_000));
    let ended = run(&["query", &sql]);
    assert!(ended.code == Some(1) && ended.err.contains("--max-statement"), "{}", ended.err);
    assert_eq!(run(&["query", &sql, "--max-statement", "20000"]).code, Some(0));
}

#[test]
fn bad_usage_ends_with_two() {
    for arguments in [
        &["ingest"][..],
        &["query", "--output", "xml", "SELECT 1"],
        &["ingest", "x", "--since", "someday"],
        &["nonsense"],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let ended = run(&["ingest", text(&missing), "--store", text(&folder.path().join("store"))]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("missing"), "{}", ended.err);
    let ended = run(&["stores", "--store", text(&missing)]);
    assert!(ended.code == Some(1) && ended.err.contains("cloudtarn ingest"), "{}", ended.err);
}

#[test]
fn a_query_without_a_table_needs_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&["query", "SELECT 1 AS one, 'a' AS a", "--output", "ndjson", "--store", text(folder.path())]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "{\"one\":1,\"a\":\"a\"}\n"));
}
