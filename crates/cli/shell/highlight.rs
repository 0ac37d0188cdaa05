//! Colours for statements, and where they end.

use std::fmt::Write;

const KEYWORDS: &str = "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT AS AND OR NOT IN IS NULL LIKE BETWEEN DISTINCT CASE WHEN THEN \
    ELSE END JOIN LEFT RIGHT INNER CROSS FULL ON USING UNION ALL EXCEPT INTERSECT WITH UNNEST VALUES OVER PARTITION ROWS RANGE CAST \
    TRY_CAST INTERVAL TIMESTAMP DATE ASC DESC NULLS FIRST LAST EXISTS EXPLAIN DESCRIBE SHOW TABLES COLUMNS FUNCTIONS TRUE FALSE ESCAPE \
    ARRAY ROW FILTER OFFSET FETCH GROUPING SETS ROLLUP CUBE LATERAL ORDINALITY";

pub(super) fn keywords() -> impl Iterator<Item = &'static str> {
    KEYWORDS.split_whitespace()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Word,
    Number,
    Text,
    Comment,
    End,
    Other,
}

/// The statement cut into tokens; nothing is left out.
fn tokens(text: &str) -> Vec<(Token, &str, bool)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let (token, length, closed) = match c {
            '\'' | '"' => match rest[1..].find(c) {
                Some(end) => (if c == '"' { Token::Word } else { Token::Text }, end + 2, true),
                None => (Token::Text, rest.len(), false),
            },
            '-' if rest.starts_with("--") => (Token::Comment, rest.find('\n').unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => (Token::Comment, end + 2, true),
                None => (Token::Comment, rest.len(), false),
            },
            ';' => (Token::End, 1, true),
            c if c.is_ascii_digit() => {
                (Token::Number, rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len()), true)
            }
            c if word(c) => (Token::Word, rest.find(|c: char| !word(c)).unwrap_or(rest.len()), true),
            c => (Token::Other, c.len_utf8(), true),
        };
        out.push((token, &rest[..length], closed));
        rest = &rest[length..];
    }
    out
}

/// Does the text end with a semicolon that is no part of text or a comment?
pub(super) fn ends(text: &str) -> bool {
    let tokens = tokens(text);
    let last = tokens.iter().rev().find(|(token, text, _)| *token != Token::Comment && !text.trim().is_empty());
    last.is_some_and(|(token, _, _)| *token == Token::End) && tokens.iter().all(|(_, _, closed)| *closed)
}

/// The text with escape sequences for colours.
pub(super) fn coloured(text: &str, is_function: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for (token, text, _) in tokens(text) {
        let colour = match token {
            Token::Word if KEYWORDS.split_whitespace().any(|k| k.eq_ignore_ascii_case(text)) => "1;34",
            Token::Word if is_function(&text.to_ascii_lowercase()) => "36",
            Token::Text => "32",
            Token::Number => "35",
            Token::Comment => "2",
            _ => "",
        };
        if colour.is_empty() {
            out.push_str(text);
        } else {
            let _ = write!(out, "\x1b[{colour}m{text}\x1b[0m");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_with_a_semicolon_of_their_own() {
        for (text, ended) in [
            ("SELECT 1;", true),
            ("SELECT 1; -- done", true),
            ("SELECT 1", false),
            ("SELECT ';", false),
            ("SELECT ';'", false),
            ("SELECT 1 -- ;", false),
            ("SELECT 1 /* ; */", false),
            ("SELECT 'it''s';", true),
            ("SELECT /* open ;", false),
        ] {
            assert_eq!(ends(text), ended, "{text}");
        }
    }

    #[test]
    fn colours_change_no_text() {
        let text = "SELECT count(*), 'ä' FROM $EDS_ID -- x\nWHERE a = 1.5;";
        let coloured = coloured(text, |name| name == "count");
        assert!(coloured.contains("\x1b[1;34mSELECT\x1b[0m \x1b[36mcount\x1b[0m"));
        let mut plain = coloured;
        for code in ["1;34", "36", "32", "35", "2", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, text);
    }
}
