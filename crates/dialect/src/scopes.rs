//! `t.*` of a table of an outer query, where the text spells out the table's columns.

use std::collections::HashMap;

use sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind, TableAlias, TableFactor,
    WildcardAdditionalOptions,
};

/// Tables of one FROM by name; their columns where an alias lists them.
pub(crate) type Scope = HashMap<String, Option<Vec<Ident>>>;

/// The tables of a query.
pub(crate) fn columns(select: &Select) -> Scope {
    let relations =
        select.from.iter().flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)));
    relations
        .filter_map(|r| {
            let (alias, name): (&Option<TableAlias>, Option<&Ident>) = match r {
                TableFactor::Table { alias, name, .. } => (alias, name.0.last().and_then(|p| p.as_ident())),
                TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => (alias, None),
                _ => return None,
            };
            let columns = alias.as_ref().filter(|a| !a.columns.is_empty());
            let columns = columns.map(|a| a.columns.iter().map(|c| c.name.clone()).collect());
            let name = alias.as_ref().map(|a| &a.name).or(name)?;
            Some((name.value.to_lowercase(), columns))
        })
        .collect()
}

/// Replaces stars of outer tables by their columns.
pub(crate) fn expand_outer(select: &mut Select, outer: &[Scope]) {
    let own = columns(select);
    let mut expanded = Vec::with_capacity(select.projection.len());
    for item in select.projection.drain(..) {
        if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = &item
            && let [part] = name.0.as_slice()
            && let Some(table) = part.as_ident()
            && !own.contains_key(&table.value.to_lowercase())
            && let Some(Some(columns)) = outer.iter().rev().find_map(|s| s.get(&table.value.to_lowercase()))
        {
            let column = |c: &Ident| SelectItem::UnnamedExpr(Expr::CompoundIdentifier(vec![table.clone(), c.clone()]));
            expanded.extend(columns.iter().map(column));
            continue;
        }
        expanded.push(item);
    }
    select.projection = expanded;
}

/// Leaves `columns` out of a star, beside those that it leaves out already.
pub(crate) fn except(options: &mut WildcardAdditionalOptions, columns: impl Iterator<Item = Ident>) {
    for column in columns {
        match &mut options.opt_except {
            Some(except) => except.additional_elements.push(column),
            None => {
                options.opt_except = Some(ExceptSelectItem { first_element: column, additional_elements: Vec::new() });
            }
        }
    }
}
