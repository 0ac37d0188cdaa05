//! A walk over simd-json's tape that also knows where each value lies in the original text.
//!
//! The tape has values but no offsets, and parsing unescapes strings in place, which destroys the text. Stage 1's structural
//! indexes fill the gap: they hold, in order, the offset of every `{ } [ ] : ,`, of every opening quote and of the first byte
//! of every other scalar. The tape has one node for each of these but the closing brackets, colons and commas, so that
//! the two are walked side by side. Parsing is done on a copy (the scratch); offsets refer to the untouched original.

use simd_json::prelude::StaticNode;
use simd_json::{Buffers, INPUT_PADDING, Node, Tape};

/// Parses documents one after the other with reused memory.
pub(crate) struct Parser {
    scratch: Vec<u8>,
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Self { scratch: Vec::new(), buffers: Buffers::new(1 << 16), tape: Some(Tape::null()) }
    }

    /// Parses `text` as one JSON document and hands a cursor on its root to `visit`. `base` is added to the offsets that
    /// the cursor tells; an error tells what is wrong, and its offset in `text`.
    pub(crate) fn parse<T>(
        &mut self,
        text: &[u8],
        base: usize,
        visit: impl FnOnce(Cursor<'_>) -> T,
    ) -> Result<T, (String, usize)> {
        if text.len() >= u32::MAX as usize - INPUT_PADDING {
            return Err(("document of 4 GiB or more".to_owned(), 0));
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(text);
        self.scratch.resize(text.len() + INPUT_PADDING, 0);
        let mut tape = self.tape.take().unwrap_or_else(Tape::null).reset();
        let parsed = simd_json::fill_tape_padded(&mut self.scratch, text.len(), &mut self.buffers, &mut tape);
        let result = match parsed {
            Ok(()) => {
                let marks = self.buffers.structural_indexes();
                Ok(visit(Cursor { nodes: &tape.0, marks, text, base, node: 0, mark: 0 }))
            }
            Err(error) => Err((error_kind(&error), error.index())),
        };
        self.tape = Some(tape.reset());
        result
    }
}

fn error_kind(error: &simd_json::Error) -> String {
    // What the parser calls so is text that begins like nothing it knows.
    if matches!(error.error(), simd_json::ErrorType::InternalError) {
        return "no value".to_owned();
    }
    let text = format!("{:?}", error.error());
    let mut words = String::with_capacity(text.len() + 8);
    for (i, c) in text.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// What a value is, without its content.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Boolean(bool),
    /// The number as it was written.
    Number(&'a str),
    /// Unescaped.
    Text(&'a str),
    Object {
        len: usize,
    },
    Array {
        len: usize,
    },
}

/// A place on the tape, before a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    nodes: &'a [Node<'a>],
    marks: &'a [u32],
    text: &'a [u8],
    base: usize,
    node: usize,
    mark: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn value(&self) -> Value<'a> {
        match self.nodes.get(self.node) {
            None | Some(Node::Static(StaticNode::Null)) => Value::Null,
            Some(Node::Static(StaticNode::Bool(value))) => Value::Boolean(*value),
            Some(Node::Static(_)) => Value::Number(std::str::from_utf8(self.token()).unwrap_or_default()),
            Some(Node::String(text)) => Value::Text(text),
            Some(Node::Object { len, .. }) => Value::Object { len: *len },
            Some(Node::Array { len, .. }) => Value::Array { len: *len },
        }
    }

    /// Offset of the value's first byte, [`Parser::parse`]'s `base` included.
    pub(crate) fn offset(&self) -> usize {
        self.base + self.mark_at(self.mark)
    }

    fn mark_at(&self, index: usize) -> usize {
        self.marks.get(index).map_or(self.text.len(), |mark| (*mark as usize).min(self.text.len()))
    }

    /// The scalar's bytes as they stand in the text, quotes included.
    pub(crate) fn token(&self) -> &'a [u8] {
        self.text[self.mark_at(self.mark)..self.mark_at(self.mark + 1)].trim_ascii_end()
    }

    /// If the string before the cursor was written without escapes: the offset of its content.
    pub(crate) fn verbatim(&self, unescaped: &str) -> Option<usize> {
        self.verbatim_at(self.mark, unescaped)
    }

    /// The same for the key of the entry whose value is under the cursor.
    pub(crate) fn verbatim_key(&self, unescaped: &str) -> Option<usize> {
        self.verbatim_at(self.mark.checked_sub(2)?, unescaped)
    }

    fn verbatim_at(&self, mark: usize, unescaped: &str) -> Option<usize> {
        let start = self.mark_at(mark) + 1;
        let end = start + unescaped.len();
        // Every escape is longer than what it stands for, so what is as long as it was written has none. That can be told
        // where the next token follows without a blank.
        let verbatim = end + 1 == self.mark_at(mark + 1) || self.text.get(start..end)? == unescaped.as_bytes();
        verbatim.then_some(self.base + start)
    }

    /// Steps over a value that is no object and no array.
    pub(crate) fn step(&mut self) {
        self.node += 1;
        self.mark += 1;
    }

    /// Steps over the value and gives its bytes as written.
    pub(crate) fn skip(&mut self) -> &'a [u8] {
        let start = self.mark_at(self.mark);
        match self.nodes.get(self.node) {
            Some(Node::Object { count, .. } | Node::Array { count, .. }) => {
                let end_node = self.node + 1 + count;
                self.mark += marks_of(&self.nodes[self.node..end_node.min(self.nodes.len())]);
                self.node = end_node;
                &self.text[start..(self.mark_at(self.mark - 1) + 1).min(self.text.len())]
            }
            _ => {
                let token = self.token();
                self.node += 1;
                self.mark += 1;
                token
            }
        }
    }

    /// The text from here to the end of the value that ends before `end`.
    pub(crate) fn until(&self, end: &Self) -> &'a [u8] {
        &self.text[self.mark_at(self.mark)..(self.mark_at(end.mark - 1) + 1).min(self.text.len())]
    }

    /// True if no blank stands between the tokens from here to the end of the value that ends before `end`.
    pub(crate) fn is_compact(&self, end: &Self) -> bool {
        self.marks[self.mark..end.mark]
            .iter()
            .skip(1)
            .all(|mark| self.text.get(*mark as usize - 1).is_some_and(|byte| *byte > b' '))
    }

    /// Appends the text from here to the end of the object or array that ends before `end`, without the blanks between its
    /// tokens.
    pub(crate) fn write_compact(&self, end: &Self, out: &mut Vec<u8>) {
        for index in self.mark..end.mark {
            let token = &self.text[self.mark_at(index)..self.mark_at(index + 1)];
            // The text after the last token belongs to somebody else.
            let token = if index + 1 == end.mark { &token[..token.len().min(1)] } else { token };
            out.extend_from_slice(token.trim_ascii_end());
        }
    }

    /// Steps into an object and calls `entry` on each key with the cursor before its value; `entry` must step over the value.
    pub(crate) fn object(&mut self, len: usize, mut entry: impl FnMut(&'a str, &mut Self)) {
        self.enter();
        for _ in 0..len {
            let key = match self.nodes.get(self.node) {
                Some(Node::String(key)) => *key,
                _ => "",
            };
            self.node += 1;
            self.mark += 2;
            entry(key, self);
            self.mark += 1;
        }
        if len == 0 {
            self.mark += 1;
        }
    }

    /// Steps into an object or array, before its first key or element.
    pub(crate) fn enter(&mut self) {
        self.node += 1;
        self.mark += 1;
    }

    /// Steps into an array and calls `element` before each element, which it must step over.
    pub(crate) fn array(&mut self, len: usize, mut element: impl FnMut(&mut Self)) {
        self.enter();
        for _ in 0..len {
            element(self);
            self.mark += 1;
        }
        if len == 0 {
            self.mark += 1;
        }
    }

    /// The keys of the object under the cursor and the value of each, without its content's offsets.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'a str, &'a Node<'a>)> + use<'a> {
        let len = match self.nodes.get(self.node) {
            Some(Node::Object { len, .. }) => *len,
            _ => 0,
        };
        let nodes = self.nodes;
        let mut at = self.node + 1;
        (0..len).filter_map(move |_| {
            let Some(Node::String(key)) = nodes.get(at) else {
                return None;
            };
            let value = nodes.get(at + 1)?;
            at += 2 + match value {
                Node::Object { count, .. } | Node::Array { count, .. } => *count,
                _ => 0,
            };
            Some((*key, value))
        })
    }
}

/// How many structural indexes the nodes of one whole value stand for.
fn marks_of(nodes: &[Node<'_>]) -> usize {
    nodes
        .iter()
        .map(|node| match node {
            // Both brackets, and a colon a key and a comma between two entries; the entries count for themselves.
            Node::Object { len: 0, .. } | Node::Array { len: 0, .. } => 2,
            Node::Object { len, .. } => 2 * len + 1,
            Node::Array { len, .. } => len + 1,
            Node::String(_) | Node::Static(_) => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes the document again from tokens alone; equal to the text without blanks if every offset is right.
    fn rewrite(cursor: &mut Cursor<'_>, out: &mut String) {
        match cursor.value() {
            Value::Object { len } => {
                out.push('{');
                let mut comma = "";
                cursor.object(len, |key, value| {
                    out.push_str(comma);
                    out.push_str(&serde_json::to_string(key).unwrap());
                    out.push(':');
                    rewrite(value, out);
                    comma = ",";
                });
                out.push('}');
            }
            Value::Array { len } => {
                out.push('[');
                let mut comma = "";
                cursor.array(len, |element| {
                    out.push_str(comma);
                    rewrite(element, out);
                    comma = ",";
                });
                out.push(']');
            }
            Value::Text(text) => {
                if !text.contains(['"', '\\', '\n']) {
                    assert!(cursor.verbatim(text).is_some());
                }
                out.push_str(std::str::from_utf8(cursor.skip()).unwrap());
            }
            _ => out.push_str(std::str::from_utf8(cursor.skip()).unwrap()),
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            (-1e9..1e9f64).prop_map(serde_json::Value::from),
            "[ -~\\n\u{202f}é\"\\\\{}\\[\\],:]{0,20}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::vec(("[a-z\" ]{0,6}", inner), 0..6)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn walking_finds_every_token(document in json(), pretty: bool) {
            let compact = serde_json::to_string(&document).unwrap();
            let text = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { compact.clone() };
            let mut parser = Parser::new();
            let mut walked = String::new();
            let (skipped, is_compact, rewritten) = parser.parse(text.as_bytes(), 0, |cursor| {
                rewrite(&mut cursor.clone(), &mut walked);
                let mut end = cursor;
                let skipped = end.skip().to_vec();
                let mut rewritten = Vec::new();
                if matches!(cursor.value(), Value::Object { .. } | Value::Array { .. }) {
                    cursor.write_compact(&end, &mut rewritten);
                    assert_eq!(cursor.until(&end), skipped);
                } else {
                    rewritten.extend_from_slice(cursor.token());
                }
                (skipped, cursor.is_compact(&end), rewritten)
            }).unwrap();
            prop_assert_eq!(&walked, &compact);
            prop_assert_eq!(skipped, text.clone().into_bytes());
            prop_assert_eq!(String::from_utf8(rewritten).unwrap(), compact.clone());
            if !pretty { prop_assert!(is_compact); }
            if is_compact { prop_assert_eq!(&text, &compact); }
        }
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let mut parser = Parser::new();
        let numbers = parser
            .parse(b"[0.0, 243.0 ,1.688560107857E9,-3]", 100, |mut cursor| {
                let mut numbers = Vec::new();
                cursor.array(4, |element| {
                    numbers.push((element.value(), element.offset()));
                    element.skip();
                });
                numbers.into_iter().map(|(n, at)| (format!("{n:?}"), at)).collect::<Vec<_>>()
            })
            .unwrap();
        let expected = [("0.0", 101), ("243.0", 106), ("1.688560107857E9", 113), ("-3", 130)];
        assert_eq!(numbers, expected.map(|(n, at)| (format!("Number(\"{n}\")"), at)));
    }
}
