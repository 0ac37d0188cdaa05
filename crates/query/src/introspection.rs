//! `SHOW TABLES`, `DESCRIBE`, `SHOW COLUMNS`, `SHOW FUNCTIONS`: what there is, as a query that lists it.

use cloudtarn_store::Store;
use datafusion::sql::sqlparser::ast::{ObjectName, ShowStatementIn, Statement};

use crate::error::{Error, Kind, Result};
use crate::{system, tables};

/// The query that answers `statement`, if it asks what there is.
pub(crate) fn query(statement: &Statement, store: Option<&Store>) -> Result<Option<String>> {
    match statement {
        Statement::ShowTables { .. } => {
            let stores = store.map(Store::event_data_stores).transpose()?.unwrap_or_default();
            let rows = stores.into_iter().map(|s| vec![s.id, s.name, s.category.as_str().to_owned()]);
            let own = system::names()
                .map(|name| vec![format!("{}.{name}", system::SCHEMA), name.to_owned(), "the store itself".to_owned()]);
            let rows = rows.chain(own.filter(|_| store.is_some()));
            Ok(Some(values(&["Table", "Name", "Category"], rows.collect())))
        }
        Statement::ExplainTable { table_name, .. } => columns(table_name, store).map(Some),
        Statement::ShowColumns { show_options, .. } => match &show_options.show_in {
            Some(ShowStatementIn { parent_name: Some(name), .. }) => columns(name, store).map(Some),
            _ => Err(Error::new(Kind::SyntaxError, "SHOW COLUMNS FROM which table?")),
        },
        Statement::ShowFunctions { .. } => {
            let rows = cloudtarn_functions::docs().map(|d| {
                let text = |s: &str| s.to_owned();
                vec![text(d.name), text(d.page), text(d.signature), text(d.example)]
            });
            Ok(Some(values(&["Function", "Page", "Signature", "Example"], rows.collect())))
        }
        Statement::Query(_) | Statement::Explain { .. } => Ok(None),
        other => {
            let words: Vec<String> = other.to_string().split_whitespace().take(2).map(str::to_owned).collect();
            Err(Error::new(Kind::NotSupported, format!("{} is not supported", words.join(" "))))
        }
    }
}

fn columns(table: &ObjectName, store: Option<&Store>) -> Result<String> {
    let name = table.0.last().and_then(|p| p.as_ident()).map_or_else(|| table.to_string(), |i| i.value.clone());
    let Some(store) = store else {
        return Err(Error::new(Kind::TableNotFound, format!("'{name}': there is no store to look for it in")));
    };
    let of_system = match table.0.as_slice() {
        [schema, _] if schema.as_ident().is_some_and(|schema| schema.value.eq_ignore_ascii_case(system::SCHEMA)) => {
            system::schema(&name.to_ascii_lowercase())
        }
        _ => None,
    };
    let schema = match of_system {
        Some(schema) => schema,
        None => tables::resolve(store, &name)?.category.schema(),
    };
    let rows = schema.fields().iter().map(|f| {
        vec![f.name().clone(), cloudtarn_functions::types::trino_name(f.data_type()), String::new(), String::new()]
    });
    Ok(values(&["Column", "Type", "Extra", "Comment"], rows.collect()))
}

/// `SELECT * FROM (VALUES …) AS t(…)`; rows may be none.
fn values(names: &[&str], rows: Vec<Vec<String>>) -> String {
    let list = names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>();
    let row = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|c| format!("'{}'", c.replace('\'', "''"))).collect();
        format!("({})", cells.join(", "))
    };
    let empty = rows.is_empty();
    let rows = if empty { vec![row(vec![String::new(); names.len()])] } else { rows.into_iter().map(row).collect() };
    let none = if empty { " WHERE false" } else { "" };
    format!("SELECT {0} FROM (VALUES {1}) AS t({0}){none}", list.join(", "), rows.join(", "))
}
