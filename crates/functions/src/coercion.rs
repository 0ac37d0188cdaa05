//! The type in which values of several types meet.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit};

use crate::pages::datetime;
use crate::types::{self, Type};

/// The common type of two types, None where there is none. `NULL` meets everything.
pub(crate) fn unify(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (DataType::Null, t) | (t, DataType::Null) => return Some(t.clone()),
        _ if types::is_varchar(a) && types::is_varchar(b) => return Some(DataType::Utf8View),
        (
            DataType::Date32 | DataType::Timestamp(_, _) | DataType::Time32(_) | DataType::Time64(_),
            DataType::Date32 | DataType::Timestamp(_, _) | DataType::Time32(_) | DataType::Time64(_),
        ) => return datetime::common(&[a.clone(), b.clone()]),
        (DataType::Interval(IntervalUnit::YearMonth), _) | (_, DataType::Interval(IntervalUnit::YearMonth)) => {
            return None;
        }
        _ => {}
    }
    if let (Some(x), Some(y)) = (types::element(a), types::element(b)) {
        return Some(types::array_of(unify(x.data_type(), y.data_type())?));
    }
    if let (Some((ak, av)), Some((bk, bv))) = (types::entry(a), types::entry(b)) {
        return Some(types::map_of(unify(ak.data_type(), bk.data_type())?, unify(av.data_type(), bv.data_type())?));
    }
    match (a, b) {
        (DataType::Struct(x), DataType::Struct(y)) if x.len() == y.len() && types::is_row(a) && types::is_row(b) => {
            let fields: Option<Vec<_>> = x
                .iter()
                .zip(y)
                .map(|(x, y)| Some(Arc::new(Field::new(x.name(), unify(x.data_type(), y.data_type())?, true))))
                .collect();
            Some(DataType::Struct(fields?.into()))
        }
        _ => number(&Type::of(a), &Type::of(b)).map(|t| t.to_arrow()),
    }
}

/// The common type of any number of types; `unknown` for none.
pub(crate) fn unify_all<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Option<DataType> {
    types.into_iter().try_fold(DataType::Null, |common, t| unify(&common, t))
}

fn rank(t: &Type) -> Option<u8> {
    Some(match t {
        Type::Tinyint => 1,
        Type::Smallint => 2,
        Type::Integer => 3,
        Type::Bigint => 4,
        Type::Decimal(_, _) => 5,
        Type::Real => 6,
        Type::Double => 7,
        _ => return None,
    })
}

fn number(a: &Type, b: &Type) -> Option<Type> {
    let decimal = |t: &Type| match t {
        Type::Tinyint => Some((3, 0)),
        Type::Smallint => Some((5, 0)),
        Type::Integer => Some((10, 0)),
        Type::Bigint => Some((19, 0)),
        Type::Decimal(p, s) => Some((*p, *s)),
        _ => None,
    };
    let (low, high) = if rank(a)? <= rank(b)? { (a, b) } else { (b, a) };
    match (decimal(low), decimal(high), high) {
        (Some((p1, s1)), Some((p2, s2)), Type::Decimal(_, _)) => {
            let scale = s1.max(s2);
            let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
            Some(Type::Decimal((whole + i16::from(scale)).min(38) as u8, scale))
        }
        _ => Some(high.clone()),
    }
}
