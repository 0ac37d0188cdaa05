//! Many statements in one process: a JSON document a line in, one a line out.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result};
use cloudtarn_query::Session;
use cloudtarn_query::value::Value;
use futures::StreamExt;
use serde_json::{Value as Json, json};

/// Runs every `{"id": …, "sql": …}` of `input`; an error is an answer, not an end.
pub(crate) async fn run(session: &Session, input: impl BufRead, mut out: impl Write) -> Result<()> {
    for (n, line) in input.lines().enumerate() {
        let line = line.context("cannot read the statements")?;
        if line.trim().is_empty() {
            continue;
        }
        let request: Json =
            serde_json::from_str(&line).with_context(|| format!("line {} of the statements is not JSON", n + 1))?;
        let id = request.get("id").cloned().unwrap_or_else(|| json!(n));
        let sql = request.get("sql").and_then(Json::as_str).unwrap_or_default();
        let start = Instant::now();
        let mut answer = match answer(session, sql).await {
            Ok((columns, rows)) => json!({"id": id, "columns": columns, "rows": rows}),
            Err(e) => json!({"id": id, "error": e.to_string()}),
        };
        answer["ms"] = json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

async fn answer(session: &Session, sql: &str) -> cloudtarn_query::Result<(Vec<String>, Vec<Json>)> {
    let mut query = session.query(sql).await?;
    let columns = query.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut rows = Vec::new();
    while let Some(batch) = query.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            rows.push(Json::Array(batch.columns().iter().map(|c| cell(&Value::of(c, row))).collect()));
        }
    }
    Ok((columns, rows))
}

/// A map as JSON text: a row of objects of one key each is how Lake's API writes plain cells.
fn cell(value: &Value) -> Json {
    let json = crate::json::strings(value);
    if json.is_object() { Json::String(json.to_string()) } else { json }
}
