//! Completion, colours and the end of statements for the line editor.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::highlight;
use super::words::Words;
use crate::output::printable;

const COMMANDS: [&str; 7] = [".help", ".tables", ".schema", ".output", ".timing", ".pager", ".quit"];

/// What helps the line editor.
pub(super) struct Assistant {
    words: Arc<Words>,
    functions: BTreeSet<&'static str>,
    colours: bool,
}

impl Assistant {
    pub(super) fn new(words: Arc<Words>) -> Self {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { functions: words.functions.iter().copied().collect(), words, colours }
    }
}

/// Where the word at the end of `line` begins, and what may stand there.
pub(super) fn candidates(words: &Words, line: &str) -> (usize, Vec<String>) {
    if line.starts_with('.') && !line.contains(' ') {
        return (0, COMMANDS.iter().filter(|c| c.starts_with(line)).map(|c| (*c).to_owned()).collect());
    }
    // An open quote: a key of a map, or a value of the column before.
    if line.matches('\'').count() % 2 == 1 {
        let quote = line.rfind('\'').unwrap_or(0);
        let typed = &line[quote + 1..];
        let list = subject(&line[..quote]).map(|column| words.values_of(&column)).unwrap_or_default();
        let fits = |value: &String| value.to_lowercase().starts_with(&typed.to_lowercase());
        // What logs hold comes into the line as it is or not at all.
        let safe = |value: &String| !value.contains('\'') && printable(value) == *value;
        return (quote + 1, list.into_iter().filter(|value| fits(value) && safe(value)).collect());
    }
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '-');
    let start =
        line.rfind(|c: char| !is_word(c)).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let typed = line[start..].to_lowercase();
    let before = line[..start].trim_end().to_lowercase();
    let after_from = ["from", "join", "describe", ".schema"].iter().any(|word| before.ends_with(word));
    let mut list: Vec<String> = Vec::new();
    if after_from {
        list.extend(words.stores.iter().filter(|s| s.to_lowercase().starts_with(&typed)).cloned());
        return (start, list);
    }
    if typed.is_empty() {
        return (start, list);
    }
    // One step down a path at a time.
    let depth = typed.matches('.').count();
    let columns = words.columns.iter().filter(|path| path.to_lowercase().starts_with(&typed));
    list.extend(columns.filter(|path| path.matches('.').count() == depth).cloned());
    if depth == 0 {
        list.extend(words.functions.iter().filter(|f| f.starts_with(&typed)).map(|f| format!("{f}(")));
        let keywords = highlight::keywords().filter(|keyword| keyword.to_lowercase().starts_with(&typed));
        list.extend(keywords.map(str::to_owned));
    }
    (start, list)
}

/// The map or column that a text after `before` belongs to: `element_at(m, `, `m[`, `c = `, `c IN ('a', `, `c LIKE `.
fn subject(before: &str) -> Option<String> {
    let text = before.trim_end();
    let last = |text: &str| {
        let start = text.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).map_or(0, |at| at + 1);
        Some(text.get(start..)?.to_owned()).filter(|word| !word.is_empty())
    };
    if let Some(text) = text.strip_suffix('[') {
        return last(text);
    }
    if let Some(text) = text.strip_suffix(',') {
        let call = text.to_lowercase().rfind("element_at(");
        if let Some(at) = call
            && !text[at..].contains(')')
        {
            return last(text);
        }
    }
    // Other members of a list are passed over.
    let text = match text.rfind('(') {
        Some(open) if text[..open].trim_end().to_lowercase().ends_with(" in") => {
            text[..open].trim_end().trim_end_matches(|c: char| c.is_alphabetic()).trim_end()
        }
        _ => text.strip_suffix('=').or_else(|| text.strip_suffix("<>")).or_else(|| {
            let like = text.len().checked_sub(5)?;
            text.get(like..)?.eq_ignore_ascii_case(" like").then(|| &text[..like])
        })?,
    };
    let text = text.trim_end().trim_end_matches(['!', '<', '>']).trim_end();
    let text = text.strip_suffix(" NOT").or_else(|| text.strip_suffix(" not")).unwrap_or(text);
    last(text.trim_end())
}

impl Helper for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, list) = candidates(&self.words, &line[..pos]);
        Ok((start, list.into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.colours && !line.starts_with('.') {
            return Cow::Owned(highlight::coloured(line, |name| self.functions.contains(name)));
        }
        Cow::Borrowed(line)
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.colours
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let whole = super::complete(context.input());
        Ok(if whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let words = Words {
            stores: vec!["$EDS_ID".into(), "default".into()],
            columns: [
                "eventName",
                "eventTime",
                "userIdentity",
                "userIdentity.arn",
                "userIdentity.sessionContext.sessionIssuer",
            ]
            .map(String::from)
            .to_vec(),
            functions: vec!["element_at", "count"],
            ..Words::default()
        };
        if let Ok(mut values) = words.values.write() {
            values.insert("eventname".into(), vec!["ConsoleLogin".into(), "CreateUser".into(), "it's".into()]);
            values.insert("requestparameters".into(), vec!["bucketName".into(), "bad\u{1b}[2J".into()]);
            values.insert("useridentity.type".into(), vec!["Root".into()]);
        }
        words
    }

    #[test]
    fn what_fits_the_place_is_offered() {
        for (line, start, expected) in [
            (".he", 0, &[".help"][..]),
            ("SELECT event", 7, &["eventName", "eventTime"]),
            ("SELECT USERIDENTITY.a", 7, &["userIdentity.arn"]),
            ("SELECT elem", 7, &["element_at("]),
            ("SELECT 1 FROM ", 14, &["$EDS_ID", "default"]),
            ("SELECT 1 FROM d", 14, &["default"]),
            ("SELECT 1 whe", 9, &["WHEN", "WHERE"]),
            ("WHERE eventName = 'Co", 19, &["ConsoleLogin"]),
            ("WHERE eventName IN ('CreateUser', 'con", 35, &["ConsoleLogin"]),
            ("WHERE eventName NOT IN ('", 25, &["ConsoleLogin", "CreateUser"]),
            ("WHERE eventName LIKE 'cr", 22, &["CreateUser"]),
            ("WHERE a.userIdentity.type <> '", 30, &[]),
            ("WHERE userIdentity.type <> '", 28, &["Root"]),
            ("element_at(requestParameters, 'b", 31, &["bucketName"]),
            ("requestParameters['", 19, &["bucketName"]),
            ("SELECT 'x', 'y", 13, &[]),
        ] {
            let (at, mut list) = candidates(&words(), line);
            list.sort();
            assert_eq!((at, list.iter().map(String::as_str).collect::<Vec<_>>()), (start, expected.to_vec()), "{line}");
        }
    }
}
