//! Many statements in one process: a JSON document a line in, one a line out.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result};
use cloudtarn_query::Session;
use cloudtarn_query::value::Value;
use futures::StreamExt;
use serde_json::{Value as Json, json};

/// Runs every `{"id": …, "sql": …, "parameters": […]}` of `input`, parameters only where the statement has any; an error is an answer, not an end.
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
        let parameters = parameters(&request).with_context(|| format!("line {} of the statements", n + 1))?;
        let start = Instant::now();
        let mut answer = match answer(session, sql, &parameters).await {
            Ok((columns, rows)) => json!({"id": id, "columns": columns, "rows": rows}),
            Err(e) => json!({"id": id, "error": e.to_string()}),
        };
        answer["ms"] = json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// The texts of `"parameters"`.
fn parameters(request: &Json) -> Result<Vec<String>> {
    let Some(values) = request.get("parameters") else { return Ok(Vec::new()) };
    let texts = values.as_array().and_then(|v| v.iter().map(|v| v.as_str().map(str::to_owned)).collect());
    texts.context("\"parameters\" is not an array of texts")
}

async fn answer(
    session: &Session,
    sql: &str,
    parameters: &[String],
) -> cloudtarn_query::Result<(Vec<String>, Vec<Json>)> {
    let mut query = session.query_with(sql, parameters).await?;
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
