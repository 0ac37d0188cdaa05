//! FROM: samples, UNNEST in outer joins, columns that are named by their places.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinOperator, SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableSampleKind,
    TableWithJoins, Visit, Visitor, WildcardAdditionalOptions,
};

use crate::error::{Error, Result};
use crate::grammar::call;
use crate::rows::{query, select};

/// Rewrites what the planner would ignore or refuse.
pub(crate) fn prepare(table: &mut TableWithJoins) -> Result<()> {
    sample(&mut table.relation)?;
    for Join { relation, join_operator, .. } in &mut table.joins {
        sample(relation)?;
        let outer =
            matches!(join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_));
        // The planner takes every UNNEST for a lateral one, which an outer join cannot have on its right.
        if outer && matches!(relation, TableFactor::UNNEST { .. }) {
            derive(relation, |_| Ok(None))?;
        }
    }
    Ok(())
}

/// Whether columns of a table are given other names by their places: `FROM t AS u (a, b)`.
pub(crate) fn renames_by_place(statement: &Statement) -> bool {
    struct Renamed;
    impl Visitor for Renamed {
        type Break = ();

        fn pre_visit_table_factor(&mut self, relation: &TableFactor) -> ControlFlow<()> {
            match relation {
                TableFactor::Table { alias: Some(alias), .. } if !alias.columns.is_empty() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    statement.visit(&mut Renamed).is_break()
}

/// `relation AS t` → `(SELECT * FROM relation) AS t`, with the filter that `filter` makes of it.
fn derive(relation: &mut TableFactor, filter: impl FnOnce(&mut TableFactor) -> Result<Option<Expr>>) -> Result<()> {
    let nothing =
        TableFactor::Derived { lateral: false, subquery: Box::new(crate::rows::no_query()), alias: None, sample: None };
    let mut inner = std::mem::replace(relation, nothing);
    let selection = filter(&mut inner)?;
    let alias = match &mut inner {
        TableFactor::UNNEST { alias, .. } => alias.clone(),
        TableFactor::Table { alias, name, .. } => alias.take().or_else(|| {
            let name = name.0.last()?.as_ident()?.clone();
            Some(TableAlias { explicit: true, name, columns: vec![], at: None })
        }),
        TableFactor::Derived { alias, .. } => alias.take(),
        _ => None,
    };
    let mut body = select(vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())], inner);
    body.selection = selection;
    let subquery = Box::new(query(SetExpr::Select(Box::new(body))));
    *relation = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
    Ok(())
}

/// `TABLESAMPLE BERNOULLI (p)`: each row with a probability of p in a hundred. SYSTEM takes rows, too: files have no smaller parts
/// that a sample of a few would be fair of.
fn sample(relation: &mut TableFactor) -> Result<()> {
    let sample = match relation {
        TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } => sample.take(),
        _ => None,
    };
    let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
        return Ok(());
    };
    let Some(percent) = sample.quantity.map(|q| q.value) else {
        return Err(Error::unsupported("TABLESAMPLE without a percentage"));
    };
    derive(relation, |_| {
        let random = Expr::BinaryOp {
            left: Box::new(call("random", vec![])),
            op: BinaryOperator::Multiply,
            right: Box::new(crate::grammar::number("100")),
        };
        Ok(Some(Expr::BinaryOp { left: Box::new(random), op: BinaryOperator::Lt, right: Box::new(percent) }))
    })
}
