//! Operators with Trino's types: arithmetic as functions that check for overflow, keys of maps as the query wrote them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use cloudtarn_functions::types::is_row;
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, lit, not};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Plans the operators of one statement.
#[derive(Debug)]
pub(crate) struct Operators {
    arithmetic: HashMap<&'static str, Arc<ScalarUDF>>,
    element_at: Option<Arc<ScalarUDF>>,
    /// Folded name → the name as the statement writes it.
    written: HashMap<String, String>,
}

impl Operators {
    pub(crate) fn new(state: &SessionState, written: HashMap<String, String>) -> Self {
        let names = [
            "$add",
            "$subtract",
            "$multiply",
            "$divide",
            "$modulus",
            "$equal",
            "$not_equal",
            "$less_than",
            "$less_than_or_equal",
            "$greater_than",
            "$greater_than_or_equal",
        ];
        let arithmetic = names.into_iter().filter_map(|n| Some((n, Arc::clone(state.scalar_functions().get(n)?))));
        Self {
            arithmetic: arithmetic.collect(),
            element_at: state.scalar_functions().get("element_at").cloned(),
            written,
        }
    }
}

/// The function that compares what Arrow's kernels compare otherwise than Trino: arrays, maps and rows, where a NULL inside
/// makes the answer NULL, and floating-point numbers, where NaN equals nothing.
///
/// Rows and numbers of two relations are left to the kernels: joins know nothing but operators.
fn comparison(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<&'static str> {
    let name = match expr.op {
        BinaryOperator::Eq => "$equal",
        BinaryOperator::NotEq => "$not_equal",
        BinaryOperator::Lt => "$less_than",
        BinaryOperator::LtEq => "$less_than_or_equal",
        BinaryOperator::Gt => "$greater_than",
        BinaryOperator::GtEq => "$greater_than_or_equal",
        _ => return None,
    };
    let (left, right) = (expr.left.get_type(schema).ok()?, expr.right.get_type(schema).ok()?);
    let nested = |t: &DataType| matches!(t, DataType::List(_) | DataType::Map(..));
    let floats = (left.is_floating() && right.is_numeric()) || (left.is_numeric() && right.is_floating());
    let alone = || !of_two_relations(&expr.left, &expr.right);
    ((nested(&left) && nested(&right)) || ((floats || (is_row(&left) && is_row(&right))) && alone())).then_some(name)
}

fn of_two_relations(left: &Expr, right: &Expr) -> bool {
    let relations = |e: &Expr| e.column_refs().into_iter().map(|c| c.relation.clone()).collect::<HashSet<_>>();
    let (left, right) = (relations(left), relations(right));
    !left.is_empty() && !right.is_empty() && left != right
}

/// The fields of a row that is written out: `(a, b)`, `ROW(a, b)`.
pub(crate) fn written_fields(row: &Expr) -> Option<&[Expr]> {
    match row {
        Expr::ScalarFunction(function) if function.name() == "struct" => Some(&function.args),
        _ => None,
    }
}

impl Operators {
    /// `(a, b) = (c, d)` as `a = c AND b = d`: of columns there are statistics, and joins have keys.
    fn fields_equal(&self, expr: &RawBinaryExpr, schema: &DFSchema) -> Result<Option<Expr>> {
        if !matches!(expr.op, BinaryOperator::Eq | BinaryOperator::NotEq) {
            return Ok(None);
        }
        let (Some(left), Some(right)) = (written_fields(&expr.left), written_fields(&expr.right)) else {
            return Ok(None);
        };
        if left.len() != right.len() {
            return Ok(None);
        }
        let pairs = left.iter().zip(right).map(|(left, right)| {
            let pair = RawBinaryExpr { op: BinaryOperator::Eq, left: left.clone(), right: right.clone() };
            Ok(match self.plan_binary_op(pair, schema)? {
                PlannerResult::Planned(equal) => equal,
                PlannerResult::Original(pair) => pair.left.eq(pair.right),
            })
        });
        let all = pairs.collect::<Result<Vec<_>>>()?.into_iter().reduce(Expr::and);
        Ok(all.map(|all| if expr.op == BinaryOperator::Eq { all } else { not(all) }))
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some(equal) = self.fields_equal(&expr, schema)? {
            return Ok(PlannerResult::Planned(equal));
        }
        if let Some(name) = comparison(&expr, schema)
            && let Some(function) = self.arithmetic.get(name)
        {
            return Ok(PlannerResult::Planned(function.call(vec![expr.left, expr.right])));
        }
        let name = match expr.op {
            BinaryOperator::Plus => "$add",
            BinaryOperator::Minus => "$subtract",
            BinaryOperator::Multiply => "$multiply",
            BinaryOperator::Divide => "$divide",
            BinaryOperator::Modulo => "$modulus",
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(match self.arithmetic.get(name) {
            Some(function) => PlannerResult::Planned(function.call(vec![expr.left, expr.right])),
            None => PlannerResult::Original(expr),
        })
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut of = field.data_type();
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        for name in nested_names {
            let inner = match of {
                DataType::Struct(fields) => fields.iter().find(|f| f.name() == name),
                _ => None,
            };
            expr = match (inner, of) {
                (Some(f), _) => {
                    of = f.data_type();
                    get_field(expr, name.as_str())
                }
                // Names are folded, keys are not: the key is what the query wrote.
                (None, DataType::Map(entries, _)) => {
                    let key = self.written.get(name).unwrap_or(name);
                    if let DataType::Struct(fields) = entries.data_type()
                        && let Some(value) = fields.get(1)
                    {
                        of = value.data_type();
                    }
                    match &self.element_at {
                        Some(element_at) => element_at.call(vec![expr, lit(ScalarValue::Utf8View(Some(key.clone())))]),
                        None => get_field(expr, key.as_str()),
                    }
                }
                _ => return Ok(PlannerResult::Original(vec![])),
            };
        }
        Ok(PlannerResult::Planned(expr))
    }
}
