//! What an analyst does with a store day by day: packs of questions, timelines, summaries, reports, estimates.
//!
//! ```text
//! queries/*.sql ─question─▶ Question ─statement─▶ Lake SQL ─query─▶ rows ─▶ findings ─▶ HTML, Markdown, CSV, JSON, Parquet
//! ```
//!
//! [`Library`] holds the questions, [`Question::statement`] gives the SQL for parameters and a [`Scope`] (times,
//! accounts, regions). Nothing here prints or knows a terminal.

mod attack;
mod error;
mod library;
mod lint;
mod question;
mod statement;

pub use attack::{Tactic, Technique};
pub use error::{Error, Result};
pub use library::{Library, Selection};
pub use lint::lint;
pub use question::{Kind, Outcomes, Parameter, Question, Severity, Values};
pub use statement::Scope;
