//! Trino's page `json`. Every function takes text as well as json values.

mod contains;
mod standard;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Int64Builder, StringViewArray, StringViewBuilder, new_null_array,
};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::cast::{canonical, json_array, json_texts};
use crate::json_path::JsonPath;
use crate::json_text::{self, Json, unescape};
use crate::scalar::{Call, Param, Scalar, accept, invalid};
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let mut scalars = vec![
        json_parse(),
        json_format(),
        over_path("json_extract", types::json(), true, extract),
        over_path("json_extract_scalar", DataType::Utf8View, true, extract_scalar),
        over_path("json_size", DataType::Int64, false, size),
        array_get(),
        array_length(),
        is_scalar(),
    ];
    scalars.push(contains::function());
    scalars.extend(standard::functions());
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

/// A json argument, given as json or as text.
fn document(t: &DataType) -> Option<DataType> {
    accept(t, Param::Json).filter(|_| types::is_json(t)).or_else(|| accept(t, Param::Varchar))
}

/// The texts of a json argument.
pub(super) fn documents(call: &Call<'_>, i: usize) -> Result<ArrayRef> {
    let array = call.array(i)?;
    if types::is_json(array.data_type()) { json_texts(&array) } else { Ok(array) }
}

fn json_parse() -> ScalarUDF {
    Scalar::with(
        "json_parse",
        |t| match t {
            [t] => Some(vec![document(t)?]),
            _ => None,
        },
        |_, _| Ok(types::json()),
        |call| {
            let array = call.array(0)?;
            if types::is_json(array.data_type()) {
                return Ok(array);
            }
            let mut out = StringViewBuilder::with_capacity(array.len());
            for text in array.as_string_view() {
                match text {
                    None => out.append_null(),
                    Some(text) => match canonical(text) {
                        Some(json) => out.append_value(json),
                        None => return invalid(format!("Cannot convert value to JSON: '{text}'")),
                    },
                }
            }
            Ok(json_array(Arc::new(out.finish())))
        },
    )
    .build()
}

fn json_format() -> ScalarUDF {
    Scalar::new("json_format", &[&[Param::Json]], DataType::Utf8View, |call| json_texts(&call.array(0)?)).build()
}

type OverPath = fn(&StringViewArray, &mut dyn FnMut(usize) -> Result<Option<Arc<JsonPath>>>) -> Result<ArrayRef>;

/// A function of a document and a path, which is compiled once where it is constant.
fn over_path(name: &'static str, returns: DataType, lenient: bool, f: OverPath) -> ScalarUDF {
    Scalar::with(
        name,
        |t| match t {
            [d, p] => Some(vec![document(d)?, accept(p, Param::Varchar)?]),
            _ => None,
        },
        move |_, _| Ok(returns.clone()),
        move |call| {
            let texts = documents(call, 0)?;
            let texts = texts.as_string_view();
            match call.constant_text(1) {
                Some(None) => Ok(new_null_array(call.return_type(), texts.len())),
                // A path is looked at only where there is a document.
                Some(Some(_)) if texts.null_count() == texts.len() => {
                    Ok(new_null_array(call.return_type(), texts.len()))
                }
                Some(Some(path)) => {
                    let path = Arc::new(JsonPath::compile(path, lenient)?);
                    f(texts, &mut |_| Ok(Some(path.clone())))
                }
                None => {
                    let paths = call.array(1)?;
                    let paths = paths.as_string_view();
                    let mut last: Option<(String, Arc<JsonPath>)> = None;
                    f(texts, &mut |row| {
                        if paths.is_null(row) {
                            return Ok(None);
                        }
                        let text = paths.value(row);
                        match &last {
                            Some((known, path)) if known == text => Ok(Some(path.clone())),
                            _ => {
                                let path = Arc::new(JsonPath::compile(text, lenient)?);
                                last = Some((text.to_string(), path.clone()));
                                Ok(Some(path))
                            }
                        }
                    })
                }
            }
        },
    )
    .build()
}

fn extract(texts: &StringViewArray, path: &mut dyn FnMut(usize) -> Result<Option<Arc<JsonPath>>>) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(texts.len());
    let mut buffer = String::new();
    for (row, text) in texts.iter().enumerate() {
        buffer.clear();
        match (text, path(row)?) {
            (Some(text), Some(path)) if path.extract(text, &mut buffer) => out.append_value(&buffer),
            _ => out.append_null(),
        }
    }
    Ok(json_array(Arc::new(out.finish())))
}

fn extract_scalar(
    texts: &StringViewArray,
    path: &mut dyn FnMut(usize) -> Result<Option<Arc<JsonPath>>>,
) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let value = match (text, path(row)?) {
            (Some(text), Some(path)) => path.find(text),
            _ => None,
        };
        match value {
            Some(Json::String(s)) => out.append_value(unescape(s)),
            Some(Json::Number(n)) => out.append_value(n),
            Some(Json::Bool(b)) => out.append_value(if b { "true" } else { "false" }),
            _ => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn size(texts: &StringViewArray, path: &mut dyn FnMut(usize) -> Result<Option<Arc<JsonPath>>>) -> Result<ArrayRef> {
    let mut out = Int64Builder::with_capacity(texts.len());
    let mut buffer = String::new();
    for (row, text) in texts.iter().enumerate() {
        let (Some(text), Some(path)) = (text, path(row)?) else {
            out.append_null();
            continue;
        };
        buffer.clear();
        let value = if path.is_many() {
            if path.extract(text, &mut buffer) { json_text::parse(&buffer) } else { None }
        } else {
            path.find(text)
        };
        out.append_option(value.map(|v| match v {
            Json::Array(_) => v.elements().count() as i64,
            Json::Object(_) => v.members().count() as i64,
            _ => 0,
        }));
    }
    Ok(Arc::new(out.finish()))
}

/// Negative indices count from the end. A string is returned without its quotes, as Trino's documentation warns.
fn array_get() -> ScalarUDF {
    Scalar::with(
        "json_array_get",
        |t| match t {
            [d, i] => Some(vec![document(d)?, accept(i, Param::Bigint)?]),
            _ => None,
        },
        |_, _| Ok(types::json()),
        |call| {
            let texts = documents(call, 0)?;
            let indices = call.array(1)?;
            let indices = indices.as_primitive::<Int64Type>();
            let mut out = StringViewBuilder::with_capacity(texts.len());
            let mut buffer = String::new();
            for (text, index) in texts.as_string_view().iter().zip(indices) {
                let array = text.and_then(json_text::parse).filter(|v| matches!(v, Json::Array(_)));
                let element = array.zip(index).and_then(|(array, index)| {
                    let index = if index < 0 { array.elements().count() as i64 + index } else { index };
                    array.elements().nth(usize::try_from(index).ok()?)
                });
                buffer.clear();
                match element {
                    None | Some(Json::Null) => out.append_null(),
                    Some(Json::String(s)) => out.append_value(unescape(s)),
                    Some(v) => {
                        v.write(&mut buffer);
                        out.append_value(&buffer);
                    }
                }
            }
            Ok(json_array(Arc::new(out.finish())))
        },
    )
    .build()
}

fn array_length() -> ScalarUDF {
    Scalar::with(
        "json_array_length",
        |t| match t {
            [d] => Some(vec![document(d)?]),
            _ => None,
        },
        |_, _| Ok(DataType::Int64),
        |call| {
            let texts = documents(call, 0)?;
            let mut out = Int64Builder::with_capacity(texts.len());
            for text in texts.as_string_view() {
                out.append_option(match text.and_then(json_text::parse) {
                    Some(array @ Json::Array(_)) => Some(array.elements().count() as i64),
                    _ => None,
                });
            }
            Ok(Arc::new(out.finish()))
        },
    )
    .build()
}

fn is_scalar() -> ScalarUDF {
    Scalar::with(
        "is_json_scalar",
        |t| match t {
            [d] => Some(vec![document(d)?]),
            _ => None,
        },
        |_, _| Ok(DataType::Boolean),
        |call| {
            let texts = documents(call, 0)?;
            let mut out = BooleanBuilder::with_capacity(texts.len());
            for text in texts.as_string_view() {
                out.append_option(match text {
                    None => None,
                    Some(text) => match json_text::parse(text) {
                        Some(v) => Some(v.is_scalar()),
                        None => return invalid(format!("Invalid JSON value: {text}")),
                    },
                });
            }
            Ok(Arc::new(out.finish()))
        },
    )
    .build()
}

macro_rules! doc {
    ($name:literal, $signature:literal, $example:literal) => {
        Doc { name: $name, page: "json", signature: $signature, example: $example }
    };
}

const DOCS: &[Doc] = &[
    doc!(
        "json_array",
        "json_array(value [FORMAT JSON], … [NULL | ABSENT ON NULL] [RETURNING type]) -> varchar",
        "json_array(1, 'a') = '[1,\"a\"]'"
    ),
    doc!(
        "json_exists",
        "json_exists(json, path [PASSING …] [… ON ERROR]) -> boolean",
        "json_exists('[1, 2]', 'lax $[1]') = true"
    ),
    doc!(
        "json_object",
        "json_object(key : value [FORMAT JSON], … [NULL | ABSENT ON NULL] [WITH UNIQUE KEYS] [RETURNING type]) -> varchar",
        "json_object('a' : 1) = '{\"a\":1}'"
    ),
    doc!("is_json_scalar", "is_json_scalar(json) -> boolean", "is_json_scalar('[1, 2]') = false"),
    doc!(
        "json_array_contains",
        "json_array_contains(json, value) -> boolean",
        "json_array_contains('[1, 2]', 2) = true"
    ),
    doc!("json_array_get", "json_array_get(json, index) -> json", "json_array_get('[\"a\", [3, 9]]', 1) = [3,9]"),
    doc!("json_array_length", "json_array_length(json) -> bigint", "json_array_length('[1, 2, 3]') = 3"),
    doc!(
        "json_extract",
        "json_extract(json, path) -> json",
        "json_extract('{\"items\":[{\"id\":1},{\"id\":2}]}', '$.items[*].id') = [1,2]"
    ),
    doc!(
        "json_extract_scalar",
        "json_extract_scalar(json, path) -> varchar",
        "json_extract_scalar('{\"arn\":\"x\"}', '$.arn') = 'x'"
    ),
    doc!("json_format", "json_format(json) -> varchar", "json_format(JSON '[1, 2]') = '[1,2]'"),
    doc!("json_parse", "json_parse(string) -> json", "json_parse('[1, 2]') = JSON '[1,2]'"),
    doc!(
        "json_query",
        "json_query(json, path [PASSING …] [RETURNING type] [wrapper] [quotes] [… ON EMPTY] [… ON ERROR]) -> varchar",
        "json_query('{\"a\":[1]}', 'lax $.a') = '[1]'"
    ),
    doc!("json_size", "json_size(json, path) -> bigint", "json_size('{\"x\":[1,2,3]}', '$.x') = 3"),
    doc!(
        "json_value",
        "json_value(json, path [PASSING …] [RETURNING type] [… ON EMPTY] [… ON ERROR]) -> varchar",
        "json_value('{\"a\":1}', 'lax $.a') = '1'"
    ),
];
