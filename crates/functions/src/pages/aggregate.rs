//! Trino's page `aggregate`. What DataFusion computes as Trino does (the variances, …) is
//! DataFusion's; the rest is here.

mod array_agg;
mod bits;
mod collected;
mod count;
mod count_if;
mod distinct;
mod extreme;
mod group_texts;
mod histogram;
mod listagg;
mod map;
mod minmax;
mod moments;
mod percentile;
mod tdigest;
mod total;
mod udaf;
mod winners;

pub use count::Room;
pub(crate) use count::count;

use datafusion_common::ScalarValue;
use datafusion_functions_aggregate::bool_and_or::bool_and_udaf;
use datafusion_functions_aggregate::stddev::stddev_udaf;
use datafusion_functions_aggregate::variance::var_samp_udaf;

use crate::{Doc, Functions};
use udaf::Aggregate;

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let new = Aggregate::new;
    let none = || ScalarValue::Int64(Some(0));
    let aggregates = vec![
        new("sum", total::sum_types, total::state, total::make_sum)
            .groups(total::sum_groups)
            .retracts(total::retracts)
            .build(),
        new("avg", total::avg_types, total::state, total::make_avg)
            .groups(total::avg_groups)
            .retracts(total::retracts)
            .build(),
        array_agg::array_agg(),
        count::count(Room::new(usize::MAX, None, 1)),
        minmax::max(),
        minmax::min(),
        new("max_by", extreme::by_types, extreme::by_state, extreme::make_max_by)
            .groups(winners::max_by_groups)
            .ordered()
            .idempotent()
            .build(),
        new("min_by", extreme::by_types, extreme::by_state, extreme::make_min_by)
            .groups(winners::min_by_groups)
            .ordered()
            .idempotent()
            .build(),
        new("count_if", count_if::types, count_if::state, count_if::make)
            .rewrite(count_if::rewrite)
            .retracts(|_| true)
            .empty(none())
            .build(),
        new("any_value", winners::any_types, winners::any_state, winners::make_any)
            .groups(winners::any_groups)
            .idempotent()
            .build()
            .with_aliases(["arbitrary"]),
        bool_and_udaf().as_ref().clone().with_aliases(["every"]),
        stddev_udaf().as_ref().clone().with_aliases(["stddev_samp"]),
        var_samp_udaf().as_ref().clone().with_aliases(["variance", "var_samp"]),
        new("approx_distinct", distinct::types, distinct::state, distinct::make)
            .groups(distinct::groups)
            .idempotent()
            .empty(none())
            .build(),
        new("approx_percentile", percentile::types, percentile::state, percentile::make).build(),
        new("approx_most_frequent", map::most_frequent_types, map::most_frequent_state, map::make_most_frequent)
            .build(),
        new("histogram", map::histogram_types, map::state, map::make_histogram).build(),
        new("numeric_histogram", histogram::types, histogram::state, histogram::make).build(),
        new("map_agg", map::map_agg_types, map::state, map::make_map_agg).ordered().build(),
        new("map_union", map::map_union_types, map::state, map::make_map_agg).ordered().idempotent().build(),
        new("multimap_agg", map::multimap_agg_types, map::state, map::make_multimap_agg).ordered().build(),
        new("listagg", listagg::types, listagg::state, listagg::make).ordered().build(),
        new("geometric_mean", moments::types, moments::geometric_mean_state, moments::make_geometric_mean).build(),
        new("skewness", moments::types, moments::state, moments::make_skewness).build(),
        new("kurtosis", moments::types, moments::state, moments::make_kurtosis).build(),
        new("bitwise_and_agg", bits::types, bits::state, bits::make_and).idempotent().build(),
        new("bitwise_or_agg", bits::types, bits::state, bits::make_or).idempotent().build(),
        new("bitwise_xor_agg", bits::types, bits::state, bits::make_xor).build(),
        new("checksum", bits::checksum_types, bits::state, bits::make_checksum).build(),
    ];
    Functions { aggregates, docs: DOCS, ..Functions::default() }
}

const DOCS: &[Doc] = &[
    doc("any_value", "any_value(x) -> [same as input]", "(SELECT any_value(x) FROM (VALUES NULL, 1) t(x)) = 1"),
    doc(
        "approx_distinct",
        "approx_distinct(x) -> bigint\napprox_distinct(x, e) -> bigint",
        "(SELECT approx_distinct(x) FROM (VALUES 1, 1, 2) t(x)) = 2",
    ),
    doc(
        "approx_most_frequent",
        "approx_most_frequent(buckets, value, capacity) -> map<[same as value], bigint>",
        "(SELECT approx_most_frequent(2, x, 10) FROM (VALUES 'a', 'a', 'b') t(x)) = MAP(ARRAY['a', 'b'], ARRAY[2, 1])",
    ),
    doc(
        "approx_percentile",
        "approx_percentile(x, percentage) -> [same as x]\napprox_percentile(x, percentages) -> array<[same as x]>\n\
         approx_percentile(x, w, percentage) -> [same as x]\napprox_percentile(x, w, percentages) -> array<[same as x]>",
        "(SELECT approx_percentile(x, 0.5) FROM (VALUES 1, 2, 3) t(x)) = 2",
    ),
    doc("arbitrary", "arbitrary(x) -> [same as input]", "(SELECT arbitrary(x) FROM (VALUES NULL, 1) t(x)) = 1"),
    doc(
        "array_agg",
        "array_agg(x) -> array<[same as input]>",
        "(SELECT array_agg(x ORDER BY x) FROM (VALUES 2, 1) t(x)) = ARRAY[1, 2]",
    ),
    doc(
        "avg",
        "avg(x) -> double\navg(real) -> real\navg(decimal) -> decimal\navg(interval) -> interval",
        "(SELECT avg(x) FROM (VALUES 1, 2) t(x)) = 1.5E0",
    ),
    doc("bitwise_and_agg", "bitwise_and_agg(x) -> bigint", "(SELECT bitwise_and_agg(x) FROM (VALUES 7, 5) t(x)) = 5"),
    doc("bitwise_or_agg", "bitwise_or_agg(x) -> bigint", "(SELECT bitwise_or_agg(x) FROM (VALUES 1, 4) t(x)) = 5"),
    doc("bitwise_xor_agg", "bitwise_xor_agg(x) -> bigint", "(SELECT bitwise_xor_agg(x) FROM (VALUES 7, 5) t(x)) = 2"),
    doc("bool_and", "bool_and(boolean) -> boolean", "(SELECT bool_and(x) FROM (VALUES true, false) t(x)) = false"),
    doc("bool_or", "bool_or(boolean) -> boolean", "(SELECT bool_or(x) FROM (VALUES true, false) t(x)) = true"),
    doc("checksum", "checksum(x) -> varbinary", "(SELECT length(checksum(x)) FROM (VALUES 1, 2) t(x)) = 8"),
    doc("corr", "corr(y, x) -> double", "(SELECT corr(y, x) FROM (VALUES (1, 1), (2, 2)) t(y, x)) = 1E0"),
    doc("count", "count(*) -> bigint\ncount(x) -> bigint", "(SELECT count(x) FROM (VALUES 1, NULL) t(x)) = 1"),
    doc("count_if", "count_if(x) -> bigint", "(SELECT count_if(x > 1) FROM (VALUES 1, 2, 3) t(x)) = 2"),
    doc(
        "covar_pop",
        "covar_pop(y, x) -> double",
        "(SELECT covar_pop(y, x) FROM (VALUES (1, 1), (3, 3)) t(y, x)) = 1E0",
    ),
    doc(
        "covar_samp",
        "covar_samp(y, x) -> double",
        "(SELECT covar_samp(y, x) FROM (VALUES (1, 1), (3, 3)) t(y, x)) = 2E0",
    ),
    doc("every", "every(boolean) -> boolean", "(SELECT every(x) FROM (VALUES true, true) t(x)) = true"),
    doc(
        "geometric_mean",
        "geometric_mean(x) -> double",
        "(SELECT round(geometric_mean(x)) FROM (VALUES 2, 8) t(x)) = 4E0",
    ),
    doc(
        "histogram",
        "histogram(x) -> map<K, bigint>",
        "(SELECT histogram(x) FROM (VALUES 'a', 'b', 'a') t(x)) = MAP(ARRAY['a', 'b'], ARRAY[2, 1])",
    ),
    doc("kurtosis", "kurtosis(x) -> double", "(SELECT kurtosis(x) IS NULL FROM (VALUES 1, 2) t(x)) = true"),
    doc(
        "listagg",
        "listagg(x, separator [ON OVERFLOW ...]) WITHIN GROUP (ORDER BY y) -> varchar",
        "(SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x) FROM (VALUES 'b', 'a') t(x)) = 'a,b'",
    ),
    doc(
        "map_agg",
        "map_agg(key, value) -> map<K, V>",
        "(SELECT map_agg(k, v) FROM (VALUES ('a', 1)) t(k, v)) = MAP(ARRAY['a'], ARRAY[1])",
    ),
    doc(
        "map_union",
        "map_union(map<K, V>) -> map<K, V>",
        "(SELECT cardinality(map_union(m)) FROM (VALUES MAP(ARRAY['a'], ARRAY[1])) t(m)) = 1",
    ),
    doc(
        "max",
        "max(x) -> [same as input]\nmax(x, n) -> array<[same as x]>",
        "(SELECT max(x, 2) FROM (VALUES 1, 3, 2) t(x)) = ARRAY[3, 2]",
    ),
    doc(
        "max_by",
        "max_by(x, y) -> [same as x]\nmax_by(x, y, n) -> array<[same as x]>",
        "(SELECT max_by(x, y) FROM (VALUES ('a', 1), ('b', 2)) t(x, y)) = 'b'",
    ),
    doc(
        "min",
        "min(x) -> [same as input]\nmin(x, n) -> array<[same as x]>",
        "(SELECT min(x, 2) FROM (VALUES 1, 3, 2) t(x)) = ARRAY[1, 2]",
    ),
    doc(
        "min_by",
        "min_by(x, y) -> [same as x]\nmin_by(x, y, n) -> array<[same as x]>",
        "(SELECT min_by(x, y) FROM (VALUES ('a', 1), ('b', 2)) t(x, y)) = 'a'",
    ),
    doc(
        "multimap_agg",
        "multimap_agg(key, value) -> map<K, array(V)>",
        "(SELECT multimap_agg(k, v) FROM (VALUES ('a', 1), ('a', 2)) t(k, v)) = MAP(ARRAY['a'], ARRAY[ARRAY[1, 2]])",
    ),
    doc(
        "numeric_histogram",
        "numeric_histogram(buckets, value) -> map<double, double>\n\
         numeric_histogram(buckets, value, weight) -> map<double, double>",
        "(SELECT cardinality(numeric_histogram(2, x)) FROM (VALUES 1, 2, 10) t(x)) = 2",
    ),
    doc(
        "regr_intercept",
        "regr_intercept(y, x) -> double",
        "(SELECT regr_intercept(y, x) FROM (VALUES (1, 0), (3, 2)) t(y, x)) = 1E0",
    ),
    doc(
        "regr_slope",
        "regr_slope(y, x) -> double",
        "(SELECT regr_slope(y, x) FROM (VALUES (1, 0), (3, 2)) t(y, x)) = 1E0",
    ),
    doc("skewness", "skewness(x) -> double", "(SELECT skewness(x) FROM (VALUES 1, 2, 3) t(x)) = 0E0"),
    doc("stddev", "stddev(x) -> double", "(SELECT stddev(x) FROM (VALUES 1, 3, 5) t(x)) = 2E0"),
    doc("stddev_pop", "stddev_pop(x) -> double", "(SELECT stddev_pop(x) FROM (VALUES 1, 3) t(x)) = 1E0"),
    doc("stddev_samp", "stddev_samp(x) -> double", "(SELECT stddev_samp(x) FROM (VALUES 1, 3, 5) t(x)) = 2E0"),
    doc("sum", "sum(x) -> [same as input]", "(SELECT sum(x) FROM (VALUES 1, 2) t(x)) = 3"),
    doc("var_pop", "var_pop(x) -> double", "(SELECT var_pop(x) FROM (VALUES 1, 3) t(x)) = 1E0"),
    doc("var_samp", "var_samp(x) -> double", "(SELECT var_samp(x) FROM (VALUES 1, 3, 5) t(x)) = 4E0"),
    doc("variance", "variance(x) -> double", "(SELECT variance(x) FROM (VALUES 1, 3, 5) t(x)) = 4E0"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "aggregate", signature, example }
}
