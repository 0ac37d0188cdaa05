//! What an analyst does with a store day by day: packs of questions, timelines, summaries, reports, estimates, and
//! whether Lake answers the same.
//!
//! ```text
//! queries/*.sql ─question─▶ Question ─statement─▶ Lake SQL ─answer─▶ rows ─findings─▶ Report ─▶ HTML, Markdown, CSV, JSON, Parquet
//! ```
//!
//! [`Library`] holds the questions, [`Question::statement`] gives the SQL for parameters and a [`Scope`] (times,
//! accounts, regions), [`gather`] asks them and [`html`], [`markdown`], [`csv`], [`json_document`], [`ndjson`] and
//! [`parquet`] give the report a form. Nothing here prints or knows a terminal.

pub mod json;
pub mod time;
pub mod units;

mod answer;
mod attack;
mod comparison;
mod error;
mod estimate;
mod findings;
mod flat;
mod html;
mod library;
mod lint;
mod markdown;
mod question;
mod statement;
mod subject;
mod summary;
mod timeline;

pub use answer::{Answer, ROWS_KEPT, Rows, rows};
pub use attack::{Tactic, Technique};
pub use comparison::{Comparison, Difference, Outcome, Side, difference};
pub use error::{Error, Result};
pub use estimate::{Estimate, Price, Prices, Scan};
pub use findings::{Activity, Asked, Report, Request, gather};
pub use flat::{csv, csv_cell, is_formula, json as json_document, ndjson, parquet};
pub use html::html;
pub use library::{Library, Selection};
pub use lint::lint;
pub use markdown::markdown;
pub use question::{Kind, Outcomes, Parameter, Question, Severity, Values};
pub use statement::Scope;
pub use subject::{As, Subject};
pub use summary::{Part, Summary, summary};
pub use timeline::{Follow, Session, Step, Timeline, timeline};
