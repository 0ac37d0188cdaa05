//! Query parameters: `?`, also inside quoted text.
//!
//! Lake's dashboards quote theirs, `eventTime > '?'`, so a value goes into the literal's text. The statement is tokens by
//! then: no value can end a literal or add a clause.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/lake-widget-properties.html>

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Kind, Result};

/// Puts `values`, in order, in the places of the question marks. Without values, quoted question marks are text.
///
/// # Errors
/// [`Kind::InvalidParameterUsage`] for more or fewer values than question marks.
pub(crate) fn bind(tokens: &mut [TokenWithSpan], values: &[String]) -> Result<()> {
    let places: usize = tokens.iter().map(|t| places(&t.token, values.is_empty())).sum();
    if places != values.len() {
        let message = format!(
            "Incorrect number of parameters: the statement has {places} (each ?, also inside quotes), {} given",
            values.len()
        );
        let first = tokens.iter().find(|t| matches!(t.token, Token::Placeholder(_)));
        let position = first.map(|t| t.span.start.into());
        return Err(Error { kind: Kind::InvalidParameterUsage, position, message });
    }
    let mut values = values.iter();
    for t in tokens {
        match &mut t.token {
            Token::Placeholder(mark) if mark == "?" => {
                if let Some(value) = values.next() {
                    t.token = match value {
                        number if is_number(number) => Token::Number(number.clone(), false),
                        text => Token::SingleQuotedString(text.clone()),
                    };
                }
            }
            Token::SingleQuotedString(text) | Token::UnicodeStringLiteral(text) if text.contains('?') => {
                let mut filled = String::with_capacity(text.len());
                for c in text.chars() {
                    match values.as_slice().first().filter(|_| c == '?') {
                        Some(value) => {
                            filled.push_str(value);
                            values.next();
                        }
                        None => filled.push(c),
                    }
                }
                *text = filled;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Question marks of a token.
fn places(token: &Token, quoted_are_text: bool) -> usize {
    match token {
        Token::Placeholder(mark) if mark == "?" => 1,
        Token::SingleQuotedString(text) | Token::UnicodeStringLiteral(text) if !quoted_are_text => {
            text.matches('?').count()
        }
        _ => 0,
    }
}

fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::{Kind, parse, parse_with};

    fn bound(sql: &str, values: &[&str]) -> String {
        let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        parse_with(sql, &values).unwrap().statement.to_string()
    }

    fn plain(sql: &str) -> String {
        parse(sql).unwrap().statement.to_string()
    }

    #[test]
    fn values_go_into_literals_and_stay_there() {
        assert_eq!(
            bound("SELECT date_trunc('?', t) FROM e WHERE t > '?'", &["hour", "2026-01-01"]),
            plain("SELECT date_trunc('hour', t) FROM e WHERE t > '2026-01-01'")
        );
        assert_eq!(
            bound("SELECT a FROM e WHERE b = '?'", &["' OR '1' = '1"]),
            plain("SELECT a FROM e WHERE b = ''' OR ''1'' = ''1'")
        );
        assert_eq!(
            bound("SELECT a FROM e WHERE b = ? LIMIT ?", &["x", "3"]),
            plain("SELECT a FROM e WHERE b = 'x' LIMIT 3")
        );
    }

    #[test]
    fn a_value_with_a_question_mark_is_no_place_for_the_next() {
        assert_eq!(bound("SELECT '?', '?-?'", &["a?", "b", "?"]), plain("SELECT 'a?', 'b-?'"));
    }

    #[test]
    fn counts_must_agree() {
        for (sql, values) in [("SELECT ?", vec![]), ("SELECT '?'", vec!["a".to_owned(), "b".to_owned()])] {
            assert_eq!(parse_with(sql, &values).unwrap_err().kind, Kind::InvalidParameterUsage, "{sql}");
        }
        assert!(parse("SELECT '?'").is_ok());
    }
}
