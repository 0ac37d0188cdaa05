//! `JOIN … USING`: Trino's one column of the joined value, which comes first under `*`.
//!
//! The planner knows the left column for it, which is NULL where a RIGHT or FULL join has no left row.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableAlias, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};

use crate::error::{Error, Result};
use crate::grammar::call;
use crate::scopes::except;

/// Rewrites the select's USING joins, its references to their columns, and its `*`.
///
/// # Errors
/// [`crate::Kind::NotSupported`] where the text does not tell which table has a column that a RIGHT or FULL join uses.
pub(crate) fn merge(select: &mut Select) -> Result<()> {
    let single = select.from.len() == 1;
    let mut joined = HashMap::new();
    for table in &mut select.from {
        if table.joins.iter().any(|join| keys(&join.join_operator).is_some()) {
            let star = chain(table, &mut joined)?;
            if let Some((names, keys)) = star.filter(|_| single) {
                expand_star(select, &names, &keys, &joined);
                break;
            }
        }
    }
    if joined.is_empty() {
        return Ok(());
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::Identifier(column)) = item
            && let Some(value) = joined.get(&column.value.to_lowercase())
        {
            *item = SelectItem::ExprWithAlias { expr: value.clone(), alias: column.clone() };
        }
    }
    let mut replace = Replace { joined: &joined, depth: 0 };
    let _ = select.projection.visit(&mut replace);
    let _ = select.selection.visit(&mut replace);
    let _ = select.having.visit(&mut replace);
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        let _ = keys.visit(&mut replace);
    }
    Ok(())
}

/// The columns that a join uses.
fn keys(operator: &JoinOperator) -> Option<Vec<Ident>> {
    let JoinConstraint::Using(names) = constraint(operator)? else { return None };
    names.iter().map(|name| name.0.last()?.as_ident().cloned()).collect()
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::Left(c)
        | JoinOperator::LeftOuter(c)
        | JoinOperator::Right(c)
        | JoinOperator::RightOuter(c)
        | JoinOperator::FullOuter(c) => Some(c),
        _ => None,
    }
}

/// Names of joined tables, in order, and the columns that all of them are joined by.
type Star = (Vec<Ident>, Vec<Ident>);

/// Rewrites the joins of one FROM item where the left column is not the joined value. `joined` gets the values of the
/// columns that are then not the planner's to find.
fn chain(table: &mut TableWithJoins, joined: &mut HashMap<String, Expr>) -> Result<Option<Star>> {
    let outer = table.joins.iter().any(|join| {
        keys(&join.join_operator).is_some()
            && matches!(
                join.join_operator,
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
            )
    });
    let mut names = vec![name(&mut table.relation, 0)];
    let mut common: Option<Vec<Ident>> = None;
    let mut same = true;
    for (index, join) in table.joins.iter_mut().enumerate() {
        let right = name(&mut join.relation, index + 1);
        let Some(keys) = keys(&join.join_operator) else {
            same = false;
            names.push(right);
            continue;
        };
        same &= common.as_ref().is_none_or(|common| *common == keys);
        common = Some(keys.clone());
        if outer {
            let mut condition: Option<Expr> = None;
            for key in keys {
                let folded = key.value.to_lowercase();
                let left = match (joined.get(&folded), names.as_slice(), &right) {
                    (Some(value), _, Some(_)) => value.clone(),
                    (None, [Some(only)], Some(_)) => of(only, &key),
                    _ => {
                        let message = format!(
                            "RIGHT or FULL JOIN with USING ({key}) among several tables, where the column's table is unknown; name the tables and join ON their columns"
                        );
                        return Err(Error::unsupported(message));
                    }
                };
                let value = right.as_ref().map_or_else(|| left.clone(), |right| of(right, &key));
                let equal = Expr::BinaryOp {
                    left: Box::new(left.clone()),
                    op: BinaryOperator::Eq,
                    right: Box::new(value.clone()),
                };
                condition = Some(match condition {
                    None => equal,
                    Some(c) => Expr::BinaryOp { left: Box::new(c), op: BinaryOperator::And, right: Box::new(equal) },
                });
                let value = match &join.join_operator {
                    JoinOperator::Right(_) | JoinOperator::RightOuter(_) => value,
                    JoinOperator::FullOuter(_) => call("coalesce", vec![left, value]),
                    _ => left,
                };
                joined.insert(folded, value);
            }
            if let (
                Some(condition),
                JoinOperator::Join(c)
                | JoinOperator::Inner(c)
                | JoinOperator::Left(c)
                | JoinOperator::LeftOuter(c)
                | JoinOperator::Right(c)
                | JoinOperator::RightOuter(c)
                | JoinOperator::FullOuter(c),
            ) = (condition, &mut join.join_operator)
            {
                *c = JoinConstraint::On(condition);
            }
        }
        names.push(right);
    }
    let names: Option<Vec<Ident>> = names.into_iter().collect();
    Ok(names.zip(common.filter(|_| same)))
}

/// The name of a table in the select; one of our own where it has none.
fn name(relation: &mut TableFactor, index: usize) -> Option<Ident> {
    match relation {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().cloned(),
        TableFactor::Derived { alias, .. } => {
            let name = Ident::with_quote('"', format!("$joined{index}"));
            *alias = Some(TableAlias { explicit: true, name: name.clone(), columns: vec![], at: None });
            Some(name)
        }
        _ => None,
    }
}

fn of(table: &Ident, column: &Ident) -> Expr {
    Expr::CompoundIdentifier(vec![table.clone(), column.clone()])
}

/// `*` → the joined columns, then the others of each table.
fn expand_star(select: &mut Select, tables: &[Ident], keys: &[Ident], joined: &HashMap<String, Expr>) {
    let mut expanded = Vec::with_capacity(select.projection.len());
    for item in select.projection.drain(..) {
        if !matches!(item, SelectItem::Wildcard(_)) {
            expanded.push(item);
            continue;
        }
        for key in keys {
            let value = joined.get(&key.value.to_lowercase()).cloned();
            let expr = value.unwrap_or_else(|| of(&tables[0], key));
            expanded.push(SelectItem::ExprWithAlias { expr, alias: key.clone() });
        }
        for table in tables {
            let mut options = WildcardAdditionalOptions::default();
            except(&mut options, keys.iter().cloned());
            let table = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![table.clone()]));
            expanded.push(SelectItem::QualifiedWildcard(table, options));
        }
    }
    select.projection = expanded;
}

/// Puts the joined values in the place of their columns; in the select itself, not in its subqueries.
struct Replace<'a> {
    joined: &'a HashMap<String, Expr>,
    depth: usize,
}

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(column) = expr
            && self.depth == 0
            && let Some(value) = self.joined.get(&column.value.to_lowercase())
        {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}
