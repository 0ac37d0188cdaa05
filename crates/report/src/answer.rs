//! A question asked: its rows, counted, and a hash to compare them by.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use cloudtarn_query::value::Value;
use cloudtarn_query::{Session, Statistics};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use sqlparser::ast::Statement;

use crate::error::{Error, Result};
use crate::question::{Outcomes, Question, Severity, Values};
use crate::statement::Scope;
use crate::time::Zone;

/// Rows of one answer that are kept; more are counted.
pub const ROWS_KEPT: usize = 100_000;

/// Rows of a statement.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Names of the columns, as Lake gives them.
    pub columns: Vec<String>,
    /// Cells, column by column; times are shown in the zone asked for.
    pub rows: Vec<Vec<Value>>,
    /// The first time in each row (UTC milliseconds).
    pub times: Vec<Option<i64>>,
    /// Rows there were, of which the first hundred thousand are kept.
    pub total: u64,
    /// SHA-256, in hex, of the rows kept: cells in UTC, separated as the ASCII table has it.
    pub digest: String,
    /// What the query did.
    pub statistics: Statistics,
}

/// Runs a statement. Rows without an order of their own are sorted, so that the same store gives the same rows.
///
/// # Errors
/// [`Error::Query`] under `name`.
pub async fn rows(session: &Session, name: &str, sql: &str, zone: Zone) -> Result<Rows> {
    let failed = |source| Error::Query { question: name.to_owned(), source };
    let mut query = session.query(sql).await.map_err(failed)?;
    let mut all =
        Rows { columns: query.schema().fields().iter().map(|f| f.name().clone()).collect(), ..Rows::default() };
    // (text in UTC, cells, time) of each row.
    let mut kept: Vec<(String, Vec<Value>, Option<i64>)> = Vec::new();
    while let Some(batch) = query.next().await {
        let batch = batch.map_err(failed)?;
        all.total += batch.num_rows() as u64;
        for row in 0..batch.num_rows().min(ROWS_KEPT - kept.len()) {
            let (mut text, mut cells, mut first) = (String::new(), Vec::with_capacity(batch.num_columns()), None);
            for column in batch.columns() {
                let cell = Value::of(column, row);
                match cell.text() {
                    Some(cell) => text.push_str(&cell),
                    None => text.push('\0'),
                }
                text.push('\x1f');
                let time = time(column, row);
                first = first.or(time);
                cells.push(match time {
                    Some(time) if zone != Zone::UTC => Value::Text(zone.show(time)),
                    _ => cell,
                });
            }
            text.push('\x1e');
            kept.push((text, cells, first));
        }
    }
    if !ordered(sql) {
        kept.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let mut hash = Sha256::new();
    for (text, cells, time) in kept {
        hash.update(text);
        all.rows.push(cells);
        all.times.push(time);
    }
    all.digest = hex::encode(hash.finalize());
    all.statistics = query.statistics();
    Ok(all)
}

/// The instant in a cell.
fn time(column: &ArrayRef, row: usize) -> Option<i64> {
    let millis = *column.data_type() == DataType::Timestamp(TimeUnit::Millisecond, None) && column.is_valid(row);
    millis.then(|| column.as_primitive::<TimestampMillisecondType>().value(row))
}

/// Does the statement say in which order its rows come?
fn ordered(sql: &str) -> bool {
    match cloudtarn_dialect::parse(sql).map(|parsed| parsed.statement) {
        Ok(Statement::Query(query)) => query.order_by.is_some(),
        _ => false,
    }
}

impl Rows {
    /// Where a column is.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// A cell's text.
    pub fn text(&self, row: usize, column: &str) -> Option<String> {
        self.rows.get(row)?.get(self.column(column)?)?.text()
    }

    /// A cell's number; 0 where there is none.
    pub fn number(&self, row: usize, column: &str) -> u64 {
        self.text(row, column).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// A question with what it found.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The statement as it ran, which runs on Lake too.
    pub sql: String,
    /// The values that its parameters had.
    pub parameters: Vec<(String, String)>,
    /// What it found.
    pub found: Rows,
}

impl Answer {
    /// Asks a question.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Query`].
    pub async fn to(
        session: &Session,
        question: &Question,
        values: &Values,
        scope: &Scope,
        zone: Zone,
    ) -> Result<Self> {
        let sql = question.statement(values, scope)?;
        let found = rows(session, &question.name, &sql, zone).await?;
        let parameters = question
            .parameters
            .iter()
            .map(|p| (p.name.clone(), values.get(&p.name).unwrap_or(&p.default).clone()))
            .collect();
        Ok(Self { question: question.clone(), sql, parameters, found })
    }

    /// Rows of something to look at, rather than of an inventory.
    pub fn is_finding(&self) -> bool {
        self.question.severity > Severity::Informational && self.found.total > 0
    }

    /// Did the row's call succeed? `None` where the question cannot tell.
    pub fn succeeded(&self, row: usize) -> Option<bool> {
        match self.question.outcomes {
            Outcomes::Succeeded => Some(true),
            Outcomes::Failed => Some(false),
            Outcomes::Any => None,
            Outcomes::Both => match self.found.text(row, "outcome") {
                Some(outcome) => Some(outcome == "succeeded"),
                None => Some(self.found.number(row, "succeeded") > 0),
            },
        }
    }

    /// Are all rows of attempts that failed?
    pub fn only_attempts(&self) -> bool {
        self.is_finding() && (0..self.found.rows.len()).all(|row| self.succeeded(row) == Some(false))
    }
}
