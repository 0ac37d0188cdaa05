//! Many statements in one process: a JSON document a line in, one a line out.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result};
use arrow::array::ArrayRef;
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
        let answer = answer(session, sql, &parameters).await;
        let ms = json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mut text = match &answer {
            Ok((columns, _)) => json!({"columns": columns, "id": id, "ms": ms}),
            Err(e) => json!({"id": id, "error": e.to_string(), "ms": ms}),
        }
        .to_string()
        .into_bytes();
        if let Ok((_, rows)) = answer {
            text.pop();
            text.extend_from_slice(b",\"rows\":[");
            text.extend_from_slice(&rows);
            text.extend_from_slice(b"]}");
        }
        text.push(b'\n');
        out.write_all(&text)?;
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

/// Names of the columns, and the rows as JSON arrays with commas between them.
async fn answer(
    session: &Session,
    sql: &str,
    parameters: &[String],
) -> cloudtarn_query::Result<(Vec<String>, Vec<u8>)> {
    let mut query = session.query_with(sql, parameters).await?;
    let columns = query.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut rows = Vec::new();
    while let Some(batch) = query.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            rows.extend_from_slice(if rows.is_empty() { b"[" } else { b",[" });
            for (place, column) in batch.columns().iter().enumerate() {
                if place > 0 {
                    rows.push(b',');
                }
                write_cell(&mut rows, column, row);
            }
            rows.push(b']');
        }
    }
    Ok((columns, rows))
}

/// Text of scalars as it is, everything else by way of its value.
fn write_cell(out: &mut Vec<u8>, column: &ArrayRef, row: usize) {
    let text = match Value::of(column, row) {
        Value::Text(text) | Value::Number(text) | Value::Json(text) => Json::String(text),
        other => cell(&other),
    };
    // Writing into memory does not fail, and every key is text.
    let _ = serde_json::to_writer(out, &text);
}

/// A map as JSON text: a row of objects of one key each is how Lake's API writes plain cells.
fn cell(value: &Value) -> Json {
    let json = crate::json::strings(value);
    if json.is_object() { Json::String(json.to_string()) } else { json }
}
