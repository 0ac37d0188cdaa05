//! `ntile`, whose number of buckets may differ from row to row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::Result;
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};
use datafusion_physical_expr::PhysicalExpr;

use crate::columns::{invalid, known};
use crate::scalar::refused;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Ntile {
    signature: Signature,
}

impl Ntile {
    pub(super) fn new() -> Self {
        Ntile { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl WindowUDFImpl for Ntile {
    fn name(&self) -> &str {
        "ntile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, actual: &[DataType]) -> Result<Vec<DataType>> {
        match actual {
            [n] if n.is_integer() || n.is_null() => Ok(vec![DataType::Int64]),
            _ => Err(refused("ntile", actual)),
        }
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Evaluator))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, true)))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug)]
struct Evaluator;

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let buckets = values[0].as_primitive::<Int64Type>();
        let bucket = |row: usize| -> Result<Option<i64>> {
            let buckets = known!(buckets.is_valid(row).then(|| buckets.value(row)));
            if buckets <= 0 {
                return Err(invalid("Buckets must be greater than 0"));
            }
            Ok(Some(bucket_of(row as i64, rows as i64, buckets)))
        };
        Ok(Arc::new((0..rows).map(bucket).collect::<Result<Int64Array>>()?))
    }
}

/// The bucket of a row; the first buckets take the rows that an even split would leave over.
fn bucket_of(row: i64, rows: i64, buckets: i64) -> i64 {
    let (each, rest) = (rows / buckets, rows % buckets);
    if row < (each + 1) * rest { row / (each + 1) + 1 } else { (row - rest) / each + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_buckets_are_larger() {
        let of = |rows, buckets| (0..rows).map(|row| bucket_of(row, rows, buckets)).collect::<Vec<_>>();
        assert_eq!(of(5, 3), [1, 1, 2, 2, 3]);
        assert_eq!(of(2, 4), [1, 2]);
        assert_eq!(of(4, 2), [1, 1, 2, 2]);
    }
}
