//! ORDER BY, where Trino looks at the select list by meaning and the planner by text.

use sqlparser::ast::{Distinct, Expr, Ident, OrderByKind, Query, SelectItem, SetExpr, visit_expressions_mut};

use crate::error::{Error, Kind, Result};
use crate::grammar::number;

/// Replaces what a DISTINCT query sorts by with its place in the select list, and refuses a name that two items have.
pub(crate) fn resolve(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = &*query.body else { return Ok(()) };
    let Some(order) = &mut query.order_by else { return Ok(()) };
    let OrderByKind::Expressions(keys) = &mut order.kind else { return Ok(()) };
    let distinct = matches!(select.distinct, Some(Distinct::Distinct));
    for key in keys {
        if let Expr::Identifier(name) = &key.expr {
            let same = |item: &&SelectItem| item_name(item).is_some_and(|n| n == name.value.to_lowercase());
            let mut found = select.projection.iter().filter(same);
            if let (Some(first), Some(second)) = (found.next(), found.next())
                && meaning(first) != meaning(second)
            {
                return Err(Error {
                    kind: Kind::AmbiguousName,
                    position: Some(name.span.start.into()),
                    message: format!("Column '{}' is ambiguous", name.value),
                });
            }
            continue;
        }
        if !distinct {
            continue;
        }
        let wanted = plain(&key.expr);
        let at = select.projection.iter().position(|item| meaning(item).is_some_and(|e| e == wanted));
        let counted = select.projection.iter().all(|i| meaning(i).is_some());
        if let (Some(at), true) = (at, counted) {
            key.expr = number((at + 1).to_string());
        }
    }
    Ok(())
}

/// The written name of an item: lowering has made the second `a` of a list `a:2`.
fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => {
            Some(alias.value.split(':').next().unwrap_or_default().to_lowercase())
        }
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.value.to_lowercase()),
        _ => None,
    }
}

fn meaning(item: &SelectItem) -> Option<Expr> {
    match item {
        SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) => Some(plain(expr)),
        _ => None,
    }
}

/// Without case, qualifiers and parentheses.
fn plain(e: &Expr) -> Expr {
    let mut e = e.clone();
    let _ = visit_expressions_mut(&mut e, |e| {
        while let Expr::Nested(inner) = e {
            *e = (**inner).clone();
        }
        match e {
            Expr::CompoundIdentifier(parts) => {
                if let Some(last) = parts.last() {
                    *e = Expr::Identifier(Ident::new(last.value.to_lowercase()));
                }
            }
            Expr::Identifier(ident) => *ident = Ident::new(ident.value.to_lowercase()),
            _ => {}
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    e
}
