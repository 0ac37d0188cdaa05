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

/// Rows as they are written in the files: cells between bars, blanks kept.
fn agree(_: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    actual.len() == expected.len() && actual.iter().zip(expected).all(|(row, line)| row.join(" | ") == *line)
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "slt"));
    files.sort();
    assert!(files.len() >= 19, "{files:?}");
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
    let words: std::collections::HashSet<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<&str> =
        cloudtarn_functions::docs().map(|doc| doc.name).filter(|name| !words.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
