//! Trino's page `lambda`, and the functions with lambdas of the pages `array` and `map`.

mod array;
mod attempt;
mod map;
mod reduce;
mod sort;

use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let mut higher_order = array::functions();
    higher_order.extend(map::functions());
    higher_order.push(reduce::function());
    higher_order.push(sort::function());
    higher_order.push(attempt::function());
    Functions { higher_order, docs: DOCS, ..Functions::default() }
}

macro_rules! doc {
    ($name:literal, $page:literal, $signature:literal, $example:literal) => {
        Doc { name: $name, page: $page, signature: $signature, example: $example }
    };
}

const DOCS: &[Doc] = &[
    doc!(
        "all_match",
        "array",
        "all_match(array(T), function(T, boolean)) -> boolean",
        "all_match(ARRAY[1, 2], x -> x > 0) = true"
    ),
    doc!(
        "any_match",
        "array",
        "any_match(array(T), function(T, boolean)) -> boolean",
        "any_match(resources, r -> r.type = 'AWS::S3::Bucket')"
    ),
    doc!(
        "array_first",
        "array",
        "array_first(array(T)) -> T\narray_first(array(T), function(T, boolean)) -> T",
        "array_first(ARRAY[1, 2], x -> x > 1) = 2"
    ),
    doc!(
        "array_sort",
        "array",
        "array_sort(array(T)) -> array(T)\narray_sort(array(T), function(T, T, integer)) -> array(T)",
        "array_sort(ARRAY[3, 1]) = [1, 3]"
    ),
    doc!(
        "filter",
        "array",
        "filter(array(T), function(T, boolean)) -> array(T)",
        "filter(ARRAY[1, 2], x -> x > 1) = [2]"
    ),
    doc!(
        "map_filter",
        "map",
        "map_filter(map(K, V), function(K, V, boolean)) -> map(K, V)",
        "map_filter(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1) = {b=2}"
    ),
    doc!(
        "map_zip_with",
        "map",
        "map_zip_with(map(K, V1), map(K, V2), function(K, V1, V2, V3)) -> map(K, V3)",
        "map_zip_with(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['a'], ARRAY[2]), (k, x, y) -> x + y) = {a=3}"
    ),
    doc!(
        "none_match",
        "array",
        "none_match(array(T), function(T, boolean)) -> boolean",
        "none_match(ARRAY[1, 2], x -> x > 2) = true"
    ),
    doc!(
        "reduce",
        "array",
        "reduce(array(T), S, function(S, T, S), function(S, R)) -> R",
        "reduce(ARRAY[1, 2], 0, (s, x) -> s + x, s -> s) = 3"
    ),
    doc!(
        "transform",
        "array",
        "transform(array(T), function(T, U)) -> array(U)",
        "transform(ARRAY[1, 2], x -> x * 2) = [2, 4]"
    ),
    doc!(
        "transform_keys",
        "map",
        "transform_keys(map(K1, V), function(K1, V, K2)) -> map(K2, V)",
        "transform_keys(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> upper(k)) = {A=1}"
    ),
    doc!(
        "transform_values",
        "map",
        "transform_values(map(K, V1), function(K, V1, V2)) -> map(K, V2)",
        "transform_values(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> v + 1) = {a=2}"
    ),
    doc!("try", "conditional", "try(expression) -> same as the expression", "try(1 / 0) IS NULL"),
    doc!(
        "zip_with",
        "array",
        "zip_with(array(T), array(U), function(T, U, R)) -> array(R)",
        "zip_with(ARRAY[1], ARRAY[2], (x, y) -> x + y) = [3]"
    ),
];
