//! `EXISTS (… WHERE b.userIdentity.arn = a.userIdentity.arn)`: fields of rows of an outer query.
//!
//! DataFusion's planner knows an outer query's columns in a subquery, and no fields of theirs. Written as a call on the column
//! it knows them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use cloudtarn_dialect::field;
use cloudtarn_record::EventCategory;
use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, SetExpr, Statement, TableFactor, VisitMut, VisitorMut, visit_expressions_mut,
};

/// Whether planning failed for such a field.
pub(crate) fn are_missing(error: &DataFusionError) -> bool {
    error.to_string().contains("Nested identifiers are not yet supported for OuterReferenceColumn")
}

/// Writes fields of tables' rows in conditions as calls.
pub(crate) fn expand(statement: &mut Statement) {
    let schemas = EventCategory::ALL.map(EventCategory::schema);
    let fields = schemas.iter().flat_map(|schema| schema.fields());
    let rows = fields.filter(|field| matches!(field.data_type(), DataType::Struct(_)));
    let mut calls = Calls { tables: HashSet::new(), rows: rows.map(|field| field.name().clone()).collect() };
    // Once for the tables' names, once for what is said of them.
    let _ = statement.visit(&mut calls);
    let _ = statement.visit(&mut calls);
}

struct Calls {
    tables: HashSet<String>,
    /// Columns of a row type.
    rows: HashSet<String>,
}

impl VisitorMut for Calls {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        let alias = match table {
            TableFactor::Table { alias: None, name, .. } => name.0.last().and_then(|part| part.as_ident()),
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => {
                alias.as_ref().map(|alias| &alias.name)
            }
            _ => None,
        };
        self.tables.extend(alias.map(|name| name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        visit_expressions_mut(&mut select.selection, |expression| {
            let Expr::CompoundIdentifier(parts) = expression else { return ControlFlow::<()>::Continue(()) };
            if let [table, row, _, ..] = &parts[..]
                && self.tables.contains(&table.value.to_lowercase())
                && self.rows.contains(&row.value.to_lowercase())
            {
                let names = parts.split_off(2);
                let row = Expr::CompoundIdentifier(std::mem::take(parts));
                *expression = names.iter().fold(row, |row, name| field(row, &name.value.to_lowercase()));
            }
            ControlFlow::Continue(())
        })
    }
}
