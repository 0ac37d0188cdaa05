//! Where Lake compares what Trino would not, and where a comparison must stay one with a constant.
//!
//! * text with a timestamp: the text is parsed ([`crate::instant`]);
//! * a timestamp with one that has a zone: as UTC, on the constant's side, so that files are still pruned;
//! * a floating-point number in BETWEEN or IN, and a row in BETWEEN: as its `<=` and `=`, which are ours ([`crate::operators`]);
//! * a row in a list of rows: field by field;
//! * text with `true` or `false` (`sessionCredentialFromConsole = true`): as text;
//! * `LIKE` on a map: on its JSON text;
//! * times in one query of a union and text in another: all as text.
//!
//! Text constants among arguments become views, the one form that functions take: a constant that had to be cast would be
//! none for functions that must know it while they are planned.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use cloudtarn_functions::types::is_row;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable, Like, LogicalPlan, Operator, Projection, ScalarUDF, Union, Values,
    Volatility, WindowFrameBound, WindowFrameUnits, cast, lit, not,
};

use crate::instant::{Instant, Rounding};
use crate::operators::written_fields;

/// Rows in a list that are looked for field by field.
const MOST_ROWS: usize = 64;

/// The functions that comparisons are rewritten with.
pub(crate) struct Coercion {
    floor: Arc<ScalarUDF>,
    ceil: Arc<ScalarUDF>,
    exact: Arc<ScalarUDF>,
    lenient: Arc<ScalarUDF>,
    equal: Option<Arc<ScalarUDF>>,
    at_most: Option<Arc<ScalarUDF>>,
    cast: Option<Arc<ScalarUDF>>,
    json_format: Option<Arc<ScalarUDF>>,
}

impl Coercion {
    pub(crate) fn new(state: &SessionState) -> Self {
        let instant = |r| Arc::new(ScalarUDF::from(Instant::new(r)));
        let function = |name| state.scalar_functions().get(name).cloned();
        Self {
            floor: instant(Rounding::Floor),
            ceil: instant(Rounding::Ceil),
            exact: instant(Rounding::Exact),
            lenient: instant(Rounding::Try),
            equal: function("$equal"),
            at_most: function("$less_than_or_equal"),
            cast: function("$cast"),
            json_format: function("json_format"),
        }
    }

    /// Rewrites every comparison of `plan`.
    pub(crate) fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let done = plan.transform_up_with_subqueries(|node| {
            let inputs = node.inputs();
            let schema = match inputs.as_slice() {
                [] => Arc::clone(node.schema()),
                inputs => Arc::new(merge_schema(inputs)),
            };
            let node = node.map_expressions(|e| {
                let named = e.name_for_alias();
                let new = e.transform_up(|e| self.expression(e, &schema))?;
                if !new.transformed {
                    return Ok(new);
                }
                Ok(Transformed::yes(match (named, &new.data) {
                    (Ok(name), data) if data.name_for_alias().is_ok_and(|n| n != name) => new.data.alias(name),
                    _ => new.data,
                }))
            })?;
            // Text may have become text views, here or below.
            node.map_data(|node| match node {
                LogicalPlan::Values(values) => same_types(values),
                LogicalPlan::Union(union) => self.texts_with_times(union)?.recompute_schema(),
                node => node.recompute_schema(),
            })
        })?;
        Ok(done.data)
    }

    fn expression(&self, e: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        match e {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                let (Ok(l), Ok(r)) = (left.get_type(schema), right.get_type(schema)) else {
                    return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
                };
                let pair = |left, right| Expr::BinaryExpr(BinaryExpr { left, op, right });
                if let Some(new) = self.side(&l, &right, &r, op) {
                    return Ok(Transformed::yes(pair(left, Box::new(new))));
                }
                if let Some(new) = op.swap().and_then(|op| self.side(&r, &left, &l, op)) {
                    return Ok(Transformed::yes(pair(Box::new(new), right)));
                }
                Ok(Transformed::no(pair(left, right)))
            }
            Expr::Between(b) => {
                let (Ok(of), Ok(low), Ok(high)) =
                    (b.expr.get_type(schema), b.low.get_type(schema), b.high.get_type(schema))
                else {
                    return Ok(Transformed::no(Expr::Between(b)));
                };
                if let Some(at_most) = &self.at_most
                    && [&of, &low, &high].into_iter().any(|t| t.is_floating() || is_row(t))
                    && !b.expr.is_volatile()
                {
                    let within = at_most.call(vec![*b.low, *b.expr.clone()]).and(at_most.call(vec![*b.expr, *b.high]));
                    return Ok(Transformed::yes(if b.negated { not(within) } else { within }));
                }
                let low = self.side(&of, &b.low, &low, Operator::GtEq);
                let high = self.side(&of, &b.high, &high, Operator::LtEq);
                if low.is_none() && high.is_none() {
                    return Ok(Transformed::no(Expr::Between(b)));
                }
                let low = low.map_or(b.low, Box::new);
                let high = high.map_or(b.high, Box::new);
                Ok(Transformed::yes(Expr::Between(Between { low, high, ..b })))
            }
            Expr::InList(list) => {
                let Ok(of) = list.expr.get_type(schema) else { return Ok(Transformed::no(Expr::InList(list))) };
                if let Some(equal) = &self.equal
                    && of.is_floating()
                    && !list.expr.is_volatile()
                {
                    let one = |item| equal.call(vec![*list.expr.clone(), item]);
                    let Some(any) = list.list.into_iter().map(one).reduce(Expr::or) else {
                        return Ok(Transformed::yes(lit(list.negated)));
                    };
                    return Ok(Transformed::yes(if list.negated { not(any) } else { any }));
                }
                if let Some(new) = self.row_in(&list, schema)? {
                    return Ok(Transformed::yes(new));
                }
                let mut any = false;
                let items = list.list.into_iter().map(|item| {
                    let Ok(t) = item.get_type(schema) else { return item };
                    match self.side(&of, &item, &t, Operator::Eq) {
                        Some(new) => {
                            any = true;
                            new
                        }
                        None => item,
                    }
                });
                let items: Vec<Expr> = items.collect();
                Ok(Transformed::new_transformed(Expr::InList(InList { list: items, ..list }), any))
            }
            Expr::Like(like) => {
                let Ok(of @ (DataType::Map(..) | DataType::Struct(_) | DataType::List(_))) = like.expr.get_type(schema)
                else {
                    return Ok(Transformed::no(Expr::Like(like)));
                };
                let Some(text) = self.json_text(&like.expr, &of) else { return Ok(Transformed::no(Expr::Like(like))) };
                Ok(Transformed::yes(Expr::Like(Like { expr: Box::new(text), ..like })))
            }
            Expr::ScalarFunction(mut f)
                if !matches!(f.name(), "get_field" | "arrow_cast" | "named_struct" | "make_array" | "struct") =>
            {
                let mut any = false;
                for argument in &mut f.args {
                    if let Expr::Literal(ScalarValue::Utf8(text), _) = argument {
                        any = true;
                        *argument = lit(ScalarValue::Utf8View(text.take()));
                    }
                }
                Ok(Transformed::new_transformed(Expr::ScalarFunction(f), any))
            }
            Expr::WindowFunction(mut w) => {
                let whole = w
                    .params
                    .order_by
                    .first()
                    .and_then(|s| s.expr.get_type(schema).ok())
                    .is_some_and(|t| t.is_integer());
                let frame = &mut w.params.window_frame;
                if !whole || frame.units != WindowFrameUnits::Range {
                    return Ok(Transformed::no(Expr::WindowFunction(w)));
                }
                let start = whole_bound(&mut frame.start_bound, true);
                let end = whole_bound(&mut frame.end_bound, false);
                Ok(Transformed::new_transformed(Expr::WindowFunction(w), start || end))
            }
            e => Ok(Transformed::no(e)),
        }
    }

    /// `(a, b) IN ((1, 2), (3, 4))` as what its fields must be: each in a list of its own, of which columns have statistics, and
    /// together as in one of the rows. A row that is neither in the list nor surely not is neither in theirs.
    fn row_in(&self, list: &InList, schema: &DFSchema) -> Result<Option<Expr>> {
        let Some(row) = written_fields(&list.expr) else { return Ok(None) };
        let items: Vec<&[Expr]> = list.list.iter().map_while(written_fields).collect();
        if list.list.len() > MOST_ROWS
            || items.len() < list.list.len()
            || items.iter().any(|item| item.len() != row.len())
            || list.expr.is_volatile()
        {
            return Ok(None);
        }
        let equal = |(field, value): (&Expr, &Expr)| {
            let floating = [field, value].iter().any(|e| e.get_type(schema).is_ok_and(|t| t.is_floating()));
            let nested = field.get_type(schema).is_ok_and(|t| t.is_nested());
            match &self.equal {
                Some(equal) if floating || nested => Ok(equal.call(vec![field.clone(), value.clone()])),
                _ => Ok::<_, DataFusionError>(self.expression(field.clone().eq(value.clone()), schema)?.data),
            }
        };
        let rows = items.iter().map(|item| {
            let fields = row.iter().zip(*item).map(equal).collect::<Result<Vec<_>>>()?;
            Ok(fields.into_iter().reduce(Expr::and))
        });
        let Some(mut new) =
            rows.collect::<Result<Option<Vec<_>>>>()?.and_then(|rows| rows.into_iter().reduce(Expr::or))
        else {
            return Ok(None);
        };
        for (index, field) in row.iter().enumerate().rev().filter(|_| items.len() > 1) {
            if !field.get_type(schema).is_ok_and(|t| t.is_nested()) {
                let values = items.iter().map(|item| item[index].clone()).collect();
                let among = Expr::InList(InList { expr: Box::new(field.clone()), list: values, negated: false });
                new = self.expression(among, schema)?.data.and(new);
            }
        }
        Ok(Some(if list.negated { not(new) } else { new }))
    }

    /// What `side` of type `of` becomes when a value of type `left` is compared with it by `op`; None: as it is.
    fn side(&self, left: &DataType, side: &Expr, of: &DataType, op: Operator) -> Option<Expr> {
        match (left, of) {
            (DataType::Timestamp(_, None), DataType::Timestamp(_, Some(_))) => Some(self.instant(side, op)),
            (DataType::Timestamp(_, _), t) if is_text(t) => Some(self.instant(side, op)),
            (t, DataType::Boolean) if is_text(t) => match side {
                Expr::Literal(ScalarValue::Boolean(Some(b)), _) => {
                    Some(lit(ScalarValue::Utf8View(Some(b.to_string()))))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn instant(&self, side: &Expr, op: Operator) -> Expr {
        let function = if !is_constant(side) {
            &self.lenient
        } else {
            match op {
                Operator::Lt | Operator::GtEq => &self.ceil,
                Operator::Eq => &self.exact,
                _ => &self.floor,
            }
        };
        function.call(vec![side.clone()])
    }

    /// Columns of a union that are times in one query and text in another are text, as Lake takes them; Trino would refuse.
    fn texts_with_times(&self, mut union: Union) -> Result<LogicalPlan> {
        let Some(cast) = &self.cast else { return Ok(LogicalPlan::Union(union)) };
        let columns = union.inputs.first().map_or(0, |input| input.schema().fields().len());
        let mixed: Vec<usize> = (0..columns)
            .filter(|column| {
                let fields = || union.inputs.iter().filter_map(|input| input.schema().fields().get(*column));
                fields().any(|f| is_text(f.data_type()))
                    && fields().any(|f| matches!(f.data_type(), DataType::Timestamp(..)))
            })
            .collect();
        if mixed.is_empty() {
            return Ok(LogicalPlan::Union(union));
        }
        for input in &mut union.inputs {
            let columns = input.schema().iter().enumerate().map(|(index, (qualifier, field))| {
                let column = Expr::Column(Column::from((qualifier, field)));
                if !mixed.contains(&index) || is_text(field.data_type()) {
                    return column;
                }
                let varchar = lit(ScalarValue::Utf8View(Some("varchar".to_owned())));
                cast.call(vec![column, varchar]).alias_qualified(qualifier.cloned(), field.name())
            });
            let columns: Vec<Expr> = columns.collect();
            *input = Arc::new(LogicalPlan::Projection(Projection::try_new(columns, Arc::clone(input))?));
        }
        Ok(LogicalPlan::Union(Union::try_new_with_loose_types(union.inputs)?))
    }

    fn json_text(&self, e: &Expr, of: &DataType) -> Option<Expr> {
        if crate::unnest::is_scalar(of) {
            return None;
        }
        let (cast, format) = (self.cast.as_ref()?, self.json_format.as_ref()?);
        Some(format.call(vec![cast.call(vec![e.clone(), lit(ScalarValue::Utf8View(Some("json".to_owned())))])]))
    }
}

/// The cells of VALUES in the types that its columns have.
fn same_types(values: Values) -> Result<LogicalPlan> {
    let empty = DFSchema::empty();
    let fields = values.schema.fields().clone();
    let cell = |(e, field): (Expr, &FieldRef)| {
        let as_planned = e.get_type(&empty)? == *field.data_type();
        Ok(if as_planned { e } else { cast(e, field.data_type().clone()) })
    };
    let rows = values.values.into_iter().map(|row| row.into_iter().zip(&fields).map(cell).collect::<Result<Vec<_>>>());
    Ok(LogicalPlan::Values(Values { schema: values.schema, values: rows.collect::<Result<_>>()? }))
}

/// A fraction in a frame over integers (`RANGE 1.5 PRECEDING`) as the integer that bounds the same rows.
fn whole_bound(bound: &mut WindowFrameBound, start: bool) -> bool {
    let (amount, preceding) = match bound {
        WindowFrameBound::Preceding(amount) => (amount, true),
        WindowFrameBound::Following(amount) => (amount, false),
        WindowFrameBound::CurrentRow => return false,
    };
    let ScalarValue::Utf8(Some(text)) = &*amount else { return false };
    let Some(number) = text.parse::<f64>().ok().filter(|_| text.contains('.')) else { return false };
    let number = if start == preceding { number.floor() } else { number.ceil() };
    *amount = ScalarValue::Utf8(Some(format!("{number:.0}")));
    true
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn is_text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The same for every row of the query.
fn is_constant(e: &Expr) -> bool {
    let varies = e.exists(|e| {
        Ok(match e {
            Expr::ScalarFunction(f) => f.func.signature().volatility == Volatility::Volatile,
            Expr::Literal(..)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::BinaryExpr(_)
            | Expr::Negative(_)
            | Expr::Alias(_) => false,
            _ => true,
        })
    });
    !varies.unwrap_or(true)
}
