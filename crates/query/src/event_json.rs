//! `json_extract_scalar(eventJson, '$.eventName')` is what the column `eventname` holds, `'$.requestParameters.bucketName'` what
//! the map `requestparameters` has at that key, and reading these costs a hundredth of reading the records.
//!
//! Only where that is certain: of columns and keys that tell of every event what its record says (`Deviations`, which the store
//! keeps), only where the column that is named `eventjson` comes from an event data store untouched, and only for readers of
//! all its events, as a plan that depended on the others would tell of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use cloudtarn_functions::json_path::{member_names, of_member_names};
use cloudtarn_record::Deviations;
use cloudtarn_record::deviations::spelling;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};

use crate::record_value::{self, Wanted};
use crate::table::EventTable;

/// An event data store whose columns may answer for its records.
struct Columns {
    schema: SchemaRef,
    deviations: Arc<Deviations>,
}

/// Replaces such calls by their columns, in every node of the plan.
pub(crate) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let mut stores = HashMap::new();
        node.inputs().into_iter().for_each(|input| collect_stores(input, None, &mut stores));
        if stores.is_empty() {
            return Ok(Transformed::no(node));
        }
        // What an expression is called does not change, since nodes above refer to it by that.
        let preserver = NamePreserver::new(&node);
        node.map_expressions(|expression| {
            let name = preserver.save(&expression);
            let rewritten = expression.transform_up(|e| Ok(replace(e, &stores)))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(plan.data)
}

/// The names under which event data stores reach a node whole.
fn collect_stores(plan: &LogicalPlan, alias: Option<&TableReference>, stores: &mut HashMap<TableReference, Columns>) {
    match plan {
        LogicalPlan::TableScan(scan) if scan.projection.is_none() => {
            let Ok(provider) = source_as_provider(&scan.source) else { return };
            if let Some(deviations) = provider.downcast_ref::<EventTable>().and_then(EventTable::deviations) {
                let columns = Columns { schema: scan.source.schema(), deviations: Arc::clone(deviations) };
                stores.insert(alias.unwrap_or(&scan.table_name).clone(), columns);
            }
        }
        // `(SELECT * FROM …) AS t`: columns that are handed on as they are.
        LogicalPlan::Projection(projection) => {
            let mut inner = HashMap::new();
            collect_stores(&projection.input, None, &mut inner);
            for (name, Columns { schema, deviations }) in inner {
                let outputs = projection.schema.fields();
                let is_handed_on = |field: &&FieldRef| {
                    let column = Expr::Column(Column::new(Some(name.clone()), field.name()));
                    let alike = outputs.iter().filter(|output| output.name() == field.name()).count();
                    alike == 1 && projection.expr.contains(&column)
                };
                let fields: Fields = schema.fields().iter().filter(is_handed_on).cloned().collect();
                let columns = Columns { schema: Schema::new(fields).into(), deviations };
                stores.insert(alias.unwrap_or(&name).clone(), columns);
            }
        }
        LogicalPlan::SubqueryAlias(inner) if alias.is_none() => {
            collect_stores(&inner.input, Some(&inner.alias), stores);
        }
        LogicalPlan::Filter(filter) => collect_stores(&filter.input, alias, stores),
        LogicalPlan::Join(join) if alias.is_none() => {
            collect_stores(&join.left, None, stores);
            collect_stores(&join.right, None, stores);
        }
        _ => {}
    }
}

fn replace(expression: Expr, stores: &HashMap<TableReference, Columns>) -> Transformed<Expr> {
    match answer(&expression, stores) {
        Some(answer) => Transformed::yes(answer),
        None => Transformed::no(expression),
    }
}

/// What a call over `eventJson` gives, without it.
fn answer(expression: &Expr, stores: &HashMap<TableReference, Columns>) -> Option<Expr> {
    let Expr::ScalarFunction(call) = expression else { return None };
    let [Expr::Column(column), Expr::Literal(path, _)] = call.args.as_slice() else { return None };
    if !matches!(call.name(), "json_extract_scalar" | "json_extract" | "json_size") || column.name != "eventjson" {
        return None;
    }
    let columns = stores.get(column.relation.as_ref()?)?;
    columns.schema.field_with_name(&column.name).ok()?;
    let names = member_names(path.try_as_str()??)?;
    let (top, inner) = names.split_first()?;
    let name = top.to_ascii_lowercase();
    if spelling(&name) != Some(top.as_str()) || columns.deviations.has_column(&name) {
        return None;
    }
    let data_type = columns.schema.field_with_name(&name).ok()?.data_type();
    let value = Expr::Column(Column::new(column.relation.clone(), &name));
    let is_scalar = call.name() == "json_extract_scalar";
    if !matches!(data_type, DataType::Map(..)) {
        return if is_scalar { text(value, data_type, inner) } else { None };
    }
    let (key, inner) = inner.split_first()?;
    // Where the record has an array, the column has nothing, but a number leads to an element of it.
    let is_index = key.bytes().all(|byte| byte.is_ascii_digit());
    if is_index || columns.deviations.has_key(&name, key) {
        return None;
    }
    if inner.is_empty() {
        // Of what is no object and no array the text does not tell how it was written.
        return is_scalar.then(|| record_value::call(Wanted::Scalars, value, key));
    }
    let path = lit(ScalarValue::Utf8View(Some(of_member_names(inner))));
    let arguments = vec![record_value::call(Wanted::Nested, value, key), path];
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&call.func), arguments)))
}

/// The field of a text column, or of a row, that these names lead to.
fn text(value: Expr, data_type: &DataType, names: &[String]) -> Option<Expr> {
    match (data_type, names.split_first()) {
        (DataType::Utf8View, None) => Some(value),
        (DataType::Struct(fields), Some((first, rest))) => {
            let field = fields.iter().find(|field| spelling(field.name()) == Some(first.as_str()))?;
            text(get_field(value, field.name().as_str()), field.data_type(), rest)
        }
        _ => None,
    }
}
