//! The arithmetic operators: `"$add"`, `"$subtract"`, `"$multiply"`, `"$divide"`, `"$modulus"` and `"$negate"`.
//!
//! Integers are checked, decimals follow Trino's rules of precision and scale, dates and times meet intervals.

mod comparisons;
mod decimals;
mod moments;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Scalar as ArrowScalar};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, DurationMillisecondType, Float64Type, IntervalYearMonthType};
use arrow::error::ArrowError;
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{BinaryExpr, Expr, Operator, ScalarUDF};

use crate::Functions;
use crate::scalar::{Call, Scalar, fail};
use crate::types::{self, Type};

/// One of the five binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulus,
}

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let mut scalars = comparisons::functions();
    scalars.extend([
        binary("$add", Op::Add),
        binary("$subtract", Op::Subtract),
        binary("$multiply", Op::Multiply),
        binary("$divide", Op::Divide),
        binary("$modulus", Op::Modulus),
        negate(),
    ]);
    Functions { scalars, ..Functions::default() }
}

fn is_number(t: &Type) -> bool {
    matches!(
        t,
        Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint | Type::Real | Type::Double | Type::Decimal(_, _)
    )
}

/// The decimal that an integer type becomes beside a decimal.
fn as_decimal(t: &Type) -> Option<(u8, i8)> {
    Some(match t {
        Type::Tinyint => (3, 0),
        Type::Smallint => (5, 0),
        Type::Integer => (10, 0),
        Type::Bigint => (19, 0),
        Type::Decimal(p, s) => (*p, *s),
        _ => return None,
    })
}

fn rank(t: &Type) -> u8 {
    match t {
        Type::Tinyint => 1,
        Type::Smallint => 2,
        Type::Integer => 3,
        Type::Bigint => 4,
        Type::Decimal(_, _) => 5,
        Type::Real => 6,
        _ => 7,
    }
}

/// The types that two numbers are computed in.
fn numbers(a: &Type, b: &Type) -> (Type, Type) {
    if let (Type::Decimal(_, _), Some((p, s))) = (a, as_decimal(b)) {
        return (a.clone(), Type::Decimal(p, s));
    }
    if let (Some((p, s)), Type::Decimal(_, _)) = (as_decimal(a), b) {
        return (Type::Decimal(p, s), b.clone());
    }
    let wider = if rank(a) >= rank(b) { a } else { b };
    (wider.clone(), wider.clone())
}

fn coerce(op: Op, arguments: &[DataType]) -> Option<Vec<DataType>> {
    let [left, right] = arguments else {
        return None;
    };
    let (a, b) = (Type::of(left), Type::of(right));
    let (a, b) = match (&a, &b) {
        (Type::Unknown, Type::Unknown) => (Type::Bigint, Type::Bigint),
        (Type::Unknown, other) if is_number(other) => (other.clone(), other.clone()),
        (other, Type::Unknown) if is_number(other) => (other.clone(), other.clone()),
        _ => (a, b),
    };
    if is_number(&a) && is_number(&b) {
        let (a, b) = numbers(&a, &b);
        return Some(vec![a.to_arrow(), b.to_arrow()]);
    }
    moments::coerce(op, left, right)
}

fn binary(name: &'static str, op: Op) -> ScalarUDF {
    Scalar::with(
        name,
        move |t| coerce(op, t),
        move |t, _| match (Type::of(&t[0]), Type::of(&t[1])) {
            (Type::Decimal(p1, s1), Type::Decimal(p2, s2)) => decimals::result(op, (p1, s1), (p2, s2)),
            (a, b) if is_number(&a) && is_number(&b) => Ok(t[0].clone()),
            _ => moments::result(op, &t[0], &t[1]),
        },
        move |call| {
            let (left, right) = (call.array(0)?, call.array(1)?);
            match (left.data_type(), right.data_type()) {
                (DataType::Decimal128(_, _), DataType::Decimal128(_, _)) => {
                    decimals::compute(op, &left, &right, call.return_type())
                }
                (a, b) if a == b && a.is_numeric() => number(op, call, &left, &right),
                _ => moments::compute(op, &left, &right, call.return_type()),
            }
        },
    )
    .simplify(move |args, info| simplify(op, args, info))
    .build()
}

/// Doubles are computed by DataFusion's own operators: they never fail.
fn simplify(op: Op, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let float = |e: &Expr| matches!(info.get_data_type(e), Ok(DataType::Float64 | DataType::Float32));
    if !args.iter().all(float) {
        return Ok(ExprSimplifyResult::Original(args));
    }
    let native = match op {
        Op::Add => Operator::Plus,
        Op::Subtract => Operator::Minus,
        Op::Multiply => Operator::Multiply,
        Op::Divide => Operator::Divide,
        Op::Modulus => Operator::Modulo,
    };
    match <[Expr; 2]>::try_from(args) {
        Ok([left, right]) => Ok(ExprSimplifyResult::Simplified(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(left),
            native,
            Box::new(right),
        )))),
        Err(args) => Ok(ExprSimplifyResult::Original(args)),
    }
}

/// Integers and floats, by Arrow's checked kernels.
fn number(op: Op, call: &Call<'_>, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    // A constant stays one value, which the kernels know to repeat.
    let one = |i: usize, array: &ArrayRef| -> Result<Box<dyn Datum>> {
        Ok(match call.constant(i) {
            Some(value) => Box::new(ArrowScalar::new(value.to_array()?)),
            None => Box::new(array.clone()),
        })
    };
    let (l, r) = (one(0, left)?, one(1, right)?);
    let (l, r): (&dyn Datum, &dyn Datum) =
        if call.constant(0).is_some() && call.constant(1).is_some() { (left, right) } else { (l.as_ref(), r.as_ref()) };
    let result = match op {
        Op::Add => numeric::add(l, r),
        Op::Subtract => numeric::sub(l, r),
        Op::Multiply => numeric::mul(l, r),
        Op::Divide => numeric::div(l, r),
        Op::Modulus => numeric::rem(l, r),
    };
    result.map_err(|e| trino_error(&e, left.data_type()))
}

fn trino_error(e: &ArrowError, t: &DataType) -> DataFusionError {
    let text = match e {
        ArrowError::DivideByZero => "DIVISION_BY_ZERO: Division by zero".to_string(),
        ArrowError::ArithmeticOverflow(_) => {
            format!("NUMERIC_VALUE_OUT_OF_RANGE: {} overflow", types::trino_name(t))
        }
        other => format!("GENERIC_INTERNAL_ERROR: {other}"),
    };
    DataFusionError::Execution(text)
}

fn negate() -> ScalarUDF {
    Scalar::with(
        "$negate",
        |t| match t {
            [DataType::Null] => Some(vec![DataType::Int64]),
            [t] if is_number(&Type::of(t)) => Some(vec![Type::of(t).to_arrow()]),
            [t @ (DataType::Duration(_) | DataType::Interval(_))] => Some(vec![Type::of(t).to_arrow()]),
            _ => None,
        },
        |t, _| Ok(t[0].clone()),
        |call| {
            let array = call.array(0)?;
            Ok(match array.data_type() {
                DataType::Duration(_) => {
                    let out: arrow::array::DurationMillisecondArray =
                        array.as_primitive::<DurationMillisecondType>().unary(i64::wrapping_neg);
                    Arc::new(out)
                }
                DataType::Interval(_) => {
                    let out: arrow::array::IntervalYearMonthArray =
                        array.as_primitive::<IntervalYearMonthType>().unary(i32::wrapping_neg);
                    Arc::new(out)
                }
                DataType::Float64 => {
                    let out: arrow::array::Float64Array = array.as_primitive::<Float64Type>().unary(|v| -v);
                    Arc::new(out)
                }
                t => numeric::neg(&array).map_err(|e| trino_error(&e, t))?,
            })
        },
    )
    .build()
}

/// `NUMERIC_VALUE_OUT_OF_RANGE`.
pub(crate) fn out_of_range<T>(what: impl std::fmt::Display) -> Result<T> {
    fail("NUMERIC_VALUE_OUT_OF_RANGE", what)
}
