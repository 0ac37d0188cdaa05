//! Trino's page `bitwise`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;

use crate::columns::{Call, Overload, Resolved, Scalar, Type, Types, invalid, known};
use crate::{Doc, Functions};

use Type::Bigint;

const TWO: &[Overload] = &[(&[Bigint, Bigint], Bigint)];

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let by = Scalar::by;
    let scalars = vec![
        by("bitwise_and", TWO, |call| combine(call, |x, y| x & y)),
        by("bitwise_or", TWO, |call| combine(call, |x, y| x | y)),
        by("bitwise_xor", TWO, |call| combine(call, |x, y| x ^ y)),
        by("bitwise_not", &[(&[Bigint], Bigint)], not),
        by("bit_count", TWO, bit_count),
        by("bitwise_left_shift", TWO, left_shift),
        Scalar::new("bitwise_right_shift", Types::Rule(shift_types), right_shift),
        by("bitwise_right_shift_arithmetic", TWO, right_shift_arithmetic),
    ];
    Functions { scalars: scalars.into_iter().map(Into::into).collect(), docs: DOCS, ..Functions::default() }
}

fn combine(call: &Call, f: impl Fn(i64, i64) -> i64) -> Result<ArrayRef> {
    let (x, y) = (call.bigint(0)?, call.bigint(1)?);
    call.numbers::<Int64Type>(|i| Ok(Some(f(known!(x.get(i)), known!(y.get(i))))))
}

fn not(call: &Call) -> Result<ArrayRef> {
    let x = call.bigint(0)?;
    call.numbers::<Int64Type>(|i| Ok(x.get(i).map(|x| !x)))
}

fn bit_count(call: &Call) -> Result<ArrayRef> {
    let (x, bits) = (call.bigint(0)?, call.bigint(1)?);
    call.numbers::<Int64Type>(|i| {
        let (x, bits) = (known!(x.get(i)), known!(bits.get(i)));
        if !(2..=64).contains(&bits) {
            return Err(invalid(format!("Bits specified in bit_count must be between 2 and 64, got {bits}")));
        }
        // The number in two's complement of that many bits.
        let unused = 64 - bits as u32;
        if (x << unused) >> unused != x {
            return Err(invalid(format!(
                "Number must be representable with the bits specified. {x} cannot be represented with {bits} bits"
            )));
        }
        Ok(Some(i64::from((x << unused).count_ones())))
    })
}

/// A shift of no more than the 64 bits there are; Trino's shifts past the end leave nothing.
fn shift(by: i64) -> Result<Option<u32>> {
    match u32::try_from(by) {
        Ok(by) if by < 64 => Ok(Some(by)),
        _ if by < 0 => Err(invalid(format!("the shift must not be negative, got {by}"))),
        _ => Ok(None),
    }
}

fn left_shift(call: &Call) -> Result<ArrayRef> {
    let (x, by) = (call.bigint(0)?, call.bigint(1)?);
    call.numbers::<Int64Type>(|i| {
        let (x, by) = (known!(x.get(i)), known!(by.get(i)));
        Ok(Some(shift(by)?.map_or(0, |by| x << by)))
    })
}

/// The value keeps its type, because its width decides how many zeros move in.
fn shift_types(actual: &[DataType]) -> Option<Resolved> {
    let [value, by] = actual else { return None };
    if !(by.is_integer() || by.is_null()) {
        return None;
    }
    let value = match value {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => value.clone(),
        t if t.is_integer() || t.is_null() => DataType::Int64,
        _ => return None,
    };
    Some((vec![value, DataType::Int64], DataType::Int64))
}

fn right_shift(call: &Call) -> Result<ArrayRef> {
    let width = call.data_type(0).primitive_width().unwrap_or(8) as u32 * 8;
    let x = arrow::compute::cast(&call.expanded(0)?, &DataType::Int64)?;
    let x = arrow::array::AsArray::as_primitive::<Int64Type>(&x);
    let by = call.bigint(1)?;
    call.numbers::<Int64Type>(|i| {
        let x = known!(arrow::array::Array::is_valid(x, i).then(|| x.value(i)));
        let by = shift(known!(by.get(i)))?;
        let bits = (x as u64) & (u64::MAX >> (64 - width));
        Ok(Some(by.map_or(0, |by| (bits >> by) as i64)))
    })
}

fn right_shift_arithmetic(call: &Call) -> Result<ArrayRef> {
    let (x, by) = (call.bigint(0)?, call.bigint(1)?);
    call.numbers::<Int64Type>(|i| {
        let (x, by) = (known!(x.get(i)), known!(by.get(i)));
        Ok(Some(x >> shift(by)?.unwrap_or(63)))
    })
}

const DOCS: &[Doc] = &[
    doc("bit_count", "bit_count(x, bits) -> bigint", "bit_count(9, 8) = 2"),
    doc("bitwise_and", "bitwise_and(x, y) -> bigint", "bitwise_and(12, 10) = 8"),
    doc("bitwise_left_shift", "bitwise_left_shift(value, shift) -> bigint", "bitwise_left_shift(5, 2) = 20"),
    doc("bitwise_not", "bitwise_not(x) -> bigint", "bitwise_not(19) = -20"),
    doc("bitwise_or", "bitwise_or(x, y) -> bigint", "bitwise_or(12, 10) = 14"),
    doc("bitwise_right_shift", "bitwise_right_shift(value, shift) -> bigint", "bitwise_right_shift(8, 2) = 2"),
    doc(
        "bitwise_right_shift_arithmetic",
        "bitwise_right_shift_arithmetic(value, shift) -> bigint",
        "bitwise_right_shift_arithmetic(-8, 2) = -2",
    ),
    doc("bitwise_xor", "bitwise_xor(x, y) -> bigint", "bitwise_xor(12, 10) = 6"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "bitwise", signature, example }
}
