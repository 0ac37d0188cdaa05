//! The JSON functions of the SQL standard, whose arguments are clauses (Trino's reference, "JSON functions").
//!
//! They become plain calls. The clauses are gathered in one JSON text, so that a function reads them once, while it is planned:
//!
//! | written | call |
//! |---|---|
//! | `json_exists(x [FORMAT JSON], path [PASSING …] [… ON ERROR])` | `"$json_exists"(x, path, clauses, passed…)` |
//! | `json_value(x, path [PASSING …] [RETURNING t] [… ON EMPTY] [… ON ERROR])` | `"$json_value"(x, path, clauses, default on empty, default on error, passed…)` |
//! | `json_query(x, path [PASSING …] [RETURNING t] [wrapper] [quotes] [… ON EMPTY] [… ON ERROR])` | `"$json_query"(x, path, clauses, passed…)` |
//! | `json_object(k : v [FORMAT JSON], … [NULL or ABSENT ON NULL] [WITH UNIQUE KEYS] [RETURNING t])` | `"$json_object"(clauses, k, v, …)` |
//! | `json_array(v [FORMAT JSON], … [NULL or ABSENT ON NULL] [RETURNING t])` | `"$json_array"(clauses, v, …)` |
//!
//! Clauses: `format` (whether each input or value is FORMAT JSON: `"json"`, with an encoding `"utf8"`, `"utf16"`, `"utf32"`, else `""`), `names` of the passed values,
//! `returning` (Trino's type text), `output` (the encoding of `RETURNING varbinary FORMAT JSON ENCODING …`), `wrapper` (`without`, `with`, `conditional`),
//! `quotes` (`keep`, `omit`), `empty` and `error` (`null`, `error`, `default`, `array`, `object`, `true`, `false`, `unknown`),
//! `null` (`null`, `absent`), `unique`.

use sqlparser::ast::{Expr, Value, ValueWithSpan};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::grammar::{call, text};
use crate::types;

type Result<T> = std::result::Result<T, ParserError>;

/// Is the next word this one? Then it is taken.
fn take(p: &mut Parser<'_>, words: &[&str]) -> bool {
    let all = words.iter().enumerate().all(|(i, word)| {
        matches!(&p.peek_nth_token_ref(i).token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    });
    if all {
        for _ in words {
            p.advance_token();
        }
    }
    all
}

#[derive(Default)]
struct Clauses {
    parts: Vec<(&'static str, String)>,
}

impl Clauses {
    fn set(&mut self, name: &'static str, value: &str) {
        self.parts.push((name, quote(value)));
    }

    fn list(&mut self, name: &'static str, values: &[String]) {
        let items: Vec<String> = values.iter().map(|v| quote(v)).collect();
        self.parts.push((name, format!("[{}]", items.join(","))));
    }

    fn text(self) -> Expr {
        let parts: Vec<String> = self.parts.into_iter().map(|(n, v)| format!("{}:{v}", quote(n))).collect();
        text(format!("{{{}}}", parts.join(",")))
    }
}

fn quote(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `FORMAT JSON [ENCODING UTF8 | UTF16 | UTF32]`, if it comes next.
fn format(p: &mut Parser<'_>) -> Result<String> {
    if !take(p, &["format", "json"]) {
        return Ok(String::new());
    }
    if !take(p, &["encoding"]) {
        return Ok("json".to_owned());
    }
    for encoding in ["utf8", "utf16", "utf32"] {
        if take(p, &[encoding]) {
            return Ok(encoding.to_owned());
        }
    }
    let found = p.peek_token_ref().clone();
    p.expected("UTF8, UTF16 or UTF32", found)
}

fn returning(p: &mut Parser<'_>, clauses: &mut Clauses) -> Result<()> {
    if take(p, &["returning"]) {
        clauses.set("returning", &types::read(p)?);
        let output = format(p)?;
        if !output.is_empty() {
            clauses.set("output", &output);
        }
    }
    Ok(())
}

/// `PASSING x [FORMAT JSON] AS "name", …`.
fn passing(p: &mut Parser<'_>, formats: &mut Vec<String>, clauses: &mut Clauses) -> Result<Vec<Expr>> {
    let mut values = Vec::new();
    let mut names = Vec::new();
    if take(p, &["passing"]) {
        loop {
            values.push(p.parse_expr()?);
            formats.push(format(p)?);
            p.expect_keyword_is(sqlparser::keywords::Keyword::AS)?;
            let ident = p.parse_identifier()?;
            // Unquoted names are upper-case in the SQL standard, and so in paths.
            names.push(if ident.quote_style.is_some() { ident.value } else { ident.value.to_uppercase() });
            if !p.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    clauses.list("names", &names);
    Ok(values)
}

fn null() -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Null, span: Span::empty() })
}

/// `… ON EMPTY`, `… ON ERROR`; gives the two defaults.
fn on(p: &mut Parser<'_>, clauses: &mut Clauses) -> Result<[Expr; 2]> {
    let mut defaults = [null(), null()];
    loop {
        let (behaviour, value) = if take(p, &["default"]) {
            ("default", Some(p.parse_expr()?))
        } else if take(p, &["empty", "array"]) {
            ("array", None)
        } else if take(p, &["empty", "object"]) {
            ("object", None)
        } else if let Some(word) = ["null", "error", "true", "false", "unknown"].into_iter().find(|w| take(p, &[w])) {
            (word, None)
        } else {
            return Ok(defaults);
        };
        let (clause, slot) = if take(p, &["on", "empty"]) {
            ("empty", 0)
        } else if take(p, &["on", "error"]) {
            ("error", 1)
        } else {
            let found = p.peek_token_ref().clone();
            return p.expected("ON EMPTY or ON ERROR", found);
        };
        clauses.set(clause, behaviour);
        if let Some(value) = value {
            defaults[slot] = value;
        }
    }
}

/// Reads a call of `name` whose opening parenthesis comes next; None where `name` is no function of this kind.
pub(crate) fn read(p: &mut Parser<'_>, name: &str) -> Result<Option<Expr>> {
    let mut clauses = Clauses::default();
    let mut formats = Vec::new();
    let expr = match name {
        "json_exists" | "json_value" | "json_query" => {
            p.expect_token(&Token::LParen)?;
            let mut args = vec![p.parse_expr()?];
            formats.push(format(p)?);
            p.expect_token(&Token::Comma)?;
            args.push(p.parse_expr()?);
            let passed = passing(p, &mut formats, &mut clauses)?;
            clauses.list("format", &formats);
            returning(p, &mut clauses)?;
            if name == "json_query" {
                wrapper(p, &mut clauses);
                if let Some(word) = ["keep", "omit"].into_iter().find(|w| take(p, &[w, "quotes"])) {
                    clauses.set("quotes", word);
                    take(p, &["on", "scalar", "string"]);
                }
            }
            let defaults = on(p, &mut clauses)?;
            p.expect_token(&Token::RParen)?;
            args.push(clauses.text());
            if name == "json_value" {
                args.extend(defaults);
            }
            args.extend(passed);
            call(&format!("${name}"), args)
        }
        "json_object" | "json_array" => {
            p.expect_token(&Token::LParen)?;
            let mut args = Vec::new();
            let ends = |p: &Parser<'_>| {
                let word = |n: usize, words: &[&str]| matches!(&p.peek_nth_token_ref(n).token, Token::Word(w) if words.iter().any(|x| w.value.eq_ignore_ascii_case(x)));
                p.peek_token_ref().token == Token::RParen
                    || word(0, &["returning"])
                    || (word(0, &["null", "absent"]) && word(1, &["on"]))
            };
            while !ends(p) {
                if name == "json_object" {
                    let keyed = take(p, &["key"]);
                    args.push(p.parse_subexpr(0)?);
                    if (keyed || !p.consume_token(&Token::Colon)) && !take(p, &["value"]) {
                        let found = p.peek_token_ref().clone();
                        return p.expected("VALUE", found);
                    }
                }
                let value = p.parse_expr()?;
                let format = format(p)?;
                // What a JSON function returns is JSON in another one, not text.
                formats.push(if format.is_empty() && is_json_call(&value) { "json".to_owned() } else { format });
                args.push(value);
                if !p.consume_token(&Token::Comma) {
                    break;
                }
            }
            clauses.list("format", &formats);
            if let Some(word) = ["null", "absent"].into_iter().find(|w| take(p, &[w, "on", "null"])) {
                clauses.set("null", word);
            }
            if take(p, &["with", "unique"]) {
                take(p, &["keys"]);
                clauses.set("unique", "true");
            } else if take(p, &["without", "unique"]) {
                take(p, &["keys"]);
            }
            returning(p, &mut clauses)?;
            p.expect_token(&Token::RParen)?;
            call(&format!("${name}"), std::iter::once(clauses.text()).chain(args).collect())
        }
        _ => return Ok(None),
    };
    Ok(Some(expr))
}

fn is_json_call(e: &Expr) -> bool {
    let Expr::Function(f) = e else { return false };
    let name = f.name.to_string();
    ["$json_object", "$json_array", "$json_query"].iter().any(|n| name.trim_matches('"') == *n)
}

fn wrapper(p: &mut Parser<'_>, clauses: &mut Clauses) {
    let kind = if take(p, &["without"]) {
        "without"
    } else if take(p, &["with", "conditional"]) {
        "conditional"
    } else if take(p, &["with"]) {
        take(p, &["unconditional"]);
        "with"
    } else {
        return;
    };
    take(p, &["array"]);
    take(p, &["wrapper"]);
    clauses.set("wrapper", kind);
}
