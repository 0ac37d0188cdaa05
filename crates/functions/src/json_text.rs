//! JSON text, read where it lies: no tree is built, a value is a slice of its document.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Nesting beyond which a document is refused: no less than what is taken in, so that no record is.
const MAX_DEPTH: usize = 1024;

/// A value inside a document, checked to be well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The number as written.
    Number(&'a str),
    /// The text between the quotes, escapes as written.
    String(&'a str),
    /// The array with its brackets.
    Array(&'a str),
    /// The object with its braces.
    Object(&'a str),
}

impl<'a> Json<'a> {
    /// Whether the value is neither an array nor an object.
    pub(crate) fn is_scalar(self) -> bool {
        !matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// The elements of an array.
    pub(crate) fn elements(self) -> Elements<'a> {
        let text = match self {
            Self::Array(text) => text,
            _ => "[]",
        };
        Elements { reader: Reader { pos: 1, ..Reader::new(text) } }
    }

    /// The members of an object: key with escapes as written, value.
    pub(crate) fn members(self) -> Members<'a> {
        let text = match self {
            Self::Object(text) => text,
            _ => "{}",
        };
        Members { reader: Reader { pos: 1, ..Reader::new(text) } }
    }

    /// Appends the value without insignificant blanks, the keys of objects in their order.
    pub(crate) fn write(self, out: &mut String) {
        if let Self::Array(text) | Self::Object(text) = self
            && is_compact(text)
        {
            return out.push_str(text);
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if b { "true" } else { "false" }),
            Self::Number(n) => out.push_str(n),
            Self::String(s) => requote(s, out),
            Self::Array(_) => {
                out.push('[');
                for (i, v) in self.elements().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    v.write(out);
                }
                out.push(']');
            }
            Self::Object(_) => {
                out.push('{');
                for (i, (k, v)) in self.members().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    requote(k, out);
                    out.push(':');
                    v.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Appends the value in Trino's canonical form: no blanks, keys sorted, of equal keys the last.
    pub(crate) fn write_canonical(self, out: &mut String) {
        match self {
            Self::Array(_) => {
                out.push('[');
                for (i, v) in self.elements().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    v.write_canonical(out);
                }
                out.push(']');
            }
            Self::Object(_) => {
                let mut members: Vec<(Cow<'a, str>, Json<'a>)> =
                    self.members().map(|(k, v)| (unescape(k), v)).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                out.push('{');
                let mut first = true;
                for (i, (k, v)) in members.iter().enumerate() {
                    if members.get(i + 1).is_some_and(|(next, _)| next == k) {
                        continue;
                    }
                    if !std::mem::take(&mut first) {
                        out.push(',');
                    }
                    quote(k, out);
                    out.push(':');
                    v.write_canonical(out);
                }
                out.push('}');
            }
            scalar => scalar.write(out),
        }
    }
}

/// Elements of an array.
pub(crate) struct Elements<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        self.reader.eat(b',');
        if self.reader.peek() == Some(b']') { None } else { self.reader.value() }
    }
}

/// Members of an object.
pub(crate) struct Members<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.eat(b',');
        if self.reader.peek() == Some(b'}') {
            return None;
        }
        let key = self.reader.key()?;
        Some((key, self.reader.value()?))
    }
}

/// The value that a whole text is; None where the text is not JSON.
pub(crate) fn parse(text: &str) -> Option<Json<'_>> {
    let mut reader = Reader::new(text);
    let value = reader.value()?;
    reader.peek().is_none().then_some(value)
}

/// Whether a value is written as [`Json::write`] would: without blanks between its parts, and without escapes.
fn is_compact(text: &str) -> bool {
    let mut reader = Reader::new(text);
    reader.skip().is_some() && !reader.rewritten
}

/// A position in a document.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    pos: usize,
    /// Whether there were blanks or escapes so far.
    rewritten: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, pos: 0, rewritten: false }
    }

    /// The next significant byte, without consuming it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(self.pos) {
            self.pos += 1;
            self.rewritten = true;
        }
        bytes.get(self.pos).copied()
    }

    /// Consumes the byte if it is next.
    pub(crate) fn eat(&mut self, b: u8) -> bool {
        let found = self.peek() == Some(b);
        self.pos += usize::from(found);
        found
    }

    /// A key and its colon: the text between the quotes.
    pub(crate) fn key(&mut self) -> Option<&'a str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let key = self.string()?;
        self.eat(b':').then_some(key)
    }

    /// The next value, checked to its end.
    pub(crate) fn value(&mut self) -> Option<Json<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Json::String),
            b'{' => {
                let start = self.pos;
                self.skip()?;
                Some(Json::Object(&self.text[start..self.pos]))
            }
            b'[' => {
                let start = self.pos;
                self.skip()?;
                Some(Json::Array(&self.text[start..self.pos]))
            }
            b't' => self.word("true").then_some(Json::Bool(true)),
            b'f' => self.word("false").then_some(Json::Bool(false)),
            b'n' => self.word("null").then_some(Json::Null),
            _ => self.number().map(Json::Number),
        }
    }

    /// Consumes the next value, checking it, without recursion.
    pub(crate) fn skip(&mut self) -> Option<()> {
        let mut open = Open::default();
        loop {
            match self.peek()? {
                b'{' => {
                    self.pos += 1;
                    if !self.eat(b'}') {
                        open.push(true)?;
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.pos += 1;
                    if !self.eat(b']') {
                        open.push(false)?;
                        continue;
                    }
                }
                _ => {
                    self.value()?;
                }
            }
            loop {
                let Some(is_object) = open.last() else {
                    return Some(());
                };
                if self.eat(b',') {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                if !self.eat(if is_object { b'}' } else { b']' }) {
                    return None;
                }
                open.depth -= 1;
            }
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text[self.pos..].starts_with(word);
        self.pos += if found { word.len() } else { 0 };
        found
    }

    fn string(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.pos + 1;
        let mut pos = start;
        loop {
            pos += plain(bytes.get(pos..)?);
            match *bytes.get(pos)? {
                b'"' => {
                    self.pos = pos + 1;
                    return Some(&self.text[start..pos]);
                }
                b'\\' => self.rewritten = true,
                _ => return None,
            }
            pos += match bytes.get(pos + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' => {
                    if !bytes.get(pos + 2..pos + 6)?.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    6
                }
                _ => return None,
            };
        }
    }

    fn digits(&mut self) -> usize {
        let bytes = self.text.as_bytes();
        let start = self.pos;
        while bytes.get(self.pos).is_some_and(u8::is_ascii_digit) {
            self.pos += 1;
        }
        self.pos - start
    }

    fn number(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.pos;
        if bytes.get(self.pos) == Some(&b'-') {
            self.pos += 1;
        }
        let zero = bytes.get(self.pos) == Some(&b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return None;
        }
        if bytes.get(self.pos) == Some(&b'.') {
            self.pos += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        if let Some(b'e' | b'E') = bytes.get(self.pos) {
            self.pos += 1;
            if let Some(b'+' | b'-') = bytes.get(self.pos) {
                self.pos += 1;
            }
            if self.digits() == 0 {
                return None;
            }
        }
        // A number ends where a blank, a separator or the document does.
        match bytes.get(self.pos) {
            None | Some(b' ' | b'\n' | b'\t' | b'\r' | b',' | b']' | b'}' | b':') => Some(&self.text[start..self.pos]),
            Some(_) => None,
        }
    }
}

/// The arrays and objects that a value is in: a bit each.
#[derive(Default)]
struct Open {
    objects: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) -> Option<()> {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        let word = self.objects.get_mut(word)?;
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Some(())
    }

    /// Whether the innermost is an object.
    fn last(&self) -> Option<bool> {
        let last = self.depth.checked_sub(1)?;
        Some(self.objects[last / 64] >> (last % 64) & 1 > 0)
    }
}

/// How many bytes there are before the first quote, backslash or control character.
///
/// Eight at a time: a byte is zero if taking 1 from it borrows and its highest bit was not set (Henry S. Warren, Hacker's Delight, 6-1).
/// Borrows reach higher bytes only, so that the lowest that is found is right.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let found = is(b'"') | is(b'\\') | below(word, 0x20);
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    words.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The characters that the text between two quotes stands for. Half a surrogate pair becomes U+FFFD.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or("");
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let unit = hex4(rest);
                rest = rest.get(4..).unwrap_or("");
                let code = match unit {
                    0xd800..=0xdbff if rest.starts_with("\\u") => {
                        let low = hex4(&rest[2..]);
                        if (0xdc00..=0xdfff).contains(&low) {
                            rest = rest.get(6..).unwrap_or("");
                            0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                        } else {
                            unit
                        }
                    }
                    other => other,
                };
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn hex4(text: &str) -> u32 {
    text.get(..4).and_then(|h| u32::from_str_radix(h, 16).ok()).unwrap_or(0xfffd)
}

/// Whether the text between two quotes stands for these characters.
pub(crate) fn equals(raw: &str, characters: &str) -> bool {
    raw == characters && !raw.contains('\\') || (raw.contains('\\') && unescape(raw) == characters)
}

/// Appends characters as a JSON string.
pub(crate) fn quote(characters: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (i, b) in characters.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&characters[from..i]);
        from = i + 1;
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{b:04X}");
            }
        }
    }
    out.push_str(&characters[from..]);
    out.push('"');
}

fn requote(raw: &str, out: &mut String) {
    match unescape(raw) {
        Cow::Borrowed(plain) => {
            out.push('"');
            out.push_str(plain);
            out.push('"');
        }
        Cow::Owned(characters) => quote(&characters, out),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Option<String> {
        let mut out = String::new();
        parse(text)?.write_canonical(&mut out);
        Some(out)
    }

    #[test]
    fn canonical_form_sorts_keys_and_drops_blanks() {
        let text = " { \"b\" : [ 1 , 2.50, {} , [ ] ] , \"a\" : { \"y\":null, \"x\":\"\\u0041\\n\" } } ";
        assert_eq!(canonical(text).unwrap(), r#"{"a":{"x":"A\n","y":null},"b":[1,2.50,{},[]]}"#);
        assert_eq!(canonical(r#"{"a":1,"a":2}"#).unwrap(), r#"{"a":2}"#);
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{}{",
            "{} \"a\"",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "nul",
            "\"a",
            "\"\\x\"",
            "[000]",
            "1a",
            "{\"a\":1,}",
            "[1 2]",
            "\"\u{1}\"",
            "NaN",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }

    #[test]
    fn surrogates() {
        assert_eq!(unescape("\\ud83d\\ude00"), "😀");
        assert_eq!(unescape("\\ud83dx"), "\u{fffd}x");
    }

    proptest! {
        #[test]
        fn strings_survive_quoting(s in any::<String>()) {
            let mut text = String::new();
            quote(&s, &mut text);
            let Some(Json::String(raw)) = parse(&text) else { return Err(TestCaseError::fail("no string")) };
            prop_assert_eq!(unescape(raw), s.as_str());
            prop_assert!(equals(raw, &s));
        }

        #[test]
        fn plain_ends_at_the_first_byte_that_is_not(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'a')], 0..40)) {
            let ends = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            prop_assert_eq!(plain(&bytes), bytes.iter().position(ends).unwrap_or(bytes.len()));
        }

        #[test]
        fn what_is_compact_is_written_as_what_is_not(text in any::<String>(), depth in 0..150_usize) {
            let mut string = String::new();
            quote(&text, &mut string);
            let compact = format!("{}{{\"a\":[{string},1.50,null],\"a\":{string}}}{}", "[".repeat(depth), "]".repeat(depth));
            let written = |text: &str| {
                let mut out = String::new();
                parse(text).unwrap().write(&mut out);
                out
            };
            let blank = compact.replacen(":[", ": [ ", 1);
            prop_assert_eq!(is_compact(&compact), !text.contains(['"', '\\']) && !text.bytes().any(|b| b < 0x20));
            prop_assert!(!is_compact(&blank));
            prop_assert_eq!(written(&compact), written(&blank));
        }

        #[test]
        fn no_text_panics(s in any::<String>()) {
            let _ = parse(&s).map(|j| j.write_canonical(&mut String::new()));
        }
    }
}
