//! Java's pattern syntax on Rust's engines: the linear-time one wherever it can serve, the backtracking one for
//! look-around, back-references, atomic groups and possessive quantifiers.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion_common::Result;

use crate::columns::invalid;

/// Steps after which the backtracking engine gives up on one value.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Runs in time linear in the text.
    Linear(regex::Regex),
    /// May backtrack, within a limit.
    Backtracking(Box<fancy_regex::Regex>),
}

/// What one match captured.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    source: Source<'a>,
    whole: Range<usize>,
}

#[derive(Debug)]
enum Source<'a> {
    Linear(&'a regex::CaptureLocations),
    Backtracking(&'a fancy_regex::Captures<'a, str>),
}

impl Groups<'_> {
    /// Where the whole match lies, in bytes.
    pub(super) fn whole(&self) -> Range<usize> {
        self.whole.clone()
    }

    /// Where group `n` lies, if it took part in the match; group 0 is the whole match.
    pub(super) fn get(&self, n: usize) -> Option<Range<usize>> {
        match &self.source {
            Source::Linear(locations) => locations.get(n).map(|(start, end)| start..end),
            Source::Backtracking(captures) => captures.get(n).map(|m| m.start()..m.end()),
        }
    }
}

impl Pattern {
    fn compile(java: &str) -> Result<Self> {
        let fail = |why: String| invalid(format!("'{java}' is not a pattern that can be searched for: {why}"));
        let rust = translate(java);
        if rust.backtracks {
            let compiled = fancy_regex::RegexBuilder::new(&rust.pattern)
                .backtrack_limit(BACKTRACK_LIMIT)
                .build()
                .map_err(|e| fail(e.to_string()))?;
            return Ok(Pattern::Backtracking(Box::new(compiled)));
        }
        match regex::Regex::new(&rust.pattern) {
            Ok(compiled) => Ok(Pattern::Linear(compiled)),
            Err(e) => Err(fail(e.to_string())),
        }
    }

    /// Number of capturing groups, the whole match not counted.
    pub(super) fn groups(&self) -> usize {
        match self {
            Pattern::Linear(p) => p.captures_len() - 1,
            Pattern::Backtracking(p) => p.captures_len() - 1,
        }
    }

    /// The number of the group called `name`.
    pub(super) fn group_named(&self, name: &str) -> Option<usize> {
        match self {
            Pattern::Linear(p) => p.capture_names().position(|n| n == Some(name)),
            Pattern::Backtracking(p) => p.capture_names().position(|n| n == Some(name)),
        }
    }

    /// Whether the pattern matches anywhere in `text`.
    pub(super) fn is_match(&self, text: &str) -> Result<bool> {
        match self {
            Pattern::Linear(p) => Ok(p.is_match(text)),
            Pattern::Backtracking(p) => p.is_match(text).map_err(|e| gave_up(p.as_str(), &e)),
        }
    }

    /// Calls `found` with every match from byte `from` on until it answers `false`. After an empty match the search
    /// goes on one character later, and an empty match right behind another match counts, as in Java.
    pub(super) fn each_match(
        &self,
        text: &str,
        from: usize,
        mut found: impl FnMut(&Groups<'_>) -> Result<bool>,
    ) -> Result<()> {
        let mut from = from;
        match self {
            Pattern::Linear(p) => {
                let mut locations = p.capture_locations();
                while from <= text.len() {
                    let Some(m) = p.captures_read_at(&mut locations, text, from) else {
                        break;
                    };
                    let whole = m.range();
                    from = next_start(text, &whole);
                    if !found(&Groups { source: Source::Linear(&locations), whole })? {
                        break;
                    }
                }
            }
            Pattern::Backtracking(p) => {
                while from <= text.len() {
                    let captures = p.captures_from_pos(text, from).map_err(|e| gave_up(p.as_str(), &e))?;
                    let Some(captures) = captures else { break };
                    let Some(whole) = captures.get(0).map(|m| m.start()..m.end()) else {
                        break;
                    };
                    from = next_start(text, &whole);
                    if !found(&Groups { source: Source::Backtracking(&captures), whole })? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

fn gave_up(pattern: &str, e: &fancy_regex::Error) -> datafusion_common::DataFusionError {
    invalid(format!(
        "searching for '{pattern}' took too many steps ({e}); write it without look-around and back-references"
    ))
}

fn next_start(text: &str, whole: &Range<usize>) -> usize {
    if whole.is_empty() { whole.end + text[whole.end..].chars().next().map_or(1, char::len_utf8) } else { whole.end }
}

/// Patterns compiled so far in a batch: one where the pattern is a constant, else one per distinct text.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    compiled: HashMap<String, Arc<Pattern>>,
    last: Option<(String, Arc<Pattern>)>,
}

impl Patterns {
    /// Above this many patterns in one batch, earlier ones are compiled again when they come back.
    const MOST_KEPT: usize = 256;

    /// The compiled form of `java`.
    pub(super) fn get(&mut self, java: &str) -> Result<Arc<Pattern>> {
        if let Some((text, pattern)) = &self.last
            && text == java
        {
            return Ok(Arc::clone(pattern));
        }
        let pattern = match self.compiled.get(java) {
            Some(pattern) => Arc::clone(pattern),
            None => {
                let pattern = Arc::new(Pattern::compile(java)?);
                if self.compiled.len() >= Self::MOST_KEPT {
                    self.compiled.clear();
                }
                self.compiled.insert(java.to_owned(), Arc::clone(&pattern));
                pattern
            }
        };
        self.last = Some((java.to_owned(), Arc::clone(&pattern)));
        Ok(pattern)
    }
}

/// A pattern in the syntax of Rust's engines.
#[derive(Debug, PartialEq, Eq)]
struct Translated {
    pattern: String,
    /// Whether only the backtracking engine can run it.
    backtracks: bool,
}

/// Rewrites what the two syntaxes spell differently. What neither knows stays as it is, for the compiler to refuse.
fn translate(java: &str) -> Translated {
    let mut out = String::with_capacity(java.len());
    let mut backtracks = false;
    let mut class_depth = 0usize;
    let mut after_quantifier = false;
    let mut chars = java.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let rest = &java[at + c.len_utf8()..];
        let mut quantifier = false;
        match c {
            '\\' => {
                let Some((_, escaped)) = chars.next() else {
                    out.push('\\');
                    break;
                };
                match escaped {
                    'Q' => {
                        let literal = &rest[1..];
                        let (literal, consumed) = match literal.find("\\E") {
                            Some(end) => (&literal[..end], end + 2),
                            None => (literal, literal.len()),
                        };
                        out.push_str(&regex::escape(literal));
                        let until = at + 2 + consumed;
                        while chars.next_if(|(i, _)| *i < until).is_some() {}
                    }
                    'E' => {}
                    'e' => out.push_str(r"\x1B"),
                    'h' => out.push_str(r"[ \t\xA0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000]"),
                    'H' => out.push_str(r"[^ \t\xA0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000]"),
                    'R' => out.push_str(r"(?:\r\n|[\n\x0B\f\r\u0085\u2028\u2029])"),
                    'Z' => {
                        backtracks = true;
                        out.push_str(r"(?=\n?\z)");
                    }
                    'G' => {
                        backtracks = true;
                        out.push_str(r"\G");
                    }
                    '1'..='9' | 'k' if class_depth == 0 => {
                        backtracks = true;
                        out.push('\\');
                        out.push(escaped);
                    }
                    '0' => {
                        let digits: String =
                            rest[1..].chars().take_while(|d| ('0'..='7').contains(d)).take(3).collect();
                        for _ in 0..digits.len() {
                            chars.next();
                        }
                        let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
                        out.push_str(&format!(r"\x{{{code:X}}}"));
                    }
                    'p' | 'P' => {
                        out.push('\\');
                        out.push(escaped);
                        if let Some((name, consumed)) = property(&rest[1..]) {
                            // POSIX names stand for sets of ASCII characters.
                            out.truncate(out.len() - 2);
                            out.push_str(&format!("[[:{}{name}:]]", if escaped == 'P' { "^" } else { "" }));
                            let until = at + 2 + consumed;
                            while chars.next_if(|(i, _)| *i < until).is_some() {}
                        } else if rest[1..].starts_with('{') {
                            // Copied whole, for its braces are no quantifier.
                            for (_, c) in chars.by_ref() {
                                out.push(c);
                                if c == '}' {
                                    break;
                                }
                            }
                        }
                    }
                    _ if escaped.is_ascii_alphanumeric() => {
                        out.push('\\');
                        out.push(escaped);
                    }
                    _ => out.push_str(&regex::escape(&escaped.to_string())),
                }
            }
            '[' => {
                class_depth += 1;
                out.push('[');
                if chars.next_if(|(_, c)| *c == '^').is_some() {
                    out.push('^');
                }
            }
            ']' if class_depth > 0 => {
                class_depth -= 1;
                out.push(']');
            }
            // Sets that Rust subtracts and Java takes as characters.
            '-' | '~' if class_depth > 0 && rest.starts_with(c) => {
                out.push('\\');
                out.push(c);
            }
            _ if class_depth > 0 => out.push(c),
            '(' if rest.starts_with('?') => {
                let kind = &rest[1..];
                if ["=", "!", "<=", "<!", ">"].iter().any(|k| kind.starts_with(k)) {
                    backtracks = true;
                }
                out.push_str("(?");
                chars.next();
                // Flags up to `)` or `:`; Java's d (Unix lines) is how `.` and `$` work here anyway, and its U
                // (Unicode classes) is the engines' own way.
                let flags = kind.find([')', ':']).map_or("", |end| &kind[..end]);
                if !flags.is_empty() && flags.chars().all(|f| "idmsuxU-".contains(f)) {
                    let kept: String = flags.chars().filter(|f| !"dU".contains(*f)).collect();
                    let kept = kept.trim_end_matches('-');
                    for _ in 0..flags.len() {
                        chars.next();
                    }
                    if kept.is_empty() && kind[flags.len()..].starts_with(')') {
                        out.truncate(out.len() - 2);
                        chars.next();
                    } else {
                        out.push_str(kept);
                    }
                }
            }
            '+' if after_quantifier => {
                backtracks = true;
                out.push('+');
            }
            '*' | '+' | '?' => {
                quantifier = !after_quantifier;
                out.push(c);
            }
            '}' => {
                quantifier = true;
                out.push('}');
            }
            _ => out.push(c),
        }
        after_quantifier = quantifier;
    }
    Translated { pattern: out, backtracks }
}

/// The POSIX class that a Java property such as `{Alpha}` names, and how many bytes its name takes.
fn property(rest: &str) -> Option<(&'static str, usize)> {
    let end = rest.find('}')?;
    let name = rest.strip_prefix('{')?.get(..end - 1)?;
    let class = match name {
        "Lower" => "lower",
        "Upper" => "upper",
        "ASCII" => "ascii",
        "Alpha" => "alpha",
        "Digit" => "digit",
        "Alnum" => "alnum",
        "Punct" => "punct",
        "Graph" => "graph",
        "Print" => "print",
        "Blank" => "blank",
        "Cntrl" => "cntrl",
        "XDigit" => "xdigit",
        "Space" => "space",
        _ => return None,
    };
    Some((class, end + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn all(pattern: &str, text: &str) -> Vec<String> {
        let mut found = vec![];
        let pattern = Pattern::compile(pattern).unwrap();
        pattern
            .each_match(text, 0, |g| {
                found.push(text[g.whole()].to_owned());
                Ok(true)
            })
            .unwrap();
        found
    }

    #[test]
    fn empty_matches_count_as_in_java() {
        assert_eq!(all(r"\w*", "new york"), ["new", "", "york", ""]);
        assert_eq!(all("", "a朋"), ["", "", ""]);
    }

    #[test]
    fn syntax_that_differs_is_rewritten() {
        assert_eq!(all(r"\Qa.b\E+", "a.bbb axb"), ["a.bbb"]);
        assert_eq!(all(r"\p{Alpha}+", "abc1é"), ["abc"]);
        assert_eq!(all(r"\p{Lu}", "aBÉ"), ["B", "É"]);
        assert_eq!(all(r"\<b\>", "a<b>"), ["<b>"]);
        assert_eq!(all(r"[a--]", "a-b"), ["a", "-"]);
        assert_eq!(all(r"(?dm)^b$", "a\nb"), ["b"]);
        assert_eq!(all(r"(?i)admin", "AdMin"), ["AdMin"]);
        assert_eq!(all(r"\0101", "xA"), ["A"]);
        assert_eq!(all(r"\h", "a\tb"), ["\t"]);
        assert_eq!(all(r"[\p{Punct}&&[^.]]", "a.b!"), ["!"]);
    }

    #[test]
    fn backtracking_runs_only_where_it_must() {
        for (pattern, backtracks) in [
            (r"^(Get|List)\w+$", false),
            (r"a(?=b)", true),
            (r"(?<!x)a", true),
            (r"(a)\1", true),
            (r"a*+", true),
            (r"a{2}+", true),
            (r"(?>a|ab)c", true),
            (r"(?<name>a)+", false),
            (r"[+*]+", false),
        ] {
            assert_eq!(translate(pattern).backtracks, backtracks, "{pattern}");
        }
        assert_eq!(all(r"(\w)\1", "aabcc"), ["aa", "cc"]);
        assert_eq!(all(r"\w+(?=@)", "alice@corp"), ["alice"]);
        assert_eq!(all(r"a*+a", "aaa"), Vec::<String>::new());
    }

    #[test]
    fn endless_backtracking_is_refused() {
        let pattern = Pattern::compile(r"^(?:a(?!x)|a(?!y))*b$").unwrap();
        let e = pattern.is_match(&"a".repeat(60)).unwrap_err().to_string();
        assert!(e.contains("INVALID_FUNCTION_ARGUMENT"), "{e}");
    }

    #[test]
    fn broken_patterns_name_themselves() {
        let e = Pattern::compile("[invalid").unwrap_err().to_string();
        assert!(e.contains("INVALID_FUNCTION_ARGUMENT: '[invalid'"), "{e}");
    }
}
