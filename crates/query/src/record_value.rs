//! `"$map_text"(map, key)` and `"$map_nested"(map, key)`: what a record has at a key of an object that became a map column.
//!
//! They differ from `element_at` in telling scalars from objects and arrays, which only keys let them that do not deviate
//! ([`cloudtarn_record::Deviations`]), and in taking the first of two equal keys, as paths do.

use arrow::array::{Array, AsArray, MapArray, StringViewArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use cloudtarn_record::deviations::may_be_nested;
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
        let Some(map) = map.as_map_opt() else { return internal_err!("{} takes a map", self.name()) };
        let (Some(keys), Some(values)) = (map.keys().as_string_view_opt(), map.values().as_string_view_opt()) else {
            return internal_err!("{} takes a map of text", self.name());
        };
        let places = find(map, keys, values, key, self.wanted);
        Ok(ColumnarValue::Array(take(map.values(), &places, None)?))
    }
}

/// Where the wanted values stand among all of the array's, a row.
fn find(map: &MapArray, keys: &StringViewArray, values: &StringViewArray, key: &str, wanted: Wanted) -> UInt32Array {
    let is_wanted =
        |at: usize| values.is_valid(at) && may_be_nested(values.value(at).as_bytes()) == (wanted == Wanted::Nested);
    // Length and first bytes of a key are in its view: few keys are looked at beyond that.
    let first = keys_begin(key);
    let views = keys.views();
    map.offsets()
        .windows(2)
        .enumerate()
        .map(|(row, ends)| {
            let range = ends[0] as usize..ends[1] as usize;
            let at = range.into_iter().find(|at| views[*at] as u64 == first && keys.value(*at) == key)?;
            (map.is_valid(row) && is_wanted(at)).then_some(at as u32)
        })
        .collect()
}

/// The lower half of the key's view.
fn keys_begin(key: &str) -> u64 {
    arrow::array::make_view(key.as_bytes(), 0, 0) as u64
}
