//! Finds JSON values in text that is not one whole, valid document: JSON lines, documents one after the other, and files
//! that are cut or damaged, of which as many records as possible are kept.

use std::ops::Range;

/// A stretch of text that starts like a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    /// False if the text ends before the value does.
    pub(crate) complete: bool,
}

/// The values at the top level of `text[range]`, and what stands between them (as pieces of one line at most).
pub(crate) fn values(text: &[u8], range: Range<usize>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = range.start;
    while at < range.end {
        match text[at] {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => at += 1,
            b'{' | b'[' => {
                let (end, complete) = bracketed(text, at, range.end);
                pieces.push(Piece { range: at..end, complete });
                at = end;
            }
            _ => {
                let end = text[at..range.end].iter().position(|b| *b == b'\n').map_or(range.end, |n| at + n);
                pieces.push(Piece { range: at..end, complete: true });
                at = end;
            }
        }
    }
    pieces
}

/// The elements of the first array in `text[range]`: those of `[…]` itself or of `{"Records":[…`. None without an array.
pub(crate) fn elements(text: &[u8], range: Range<usize>) -> Option<Vec<Piece>> {
    let mut at = range.start;
    let mut depth = 0;
    loop {
        match text.get(at).filter(|_| at < range.end)? {
            b'[' => break,
            b'"' => at = string(text, at, range.end).0,
            b'{' if depth > 0 => return None,
            b'{' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => return None,
            _ => at += 1,
        }
    }
    let inner = at + 1;
    let (end, complete) = bracketed(text, at, range.end);
    Some(values(text, inner..if complete { end - 1 } else { end }))
}

/// The non-blank lines.
pub(crate) fn lines(text: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = range.start;
    for line in text[range].split(|byte| *byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            lines.push(start..start + line.len());
        }
        start += line.len() + 1;
    }
    lines
}

/// Just after the bracket that closes the one at `start`, whatever its kind; `end` and false if there is none.
fn bracketed(text: &[u8], start: usize, end: usize) -> (usize, bool) {
    let mut depth = 0usize;
    let mut at = start;
    while at < end {
        match text[at] {
            b'"' => {
                let (next, complete) = string(text, at, end);
                if !complete {
                    return (end, false);
                }
                at = next;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return (at + 1, true);
                }
            }
            _ => {}
        }
        at += 1;
    }
    (end, false)
}

fn string(text: &[u8], start: usize, end: usize) -> (usize, bool) {
    let mut at = start + 1;
    while at < end {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return (at + 1, true),
            _ => at += 1,
        }
    }
    (end, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, pieces: &[Piece]) -> Vec<(String, bool)> {
        pieces.iter().map(|p| (text[p.range.clone()].to_owned(), p.complete)).collect()
    }

    #[test]
    fn documents_one_after_the_other() {
        let text = "{\"a\":\"}\"}{\"b\":[1]}\n junk\n[2]{\"c\":\"\\\"}";
        let expected =
            [("{\"a\":\"}\"}", true), ("{\"b\":[1]}", true), ("junk", true), ("[2]", true), ("{\"c\":\"\\\"}", false)];
        assert_eq!(texts(text, &values(text.as_bytes(), 0..text.len())), expected.map(|(t, c)| (t.to_owned(), c)));
    }

    #[test]
    fn elements_of_a_cut_file() {
        let text = "{\"Records\":[{\"a\":1},{\"b\":[2]},{\"c\":";
        let expected = [("{\"a\":1}", true), ("{\"b\":[2]}", true), ("{\"c\":", false)];
        let pieces = elements(text.as_bytes(), 0..text.len()).unwrap();
        assert_eq!(texts(text, &pieces), expected.map(|(t, c)| (t.to_owned(), c)));
        assert_eq!(elements(b"{\"a\":{\"b\":[1]}}", 0..15), None);
        assert_eq!(elements(b"[]", 0..2), Some(vec![]));
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_in_order_and_inside(text in "[\\[\\]{}\",: a\\\\\n]{0,60}") {
            let bytes = text.as_bytes();
            let mut at = 0;
            for piece in values(bytes, 0..bytes.len()) {
                proptest::prop_assert!(piece.range.start >= at && piece.range.end > piece.range.start);
                at = piece.range.end;
            }
            proptest::prop_assert!(at <= bytes.len());
            let _ = elements(bytes, 0..bytes.len());
            let _ = lines(bytes, 0..bytes.len());
        }
    }
}
