//! `FETCH FIRST n ROWS WITH TIES`: the first rows and those that sort equal to the last of them.

use sqlparser::ast::{
    BinaryOperator, ExceptSelectItem, Expr, Ident, LimitClause, OrderBy, OrderByExpr, OrderByKind, OrderByOptions,
    Query, SelectItem, SetExpr, TableAlias, TableFactor, Value, WildcardAdditionalOptions, WindowSpec, WindowType,
};

use crate::error::{Error, Kind, Result};
use crate::grammar::{call, number};
use crate::rows::{no_query, query as plain, select};

/// `body ORDER BY keys OFFSET m FETCH FIRST n WITH TIES` → the rows of body whose number is above m and whose rank is at most m + n.
pub(crate) fn rank(query: &mut Query, n: Expr) -> Result<()> {
    let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = query.order_by.take() else {
        return Err(Error {
            kind: Kind::MissingOrderBy,
            position: None,
            message: "FETCH FIRST WITH TIES needs ORDER BY".into(),
        });
    };
    let offset = match query.limit_clause.take() {
        Some(LimitClause::LimitOffset { offset: Some(offset), .. }) => offset.value,
        _ => number(0),
    };
    let keys = keys.into_iter().map(|k| by_name(k, &query.body)).collect::<Result<Vec<_>>>()?;
    let window = |name: &str, alias: &str| {
        let mut f = call(name, vec![]);
        if let Expr::Function(f) = &mut f {
            let spec =
                WindowSpec { window_name: None, partition_by: vec![], order_by: keys.clone(), window_frame: None };
            f.over = Some(WindowType::WindowSpec(spec));
        }
        SelectItem::ExprWithAlias { expr: f, alias: Ident::with_quote('"', alias) }
    };
    let star = || SelectItem::Wildcard(WildcardAdditionalOptions::default());
    let derived = |subquery: Query, alias: &str| TableFactor::Derived {
        lateral: false,
        subquery: Box::new(subquery),
        alias: Some(TableAlias { explicit: true, name: Ident::with_quote('"', alias), columns: vec![], at: None }),
        sample: None,
    };
    let with = query.with.take();
    let body = std::mem::replace(&mut query.body, no_query().body);
    let ranked =
        select(vec![star(), window("rank", "$rank"), window("row_number", "$row")], derived(plain(*body), "$fetched"));
    let ranked = derived(plain(SetExpr::Select(Box::new(ranked))), "$ranked");
    let name = |n: &str| Expr::Identifier(Ident::with_quote('"', n));
    let compare = |left: Expr, op, right: Expr| Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
    let last = compare(offset.clone(), BinaryOperator::Plus, n);
    let after = compare(name("$row"), BinaryOperator::Gt, offset);
    let within = compare(name("$rank"), BinaryOperator::LtEq, last);
    let except = ExceptSelectItem {
        first_element: Ident::with_quote('"', "$rank"),
        additional_elements: vec![Ident::with_quote('"', "$row")],
    };
    let shown = WildcardAdditionalOptions { opt_except: Some(except), ..WildcardAdditionalOptions::default() };
    let mut outer = select(vec![SelectItem::Wildcard(shown)], ranked);
    outer.selection = Some(compare(after, BinaryOperator::And, within));
    query.with = with;
    query.body = Box::new(SetExpr::Select(Box::new(outer)));
    let order =
        OrderByExpr { expr: name("$row"), options: OrderByOptions { asc: None, nulls_first: None }, with_fill: None };
    query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(vec![order]), interpolate: None });
    Ok(())
}

/// A key that is a place in the select list as the name of the column there.
fn by_name(mut key: OrderByExpr, body: &SetExpr) -> Result<OrderByExpr> {
    let place = match &key.expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    if let (Some(place), SetExpr::Select(select)) = (place, body) {
        key.expr = match place.checked_sub(1).and_then(|i| select.projection.get(i)) {
            Some(SelectItem::ExprWithAlias { alias, .. }) => Expr::Identifier(alias.clone()),
            Some(SelectItem::UnnamedExpr(e @ Expr::Identifier(_))) => e.clone(),
            _ => return Err(Error::unsupported("WITH TIES ordered by that place")),
        };
    }
    Ok(key)
}
