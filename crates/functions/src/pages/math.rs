//! Trino's page `math`.

mod base;
mod bucket;
mod floats;
mod random;
mod round;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result};

use crate::columns::{Call, Resolved, Scalar, Type, Types, is_decimal};
use crate::{Doc, Functions};

use Type::{Bigint, Boolean, Double, Doubles, Varchar};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let by = Scalar::by;
    let rule = |name, rule, body| Scalar::new(name, Types::Rule(rule), body);
    let mut scalars = vec![
        rule("abs", same, round::abs),
        rule("sign", round::sign_types, round::sign),
        rule("ceil", round::whole_types, round::ceil).aliased(&["ceiling"]),
        rule("floor", round::whole_types, round::floor),
        rule("round", round::round_types, round::round),
        rule("truncate", round::truncate_types, round::truncate),
        rule("mod", round::mod_types, round::modulus),
        by("is_nan", &[(&[Double], Boolean)], floats::is_nan),
        by("is_finite", &[(&[Double], Boolean)], floats::is_finite),
        by("is_infinite", &[(&[Double], Boolean)], floats::is_infinite),
        by("log", &[(&[Double, Double], Double)], floats::log),
        by("power", &[(&[Double, Double], Double)], floats::power).aliased(&["pow"]),
        by("atan2", &[(&[Double, Double], Double)], floats::atan2),
        by("from_base", &[(&[Varchar, Bigint], Bigint)], base::from_base),
        by("to_base", &[(&[Bigint, Bigint], Varchar)], base::to_base),
        by(
            "width_bucket",
            &[(&[Double, Double, Double, Bigint], Bigint), (&[Double, Doubles], Bigint)],
            bucket::width_bucket,
        ),
        rule("random", random::types, random::random).aliased(&["rand"]).volatile(),
    ];
    scalars.extend(floats::unary());
    scalars.extend(floats::constants());
    Functions { scalars: scalars.into_iter().map(Into::into).collect(), docs: DOCS, ..Functions::default() }
}

/// One number, and the result of its type.
fn same(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [t] => number(t).map(|t| (vec![t.clone()], t)),
        _ => None,
    }
}

/// The Trino number that carries values of type `t`.
fn number(t: &DataType) -> Option<DataType> {
    Some(match t {
        DataType::Null => DataType::Float64,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Float32 | DataType::Float64 => t.clone(),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
            DataType::Decimal128(*p, *s)
        }
        t if t.is_integer() => DataType::Int64,
        _ => return None,
    })
}

/// Arrow's arithmetic errors as Trino reports them.
fn arithmetic(e: arrow::error::ArrowError) -> DataFusionError {
    use arrow::error::ArrowError;
    match e {
        ArrowError::DivideByZero => crate::columns::division_by_zero(),
        ArrowError::ArithmeticOverflow(why) => crate::columns::out_of_range(why),
        e => e.into(),
    }
}

/// Argument `i` as doubles, through a function of one double.
fn map_doubles(call: &Call, f: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values: arrow::array::Float64Array = call.double(0)?.array().unary(f);
    Ok(std::sync::Arc::new(values))
}

/// The widest of two numeric types, as Trino's implicit casts go.
pub(crate) fn widest(a: &DataType, b: &DataType) -> Option<DataType> {
    let (a, b) = match (a.is_null(), b.is_null()) {
        (true, true) => return Some(DataType::Int64),
        (true, false) => (number(b)?, number(b)?),
        (false, true) => (number(a)?, number(a)?),
        (false, false) => (number(a)?, number(b)?),
    };
    if a == b {
        return Some(a);
    }
    if a == DataType::Float64 || b == DataType::Float64 {
        return Some(DataType::Float64);
    }
    if a == DataType::Float32 || b == DataType::Float32 {
        return Some(DataType::Float32);
    }
    if is_decimal(&a) || is_decimal(&b) {
        let ((p1, s1), (p2, s2)) = (as_decimal(&a)?, as_decimal(&b)?);
        let scale = s1.max(s2);
        let whole = (p1 as i16 - i16::from(s1)).max(p2 as i16 - i16::from(s2));
        return Some(DataType::Decimal128((whole + i16::from(scale)).clamp(1, 38) as u8, scale));
    }
    Some(if a.primitive_width() >= b.primitive_width() { a } else { b })
}

/// Precision and scale of a decimal, or of the decimal that an integer becomes.
fn as_decimal(t: &DataType) -> Option<(u8, i8)> {
    Some(match t {
        DataType::Decimal128(p, s) => (*p, *s),
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        _ => return None,
    })
}

const DOCS: &[Doc] = &[
    doc("abs", "abs(x) -> [same as input]", "abs(-1) = 1"),
    doc("acos", "acos(x) -> double", "acos(1) = 0E0"),
    doc("asin", "asin(x) -> double", "asin(0) = 0E0"),
    doc("atan", "atan(x) -> double", "atan(0) = 0E0"),
    doc("atan2", "atan2(y, x) -> double", "atan2(0, 1) = 0E0"),
    doc("cbrt", "cbrt(x) -> double", "cbrt(27) = 3E0"),
    doc("ceil", "ceil(x) -> [same as input]", "ceil(1.2E0) = 2E0"),
    doc("ceiling", "ceiling(x) -> [same as input]", "ceiling(1.2E0) = 2E0"),
    doc("cos", "cos(x) -> double", "cos(0) = 1E0"),
    doc("cosh", "cosh(x) -> double", "cosh(0) = 1E0"),
    doc("degrees", "degrees(x) -> double", "degrees(pi()) = 180E0"),
    doc("e", "e() -> double", "floor(e()) = 2E0"),
    doc("exp", "exp(x) -> double", "exp(0) = 1E0"),
    doc("floor", "floor(x) -> [same as input]", "floor(-1.2E0) = -2E0"),
    doc("from_base", "from_base(varchar, radix) -> bigint", "from_base('ff', 16) = 255"),
    doc("infinity", "infinity() -> double", "is_infinite(infinity()) = true"),
    doc("is_finite", "is_finite(x) -> boolean", "is_finite(1) = true"),
    doc("is_infinite", "is_infinite(x) -> boolean", "is_infinite(1) = false"),
    doc("is_nan", "is_nan(x) -> boolean", "is_nan(nan()) = true"),
    doc("ln", "ln(x) -> double", "ln(1) = 0E0"),
    doc("log", "log(b, x) -> double", "log(2, 8) = 3E0"),
    doc("log10", "log10(x) -> double", "log10(100) = 2E0"),
    doc("log2", "log2(x) -> double", "log2(8) = 3E0"),
    doc("mod", "mod(n, m) -> [same as input]", "mod(-7, 3) = -1"),
    doc("nan", "nan() -> double", "is_nan(nan()) = true"),
    doc("pi", "pi() -> double", "floor(pi()) = 3E0"),
    doc("pow", "pow(x, p) -> double", "pow(2, 3) = 8E0"),
    doc("power", "power(x, p) -> double", "power(2, 3) = 8E0"),
    doc("radians", "radians(x) -> double", "radians(0) = 0E0"),
    doc("rand", "rand() -> double", "rand() < 1"),
    doc(
        "random",
        "random() -> double\nrandom(n) -> [same as input]\nrandom(m, n) -> [same as input]",
        "random(3, 4) = 3",
    ),
    doc("round", "round(x) -> [same as input]\nround(x, d) -> [same as input]", "round(2.345E0, 2) = 2.35E0"),
    doc("sign", "sign(x) -> [same as input]", "sign(-7) = -1"),
    doc("sin", "sin(x) -> double", "sin(0) = 0E0"),
    doc("sinh", "sinh(x) -> double", "sinh(0) = 0E0"),
    doc("sqrt", "sqrt(x) -> double", "sqrt(9) = 3E0"),
    doc("tan", "tan(x) -> double", "tan(0) = 0E0"),
    doc("tanh", "tanh(x) -> double", "tanh(0) = 0E0"),
    doc("to_base", "to_base(x, radix) -> varchar", "to_base(255, 16) = 'ff'"),
    doc("truncate", "truncate(x) -> [same as input]\ntruncate(decimal, d) -> decimal", "truncate(-1.9E0) = -1E0"),
    doc(
        "width_bucket",
        "width_bucket(x, bound1, bound2, n) -> bigint\nwidth_bucket(x, bins) -> bigint",
        "width_bucket(3.14E0, ARRAY[0E0, 2E0, 4E0]) = 2",
    ),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "math", signature, example }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion_common::ScalarValue;

    use super::*;
    use crate::columns::evaluate;

    fn decimal(digits: i128, precision: u8, scale: i8) -> ScalarValue {
        ScalarValue::Decimal128(Some(digits), precision, scale)
    }

    #[test]
    fn decimals_keep_or_lose_their_scale() {
        let round = || Scalar::new("round", Types::Rule(round::round_types), round::round);
        let ceil = || Scalar::new("ceil", Types::Rule(round::whole_types), round::ceil);
        assert_eq!(evaluate(round(), &[decimal(-25, 2, 1)]).unwrap(), decimal(-3, 2, 0));
        assert_eq!(evaluate(round(), &[decimal(12345, 5, 2), 1.into()]).unwrap(), decimal(12350, 6, 2));
        assert_eq!(evaluate(ceil(), &[decimal(-19, 2, 1)]).unwrap(), decimal(-1, 2, 0));
        let most = decimal(10i128.pow(38) - 1, 38, 0);
        assert!(evaluate(round(), &[most, (-1).into()]).unwrap_err().to_string().contains("OUT_OF_RANGE"));
    }

    #[test]
    fn integers_overflow_instead_of_wrapping() {
        let abs = || Scalar::new("abs", Types::Rule(same), round::abs);
        assert_eq!(evaluate(abs(), &[ScalarValue::Int8(Some(-127))]).unwrap(), ScalarValue::Int8(Some(127)));
        let e = evaluate(abs(), &[ScalarValue::Int8(Some(-128))]).unwrap_err().to_string();
        assert!(e.contains("NUMERIC_VALUE_OUT_OF_RANGE: Value 128 is out of range for tinyint"), "{e}");
    }

    #[test]
    fn remainders() {
        let modulus = || Scalar::new("mod", Types::Rule(round::mod_types), round::modulus);
        assert_eq!(evaluate(modulus(), &[(-7i64).into(), 3i64.into()]).unwrap(), ScalarValue::Int64(Some(-1)));
        assert_eq!(evaluate(modulus(), &[decimal(75, 2, 1), 2i64.into()]).unwrap(), decimal(15, 2, 1));
        let e = evaluate(modulus(), &[5i64.into(), 0i64.into()]).unwrap_err().to_string();
        assert!(e.contains("DIVISION_BY_ZERO"), "{e}");
    }

    #[test]
    fn wider_types_win() {
        let int = DataType::Int64;
        assert_eq!(widest(&int, &DataType::Float32), Some(DataType::Float32));
        assert_eq!(widest(&DataType::Int8, &int), Some(DataType::Int64));
        assert_eq!(widest(&DataType::Int32, &DataType::Decimal128(2, 1)), Some(DataType::Decimal128(11, 1)));
        assert_eq!(widest(&int, &DataType::Utf8), None);
    }
}
