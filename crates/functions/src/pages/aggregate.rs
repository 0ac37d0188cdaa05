//! Trino's page `aggregate`.

use crate::Functions;

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
