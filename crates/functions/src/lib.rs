//! Trino's functions and their semantics on Arrow, one module per page of Trino's documentation.
//!
//! [`register_all`] puts every function into a DataFusion function registry. A name that several pages define
//! (`concat` of strings, of arrays and of binaries) is registered once and picks its definition by argument types.
//! [`docs`] lists what exists; [`types`] holds Trino's type names and their Arrow representation.

pub mod recent;
pub mod runs;
pub mod text;
pub mod types;

mod cast;
mod coercion;
mod columns;
mod datetime_pattern;
mod higher;
mod instants;
pub mod json_path;
mod json_text;
mod lists;
mod maps;
mod pages;
mod rows;
mod scalar;
mod sql_path;
mod temporal;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};

use crate::scalar::Overloads;

/// `count(DISTINCT text)`, which takes little memory and spills what has no room.
pub mod distinct {
    use datafusion_expr::AggregateUDF;

    use crate::pages::aggregate;
    pub use crate::pages::aggregate::Room;

    /// `count`, for one statement alone: all its sets of distinct texts share the room.
    pub fn count(room: Room) -> AggregateUDF {
        aggregate::count(room)
    }
}

/// What the documentation of one function says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc {
    /// Name as queries write it, lower-case.
    pub name: &'static str,
    /// Page of Trino's documentation that describes it (`datetime`, `json`, …).
    pub page: &'static str,
    /// Signature in Trino's notation; several overloads are separated by newlines.
    pub signature: &'static str,
    /// One example with its result: `lower('ABC') = 'abc'`.
    pub example: &'static str,
}

/// The functions of one page.
#[derive(Debug, Default)]
pub struct Functions {
    /// Functions of rows.
    pub scalars: Vec<ScalarUDF>,
    /// Functions of groups.
    pub aggregates: Vec<AggregateUDF>,
    /// Functions of windows.
    pub windows: Vec<WindowUDF>,
    /// Functions that take lambdas.
    pub higher_order: Vec<HigherOrderUDF>,
    /// Documentation of the public ones among them.
    pub docs: &'static [Doc],
}

/// Registers every function, replacing DataFusion's own of the same name.
///
/// # Errors
/// Fails only where the registry refuses registrations.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    let mut scalars: BTreeMap<String, Vec<Arc<ScalarUDF>>> = BTreeMap::new();
    for page in pages::all() {
        for f in page.scalars {
            scalars.entry(f.name().to_string()).or_default().push(Arc::new(f));
        }
        for f in page.aggregates {
            registry.register_udaf(Arc::new(f))?;
        }
        for f in page.windows {
            registry.register_udwf(Arc::new(f))?;
        }
        for f in page.higher_order {
            // The planner looks for scalar functions first: DataFusion's own of this name would hide it.
            if registry.udf(f.name()).is_ok() {
                registry.deregister_udf(f.name())?;
            }
            registry.register_higher_order_function(Arc::new(f))?;
        }
    }
    for (name, mut members) in scalars {
        match members.pop() {
            Some(only) if members.is_empty() => {
                registry.register_udf(only)?;
            }
            Some(last) => {
                members.push(last);
                registry.register_udf(Arc::new(Overloads::new(name, members).into()))?;
            }
            None => {}
        }
    }
    Ok(())
}

/// The documentation of every public function, page by page.
pub fn docs() -> impl Iterator<Item = &'static Doc> {
    pages::all().into_iter().flat_map(|page| page.docs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use datafusion_expr::registry::MemoryFunctionRegistry;

    use super::*;

    /// What the grammar turns into calls of other names.
    const LOWERED: [&str; 11] = [
        "cast",
        "try_cast",
        "try",
        "if",
        "coalesce",
        "nullif",
        "json_array",
        "json_exists",
        "json_object",
        "json_query",
        "json_value",
    ];

    #[test]
    fn every_documented_function_is_registered() {
        let mut registry = MemoryFunctionRegistry::new();
        register_all(&mut registry).unwrap();
        let mut names = registry.higher_order_function_names();
        let mut add = |name: &str, aliases: &[String]| {
            names.insert(name.to_string());
            names.extend(aliases.iter().cloned());
        };
        for name in registry.udfs() {
            add(&name, registry.udf(&name).unwrap().aliases());
        }
        // DataFusion's own stand where their semantics are Trino's.
        for f in datafusion_functions_aggregate::all_default_aggregate_functions() {
            add(f.name(), f.aliases());
        }
        for f in datafusion_functions_window::all_default_window_functions() {
            add(f.name(), f.aliases());
        }
        for name in registry.udafs() {
            add(&name, registry.udaf(&name).unwrap().aliases());
        }
        for name in registry.udwfs() {
            add(&name, registry.udwf(&name).unwrap().aliases());
        }
        let missing: Vec<&str> =
            docs().map(|d| d.name).filter(|n| !names.contains(*n) && !LOWERED.contains(n)).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }

    #[test]
    fn no_function_is_documented_twice_on_a_page() {
        let mut seen = HashSet::new();
        let twice: Vec<&Doc> = docs().filter(|d| !seen.insert((d.page, d.name))).collect();
        assert_eq!(twice, Vec::<&Doc>::new());
    }
}
