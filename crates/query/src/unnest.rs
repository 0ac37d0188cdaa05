//! `UNNEST(…) [WITH ORDINALITY]` as Trino spreads it: a map to key and value, an array of rows to the rows' fields.
//!
//! The relation is planned over one empty row; a reference to the tables on its left becomes an outer reference, and
//! [`crate::decorrelate`] roots the relation on them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, NullHandling, UnnestOptions, plan_err};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::{coalesce, get_field, greatest};
use datafusion::functions_nested::expr_fn::{cardinality, gen_series, map_entries};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{ExprSchemable, LogicalPlanBuilder, cast, ident, lit};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, TableFactor, visit_expressions_mut};

/// Plans UNNEST; refuses what DataFusion would silently ignore.
#[derive(Debug)]
pub(crate) struct UnnestPlanner;

impl RelationPlanner for UnnestPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let schema = DFSchema::empty();
        let mut inner = Vec::new();
        let mut columns = Vec::new();
        let mut lengths = Vec::new();
        let mut outer = Vec::new();
        let mut names = HashSet::new();
        let mut unique = |name: &str| {
            let mut n = 1;
            let mut unique = name.to_owned();
            while !names.insert(unique.clone()) {
                n += 1;
                unique = format!("{name}:{n}");
            }
            unique
        };
        for (i, argument) in array_exprs.into_iter().enumerate() {
            let argument = outer_paths(argument, context);
            let mut list = context.sql_to_expr(argument, &schema)?;
            let mut of = list.get_type(&schema)?;
            if matches!(of, DataType::Map(..)) {
                list = map_entries(list);
                of = list.get_type(&schema)?;
            }
            let element = match &of {
                DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => f.data_type().clone(),
                DataType::Null => {
                    list = cast(list, DataType::new_list(DataType::Null, true));
                    DataType::Null
                }
                other => {
                    let name = cloudtarn_functions::types::trino_name(other);
                    return plan_err!("INVALID_FUNCTION_ARGUMENT: Cannot unnest type: {name}");
                }
            };
            let name = format!("$unnest{i}");
            match &element {
                DataType::Struct(fields) if !is_scalar(&element) => {
                    for field in fields {
                        outer.push(get_field(ident(&name), field.name().as_str()).alias(unique(field.name())));
                    }
                }
                _ => outer.push(ident(&name).alias(unique(&format!("_col{i}")))),
            }
            lengths.push(coalesce(vec![cast(cardinality(list.clone()), DataType::Int64), lit(0i64)]));
            inner.push(list.alias(&name));
            columns.push(Column::from_name(&name));
        }
        if with_ordinality {
            let longest = if lengths.len() == 1 { lengths.remove(0) } else { greatest(lengths) };
            inner.push(gen_series(lit(1i64), longest, lit(1i64)).alias("$ordinality"));
            columns.push(Column::from_name("$ordinality"));
            outer.push(ident("$ordinality").alias(unique("ordinality")));
        }
        let options = UnnestOptions::new().with_null_handling(NullHandling::Drop);
        let plan = LogicalPlanBuilder::empty(true)
            .project(inner)?
            .unnest_columns_with_options(columns, options)?
            .project(outer)?
            .build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

/// DataFusion resolves `t.column` in an outer query, but not `column.field`: paths are spelt as calls there.
fn outer_paths(mut argument: SqlExpr, context: &mut dyn RelationPlannerContext) -> SqlExpr {
    let schema = DFSchema::empty();
    let _ = visit_expressions_mut(&mut argument, |e| {
        if let SqlExpr::CompoundIdentifier(parts) = e {
            let prefix = |n: usize| match n {
                1 => SqlExpr::Identifier(parts[0].clone()),
                n => SqlExpr::CompoundIdentifier(parts[..n].to_vec()),
            };
            let resolved = (1..=parts.len()).rev().find(|n| context.sql_to_expr(prefix(*n), &schema).is_ok());
            if let Some(n) = resolved {
                let path = parts[n..].iter().map(|part| part.value.to_lowercase());
                *e = path.fold(prefix(n), |e, name| cloudtarn_dialect::field(e, &name));
            }
        }
        ControlFlow::<()>::Continue(())
    });
    argument
}

/// json, ipaddress and uuid are carried as structs of one hidden field.
pub(crate) fn is_scalar(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(fields) if fields.first().is_some_and(|f| f.name().starts_with('$')))
}
