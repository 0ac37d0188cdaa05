//! `"$map_text"(map, key)` and `"$map_nested"(map, key)`: what a record has at a key of an object that became a map column. The map
//! may be given as the text that it has at the key.
//!
//! They differ from `element_at` in telling scalars from objects and arrays, which only keys let them that do not deviate
//! ([`cloudtarn_record::Deviations`]), and in taking the first of two equal keys, as paths do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::nullif;
use arrow::datatypes::DataType;
use cloudtarn_record::deviations::may_be_nested;
use cloudtarn_record::shredded::values_at;
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

/// Which values are given; the others are NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    /// Strings, numbers and booleans, as `json_extract_scalar` gives them.
    Scalars,
    /// Objects and arrays, as their JSON text.
    Nested,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RecordValue {
    wanted: Wanted,
    signature: Signature,
}

/// The call for a key of a map column.
pub(crate) fn call(wanted: Wanted, map: Expr, key: &str) -> Expr {
    let function = RecordValue { wanted, signature: Signature::any(2, Volatility::Immutable) };
    ScalarUDF::from(function).call(vec![map, lit(ScalarValue::Utf8View(Some(key.to_owned())))])
}

impl ScalarUDFImpl for RecordValue {
    fn name(&self) -> &str {
        match self.wanted {
            Wanted::Scalars => "$map_text",
            Wanted::Nested => "$map_nested",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [map, ColumnarValue::Scalar(ScalarValue::Utf8View(Some(key)))] = args.args.as_slice() else {
            return internal_err!("{} takes a map and a constant key", self.name());
        };
        let map = map.to_array(args.number_rows)?;
        let values = match map.data_type() {
            DataType::Utf8View => map,
            _ => values_at(&map, key)?,
        };
        Ok(ColumnarValue::Array(only(&values, self.wanted)?))
    }
}

/// The wanted among some values.
fn only(values: &ArrayRef, wanted: Wanted) -> Result<ArrayRef> {
    let Some(texts) = values.as_string_view_opt() else { return internal_err!("values of a map are text") };
    let unwanted: BooleanArray = (0..texts.len())
        .map(|row| {
            let is_nested = texts.is_valid(row) && may_be_nested(texts.value(row).as_bytes());
            Some(is_nested != (wanted == Wanted::Nested))
        })
        .collect();
    // Few columns hold both.
    if unwanted.true_count() == 0 {
        return Ok(Arc::clone(values));
    }
    Ok(nullif(values, &unwanted)?)
}
