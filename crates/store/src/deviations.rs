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

#[cfg(test)]
mod tests {
    use cloudtarn_record::EventCategory;

    use crate::Store;
    use crate::compaction::When;
    use crate::writer::tests::{commit, file, record};

    /// A record with a field in place of its region.
    fn with(id: &str, day: u32, field: &str) -> String {
        record(id, day, "x").replace(r#""awsRegion":"us-east-1""#, field)
    }

    #[test]
    fn every_commit_adds_and_compaction_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let store = || Store::open(folder.path()).unwrap();
        let found = || {
            let store = store();
            let snapshot = store.snapshot(&store.standard(EventCategory::CloudTrail).unwrap()).unwrap();
            (snapshot.deviations, snapshot.files.len())
        };
        commit(folder.path(), file("1", &[with("a", 1, r#""requestParameters":{"a":"x"}"#)]));
        let (none, _) = found();
        assert!(none.is_empty());
        // A reader from before learns of it too.
        let reader = store();
        let main = reader.standard(EventCategory::CloudTrail).unwrap();
        assert!(reader.snapshot(&main).unwrap().deviations.is_empty());
        commit(folder.path(), file("2", &[with("b", 2, r#""requestParameters":{"a":"{}"}"#)]));
        commit(folder.path(), file("3", &[with("c", 3, r#""requestParameters":{"b":"[1]"},"errorCode":{}"#)]));
        commit(folder.path(), file("4", &[with("d", 4, r#""x":1"#)]));
        let (some, files) = found();
        assert!(some.has_key("requestparameters", "a") && some.has_key("requestparameters", "b"));
        assert!(!some.has_key("requestparameters", "c") && some.has_column("errorcode"));
        assert_eq!(reader.snapshot(&main).unwrap().deviations, some);
        assert_eq!(files, 4);
        crate::writer::compact(folder.path(), &main, When::Always).unwrap();
        assert_eq!(found(), (some, 1));
    }
}
