//! How the catalogue keeps the columns of an event data store that do not tell what its records say ([`Deviations`]): a JSON
//! object of columns, with the keys of a map column that deviate, or `null` for all of a column.
//!
//! One for all of a store, which only grows: what is true of every event is true of any choice of them, whichever files a
//! compaction puts them in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cloudtarn_record::Deviations;
use cloudtarn_record::deviations::Keys;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

type Columns = BTreeMap<String, Option<BTreeSet<String>>>;

pub(crate) fn columns(deviations: &Deviations) -> Columns {
    let keys = |keys: &Keys| match keys {
        Keys::Some(keys) => Some(keys.clone()),
        Keys::All => None,
    };
    deviations.columns().map(|(column, found)| (column.to_owned(), keys(found))).collect()
}

/// Those of an event data store; `catalogue` is the file that the connection is to.
pub(crate) fn of_store(connection: &Connection, catalogue: &Path, store: &str) -> Result<Deviations> {
    let sql = "SELECT deviations FROM event_data_store WHERE id = ?1";
    let text: Option<String> = connection.prepare_cached(sql)?.query_row([store], |row| row.get(0)).optional()?;
    let columns: Columns = serde_json::from_str(text.as_deref().unwrap_or("{}")).map_err(|error| Error::Damaged {
        path: catalogue.to_path_buf(),
        reason: format!("what it says of the columns of event data store {store} cannot be read: {error}"),
    })?;
    Ok(Deviations::new(columns.into_iter().map(|(column, keys)| (column, keys.map_or(Keys::All, Keys::Some)))))
}

/// Adds what deviates among new events of a store.
pub(crate) fn add(connection: &Connection, catalogue: &Path, store: &str, new: &Deviations) -> Result<()> {
    let before = of_store(connection, catalogue, store)?;
    let mut after = before.clone();
    after.merge(new);
    if after != before {
        let text = serde_json::json!(columns(&after)).to_string();
        let sql = "UPDATE event_data_store SET deviations = ?1 WHERE id = ?2";
        connection.prepare_cached(sql)?.execute(params![text, store])?;
    }
    Ok(())
}
