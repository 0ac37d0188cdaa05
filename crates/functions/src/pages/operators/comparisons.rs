//! Comparisons that Arrow's kernels answer otherwise than Trino: of arrays, maps and rows (NULL where a NULL inside decides,
//! maps without regard to the order of entries), and of doubles (NaN equals nothing and is neither less nor greater, and
//! zero has no sign, where Arrow has a total order).

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, DynComparator, ListArray, MapArray, make_comparator,
};
use arrow::buffer::NullBuffer;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::coercion::unify;
use crate::lists::{as_list, bounds, is_null};
use crate::scalar::Scalar;
use crate::types;

/// `"$equal"` and its five kin, which comparisons of nested values and of doubles are lowered to.
pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        equality("$equal", true),
        equality("$not_equal", false),
        order("$less_than", Ordering::is_lt),
        order("$less_than_or_equal", Ordering::is_le),
        order("$greater_than", Ordering::is_gt),
        order("$greater_than_or_equal", Ordering::is_ge),
    ]
}

fn both(t: &[DataType]) -> Option<Vec<DataType>> {
    let [a, b] = t else { return None };
    let common = unify(a, b)?;
    Some(vec![common.clone(), common])
}

fn equality(name: &'static str, wanted: bool) -> ScalarUDF {
    Scalar::with(
        name,
        both,
        |_, _| Ok(DataType::Boolean),
        move |call| {
            let (a, b) = (call.array(0)?, call.array(1)?);
            if let Some(answers) = floats(&a, &b, |order| (order == Some(Ordering::Equal)) == wanted) {
                return Ok(Arc::new(answers));
            }
            let pair = Pair::of(&a, &b)?;
            let mut out = BooleanBuilder::with_capacity(call.rows());
            for row in 0..call.rows() {
                out.append_option(pair.equal(row, row).map(|e| e == wanted));
            }
            Ok(Arc::new(out.finish()))
        },
    )
    .build()
}

fn order(name: &'static str, holds: fn(Ordering) -> bool) -> ScalarUDF {
    Scalar::with(
        name,
        |t| both(t).filter(|t| !matches!(t[0], DataType::Map(_, _))),
        |_, _| Ok(DataType::Boolean),
        move |call| {
            let (a, b) = (call.array(0)?, call.array(1)?);
            if let Some(answers) = floats(&a, &b, |order| order.is_some_and(holds)) {
                return Ok(Arc::new(answers));
            }
            let pair = Pair::of(&a, &b)?;
            let mut out = BooleanBuilder::with_capacity(call.rows());
            for row in 0..call.rows() {
                out.append_option(pair.compare(row, row).map(holds));
            }
            Ok(Arc::new(out.finish()))
        },
    )
    .build()
}

/// What `holds` of each pair of floating-point numbers, which have no order where one is NaN; None for other types.
fn floats(a: &ArrayRef, b: &ArrayRef, holds: impl Fn(Option<Ordering>) -> bool) -> Option<BooleanArray> {
    Some(match a.data_type() {
        DataType::Float64 => {
            let (a, b) = (a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>());
            BooleanArray::from_binary(a, b, |a, b| holds(a.partial_cmp(&b)))
        }
        DataType::Float32 => {
            let (a, b) = (a.as_primitive::<Float32Type>(), b.as_primitive::<Float32Type>());
            BooleanArray::from_binary(a, b, |a, b| holds(a.partial_cmp(&b)))
        }
        _ => return None,
    })
}

/// Compares values of leaves; NaN is less than everything here, NaN included, so that it equals nothing.
fn comparator(a: &ArrayRef, b: &ArrayRef) -> Result<DynComparator> {
    let order = |order: Option<Ordering>| order.unwrap_or(Ordering::Less);
    Ok(match a.data_type() {
        DataType::Float64 => {
            let (a, b) = (a.as_primitive::<Float64Type>().clone(), b.as_primitive::<Float64Type>().clone());
            Box::new(move |i, j| order(a.value(i).partial_cmp(&b.value(j))))
        }
        DataType::Float32 => {
            let (a, b) = (a.as_primitive::<Float32Type>().clone(), b.as_primitive::<Float32Type>().clone());
            Box::new(move |i, j| order(a.value(i).partial_cmp(&b.value(j))))
        }
        _ => make_comparator(a, b, SortOptions::default())?,
    })
}

/// Two arrays of one type whose values are compared with each other.
enum Pair {
    Leaf(ArrayRef, ArrayRef, Option<DynComparator>),
    List(ListArray, ListArray, Box<Pair>),
    Map(MapArray, MapArray, Box<Pair>, Box<Pair>),
    Row([Option<NullBuffer>; 2], Vec<Pair>),
}

impl Pair {
    fn of(a: &ArrayRef, b: &ArrayRef) -> Result<Self> {
        Ok(match a.data_type() {
            t if types::is_array(t) => {
                let (a, b) = (as_list(a)?, as_list(b)?);
                let inner = Self::of(a.values(), b.values())?;
                Self::List(a, b, Box::new(inner))
            }
            DataType::Map(_, _) => {
                let (a, b) = (a.as_map().clone(), b.as_map().clone());
                let keys = Self::of(a.keys(), b.keys())?;
                let values = Self::of(a.values(), b.values())?;
                Self::Map(a, b, Box::new(keys), Box::new(values))
            }
            t if types::is_row(t) => {
                let (a, b) = (a.as_struct(), b.as_struct());
                let fields = a.columns().iter().zip(b.columns()).map(|(a, b)| Self::of(a, b)).collect::<Result<_>>()?;
                Self::Row([a.nulls().cloned(), b.nulls().cloned()], fields)
            }
            DataType::Null => Self::Leaf(a.clone(), b.clone(), None),
            _ => {
                let compare = comparator(a, b)?;
                Self::Leaf(a.clone(), b.clone(), Some(compare))
            }
        })
    }

    /// None where a NULL decides.
    fn equal(&self, i: usize, j: usize) -> Option<bool> {
        match self {
            Self::Leaf(a, b, compare) => {
                let compare = compare.as_ref().filter(|_| !is_null(a, i) && !is_null(b, j))?;
                Some(compare(i, j).is_eq())
            }
            Self::List(a, b, inner) => {
                if a.is_null(i) || b.is_null(j) {
                    return None;
                }
                let (x, y) = (bounds(a.value_offsets(), i), bounds(b.value_offsets(), j));
                if x.len() != y.len() {
                    return Some(false);
                }
                all(x.zip(y).map(|(i, j)| inner.equal(i, j)))
            }
            Self::Map(a, b, keys, values) => {
                if a.is_null(i) || b.is_null(j) {
                    return None;
                }
                let (x, y) = (bounds(a.value_offsets(), i), bounds(b.value_offsets(), j));
                if x.len() != y.len() {
                    return Some(false);
                }
                all(x.map(|i| match y.clone().find(|j| keys.equal(i, *j) == Some(true)) {
                    Some(j) => values.equal(i, j),
                    None => Some(false),
                }))
            }
            Self::Row([a, b], fields) => {
                let null = |n: &Option<NullBuffer>, i| n.as_ref().is_some_and(|n| n.is_null(i));
                if null(a, i) || null(b, j) {
                    return None;
                }
                all(fields.iter().map(|f| f.equal(i, j)))
            }
        }
    }

    /// None where a NULL decides.
    fn compare(&self, i: usize, j: usize) -> Option<Ordering> {
        match self {
            Self::Leaf(a, b, compare) => {
                let compare = compare.as_ref().filter(|_| !is_null(a, i) && !is_null(b, j))?;
                Some(compare(i, j))
            }
            Self::List(a, b, inner) => {
                if a.is_null(i) || b.is_null(j) {
                    return None;
                }
                let (x, y) = (bounds(a.value_offsets(), i), bounds(b.value_offsets(), j));
                let lengths = x.len().cmp(&y.len());
                for (i, j) in x.zip(y) {
                    let order = inner.compare(i, j)?;
                    if order.is_ne() {
                        return Some(order);
                    }
                }
                Some(lengths)
            }
            Self::Row(_, fields) => {
                self.equal(i, j)?;
                for f in fields {
                    let order = f.compare(i, j)?;
                    if order.is_ne() {
                        return Some(order);
                    }
                }
                Some(Ordering::Equal)
            }
            Self::Map(..) => None,
        }
    }
}

/// False where one is, else unknown where one is.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for answer in answers {
        match answer {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}
