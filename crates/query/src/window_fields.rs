//! Fields of row types below windows.
//!
//! A window sorts its input, all columns of it. `row_number() OVER (PARTITION BY userIdentity.arn …)` therefore sorts whole
//! identities, since DataFusion's leaf projections stop at windows. This rule takes the fields that a window and the projection
//! above it read out of rows before the window; what is left of the rows then is no column that anyone needs.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Window};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// What DataFusion calls the columns of its own leaf projections, which it pushes on down to the scan.
const EXTRACTED: &str = "__datafusion_extracted";

/// See the module.
#[derive(Debug)]
pub(crate) struct WindowFields;

impl OptimizerRule for WindowFields {
    fn name(&self) -> &'static str {
        "window_fields"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = &plan else { return Ok(Transformed::no(plan)) };
        let mut windows = Vec::new();
        let mut below = &projection.input;
        while let LogicalPlan::Window(window) = below.as_ref() {
            windows.push(window);
            below = &window.input;
        }
        let mut fields = Fields { schema: below.schema(), found: Vec::new() };
        let next = || config.alias_generator().next(EXTRACTED);
        let mut expressions = Vec::with_capacity(projection.expr.len());
        for (expression, (qualifier, field)) in projection.expr.iter().zip(projection.schema.iter()) {
            let taken = fields.take(expression, &next)?;
            expressions.push(match taken.transformed {
                true => taken.data.unalias().alias_qualified(qualifier.cloned(), field.name()),
                false => taken.data,
            });
        }
        let mut rewritten = Vec::with_capacity(windows.len());
        for window in windows.iter().rev() {
            let names = window.schema.fields().iter().skip(window.input.schema().fields().len());
            let taken = window.window_expr.iter().zip(names).map(|(expression, name)| {
                let taken = fields.take(expression, &next)?;
                Ok(if taken.transformed { taken.data.unalias().alias(name.name()) } else { taken.data })
            });
            rewritten.push(taken.collect::<Result<Vec<Expr>>>()?);
        }
        if windows.is_empty() || fields.found.is_empty() {
            return Ok(Transformed::no(plan));
        }
        let columns = below.schema().columns().into_iter().map(Expr::Column);
        let found = fields.found.into_iter().map(|(field, name)| field.alias(name));
        let taken_out = Projection::try_new(columns.chain(found).collect(), Arc::clone(below))?;
        let mut input = LogicalPlan::Projection(taken_out);
        for expressions in rewritten {
            input = LogicalPlan::Window(Window::try_new(expressions, Arc::new(input))?);
        }
        Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(expressions, Arc::new(input))?)))
    }
}

/// Fields that were found so far, and the names of their columns.
struct Fields<'a> {
    schema: &'a DFSchema,
    found: Vec<(Expr, String)>,
}

impl Fields<'_> {
    /// The expression with columns in place of fields.
    fn take(&mut self, expression: &Expr, next: &dyn Fn() -> String) -> Result<Transformed<Expr>> {
        expression.clone().transform_down(|e| {
            if !is_field(&e, self.schema) {
                return Ok(Transformed::no(e));
            }
            let name = match self.found.iter().find(|(found, _)| *found == e) {
                Some((_, name)) => name.clone(),
                None => {
                    let name = next();
                    self.found.push((e, name.clone()));
                    name
                }
            };
            let column = Expr::Column(datafusion::common::Column::new_unqualified(name));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })
    }
}

/// A path of names into a column of the schema.
pub(crate) fn is_field(e: &Expr, schema: &DFSchema) -> bool {
    let Expr::ScalarFunction(call) = e else { return false };
    let [row, path @ ..] = call.args.as_slice() else { return false };
    call.func.name() == "get_field"
        && path.iter().all(|name| matches!(name, Expr::Literal(..)))
        && match row {
            Expr::Column(column) => schema.has_column(column),
            row => is_field(row, schema),
        }
}
