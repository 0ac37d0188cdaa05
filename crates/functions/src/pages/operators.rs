//! Trino's page `operators`.

use crate::Functions;

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
