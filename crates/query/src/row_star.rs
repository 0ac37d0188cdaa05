//! `r.*` over a row: the columns that it stands for are known once the row's type is, so the row is planned on its own first.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use cloudtarn_dialect::RowStar;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Cte, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Statement, VisitMut, VisitorMut, With,
};

use crate::unnest::is_scalar;

/// Puts the fields in the place of every star over a row. `plan` plans a statement.
///
/// # Errors
/// The planner's; `TYPE_MISMATCH` for a star over what is no row; `MISMATCHED_COLUMN_ALIASES`.
pub(crate) fn expand(statement: &mut Statement, plan: &dyn Fn(Statement) -> Result<LogicalPlan>) -> Result<()> {
    let mut expand = Expand { plan, queries: Vec::new() };
    match statement.visit(&mut expand) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// A query on the way to the select at hand.
struct Around {
    with: Option<With>,
    /// How many of its WITH queries have been expanded.
    done: usize,
    /// Whether it is itself the next WITH query of the query around it.
    named: bool,
}

struct Expand<'a> {
    plan: &'a dyn Fn(Statement) -> Result<LogicalPlan>,
    queries: Vec<Around>,
}

impl VisitorMut for Expand<'_> {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        let named = self.queries.last().is_some_and(|q| q.with.as_ref().is_some_and(|w| q.done < w.cte_tables.len()));
        self.queries.push(Around { with: query.with.clone(), done: 0, named });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        if self.queries.pop().is_some_and(|q| q.named)
            && let Some(Around { with: Some(with), done, .. }) = self.queries.last_mut()
        {
            if let Some(cte) = with.cte_tables.get_mut(*done) {
                cte.query = Box::new(query.clone());
            }
            *done += 1;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        if !select.projection.iter().any(|item| RowStar::of(item).is_some()) {
            return ControlFlow::Continue(());
        }
        let mut projection = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match RowStar::of(&item).map(|star| self.fields(star, select)).transpose() {
                Ok(Some(fields)) => projection.extend(fields),
                Ok(None) => projection.push(item),
                Err(error) => return ControlFlow::Break(error),
            }
        }
        let mut seen = HashSet::new();
        for (index, item) in projection.iter_mut().enumerate() {
            // What follows the colon is not shown.
            if let SelectItem::ExprWithAlias { alias, .. } = item
                && !seen.insert(alias.value.clone())
            {
                alias.value = format!("{}:{index}", alias.value);
            }
        }
        select.projection = projection;
        ControlFlow::Continue(())
    }
}

impl Expand<'_> {
    /// The fields of a star of `select`, each as an item of its own.
    fn fields(&self, star: RowStar, select: &Select) -> Result<Vec<SelectItem>> {
        let mut alone = select.clone();
        alone.projection =
            vec![SelectItem::ExprWithAlias { expr: star.row.clone(), alias: Ident::with_quote('"', "row") }];
        (alone.selection, alone.having, alone.qualify, alone.distinct) = (None, None, None, None);
        alone.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        let visible = self.queries.iter().flat_map(|q| q.with.iter().flat_map(|w| &w.cte_tables[..q.done]));
        let mut tables: Vec<Cte> = Vec::new();
        for cte in visible {
            // An inner name hides the outer one.
            tables.retain(|t| t.alias.name.value != cte.alias.name.value);
            tables.push(cte.clone());
        }
        let with = self.queries.iter().rev().find_map(|q| q.with.clone()).filter(|_| !tables.is_empty());
        let with = with.map(|with| With { cte_tables: tables, ..with });
        let query = Query { with, ..cloudtarn_dialect::query(SetExpr::Select(Box::new(alone))) };
        let plan = (self.plan)(Statement::Query(Box::new(query)))?;
        let data_type = plan.schema().field(0).data_type();
        let fields = match data_type {
            DataType::Struct(fields) if !is_scalar(data_type) => fields,
            other => {
                let name = cloudtarn_functions::types::trino_name(other);
                return Err(DataFusionError::Plan(format!(
                    "TYPE_MISMATCH: expected a row before .*, but the expression is of type {name}"
                )));
            }
        };
        if !star.names.is_empty() && star.names.len() != fields.len() {
            return Err(DataFusionError::Plan(format!(
                "MISMATCHED_COLUMN_ALIASES: {} names for the {} fields of a row",
                star.names.len(),
                fields.len()
            )));
        }
        let anonymous = fields.iter().enumerate().all(|(n, f)| *f.name() == format!("c{n}"));
        let items = fields.iter().enumerate().map(|(n, field)| {
            let name = match star.names.get(n) {
                Some(name) => name.to_lowercase(),
                None if anonymous => format!("_col{n}"),
                None => field.name().clone(),
            };
            let expr = cloudtarn_dialect::field(star.row.clone(), field.name());
            SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) }
        });
        Ok(items.collect())
    }
}
