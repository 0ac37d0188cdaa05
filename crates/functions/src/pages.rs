//! One module per page of Trino's function reference.

pub(crate) mod aggregate;
mod array;
mod binary;
mod bitwise;
mod comparison;
mod conditional;
mod conversion;
pub(crate) mod datetime;
mod ip;
mod json;
mod lambda;
mod map;
mod math;
mod operators;
mod regexp;
mod string;
mod url;
mod uuid;
mod window;

use crate::Functions;

/// Every page's functions, in the order of the reference.
pub(crate) fn all() -> Vec<Functions> {
    vec![
        aggregate::functions(),
        array::functions(),
        binary::functions(),
        bitwise::functions(),
        comparison::functions(),
        conditional::functions(),
        conversion::functions(),
        datetime::functions(),
        ip::functions(),
        json::functions(),
        lambda::functions(),
        map::functions(),
        math::functions(),
        operators::functions(),
        regexp::functions(),
        string::functions(),
        url::functions(),
        uuid::functions(),
        window::functions(),
    ]
}
