//! Trino's type grammar, read into Trino's own text form, which the `functions` crate turns into Arrow types.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// Names that begin a type of several words.
fn continues(first: &str, second: &str) -> bool {
    matches!(
        (first, second),
        ("timestamp" | "time", "with" | "without") | ("double", "precision") | ("interval", "day" | "year")
    )
}

fn word(p: &Parser<'_>, n: usize) -> Option<String> {
    match &p.peek_nth_token_ref(n).token {
        Token::Word(w) if w.quote_style.is_none() => Some(w.value.to_lowercase()),
        _ => None,
    }
}

fn expect_word(p: &mut Parser<'_>, expected: &str) -> Result<(), ParserError> {
    if word(p, 0).as_deref() == Some(expected) {
        p.advance_token();
        return Ok(());
    }
    let found = p.peek_token_ref().clone();
    p.expected(&expected.to_uppercase(), found)
}

/// Reads one type: `row(a bigint, varchar)`, `map(varchar, array(json))`, `timestamp(3) with time zone`, …
pub(crate) fn read(p: &mut Parser<'_>) -> Result<String, ParserError> {
    let Some(name) = word(p, 0) else {
        let found = p.peek_token_ref().clone();
        return p.expected("a type", found);
    };
    p.advance_token();
    let mut text = match name.as_str() {
        "row" | "struct" if p.peek_token_ref().token == Token::LParen => {
            p.expect_token(&Token::LParen)?;
            let fields = p.parse_comma_separated(field)?;
            p.expect_token(&Token::RParen)?;
            format!("row({})", fields.join(", "))
        }
        "array" | "map" if matches!(p.peek_token_ref().token, Token::LParen | Token::Lt) => {
            let close = if p.consume_token(&Token::Lt) { Token::Gt } else { Token::RParen };
            if close == Token::RParen {
                p.expect_token(&Token::LParen)?;
            }
            let parts = p.parse_comma_separated(read)?;
            p.expect_token(&close)?;
            format!("{name}({})", parts.join(", "))
        }
        "double" => {
            if word(p, 0).as_deref() == Some("precision") {
                p.advance_token();
            }
            name
        }
        "timestamp" | "time" => {
            let precision = parameters(p)?;
            match word(p, 0).as_deref() {
                Some(with @ ("with" | "without")) if word(p, 1).as_deref() == Some("time") => {
                    let with = with.to_owned();
                    p.advance_token();
                    expect_word(p, "time")?;
                    expect_word(p, "zone")?;
                    let zone = if with == "with" { " with time zone" } else { "" };
                    format!("{name}{precision}{zone}")
                }
                _ => format!("{name}{precision}"),
            }
        }
        "interval" => {
            let from = word(p, 0).unwrap_or_default();
            p.advance_token();
            expect_word(p, "to")?;
            let to = word(p, 0).unwrap_or_default();
            p.advance_token();
            format!("interval {from} to {to}")
        }
        "int" => "integer".to_owned(),
        "dec" | "numeric" => format!("decimal{}", parameters(p)?),
        "string" => "varchar".to_owned(),
        _ => format!("{name}{}", parameters(p)?),
    };
    while word(p, 0).as_deref() == Some("array") {
        p.advance_token();
        text = format!("array({text})");
    }
    Ok(text)
}

/// A field of a row type: its name is optional.
fn field(p: &mut Parser<'_>) -> Result<String, ParserError> {
    let named = match (&p.peek_token_ref().token, &p.peek_nth_token_ref(1).token) {
        (Token::Word(first), Token::Word(second)) => {
            first.quote_style.is_some()
                || !continues(&first.value.to_lowercase(), &second.value.to_lowercase())
                    && (!second.value.eq_ignore_ascii_case("array")
                        || matches!(p.peek_nth_token_ref(2).token, Token::LParen | Token::Lt))
        }
        _ => false,
    };
    if !named {
        return read(p);
    }
    let name = p.parse_identifier()?;
    let name = match name.quote_style {
        Some(_) => format!("\"{}\"", name.value.replace('"', "\"\"")),
        None => name.value.to_lowercase(),
    };
    Ok(format!("{name} {}", read(p)?))
}

/// `(38, 2)` or nothing.
fn parameters(p: &mut Parser<'_>) -> Result<String, ParserError> {
    if !p.consume_token(&Token::LParen) {
        return Ok(String::new());
    }
    let numbers = p.parse_comma_separated(Parser::parse_literal_uint)?;
    p.expect_token(&Token::RParen)?;
    Ok(format!("({})", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")))
}

/// The precision that the digits of a literal give, and whether it names a zone.
pub(crate) fn of_time(value: &str) -> String {
    let digits = value.rsplit_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    let clock = value
        .trim()
        .split_once([' ', 'T'])
        .map_or(if value.contains(':') && !value.contains(' ') { value } else { "" }, |(_, rest)| rest);
    let after = clock.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == '.');
    let zone = if after.trim().is_empty() { "" } else { " with time zone" };
    format!("({digits}){zone}")
}

/// The type that the digits of a decimal literal give.
pub(crate) fn of_decimal(value: &str) -> String {
    let digits = value.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let precision = (whole.len() + fraction.len()).max(1);
    format!("decimal({precision}, {})", fraction.len())
}
