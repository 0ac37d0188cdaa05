//! Trino's page `conversion`: casts, `typeof`, `format`.

use crate::{Functions, cast};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    Functions { scalars: cast::functions(), ..Functions::default() }
}
