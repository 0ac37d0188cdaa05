//! Why packs, reports and the rest did not come about.

use std::path::PathBuf;

/// Everything that this crate refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// `reading`, `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A question's file does not say what it must.
    #[error("{file}, line {line}: {reason}")]
    Question {
        /// Name of the question, or the file's path.
        file: String,
        /// 1-based.
        line: usize,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No pack or question goes by that name.
    #[error("no pack or question is named `{name}`{}", near.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_else(|| "; `cloudtarn pack list` names them".to_owned()))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// A parameter's name or value does not fit the question.
    #[error("parameter `{name}`: {reason}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// What was asked about is no identity, access key, address or resource.
    #[error("{0}")]
    Subject(String),
    /// A price table's line is not one.
    #[error("price table, line {line}: {reason}")]
    Prices {
        /// 1-based.
        line: usize,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No moment without new events was long enough for a report.
    #[error("the store changes while the report is made: try again when no ingest runs")]
    Busy,
    /// A question failed.
    #[error("{question}: {source}")]
    Query {
        /// Name of the question, or of the part of a report.
        question: String,
        /// Why.
        source: cloudtarn_query::Error,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] cloudtarn_store::Error),
    /// A result could not be written as Parquet.
    #[error("writing Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Columns could not be made.
    #[error("making columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
