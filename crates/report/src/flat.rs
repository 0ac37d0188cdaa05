//! A report's rows one by one: CSV, NDJSON and Parquet, and the whole as one JSON document.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Rows};
use crate::error::Result;
use crate::findings::Report;
use crate::json::{natural, printable};

/// Columns that rows have under several names, so that findings of different questions can be read together.
const COMMON: [(&str, &[&str]); 6] = [
    ("time", &["eventTime", "hour", "day", "ten_minutes", "user_made", "asked", "first", "last"]),
    ("account", &["recipientAccountId", "to_account", "account"]),
    ("region", &["awsRegion", "region"]),
    ("event", &["eventName"]),
    ("principal", &["principal", "person", "maker", "access_key"]),
    ("address", &["sourceIPAddress"]),
];

fn common(found: &Rows, row: usize, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| found.text(row, name))
}

fn object(found: &Rows, row: usize) -> Json {
    let cells = found.columns.iter().zip(&found.rows[row]);
    Json::Object(cells.map(|(name, value)| (name.clone(), natural(value))).collect())
}

fn outcome(answer: &Answer, row: usize) -> Option<&'static str> {
    answer.succeeded(row).map(|succeeded| if succeeded { "succeeded" } else { "attempted" })
}

/// Every row of every answer, findings first.
fn all(report: &Report) -> impl Iterator<Item = (&Answer, usize)> {
    report.answers.iter().flat_map(|answer| (0..answer.found.rows.len()).map(move |row| (answer, row)))
}

fn techniques(answer: &Answer) -> Vec<String> {
    answer.question.techniques.iter().map(|t| format!("{}:{}", t.tactic.id(), t.id)).collect()
}

/// Whether a spreadsheet may take a cell for a formula, or a part of one where it strips the first characters. Numbers are
/// none.
pub fn is_formula(text: &str) -> bool {
    let begins = text.trim_start_matches([' ', '"', '\'']).chars().next();
    let sign = |c| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '|' | '%');
    begins.is_some_and(sign) && text.parse::<f64>().is_err()
}

/// A cell of CSV that no spreadsheet takes for a formula: one that begins as formulas do gets an apostrophe, and control
/// characters become escapes.
pub fn csv_cell(text: &str) -> String {
    let text = printable(text);
    let formula = is_formula(&text);
    let padded = text.starts_with(' ') || text.ends_with(' ');
    let text = if formula { format!("'{text}") } else { text };
    if padded || text.contains([',', '"', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// One line a row; the columns of each question as JSON in the last.
///
/// # Errors
/// Those of the writer.
pub fn csv(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    let common_names = COMMON.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    writeln!(out, "question,title,severity,mitre,outcome,{common_names},columns")?;
    for (answer, row) in all(report) {
        let question = &answer.question;
        let mut cells = vec![
            question.name.clone(),
            question.title.clone(),
            question.severity.to_string(),
            techniques(answer).join(" "),
            outcome(answer, row).unwrap_or_default().to_owned(),
        ];
        cells.extend(COMMON.iter().map(|(_, names)| common(&answer.found, row, names).unwrap_or_default()));
        cells.push(object(&answer.found, row).to_string());
        let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

/// One JSON object a row.
///
/// # Errors
/// Those of the writer.
pub fn ndjson(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for (answer, row) in all(report) {
        let question = &answer.question;
        let mut line: Map<String, Json> = Map::new();
        line.insert("question".to_owned(), json!(question.name));
        line.insert("title".to_owned(), json!(question.title));
        line.insert("severity".to_owned(), json!(question.severity.as_str()));
        line.insert("mitre".to_owned(), json!(techniques(answer)));
        line.insert("outcome".to_owned(), json!(outcome(answer, row)));
        for (name, names) in COMMON {
            line.insert(name.to_owned(), json!(common(&answer.found, row, names)));
        }
        line.insert("columns".to_owned(), object(&answer.found, row));
        writeln!(out, "{}", Json::Object(line))?;
    }
    Ok(())
}

/// The same columns as CSV has, as a Parquet file.
///
/// # Errors
/// Those of the writer and of Parquet.
pub fn parquet(report: &Report, out: &mut (dyn Write + Send)) -> Result<()> {
    let rows: Vec<(&Answer, usize)> = all(report).collect();
    let text = |of: &dyn Fn(&Answer, usize) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(answer, row)| of(answer, *row)).collect::<StringArray>())
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("question", text(&|a, _| Some(a.question.name.clone()))),
        ("title", text(&|a, _| Some(a.question.title.clone()))),
        ("severity", text(&|a, _| Some(a.question.severity.to_string()))),
        ("mitre", text(&|a, _| Some(techniques(a).join(" ")))),
        ("succeeded", Arc::new(rows.iter().map(|(a, row)| a.succeeded(*row)).collect::<BooleanArray>())),
        ("row", Arc::new(rows.iter().map(|(_, row)| Some(*row as u64)).collect::<UInt64Array>())),
    ];
    for (name, names) in COMMON {
        columns.push((name, text(&|a, row| common(&a.found, row, names))));
    }
    columns.push(("columns", text(&|a, row| Some(object(&a.found, row).to_string()))));
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?;
    let mut writer = ArrowWriter::try_new(out, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// The whole report.
pub fn json(report: &Report) -> Json {
    let asked = &report.asked;
    let table = |found: &Rows| (0..found.rows.len()).map(|row| object(found, row)).collect::<Vec<_>>();
    let answers: Vec<Json> = report
        .answers
        .iter()
        .map(|answer| {
            let question = &answer.question;
            let parameters: Map<String, Json> =
                answer.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({
                "question": question.name, "title": question.title, "answers": question.answers,
                "severity": question.severity.as_str(), "mitre": techniques(answer), "tags": question.tags,
                "references": question.references, "sql": answer.sql, "parameters": parameters,
                "rows_total": answer.found.total, "only_attempts": answer.only_attempts(), "sha256": answer.found.digest,
                "rows": table(&answer.found),
            })
        })
        .collect();
    json!({
        "title": report.title,
        "program": format!("cloudtarn {}", env!("CARGO_PKG_VERSION")),
        "event_data_store": {
            "name": asked.name, "id": asked.id, "snapshot": asked.snapshot, "events": asked.events,
            "first": asked.times.0.map(|t| report.zone.show(t)), "last": asked.times.1.map(|t| report.zone.show(t)),
            "json_bytes": asked.json_bytes, "bytes": asked.bytes, "log_files": asked.log_files,
            "log_files_sha256": asked.fingerprint,
        },
        "conditions": report.scope.conditions(),
        "totals": table(&report.totals).into_iter().next(),
        "severities": report.by_severity().iter()
            .map(|(severity, questions, rows)| json!({"severity": severity.as_str(), "questions": questions, "rows": rows}))
            .collect::<Vec<_>>(),
        "tactics": report.by_tactic().iter()
            .map(|(tactic, asked, found)| json!({"id": tactic.id(), "name": tactic.name(), "asked": asked, "found": found}))
            .collect::<Vec<_>>(),
        "activity": report.activity.buckets.iter()
            .map(|(start, succeeded, failed)| json!({"start": report.zone.show(*start), "succeeded": succeeded, "failed": failed}))
            .collect::<Vec<_>>(),
        "places": table(&report.places),
        "days": table(&report.days),
        "coverage": table(&report.coverage),
        "statements": report.statements.iter().map(|(name, sql)| json!({"name": name, "sql": sql})).collect::<Vec<_>>(),
        "answers": answers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_never_are_formulas() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+1+1", "'+1+1"),
            ("-A1", "'-A1"),
            ("-1", "-1"),
            ("\t=1", "\\t=1"),
            (" =1", "\"' =1\""),
            ("＝1", "'＝1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\r\nlines", "two\\r\\nlines"),
            ("arn:aws:iam::1:user/x", "arn:aws:iam::1:user/x"),
        ] {
            assert_eq!(csv_cell(text), cell, "{text:?}");
        }
    }
}
