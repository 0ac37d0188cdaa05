//! The JSON functions of the SQL standard. Their clauses come as one constant JSON text:
//! `"$json_exists"(x, path, clauses, passed…)`, `"$json_value"(x, path, clauses, on empty, on error, passed…)`,
//! `"$json_query"(x, path, clauses, passed…)`, `"$json_object"(clauses, key, value, …)`, `"$json_array"(clauses, value, …)`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, StringViewArray, StringViewBuilder, new_null_array,
};
use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::ScalarUDF;

use crate::cast::{OnError, as_text, cast, json_writer};
use crate::scalar::{Call, Scalar, fail, text_of};
use crate::sql_path::{Item, SqlPath, evaluate};
use crate::types::{self, Type};

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        over_path("$json_exists", 3, |_| Ok(Type::Boolean), exists),
        over_path("$json_value", 5, Clauses::returning, value),
        over_path("$json_query", 3, Clauses::returning, query),
        constructor("$json_object", object),
        constructor("$json_array", array),
    ]
}

/// The clauses of one call.
struct Clauses(Item);

impl Clauses {
    fn of(constant: Option<&ScalarValue>) -> Result<Self> {
        match constant.and_then(text_of).and_then(Item::parse) {
            Some(item) => Ok(Self(item)),
            None => plan_err!("GENERIC_INTERNAL_ERROR: the clauses of a JSON function are a constant"),
        }
    }

    fn get(&self, name: &str) -> Option<&Item> {
        match &self.0 {
            Item::Object(members) => members.iter().find(|(k, _)| k == name).map(|(_, v)| v),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Item::Text(s)) => s,
            _ => "",
        }
    }

    fn list(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Item::Array(items)) => {
                items.iter().map(|i| if let Item::Text(s) = i { s.as_str() } else { "" }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The type to return: varchar unless RETURNING names another.
    fn returning(&self) -> Result<Type> {
        match self.text("returning") {
            "" => Ok(Type::Varchar(None)),
            name => Type::parse(name),
        }
    }
}

/// Text in the one encoding, everything else as it is.
fn plain(t: &DataType) -> DataType {
    if types::is_varchar(t) { DataType::Utf8View } else { t.clone() }
}

type OfRow = fn(&Row<'_>) -> Result<Answer>;

/// What a function says of one row.
enum Answer {
    Null,
    Bool(bool),
    /// JSON text, or the characters of a string.
    Text(String),
    Item(Item),
    /// The value of another argument.
    Argument(usize),
}

struct Row<'a> {
    clauses: &'a Clauses,
    /// The items of the path, or why there are none: kind and message.
    items: std::result::Result<Vec<Item>, (&'static str, String)>,
    to: &'a Type,
}

fn over_path(
    name: &'static str,
    fixed: usize,
    returns: impl Fn(&Clauses) -> Result<Type> + Send + Sync + 'static,
    of_row: OfRow,
) -> ScalarUDF {
    let returns = Arc::new(returns);
    let returned = returns.clone();
    Scalar::with(
        name,
        move |t| (t.len() >= fixed).then(|| t.iter().map(plain).collect()),
        move |t, constants| {
            if let Some(path) = constants.get(1).copied().flatten().and_then(text_of) {
                SqlPath::compile(path)?;
            }
            if t.iter().take(1).any(|t| matches!(t, DataType::Struct(_)) && !types::is_json(t)) {
                return plan_err!("TYPE_MISMATCH: {} is no JSON input", types::trino_name(&t[0]));
            }
            let clauses = Clauses::of(constants[2])?;
            check(name, &clauses)?;
            Ok(returned(&clauses)?.to_arrow())
        },
        move |call| {
            let clauses = Clauses::of(call.constant(2))?;
            let to = returns(&clauses)?;
            let Some(Some(path)) = call.constant_text(1) else {
                return plan_err!("INVALID_PATH: a JSON path must be a constant");
            };
            let path = SqlPath::compile(path)?;
            let formats = clauses.list("format");
            let names = clauses.list("names");
            let input = Inputs::of(&call.array(0)?, true, formats.first().copied().unwrap_or(""))?;
            let passed: Vec<(String, Inputs)> = (fixed..call.len())
                .enumerate()
                .map(|(n, i)| {
                    let format = formats.get(n + 1).copied().unwrap_or("");
                    let name = names.get(n).copied().unwrap_or_default().to_string();
                    Ok((name, Inputs::of(&call.array(i)?, !format.is_empty(), format)?))
                })
                .collect::<Result<_>>()?;
            let mut answers = Vec::with_capacity(call.rows());
            for row in 0..call.rows() {
                if input.is_null(row) {
                    answers.push(Answer::Null);
                    continue;
                }
                let items = items(&path, &input, &passed, row);
                answers.push(of_row(&Row { clauses: &clauses, items, to: &to })?);
            }
            finish(call, answers, &to, &clauses)
        },
    )
    .build()
}

fn check(name: &str, clauses: &Clauses) -> Result<()> {
    let wrapped = matches!(clauses.text("wrapper"), "with" | "conditional");
    if name == "$json_query" && clauses.text("quotes") == "omit" && (wrapped || clauses.text("returning") == "json") {
        return plan_err!("INVALID_FUNCTION_ARGUMENT: OMIT QUOTES behavior specified with a wrapper or RETURNING json");
    }
    Ok(())
}

fn items(
    path: &SqlPath,
    input: &Inputs,
    passed: &[(String, Inputs)],
    row: usize,
) -> std::result::Result<Vec<Item>, (&'static str, String)> {
    const INPUT: &str = "JSON_INPUT_CONVERSION_ERROR";
    let context = input.get(row).map_err(|e| (INPUT, e))?.unwrap_or(Item::Null);
    let mut values = Vec::with_capacity(passed.len());
    for (name, inputs) in passed {
        values.push((name.clone(), inputs.get(row).map_err(|e| (INPUT, e))?));
    }
    evaluate(path, &context, &values).map_err(|e| ("PATH_EVALUATION_ERROR", e.into_owned()))
}

/// JSON documents, or values that become JSON.
enum Inputs {
    Documents(ArrayRef),
    Values(ArrayRef, Box<dyn Fn(usize, &mut String)>),
}

impl Inputs {
    fn of(array: &ArrayRef, document: bool, format: &str) -> Result<Self> {
        if !document || types::is_json(array.data_type()) {
            return Ok(Self::Values(array.clone(), json_writer(array)?));
        }
        Ok(Self::Documents(match array.data_type() {
            DataType::Binary | DataType::BinaryView | DataType::LargeBinary => {
                let bytes = arrow::compute::cast(array, &DataType::Binary)?;
                let texts: StringViewArray =
                    bytes.as_binary::<i32>().iter().map(|b| b.map(|b| decode(b, format))).collect();
                Arc::new(texts)
            }
            DataType::Null => new_null_array(&DataType::Utf8View, array.len()),
            _ => as_text(array)?,
        }))
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Documents(a) => a.is_null(row),
            Self::Values(a, _) => crate::lists::is_null(a, row),
        }
    }

    /// None for a document that is NULL; a value that is NULL is JSON's null.
    fn get(&self, row: usize) -> std::result::Result<Option<Item>, String> {
        match self {
            Self::Documents(a) if a.is_null(row) => Ok(None),
            Self::Documents(a) => {
                let text = a.as_string_view().value(row);
                Item::parse(text).map(Some).ok_or_else(|| format!("conversion to JSON failed: {text}"))
            }
            Self::Values(_, write) => {
                let mut text = String::new();
                write(row, &mut text);
                Ok(Some(Item::parse(&text).unwrap_or(Item::Null)))
            }
        }
    }
}

fn decode(bytes: &[u8], format: &str) -> String {
    match format {
        "utf16" => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        "utf32" => bytes
            .chunks_exact(4)
            .map(|c| char::from_u32(u32::from_le_bytes([c[0], c[1], c[2], c[3]])).unwrap_or('\u{fffd}'))
            .collect(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn encode(text: &str, format: &str) -> Vec<u8> {
    match format {
        "utf16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf32" => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

fn exists(row: &Row<'_>) -> Result<Answer> {
    Ok(match (&row.items, row.clauses.text("error")) {
        (Ok(items), _) => Answer::Bool(!items.is_empty()),
        (Err((kind, message)), "error") => return fail(kind, message),
        (Err(_), "true") => Answer::Bool(true),
        (Err(_), "unknown") => Answer::Null,
        (Err(_), _) => Answer::Bool(false),
    })
}

/// What ON EMPTY or ON ERROR says.
fn otherwise(row: &Row<'_>, clause: &str, argument: usize, kind: &'static str, message: &str) -> Result<Answer> {
    Ok(match row.clauses.text(clause) {
        "error" => return fail(kind, message),
        "default" => Answer::Argument(argument),
        "array" => Answer::Text("[]".into()),
        "object" => Answer::Text("{}".into()),
        _ => Answer::Null,
    })
}

fn value(row: &Row<'_>) -> Result<Answer> {
    const RESULT: &str = "JSON_VALUE_RESULT_ERROR";
    let on_error = |kind, message: &str| otherwise(row, "error", 4, kind, message);
    match &row.items {
        Err((kind, message)) => on_error(*kind, message),
        Ok(items) => match items.as_slice() {
            [] => otherwise(row, "empty", 3, RESULT, "JSON path found no items"),
            [Item::Null] => Ok(Answer::Null),
            [Item::Array(_) | Item::Object(_)] => on_error(RESULT, "JSON path found an item that is no scalar"),
            [one] if convertible(one, row.to) => Ok(Answer::Item(one.clone())),
            [_] => on_error(RESULT, "cannot convert the item to the returned type"),
            _ => on_error(RESULT, "JSON path found multiple items"),
        },
    }
}

/// Whether a scalar item has a value in a type.
fn convertible(item: &Item, to: &Type) -> bool {
    let text: ArrayRef = Arc::new(StringViewArray::from_iter_values([scalar_text(item)]));
    cast(&text, to, OnError::Fail).is_ok()
}

/// The characters of a scalar item.
fn scalar_text(item: &Item) -> String {
    match item {
        Item::Text(s) => s.clone(),
        other => {
            let mut out = String::new();
            other.write(&mut out);
            out
        }
    }
}

fn query(row: &Row<'_>) -> Result<Answer> {
    const RESULT: &str = "JSON_OUTPUT_CONVERSION_ERROR";
    let items = match &row.items {
        Err((kind, message)) => return otherwise(row, "error", 0, kind, message),
        Ok(items) => items,
    };
    let wrap = match (row.clauses.text("wrapper"), items.as_slice()) {
        (_, []) => return otherwise(row, "empty", 0, RESULT, "JSON path found no items"),
        ("with", _) => true,
        ("conditional", [Item::Array(_) | Item::Object(_)]) => false,
        ("conditional", _) => true,
        (_, [_]) => false,
        _ => return otherwise(row, "error", 0, RESULT, "JSON path found multiple items"),
    };
    Ok(match items.as_slice() {
        [Item::Text(s)] if !wrap && row.clauses.text("quotes") == "omit" => Answer::Text(s.clone()),
        [one] if !wrap => {
            let mut out = String::new();
            one.write(&mut out);
            Answer::Text(out)
        }
        all => {
            let mut out = String::new();
            Item::Array(all.to_vec()).write(&mut out);
            Answer::Text(out)
        }
    })
}

/// Answers as an array of the returned type.
fn finish(call: &Call<'_>, answers: Vec<Answer>, to: &Type, clauses: &Clauses) -> Result<ArrayRef> {
    if *to == Type::Boolean && answers.iter().all(|a| matches!(a, Answer::Null | Answer::Bool(_))) {
        let mut out = BooleanBuilder::with_capacity(answers.len());
        for a in answers {
            out.append_option(if let Answer::Bool(b) = a { Some(b) } else { None });
        }
        return Ok(Arc::new(out.finish()));
    }
    let mut texts = StringViewBuilder::with_capacity(answers.len());
    // Where a default stands in: which argument.
    let mut defaults = Vec::with_capacity(answers.len());
    for a in answers {
        defaults.push(if let Answer::Argument(i) = a { Some(i) } else { None });
        match a {
            Answer::Null | Answer::Argument(_) => texts.append_null(),
            Answer::Bool(b) => texts.append_value(if b { "true" } else { "false" }),
            Answer::Text(s) => texts.append_value(s),
            Answer::Item(item) => texts.append_value(scalar_text(&item)),
        }
    }
    let values = output(Arc::new(texts.finish()), to, clauses)?;
    if defaults.iter().all(Option::is_none) {
        return Ok(values);
    }
    let empty = cast(&call.array(3)?, to, OnError::Fail)?;
    let error = cast(&call.array(4)?, to, OnError::Fail)?;
    let picks: Vec<(usize, usize)> = defaults
        .iter()
        .enumerate()
        .map(|(row, d)| match d {
            Some(3) => (1, row),
            Some(_) => (2, row),
            None => (0, row),
        })
        .collect();
    Ok(arrow::compute::interleave(&[values.as_ref(), empty.as_ref(), error.as_ref()], &picks)?)
}

/// JSON text in the returned type; binaries in the encoding that FORMAT JSON names.
fn output(texts: ArrayRef, to: &Type, clauses: &Clauses) -> Result<ArrayRef> {
    match to {
        Type::Varbinary => {
            let mut out = BinaryBuilder::new();
            for text in texts.as_string_view() {
                match text {
                    Some(text) => out.append_value(encode(text, clauses.text("output"))),
                    None => out.append_null(),
                }
            }
            Ok(Arc::new(out.finish()))
        }
        Type::Json => Ok(crate::cast::json_array(texts)),
        _ => cast(&texts, to, OnError::Fail),
    }
}

type Build = fn(&Clauses, &[Option<Item>]) -> Result<Item>;

fn constructor(name: &'static str, build: Build) -> ScalarUDF {
    Scalar::with(
        name,
        |t| (!t.is_empty()).then(|| t.iter().map(plain).collect()),
        |_, constants| Ok(Clauses::of(constants[0])?.returning()?.to_arrow()),
        move |call| {
            let clauses = Clauses::of(call.constant(0))?;
            let to = clauses.returning()?;
            let formats = clauses.list("format");
            let object = name == "$json_object";
            let inputs: Vec<Inputs> = (1..call.len())
                .map(|i| {
                    let n = i - 1;
                    let is_key = object && n % 2 == 0;
                    let format = if object { formats.get(n / 2) } else { formats.get(n) }.copied().unwrap_or("");
                    Inputs::of(&call.array(i)?, !is_key && !format.is_empty(), format)
                })
                .collect::<Result<_>>()?;
            let mut texts = StringViewBuilder::with_capacity(call.rows());
            let mut buffer = String::new();
            for row in 0..call.rows() {
                let values: Vec<Option<Item>> = inputs
                    .iter()
                    .map(|input| if input.is_null(row) { Ok(None) } else { input.get(row) })
                    .collect::<std::result::Result<_, String>>()
                    .map_err(|e| DataFusionError::Execution(format!("JSON_INPUT_CONVERSION_ERROR: {e}")))?;
                buffer.clear();
                build(&clauses, &values)?.write(&mut buffer);
                texts.append_value(&buffer);
            }
            output(Arc::new(texts.finish()), &to, &clauses)
        },
    )
    .build()
}

fn object(clauses: &Clauses, values: &[Option<Item>]) -> Result<Item> {
    let mut members: Vec<(String, Item)> = Vec::new();
    for pair in values.chunks(2) {
        let key = match pair.first() {
            Some(Some(Item::Text(key))) => key.clone(),
            _ => {
                return fail(
                    "INVALID_FUNCTION_ARGUMENT",
                    "null value passed for JSON object key to JSON_OBJECT function",
                );
            }
        };
        let value = match pair.get(1).cloned().flatten() {
            Some(value) => value,
            None if clauses.text("null") == "absent" => continue,
            None => Item::Null,
        };
        if clauses.text("unique") == "true" && members.iter().any(|(k, _)| *k == key) {
            return fail("INVALID_FUNCTION_ARGUMENT", "duplicate key passed to JSON_OBJECT function");
        }
        members.push((key, value));
    }
    Ok(Item::Object(members))
}

fn array(clauses: &Clauses, values: &[Option<Item>]) -> Result<Item> {
    let keep = clauses.text("null") == "null";
    Ok(Item::Array(values.iter().filter(|v| keep || v.is_some()).map(|v| v.clone().unwrap_or(Item::Null)).collect()))
}
