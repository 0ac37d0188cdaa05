//! `element_at(requestParameters, 'bucketName')` is what the hidden column `$requestparameters:bucketName` holds: reading that costs a
//! tenth of reading the map, and conditions on it are told by statistics and dictionaries like those on any column.
//!
//! Only of tables all of whose files have the column ([`EventTable::shredded`]). The hidden columns reach an expression through all that
//! hands its input on; SELECT lists and GROUP BY, which say what they give, end their way.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloudtarn_record::Shredded;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableScan, TableScanBuilder};

use crate::table::EventTable;

/// Replaces such calls, and those of [`crate::record_value`], by the columns.
pub(crate) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_down_with_subqueries(|node| {
        let ends = matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_));
        if !ends {
            return Ok(Transformed::no(node));
        }
        let wanted = wanted(&node)?;
        if wanted.is_empty() {
            return Ok(Transformed::no(node));
        }
        let inputs = |input: LogicalPlan| Ok(Transformed::yes(widen(input, &wanted)?));
        let widened = node.map_children(inputs)?.data;
        Ok(Transformed::yes(replace_in(widened)?))
    })?;
    Ok(plan.data)
}

/// Whether all columns of its input are its own.
fn hands_on(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Filter(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Projection(_)
    )
}

/// The hidden columns that a node asks for, and what hands its inputs on.
fn wanted(node: &LogicalPlan) -> Result<BTreeSet<String>> {
    let mut wanted = BTreeSet::new();
    node.apply(|part| {
        let is_end = !std::ptr::eq(part, node);
        if is_end && !hands_on(part) {
            return Ok(TreeNodeRecursion::Jump);
        }
        part.apply_expressions(|expression| {
            expression.apply(|e| {
                wanted.extend(asked(e).and_then(|asked| asked.column(&part.inputs())).map(|key| key.name.clone()));
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(wanted)
}

/// A call that asks a map column for one key.
struct Asked<'a> {
    map: &'a Column,
    key: &'a str,
    /// As a part of a call that tells scalars from what is nested.
    inside: bool,
}

fn asked(expression: &Expr) -> Option<Asked<'_>> {
    let Expr::ScalarFunction(call) = expression else { return None };
    let [Expr::Column(map), Expr::Literal(key, _)] = call.args.as_slice() else { return None };
    let inside = match call.name() {
        "element_at" => false,
        "$map_text" | "$map_nested" => true,
        _ => return None,
    };
    Some(Asked { map, key: key.try_as_str()??, inside })
}

impl Asked<'_> {
    /// The hidden column that answers, if one of these plans hands on the map of a table that has it.
    fn column(&self, inputs: &[&LogicalPlan]) -> Option<&'static Shredded> {
        let keys = inputs.iter().find_map(|input| keys(input, self.map))?;
        keys.into_iter().find(|shredded| shredded.map == self.map.name && shredded.key == self.key)
    }
}

/// The shredded keys of the table whose column a plan's is; `None` if it is none of a table's.
fn keys(plan: &LogicalPlan, column: &Column) -> Option<Vec<&'static Shredded>> {
    let index = plan.schema().maybe_index_of_column(column)?;
    let of = |input: &LogicalPlan, index: usize| keys(input, &input.schema().columns()[index]);
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok()?;
            Some(provider.downcast_ref::<EventTable>()?.shredded().collect())
        }
        LogicalPlan::SubqueryAlias(alias) => of(&alias.input, index),
        LogicalPlan::Projection(projection) => match projection.expr.get(index)? {
            Expr::Column(inner) if inner.name == column.name => keys(&projection.input, inner),
            _ => None,
        },
        LogicalPlan::Join(join) => keys(&join.left, column).or_else(|| keys(&join.right, column)),
        _ if hands_on(plan) => keys(plan.inputs().first()?, column),
        _ => None,
    }
}

/// A plan that also gives the wanted columns of the tables whose maps it hands on, and asks them itself.
fn widen(plan: LogicalPlan, wanted: &BTreeSet<String>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(scan) => widen_scan(scan, wanted),
        plan if hands_on(&plan) => {
            let plan = plan.map_children(|input| Ok(Transformed::yes(widen(input, wanted)?)))?.data;
            match replace_in(plan)? {
                LogicalPlan::Projection(projection) => hand_on(projection),
                plan => Ok(plan),
            }
        }
        plan => Ok(plan),
    }
}

fn widen_scan(scan: TableScan, wanted: &BTreeSet<String>) -> Result<LogicalPlan> {
    let provider = source_as_provider(&scan.source).ok();
    let table = provider.as_ref().and_then(|provider| provider.downcast_ref::<EventTable>());
    let Some(table) = table.filter(|_| scan.projection.is_none()) else { return Ok(LogicalPlan::TableScan(scan)) };
    let has = |name: &String| scan.source.schema().field_with_name(name).is_ok();
    let more = table.shredded().map(|key| &key.name).filter(|name| wanted.contains(*name) && !has(name));
    let more: Vec<String> = more.cloned().collect();
    if more.is_empty() {
        return Ok(LogicalPlan::TableScan(scan));
    }
    let source = provider_as_source(Arc::new(table.with_hidden(&more)));
    let widened = TableScanBuilder::new(scan.table_name, source).with_filters(scan.filters).with_fetch(scan.fetch);
    Ok(LogicalPlan::TableScan(widened.build()?))
}

/// A projection that hands a map on hands on what is known of its keys.
fn hand_on(projection: Projection) -> Result<LogicalPlan> {
    let given = projection.input.schema().columns();
    let is_handed_on = |column: &Column| {
        let Some((map, _)) = column.name.strip_prefix('$').and_then(|name| name.split_once(':')) else { return false };
        let map = Column::new(column.relation.clone(), map);
        let alike = projection.schema.fields().iter().filter(|field| *field.name() == column.name).count();
        projection.expr.contains(&Expr::Column(map)) && alike == 0
    };
    let more = given.into_iter().filter(is_handed_on).map(Expr::Column).collect::<Vec<_>>();
    if more.is_empty() {
        return Ok(LogicalPlan::Projection(projection));
    }
    let expressions = projection.expr.into_iter().chain(more).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(expressions, projection.input)?))
}

/// Puts the columns into a node's own expressions, where its inputs have them.
fn replace_in(node: LogicalPlan) -> Result<LogicalPlan> {
    let inputs: Vec<LogicalPlan> = node.inputs().into_iter().cloned().collect();
    let given = |column: &Column| inputs.iter().any(|input| input.schema().has_column(column));
    // What an expression is called does not change, since nodes above refer to it by that.
    let preserver = NamePreserver::new(&node);
    let node = node.map_expressions(|expression| {
        // What it groups by is named by its parts, which nothing preserves.
        if matches!(expression, Expr::GroupingSet(_)) {
            return Ok(Transformed::no(expression));
        }
        let name = preserver.save(&expression);
        let rewritten = expression.transform_up(|e| {
            let Some(asked) = asked(&e) else { return Ok(Transformed::no(e)) };
            let inputs: Vec<&LogicalPlan> = inputs.iter().collect();
            let Some(shredded) = asked.column(&inputs) else { return Ok(Transformed::no(e)) };
            let column = Column::new(asked.map.relation.clone(), &shredded.name);
            if !given(&column) {
                return Ok(Transformed::no(e));
            }
            let value = Expr::Column(column);
            let inside = asked.inside;
            Ok(Transformed::yes(match e {
                Expr::ScalarFunction(call) if inside => {
                    let key = Expr::Literal(ScalarValue::Utf8View(Some(shredded.key.to_owned())), None);
                    Expr::ScalarFunction(ScalarFunction::new_udf(call.func, vec![value, key]))
                }
                _ => value,
            }))
        })?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    })?;
    node.data.recompute_schema()
}
