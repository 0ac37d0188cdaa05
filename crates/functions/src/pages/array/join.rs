//! `array_join`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::ScalarUDF;

use crate::cast::{OnError, cast};
use crate::lists::{as_list, bounds};
use crate::scalar::{Call, Param, Scalar, accept};
use crate::types::{self, Type};

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        Scalar::with(
            "array_join",
            |t| {
                let (array, rest) = t.split_first()?;
                if !(1..=2).contains(&rest.len()) {
                    return None;
                }
                let mut out = vec![accept(array, Param::Array)?];
                for t in rest {
                    out.push(accept(t, Param::Varchar)?);
                }
                Some(out)
            },
            |t, _| match types::element(&t[0]).map(|f| Type::of(f.data_type())) {
                Some(Type::Map(_, _) | Type::Row(_) | Type::Array(_)) => {
                    plan_err!("OPERATOR_NOT_FOUND: Input type {} not supported", types::trino_name(&t[0]))
                }
                _ => Ok(DataType::Utf8View),
            },
            join,
        )
        .build(),
    ]
}

/// Elements as `CAST(… AS varchar)` writes them; NULL elements are left out unless there is a replacement.
fn join(call: &Call<'_>) -> Result<ArrayRef> {
    let list = as_list(&call.array(0)?)?;
    let texts = cast(list.values(), &Type::Varchar(None), OnError::Fail)?;
    let texts = texts.as_string_view();
    let delimiters = call.array(1)?;
    let delimiters = delimiters.as_string_view();
    let replacements = if call.len() > 2 { Some(call.array(2)?) } else { None };
    let mut out = StringViewBuilder::with_capacity(list.len());
    let mut buffer = String::new();
    for row in 0..list.len() {
        if list.is_null(row) || delimiters.is_null(row) || replacements.as_ref().is_some_and(|r| r.is_null(row)) {
            out.append_null();
            continue;
        }
        buffer.clear();
        let mut first = true;
        for i in bounds(list.value_offsets(), row) {
            let text = if texts.is_valid(i) {
                texts.value(i)
            } else {
                match &replacements {
                    Some(r) => r.as_string_view().value(row),
                    None => continue,
                }
            };
            if !std::mem::take(&mut first) {
                buffer.push_str(delimiters.value(row));
            }
            buffer.push_str(text);
        }
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}
