//! Trino's page `array`; those of its functions that take lambdas are on the page `lambda`.

mod access;
mod concat;
mod join;
mod search;
mod sequence;
mod sets;
mod shape;

use arrow::datatypes::DataType;

use crate::coercion::unify;
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let mut scalars = access::functions();
    scalars.extend(concat::functions());
    scalars.extend(join::functions());
    scalars.extend(search::functions());
    scalars.extend(sequence::functions());
    scalars.extend(sets::functions());
    scalars.extend(shape::functions());
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

/// Types of an array and a value that is compared with its elements.
pub(crate) fn with_element(array: &DataType, value: &DataType) -> Option<(DataType, DataType)> {
    let element = match array {
        DataType::Null => DataType::Null,
        t => types::element(t)?.data_type().clone(),
    };
    let common = unify(&element, value)?;
    Some((types::array_of(common.clone()), common))
}

/// Types of two arrays whose elements are compared.
pub(crate) fn two_arrays(a: &DataType, b: &DataType) -> Option<Vec<DataType>> {
    let as_array = |t: &DataType| match t {
        DataType::Null => Some(types::array_of(DataType::Null)),
        t => Some(types::array_of(types::element(t)?.data_type().clone())),
    };
    let common = unify(&as_array(a)?, &as_array(b)?)?;
    Some(vec![common.clone(), common])
}

macro_rules! doc {
    ($name:literal, $signature:literal, $example:literal) => {
        Doc { name: $name, page: "array", signature: $signature, example: $example }
    };
}

const DOCS: &[Doc] = &[
    doc!("array_distinct", "array_distinct(array(T)) -> array(T)", "array_distinct(ARRAY[1, 2, 1]) = [1, 2]"),
    doc!("array_except", "array_except(array(T), array(T)) -> array(T)", "array_except(ARRAY[1, 2], ARRAY[2]) = [1]"),
    doc!("array_histogram", "array_histogram(array(T)) -> map(T, bigint)", "array_histogram(ARRAY['a', 'a']) = {a=2}"),
    doc!(
        "array_intersect",
        "array_intersect(array(T), array(T)) -> array(T)",
        "array_intersect(ARRAY[1, 2], ARRAY[2]) = [2]"
    ),
    doc!(
        "array_join",
        "array_join(array(T), delimiter) -> varchar\narray_join(array(T), delimiter, null_replacement) -> varchar",
        "array_join(ARRAY[1, 2], '-') = '1-2'"
    ),
    doc!("array_last", "array_last(array(T)) -> T", "array_last(ARRAY[1, 2]) = 2"),
    doc!("array_max", "array_max(array(T)) -> T", "array_max(ARRAY[1, 2]) = 2"),
    doc!("array_min", "array_min(array(T)) -> T", "array_min(ARRAY[1, 2]) = 1"),
    doc!("array_position", "array_position(array(T), T) -> bigint", "array_position(ARRAY['a', 'b'], 'b') = 2"),
    doc!("array_remove", "array_remove(array(T), T) -> array(T)", "array_remove(ARRAY[1, 2], 1) = [2]"),
    doc!("array_union", "array_union(array(T), array(T)) -> array(T)", "array_union(ARRAY[1], ARRAY[1, 2]) = [1, 2]"),
    doc!(
        "arrays_overlap",
        "arrays_overlap(array(T), array(T)) -> boolean",
        "arrays_overlap(ARRAY[1], ARRAY[1, 2]) = true"
    ),
    doc!(
        "cardinality",
        "cardinality(array(T)) -> bigint\ncardinality(map(K, V)) -> bigint",
        "cardinality(ARRAY[1, 2]) = 2"
    ),
    doc!(
        "combinations",
        "combinations(array(T), n) -> array(array(T))",
        "combinations(ARRAY[1, 2, 3], 2) = [[1, 2], [1, 3], [2, 3]]"
    ),
    doc!("concat", "concat(array(T), …) -> array(T)", "concat(ARRAY[1], ARRAY[2]) = [1, 2]"),
    doc!("contains", "contains(array(T), T) -> boolean", "contains(ARRAY[1, 2], 2) = true"),
    doc!(
        "contains_sequence",
        "contains_sequence(array(T), array(T)) -> boolean",
        "contains_sequence(ARRAY[1, 2, 3], ARRAY[2, 3]) = true"
    ),
    doc!(
        "element_at",
        "element_at(array(T), index) -> T\nelement_at(map(K, V), K) -> V",
        "element_at(ARRAY[1, 2], -1) = 2"
    ),
    doc!("flatten", "flatten(array(array(T))) -> array(T)", "flatten(ARRAY[ARRAY[1], ARRAY[2]]) = [1, 2]"),
    doc!("ngrams", "ngrams(array(T), n) -> array(array(T))", "ngrams(ARRAY[1, 2, 3], 2) = [[1, 2], [2, 3]]"),
    doc!("repeat", "repeat(T, count) -> array(T)", "repeat('a', 2) = [a, a]"),
    doc!("reverse", "reverse(array(T)) -> array(T)", "reverse(ARRAY[1, 2]) = [2, 1]"),
    doc!(
        "sequence",
        "sequence(start, stop) -> array\nsequence(start, stop, step) -> array",
        "sequence(1, 3) = [1, 2, 3]"
    ),
    doc!("shuffle", "shuffle(array(T)) -> array(T)", "shuffle(ARRAY[1, 2, 3])"),
    doc!("slice", "slice(array(T), start, length) -> array(T)", "slice(ARRAY[1, 2, 3], 2, 2) = [2, 3]"),
    doc!("trim_array", "trim_array(array(T), n) -> array(T)", "trim_array(ARRAY[1, 2, 3], 1) = [1, 2]"),
    doc!("zip", "zip(array(T1), …) -> array(row(T1, …))", "zip(ARRAY[1], ARRAY['a']) = [{1, a}]"),
];
