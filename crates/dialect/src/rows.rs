//! Rows where Trino takes them: compared with the rows of a subquery, spread to columns, of a scalar subquery.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Value,
    Values,
};

use crate::grammar::{call, number};

/// Subqueries of several columns, where one value is wanted, give rows.
pub(crate) fn spread(expr: &mut Expr) {
    match expr {
        Expr::InSubquery { expr, subquery, .. } => {
            if let Some(n) = arity(expr) {
                wrap(subquery, n);
            }
        }
        Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
            if let (Some(n), Expr::Subquery(subquery)) = (arity(left), &mut **right) {
                wrap(subquery, n);
            }
        }
        Expr::Subquery(subquery) => {
            if let Some(n) = columns(&subquery.body).filter(|n| *n > 1) {
                wrap(subquery, n);
            }
        }
        _ => {}
    }
}

fn arity(e: &Expr) -> Option<usize> {
    match e {
        Expr::Tuple(values) => Some(values.len()),
        Expr::Nested(inner) => arity(inner),
        _ => None,
    }
}

/// How many columns a query has, where the text tells.
fn columns(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let plain = |i: &SelectItem| matches!(i, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(plain).then_some(select.projection.len())
        }
        SetExpr::Values(values) => values.rows.first().map(|r| r.content.len()),
        SetExpr::Query(q) => columns(&q.body),
        SetExpr::SetOperation { left, .. } => columns(left),
        _ => None,
    }
}

/// `query` → `SELECT ROW(c0, c1) FROM (query) AS q(c0, c1)`.
fn wrap(query: &mut Box<Query>, n: usize) {
    if columns(&query.body).is_some_and(|c| c != n) {
        return;
    }
    let name = |i: usize| Ident::with_quote('"', format!("$c{i}"));
    let inner = std::mem::replace(&mut **query, no_query());
    let alias = TableAlias {
        explicit: true,
        name: Ident::with_quote('"', "$rows"),
        columns: (0..n).map(|i| TableAliasColumnDef { name: name(i), data_type: None }).collect(),
        at: None,
    };
    let row = Expr::Tuple((0..n).map(|i| Expr::Identifier(name(i))).collect());
    *query.body = SetExpr::Select(Box::new(select(
        vec![SelectItem::UnnamedExpr(row)],
        TableFactor::Derived { lateral: false, subquery: Box::new(inner), alias: Some(alias), sample: None },
    )));
}

/// A query without rows, to be replaced.
pub(crate) fn no_query() -> Query {
    let values = Values { explicit_row: false, value_keyword: true, rows: vec![] };
    query(SetExpr::Values(values))
}

/// A query that is `body` and nothing else.
#[must_use]
pub fn query(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}

/// `SELECT items FROM relation`.
pub(crate) fn select(projection: Vec<SelectItem>, relation: TableFactor) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation, joins: vec![] }],
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: sqlparser::ast::GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// A value of a row type stands in VALUES for a row of the table, unless it is wrapped in ROW itself.
pub(crate) fn spread_values(values: &mut Values) {
    let widths: Vec<usize> = values.rows.iter().map(|r| r.content.len()).collect();
    for row in &mut values.rows {
        let [only] = row.content.as_slice() else { continue };
        let Some(n) = row_cast(only) else { continue };
        if !values.explicit_row || widths.contains(&n) && n > 1 {
            let only = only.clone();
            row.content = (1..=n).map(|i| call("$subscript", vec![only.clone(), number(i.to_string())])).collect();
        }
    }
}

/// How many fields a cast to a row type gives.
fn row_cast(e: &Expr) -> Option<usize> {
    let Expr::Function(f) = e else { return None };
    let FunctionArguments::List(list) = &f.args else { return None };
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(to)))] = list.args.as_slice() else { return None };
    let Value::SingleQuotedString(to) = &to.value else { return None };
    let fields = to.strip_prefix("row(")?.strip_suffix(')')?;
    if f.name.to_string() != "\"$cast\"" {
        return None;
    }
    let mut depth = 0;
    let separators = fields.chars().filter(|c| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        *c == ',' && depth == 0
    });
    Some(separators.count() + 1)
}

/// `(x, y).*`: the fields of a row that the text spells out, as items of their own.
pub(crate) fn expand_items(items: &mut Vec<SelectItem>) {
    let spelt = |item: &SelectItem| matches!(item, SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(e), _) if arity(e).is_some());
    if !items.iter().any(spelt) {
        return;
    }
    let mut expanded = Vec::new();
    for item in items.drain(..) {
        match item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(e), options) => match fields(e) {
                Ok(values) => expanded.extend(values.into_iter().map(SelectItem::UnnamedExpr)),
                Err(e) => {
                    expanded.push(SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(*e), options));
                }
            },
            other => expanded.push(other),
        }
    }
    *items = expanded;
}

fn fields(e: Expr) -> Result<Vec<Expr>, Box<Expr>> {
    match e {
        Expr::Tuple(values) => Ok(values),
        Expr::Nested(inner) => fields(*inner),
        other => Err(Box::new(other)),
    }
}
