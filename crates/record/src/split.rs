//! Finds JSON values in text that is not one whole, valid document: JSON lines, documents one after the other, lines of
//! CloudWatch Logs exports (a timestamp, a blank, the message), and files that are cut or damaged, of which as many records
//! as possible are kept.

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
            _ if starts_line(text, at, range.start) && message(&text[at..range.end]) > 0 => {
                at += message(&text[at..range.end]);
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

/// Whether nothing but blanks stands between `at` and the start of its line.
fn starts_line(text: &[u8], at: usize, start: usize) -> bool {
    text[start..at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).is_none_or(|byte| *byte == b'\n')
}

/// Where the message begins in a line of a CloudWatch Logs export, `2026-03-01T00:05:00.123Z {…}`; 0 if it is none.
pub(crate) fn message(line: &[u8]) -> usize {
    const DATE: &[u8] = b"0000-00-00T00:00:00";
    let date = line.first_chunk::<19>().is_some_and(|date| {
        date.iter().zip(DATE).all(|(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form })
    });
    if !date {
        return 0;
    }
    let rest = &line[DATE.len()..];
    let zone = rest.iter().take_while(|byte| byte.is_ascii_digit() || b".,Z+-:".contains(byte)).count();
    let blank = rest[zone..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let text = matches!(rest.get(zone + blank), Some(b'{' | b'['));
    if blank > 0 && text { DATE.len() + zone + blank } else { 0 }
}

/// The non-blank lines, without the timestamps of CloudWatch Logs.
pub(crate) fn lines(text: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = range.start;
    for line in text[range].split(|byte| *byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            lines.push(start + message(line)..start + line.len());
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
    use proptest::prelude::*;

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

    #[test]
    fn timestamps_before_messages() {
        let text = "2026-03-01T00:05:00.123Z {\"a\":1}\n2026-03-01T00:05:00Z {\"b\":2}\r\n\
                    2026-03-01T00:05:00.123Z no document\n2026-03-01T00:05:00.123Z{\"c\":3}\n{\"d\":4}\n";
        let documents = ["{\"a\":1}", "{\"b\":2}"];
        let others = ["2026-03-01T00:05:00.123Z no document", "2026-03-01T00:05:00.123Z{\"c\":3}", "{\"d\":4}"];
        let expected: Vec<_> = documents.into_iter().chain(others).map(|text| (text.to_owned(), true)).collect();
        assert_eq!(texts(text, &values(text.as_bytes(), 0..text.len())), expected);
        let lines: Vec<_> =
            lines(text.as_bytes(), 0..text.len()).into_iter().map(|line| text[line].trim_end()).collect();
        assert_eq!(lines, documents.into_iter().chain(others).collect::<Vec<_>>());
    }

    fn document() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(serde_json::Value::from),
            "[ -~\\n\"\\\\{}\\[\\],:é]{0,12}".prop_map(serde_json::Value::from),
        ];
        let value = leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::vec(("[a-z\"{]{0,4}", inner), 0..4)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        });
        (prop::collection::vec(("[a-z\"{]{0,4}", value), 0..4), any::<bool>()).prop_map(|(entries, pretty)| {
            let document = serde_json::Value::Object(entries.into_iter().collect());
            if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap()
        })
    }

    /// What writers put between documents, and exports before them.
    fn separator() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["", " ", "\n", "\r\n", ",", ",\n", "\n\n", "\n2026-03-01T00:05:00.123Z "])
    }

    proptest! {
        #[test]
        fn joined_documents_come_apart(documents in prop::collection::vec((separator(), document()), 0..8)) {
            let text: String = documents.iter().flat_map(|(separator, document)| [*separator, document]).collect();
            let expected: Vec<_> = documents.into_iter().map(|(_, document)| (document, true)).collect();
            prop_assert_eq!(texts(&text, &values(text.as_bytes(), 0..text.len())), expected);
        }

        #[test]
        fn a_cut_costs_the_last_document_only(
            documents in prop::collection::vec((separator(), document()), 1..6),
            cut in 1usize..1000,
        ) {
            let mut text: String = documents.iter().flat_map(|(separator, document)| [*separator, document]).collect();
            let last = documents.last().map_or(0, |(_, document)| document.len());
            let mut end = text.len() - 1 - cut % last;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            let pieces = values(text.as_bytes(), 0..text.len());
            let whole: Vec<_> = documents[..documents.len() - 1].iter().map(|(_, d)| (d.clone(), true)).collect();
            prop_assert_eq!(&texts(&text, &pieces)[..whole.len()], &whole[..]);
            prop_assert!(pieces[whole.len()..].iter().all(|piece| !piece.complete || piece.range.len() < 40));
            prop_assert!(pieces.len() <= documents.len());
        }

        #[test]
        fn pieces_are_in_order_and_inside(text in "[\\[\\]{}\",: a\\\\\n0-9TZ-]{0,60}") {
            let bytes = text.as_bytes();
            let mut at = 0;
            for piece in values(bytes, 0..bytes.len()) {
                prop_assert!(piece.range.start >= at && piece.range.end > piece.range.start);
                at = piece.range.end;
            }
            prop_assert!(at <= bytes.len());
            let _ = elements(bytes, 0..bytes.len());
            let _ = lines(bytes, 0..bytes.len());
        }
    }
}
