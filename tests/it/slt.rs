//! Statements and their results, page by page: tests/slt.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cloudtarn_query::value::Value;
use cloudtarn_query::{Limits, Session};
use cloudtarn_store::Store;
use futures::StreamExt;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Normalizer, Runner};
use tokio::runtime::Runtime;

/// The threads of a session; a debug build's planner needs their stack.
pub(crate) fn threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(32 << 20)
        .enable_all()
        .build()
        .unwrap()
}

struct Lake {
    threads: Runtime,
    session: Arc<Session>,
}

impl Lake {
    fn new(store: Option<Store>) -> Self {
        Self { threads: threads(), session: Arc::new(Session::new(store, Limits::default()).unwrap()) }
    }

    /// Column names and rows, cells as Lake's text.
    fn ask(&self, sql: &str) -> cloudtarn_query::Result<(Vec<String>, Vec<Vec<String>>)> {
        let (session, sql) = (Arc::clone(&self.session), sql.to_owned());
        let work = self.threads.spawn(async move {
            let mut query = session.query(&sql).await?;
            let names = query.schema().fields().iter().map(|field| field.name().clone()).collect();
            let mut rows = Vec::new();
            while let Some(batch) = query.next().await {
                let batch = batch?;
                for row in 0..batch.num_rows() {
                    rows.push(batch.columns().iter().map(|column| cell(&Value::of(column, row))).collect());
                }
            }
            Ok((names, rows))
        });
        self.threads.block_on(work).unwrap()
    }
}

/// NULL and the empty text as files of results write them.
fn cell(value: &Value) -> String {
    match value.text() {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        Some(text) => text,
    }
}

#[derive(Debug)]
struct Refused(cloudtarn_query::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl DB for &Lake {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let (names, rows) = self.ask(sql).map_err(Refused)?;
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; names.len()], rows })
    }
}

/// Rows as they are written in the files: cells between bars, or between blanks where no cell has one itself.
fn agree(_: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let as_written = |(row, line): (&Vec<String>, &String)| row.join(" | ") == *line || row.join(" ") == *line;
    actual.len() == expected.len() && actual.iter().zip(expected).all(as_written)
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "slt"));
    files.sort();
    assert!(files.len() >= 20, "{files:?}");
    files
}

/// Runs one file, every statement of it, and says which ones were wrong.
fn wrong(file: &Path, lake: &Lake) -> Vec<String> {
    let mut runner = Runner::new(|| async { Ok(lake) });
    runner.with_validator(agree);
    let records = sqllogictest::parse_file::<DefaultColumnType>(file).unwrap();
    records.into_iter().filter_map(|record| runner.run(record).err()).map(|e| e.display(false).to_string()).collect()
}

#[test]
fn functions_and_syntax_give_what_is_documented() {
    let mut bad = Vec::new();
    for file in files().iter().filter(|file| !file.ends_with("lake.slt")) {
        bad.extend(wrong(file, &Lake::new(None)));
    }
    assert!(bad.is_empty(), "{} statements:\n{}", bad.len(), bad.join("\n\n"));
}

#[test]
fn every_function_has_a_statement() {
    let text: String = files().iter().map(|file| std::fs::read_to_string(file).unwrap().to_lowercase()).collect();
    let words: std::collections::HashSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<&str> =
        cloudtarn_functions::docs().map(|doc| doc.name).filter(|name| !words.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Six events of known values in a bucket of one log file.
fn lake_store(folder: &Path) -> Store {
    let admin = serde_json::json!({
        "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Admin/ops", "accountId": "111122223333",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/Admin", "userName": "Admin"},
            "attributes": {"creationDate": "2026-03-05T01:00:00Z", "mfaAuthenticated": "false"},
        },
    });
    let alice = serde_json::json!({
        "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333", "userName": "alice",
    });
    let event = |n: u32, time: &str, source: &str, name: &str, who: &serde_json::Value, more: serde_json::Value| {
        let mut record = serde_json::json!({
            "eventVersion": "1.11", "userIdentity": who, "eventTime": time, "eventSource": format!("{source}.amazonaws.com"),
            "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.7", "userAgent": "test",
            "eventID": format!("00000000-0000-4000-8000-{n:012}"), "readOnly": false, "eventType": "AwsApiCall",
            "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management",
        });
        for (key, value) in more.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    let records = serde_json::json!({"Records": [
        event(1, "2026-03-04T09:15:00Z", "iam", "CreateUser", &alice, serde_json::json!({"requestParameters": {"userName": "bob"}})),
        event(2, "2026-03-04T10:30:00Z", "ec2", "RunInstances", &alice, serde_json::json!({
            "requestParameters": {"maxCount": 2, "dryRun": false},
            "responseElements": {"instancesSet": {"items": [{"instanceId": "i-0a"}, {"instanceId": "i-0b"}]}},
        })),
        event(3, "2026-03-04T11:45:10Z", "s3", "GetObject", &alice, serde_json::json!({
            "readOnly": true, "managementEvent": false, "eventCategory": "Data",
            "requestParameters": {"bucketName": "ledger", "key": "2026.csv"},
            "resources": [
                {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::ledger/2026.csv"},
                {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::ledger", "accountId": "111122223333"},
            ],
            "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
        })),
        event(4, "2026-03-04T08:00:00Z", "signin", "ConsoleLogin", &alice, serde_json::json!({
            "eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Success"},
        })),
        event(5, "2026-03-05T01:02:03Z", "cloudtrail", "StopLogging", &admin, serde_json::json!({"requestParameters": {"name": "main"}})),
        event(6, "2026-03-05T02:00:00Z", "iam", "ListUsers", &admin, serde_json::json!({
            "readOnly": true, "errorCode": "AccessDenied", "errorMessage": "no",
        })),
    ]});
    let logs = folder.join("bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/05");
    std::fs::create_dir_all(&logs).unwrap();
    let file =
        std::fs::File::create(logs.join("111122223333_CloudTrail_us-east-1_20260305T0205Z_AbCdEfGhIjKlMnOp.json.gz"))
            .unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    serde_json::to_writer(&mut gzip, &records).unwrap();
    gzip.finish().unwrap();
    crate::program::ingest(&folder.join("bucket"), &folder.join("store"));
    Store::open(&folder.join("store")).unwrap()
}

#[test]
fn lakes_forms_give_what_the_events_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt/lake.slt");
    let bad = wrong(&file, &Lake::new(Some(lake_store(folder.path()))));
    assert!(bad.is_empty(), "{} statements:\n{}", bad.len(), bad.join("\n\n"));
}

#[test]
fn columns_are_named_as_lake_names_them() {
    let lake = Lake::new(None);
    for (sql, names) in [
        ("SELECT 1, 2 AS two, count(*) FROM (VALUES 1) t(x)", &["_col0", "two", "_col2"][..]),
        ("SELECT x, x FROM (VALUES 1) t(x)", &["x", "x"]),
        ("SELECT x AS \"Mixed Case\" FROM (VALUES 1) t(x)", &["Mixed Case"]),
        ("VALUES (1, 2)", &["_col0", "_col1"]),
    ] {
        assert_eq!(lake.ask(sql).unwrap().0, names, "{sql}");
    }
}
