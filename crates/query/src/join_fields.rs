//! `JOIN … ON lower(a.userIdentity.arn) = lower(b.userIdentity.arn)`: fields of rows inside what a join compares.
//!
//! DataFusion takes fields out of join keys by itself, and then does not find its own columns in a key that is more than the field. Here
//! they are columns of the joined tables before it looks.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

use crate::window_fields::is_field;

/// Makes columns of such fields, in the conditions of joins and of filters right above joins.
pub(crate) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut count = 0;
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(mut join) => {
            let Some(filter) = join.filter.take() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
            // A semi join gives the columns of one side and compares those of both.
            let both = join.left.schema().join(join.right.schema());
            let (filter, fields) = take_out(filter, both.as_ref().unwrap_or(&join.schema), &mut count)?;
            join.filter = Some(filter);
            give(LogicalPlan::Join(join), fields)
        }
        LogicalPlan::Filter(mut filter) if matches!(*filter.input, LogicalPlan::Join(_)) => {
            let (predicate, fields) = take_out(filter.predicate, filter.input.schema(), &mut count)?;
            filter.predicate = predicate;
            filter.input = give(Arc::unwrap_or_clone(filter.input), fields)?.data.into();
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

/// A field, the column that it is of, and what it is called from now on.
struct Taken {
    field: Expr,
    of: Column,
    name: Column,
}

/// The condition with columns in place of fields, but for fields that are compared as they are.
fn take_out(condition: Expr, schema: &DFSchema, count: &mut usize) -> Result<(Expr, Vec<Taken>)> {
    let mut fields: Vec<Taken> = Vec::new();
    let mut conjuncts = Vec::new();
    for conjunct in split_conjunction_owned(condition) {
        let is_plain = |e: &Expr| matches!(e, Expr::Column(_) | Expr::Literal(..)) || is_field(e, schema);
        if matches!(&conjunct, Expr::BinaryExpr(compared) if is_plain(&compared.left) && is_plain(&compared.right)) {
            conjuncts.push(conjunct);
            continue;
        }
        let taken = conjunct.transform_down(|e| {
            let (true, Some(of)) = (is_field(&e, schema), e.column_refs().into_iter().next().cloned()) else {
                return Ok(Transformed::no(e));
            };
            let name = match fields.iter().find(|taken| taken.field == e) {
                Some(taken) => taken.name.clone(),
                None => {
                    *count += 1;
                    let name = Column::new(of.relation.clone(), format!("$field{count}"));
                    fields.push(Taken { field: e, of, name: name.clone() });
                    name
                }
            };
            Ok(Transformed::new(Expr::Column(name), true, TreeNodeRecursion::Jump))
        })?;
        conjuncts.push(taken.data);
    }
    Ok((conjunction(conjuncts).unwrap_or_else(|| datafusion::logical_expr::lit(true)), fields))
}

/// A join whose tables have these fields as columns too.
fn give(plan: LogicalPlan, fields: Vec<Taken>) -> Result<Transformed<LogicalPlan>> {
    if fields.is_empty() {
        return Ok(Transformed::no(plan));
    }
    if !matches!(plan, LogicalPlan::Join(_)) {
        let columns = plan.schema().columns().into_iter().map(Expr::Column);
        let named = |taken: Taken| taken.field.alias_qualified(taken.name.relation, taken.name.name);
        let all = columns.chain(fields.into_iter().map(named)).collect();
        return Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(all, plan.into())?)));
    }
    let mut fields = Some(fields);
    let joined = plan.map_children(|input| {
        let (ours, others) =
            fields.take().into_iter().flatten().partition(|taken| input.schema().has_column(&taken.of));
        fields = Some(others);
        give(input, ours)
    })?;
    Ok(Transformed::yes(joined.data.recompute_schema()?))
}
