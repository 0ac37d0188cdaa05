//! `CAST` and `TRY_CAST` between Trino's types.

mod json;
mod nested;
mod number;
mod temporal;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder, StructArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::preimage::PreimageResult;
use datafusion_expr::simplify::ExprSimplifyResult;
use datafusion_expr::{Expr, ScalarUDF};

use crate::json_text;
use crate::pages::datetime;
use crate::scalar::{Param, Scalar, accept, fail, text_of};
use crate::temporal::{Zone, parse_timestamp};
use crate::text::{Formatter, Style};
use crate::types::{self, Type};

pub(crate) use json::{Write as JsonWrite, writer as json_writer};
pub(crate) use number::rescale;
pub(crate) use temporal::utc_clock;

/// What becomes of a value that has no counterpart in the target type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// The query fails (`CAST`).
    Fail,
    /// The value becomes NULL (`TRY_CAST`).
    Null,
}

impl OnError {
    /// The outcome of one value.
    pub(crate) fn settle<T>(self, outcome: Result<T>) -> Result<Option<T>> {
        match (outcome, self) {
            (Ok(v), _) => Ok(Some(v)),
            (Err(_), Self::Null) => Ok(None),
            (Err(e), Self::Fail) => Err(e),
        }
    }
}

/// `INVALID_CAST_ARGUMENT: Cannot cast 'a' to bigint`.
pub(crate) fn cannot<T>(value: impl std::fmt::Display, to: &Type) -> Result<T> {
    fail("INVALID_CAST_ARGUMENT", format!("Cannot cast '{value}' to {to}"))
}

/// The functions that `CAST` and `TRY_CAST` are lowered to.
pub(crate) fn functions() -> Vec<ScalarUDF> {
    vec![declare("$cast", OnError::Fail), declare("$try_cast", OnError::Null)]
}

fn declare(name: &'static str, on_error: OnError) -> ScalarUDF {
    Scalar::with(
        name,
        |types| match types {
            [value, target] => Some(vec![plain(value), accept(target, Param::Varchar)?]),
            _ => None,
        },
        move |arguments, constants| {
            let target = target_of(constants)?;
            let to = resolve(&target, &arguments[0], constants[0]);
            if !castable(&Type::of(&arguments[0]), &to) {
                return plan_err!("TYPE_MISMATCH: Cannot cast {} to {to}", types::trino_name(&arguments[0]));
            }
            Ok(to.to_arrow())
        },
        move |call| {
            let target = match call.constant_text(1) {
                Some(Some(text)) => Type::parse(text)?,
                _ => {
                    return plan_err!("SYNTAX_ERROR: the target of a cast must be a constant type name");
                }
            };
            let to = with_zone_of(&target, call.return_type());
            cast(&call.array(0)?, &to, on_error)
        },
    )
    .simplify(simplify)
    .preimage(|args, literal, info| {
        Ok(match args {
            [_, Expr::Literal(target, _)] if text_of(target).is_some_and(|t| t.eq_ignore_ascii_case("date")) => {
                datetime::date_preimage(args, literal, info)
            }
            _ => PreimageResult::None,
        })
    })
    .build()
}

fn plain(t: &DataType) -> DataType {
    if types::is_varchar(t) { DataType::Utf8View } else { t.clone() }
}

fn target_of(constants: &[Option<&ScalarValue>]) -> Result<Type> {
    match constants.get(1).copied().flatten().and_then(text_of) {
        Some(text) => Type::parse(text),
        None => plan_err!("SYNTAX_ERROR: the target of a cast must be a constant type name"),
    }
}

/// The target with the zone that the result column has: the source's own, or that of a constant text, or UTC.
fn resolve(target: &Type, source: &DataType, constant: Option<&ScalarValue>) -> Type {
    let Type::TimestampTz(p, None) = target else {
        return target.clone();
    };
    let zone = match source {
        DataType::Timestamp(_, Some(zone)) => Some(zone.clone()),
        _ => constant
            .and_then(text_of)
            .and_then(parse_timestamp)
            .and_then(|parsed| parsed.zone.and_then(Zone::parse))
            .map(|zone| Arc::from(zone.name())),
    };
    Type::TimestampTz(*p, Some(zone.unwrap_or_else(|| Arc::from("UTC"))))
}

fn with_zone_of(target: &Type, result: &DataType) -> Type {
    match (target, result) {
        (Type::TimestampTz(p, _), DataType::Timestamp(_, zone)) => Type::TimestampTz(*p, zone.clone()),
        _ => target.clone(),
    }
}

/// Casts that DataFusion does alike become its own, so that they fold into scans; a cast to the same type vanishes.
fn simplify(mut args: Vec<Expr>, info: &datafusion_expr::simplify::SimplifyContext) -> Result<ExprSimplifyResult> {
    let [value, Expr::Literal(target, _)] = args.as_slice() else {
        return Ok(ExprSimplifyResult::Original(args));
    };
    let (Some(to), Ok(from)) = (text_of(target).and_then(|t| Type::parse(t).ok()), info.get_data_type(value)) else {
        return Ok(ExprSimplifyResult::Original(args));
    };
    let constant = match value {
        Expr::Literal(v, _) => Some(v),
        _ => None,
    };
    let to = resolve(&to, &from, constant);
    let arrow = to.to_arrow();
    if matches!(to, Type::Varchar(Some(_)) | Type::Char(_)) {
        return Ok(ExprSimplifyResult::Original(args));
    }
    if arrow == from
        && !matches!(to, Type::Timestamp(p) | Type::TimestampTz(p, _) | Type::Time(p) if !matches!(p, 0 | 3 | 6 | 9))
    {
        return Ok(ExprSimplifyResult::Simplified(args.swap_remove(0)));
    }
    let widening = matches!(
        (&from, &arrow),
        (DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64, DataType::Int64 | DataType::Float64)
            | (DataType::Int8 | DataType::Int16, DataType::Int32)
            | (DataType::Int8, DataType::Int16)
            | (DataType::Float32, DataType::Float64)
            | (DataType::Date32, DataType::Timestamp(_, None))
    );
    if widening {
        return Ok(ExprSimplifyResult::Simplified(Expr::Cast(datafusion_expr::Cast::new(
            Box::new(args.swap_remove(0)),
            arrow,
        ))));
    }
    Ok(ExprSimplifyResult::Original(args))
}

/// Whether Trino (or, for nested values to varchar, CloudTrail Lake's users) may cast between two types.
pub(crate) fn castable(from: &Type, to: &Type) -> bool {
    use Type as T;
    let number = |t: &Type| {
        matches!(t, T::Tinyint | T::Smallint | T::Integer | T::Bigint | T::Real | T::Double | T::Decimal(_, _))
    };
    let text = |t: &Type| matches!(t, T::Varchar(_) | T::Char(_));
    let moment = |t: &Type| matches!(t, T::Date | T::Timestamp(_) | T::TimestampTz(_, _));
    let clock = |t: &Type| matches!(t, T::Time(_) | T::TimeTz(_));
    match (from, to) {
        (T::Unknown, _) => true,
        (T::Array(f), T::Array(t)) => castable(f, t),
        (T::Map(fk, fv), T::Map(tk, tv)) => castable(fk, tk) && castable(fv, tv),
        (T::Row(f), T::Row(t)) => f.len() == t.len() && f.iter().zip(t).all(|((_, f), (_, t))| castable(f, t)),
        (T::Json, t) => json::from_json_allowed(t),
        (f, T::Json) => json::to_json_allowed(f),
        (T::Boolean, t) => number(t) || text(t) || matches!(t, T::Boolean),
        (f, t) if number(f) => number(t) || text(t) || matches!(t, T::Boolean),
        (f, T::Varbinary) => text(f) || matches!(f, T::Varbinary | T::Ipaddress | T::Uuid),
        (f, t) if text(f) => {
            number(t) || text(t) || moment(t) || clock(t) || matches!(t, T::Boolean | T::Ipaddress | T::Uuid)
        }
        (T::Varbinary, t) => matches!(t, T::Ipaddress | T::Uuid),
        (T::IntervalDay, t) => text(t) || matches!(t, T::IntervalDay),
        (T::IntervalYear, t) => text(t) || matches!(t, T::IntervalYear),
        (f, t) if moment(f) => moment(t) || text(t) || (clock(t) && !matches!(f, T::Date)),
        (f, t) if clock(f) => clock(t) || text(t) || matches!(t, T::Timestamp(_) | T::TimestampTz(_, _)),
        (T::Ipaddress, t) => matches!(t, T::Ipaddress) || text(t),
        (T::Uuid, t) => matches!(t, T::Uuid) || text(t),
        (T::Array(_) | T::Map(_, _) | T::Row(_), t) => text(t),
        _ => false,
    }
}

/// Casts every value of an array.
///
/// # Errors
/// `TYPE_MISMATCH` where there is no such cast; with [`OnError::Fail`] also what Trino says of the first value that
/// has no counterpart.
pub(crate) fn cast(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    if let DataType::Dictionary(_, value) = array.data_type() {
        return cast(&arrow::compute::cast(array, value)?, to, on_error);
    }
    let from = Type::of(array.data_type());
    let arrow_type = to.to_arrow();
    if from == Type::Unknown {
        return Ok(new_null_array(&arrow_type, array.len()));
    }
    match (&from, to) {
        (Type::Array(_), Type::Array(_)) | (Type::Map(_, _), Type::Map(_, _)) | (Type::Row(_), Type::Row(_)) => {
            nested::cast(array, to, on_error)
        }
        (Type::Json, Type::Json) => Ok(array.clone()),
        (Type::Json, _) => json::from_json(array, to, on_error),
        (_, Type::Json) => json::to_json(array),
        (_, Type::Varchar(_) | Type::Char(_)) => to_text(array, &from, to, on_error),
        (
            _,
            Type::Boolean
            | Type::Tinyint
            | Type::Smallint
            | Type::Integer
            | Type::Bigint
            | Type::Real
            | Type::Double
            | Type::Decimal(_, _),
        ) => number::cast(array, to, on_error),
        (_, Type::Date | Type::Time(_) | Type::TimeTz(_) | Type::Timestamp(_) | Type::TimestampTz(_, _)) => {
            temporal::cast(array, to, on_error)
        }
        (_, Type::Ipaddress | Type::Uuid) => to_address(array, to, on_error),
        (Type::Ipaddress | Type::Uuid, Type::Varbinary) => {
            Ok(arrow::compute::cast(array.as_struct().column(0), &DataType::Binary)?)
        }
        _ if array.data_type() == &arrow_type => Ok(array.clone()),
        (Type::Varchar(_) | Type::Char(_), Type::Varbinary) => {
            Ok(arrow::compute::cast(&arrow::compute::cast(array, &DataType::Utf8)?, &DataType::Binary)?)
        }
        (Type::Varbinary, Type::Varbinary) | (Type::IntervalDay, Type::IntervalDay) => {
            Ok(arrow::compute::cast(array, &arrow_type)?)
        }
        _ => plan_err!("TYPE_MISMATCH: Cannot cast {from} to {to}"),
    }
}

/// Text in the one encoding that the rest reads.
pub(crate) fn as_text(array: &ArrayRef) -> Result<ArrayRef> {
    if array.data_type() == &DataType::Utf8View {
        Ok(array.clone())
    } else {
        Ok(arrow::compute::cast(array, &DataType::Utf8View)?)
    }
}

/// `CAST(x AS varchar(n))` cuts text and refuses to cut anything else; `char(n)` also pads.
fn to_text(array: &ArrayRef, from: &Type, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let (length, pad) = match to {
        Type::Varchar(n) => (n.map(|n| n as usize), false),
        Type::Char(n) => (Some(*n as usize), true),
        _ => (None, false),
    };
    let was_text = matches!(from, Type::Varchar(_) | Type::Char(_));
    if was_text && length.is_none() {
        return as_text(array);
    }
    let formatter = Formatter::new(array, Style::Cast)?;
    let mut out = StringViewBuilder::with_capacity(array.len());
    let mut buffer = String::new();
    for row in 0..array.len() {
        buffer.clear();
        if !formatter.write(row, &mut buffer) {
            out.append_null();
            continue;
        }
        if let Some(length) = length {
            let end = buffer.char_indices().nth(length).map(|(i, _)| i);
            match end {
                Some(end) if was_text => buffer.truncate(end),
                Some(_) => {
                    let error: Result<()> =
                        fail("INVALID_CAST_ARGUMENT", format!("Value {buffer} cannot be represented as {to}"));
                    on_error.settle(error)?;
                    out.append_null();
                    continue;
                }
                None if pad => {
                    let missing = length - buffer.chars().count();
                    buffer.extend(std::iter::repeat_n(' ', missing));
                }
                None => {}
            }
        }
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

/// Text or sixteen bytes to an ipaddress or a uuid.
fn to_address(array: &ArrayRef, to: &Type, on_error: OnError) -> Result<ArrayRef> {
    let arrow_type = to.to_arrow();
    if array.data_type() == &arrow_type {
        return Ok(array.clone());
    }
    let mut out = arrow::array::FixedSizeBinaryBuilder::with_capacity(array.len(), 16);
    let mut append = |parsed: Option<[u8; 16]>, shown: &dyn Fn() -> String| -> Result<()> {
        let outcome = match parsed {
            Some(bytes) => Ok(bytes),
            None => cannot(shown(), to),
        };
        match on_error.settle(outcome)? {
            Some(bytes) => Ok(out.append_value(bytes)?),
            None => {
                out.append_null();
                Ok(())
            }
        }
    };
    let mut nulls = Vec::with_capacity(array.len());
    if types::is_varchar(array.data_type()) {
        let text = as_text(array)?;
        for value in text.as_string_view() {
            nulls.push(value.is_some());
            match value {
                Some(v) => append(parse_address(v, to), &|| v.to_string())?,
                None => append(Some([0; 16]), &String::new)?,
            }
        }
    } else {
        let bytes = arrow::compute::cast(array, &DataType::Binary)?;
        for value in bytes.as_binary::<i32>() {
            nulls.push(value.is_some());
            match value {
                Some(v) => append(address_of_bytes(v, to), &|| format!("{} bytes", v.len()))?,
                None => append(Some([0; 16]), &String::new)?,
            }
        }
    }
    let values = out.finish();
    let valid = arrow::buffer::NullBuffer::from(nulls);
    let nulls = arrow::buffer::NullBuffer::union(Some(&valid), values.nulls());
    match arrow_type {
        DataType::Struct(fields) => Ok(Arc::new(StructArray::try_new(fields, vec![Arc::new(values)], nulls)?)),
        other => Err(DataFusionError::Internal(format!("{to} is carried by {other}"))),
    }
}

fn parse_address(text: &str, to: &Type) -> Option<[u8; 16]> {
    if *to == Type::Ipaddress {
        return match text.parse().ok()? {
            std::net::IpAddr::V4(v4) => Some(v4.to_ipv6_mapped().octets()),
            std::net::IpAddr::V6(v6) => Some(v6.octets()),
        };
    }
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|g| g.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let value = u128::from_str_radix(&groups.concat(), 16).ok()?;
    Some(value.to_be_bytes())
}

fn address_of_bytes(bytes: &[u8], to: &Type) -> Option<[u8; 16]> {
    match (bytes.len(), to) {
        (16, _) => bytes.try_into().ok(),
        (4, Type::Ipaddress) => {
            let v4: [u8; 4] = bytes.try_into().ok()?;
            Some(std::net::Ipv4Addr::from(v4).to_ipv6_mapped().octets())
        }
        _ => None,
    }
}

/// A json array from canonical texts.
pub(crate) fn json_array(texts: ArrayRef) -> ArrayRef {
    let nulls = texts.nulls().cloned();
    match types::json() {
        DataType::Struct(fields) => Arc::new(StructArray::new(fields, vec![texts], nulls)),
        _ => texts,
    }
}

/// The texts of a json array.
pub(crate) fn json_texts(array: &ArrayRef) -> Result<ArrayRef> {
    let structure = array.as_struct();
    let texts = as_text(structure.column(0))?;
    match structure.nulls() {
        None => Ok(texts),
        Some(nulls) => {
            let view = texts.as_string_view().clone();
            let nulls = arrow::buffer::NullBuffer::union(Some(nulls), view.nulls());
            let (views, buffers, _) = view.into_parts();
            Ok(Arc::new(arrow::array::StringViewArray::try_new(views, buffers, nulls)?))
        }
    }
}

/// Canonical json texts from texts, for `json_parse`.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    json_text::parse(text)?.write_canonical(&mut out);
    Some(out)
}
