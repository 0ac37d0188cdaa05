//! `CROSS JOIN UNNEST(resources) AS r (…)` of which a query names `r.type` alone: only the types need to be read and spread.
//!
//! An array of rows is one array for each field of the rows, as Parquet stores it. This rule unnests those of the fields that
//! are named, beside each other, as `"$element_field"(resources, 'type')`, and of a map its `map_keys` or its `map_values`, which
//! [`crate::column_scan`] reads as they lie.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use cloudtarn_functions::types::array_of;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue, internal_datafusion_err, internal_err};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Unnest, Volatility, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The function's name.
pub(crate) const ELEMENT_FIELD: &str = "$element_field";

/// See the module.
#[derive(Debug)]
pub(crate) struct UnnestFields {
    element_field: Arc<ScalarUDF>,
}

impl UnnestFields {
    pub(crate) fn new() -> Self {
        let signature = Signature::any(2, Volatility::Immutable);
        Self { element_field: Arc::new(ScalarUDF::from(ElementField { signature })) }
    }

    /// The arrays of the fields of what is unnested; `None` where that is no column's rows.
    fn lists(&self, unnested: &Expr, fields: &BTreeSet<String>, functions: &dyn FunctionRegistry) -> Option<Vec<Expr>> {
        let list = |field: &String| match unnested {
            Expr::Column(_) => Some(self.element_field.call(vec![unnested.clone(), lit(field.as_str())])),
            Expr::ScalarFunction(call) if call.name() == "map_entries" => {
                let [map @ Expr::Column(_)] = call.args.as_slice() else { return None };
                let part = match field.as_str() {
                    "key" => "map_keys",
                    "value" => "map_values",
                    _ => return None,
                };
                Some(functions.udf(part).ok()?.call(vec![map.clone()]))
            }
            _ => None,
        };
        fields.iter().map(list).collect()
    }
}

impl OptimizerRule for UnnestFields {
    fn name(&self) -> &'static str {
        "unnest_fields"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(outer) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Unnest(unnest) = outer.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Projection(inner) = unnest.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let Some(functions) = config.function_registry() else { return Ok(Transformed::no(plan)) };
        let mut below = Vec::with_capacity(inner.expr.len());
        let mut columns = Vec::with_capacity(unnest.exec_columns.len());
        let mut spread = Vec::new();
        for (expression, (qualifier, field)) in inner.expr.iter().zip(inner.schema.iter()) {
            let column = Column::from((qualifier, field));
            let is_unnested = unnest.exec_columns.contains(&column);
            let lists = match has_rows(field.data_type()) && is_unnested {
                true => fields(&outer.expr, &column)?
                    .and_then(|fields| Some((self.lists(&expression.clone().unalias(), &fields, functions)?, fields))),
                false => None,
            };
            let Some((lists, fields)) = lists else {
                below.push(expression.clone());
                columns.extend(is_unnested.then_some(column));
                continue;
            };
            for (list, field) in lists.into_iter().zip(&fields) {
                let name = part(&column, field);
                below.push(list.alias(&name));
                columns.push(Column::new_unqualified(name));
            }
            spread.push(column);
        }
        if spread.is_empty() {
            return Ok(Transformed::no(plan));
        }
        let inner = Projection::try_new(below, Arc::clone(&inner.input))?;
        let input = Arc::new(LogicalPlan::Projection(inner));
        let unnest = LogicalPlan::Unnest(Unnest::try_new(input, columns, unnest.options.clone())?);
        let of = outer.expr.iter().zip(outer.schema.iter()).map(|(expression, (qualifier, field))| {
            let moved = expression.clone().transform_down(|e| match field_of(&e) {
                Some((column, field)) if spread.contains(column) => {
                    let part = Expr::Column(Column::new_unqualified(part(column, field)));
                    Ok(Transformed::new(part, true, TreeNodeRecursion::Jump))
                }
                _ => Ok(Transformed::no(e)),
            })?;
            Ok(match moved.transformed {
                true => moved.data.unalias().alias_qualified(qualifier.cloned(), field.name()),
                false => moved.data,
            })
        });
        let outer = Projection::try_new(of.collect::<Result<_>>()?, Arc::new(unnest))?;
        Ok(Transformed::yes(LogicalPlan::Projection(outer)))
    }
}

/// The column of one field of what another column unnests.
fn part(column: &Column, field: &str) -> String {
    format!("{}:{field}", column.name)
}

fn has_rows(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(element)
        if matches!(element.data_type(), DataType::Struct(_)) && !crate::unnest::is_scalar(element.data_type()))
}

/// A field of a column.
fn field_of(e: &Expr) -> Option<(&Column, &str)> {
    let Expr::ScalarFunction(call) = e else { return None };
    match call.args.as_slice() {
        [Expr::Column(column), Expr::Literal(name, _)] if call.name() == "get_field" => {
            Some((column, name.try_as_str()??))
        }
        _ => None,
    }
}

/// The fields of a column that expressions name; `None` where they take the column otherwise, or not at all.
fn fields(expressions: &[Expr], column: &Column) -> Result<Option<BTreeSet<String>>> {
    let mut fields = BTreeSet::new();
    let mut whole = false;
    for expression in expressions {
        expression.apply(|e| {
            if let Some((of, field)) = field_of(e)
                && of == column
            {
                fields.insert(field.to_owned());
                return Ok(TreeNodeRecursion::Jump);
            }
            whole |= matches!(e, Expr::Column(of) if of == column);
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(Some(fields).filter(|fields| !whole && !fields.is_empty()))
}

/// `"$element_field"(array, name)`: of an array of rows the array of the rows' fields of that name, NULL where a row is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementField {
    signature: Signature,
}

fn fields_of(list: &DataType, name: &ScalarValue) -> Option<(usize, FieldRef)> {
    let DataType::List(element) = list else { return None };
    let DataType::Struct(fields) = element.data_type() else { return None };
    let (index, field) = fields.find(name.try_as_str()??)?;
    let DataType::List(element) = array_of(field.data_type().clone()) else { return None };
    Some((index, element))
}

impl ScalarUDFImpl for ElementField {
    fn name(&self) -> &str {
        ELEMENT_FIELD
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {ELEMENT_FIELD} depends on the field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = match args.scalar_arguments {
            [_, Some(name)] => fields_of(args.arg_fields[0].data_type(), name),
            _ => None,
        };
        let (_, field) = field.ok_or_else(|| internal_datafusion_err!("{ELEMENT_FIELD} of what has no such field"))?;
        Ok(Arc::new(Field::new(ELEMENT_FIELD, DataType::List(field), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [lists, ColumnarValue::Scalar(name)] = args.args.as_slice() else {
            return internal_err!("{ELEMENT_FIELD} takes an array and a name");
        };
        let lists = lists.to_array(args.number_rows)?;
        let Some((index, field)) = fields_of(lists.data_type(), name) else {
            return internal_err!("{ELEMENT_FIELD} of what has no such field");
        };
        let lists = lists.as_list::<i32>();
        let rows = lists.values().as_struct();
        let values = rows.column(index);
        // A row that is NULL has fields that are.
        let values: ArrayRef = match rows.nulls() {
            None => Arc::clone(values),
            nulls => {
                let nulls = NullBuffer::union(nulls, values.nulls());
                make_array(values.to_data().into_builder().nulls(nulls).build()?)
            }
        };
        let of = ListArray::try_new(field, lists.offsets().clone(), values, lists.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(of)))
    }
}
