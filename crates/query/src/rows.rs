//! Sets of events that a reader may see, told by the values of text columns.

use std::collections::BTreeSet;

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, Like, lit};

/// Which events of an event data store. Made by its functions, which simplify, so that nothing and everything show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// No event.
    None,
    /// Every event.
    All,
    /// Events whose column has one of the values; not those where it is NULL.
    Equals {
        /// Name of a text column.
        column: &'static str,
        /// At least one.
        values: BTreeSet<String>,
    },
    /// Events whose column matches one of the patterns (`*` for any text, `?` for any character).
    Like {
        /// Name of a text column.
        column: &'static str,
        /// At least one.
        patterns: BTreeSet<String>,
    },
    /// Those of any of the sets, of which there are two or more.
    Any(BTreeSet<Rows>),
    /// Those in every one of the sets, of which there are two or more.
    Every(BTreeSet<Rows>),
    /// All but those.
    Not(Box<Rows>),
}

impl Rows {
    /// Events whose `column` has one of the values.
    pub fn equals(column: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        let values: BTreeSet<String> = values.into_iter().collect();
        if values.is_empty() { Self::None } else { Self::Equals { column, values } }
    }

    /// Events whose `column` matches one of the patterns (`*` for any text, `?` for any character).
    pub fn like(column: &'static str, patterns: impl IntoIterator<Item = String>) -> Self {
        let patterns: BTreeSet<String> = patterns.into_iter().collect();
        if patterns.is_empty() { Self::None } else { Self::Like { column, patterns } }
    }

    /// The union; none of none.
    pub fn any(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut all = BTreeSet::new();
        for set in sets {
            match set {
                Self::All => return Self::All,
                Self::None => {}
                Self::Any(mut inner) => all.append(&mut inner),
                other => {
                    all.insert(other);
                }
            }
        }
        match all.len() {
            0 => Self::None,
            1 => all.pop_first().unwrap_or(Self::None),
            _ => Self::Any(all),
        }
    }

    /// The intersection; all of none.
    pub fn every(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut all = BTreeSet::new();
        for set in sets {
            match set {
                Self::None => return Self::None,
                Self::All => {}
                Self::Every(mut inner) => all.append(&mut inner),
                other => {
                    all.insert(other);
                }
            }
        }
        match all.len() {
            0 => Self::All,
            1 => all.pop_first().unwrap_or(Self::All),
            _ => Self::Every(all),
        }
    }

    /// The events that are not in `set`.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a constructor like `any` and `every`")]
    pub fn not(set: Self) -> Self {
        match set {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// As an expression over the columns of a store; a column that the store lacks is NULL.
    pub(crate) fn expression(&self, has: &dyn Fn(&str) -> bool) -> Expr {
        let column = |name: &str| Expr::Column(Column::new_unqualified(name));
        match self {
            Self::None => lit(false),
            Self::All => lit(true),
            Self::Equals { column: name, .. } | Self::Like { column: name, .. } if !has(name) => lit(false),
            Self::Equals { column: name, values } => {
                let list = values.iter().map(|value| lit(ScalarValue::Utf8View(Some(value.clone())))).collect();
                Expr::InList(InList::new(Box::new(column(name)), list, false))
            }
            Self::Like { column: name, patterns } => {
                fold(patterns.iter().map(|pattern| like(column(name), pattern)), Expr::or)
            }
            Self::Any(sets) => fold(sets.iter().map(|set| set.expression(has)), Expr::or),
            Self::Every(sets) => fold(sets.iter().map(|set| set.expression(has)), Expr::and),
            // Of NULL a test is not true, so its negation is.
            Self::Not(set) => Expr::IsNotTrue(Box::new(set.expression(has))),
        }
    }
}

fn fold(parts: impl Iterator<Item = Expr>, join: fn(Expr, Expr) -> Expr) -> Expr {
    parts.reduce(join).unwrap_or_else(|| lit(false))
}

fn like(column: Expr, pattern: &str) -> Expr {
    let mut text = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '*' => text.push('%'),
            '?' => text.push('_'),
            '%' | '_' | '\\' => text.extend(['\\', c]),
            other => text.push(other),
        }
    }
    let pattern = lit(ScalarValue::Utf8View(Some(text)));
    Expr::Like(Like::new(false, Box::new(column), Box::new(pattern), None, false))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn equals(value: &str) -> Rows {
        Rows::equals("awsregion", [value.to_owned()])
    }

    #[test]
    fn sets_are_simplified() {
        assert_eq!(Rows::any([]), Rows::None);
        assert_eq!(Rows::every([]), Rows::All);
        assert_eq!(Rows::any([equals("a"), Rows::All]), Rows::All);
        assert_eq!(Rows::every([equals("a"), Rows::None]), Rows::None);
        assert_eq!(Rows::every([Rows::All, equals("a"), equals("a")]), equals("a"));
        assert_eq!(Rows::not(Rows::not(equals("a"))), equals("a"));
        assert_eq!(
            Rows::any([Rows::any([equals("a"), equals("b")]), equals("c")]),
            Rows::any([equals("c"), equals("b"), equals("a")])
        );
        assert_eq!(Rows::equals("awsregion", []), Rows::None);
    }

    #[test]
    fn patterns_are_literal_but_for_their_two_characters() {
        let text = Rows::like("awsregion", ["us-*_%?".to_owned()]).expression(&|_| true).to_string();
        assert!(text.contains(r"us-%\_\%_"), "{text}");
    }
}
