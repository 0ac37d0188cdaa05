//! How Lake names the columns of a result: the alias, else the last part of the path in the case the query wrote it,
//! else `_colN` with the 0-based position.

use std::collections::HashMap;

use sqlparser::ast::{AccessExpr, Expr, Ident, SelectItem, SetExpr, Statement};

/// The name of what one item of the select list gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputName {
    /// An alias or the last part of a path, as written.
    Written(String),
    /// An expression: `_colN`, N its position in the result.
    Positional,
    /// `*` or `t.*`: any number of columns under their own names.
    Wildcard,
}

/// The names of the outermost select list; empty where the columns name themselves (`VALUES`, `TABLE`, `EXPLAIN`).
pub(crate) fn names(statement: &Statement, written: &HashMap<String, String>) -> Vec<OutputName> {
    let Statement::Query(query) = statement else {
        return Vec::new();
    };
    let mut body = &*query.body;
    loop {
        match body {
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(inner) => body = &inner.body,
            SetExpr::Select(select) => {
                return select.projection.iter().map(|item| name(item, written)).collect();
            }
            _ => return Vec::new(),
        }
    }
}

fn name(item: &SelectItem, written: &HashMap<String, String>) -> OutputName {
    let show = |ident: &Ident| {
        let name = if ident.quote_style.is_some() { written.get(&ident.value) } else { None };
        OutputName::Written(name.unwrap_or(&ident.value).clone())
    };
    match item {
        SelectItem::ExprWithAlias { alias, .. } => show(alias),
        SelectItem::UnnamedExpr(expr) => last_part(expr).map_or(OutputName::Positional, show),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => OutputName::Wildcard,
        SelectItem::ExprWithAliases { .. } => OutputName::Positional,
    }
}

/// The identifier that names a path expression.
pub(crate) fn last_part(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(ident))) => Some(ident),
            _ => None,
        },
        Expr::Nested(inner) => last_part(inner),
        _ => None,
    }
}
