//! Window functions in forms that the planner does not take: ordered aggregates, frames that hold no row.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    Ident, OrderByExpr, UnaryOperator, Value, ValueWithSpan, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowType,
};
use sqlparser::tokenizer::Span;

use crate::grammar::{call, case, lambda, number};
use crate::lower::{field, mark_lambda_call};

/// `array_agg(x ORDER BY k) OVER w`: the rows of the frame are gathered with their keys, sorted, and the keys dropped.
pub(crate) fn ordered_array(f: &Function) -> Option<Expr> {
    f.over.as_ref()?;
    let FunctionArguments::List(list) = &f.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] = list.args.as_slice() else { return None };
    let [FunctionArgumentClause::OrderBy(keys)] = list.clauses.as_slice() else { return None };
    if !f.name.to_string().eq_ignore_ascii_case("array_agg") || list.duplicate_treatment.is_some() {
        return None;
    }
    let parts = keys.iter().map(|k| k.expr.clone()).chain([value.clone()]).collect();
    let mut rows = f.clone();
    if let FunctionArguments::List(list) = &mut rows.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(call("struct", parts)))];
        list.clauses.clear();
    }
    let (x, y) = (Ident::new("x"), Ident::new("y"));
    let sorted = lambda_call(
        "array_sort",
        vec![Expr::Function(rows), lambda(vec![x.clone(), y.clone()], comparison(keys, &x, &y))],
    );
    let last = field(Expr::Identifier(x.clone()), &format!("c{}", keys.len()));
    Some(lambda_call("transform", vec![sorted, lambda(vec![x], last)]))
}

fn lambda_call(name: &str, args: Vec<Expr>) -> Expr {
    let mut e = call(name, args);
    if let Expr::Function(f) = &mut e {
        mark_lambda_call(f);
    }
    e
}

/// -1, 0 or 1: how rows `x` and `y` compare by the keys that are their first fields.
fn comparison(keys: &[OrderByExpr], x: &Ident, y: &Ident) -> Expr {
    let minus = || Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number("1")) };
    let mut branches = Vec::new();
    for (i, key) in keys.iter().enumerate() {
        let part = |row: &Ident| field(Expr::Identifier(row.clone()), &format!("c{i}"));
        let null = |row: &Ident| Box::new(Expr::IsNull(Box::new(part(row))));
        let present = |row: &Ident| Box::new(Expr::IsNotNull(Box::new(part(row))));
        let both = |left, right| Expr::BinaryOp { left, op: BinaryOperator::And, right };
        let compare = |op| Expr::BinaryOp { left: Box::new(part(x)), op, right: Box::new(part(y)) };
        let (first, last) =
            if key.options.nulls_first == Some(true) { (minus(), number("1")) } else { (number("1"), minus()) };
        let (less, more) = if key.options.asc == Some(false) { (number("1"), minus()) } else { (minus(), number("1")) };
        branches.push((both(null(x), present(y)), first));
        branches.push((both(present(x), null(y)), last));
        branches.push((compare(BinaryOperator::Lt), less));
        branches.push((compare(BinaryOperator::Gt), more));
    }
    let branches = branches.into_iter().map(|(condition, result)| CaseWhen { condition, result });
    case(None, branches.collect(), Some(number("0")))
}

/// A frame that ends before it begins (`ROWS BETWEEN 4 FOLLOWING AND 3 FOLLOWING`) holds no row: the aggregate of none.
pub(crate) fn empty_frame(f: &mut Function) {
    let Some(WindowType::WindowSpec(spec)) = &mut f.over else { return };
    let Some(WindowFrame { units: WindowFrameUnits::Rows | WindowFrameUnits::Groups, start_bound, end_bound }) =
        &spec.window_frame
    else {
        return;
    };
    let amount = |e: &Expr| match e {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse::<u64>().ok(),
            _ => None,
        },
        _ => None,
    };
    use WindowFrameBound::{Following, Preceding};
    let empty = match (start_bound, end_bound) {
        (Preceding(Some(a)), Some(Preceding(Some(b)))) => amount(a).zip(amount(b)).is_some_and(|(a, b)| a < b),
        (Following(Some(a)), Some(Following(Some(b)))) => amount(a).zip(amount(b)).is_some_and(|(a, b)| a > b),
        _ => false,
    };
    if empty {
        spec.window_frame = None;
        let never = Expr::Value(ValueWithSpan { value: Value::Boolean(false), span: Span::empty() });
        f.filter = Some(Box::new(never));
    }
}
