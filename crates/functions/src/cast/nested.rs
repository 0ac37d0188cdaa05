//! Casts of arrays, maps and rows, element by element.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, internal_err};

use super::OnError;
use crate::scalar::fail;
use crate::types::Type;

/// Casts a nested value to one of the same shape. A map whose keys become equal or NULL is refused.
pub(super) fn cast(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    match (to, to.to_arrow()) {
        (Type::Array(element), DataType::List(field)) => {
            let list = crate::lists::as_list(array)?;
            let values = super::cast(list.values(), element, on_error)?;
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (Type::Map(key, value), DataType::Map(field, sorted)) => {
            let map = array.as_map();
            let keys = super::cast(map.keys(), key, on_error)?;
            if keys.null_count() > 0 {
                return fail("INVALID_CAST_ARGUMENT", "map key is null");
            }
            let values = super::cast(map.values(), value, on_error)?;
            let DataType::Struct(fields) = field.data_type() else {
                return internal_err!("a map's entries are a struct");
            };
            let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            let result =
                MapArray::try_new(field.clone(), map.offsets().clone(), entries, map.nulls().cloned(), sorted)?;
            if crate::maps::has_duplicate_keys(&result)? {
                return fail("INVALID_CAST_ARGUMENT", "duplicate keys");
            }
            Ok(Arc::new(result))
        }
        (Type::Row(targets), DataType::Struct(fields)) => {
            let row = array.as_struct();
            let columns = row
                .columns()
                .iter()
                .zip(targets)
                .map(|(column, (_, target))| super::cast(column, target, on_error))
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields, columns, row.nulls().cloned(), row.len())?))
        }
        _ => internal_err!("{to} is not nested"),
    }
}
