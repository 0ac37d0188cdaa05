//! From text to tokens: what Lake and Trino write that no other dialect does.

use std::collections::HashMap;

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use crate::error::{Error, Result};
use crate::row_star::Aliases;
use crate::{parameters, row_star};

/// Columns that `SELECT *` does not show.
const HIDDEN: [&str; 3] = ["$path", "$version", "$record"];

/// The tokens of one statement.
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// Folded name → the name as written, where the two differ.
    pub(crate) written: HashMap<String, String>,
    /// Hidden columns that are named.
    pub(crate) hidden: Vec<String>,
    /// Names of the columns that stars over rows give.
    pub(crate) row_aliases: Aliases,
    /// As in [`crate::Parsed`].
    pub(crate) names_in: Option<String>,
}

/// Reads `sql`, with `parameters` in the places of its question marks.
pub(crate) fn read(dialect: &dyn Dialect, sql: &str, parameters: &[String]) -> Result<Tokens> {
    let raw =
        Tokenizer::new(dialect, sql).tokenize_with_location().map_err(|e| Error::syntax(e.location, e.message))?;
    let mut raw = raw.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect::<Vec<_>>();
    parameters::bind(&mut raw, parameters)?;
    let names_in = names_its_columns(&raw).then(|| {
        let parts = std::iter::once(sql).chain(parameters.iter().map(String::as_str));
        parts.map(str::to_lowercase).collect::<Vec<_>>().join("\n")
    });
    let row_aliases = row_star::take_aliases(&mut raw);
    limit_paths(&raw)?;
    limit_queries(&raw)?;
    let mut written = HashMap::new();
    let mut tokens = merge_numbers(merge_names(&raw))?;
    for t in &mut tokens {
        fold(t, &mut written)?;
    }
    let named = |name: &&str| tokens.iter().any(|t| matches!(&t.token, Token::Word(w) if w.value == **name));
    let hidden = HIDDEN.iter().filter(|n| named(n)).map(|n| (*n).to_owned()).collect();
    Ok(Tokens { tokens: parenthesize_values(&tokens), written, hidden, row_aliases, names_in })
}

/// Whether a statement names every column that it wants of its tables.
fn names_its_columns(tokens: &[TokenWithSpan]) -> bool {
    let token = |index: usize| tokens.get(index).map(|t| &t.token);
    let keyword = |index: usize| match token(index) {
        Some(Token::Word(w)) if w.quote_style.is_none() => Some(w.keyword),
        _ => None,
    };
    let counts = |star: usize| {
        star >= 2
            && matches!(token(star - 1), Some(Token::LParen))
            && matches!(token(star - 2), Some(Token::Word(w)) if w.value.eq_ignore_ascii_case("count"))
    };
    (0..tokens.len()).all(|index| match &tokens[index].token {
        Token::Mul => counts(index),
        Token::Word(_) => !matches!(keyword(index), Some(Keyword::TABLE | Keyword::NATURAL)),
        _ => true,
    })
}

/// Fields in a row that a path may name; Lake's deepest path has four. The parser tries each field in two ways when a
/// statement goes wrong after it, so that the time doubles with every field.
const PATH_FIELDS: usize = 12;

/// Subqueries of expressions in each other: DataFusion 55 checks a plan's extension nodes once as its subquery and once
/// as its expression's, at each level, so that planning time doubles with every level.
const NESTED_QUERIES: usize = 12;

/// Refuses expressions' queries nested deeper than anybody writes; queries in FROM and WITH nest freely.
fn limit_queries(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut parentheses: Vec<bool> = Vec::new();
    let mut relation = false;
    for (index, t) in tokens.iter().enumerate() {
        match &t.token {
            Token::LParen => {
                let next = tokens.get(index + 1).map(|t| &t.token);
                let query = !relation
                    && matches!(next, Some(Token::Word(w)) if w.quote_style.is_none()
                        && matches!(w.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE));
                parentheses.push(query);
                if query && parentheses.iter().filter(|query| **query).count() > NESTED_QUERIES {
                    let message = format!("subqueries nested in each other more than {NESTED_QUERIES} deep");
                    return Err(Error::syntax(t.span.start, message));
                }
            }
            Token::RParen => {
                parentheses.pop();
            }
            _ => {}
        }
        match &t.token {
            Token::Whitespace(_) => {}
            Token::Word(w) => relation = matches!(w.keyword, Keyword::FROM | Keyword::JOIN | Keyword::AS),
            _ => relation = false,
        }
    }
    Ok(())
}

/// Refuses paths of more fields than any schema has.
fn limit_paths(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut fields = 0;
    let mut after_word = false;
    for t in tokens {
        let word = matches!(t.token, Token::Word(_));
        match &t.token {
            Token::Period => fields += 1,
            // A second word begins something else; brackets belong to the path.
            Token::Word(_) if after_word => fields = 0,
            Token::Word(_) | Token::Number(..) | Token::LBracket | Token::RBracket | Token::LParen | Token::RParen => {}
            _ => fields = 0,
        }
        if fields > PATH_FIELDS {
            return Err(Error::syntax(t.span.start, format!("a path of more than {PATH_FIELDS} fields")));
        }
        after_word = word;
    }
    Ok(())
}

/// Trino ignores the case of names, even quoted ones; quoted names are folded here, unquoted ones by the planner.
fn fold(t: &mut TokenWithSpan, written: &mut HashMap<String, String>) -> Result<()> {
    match &mut t.token {
        Token::Word(w) => {
            let lower = w.value.to_lowercase();
            if lower != w.value {
                written.insert(lower.clone(), w.value.clone());
                if w.quote_style.is_some() {
                    w.value = lower;
                }
            }
        }
        Token::DoubleQuotedString(s) => {
            let lower = s.to_lowercase();
            written.insert(lower.clone(), s.clone());
            t.token = Token::Word(Word { value: lower, quote_style: Some('"'), keyword: Keyword::NoKeyword });
        }
        // X'68 65 6C': blanks may part the digits.
        Token::HexStringLiteral(s) => s.retain(|c| !c.is_whitespace()),
        Token::DollarQuotedString(_) | Token::NationalStringLiteral(_) | Token::EscapedStringLiteral(_) => {
            return Err(Error::syntax(t.span.start, format!("unknown kind of literal {}", t.token)));
        }
        _ => {}
    }
    Ok(())
}

/// `13_700_000`, `0xFF`, `0o17` and `0b1_0`: a number and the words that stick to it.
fn merge_numbers(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(mut t) = tokens.next() {
        let start = t.span.start;
        let mut number = match &t.token {
            Token::Number(digits, false) => digits.clone(),
            // `X'FF'`, which is bytes, has two quotes and a letter beside its digits.
            Token::HexStringLiteral(digits) if is_short(&t, digits.chars().count() + 2) => format!("0x{digits}"),
            _ => {
                out.push(t);
                continue;
            }
        };
        while let Some(next) = tokens.peek()
            && next.span.start == t.span.end
            && let Token::Word(w) = &next.token
            && w.quote_style.is_none()
            && sticks(&number, &w.value)
        {
            number.push_str(&w.value);
            t.span.end = next.span.end;
            tokens.next();
        }
        number.retain(|c| c != '_');
        let prefix = number.get(..2).map(str::to_ascii_lowercase);
        let radix = match prefix.as_deref() {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => {
                t.token = Token::Number(number, false);
                out.push(t);
                continue;
            }
        };
        let Ok(value) = i64::from_str_radix(&number[2..], radix) else {
            return Err(Error::syntax(start, format!("invalid numeric literal: {number}")));
        };
        t.token = Token::Number(value.to_string(), false);
        out.push(t);
    }
    Ok(out)
}

/// Has the token `length` characters, on one line?
fn is_short(t: &TokenWithSpan, length: usize) -> bool {
    t.span.start.line == t.span.end.line && (t.span.end.column - t.span.start.column) == length as u64
}

/// Does `word`, right after `number`, belong to it?
fn sticks(number: &str, word: &str) -> bool {
    let digits = |of: fn(&u8) -> bool| word.bytes().all(|b| b == b'_' || of(&b));
    match number.get(..2).unwrap_or_default().to_ascii_lowercase().as_str() {
        "0x" => digits(u8::is_ascii_hexdigit),
        "0o" | "0b" => digits(u8::is_ascii_digit),
        _ if number == "0" && word.starts_with(['o', 'O', 'b', 'B', 'x', 'X']) => true,
        _ => word.starts_with('_') && digits(u8::is_ascii_digit),
    }
}

/// Text of a token that may be part of an unquoted event data store id or ARN.
fn piece(t: &Token) -> Option<String> {
    match t {
        Token::Word(w) if w.quote_style.is_none() => Some(w.value.clone()),
        Token::Number(n, long) => Some(format!("{n}{}", if *long { "L" } else { "" })),
        Token::Minus => Some("-".to_owned()),
        Token::Colon => Some(":".to_owned()),
        Token::DoubleColon => Some("::".to_owned()),
        Token::Div => Some("/".to_owned()),
        _ => None,
    }
}

/// 8-4-4-4-12 letters and digits, as in an event data store's id and in the placeholders that stand for one.
fn is_uuid(s: &str) -> bool {
    let parts: Vec<&str> = s.split('-').collect();
    parts.len() == 5
        && parts.iter().zip([8, 4, 4, 4]).all(|(p, n)| p.len() == n)
        && parts[4].len() >= 12
        && parts.iter().all(|p| p.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn is_arn(s: &str) -> bool {
    s.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("arn:"))
        && s.rsplit_once('/').is_some_and(|(head, id)| head.contains(":eventdatastore") && is_uuid(id))
}

/// Words with dashes (`eds-id`) are names where a table is expected.
fn is_dashed_name(s: &str) -> bool {
    s.contains('-')
        && !s.starts_with('-')
        && !s.ends_with('-')
        && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && s.chars().any(|c| c.is_ascii_alphabetic())
}

/// `<event_data_store_ID>` where a table is expected: how published queries leave the place of an id open.
fn angled(before: &TokenWithSpan, tokens: &[TokenWithSpan]) -> Option<String> {
    let from = matches!(&before.token, Token::Word(w) if matches!(w.keyword, Keyword::FROM | Keyword::JOIN));
    match tokens {
        [lt, name, gt, ..] if from && lt.token == Token::Lt && gt.token == Token::Gt => match &name.token {
            Token::Word(w) if w.quote_style.is_none() => Some(format!("<{}>", w.value)),
            _ => None,
        },
        _ => None,
    }
}

fn quoted(value: String) -> Token {
    Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword })
}

/// Makes one quoted name of the adjacent tokens that spell an id or an ARN, and of `$EDS_ID`.
fn merge_names(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut i = 0;
    while i < tokens.len() {
        let t = &tokens[i];
        if let Token::Placeholder(name) = &t.token
            && name.len() > 1
            && name.starts_with('$')
        {
            out.push(TokenWithSpan::new(quoted(name.clone()), t.span));
            i += 1;
            continue;
        }
        if let Some(name) = out.last().and_then(|before| angled(before, &tokens[i..])) {
            out.push(TokenWithSpan::new(quoted(name), t.span.union(&tokens[i + 2].span)));
            i += 3;
            continue;
        }
        let table_expected = matches!(&out.last().map(|t| &t.token), Some(Token::Word(w)) if matches!(w.keyword, Keyword::FROM | Keyword::JOIN));
        let mut text = String::new();
        let mut hit = None;
        let mut j = i;
        while let Some(next) = tokens.get(j) {
            let Some(p) = piece(&next.token) else { break };
            if j > i && next.span.start != tokens[j - 1].span.end {
                break;
            }
            text.push_str(&p);
            j += 1;
            if is_uuid(&text) || is_arn(&text) || (table_expected && is_dashed_name(&text)) {
                hit = Some((j, text.clone()));
            }
        }
        match hit {
            Some((end, name)) => {
                let span = t.span.union(&tokens[end - 1].span);
                out.push(TokenWithSpan::new(quoted(name), span));
                i = end;
            }
            None => {
                out.push(t.clone());
                i += 1;
            }
        }
    }
    out
}

/// `VALUES 1, 2` → `VALUES (1), (2)`: every row that is not parenthesized as a whole gets its parentheses.
fn parenthesize_values(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut i = 0;
    while i < tokens.len() {
        let is_values =
            matches!(&tokens[i].token, Token::Word(w) if w.keyword == Keyword::VALUES && w.quote_style.is_none());
        let starts_rows = is_values
            && i.checked_sub(1).is_none_or(|p| starts_query(&tokens[p].token))
            && !matches!(
                tokens.get(i + 1).map(|t| &t.token),
                None | Some(Token::RParen | Token::Period | Token::Comma)
            );
        out.push(tokens[i].clone());
        i += 1;
        if starts_rows {
            let (start, end) = (i, end_of_rows(tokens, i));
            let mut row = start;
            while row < end {
                let stop = end_of_row(tokens, row, end);
                let inner = parenthesize_values(&tokens[row..stop]);
                if is_row(&tokens[row..stop]) {
                    out.extend(inner);
                } else {
                    out.push(TokenWithSpan::new(Token::LParen, tokens[row].span));
                    out.extend(inner);
                    out.push(TokenWithSpan::new(Token::RParen, tokens[stop - 1].span));
                }
                if stop < end {
                    out.push(tokens[stop].clone());
                }
                row = stop + 1;
            }
            i = end;
        }
    }
    out
}

/// Can a query start after this token?
fn starts_query(t: &Token) -> bool {
    match t {
        Token::LParen => true,
        Token::RParen => true,
        Token::Word(w) => matches!(
            w.keyword,
            Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::ALL
                | Keyword::DISTINCT
                | Keyword::EXPLAIN
                | Keyword::ANALYZE
                | Keyword::VERBOSE
        ),
        _ => false,
    }
}

fn end_of_rows(tokens: &[TokenWithSpan], start: usize) -> usize {
    let mut depth = 0usize;
    for (i, t) in tokens.iter().enumerate().skip(start) {
        match &t.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => {
                if depth == 0 {
                    return i;
                }
                depth -= 1;
            }
            Token::SemiColon => return i,
            Token::Word(w)
                if depth == 0
                    && w.quote_style.is_none()
                    && matches!(
                        w.keyword,
                        Keyword::ORDER
                            | Keyword::LIMIT
                            | Keyword::OFFSET
                            | Keyword::FETCH
                            | Keyword::UNION
                            | Keyword::EXCEPT
                            | Keyword::INTERSECT
                    ) =>
            {
                return i;
            }
            _ => {}
        }
    }
    tokens.len()
}

fn end_of_row(tokens: &[TokenWithSpan], start: usize, end: usize) -> usize {
    let mut depth = 0usize;
    for (i, t) in tokens.iter().enumerate().take(end).skip(start) {
        match &t.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => return i,
            _ => {}
        }
    }
    end
}

/// `(…)` or `ROW(…)` and nothing after it.
fn is_row(tokens: &[TokenWithSpan]) -> bool {
    let rest = match tokens.first().map(|t| &t.token) {
        Some(Token::Word(w)) if w.keyword == Keyword::ROW => &tokens[1..],
        _ => tokens,
    };
    if !matches!(rest.first().map(|t| &t.token), Some(Token::LParen)) {
        return false;
    }
    let mut depth = 0usize;
    for (i, t) in rest.iter().enumerate() {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if depth == 0 {
                    return i + 1 == rest.len();
                }
            }
            _ => {}
        }
    }
    false
}
