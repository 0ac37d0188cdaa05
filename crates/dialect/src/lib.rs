//! Trino text to an AST that DataFusion can plan.
//!
//! ```text
//! text ─tokens─▶ tokens ─grammar─▶ AST ─lower─▶ AST of what DataFusion's planner knows
//! ```
//!
//! * [`tokens`](self) reads the text: event data store ids, ARNs and `$EDS_ID` become table names, quoted names are
//!   folded to lower case as Trino folds them, `VALUES 1, 2` gets its parentheses.
//! * the grammar is sqlparser's with a Trino dialect on top: types, casts, typed literals, intervals, rows.
//! * lowering rewrites what DataFusion spells or means differently into calls of functions that the `functions` crate
//!   provides (`CAST(x AS T)` → `"$cast"(x, 'T')`).
//!
//! Nothing here knows tables or types; the one entry point is [`parse`].

mod error;
mod grammar;
mod infix;
mod json;
mod lower;
mod named_queries;
mod order;
mod output;
mod parameters;
mod pattern;
mod relations;
mod row_star;
mod rows;
mod scopes;
mod ties;
mod tokens;
mod types;
mod using;
mod windows;

#[cfg(test)]
mod tests;

use sqlparser::ast::Statement;
use sqlparser::parser::Parser;

pub use error::{Error, Kind, Position, Result};
pub use lower::{LAMBDA_CALL, field};
pub use output::OutputName;
pub use pattern::like_pattern;
pub use row_star::RowStar;
pub use rows::query;

/// A statement ready for DataFusion's planner.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// `Query` or `Explain`; nothing else is accepted.
    pub statement: Statement,
    /// How the result's columns are to be named, item by item of the outermost select list.
    pub names: Vec<OutputName>,
    /// Names whose written form differs from the folded one: folded → as written (keys of maps keep their case).
    pub written: std::collections::HashMap<String, String>,
    /// Hidden columns that the statement names: `$path`, `$version`, `$record`.
    pub hidden: Vec<String>,
    /// The statement and its parameters in lower case, where no column is wanted that is not named in it: no star but that of
    /// `count(*)`, no `TABLE`, no natural join, no columns that go by their places.
    pub names_in: Option<String>,
}

/// Nesting of expressions and queries above which a statement is refused.
const DEPTH: usize = 200;

/// Parses one statement of Trino's query language.
///
/// # Errors
/// [`Kind::SyntaxError`] with the position for text outside the grammar or more than one statement,
/// [`Kind::NotSupported`] for statements that are not queries.
pub fn parse(sql: &str) -> Result<Parsed> {
    parse_with(sql, &[])
}

/// The same with query parameters: each `?` of the statement, also inside quoted text, stands for the next of `parameters`.
/// Outside quotes a parameter of digits is a number, any other is text.
///
/// # Errors
/// As [`parse`]; [`Kind::InvalidParameterUsage`] for more or fewer parameters than question marks.
pub fn parse_with(sql: &str, parameters: &[String]) -> Result<Parsed> {
    let dialect = grammar::Trino;
    let tokens = tokens::read(&dialect, sql, parameters)?;
    let (written, hidden, row_aliases) = (tokens.written, tokens.hidden, tokens.row_aliases);
    let names_in = tokens.names_in;
    let end = tokens.tokens.last().map(|t| t.span.end);
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens.tokens);
    let mut statement = grammar::statement(&mut parser).map_err(|e| e.or_at(end))?;
    let names_in = names_in.filter(|_| !relations::renames_by_place(&statement));
    let names = output::names(&statement, &written);
    named_queries::tell_apart(&mut statement);
    lower::lower(&mut statement, &hidden, &row_aliases)?;
    Ok(Parsed { statement, names, written, hidden, names_in })
}

/// The same statement with items beside a `*` named apart from the columns that the star stands for; for the planner, which
/// takes no name twice.
#[must_use]
pub fn with_unique_names(mut parsed: Parsed) -> Parsed {
    lower::unique_names(&mut parsed.statement);
    parsed
}
