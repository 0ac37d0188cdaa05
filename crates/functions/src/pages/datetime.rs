//! Trino's page `datetime`.

use crate::Functions;

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
