//! A session: Lake SQL over the store.
//!
//! ```text
//! text ─dialect─▶ AST ─planning─▶ logical plan ─DataFusion─▶ stream of batches ─value─▶ cells
//! ```
//!
//! [`Session`] holds the functions, the rules and the limits; [`Session::query`] gives a [`Query`], a stream of record
//! batches with the column names that Lake would give them. [`value`] turns cells into Lake's text.
//!
//! A [`Guard`] narrows what a statement may name, and which events ([`Rows`]) it sees of it: enforced by a node over the scan,
//! below everything that the statement says.

mod bags;
mod band_join;
mod bloom;
mod chunk_cache;
mod coerce;
mod column_scan;
mod data_file;
mod decorrelate;
mod distinct_texts;
mod element_filter;
mod error;
mod event_json;
mod gate;
mod instant;
mod interruptible;
mod introspection;
mod join_fields;
mod leaders;
mod like_pattern;
mod list_unnest;
mod number;
mod operators;
mod outer_fields;
mod per_value;
mod planning;
mod record_value;
mod row_selection;
mod row_star;
mod rows;
mod run_aggregate;
mod selectivity;
mod semi_join;
mod session;
mod shredded;
mod single;
mod statistics;
mod system;
mod table;
mod tables;
#[cfg(test)]
mod test_table;
mod unnest;
mod unnest_fields;
pub mod value;
mod window_fields;
mod window_sort;

pub use error::{Error, Kind, Result};
pub use rows::Rows;
pub use session::{Limits, Prepared, Query, Session, Watch};
pub use statistics::Statistics;
pub use tables::{Guard, standard};

/// Whether a statement with these query parameters is in the grammar; its stores and columns are not looked at.
///
/// # Errors
/// [`Kind::SyntaxError`] and the like; [`Kind::InvalidParameterUsage`] for more or fewer parameters than question marks.
pub fn check(sql: &str, parameters: &[String]) -> Result<()> {
    cloudtarn_dialect::parse_with(sql, parameters)?;
    Ok(())
}
