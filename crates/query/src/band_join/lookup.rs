//! What the held side of a band join tells the other side's scan: which keys it has.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::common::hash_utils::create_hashes;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use super::build::Build;

/// Whether any of the held rows may have the keys. Different keys with the same hash pass too.
#[derive(Debug)]
pub(super) struct KeyLookup {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    builds: Arc<Vec<Arc<Build>>>,
}

impl KeyLookup {
    pub(super) fn new(keys: Vec<Arc<dyn PhysicalExpr>>, builds: Vec<Arc<Build>>) -> Self {
        Self { keys, builds: Arc::new(builds) }
    }
}

impl fmt::Display for KeyLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key_lookup")
    }
}

impl PartialEq for KeyLookup {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && Arc::ptr_eq(&self.builds, &other.builds)
    }
}

impl Eq for KeyLookup {}

impl Hash for KeyLookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keys.hash(state);
        Arc::as_ptr(&self.builds).hash(state);
    }
}

impl PhysicalExpr for KeyLookup {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let evaluate = |key: &Arc<dyn PhysicalExpr>| key.evaluate(batch)?.into_array(rows);
        let keys = self.keys.iter().map(evaluate).collect::<Result<Vec<ArrayRef>>>()?;
        let mut held = vec![false; rows];
        let mut hashed = None;
        let mut hashes = vec![0; rows];
        for build in self.builds.iter() {
            if hashed != Some(build.groups.seed()) {
                hashes.fill(0);
                create_hashes(&keys, &build.groups.state(), &mut hashes)?;
                hashed = Some(build.groups.seed());
            }
            // Runs of equal keys are long.
            let mut last = None;
            for (held, hash) in held.iter_mut().zip(&hashes) {
                let found = match last {
                    Some((known, found)) if known == *hash => found,
                    _ => build.groups.find(*hash).is_some(),
                };
                last = Some((*hash, found));
                *held |= found;
            }
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(held))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.keys.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, keys: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self { keys, builds: Arc::clone(&self.builds) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key_lookup")
    }
}
