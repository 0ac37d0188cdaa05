//! Trino's page `regexp`: Java's pattern syntax, every match of a pattern, replacement by text or by a lambda.

mod pattern;
mod replace;
mod template;

use std::borrow::Cow;

use arrow::array::ArrayRef;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion_common::Result;
use datafusion_expr::HigherOrderUDF;

use crate::columns::{Call, Scalar, Type, invalid, known};
use crate::{Doc, Functions};
use pattern::{Groups, Pattern, Patterns};

use Type::{Bigint, Boolean, Integer, Varchar, Varchars};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let by = Scalar::by;
    let scalars = vec![
        by("regexp_like", &[(&[Varchar, Varchar], Boolean)], like),
        by("regexp_count", &[(&[Varchar, Varchar], Bigint)], count),
        by(
            "regexp_position",
            &[
                (&[Varchar, Varchar], Integer),
                (&[Varchar, Varchar, Bigint], Integer),
                (&[Varchar, Varchar, Bigint, Bigint], Integer),
            ],
            position,
        ),
        by("regexp_extract", &[(&[Varchar, Varchar], Varchar), (&[Varchar, Varchar, Bigint], Varchar)], extract),
        by(
            "regexp_extract_all",
            &[(&[Varchar, Varchar], Varchars), (&[Varchar, Varchar, Bigint], Varchars)],
            extract_all,
        ),
        by(
            "regexp_replace",
            &[(&[Varchar, Varchar], Varchar), (&[Varchar, Varchar, Varchar], Varchar)],
            replace::by_template,
        ),
        by("regexp_split", &[(&[Varchar, Varchar], Varchars)], split),
    ];
    Functions {
        scalars: scalars.into_iter().map(Into::into).collect(),
        higher_order: vec![HigherOrderUDF::new_from_impl(replace::RegexpReplace::new())],
        docs: DOCS,
        ..Functions::default()
    }
}

fn like(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::default();
    call.booleans(|i| {
        let (text, pattern) = (known!(text.get(i)), known!(pattern.get(i)));
        patterns.get(pattern)?.is_match(text).map(Some)
    })
}

fn count(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::default();
    call.numbers::<Int64Type>(|i| {
        let (text, pattern) = (known!(text.get(i)), known!(pattern.get(i)));
        let mut n = 0;
        patterns.get(pattern)?.each_match(text, 0, |_| {
            n += 1;
            Ok(true)
        })?;
        Ok(Some(n))
    })
}

fn position(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let start = if call.len() > 2 { Some(call.bigint(2)?) } else { None };
    let occurrence = if call.len() > 3 { Some(call.bigint(3)?) } else { None };
    let mut patterns = Patterns::default();
    call.numbers::<Int32Type>(|i| {
        let (text, pattern) = (known!(text.get(i)), known!(pattern.get(i)));
        let start = match &start {
            Some(start) => known!(start.get(i)),
            None => 1,
        };
        let occurrence = match &occurrence {
            Some(occurrence) => known!(occurrence.get(i)),
            None => 1,
        };
        if start < 1 {
            return Err(invalid("start position cannot be smaller than 1"));
        }
        if occurrence < 1 {
            return Err(invalid("occurrence cannot be smaller than 1"));
        }
        let pattern = patterns.get(pattern)?;
        let offset = text.char_indices().map(|(at, _)| at).nth(usize::try_from(start - 1).unwrap_or(usize::MAX));
        // Past the end nothing is found, not even an empty match.
        let Some(offset) = offset else {
            return Ok(Some(-1));
        };
        let (mut seen, mut found) = (0, -1);
        pattern.each_match(text, offset, |groups| {
            seen += 1;
            if seen == occurrence {
                found = text[..groups.whole().start].chars().count() as i32 + 1;
            }
            Ok(seen < occurrence)
        })?;
        Ok(Some(found))
    })
}

/// The group that a call names, 0 (the whole match) unless it names one.
fn group(pattern: &Pattern, number: i64) -> Result<usize> {
    let groups = pattern.groups();
    match usize::try_from(number) {
        Err(_) => Err(invalid("Group cannot be negative")),
        Ok(n) if n > groups => Err(invalid(format!("Pattern has {groups} groups. Cannot access group {n}"))),
        Ok(n) => Ok(n),
    }
}

fn extract(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let number = if call.len() > 2 { Some(call.bigint(2)?) } else { None };
    let mut patterns = Patterns::default();
    call.texts(|i| {
        let (text, pattern) = (known!(text.get(i)), known!(pattern.get(i)));
        let number = match &number {
            Some(number) => known!(number.get(i)),
            None => 0,
        };
        let pattern = patterns.get(pattern)?;
        let group = group(&pattern, number)?;
        let mut found = None;
        pattern.each_match(text, 0, |groups| {
            found = groups.get(group).map(|range| &text[range]);
            Ok(false)
        })?;
        Ok(found)
    })
}

fn extract_all(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let number = if call.len() > 2 { Some(call.bigint(2)?) } else { None };
    let mut patterns = Patterns::default();
    call.text_lists(|i, items| {
        let (Some(text), Some(pattern)) = (text.get(i), pattern.get(i)) else {
            return Ok(false);
        };
        let number = match &number {
            Some(number) => match number.get(i) {
                Some(number) => number,
                None => return Ok(false),
            },
            None => 0,
        };
        let pattern = patterns.get(pattern)?;
        let group = group(&pattern, number)?;
        pattern.each_match(text, 0, |groups| {
            items.push(groups.get(group).map(|range| Cow::Borrowed(&text[range])));
            Ok(true)
        })?;
        Ok(true)
    })
}

fn split(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::default();
    call.text_lists(|i, items| {
        let (Some(text), Some(pattern)) = (text.get(i), pattern.get(i)) else {
            return Ok(false);
        };
        let mut end = 0;
        patterns.get(pattern)?.each_match(text, 0, |groups: &Groups<'_>| {
            let delimiter = groups.whole();
            items.push(Some(Cow::Borrowed(&text[end..delimiter.start])));
            end = delimiter.end;
            Ok(true)
        })?;
        items.push(Some(Cow::Borrowed(&text[end..])));
        Ok(true)
    })
}

const DOCS: &[Doc] = &[
    doc("regexp_count", "regexp_count(varchar, pattern) -> bigint", r"regexp_count('1a 2b 14m', '\d+') = 3"),
    doc(
        "regexp_extract",
        "regexp_extract(varchar, pattern) -> varchar\nregexp_extract(varchar, pattern, group) -> varchar",
        "regexp_extract('user/alice', 'user/(.*)', 1) = 'alice'",
    ),
    doc(
        "regexp_extract_all",
        "regexp_extract_all(varchar, pattern) -> array(varchar)\n\
         regexp_extract_all(varchar, pattern, group) -> array(varchar)",
        r"regexp_extract_all('1a 2b', '\d') = ARRAY['1', '2']",
    ),
    doc("regexp_like", "regexp_like(varchar, pattern) -> boolean", "regexp_like('GetObject', '^(Get|List)') = true"),
    doc(
        "regexp_position",
        "regexp_position(varchar, pattern) -> integer\nregexp_position(varchar, pattern, start) -> integer\n\
         regexp_position(varchar, pattern, start, occurrence) -> integer",
        r"regexp_position('a1b2', '\d', 1, 2) = 4",
    ),
    doc(
        "regexp_replace",
        "regexp_replace(varchar, pattern) -> varchar\nregexp_replace(varchar, pattern, replacement) -> varchar\n\
         regexp_replace(varchar, pattern, function(array(varchar), varchar)) -> varchar",
        r"regexp_replace('1a 2b', '(\d)([ab])', '$2$1') = 'a1 b2'",
    ),
    doc(
        "regexp_split",
        "regexp_split(varchar, pattern) -> array(varchar)",
        r"regexp_split('a1b', '\d') = ARRAY['a', 'b']",
    ),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "regexp", signature, example }
}
