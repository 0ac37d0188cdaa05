//! Documents that the API keeps beside the event data stores: queries, imports, policies, channels, dashboards.
//!
//! JSON by kind and id, in a table of its own that programs without the API never look at. What they mean is the API's.

use rusqlite::{OptionalExtension, params};

use crate::Store;
use crate::error::Result;

/// Made where it is missing, so that stores of every age have it.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS document (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    -- What it belongs to, such as an event data store; empty for nothing.
    scope   TEXT NOT NULL,
    created INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS document_age ON document (kind, scope, created, id);
";

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Unique in its kind.
    pub id: String,
    /// What it belongs to; empty for nothing.
    pub scope: String,
    /// UTC milliseconds.
    pub created: i64,
    /// JSON.
    pub body: String,
}

fn of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document { id: row.get(0)?, scope: row.get(1)?, created: row.get(2)?, body: row.get(3)? })
}

impl Store {
    /// Keeps a document, in place of the one of its kind and id if there is one.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn put_document(&self, kind: &str, document: &Document) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO document (kind, id, scope, created, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let catalogue = self.catalogue();
        let mut statement = catalogue.connection().prepare_cached(sql)?;
        statement.execute(params![kind, document.id, document.scope, document.created, document.body])?;
        Ok(())
    }

    /// The document of that kind and id.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn document(&self, kind: &str, id: &str) -> Result<Option<Document>> {
        let sql = "SELECT id, scope, created, body FROM document WHERE kind = ?1 AND id = ?2";
        let catalogue = self.catalogue();
        let mut statement = catalogue.connection().prepare_cached(sql)?;
        Ok(statement.query_row([kind, id], of_row).optional()?)
    }

    /// All documents of a kind, of one scope if it is given; the newest first.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn documents(&self, kind: &str, scope: Option<&str>) -> Result<Vec<Document>> {
        let sql = "SELECT id, scope, created, body FROM document WHERE kind = ?1 AND (?2 IS NULL OR scope = ?2)
                   ORDER BY created DESC, id DESC";
        let catalogue = self.catalogue();
        let mut statement = catalogue.connection().prepare_cached(sql)?;
        let rows = statement.query_map(params![kind, scope], of_row)?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Removes a document; false if there was none.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn remove_document(&self, kind: &str, id: &str) -> Result<bool> {
        let catalogue = self.catalogue();
        let mut statement =
            catalogue.connection().prepare_cached("DELETE FROM document WHERE kind = ?1 AND id = ?2")?;
        Ok(statement.execute([kind, id])? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_kept_replaced_listed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let document = |id: &str, scope: &str, created, body: &str| Document {
            id: id.to_owned(),
            scope: scope.to_owned(),
            created,
            body: body.to_owned(),
        };
        for (id, scope, created) in [("a", "x", 1), ("b", "y", 2), ("c", "x", 3)] {
            store.put_document("query", &document(id, scope, created, "{}")).unwrap();
        }
        store.put_document("import", &document("a", "x", 1, "{}")).unwrap();
        store.put_document("query", &document("a", "x", 1, "[]")).unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        let ids = |scope| store.documents("query", scope).unwrap().into_iter().map(|d| d.id).collect::<String>();
        assert_eq!((ids(None), ids(Some("x")), ids(Some("z"))), ("cba".to_owned(), "ca".to_owned(), String::new()));
        assert_eq!(store.document("query", "a").unwrap(), Some(document("a", "x", 1, "[]")));
        assert!(store.remove_document("query", "a").unwrap() && !store.remove_document("query", "a").unwrap());
        assert_eq!(store.document("query", "a").unwrap(), None);
    }
}
