//! Trino's page `json`.

use crate::Functions;

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
