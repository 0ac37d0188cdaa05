//! Every file of `tests/slt`: statements with the answers that Trino's documentation and grammar promise.

use std::path::Path;

use cloudtarn_query::value::Value;
use cloudtarn_query::{Error, Limits, Session};
use futures::StreamExt;
use sqllogictest::{DBOutput, DefaultColumnType};

struct Database {
    session: Session,
    runtime: tokio::runtime::Runtime,
}

impl sqllogictest::DB for Database {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        self.runtime.block_on(async {
            let mut query = self.session.query(sql).await?;
            let types = query.schema().fields().iter().map(|_| DefaultColumnType::Text).collect();
            let mut rows = Vec::new();
            while let Some(batch) = query.next().await {
                let batch = batch?;
                for row in 0..batch.num_rows() {
                    let cell = |c| Value::of(c, row).text().unwrap_or_else(|| "NULL".to_owned());
                    rows.push(batch.columns().iter().map(cell).collect());
                }
            }
            Ok(DBOutput::Rows { types, rows })
        })
    }
}

#[test]
fn statements_answer_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5);
    for file in files {
        let mut runner = sqllogictest::Runner::new(|| async {
            let session = Session::new(None, Limits::default())?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            Ok(Database { session, runtime })
        });
        if let Err(error) = runner.run_file(&file) {
            panic!("{}: {error}", file.display());
        }
    }
}
