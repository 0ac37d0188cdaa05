//! Trino's page `lambda`.

use crate::Functions;

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
