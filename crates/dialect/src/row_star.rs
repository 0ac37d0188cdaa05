//! `r.*` and `(expression).* AS (a, b)`: the fields of a row as columns. Which they are the planner has to tell
//! ([`RowStar`](crate::RowStar)).

use std::collections::{HashMap, HashSet};

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind,
    Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::grammar::{call, text};
use crate::scopes::Scope;

/// What the row of a star is wrapped in, with the columns' names after it where the statement gives them.
const FIELDS: &str = "$row_fields";

/// Names that the statement gives to a star's columns, by the place of the star.
pub(crate) type Aliases = HashMap<Location, Vec<Ident>>;

/// Takes `AS (a, b)` after stars out of `tokens`; the grammar of other dialects has no place for it.
pub(crate) fn take_aliases(tokens: &mut Vec<TokenWithSpan>) -> Aliases {
    let mut taken = Aliases::new();
    let mut at = 0;
    while at + 3 < tokens.len() {
        let star = tokens[at].token == Token::Period && tokens[at + 1].token == Token::Mul;
        let named = matches!(&tokens[at + 2].token, Token::Word(w) if w.keyword == Keyword::AS)
            && tokens[at + 3].token == Token::LParen;
        if star && named {
            let end = tokens[at + 4..].iter().position(|t| t.token == Token::RParen).map(|n| at + 4 + n);
            let names = end.and_then(|end| identifiers(&tokens[at + 4..end]));
            if let (Some(end), Some(names)) = (end, names) {
                taken.insert(tokens[at + 1].span.start, names);
                tokens.drain(at + 2..=end);
            }
        }
        at += 1;
    }
    taken
}

/// `a, b`.
fn identifiers(tokens: &[TokenWithSpan]) -> Option<Vec<Ident>> {
    let mut names = Vec::new();
    for (index, t) in tokens.iter().enumerate() {
        match &t.token {
            Token::Word(w) if index % 2 == 0 => names.push(w.clone().into_ident(t.span)),
            Token::Comma if index % 2 == 1 => {}
            _ => return None,
        }
    }
    (tokens.len() % 2 == 1).then_some(names)
}

/// Marks the stars of `select` that are no table's. `scopes`: the tables of the select and of the queries around it.
pub(crate) fn mark(select: &mut Select, scopes: &[Scope], aliases: &Aliases) {
    let tables: HashSet<&String> = scopes.iter().flat_map(|scope| scope.keys()).collect();
    for item in &mut select.projection {
        let SelectItem::QualifiedWildcard(kind, options) = item else { continue };
        let row = match kind {
            SelectItemQualifiedWildcardKind::Expr(row) => row.clone(),
            SelectItemQualifiedWildcardKind::ObjectName(name) => {
                let parts: Option<Vec<Ident>> = name.0.iter().map(|part| part.as_ident().cloned()).collect();
                match parts.as_deref() {
                    Some([only]) if !tables.contains(&only.value.to_lowercase()) => Expr::Identifier(only.clone()),
                    Some([_, _, ..]) => Expr::CompoundIdentifier(parts.unwrap_or_default()),
                    _ => continue,
                }
            }
        };
        let names = aliases.get(&options.wildcard_token.0.span.start).into_iter().flatten();
        let arguments = std::iter::once(row).chain(names.map(|name| text(name.value.as_str()))).collect();
        *kind = SelectItemQualifiedWildcardKind::Expr(call(FIELDS, arguments));
    }
}

/// A star over a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowStar {
    /// The row.
    pub row: Expr,
    /// The columns' names, where the statement gives them.
    pub names: Vec<String>,
}

impl RowStar {
    /// The star that `item` of a parsed statement is, if it is one over a row.
    #[must_use]
    pub fn of(item: &SelectItem) -> Option<Self> {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(e), _) = item else { return None };
        let Expr::Function(f) = e else { return None };
        let FunctionArguments::List(list) = &f.args else { return None };
        if f.name.0.last().and_then(|part| part.as_ident()).is_none_or(|name| name.value != FIELDS) {
            return None;
        }
        let mut arguments = list.args.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
            _ => None,
        });
        let row = arguments.next()??.clone();
        let names = arguments.map(|name| match name? {
            Expr::Value(v) => match &v.value {
                Value::SingleQuotedString(name) => Some(name.clone()),
                _ => None,
            },
            _ => None,
        });
        Some(Self { row, names: names.collect::<Option<_>>()? })
    }
}
