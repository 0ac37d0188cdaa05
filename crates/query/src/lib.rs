//! A session: Lake SQL over the store.
//!
//! ```text
//! text ─dialect─▶ AST ─planning─▶ logical plan ─DataFusion─▶ stream of batches ─value─▶ cells
//! ```
//!
//! [`Session`] holds the functions, the rules and the limits; [`Session::query`] gives a [`Query`], a stream of record
//! batches with the column names that Lake would give them. [`value`] turns cells into Lake's text.

mod bags;
mod coerce;
mod decorrelate;
mod error;
mod event_json;
mod instant;
mod interruptible;
mod introspection;
mod like_pattern;
mod operators;
mod planning;
mod row_star;
mod session;
mod single;
mod statistics;
mod system;
mod table;
mod tables;
mod unnest;
pub mod value;

pub use error::{Error, Kind, Result};
pub use session::{Limits, Query, Session};
pub use statistics::Statistics;
