//! Casts to json and from it.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringViewArray, StringViewBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type};
use datafusion_common::{Result, internal_err};

use super::number::Number;
use super::{OnError, cannot, json_array, json_texts};
use crate::json_text::{self, Json, unescape};
use crate::lists::{as_list, bounds};
use crate::scalar::fail;
use crate::text::{self, Formatter, Style};
use crate::types::{self, Type};

/// Whether json may be cast to a type.
pub(super) fn from_json_allowed(to: &Type) -> bool {
    match to {
        Type::Boolean
        | Type::Tinyint
        | Type::Smallint
        | Type::Integer
        | Type::Bigint
        | Type::Real
        | Type::Double
        | Type::Decimal(_, _)
        | Type::Varchar(_)
        | Type::Json => true,
        Type::Array(element) => from_json_allowed(element),
        Type::Map(key, value) => key_allowed(key) && from_json_allowed(value),
        Type::Row(fields) => fields.iter().all(|(_, t)| from_json_allowed(t)),
        _ => false,
    }
}

fn key_allowed(key: &Type) -> bool {
    from_json_allowed(key) && !matches!(key, Type::Array(_) | Type::Map(_, _) | Type::Row(_) | Type::Json)
}

/// Whether a type may be cast to json.
pub(super) fn to_json_allowed(from: &Type) -> bool {
    match from {
        Type::Unknown
        | Type::Boolean
        | Type::Tinyint
        | Type::Smallint
        | Type::Integer
        | Type::Bigint
        | Type::Real
        | Type::Double
        | Type::Decimal(_, _)
        | Type::Varchar(_)
        | Type::Char(_)
        | Type::Date
        | Type::Timestamp(_)
        | Type::Json => true,
        Type::Array(element) => to_json_allowed(element),
        Type::Map(key, value) => {
            to_json_allowed(value)
                && to_json_allowed(key)
                && !matches!(**key, Type::Array(_) | Type::Map(_, _) | Type::Row(_))
        }
        Type::Row(fields) => fields.iter().all(|(_, t)| to_json_allowed(t)),
        _ => false,
    }
}

/// Writes each value as JSON; NULL stays NULL at the top and is `null` inside.
pub(super) fn to_json(array: &ArrayRef) -> Result<ArrayRef> {
    let write = writer(array)?;
    let mut out = StringViewBuilder::with_capacity(array.len());
    let mut buffer = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
        } else {
            buffer.clear();
            write(row, &mut buffer);
            out.append_value(&buffer);
        }
    }
    Ok(json_array(Arc::new(out.finish())))
}

/// Appends the JSON of a row's value.
pub(crate) type Write = Box<dyn Fn(usize, &mut String)>;

/// Writes values of an array as JSON, `null` for NULL.
pub(crate) fn writer(array: &ArrayRef) -> Result<Write> {
    let nulls = array.nulls().cloned();
    let write: Write = match array.data_type() {
        DataType::Null => Box::new(|_, out| out.push_str("null")),
        DataType::Float32 => {
            let a = array.as_primitive::<Float32Type>().clone();
            Box::new(move |row, out| {
                float(a.value(row).is_finite(), |o| text::real(a.value(row), Style::Result, o), out);
            })
        }
        DataType::Float64 => {
            let a = array.as_primitive::<Float64Type>().clone();
            Box::new(move |row, out| {
                float(a.value(row).is_finite(), |o| text::double(a.value(row), Style::Result, o), out);
            })
        }
        DataType::Decimal128(_, scale) => {
            let a = array.as_primitive::<Decimal128Type>().clone();
            let scale = *scale;
            Box::new(move |row, out| text::decimal(a.value(row), scale, out))
        }
        t if t.is_integer() || matches!(t, DataType::Boolean) => {
            let f = Formatter::new(array, Style::Result)?;
            Box::new(move |row, out| {
                f.write(row, out);
            })
        }
        t if types::is_array(t) => {
            let list = as_list(array)?;
            let element = writer(list.values())?;
            Box::new(move |row, out| {
                out.push('[');
                for (n, i) in bounds(list.value_offsets(), row).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    element(i, out);
                }
                out.push(']');
            })
        }
        DataType::Map(_, _) => map_writer(array.as_map())?,
        t if types::is_json(t) => {
            let texts = json_texts(array)?;
            let texts = texts.as_string_view().clone();
            Box::new(move |row, out| out.push_str(if texts.is_null(row) { "null" } else { texts.value(row) }))
        }
        t if types::is_row(t) => row_writer(array.as_struct())?,
        _ => {
            let f = Formatter::new(array, Style::Result)?;
            Box::new(move |row, out| {
                let mut s = String::new();
                f.write(row, &mut s);
                json_text::quote(&s, out);
            })
        }
    };
    Ok(Box::new(move |row, out| {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            out.push_str("null");
        } else {
            write(row, out);
        }
    }))
}

/// JSON has no NaN and no infinity: they become strings.
fn float(finite: bool, write: impl Fn(&mut String), out: &mut String) {
    if finite {
        write(out);
    } else {
        out.push('"');
        write(out);
        out.push('"');
    }
}

fn map_writer(map: &MapArray) -> Result<Write> {
    let map = map.clone();
    let key = if types::is_json(map.keys().data_type()) { json_texts(map.keys())? } else { map.keys().clone() };
    let key = Formatter::new(&key, Style::Result)?;
    let value = writer(map.values())?;
    Ok(Box::new(move |row, out| {
        let mut members: Vec<(String, usize)> = bounds(map.value_offsets(), row)
            .map(|i| {
                let mut name = String::new();
                key.write(i, &mut name);
                (name, i)
            })
            .collect();
        members.sort();
        out.push('{');
        for (n, (name, i)) in members.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            json_text::quote(name, out);
            out.push(':');
            value(*i, out);
        }
        out.push('}');
    }))
}

/// A row is an object; anonymous fields have the empty name.
fn row_writer(row: &StructArray) -> Result<Write> {
    let names = match Type::of(row.data_type()) {
        Type::Row(fields) => fields.into_iter().map(|(name, _)| name.unwrap_or_default()).collect(),
        _ => Vec::new(),
    };
    let fields: Vec<(String, Write)> =
        names.into_iter().zip(row.columns()).map(|(n, c)| Ok((n, writer(c)?))).collect::<Result<_>>()?;
    Ok(Box::new(move |row, out| {
        out.push('{');
        for (n, (name, value)) in fields.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            json_text::quote(name, out);
            out.push(':');
            value(row, out);
        }
        out.push('}');
    }))
}

/// Reads json values into a type. JSON `null` becomes NULL, except in `array(json)` and the like.
pub(super) fn from_json(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let texts = json_texts(array)?;
    let texts: &StringViewArray = texts.as_string_view();
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        values.push(match text {
            None => None,
            Some(text) => {
                let outcome = match json_text::parse(text) {
                    Some(v) => Ok(v),
                    None => cannot(text, to),
                };
                let value = on_error.settle(outcome)?;
                match (value, on_error) {
                    // A nested value that fails anywhere fails as a whole: it is tried alone first.
                    (Some(v), OnError::Null) if !v.is_scalar() => build(&[Some(v)], to, OnError::Fail).ok().map(|_| v),
                    (v, _) => v,
                }
            }
        });
    }
    build(&values, to, on_error)
}

/// Builds an array of a type from JSON values.
fn build(values: &[Option<Json<'_>>], to: &Type, on_error: OnError) -> Result<ArrayRef> {
    match to {
        Type::Json => {
            let mut out = StringViewBuilder::with_capacity(values.len());
            let mut buffer = String::new();
            for v in values {
                match v {
                    None => out.append_null(),
                    Some(v) => {
                        buffer.clear();
                        v.write(&mut buffer);
                        out.append_value(&buffer);
                    }
                }
            }
            Ok(json_array(Arc::new(out.finish())))
        }
        Type::Varchar(length) => {
            let mut out = StringViewBuilder::with_capacity(values.len());
            for v in values {
                let text = match v {
                    Some(v) => on_error.settle(varchar(*v, to))?.flatten(),
                    None => None,
                };
                let outcome = match (&text, length) {
                    (Some(s), Some(n)) if s.chars().count() > *n as usize => cannot(s, to),
                    _ => Ok(()),
                };
                match (text, on_error.settle(outcome)?) {
                    (Some(s), Some(())) => out.append_value(s),
                    _ => out.append_null(),
                }
            }
            Ok(Arc::new(out.finish()))
        }
        Type::Array(element) => {
            let mut children = Vec::new();
            let mut lengths = Vec::with_capacity(values.len());
            let mut valid = Vec::with_capacity(values.len());
            for v in values {
                let before = children.len();
                match v {
                    Some(a @ Json::Array(_)) => children.extend(a.elements().map(Some)),
                    None | Some(Json::Null) => {}
                    Some(other) => mismatched(*other, to, on_error)?,
                }
                valid.push(matches!(v, Some(Json::Array(_))));
                lengths.push(children.len() - before);
            }
            let DataType::List(field) = to.to_arrow() else {
                return internal_err!("{to} is carried by a list");
            };
            let children = build(&children, element, on_error)?;
            let offsets = OffsetBuffer::from_lengths(lengths);
            Ok(Arc::new(ListArray::try_new(field, offsets, children, Some(NullBuffer::from(valid)))?))
        }
        Type::Map(key, value) => map(values, key, value, to, on_error),
        Type::Row(fields) => row(values, fields, to, on_error),
        _ => scalars(values, to, on_error),
    }
}

fn mismatched(value: Json<'_>, to: &Type, on_error: OnError) -> Result<()> {
    let mut shown = String::new();
    value.write(&mut shown);
    on_error.settle(cannot(shown, to)).map(|_: Option<()>| ())
}

fn map(values: &[Option<Json<'_>>], key: &Type, value: &Type, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let (mut keys, mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for v in values {
        let before = keys.len();
        match v {
            Some(o @ Json::Object(_)) => {
                for (k, item) in o.members() {
                    keys.push(Some(Json::String(k)));
                    items.push(Some(item));
                }
            }
            None | Some(Json::Null) => {}
            Some(other) => mismatched(*other, to, on_error)?,
        }
        valid.push(matches!(v, Some(Json::Object(_))));
        lengths.push(keys.len() - before);
    }
    let DataType::Map(field, sorted) = to.to_arrow() else {
        return internal_err!("{to} is carried by a map");
    };
    let DataType::Struct(entry_fields) = field.data_type() else {
        return internal_err!("a map's entries are a struct");
    };
    let keys = build(&keys, key, on_error)?;
    let items = build(&items, value, on_error)?;
    if keys.null_count() > 0 {
        return fail("INVALID_CAST_ARGUMENT", format!("Cannot cast to {to}: map key is null"));
    }
    let entries = StructArray::try_new(entry_fields.clone(), vec![keys, items], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let result = MapArray::try_new(field, offsets, entries, Some(NullBuffer::from(valid)), sorted)?;
    if crate::maps::has_duplicate_keys(&result)? {
        return fail("INVALID_CAST_ARGUMENT", format!("Cannot cast to {to}. Duplicate keys are not allowed"));
    }
    Ok(Arc::new(result))
}

fn row(
    values: &[Option<Json<'_>>],
    fields: &[(Option<String>, Type)],
    to: &Type,
    on_error: OnError,
) -> Result<ArrayRef> {
    let mut columns: Vec<Vec<Option<Json<'_>>>> = vec![vec![None; values.len()]; fields.len()];
    let mut valid = Vec::with_capacity(values.len());
    for (i, v) in values.iter().enumerate() {
        match v {
            Some(a @ Json::Array(_)) => {
                let mut n = 0;
                for (at, item) in a.elements().enumerate() {
                    n = at + 1;
                    if let Some(column) = columns.get_mut(at) {
                        column[i] = Some(item);
                    }
                }
                if n != fields.len() {
                    mismatched(*a, to, on_error)?;
                }
            }
            Some(o @ Json::Object(_)) => {
                for (k, item) in o.members() {
                    let name = unescape(k);
                    let at = fields
                        .iter()
                        .position(|(f, _)| f.as_deref().is_some_and(|f| f == name || f.eq_ignore_ascii_case(&name)));
                    if let Some(column) = at.and_then(|at| columns.get_mut(at)) {
                        column[i] = Some(item);
                    }
                }
            }
            None | Some(Json::Null) => {}
            Some(other) => mismatched(*other, to, on_error)?,
        }
        valid.push(matches!(v, Some(Json::Array(_) | Json::Object(_))));
    }
    let DataType::Struct(arrow_fields) = to.to_arrow() else {
        return internal_err!("{to} is carried by a struct");
    };
    let columns =
        columns.iter().zip(fields).map(|(column, (_, t))| build(column, t, on_error)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(arrow_fields, columns, Some(NullBuffer::from(valid)), values.len())?))
}

/// A JSON scalar as varchar: numbers with a fraction or an exponent become doubles first.
fn varchar<'a>(value: Json<'a>, to: &Type) -> Result<Option<Cow<'a, str>>> {
    Ok(Some(match value {
        Json::Null => return Ok(None),
        Json::Bool(b) => Cow::Borrowed(if b { "true" } else { "false" }),
        Json::String(s) => unescape(s),
        Json::Number(n) if is_integer(n) => Cow::Borrowed(n),
        Json::Number(n) => {
            let mut out = String::new();
            text::double(n.parse().unwrap_or(f64::NAN), Style::Cast, &mut out);
            Cow::Owned(out)
        }
        other => {
            let mut shown = String::new();
            other.write(&mut shown);
            return cannot(shown, to);
        }
    }))
}

/// Whether a number is written without fraction and exponent.
pub(crate) fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

fn scalars(values: &[Option<Json<'_>>], to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let texts: Vec<Cow<'_, str>> = values
        .iter()
        .map(|v| match v {
            Some(Json::String(s)) => unescape(s),
            _ => Cow::Borrowed(""),
        })
        .collect();
    let numbers = values
        .iter()
        .zip(&texts)
        .map(|(v, text)| match v {
            None | Some(Json::Null) => Ok(None),
            Some(v) => on_error.settle(number_of(*v, text, to)),
        })
        .collect::<Result<Vec<_>>>()?;
    super::number::build(numbers.len(), |i| numbers[i], to, on_error)
}

/// The number that a JSON scalar is cast as; `text` is the characters of a string.
fn number_of<'a>(value: Json<'a>, text: &'a str, to: &Type) -> Result<Number<'a>> {
    match value {
        Json::Bool(b) => Ok(Number::Boolean(b)),
        Json::String(_) => Ok(Number::Text(text)),
        Json::Number(n) if matches!(to, Type::Decimal(_, _)) => Ok(Number::Text(n)),
        Json::Number(n) => match n.parse::<i64>() {
            Ok(v) => Ok(Number::Integer(v)),
            Err(_) if is_integer(n) && !matches!(to, Type::Double | Type::Real) => cannot(n, to),
            Err(_) => Ok(Number::Double(n.parse().unwrap_or(f64::NAN))),
        },
        other => {
            let mut shown = String::new();
            other.write(&mut shown);
            cannot(shown, to)
        }
    }
}
