//! Trino's page `uuid`.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::columns::{Call, Resolved, Scalar, Types};
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let uuid = Scalar::new("uuid", Types::Rule(types_of_uuid), random).volatile();
    Functions { scalars: vec![uuid.into()], docs: DOCS, ..Functions::default() }
}

fn types_of_uuid(actual: &[DataType]) -> Option<Resolved> {
    actual.is_empty().then(|| (vec![], types::uuid()))
}

fn random(call: &Call) -> Result<ArrayRef> {
    let values: Vec<_> = (0..call.rows).map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
    let values = FixedSizeBinaryArray::try_from_iter(values.iter().map(|v| &v[..]))?;
    let DataType::Struct(fields) = types::uuid() else {
        return datafusion_common::internal_err!("uuid is carried by a struct");
    };
    Ok(Arc::new(StructArray::try_new_with_length(fields, vec![Arc::new(values)], None, call.rows)?))
}

const DOCS: &[Doc] =
    &[Doc { name: "uuid", page: "uuid", signature: "uuid() -> uuid", example: "cardinality(ARRAY[uuid()]) = 1" }];
