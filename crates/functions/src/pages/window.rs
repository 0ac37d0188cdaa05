//! Trino's page `window`. The functions are DataFusion's, with Trino's result types and arguments.

mod bigint;
mod ntile;
mod shift;

use std::sync::Arc;

use datafusion_expr::WindowUDF;
use datafusion_functions_window::rank::{dense_rank_udwf, rank_udwf};
use datafusion_functions_window::row_number::row_number_udwf;

use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let windows = vec![
        bigint::wrap(row_number_udwf()),
        bigint::wrap(rank_udwf()),
        bigint::wrap(dense_rank_udwf()),
        WindowUDF::new_from_impl(ntile::Ntile::new()),
        Arc::unwrap_or_clone(shift::lag()),
        Arc::unwrap_or_clone(shift::lead()),
    ];
    Functions { windows, docs: DOCS, ..Functions::default() }
}

const DOCS: &[Doc] = &[
    doc("cume_dist", "cume_dist() -> double", "(SELECT cume_dist() OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1E0"),
    doc("dense_rank", "dense_rank() -> bigint", "(SELECT dense_rank() OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1"),
    doc(
        "first_value",
        "first_value(x) [IGNORE NULLS] -> [same as input]",
        "(SELECT first_value(x) OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1",
    ),
    doc(
        "lag",
        "lag(x[, offset[, default_value]]) [IGNORE NULLS] -> [same as input]",
        "(SELECT lag(x, 1, 0) OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 0",
    ),
    doc(
        "last_value",
        "last_value(x) [IGNORE NULLS] -> [same as input]",
        "(SELECT last_value(x) OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1",
    ),
    doc(
        "lead",
        "lead(x[, offset[, default_value]]) [IGNORE NULLS] -> [same as input]",
        "(SELECT lead(x, 1, 0) OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 0",
    ),
    doc(
        "nth_value",
        "nth_value(x, offset) [IGNORE NULLS] -> [same as input]",
        "(SELECT nth_value(x, 1) OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1",
    ),
    doc("ntile", "ntile(n) -> bigint", "(SELECT ntile(2) OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1"),
    doc(
        "percent_rank",
        "percent_rank() -> double",
        "(SELECT percent_rank() OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 0E0",
    ),
    doc("rank", "rank() -> bigint", "(SELECT rank() OVER (ORDER BY x) FROM (VALUES 1) t(x)) = 1"),
    doc("row_number", "row_number() -> bigint", "(SELECT row_number() OVER () FROM (VALUES 1) t(x)) = 1"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "window", signature, example }
}
