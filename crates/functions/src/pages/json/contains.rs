//! `json_array_contains`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use super::{document, documents};
use crate::json_text::{self, Json, equals};
use crate::scalar::{Call, Param, Scalar, accept};

pub(super) fn function() -> ScalarUDF {
    Scalar::with(
        "json_array_contains",
        |t| {
            let [d, value] = t else { return None };
            let value = match value {
                DataType::Null => DataType::Utf8View,
                v => {
                    [Param::Boolean, Param::Bigint, Param::Double, Param::Varchar].iter().find_map(|p| accept(v, *p))?
                }
            };
            Some(vec![document(d)?, value])
        },
        |_, _| Ok(DataType::Boolean),
        contains,
    )
    .build()
}

/// NULL where the document is no array; a value of another type is never contained.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = documents(call, 0)?;
    let values = call.array(1)?;
    let is_same = |row: usize, element: Json<'_>| -> bool {
        match (values.data_type(), element) {
            (DataType::Boolean, Json::Bool(b)) => values.as_boolean().value(row) == b,
            (DataType::Int64, Json::Number(n)) => n.parse() == Ok(values.as_primitive::<Int64Type>().value(row)),
            (DataType::Float64, Json::Number(n)) => {
                let wanted = values.as_primitive::<Float64Type>().value(row);
                n.contains(['.', 'e', 'E']) && n.parse::<f64>().is_ok_and(|v| v.is_finite() && v == wanted)
            }
            (DataType::Utf8View, Json::String(s)) => equals(s, values.as_string_view().value(row)),
            _ => false,
        }
    };
    let mut out = BooleanBuilder::with_capacity(texts.len());
    for (row, text) in texts.as_string_view().iter().enumerate() {
        let array = text.filter(|_| values.is_valid(row)).and_then(json_text::parse);
        out.append_option(match array {
            Some(array @ Json::Array(_)) => Some(array.elements().any(|e| is_same(row, e))),
            _ => None,
        });
    }
    Ok(Arc::new(out.finish()))
}
