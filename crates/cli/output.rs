//! Results on standard output: table, CSV, JSON, Parquet.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit, TimestampMillisecondType};
use arrow::record_batch::RecordBatch;
use cloudtarn_query::value::Value;
use cloudtarn_query::{Query, Statistics};
use cloudtarn_report::is_formula;
pub(crate) use cloudtarn_report::json::printable;
use cloudtarn_report::json::steers;
use cloudtarn_report::time::Zone;
use comfy_table::{ContentArrangement, Table, TableComponent};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value as Json};

use crate::units;

/// Forms of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for the eye.
    Table,
    /// Comma-separated values with a header (RFC 4180), nested values as Lake's text.
    Csv,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// A Parquet file.
    Parquet,
}

/// What is done to cells, whose text attackers may have chosen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Care {
    /// The result goes to a terminal: nothing in it may steer that.
    pub(crate) terminal: bool,
    /// The CSV is for a spreadsheet: no cell may be a formula.
    pub(crate) spreadsheet: bool,
}

/// Writes a line on standard error; nothing to be done where that fails. Messages quote what logs say.
pub(crate) fn complain(message: &str) {
    let lines: Vec<_> = message.split('\n').map(printable).collect();
    let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
}

/// Writes the rows as they come; only the table is gathered, for its widths.
pub(crate) async fn write(
    query: &mut Query,
    format: Format,
    zone: Zone,
    care: Care,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let mut out = BufWriter::new(out);
    match format {
        Format::Table => table(query, zone, &mut out).await?,
        Format::Csv => csv(query, zone, care, &mut out).await?,
        Format::Json => json(query, zone, &mut out, true).await?,
        Format::Ndjson => json(query, zone, &mut out, false).await?,
        Format::Parquet => parquet(query, &mut out).await?,
    }
    out.flush()?;
    Ok(())
}

/// A cell, times in a zone.
fn cell(column: &ArrayRef, row: usize, zone: Zone) -> Value {
    if zone != Zone::UTC
        && *column.data_type() == DataType::Timestamp(TimeUnit::Millisecond, None)
        && column.is_valid(row)
    {
        return Value::Text(zone.show(column.as_primitive::<TimestampMillisecondType>().value(row)));
    }
    Value::of(column, row)
}

/// What the query did, in a line on standard error.
pub(crate) fn summarize(done: &Statistics) {
    complain(&format!(
        "{} {}; read {} events, {} in {:.2} s; Lake would charge ${:.6} for the scan",
        units::count(done.rows),
        if done.rows == 1 { "row" } else { "rows" },
        units::count(done.events_scanned),
        units::bytes(done.bytes_scanned),
        done.elapsed.as_secs_f64(),
        done.lake_cost(),
    ));
}

/// A table with lines around its header and at its end only.
pub(crate) fn lined_table() -> Table {
    let mut table = Table::new();
    table
        .load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::RightBorderIntersections);
    table
}

/// Characters that a folded column of a table has at least.
const READABLE: usize = 12;

async fn table(query: &mut Query, zone: Zone, out: &mut impl Write) -> Result<()> {
    let mut table = lined_table();
    // Cells fold to fit a terminal, but not to less than can be read.
    let columns = query.schema().fields().len() * READABLE;
    if table.width().is_some_and(|width| usize::from(width) >= columns) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(query.schema().fields().iter().map(|f| printable(f.name())));
    while let Some(batch) = query.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            table.add_row(
                batch.columns().iter().map(|c| cell(c, row, zone).text().map_or_else(String::new, |t| printable(&t))),
            );
        }
    }
    writeln!(out, "{table}")?;
    Ok(())
}

pub(crate) fn field(text: &str, care: Care, out: &mut impl Write) -> std::io::Result<()> {
    let mut text = std::borrow::Cow::Borrowed(text);
    if care.spreadsheet && is_formula(&text) {
        text = format!("'{text}").into();
    }
    if care.terminal {
        text = printable(&text).into();
    }
    if text.contains(['"', ',', '\n', '\r']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

async fn csv(query: &mut Query, zone: Zone, care: Care, out: &mut impl Write) -> Result<()> {
    // An error of the first rows comes before anything is written.
    let mut next = query.next().await.transpose()?;
    for (i, f) in query.schema().fields().iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        field(f.name(), care, out)?;
    }
    out.write_all(b"\n")?;
    while let Some(batch) = next {
        for row in 0..batch.num_rows() {
            for (i, c) in batch.columns().iter().enumerate() {
                if i > 0 {
                    out.write_all(b",")?;
                }
                if let Some(text) = cell(c, row, zone).text() {
                    field(&text, care, out)?;
                }
            }
            out.write_all(b"\n")?;
        }
        next = query.next().await.transpose()?;
    }
    Ok(())
}

/// The same JSON, with escapes for what a terminal would obey: serde_json leaves some of it as it is.
pub(crate) fn inert(json: &str) -> std::borrow::Cow<'_, str> {
    if !json.contains(steers) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            // All of these have four digits at most.
            c if steers(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.into()
}

async fn json(query: &mut Query, zone: Zone, out: &mut impl Write, array: bool) -> Result<()> {
    let names: Vec<String> = query.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut first = true;
    let mut next = query.next().await.transpose()?;
    if array {
        out.write_all(b"[")?;
    }
    while let Some(batch) = next {
        for row in 0..batch.num_rows() {
            let object: Map<String, Json> = names
                .iter()
                .zip(batch.columns())
                .map(|(n, c)| (n.clone(), crate::json::natural(&cell(c, row, zone))))
                .collect();
            let separator: &[u8] = match (array, first) {
                (true, true) => b"\n",
                (true, false) => b",\n",
                (false, _) => b"",
            };
            out.write_all(separator)?;
            first = false;
            out.write_all(inert(&serde_json::to_string(&object)?).as_bytes())?;
            if !array {
                out.write_all(b"\n")?;
            }
        }
        next = query.next().await.transpose()?;
    }
    if array {
        out.write_all(if first { b"]\n" } else { b"\n]\n" })?;
    }
    Ok(())
}

async fn parquet(query: &mut Query, out: &mut (impl Write + Send)) -> Result<()> {
    // Parquet's columns need names of their own; where the result repeats one, the planner's unique names stay.
    let mut names: Vec<&String> = query.schema().fields().iter().map(|f| f.name()).collect();
    names.sort_unstable();
    let unique = names.windows(2).all(|pair| pair[0] != pair[1]);
    let shown = Arc::clone(query.schema());
    let named = |schema: &SchemaRef| -> SchemaRef {
        if !unique {
            return Arc::clone(schema);
        }
        let fields = schema.fields().iter().zip(shown.fields()).map(|(f, s)| f.as_ref().clone().with_name(s.name()));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    let mut writer: Option<ArrowWriter<_>> = None;
    let mut out = Some(out);
    while let Some(batch) = query.next().await {
        let batch = batch?;
        let schema = named(&batch.schema());
        if let Some(out) = out.take() {
            writer = Some(ArrowWriter::try_new(out, Arc::clone(&schema), None)?);
        }
        if let Some(w) = &mut writer {
            w.write(&RecordBatch::try_new(schema, batch.columns().to_vec())?)?;
        }
    }
    match (writer, out) {
        (Some(w), _) => {
            w.close()?;
        }
        (None, Some(out)) => {
            ArrowWriter::try_new(out, shown, None)?.close()?;
        }
        (None, None) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cell(text: &str, care: Care) -> String {
        let mut out = Vec::new();
        field(text, care, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formulas_are_text_where_that_is_asked_for() {
        let care = Care { spreadsheet: true, ..Care::default() };
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1", "=HYPERLINK(\"x\")"] {
            let safe = cell(formula, care);
            assert!(safe.trim_start_matches('"').starts_with('\''), "{safe}");
            assert!(!cell(formula, Care::default()).contains("'="), "{formula}");
        }
        for (plain, written) in [("-5", "-5"), ("+1.5E3", "+1.5E3"), ("a=b", "a=b"), ("", ""), ("a,b", "\"a,b\"")] {
            assert_eq!(cell(plain, care), written);
        }
        assert_eq!(cell("=a\"b\"", care), "\"'=a\"\"b\"\"\"");
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\n\u{7f}";
        let care = Care { terminal: true, ..Care::default() };
        assert!(!cell(evil, care).contains(steers));
        assert_eq!(cell(evil, Care::default()), format!("\"{evil}\""));
        let json = serde_json::to_string(evil).unwrap();
        assert!(json.contains(steers) && !inert(&json).contains(steers));
        assert_eq!(serde_json::from_str::<String>(&inert(&json)).unwrap(), evil);
        assert_eq!(inert("{\"a\":\"é\"}"), "{\"a\":\"é\"}");
    }
}
