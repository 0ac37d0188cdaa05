//! What can be wrong with a statement before it is planned.

use std::fmt;

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::Location;

/// A 1-based place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}:{}", self.line, self.column)
    }
}

impl From<Location> for Position {
    fn from(l: Location) -> Self {
        Self { line: l.line.max(1), column: l.column.max(1) }
    }
}

/// Trino's name for the class of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The text is not in the grammar.
    SyntaxError,
    /// A statement that Trino knows and an event data store does not run.
    NotSupported,
    /// A literal whose text its type does not read.
    InvalidLiteral,
    /// A name that stands for several columns.
    AmbiguousName,
    /// A clause that needs ORDER BY.
    MissingOrderBy,
    /// More or fewer parameters than the statement has.
    InvalidParameterUsage,
}

/// A refused statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", position.map(|p| format!("{p}: ")).unwrap_or_default())]
pub struct Error {
    /// Class of error.
    pub kind: Kind,
    /// Where in the text, when known.
    pub position: Option<Position>,
    /// What was found and what was expected.
    pub message: String,
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn syntax(position: Location, message: impl Into<String>) -> Self {
        let position = (position.line > 0).then(|| position.into());
        Self { kind: Kind::SyntaxError, position, message: message.into() }
    }

    /// With that place where none is known: what is missing is missing at the end.
    pub(crate) fn or_at(mut self, end: Option<Location>) -> Self {
        if self.kind == Kind::SyntaxError && self.position.is_none() {
            self.position = end.map(Position::from);
        }
        self
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self { kind: Kind::NotSupported, position: None, message: message.into() }
    }
}

impl From<ParserError> for Error {
    fn from(e: ParserError) -> Self {
        let text = match e {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_owned(),
        };
        // sqlparser writes the place at the end of its messages: "…, found: x at Line: 1, Column: 8".
        let place = text.rfind(" at Line: ").and_then(|at| {
            let (line, column) = text[at + " at Line: ".len()..].split_once(", Column: ")?;
            Some((at, Position { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }))
        });
        match place {
            Some((at, position)) => {
                Self { kind: Kind::SyntaxError, position: Some(position), message: text[..at].to_owned() }
            }
            None => Self { kind: Kind::SyntaxError, position: None, message: text },
        }
    }
}
