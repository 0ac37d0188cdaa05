//! WITH queries that have the name of one around them. Trino takes the nearest; DataFusion's planner refuses the second, so it gets
//! a name of its own.

use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectNamePart, Query, Statement, TableAlias, TableFactor, VisitMut, VisitorMut};

/// Gives them names that nothing else has.
pub(crate) fn tell_apart(statement: &mut Statement) {
    let ControlFlow::Continue(()) = statement.visit(&mut TellApart::default());
}

/// The WITH of a query that is being gone through.
#[derive(Default)]
struct Around {
    /// Names in lower case, and what they became.
    names: Vec<(String, Ident)>,
    /// How many of its queries are behind.
    done: usize,
    recursive: bool,
}

impl Around {
    /// What can be asked for from here.
    fn visible(&self) -> &[(String, Ident)] {
        let own = usize::from(self.recursive);
        &self.names[..(self.done + own).min(self.names.len())]
    }
}

#[derive(Default)]
struct TellApart {
    queries: Vec<Around>,
    renamed: usize,
}

impl TellApart {
    fn find(&self, name: &str) -> Option<&Ident> {
        let mut visible = self.queries.iter().rev().flat_map(|query| query.visible().iter().rev());
        visible.find(|(known, _)| known == name).map(|(_, now)| now)
    }
}

impl VisitorMut for TellApart {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let mut around = Around::default();
        if let Some(with) = &mut query.with {
            around.recursive = with.recursive;
            for named in &mut with.cte_tables {
                let name = named.alias.name.value.to_lowercase();
                // Two of one WITH stay alike, so that the planner refuses them.
                if let Some((_, twin)) = around.names.iter().find(|(known, _)| *known == name) {
                    named.alias.name = twin.clone();
                } else if self.find(&name).is_some() {
                    self.renamed += 1;
                    named.alias.name = Ident::with_quote('"', format!("{name}${}", self.renamed));
                }
                around.names.push((name, named.alias.name.clone()));
            }
        }
        self.queries.push(around);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.queries.pop();
        // A query's WITH is gone through before all else of it.
        if let Some(around) = self.queries.last_mut() {
            around.done = (around.done + 1).min(around.names.len());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::Table { name, alias, .. } = table
            && let [ObjectNamePart::Identifier(part)] = &mut name.0[..]
            && let Some(now) = self.find(&part.value.to_lowercase())
            && now.value.to_lowercase() != part.value.to_lowercase()
        {
            let written = std::mem::replace(part, now.clone());
            alias.get_or_insert(TableAlias { explicit: true, name: written, columns: vec![], at: None });
        }
        ControlFlow::Continue(())
    }
}
