//! What the ledger says of a store as a whole: what it was made from.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::snapshot::EventDataStore;
use crate::{Store, catalogue::Catalogue};

/// The log files that an event data store was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// How many log files met each fate.
    pub fates: BTreeMap<String, u64>,
    /// Their size as delivered, in bytes.
    pub bytes: u64,
    /// Their size uncompressed, in bytes.
    pub inflated: u64,
    /// SHA-256 over the ascending SHA-256 of the log files' contents, each once: the same for every copy of a bucket.
    pub fingerprint: [u8; 32],
}

impl Store {
    /// What an event data store was made from; of one for Insights events, what the store beside it was.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn provenance(&self, store: &EventDataStore) -> Result<Provenance> {
        self.catalogue().provenance(&store.id)
    }
}

impl Catalogue {
    fn provenance(&self, store: &str) -> Result<Provenance> {
        let mut all = Provenance::default();
        let sql =
            "SELECT fate, count(*), sum(bytes), sum(inflated) FROM log_file WHERE event_data_store = ?1 GROUP BY fate";
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query([store])?;
        while let Some(row) = rows.next()? {
            let count = |index| row.get::<_, i64>(index).map(|n| n.max(0) as u64);
            all.fates.insert(row.get(0)?, count(1)?);
            all.bytes += count(2)?;
            all.inflated += count(3)?;
        }
        let sql = "SELECT DISTINCT sha256 FROM log_file WHERE event_data_store = ?1 ORDER BY sha256";
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query([store])?;
        let mut hash = Sha256::new();
        while let Some(row) = rows.next()? {
            hash.update(row.get_ref(0)?.as_blob().unwrap_or_default());
        }
        all.fingerprint = hash.finalize().into();
        Ok(all)
    }
}
