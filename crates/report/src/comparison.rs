//! Two answers to one question, row by row: this store's and CloudTrail Lake's.
//!
//! Rows compare as GetQueryResults gives them, which is text throughout and has no NULL. They compare as a bag. Where the
//! statement sorts by columns of its result these must also come in the same order; what ties may come in any.

use std::collections::HashMap;
use std::fmt;

use cloudtarn_query::Statistics;
use cloudtarn_query::value::Value;
use serde_json::{Value as Json, json};
use sqlparser::ast::{Expr, OrderByKind, Statement};

use crate::answer::Rows;
use crate::estimate::Prices;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// Names of the columns; none where an answer without rows does not tell them.
    pub columns: Vec<String>,
    /// Cells, in the order in which they came.
    pub rows: Vec<Vec<String>>,
    /// What it took.
    pub statistics: Statistics,
}

impl From<&Rows> for Side {
    fn from(rows: &Rows) -> Self {
        let cells = |row: &Vec<Value>| row.iter().map(Value::result_text).collect();
        Self { columns: rows.columns.clone(), rows: rows.rows.iter().map(cells).collect(), statistics: rows.statistics }
    }
}

/// In what two answers differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Names of the columns on Lake, where they differ from those here in more than case.
    pub columns: Option<Vec<String>>,
    /// Rows that the answer here has, or has more often.
    pub only_here: Vec<Vec<String>>,
    /// Rows that Lake's answer has, or has more often.
    pub only_lake: Vec<Vec<String>>,
    /// The first row (from 0) that sorts differently, where the rows are the same.
    pub order: Option<usize>,
}

impl Difference {
    /// Are the answers the same?
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.columns.is_some() {
            parts.push("other columns".to_owned());
        }
        for (rows, side) in [(&self.only_here, "here"), (&self.only_lake, "on Lake")] {
            match rows.len() {
                0 => {}
                1 => parts.push(format!("1 row only {side}")),
                more => parts.push(format!("{more} rows only {side}")),
            }
        }
        parts.extend(self.order.map(|row| format!("another order from row {} on", row + 1)));
        f.write_str(&if parts.is_empty() { "the same".to_owned() } else { parts.join(", ") })
    }
}

/// Compares the answers to a statement.
pub fn difference(sql: &str, here: &Side, lake: &Side) -> Difference {
    let told = !here.columns.is_empty() && !lake.columns.is_empty();
    let alike = here.columns.len() == lake.columns.len()
        && here.columns.iter().zip(&lake.columns).all(|(a, b)| a.eq_ignore_ascii_case(b));
    let mut found = Difference {
        columns: (told && !alike).then(|| lake.columns.clone()),
        only_here: beyond(&here.rows, &lake.rows),
        only_lake: beyond(&lake.rows, &here.rows),
        order: None,
    };
    if found.is_none() {
        let keys = sort_keys(sql, &here.columns);
        let differs = |(a, b): (&Vec<String>, &Vec<String>)| keys.iter().any(|key| a.get(*key) != b.get(*key));
        found.order = here.rows.iter().zip(&lake.rows).position(differs);
    }
    found
}

/// The rows that `rows` has beyond those of `others`, each as often as it has it more often.
fn beyond(rows: &[Vec<String>], others: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut left: HashMap<&[String], usize> = HashMap::with_capacity(others.len());
    for row in others {
        *left.entry(row.as_slice()).or_default() += 1;
    }
    let is_beyond = |row: &&Vec<String>| match left.get_mut(row.as_slice()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    rows.iter().filter(is_beyond).cloned().collect()
}

/// Places of the columns that the statement sorts by, up to the first key that is not a column of its result.
fn sort_keys(sql: &str, columns: &[String]) -> Vec<usize> {
    let Ok(Statement::Query(query)) = cloudtarn_dialect::parse(sql).map(|parsed| parsed.statement) else {
        return Vec::new();
    };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.map(|order| order.kind) else { return Vec::new() };
    let place = |key: &Expr| match key {
        Expr::Identifier(name) => columns.iter().position(|column| column.eq_ignore_ascii_case(&name.value)),
        Expr::Value(number) => number.to_string().parse::<usize>().ok()?.checked_sub(1),
        _ => None,
    };
    keys.iter().map_while(|key| place(&key.expr)).collect()
}

/// How a comparison came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Both answered.
    Compared(Difference),
    /// The question did not run here, and Lake was not asked.
    FailedHere(String),
    /// It ran here, but not on Lake.
    FailedOnLake(String),
}

/// One question with both answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name of the question.
    pub question: String,
    /// The statement as Lake got it.
    pub sql: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// What the answer here took.
    pub here: Option<Statistics>,
    /// What Lake's answer took; the time is the one that Lake tells.
    pub lake: Option<Statistics>,
    /// How it came out.
    pub outcome: Outcome,
}

impl Comparison {
    /// Did both sides answer the same?
    pub fn agrees(&self) -> bool {
        matches!(&self.outcome, Outcome::Compared(difference) if difference.is_none())
    }

    /// Did one side not answer?
    pub fn failed(&self) -> bool {
        !matches!(self.outcome, Outcome::Compared(_))
    }

    /// What Lake charged for the scan, in US dollars.
    pub fn cost(&self, prices: &Prices) -> f64 {
        self.lake.map_or(0.0, |lake| prices.lake_scan(lake.bytes_scanned))
    }

    /// As one JSON document.
    pub fn document(&self, prices: &Prices) -> Json {
        let side = |statistics: &Statistics| {
            json!({"rows": statistics.rows, "seconds": statistics.elapsed.as_secs_f64(),
                "events_matched": statistics.events_matched, "events_scanned": statistics.events_scanned,
                "bytes_scanned": statistics.bytes_scanned})
        };
        let mut document = json!({"question": self.question, "sql": self.sql, "columns": self.columns});
        document["here"] = json!(self.here.as_ref().map(side));
        document["lake"] = json!(self.lake.as_ref().map(side));
        if self.lake.is_some() {
            document["lake"]["usd"] = json!(self.cost(prices));
        }
        let result = match &self.outcome {
            Outcome::Compared(difference) => {
                document["columns_on_lake"] = json!(difference.columns);
                document["only_here"] = json!(difference.only_here);
                document["only_on_lake"] = json!(difference.only_lake);
                document["order_differs_at_row"] = json!(difference.order.map(|row| row + 1));
                if difference.is_none() { "same" } else { "different" }
            }
            Outcome::FailedHere(error) => {
                document["error"] = json!(error);
                "failed here"
            }
            Outcome::FailedOnLake(error) => {
                document["error"] = json!(error);
                "failed on Lake"
            }
        };
        document["result"] = json!(result);
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(columns: &[&str], rows: &[&[&str]]) -> Side {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Side { columns: owned(columns), rows: rows.iter().map(|row| owned(row)).collect(), ..Side::default() }
    }

    const SQL: &str = "SELECT a, b FROM $EDS_ID";

    #[test]
    fn rows_compare_as_a_bag() {
        let here = side(&["a", "b"], &[&["1", "x"], &["2", "y"], &["1", "x"]]);
        let same = side(&["A", "b"], &[&["2", "y"], &["1", "x"], &["1", "x"]]);
        assert!(difference(SQL, &here, &same).is_none());
        let other = side(&["a", "b"], &[&["1", "x"], &["2", ""], &["2", "y"]]);
        let found = difference(SQL, &here, &other);
        assert_eq!((found.only_here, found.only_lake), (vec![here.rows[0].clone()], vec![other.rows[1].clone()]));
        let found = difference(SQL, &here, &side(&[], &[]));
        assert_eq!(found.to_string(), "3 rows only here");
        assert!(difference(SQL, &side(&["a", "b"], &[]), &side(&[], &[])).is_none());
    }

    #[test]
    fn names_of_columns_count_but_for_their_case() {
        let here = side(&["a", "b"], &[&["1", "x"]]);
        let found = difference(SQL, &here, &side(&["a", "_col1"], &[&["1", "x"]]));
        assert_eq!(found.to_string(), "other columns");
    }

    #[test]
    fn what_is_sorted_keeps_its_order_but_for_ties() {
        let here = side(&["a", "b"], &[&["2", "x"], &["1", "y"], &["1", "z"]]);
        let tied = side(&["a", "b"], &[&["2", "x"], &["1", "z"], &["1", "y"]]);
        let turned = side(&["a", "b"], &[&["1", "z"], &["1", "y"], &["2", "x"]]);
        let order = |by: &str, lake: &Side| difference(&format!("{SQL} {by}"), &here, lake).order;
        for by in ["ORDER BY a DESC", "ORDER BY A DESC, length(b)", "ORDER BY 1 DESC"] {
            assert_eq!((order(by, &tied), order(by, &turned)), (None, Some(0)), "{by}");
        }
        assert_eq!(order("ORDER BY a DESC, b", &tied), Some(1));
        for by in ["", "ORDER BY length(b)", "ORDER BY c, a"] {
            assert_eq!(order(by, &turned), None, "{by}");
        }
        let found = difference("SELECT a, b FROM $EDS_ID ORDER BY 2", &here, &tied);
        assert_eq!(found.to_string(), "another order from row 2 on");
    }
}
