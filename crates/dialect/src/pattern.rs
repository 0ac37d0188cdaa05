//! LIKE patterns: Trino's have no escape character unless ESCAPE names one, DataFusion's always have the backslash.

use sqlparser::ast::{Expr, Value};

use crate::grammar::{call, text};

/// The pattern operand for DataFusion; `"$like_pattern"` computes it where it is no constant.
pub(crate) fn like(pattern: Expr, escape: Option<Expr>) -> Expr {
    let constant = |e: &Expr| match e {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(s) => Some(s.clone()),
            _ => None,
        },
        _ => None,
    };
    let known = match (&escape, escape.as_ref().map(constant)) {
        (None, _) => Some(None),
        (_, Some(Some(s))) => {
            let mut chars = s.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Some(Some(c)),
                _ => None,
            }
        }
        _ => None,
    };
    if let (Some(p), Some(escape)) = (constant(&pattern), known)
        && let Some(p) = like_pattern(&p, escape)
    {
        return text(p);
    }
    call("$like_pattern", std::iter::once(pattern).chain(escape).collect())
}

/// A pattern with escape character `escape` as one whose escape character is the backslash. None where `escape` stands
/// before anything but `%`, `_` and itself.
#[must_use]
pub fn like_pattern(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let next = chars.next()?;
            if next != '%' && next != '_' && Some(next) != escape {
                return None;
            }
            if matches!(next, '%' | '_' | '\\') {
                out.push('\\');
            }
            out.push(next);
        } else {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::like_pattern;

    #[test]
    fn backslashes_are_plain_and_escapes_are_kept() {
        assert_eq!(like_pattern(r"a\_b%", None).unwrap(), r"a\\_b%");
        assert_eq!(like_pattern("a#_b##%", Some('#')).unwrap(), r"a\_b#%");
        assert_eq!(like_pattern(r"a\%", Some('\\')).unwrap(), r"a\%");
        assert_eq!(like_pattern("a#b", Some('#')), None);
        assert_eq!(like_pattern("a#", Some('#')), None);
    }
}
