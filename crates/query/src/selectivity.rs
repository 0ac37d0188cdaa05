//! How many events a scan's filters let through, guessed.
//!
//! A join holds one side in memory, and should hold the smaller. DataFusion would take filtered scans of one store for equally
//! large; the catalogue knows at least how often each column is NULL.

use arrow::datatypes::Schema;
use datafusion::common::{Column, Statistics};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Of text, how much one value is, of what is not NULL: there are tens to thousands of each.
const EQUAL: f64 = 0.05;
const LIKE: f64 = 0.2;
/// What is open on one side.
const BOUND: f64 = 0.4;
const UNKNOWN: f64 = 0.5;
/// So much is believed at least.
const LEAST: f64 = 1e-3;

/// The part, in (0, 1], of a store's events for which all filters are true.
pub(crate) fn of_all(filters: &[Expr], statistics: &Statistics, schema: &Schema) -> f64 {
    filters.iter().map(|filter| of(filter, statistics, schema)).product::<f64>().clamp(LEAST, 1.0)
}

fn of(filter: &Expr, statistics: &Statistics, schema: &Schema) -> f64 {
    let of = |filter: &Expr| of(filter, statistics, schema);
    let present = |filter: &Expr| {
        let columns = filter.column_refs();
        columns.into_iter().map(|column| present(column, statistics, schema)).fold(1.0, f64::min)
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => of(left) * of(right),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => (of(left) + of(right)).min(1.0),
        Expr::BinaryExpr(comparison) => {
            let passing = match comparison.op {
                Operator::Eq => EQUAL,
                Operator::NotEq => 1.0 - EQUAL,
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => BOUND,
                _ => UNKNOWN,
            };
            present(filter) * passing
        }
        Expr::InList(list) => {
            let found = (EQUAL * list.list.len() as f64).min(1.0);
            present(filter) * if list.negated { 1.0 - found } else { found }
        }
        Expr::Like(like) => present(filter) * if like.negated { 1.0 - LIKE } else { LIKE },
        Expr::IsNull(inner) => 1.0 - present(inner),
        Expr::IsNotNull(_) => present(filter),
        Expr::Not(inner) => present(filter) * (1.0 - of(inner)),
        other => present(other) * UNKNOWN,
    }
}

/// How much of a column is not NULL.
fn present(column: &Column, statistics: &Statistics, schema: &Schema) -> f64 {
    let nulls = schema.index_of(&column.name).ok().and_then(|index| {
        let nulls = statistics.column_statistics.get(index)?.null_count.get_value()?;
        let rows = statistics.num_rows.get_value().filter(|rows| **rows > 0)?;
        Some(*nulls as f64 / *rows as f64)
    });
    1.0 - nulls.unwrap_or(0.0).clamp(0.0, 1.0)
}

/// A scan's statistics with filters on it.
pub(crate) fn filtered(statistics: Statistics, filters: &[Expr], schema: &Schema) -> Statistics {
    if filters.is_empty() {
        return statistics;
    }
    let part = of_all(filters, &statistics, schema);
    let scale = |number: usize| (number as f64 * part).ceil() as usize;
    let mut scaled = statistics.to_inexact();
    scaled.num_rows = scaled.num_rows.map(scale);
    scaled.total_byte_size = scaled.total_byte_size.map(scale);
    for column in &mut scaled.column_statistics {
        column.null_count = column.null_count.map(scale);
        column.byte_size = column.byte_size.map(scale);
    }
    scaled
}
