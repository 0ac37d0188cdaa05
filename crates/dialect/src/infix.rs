//! Operators that Trino writes in ways sqlparser does not read.

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::grammar::{Trino, call, case};
use crate::pattern::like;

type Result<T> = std::result::Result<T, ParserError>;

fn keyword(p: &Parser<'_>, n: usize) -> Keyword {
    match &p.peek_nth_token_ref(n).token {
        Token::Word(w) if w.quote_style.is_none() => w.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn skip(p: &mut Parser<'_>, n: usize) {
    for _ in 0..n {
        p.advance_token();
    }
}

/// What follows `left`, if it is one of ours.
pub(crate) fn read(p: &mut Parser<'_>, left: &Expr) -> Result<Option<Expr>> {
    if p.parse_keywords(&[Keyword::AT, Keyword::TIME, Keyword::ZONE]) {
        let zone = p.parse_subexpr(Trino.prec_value(Precedence::AtTz))?;
        return Ok(Some(call("at_timezone", vec![left.clone(), zone])));
    }
    let negated = keyword(p, 0) == Keyword::NOT;
    let at = usize::from(negated);
    match keyword(p, at) {
        Keyword::BETWEEN => between(p, left, negated, at),
        Keyword::LIKE => {
            skip(p, at + 1);
            let pattern = p.parse_subexpr(Trino.prec_value(Precedence::Like))?;
            let escape = if p.parse_keyword(Keyword::ESCAPE) {
                Some(p.parse_subexpr(Trino.prec_value(Precedence::Like))?)
            } else {
                None
            };
            Ok(Some(Expr::Like {
                negated,
                any: false,
                expr: Box::new(left.clone()),
                pattern: Box::new(like(pattern, escape)),
                escape_char: None,
            }))
        }
        Keyword::IS if !negated => distinct(p, left),
        _ => quantified(p, left),
    }
}

/// `IS [NOT] DISTINCT FROM x`. sqlparser would read everything that follows as `x`, a conjunction too.
fn distinct(p: &mut Parser<'_>, left: &Expr) -> Result<Option<Expr>> {
    let negated = keyword(p, 1) == Keyword::NOT;
    let at = 1 + usize::from(negated);
    if keyword(p, at) != Keyword::DISTINCT || keyword(p, at + 1) != Keyword::FROM {
        return Ok(None);
    }
    skip(p, at + 2);
    let left = Box::new(left.clone());
    let right = Box::new(p.parse_subexpr(Trino.prec_value(Precedence::Is))?);
    Ok(Some(if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }))
}

/// `BETWEEN [ASYMMETRIC | SYMMETRIC] low AND high`.
fn between(p: &mut Parser<'_>, left: &Expr, negated: bool, at: usize) -> Result<Option<Expr>> {
    let symmetric = match keyword(p, at + 1) {
        Keyword::SYMMETRIC => true,
        Keyword::ASYMMETRIC => false,
        _ => return Ok(None),
    };
    skip(p, at + 2);
    let low = p.parse_subexpr(Trino.prec_value(Precedence::Between))?;
    p.expect_keyword_is(Keyword::AND)?;
    let high = p.parse_subexpr(Trino.prec_value(Precedence::Between))?;
    let between = |low: Expr, high: Expr| Expr::Between {
        expr: Box::new(left.clone()),
        negated,
        low: Box::new(low),
        high: Box::new(high),
    };
    if !symmetric {
        return Ok(Some(between(low, high)));
    }
    let op = if negated { BinaryOperator::And } else { BinaryOperator::Or };
    let both =
        Expr::BinaryOp { left: Box::new(between(low.clone(), high.clone())), op, right: Box::new(between(high, low)) };
    Ok(Some(Expr::Nested(Box::new(both))))
}

/// `= ANY (query)`, `< ALL (query)`.
fn quantified(p: &mut Parser<'_>, left: &Expr) -> Result<Option<Expr>> {
    let compare_op = match p.peek_token_ref().token {
        Token::Eq => BinaryOperator::Eq,
        Token::Neq => BinaryOperator::NotEq,
        Token::Lt => BinaryOperator::Lt,
        Token::LtEq => BinaryOperator::LtEq,
        Token::Gt => BinaryOperator::Gt,
        Token::GtEq => BinaryOperator::GtEq,
        _ => return Ok(None),
    };
    let quantifier = keyword(p, 1);
    if !matches!(quantifier, Keyword::ANY | Keyword::SOME | Keyword::ALL)
        || p.peek_nth_token_ref(2).token != Token::LParen
    {
        return Ok(None);
    }
    skip(p, 3);
    let right = Box::new(Expr::Subquery(p.parse_query()?));
    p.expect_token(&Token::RParen)?;
    let left = Box::new(left.clone());
    Ok(Some(match quantifier {
        Keyword::ALL => Expr::AllOp { left, compare_op, right },
        _ => Expr::AnyOp { left, compare_op, right, is_some: false },
    }))
}

/// `CASE [x] WHEN … THEN … [ELSE …] END`, after the word CASE. A branch may be a condition on the operand (`WHEN > 5`).
pub(crate) fn case_expression(p: &mut Parser<'_>) -> Result<Expr> {
    let operand = if keyword(p, 0) == Keyword::WHEN { None } else { Some(p.parse_expr()?) };
    let mut branches = Vec::new();
    let mut conditions = false;
    while p.parse_keyword(Keyword::WHEN) {
        let condition = match &operand {
            Some(x) if is_operator(p) => {
                conditions = true;
                let precedence = p.get_next_precedence()?;
                (p.parse_infix(x.clone(), precedence)?, true)
            }
            _ => (p.parse_expr()?, false),
        };
        p.expect_keyword_is(Keyword::THEN)?;
        branches.push((condition, p.parse_expr()?));
    }
    if branches.is_empty() {
        let found = p.peek_token_ref().clone();
        return p.expected("WHEN", found);
    }
    let else_result = if p.parse_keyword(Keyword::ELSE) { Some(p.parse_expr()?) } else { None };
    p.expect_keyword_is(Keyword::END)?;
    let searched = conditions.then(|| operand.clone()).flatten();
    let branches = branches.into_iter().map(|((condition, whole), result)| {
        let condition = match &searched {
            Some(x) if !whole => {
                Expr::BinaryOp { left: Box::new(x.clone()), op: BinaryOperator::Eq, right: Box::new(condition) }
            }
            _ => condition,
        };
        sqlparser::ast::CaseWhen { condition, result }
    });
    Ok(case(if conditions { None } else { operand }, branches.collect(), else_result))
}

fn is_operator(p: &Parser<'_>) -> bool {
    matches!(p.peek_token_ref().token, Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq)
        || matches!(keyword(p, 0), Keyword::BETWEEN | Keyword::IN | Keyword::LIKE | Keyword::IS)
        || (keyword(p, 0) == Keyword::NOT && matches!(keyword(p, 1), Keyword::BETWEEN | Keyword::IN | Keyword::LIKE))
}
