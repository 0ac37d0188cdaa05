//! From Trino's AST to one whose every form DataFusion's planner reads with Trino's meaning.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, DateTimeField, Expr, Fetch, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident, Interval, LimitClause, NamedWindowExpr, ObjectNamePart, OrderByKind, Query,
    Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, Subscript, TableFactor, UnaryOperator,
    Value, VisitMut, VisitorMut, WildcardAdditionalOptions, WindowFrame, WindowFrameBound, WindowType,
};

use crate::error::{Error, Result};
use crate::grammar::{call, cast, text};
use crate::output::last_part;
use crate::row_star::Aliases;
use crate::{order, relations, row_star, rows, scopes, ties, using, windows};

/// Rewrites `statement` in place.
///
/// `hidden`: columns that tables have and `*` must leave out. `row_aliases`: names of what stars over rows give.
pub(crate) fn lower(statement: &mut Statement, hidden: &[String], row_aliases: &Aliases) -> Result<()> {
    match statement.visit(&mut Lower {
        lambda_parameters: Vec::new(),
        hidden,
        row_aliases,
        named_queries: HashSet::new(),
        scopes: Vec::new(),
    }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The smallest bigint without its sign, which alone is no bigint.
const SMALLEST: &str = "9223372036854775808";

struct Lower<'a> {
    /// Parameters of the lambdas around the expression at hand, innermost last.
    lambda_parameters: Vec<Vec<String>>,
    hidden: &'a [String],
    row_aliases: &'a Aliases,
    /// Names that WITH has given to queries.
    named_queries: HashSet<String>,
    /// The tables of the queries around the one at hand whose columns are spelt out, innermost last.
    scopes: Vec<scopes::Scope>,
}

impl VisitorMut for Lower<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        rows::spread(expr);
        if let Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } = expr
            && matches!(&**inner, Expr::Value(v) if v.value == Value::Number(SMALLEST.to_owned(), false))
        {
            *expr = call("arrow_cast", vec![text(format!("-{SMALLEST}")), text("Int64")]);
        }
        if let Expr::Lambda(lambda) = expr {
            self.lambda_parameters.push(lambda.params.iter().map(|p| p.name.value.to_lowercase()).collect());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match self.expression(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => ControlFlow::Break(e),
        }
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let Some(with) = &query.with {
            self.named_queries.extend(with.cte_tables.iter().map(|t| t.alias.name.value.to_lowercase()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        for table in &mut select.from {
            if let Err(error) = relations::prepare(table) {
                return ControlFlow::Break(error);
            }
        }
        if let Err(error) = using::merge(select) {
            return ControlFlow::Break(error);
        }
        rows::expand_items(&mut select.projection);
        scopes::expand_outer(select, &self.scopes);
        self.scopes.push(scopes::columns(select));
        row_star::mark(select, &self.scopes, self.row_aliases);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.scopes.pop();
        if !self.hidden.is_empty() {
            self.hide_columns(select);
        }
        name_columns(select);
        for window in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
                restore_frame(spec.window_frame.as_mut());
            }
        }
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            for key in keys {
                restore_number(key);
                expand_sets(key);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let SetExpr::Values(values) = &mut *query.body {
            rows::spread_values(values);
        }
        if let Err(error) = order::resolve(query) {
            return ControlFlow::Break(error);
        }
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order.kind
        {
            keys.iter_mut().for_each(|k| restore_number(&mut k.expr));
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            limit.iter_mut().for_each(restore_number);
            offset.iter_mut().for_each(|o| restore_number(&mut o.value));
        }
        if let Some(Fetch { with_ties, quantity, .. }) = query.fetch.take() {
            let mut quantity = quantity.unwrap_or_else(|| crate::grammar::number("1"));
            restore_number(&mut quantity);
            if with_ties {
                return match ties::rank(query, quantity) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => ControlFlow::Break(error),
                };
            }
            match &mut query.limit_clause {
                Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(quantity),
                _ => {
                    query.limit_clause =
                        Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: vec![] });
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl Lower<'_> {
    fn expression(&mut self, expr: &mut Expr) -> Result<()> {
        let taken = std::mem::replace(expr, Expr::Tuple(Vec::new()));
        *expr = match taken {
            Expr::Value(v) => match v.value {
                Value::Number(digits, false) => number(&digits)?,
                Value::UnicodeStringLiteral(s) => text(s),
                value => Expr::Value(sqlparser::ast::ValueWithSpan { value, span: v.span }),
            },
            Expr::CompoundIdentifier(parts) if self.is_lambda_parameter(&parts[0]) => {
                let mut parts = parts.into_iter();
                let root = parts.next().map_or(Expr::Tuple(Vec::new()), Expr::Identifier);
                parts.fold(root, |e, part| field(e, &part.value.to_lowercase()))
            }
            Expr::CompoundFieldAccess { root, mut access_chain } => {
                let root = self.with_leading_names(*root, &mut access_chain);
                access_chain.into_iter().try_fold(root, |e, access| match access {
                    AccessExpr::Dot(Expr::Identifier(part)) => Ok(field(e, &part.value.to_lowercase())),
                    AccessExpr::Subscript(Subscript::Index { mut index }) => {
                        restore_number(&mut index);
                        Ok(call("$subscript", vec![e, index]))
                    }
                    other => Err(Error::unsupported(format!("access {other}"))),
                })?
            }
            // The planner's own array literal does not see the parameters of lambdas around it.
            Expr::Array(array) => call("make_array", array.elem),
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => call("concat", vec![*left, *right]),
            Expr::Tuple(values) => call("struct", values),
            Expr::Function(mut f) => {
                if let Some(WindowType::WindowSpec(spec)) = &mut f.over {
                    restore_frame(spec.window_frame.as_mut());
                }
                plain_arguments(&mut f);
                windows::empty_frame(&mut f);
                match windows::ordered_array(&f).or_else(|| reduce_aggregate(&f)) {
                    Some(reduced) => reduced,
                    None => {
                        mark_lambda_call(&mut f);
                        Expr::Function(f)
                    }
                }
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match negated_interval(&expr) {
                Some(interval) => interval,
                None => Expr::UnaryOp { op: UnaryOperator::Minus, expr },
            },
            Expr::Lambda(lambda) => {
                self.lambda_parameters.pop();
                Expr::Lambda(lambda)
            }
            other => other,
        };
        Ok(())
    }

    /// `t.requestParameters` of `t.requestParameters['key']`: which of the names is a table's and which a column's, the planner tells.
    fn with_leading_names(&self, root: Expr, access_chain: &mut Vec<AccessExpr>) -> Expr {
        let Expr::Identifier(first) = root else { return root };
        let names = access_chain.iter().map_while(|access| match access {
            AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
            _ => None,
        });
        let parts: Vec<Ident> = std::iter::once(first.clone()).chain(names).collect();
        if parts.len() == 1 || self.is_lambda_parameter(&first) {
            return Expr::Identifier(first);
        }
        access_chain.drain(..parts.len() - 1);
        Expr::CompoundIdentifier(parts)
    }

    /// Takes the hidden columns out of `*` and `t.*` where they stand for a table's columns.
    fn hide_columns(&self, select: &mut Select) {
        let tables: Vec<(String, bool)> = select
            .from
            .iter()
            .flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)))
            .filter_map(|t| match t {
                TableFactor::Table { name, alias, .. } => {
                    let table = name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase())?;
                    let stored = !self.named_queries.contains(&table);
                    Some((alias.as_ref().map_or(table, |a| a.name.value.to_lowercase()), stored))
                }
                _ => None,
            })
            .collect();
        let hide = |options: &mut WildcardAdditionalOptions| {
            scopes::except(options, self.hidden.iter().map(|n| Ident::with_quote('"', n)));
        };
        let stored = tables.iter().filter(|(_, stored)| *stored).count();
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) if stored == 1 => hide(options),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    let name = name.to_string().to_lowercase();
                    if tables.iter().any(|(table, stored)| *stored && *table == name.trim_matches('"')) {
                        hide(options);
                    }
                }
                _ => {}
            }
        }
    }

    fn is_lambda_parameter(&self, ident: &Ident) -> bool {
        let name = ident.value.to_lowercase();
        self.lambda_parameters.iter().any(|scope| scope.contains(&name))
    }
}

/// The field `name` (folded) of a row, or the value of that key of a map.
#[must_use]
pub fn field(e: Expr, name: &str) -> Expr {
    call("get_field", vec![e, text(name)])
}

/// Trino's types of number literals: integer, else bigint; decimal with a point; double with an exponent.
fn number(digits: &str) -> Result<Expr> {
    let plain = digits.replace('_', "");
    let of = |data_type| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(crate::grammar::number(plain.as_str())),
        data_type,
        array: false,
        format: None,
    };
    if plain.contains(['e', 'E']) {
        let mut e = of(DataType::Double(sqlparser::ast::ExactNumberInfo::None));
        if let Expr::Cast { expr, .. } = &mut e {
            **expr = text(plain.as_str());
        }
        return Ok(e);
    }
    if plain.contains('.') {
        let digits = plain.trim_start_matches('0');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let precision = (whole.len() + fraction.len()).max(1);
        return Ok(cast("$cast", text(plain.as_str()), &format!("decimal({precision}, {})", fraction.len())));
    }
    match plain.parse::<i64>() {
        Ok(n) if i32::try_from(n).is_ok() => Ok(of(DataType::Int(None))),
        Ok(_) => Ok(of(DataType::BigInt(None))),
        Err(_) => Err(Error {
            kind: crate::Kind::InvalidLiteral,
            position: None,
            message: format!("Invalid numeric literal: {plain}"),
        }),
    }
}

/// `reduce_agg(x, start, input, combine)`: an aggregate cannot take lambdas, a function of its values can.
fn reduce_aggregate(f: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &f.args else { return None };
    let [value, start, input, _combine] = list.args.as_slice() else { return None };
    if !f.name.to_string().eq_ignore_ascii_case("reduce_agg") {
        return None;
    }
    let inner = |a: &FunctionArg| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    };
    let value = inner(value)?;
    let present = Expr::IsNotNull(Box::new(value.clone()));
    let mut values = call("array_agg", vec![value]);
    if let Expr::Function(values) = &mut values {
        values.over = f.over.clone();
        values.filter = Some(Box::new(match f.filter.clone() {
            Some(filter) => Expr::BinaryOp { left: filter, op: BinaryOperator::And, right: Box::new(present) },
            None => present,
        }));
    }
    let same = crate::grammar::identity();
    let mut reduced = call("reduce", vec![values, inner(start)?, inner(input)?, same]);
    if let Expr::Function(reduced) = &mut reduced {
        mark_lambda_call(reduced);
    }
    Some(reduced)
}

/// A function with a lambda is another one than its namesake without: its name gets [`LAMBDA_CALL`] in front.
pub(crate) fn mark_lambda_call(f: &mut Function) {
    let FunctionArguments::List(list) = &f.args else { return };
    let lambda = |a: &FunctionArg| matches!(a, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Lambda(_))));
    if list.args.iter().any(lambda)
        && let Some(ObjectNamePart::Identifier(name)) = f.name.0.last_mut()
    {
        let span = name.span;
        *name = Ident::with_quote('"', format!("{LAMBDA_CALL}{}", name.value.to_lowercase()));
        name.span = span;
    }
}

/// What the names of functions that are called with lambdas begin with.
pub const LAMBDA_CALL: &str = "->";

/// `- INTERVAL '3' SECOND`.
fn negated_interval(e: &Expr) -> Option<Expr> {
    let Expr::Function(f) = e else { return None };
    let FunctionArguments::List(list) = &f.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { expr, .. })), _] = list.args.as_slice() else {
        return None;
    };
    let Expr::Value(v) = &**expr else { return None };
    let Value::SingleQuotedString(s) = &v.value else { return None };
    if f.name.to_string() != "arrow_cast" {
        return None;
    }
    let opposite = s.strip_prefix('-').map_or_else(|| format!("-{s}"), str::to_owned);
    let mut f = f.clone();
    if let FunctionArguments::List(list) = &mut f.args
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { expr, .. }))) = list.args.first_mut()
    {
        **expr = text(opposite);
    }
    Some(Expr::Function(f))
}

/// The amounts of a frame's bounds as the planner reads them: numbers as numbers, intervals as text with a unit.
fn restore_frame(frame: Option<&mut WindowFrame>) {
    let Some(frame) = frame else { return };
    for bound in std::iter::once(&mut frame.start_bound).chain(frame.end_bound.as_mut()) {
        if let WindowFrameBound::Preceding(Some(n)) | WindowFrameBound::Following(Some(n)) = bound {
            restore_number(n);
            let plain = match &**n {
                Expr::Function(f) => constant_argument(f),
                _ => None,
            };
            if let Some((name, value, second)) = plain {
                match (name.as_str(), second.as_str()) {
                    ("arrow_cast", "Interval(YearMonth)") => **n = interval(&value, DateTimeField::Month),
                    ("arrow_cast", "Duration(Millisecond)") => **n = interval(&value, DateTimeField::Millisecond),
                    ("\"$cast\"", to)
                        if ["decimal", "double", "real", "bigint", "integer", "smallint", "tinyint"]
                            .iter()
                            .any(|t| to.starts_with(t)) =>
                    {
                        **n = crate::grammar::number(value);
                    }
                    _ => {}
                }
            }
        }
    }
}

fn interval(value: &str, unit: DateTimeField) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(text(value)),
        leading_field: Some(unit),
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// `name(constant, 'text')`, the constant perhaps in a cast.
fn constant_argument(f: &Function) -> Option<(String, String, String)> {
    let FunctionArguments::List(list) = &f.args else { return None };
    let string = |e: &Expr| match e {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(s) => Some(s.clone()),
            _ => None,
        },
        _ => None,
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(first)), FunctionArg::Unnamed(FunctionArgExpr::Expr(second))] => {
            let first = match first {
                Expr::Cast { expr, .. } => string(expr),
                other => string(other),
            };
            Some((f.name.to_string(), first?, string(second)?))
        }
        _ => None,
    }
}

/// ROLLUP and CUBE of composite sets, `ROLLUP (a, (b, c))`, as the grouping sets that they stand for.
fn expand_sets(key: &mut Expr) {
    let sets: Vec<Vec<Expr>> = match key {
        Expr::Rollup(parts) if parts.iter().any(|p| p.len() != 1) => {
            (0..=parts.len()).rev().map(|n| parts[..n].concat()).collect()
        }
        Expr::Cube(parts) if parts.iter().any(|p| p.len() != 1) && parts.len() < 16 => (0..1usize << parts.len())
            .map(|bits| {
                let chosen = parts.iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0);
                chosen.flat_map(|(_, p)| p.clone()).collect()
            })
            .collect(),
        _ => return,
    };
    *key = Expr::GroupingSets(sets);
}

/// Undoes [`number`] where the planner wants to see the literal: ordinals, limits, frames.
fn restore_number(expr: &mut Expr) {
    if let Expr::Cast { expr: inner, data_type: DataType::Int(None) | DataType::BigInt(None), .. } = expr
        && let Expr::Value(v) = &**inner
        && matches!(v.value, Value::Number(..))
    {
        *expr = (**inner).clone();
    }
}

/// Calls that the planner would read its own way: `map` is not its map constructor, and a precision is a constant.
fn plain_arguments(f: &mut sqlparser::ast::Function) {
    let name = f.name.to_string().to_lowercase();
    if name == "map" {
        f.name = sqlparser::ast::ObjectName::from(vec![Ident::with_quote('"', "$map")]);
    } else if matches!(name.as_str(), "current_timestamp" | "localtimestamp" | "current_time" | "localtime")
        && let FunctionArguments::List(list) = &mut f.args
    {
        for argument in &mut list.args {
            if let sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(e)) = argument {
                restore_number(e);
            }
        }
    }
}

/// Gives every item of a select list a name, and no name twice: the planner wants both, Trino neither.
fn name_columns(select: &mut Select) {
    let mut seen = HashSet::new();
    for (i, item) in select.projection.iter_mut().enumerate() {
        let name = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.to_lowercase(),
            SelectItem::UnnamedExpr(e) => last_part(e)
                .map_or_else(|| call_name(e).unwrap_or_else(|| format!("_col{i}")), |ident| ident.value.to_lowercase()),
            _ => continue,
        };
        let mut unique = name.clone();
        let mut n = 1;
        while !seen.insert(unique.clone()) {
            n += 1;
            unique = format!("{name}:{n}");
        }
        let alias = Ident::with_quote('"', unique.clone());
        match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) if ident.value.to_lowercase() == unique => {}
            SelectItem::UnnamedExpr(e) => {
                let expr = std::mem::replace(e, Expr::Tuple(Vec::new()));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
            SelectItem::ExprWithAlias { alias: old, .. } if old.value != unique => *old = alias,
            _ => {}
        }
    }
}

/// Gives every item that stands beside a star a name that no table's column has.
pub(crate) fn unique_names(statement: &mut Statement) {
    struct Unique;
    impl VisitorMut for Unique {
        type Break = ();
        fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            let star = |i: &SelectItem| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
            if select.projection.iter().any(star) {
                for (i, item) in select.projection.iter_mut().enumerate() {
                    let name = |name: &str| Ident::with_quote('"', format!("{}:{i}", name.to_lowercase()));
                    match item {
                        SelectItem::UnnamedExpr(e) => {
                            let alias = last_part(e).map_or_else(|| name("_col"), |n| name(&n.value));
                            let expr = std::mem::replace(e, Expr::Tuple(Vec::new()));
                            *item = SelectItem::ExprWithAlias { expr, alias };
                        }
                        SelectItem::ExprWithAlias { alias, .. } => *alias = name(&alias.value),
                        _ => {}
                    }
                }
            }
            ControlFlow::Continue(())
        }
    }
    let _ = statement.visit(&mut Unique);
}

/// The last part of a path that lowering has turned into calls.
fn call_name(expr: &Expr) -> Option<String> {
    let Expr::Function(f) = expr else { return None };
    if f.name.to_string() != "get_field" {
        return None;
    }
    let FunctionArguments::List(list) = &f.args else {
        return None;
    };
    match list.args.last() {
        Some(sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(Expr::Value(v)))) => {
            match &v.value {
                Value::SingleQuotedString(s) => Some(s.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The amount of an interval literal: milliseconds, or months (then `true`). None where the text does not fit the units.
pub(crate) fn interval_amount(value: &str, from: &str, to: Option<&str>) -> Option<(i64, bool)> {
    let value = value.trim();
    let (sign, value) = match value.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    if matches!(from, "year" | "month") {
        let months = match (from, to) {
            ("year", Some("month")) => match value.split_once('-') {
                Some((y, m)) => y.parse::<i64>().ok()?.checked_mul(12)?.checked_add(m.parse().ok()?)?,
                None => value.parse::<i64>().ok()?.checked_mul(12)?,
            },
            ("year", None | Some("year")) => value.parse::<i64>().ok()?.checked_mul(12)?,
            ("month", None | Some("month")) => value.parse::<i64>().ok()?,
            _ => return None,
        };
        return Some((sign * months, true));
    }
    const UNITS: [(&str, i64); 5] =
        [("week", 604_800_000), ("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)];
    let first = UNITS.iter().position(|u| u.0 == from)?;
    let last = UNITS.iter().position(|u| u.0 == to.unwrap_or(from))?;
    let mut total = 0i64;
    let mut unit = first;
    for part in value.split([' ', ':']).filter(|p| !p.is_empty()) {
        if unit > last {
            return None;
        }
        let (whole, fraction) = match part.split_once('.') {
            Some((w, f)) if unit == 4 => (w, f),
            Some(_) => return None,
            None => (part, ""),
        };
        let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
        total = total.checked_add(whole.checked_mul(UNITS[unit].1)?)?;
        if !fraction.is_empty() {
            let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
            total += digits.parse::<i64>().ok()?;
        }
        unit += 1;
    }
    if unit == first { None } else { Some((sign * total, false)) }
}
