//! `"$like_pattern"(pattern[, escape])`: a LIKE pattern that is no constant, with the backslash as its escape character.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct LikePattern {
    signature: Signature,
}

impl LikePattern {
    pub(crate) fn new() -> Self {
        let text = |n| TypeSignature::Uniform(n, vec![DataType::Utf8View, DataType::Utf8, DataType::LargeUtf8]);
        Self { signature: Signature::one_of(vec![text(1), text(2)], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LikePattern {
    fn name(&self) -> &str {
        "$like_pattern"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts =
            |i: usize| -> Result<_> { Ok(cast(&args.args[i].to_array(args.number_rows)?, &DataType::Utf8View)?) };
        let patterns = texts(0)?;
        let escapes = if args.args.len() > 1 { Some(texts(1)?) } else { None };
        let mut out = Vec::with_capacity(patterns.len());
        for (i, pattern) in patterns.as_string_view().iter().enumerate() {
            let escape = match &escapes {
                None => None,
                Some(escapes) if escapes.is_null(i) => {
                    out.push(None);
                    continue;
                }
                Some(escapes) => {
                    let mut chars = escapes.as_string_view().value(i).chars();
                    match (chars.next(), chars.next()) {
                        (escape, None) => escape,
                        _ => return exec_err!("INVALID_FUNCTION_ARGUMENT: Escape string must be a single character"),
                    }
                }
            };
            out.push(match pattern {
                None => None,
                Some(pattern) => match cloudtarn_dialect::like_pattern(pattern, escape) {
                    Some(pattern) => Some(pattern),
                    None => {
                        return exec_err!(
                            "INVALID_FUNCTION_ARGUMENT: Escape character must be followed by '%', '_' or the escape character itself"
                        );
                    }
                },
            });
        }
        Ok(ColumnarValue::Array(Arc::new(StringViewArray::from(out))))
    }
}
