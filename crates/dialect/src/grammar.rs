//! Trino's grammar on top of sqlparser's: a dialect that takes over where Trino writes its own forms.

use std::any::TypeId;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, ObjectName,
    Statement, Value, ValueWithSpan,
};
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::error::{Error, Result as DialectResult};
use crate::{infix, json, types};

type Result<T> = std::result::Result<T, ParserError>;

/// Trino's dialect.
#[derive(Debug)]
pub(crate) struct Trino;

impl Dialect for Trino {
    // The parser asks for concrete dialects in many places; the permissive one is the right answer in all of them.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_' || ch == '@'
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '@'
    }
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }
    fn supports_lambda_functions(&self) -> bool {
        true
    }
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }
    fn supports_group_by_expr(&self) -> bool {
        true
    }
    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }
    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }
    fn supports_unicode_string_literal(&self) -> bool {
        true
    }
    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }
    fn supports_table_sample_before_alias(&self) -> bool {
        false
    }
    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }
    fn supports_dictionary_syntax(&self) -> bool {
        false
    }
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr>> {
        prefix(parser).transpose()
    }
    fn parse_infix(&self, parser: &mut Parser<'_>, expr: &Expr, _precedence: u8) -> Option<Result<Expr>> {
        infix::read(parser, expr).transpose()
    }
    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8>> {
        // The colon of `json_object('key' : value)` is no operator.
        matches!(parser.peek_token_ref().token, Token::Colon | Token::DoubleColon).then_some(Ok(0))
    }
    fn supports_select_expr_star(&self) -> bool {
        true
    }
}

/// Reads the whole text as one query.
pub(crate) fn statement(p: &mut Parser<'_>) -> DialectResult<Statement> {
    let first = p.peek_token_ref().clone();
    let word = match &first.token {
        Token::Word(w) if w.quote_style.is_none() => w.keyword,
        Token::LParen => Keyword::SELECT,
        Token::EOF => return Err(Error::syntax(first.span.start, "the statement is empty")),
        other => {
            return Err(Error::syntax(first.span.start, format!("mismatched input '{other}': expected a query")));
        }
    };
    let statement = match word {
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE => Statement::Query(p.parse_query()?),
        Keyword::EXPLAIN | Keyword::SHOW | Keyword::DESCRIBE | Keyword::DESC => p.parse_statement()?,
        Keyword::INSERT
        | Keyword::UPDATE
        | Keyword::DELETE
        | Keyword::MERGE
        | Keyword::CREATE
        | Keyword::DROP
        | Keyword::ALTER
        | Keyword::TRUNCATE
        | Keyword::GRANT
        | Keyword::REVOKE
        | Keyword::SET
        | Keyword::CALL
        | Keyword::COPY => {
            return Err(Error::unsupported(format!(
                "{} does not run here: an event data store answers queries (SELECT, WITH, VALUES, EXPLAIN) and nothing changes it",
                first.token
            )));
        }
        _ => {
            return Err(Error::syntax(
                first.span.start,
                format!("mismatched input '{}': expected a query", first.token),
            ));
        }
    };
    while p.consume_token(&Token::SemiColon) {}
    let rest = p.peek_token_ref();
    match rest.token {
        Token::EOF => Ok(statement),
        _ => Err(Error::syntax(
            rest.span.start,
            format!("mismatched input '{}': expected the end of the statement", rest.token),
        )),
    }
}

/// A call of `name`; names that begin with `$` are ours and cannot be written in a query.
pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let ident = if name.starts_with('$') { Ident::with_quote('"', name) } else { Ident::new(name) };
    Expr::Function(Function {
        name: ObjectName::from(vec![ident]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// A varchar literal.
pub(crate) fn text(value: impl Into<String>) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value.into()), span: Span::empty() })
}

/// An integer literal that lowering leaves alone.
pub(crate) fn number(value: impl Into<String>) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Number(value.into(), false), span: Span::empty() })
}

fn prefix(p: &mut Parser<'_>) -> Result<Option<Expr>> {
    let (name, keyword) = match &p.peek_token_ref().token {
        Token::Word(w) if w.quote_style.is_none() => (w.value.to_lowercase(), w.keyword),
        Token::LParen if begins_query(&p.peek_nth_token_ref(1).token) => {
            p.advance_token();
            let query = p.parse_query()?;
            p.expect_token(&Token::RParen)?;
            return Ok(Some(Expr::Subquery(query)));
        }
        Token::LParen => return multi_parameter_lambda(p),
        _ => return Ok(None),
    };
    let next = &p.peek_nth_token_ref(1).token;
    let called = *next == Token::LParen;
    Ok(Some(match name.as_str() {
        "cast" | "try_cast" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let expr = p.parse_expr()?;
            p.expect_keyword_is(Keyword::AS)?;
            let to = types::read(p)?;
            p.expect_token(&Token::RParen)?;
            cast(&format!("${name}"), expr, &to)
        }
        "interval" if matches!(next, Token::SingleQuotedString(_) | Token::Minus | Token::Plus) => {
            p.advance_token();
            interval(p)?
        }
        "row" if called => {
            p.advance_token();
            row(p)?
        }
        "array" if *next == Token::LBracket => {
            p.advance_token();
            p.expect_token(&Token::LBracket)?;
            p.parse_array_expr(true)?
        }
        "overlay" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let mut args = vec![p.parse_expr()?];
            p.expect_keyword_is(Keyword::PLACING)?;
            args.push(p.parse_expr()?);
            p.expect_keyword_is(Keyword::FROM)?;
            args.push(p.parse_expr()?);
            if p.parse_keyword(Keyword::FOR) {
                args.push(p.parse_expr()?);
            }
            p.expect_token(&Token::RParen)?;
            call("overlay", args)
        }
        "extract" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let found = p.peek_token_ref().clone();
            let field = p.parse_identifier()?;
            if !FIELDS.contains(&field.value.to_lowercase().as_str()) {
                return p.expected("a field that EXTRACT knows", found);
            }
            p.expect_keyword_is(Keyword::FROM)?;
            let expr = p.parse_expr()?;
            p.expect_token(&Token::RParen)?;
            call(&field.value.to_lowercase(), vec![expr])
        }
        "position" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            // IN must stay for us: read the left side above the precedence of IN.
            let part = p.parse_subexpr(Trino.prec_value(sqlparser::dialect::Precedence::Between))?;
            p.expect_keyword_is(Keyword::IN)?;
            let whole = p.parse_expr()?;
            p.expect_token(&Token::RParen)?;
            call("strpos", vec![whole, part])
        }
        "substring" | "substr" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let mut args = vec![p.parse_expr()?];
            if p.parse_keyword(Keyword::FROM) {
                args.push(p.parse_expr()?);
                if p.parse_keyword(Keyword::FOR) {
                    args.push(p.parse_expr()?);
                }
            } else {
                while p.consume_token(&Token::Comma) {
                    args.push(p.parse_expr()?);
                }
            }
            p.expect_token(&Token::RParen)?;
            call("substr", args)
        }
        "trim" if called => {
            p.advance_token();
            trim(p)?
        }
        "normalize" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let mut args = vec![p.parse_expr()?];
            if p.consume_token(&Token::Comma) {
                args.push(text(p.parse_identifier()?.value.to_uppercase()));
            }
            p.expect_token(&Token::RParen)?;
            call("normalize", args)
        }
        "ceil" | "ceiling" | "floor" | "convert" | "overlay" | "left" | "right" | "replace" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let args = p.parse_comma_separated0(Parser::parse_expr, Token::RParen)?;
            p.expect_token(&Token::RParen)?;
            call(if name == "ceiling" { "ceil" } else { &name }, args)
        }
        "if" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let mut args = p.parse_comma_separated(Parser::parse_expr)?.into_iter();
            p.expect_token(&Token::RParen)?;
            match (args.next(), args.next(), args.next(), args.next()) {
                (Some(condition), Some(result), otherwise, None) => {
                    case(None, vec![CaseWhen { condition, result }], otherwise)
                }
                _ => {
                    let found = p.get_current_token().clone();
                    return p.expected("two or three arguments of IF", found);
                }
            }
        }
        "case" => {
            p.advance_token();
            infix::case_expression(p)?
        }
        "json_exists" | "json_value" | "json_query" | "json_object" | "json_array" if called => {
            p.advance_token();
            return json::read(p, &name);
        }
        "listagg" if called => {
            p.advance_token();
            listagg(p)?
        }
        "try" if called => {
            p.advance_token();
            p.expect_token(&Token::LParen)?;
            let body = p.parse_expr()?;
            p.expect_token(&Token::RParen)?;
            call("$try", vec![lambda(vec![], body)])
        }
        "current_timestamp" | "current_date" | "current_time" | "localtime" | "localtimestamp" => {
            p.advance_token();
            let mut args = vec![];
            if p.consume_token(&Token::LParen) {
                args = p.parse_comma_separated0(Parser::parse_expr, Token::RParen)?;
                p.expect_token(&Token::RParen)?;
            }
            call(&name, args)
        }
        "current_user" | "current_catalog" | "current_schema" if !called => {
            p.advance_token();
            call(&name, vec![])
        }
        _ if !matches!(keyword, Keyword::NOT | Keyword::EXISTS | Keyword::NULL) => {
            return typed_literal(p, &name);
        }
        _ => return Ok(None),
    }))
}

pub(crate) fn cast(function: &str, expr: Expr, to: &str) -> Expr {
    call(function, vec![expr, text(to)])
}

pub(crate) fn case(operand: Option<Expr>, conditions: Vec<CaseWhen>, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: operand.map(Box::new),
        conditions,
        else_result: otherwise.map(Box::new),
    }
}

/// `(params) -> body`.
pub(crate) fn lambda(params: Vec<Ident>, body: Expr) -> Expr {
    let params = params.into_iter().map(|name| LambdaFunctionParameter { name, data_type: None }).collect();
    Expr::Lambda(LambdaFunction {
        params: sqlparser::ast::OneOrManyWithParens::Many(params),
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    })
}

/// Queries that sqlparser does not look for inside parentheses.
fn begins_query(t: &Token) -> bool {
    matches!(t, Token::Word(w) if w.quote_style.is_none() && matches!(w.keyword, Keyword::VALUES | Keyword::TABLE))
}

/// `x -> x`.
pub(crate) fn identity() -> Expr {
    let x = Ident::new("x");
    lambda(vec![x.clone()], Expr::Identifier(x))
}

/// `(a, b) -> …` and `() -> …`.
fn multi_parameter_lambda(p: &mut Parser<'_>) -> Result<Option<Expr>> {
    let mut n = 1;
    let mut names = Vec::new();
    loop {
        match &p.peek_nth_token_ref(n).token {
            Token::RParen => break,
            Token::Comma if !names.is_empty() => n += 1,
            Token::Word(w) => {
                names.push(w.to_ident(p.peek_nth_token_ref(n).span));
                n += 1;
            }
            _ => return Ok(None),
        }
    }
    if p.peek_nth_token_ref(n + 1).token != Token::Arrow {
        return Ok(None);
    }
    for _ in 0..n + 2 {
        p.advance_token();
    }
    let body = p.parse_expr()?;
    Ok(Some(lambda(names, body)))
}

/// `DATE '2023-01-01'`, `DECIMAL '1.5'`, `JSON '{}'`, `TIMESTAMP '…'`: any type's name before a string.
fn typed_literal(p: &mut Parser<'_>, name: &str) -> Result<Option<Expr>> {
    let double = name == "double"
        && matches!(&p.peek_nth_token_ref(1).token, Token::Word(w) if w.value.eq_ignore_ascii_case("precision"));
    let at = if double { 2 } else { 1 };
    let Token::SingleQuotedString(value) = &p.peek_nth_token_ref(at).token else {
        return Ok(None);
    };
    let value = value.clone();
    let to = match name {
        "timestamp" | "time" => format!("{name}{}", types::of_time(&value)),
        "int" => "integer".to_owned(),
        "char" => format!("char({})", value.chars().count().max(1)),
        "decimal" => types::of_decimal(&value),
        "date" | "bigint" | "integer" | "smallint" | "tinyint" | "real" | "double" | "boolean" | "json"
        | "ipaddress" | "uuid" | "varchar" | "varbinary" | "jsonpath" => name.to_owned(),
        _ => return Ok(None),
    };
    for _ in 0..=at {
        p.advance_token();
    }
    if name == "varchar" {
        return Ok(Some(text(value)));
    }
    let function = if name == "json" { "json_parse" } else { "$cast" };
    if function == "json_parse" {
        return Ok(Some(call(function, vec![text(value)])));
    }
    Ok(Some(cast(function, text(value), &to)))
}

/// `INTERVAL '-1-2' YEAR TO MONTH`, after the word INTERVAL.
fn interval(p: &mut Parser<'_>) -> Result<Expr> {
    let mut negative = false;
    if p.consume_token(&Token::Minus) {
        negative = true;
    } else {
        let _ = p.consume_token(&Token::Plus);
    }
    let at = p.peek_token_ref().clone();
    let value = p.parse_literal_string()?;
    let unit = |p: &mut Parser<'_>| -> Result<&'static str> {
        let found = p.peek_token_ref().clone();
        let word = p.parse_identifier()?.value.to_lowercase();
        match word.as_str() {
            "year" | "years" => Ok("year"),
            "month" | "months" => Ok("month"),
            "week" | "weeks" => Ok("week"),
            "day" | "days" => Ok("day"),
            "hour" | "hours" => Ok("hour"),
            "minute" | "minutes" => Ok("minute"),
            "second" | "seconds" => Ok("second"),
            _ => p.expected("a unit of an interval", found),
        }
    };
    let from = unit(p)?;
    let to = if p.parse_keyword(Keyword::TO) { Some(unit(p)?) } else { None };
    match crate::lower::interval_amount(&value, from, to) {
        Some((amount, months)) => {
            let amount = if negative { -amount } else { amount };
            let to = if months { "Interval(YearMonth)" } else { "Duration(Millisecond)" };
            let amount = Expr::Cast {
                kind: sqlparser::ast::CastKind::Cast,
                expr: Box::new(text(amount.to_string())),
                data_type: if months { DataType::Int(None) } else { DataType::BigInt(None) },
                array: false,
                format: None,
            };
            Ok(call("arrow_cast", vec![amount, text(to)]))
        }
        None => p.expected(&format!("an interval {from}"), at),
    }
}

/// `ROW(1, 2 AS b)`, after the word ROW.
fn row(p: &mut Parser<'_>) -> Result<Expr> {
    p.expect_token(&Token::LParen)?;
    let mut named = false;
    let fields = p.parse_comma_separated0(
        |p| {
            let value = p.parse_expr()?;
            let name = if p.parse_keyword(Keyword::AS) {
                named = true;
                Some(p.parse_identifier()?)
            } else {
                None
            };
            Ok((value, name))
        },
        Token::RParen,
    )?;
    p.expect_token(&Token::RParen)?;
    if !named {
        return Ok(Expr::Tuple(fields.into_iter().map(|(v, _)| v).collect()));
    }
    let args = fields.into_iter().enumerate().flat_map(|(i, (value, name))| {
        let name = name.map_or_else(|| format!("field{i}"), |n| n.value.to_lowercase());
        [text(name), value]
    });
    Ok(call("named_struct", args.collect()))
}

/// What EXTRACT takes out of dates and times.
const FIELDS: [&str; 17] = [
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "day_of_month",
    "day_of_week",
    "dow",
    "day_of_year",
    "doy",
    "year_of_week",
    "yow",
    "hour",
    "minute",
    "second",
    "timezone_hour",
    "timezone_minute",
];

/// `LISTAGG([DISTINCT] x [, separator] [ON OVERFLOW …]) WITHIN GROUP (ORDER BY …) [FILTER (WHERE …)]`, after the word LISTAGG:
/// an aggregate whose arguments have an order. Overflow does not happen here: text has no limit of length.
fn listagg(p: &mut Parser<'_>) -> Result<Expr> {
    p.expect_token(&Token::LParen)?;
    let distinct = p.parse_keyword(Keyword::DISTINCT);
    if !distinct {
        let _ = p.parse_keyword(Keyword::ALL);
    }
    let mut args = p.parse_comma_separated(Parser::parse_expr)?;
    if args.len() == 1 {
        args.push(text(""));
    }
    if p.parse_keywords(&[Keyword::ON, Keyword::OVERFLOW]) {
        let flag = |b: bool| Expr::value(Value::Boolean(b));
        if p.parse_keyword(Keyword::TRUNCATE) {
            let mut filler = text("...");
            if let Token::SingleQuotedString(written) = &p.peek_token_ref().token {
                filler = text(written.as_str());
                p.advance_token();
            }
            let count = p.parse_one_of_keywords(&[Keyword::WITH, Keyword::WITHOUT]);
            if count.is_some() {
                p.expect_keyword_is(Keyword::COUNT)?;
            }
            args.extend([flag(false), filler, flag(count != Some(Keyword::WITHOUT))]);
        } else {
            p.expect_keyword_is(Keyword::ERROR)?;
            args.extend([flag(true), text("..."), flag(true)]);
        }
    }
    p.expect_token(&Token::RParen)?;
    // What WITHIN GROUP stands for: the value, the separator, and three arguments about overflow.
    if args.len() == 5 && !p.peek_keyword(Keyword::WITHIN) {
        return Ok(call("listagg", args));
    }
    p.expect_keyword_is(Keyword::WITHIN)?;
    p.expect_keyword_is(Keyword::GROUP)?;
    p.expect_token(&Token::LParen)?;
    p.expect_keyword_is(Keyword::ORDER)?;
    p.expect_keyword_is(Keyword::BY)?;
    let order = p.parse_comma_separated(Parser::parse_order_by_expr)?;
    p.expect_token(&Token::RParen)?;
    let filter = if p.parse_keyword(Keyword::FILTER) {
        p.expect_token(&Token::LParen)?;
        p.expect_keyword_is(Keyword::WHERE)?;
        let filter = p.parse_expr()?;
        p.expect_token(&Token::RParen)?;
        Some(Box::new(filter))
    } else {
        None
    };
    let mut call = call("listagg", args);
    if let Expr::Function(f) = &mut call {
        f.filter = filter;
        if let FunctionArguments::List(list) = &mut f.args {
            list.duplicate_treatment = distinct.then_some(DuplicateTreatment::Distinct);
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
        }
    }
    Ok(call)
}

/// `TRIM([[LEADING | TRAILING | BOTH] [chars] FROM] x)` and `trim(x, chars)`, after the word TRIM.
fn trim(p: &mut Parser<'_>) -> Result<Expr> {
    p.expect_token(&Token::LParen)?;
    let side = p.parse_one_of_keywords(&[Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING]);
    let function = match side {
        Some(Keyword::LEADING) => "ltrim",
        Some(Keyword::TRAILING) => "rtrim",
        _ => "trim",
    };
    let mut args = Vec::new();
    if side.is_some() && p.parse_keyword(Keyword::FROM) {
        args.push(p.parse_expr()?);
    } else {
        let first = p.parse_expr()?;
        if p.parse_keyword(Keyword::FROM) {
            args.push(p.parse_expr()?);
            args.push(first);
        } else if p.consume_token(&Token::Comma) {
            args.push(first);
            args.push(p.parse_expr()?);
        } else {
            args.push(first);
        }
    }
    p.expect_token(&Token::RParen)?;
    Ok(call(function, args))
}
