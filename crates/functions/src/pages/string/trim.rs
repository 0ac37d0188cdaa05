//! Trimming: whitespace as Java's `Character.isWhitespace` sees it, or the characters of a set.

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::columns::Type::Varchar;
use crate::columns::{Call, Overload, known};

pub(super) const OVERLOADS: &[Overload] = &[(&[Varchar], Varchar), (&[Varchar, Varchar], Varchar)];

pub(super) fn trim(call: &Call) -> Result<ArrayRef> {
    cut(call, |text, unwanted| text.trim_matches(unwanted))
}

pub(super) fn ltrim(call: &Call) -> Result<ArrayRef> {
    cut(call, |text, unwanted| text.trim_start_matches(unwanted))
}

pub(super) fn rtrim(call: &Call) -> Result<ArrayRef> {
    cut(call, |text, unwanted| text.trim_end_matches(unwanted))
}

fn cut(call: &Call, side: impl for<'a> Fn(&'a str, &dyn Fn(char) -> bool) -> &'a str) -> Result<ArrayRef> {
    let text = call.text(0)?;
    if call.len() == 1 {
        return call.texts(|i| Ok(text.get(i).map(|t| side(t, &is_whitespace))));
    }
    let set = call.text(1)?;
    call.texts(|i| {
        let (text, set) = (known!(text.get(i)), known!(set.get(i)));
        Ok(Some(side(text, &|c| set.contains(c))))
    })
}

/// Java's whitespace: Unicode's without the no-break spaces, with the four ASCII separators.
fn is_whitespace(c: char) -> bool {
    match c {
        '\u{1c}'..='\u{1f}' => true,
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        _ => c.is_whitespace(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_break_spaces_stay() {
        assert!(is_whitespace('\u{3000}') && is_whitespace('\n') && is_whitespace('\u{1f}'));
        assert!(!is_whitespace('\u{a0}') && !is_whitespace('x'));
    }
}
