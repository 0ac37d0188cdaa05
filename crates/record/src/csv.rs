//! Tables of comma-separated values that have whole records in a column: results of CloudTrail Lake queries (`eventJson`),
//! exports of log searches (`_raw`, `@message`), `lookup-events` made into a table (`CloudTrailEvent`). RFC 4180 with line
//! ends of either kind, also inside quotes.
//!
//! The other columns are not read. Lake prints rows and maps as `{key=value, key2=value2}` without any quoting, and values
//! come from whoever called the API: what looks like a key may be part of a value. A record made anew from such columns
//! would be one that nobody delivered.

use std::ops::Range;

use crate::schema::EventCategory;
use crate::split;

/// Names of columns that hold whole records, in the order in which they are preferred, whatever the case.
const RECORD_COLUMNS: [&str; 6] = ["eventjson", "cloudtrailevent", "_raw", "@message", "message", "event"];

/// What the first line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// Records are in the column of this index; rows begin at the offset.
    Records { column: usize, rows: usize },
    /// Columns of events, none of which has whole records.
    NoRecords,
    /// Not a table of events.
    Other,
}

/// Reads the first line of `text[range]`.
pub(crate) fn header(text: &[u8], range: Range<usize>) -> Header {
    let document = matches!(text.get(range.start), None | Some(b'{' | b'['));
    if document || split::message(&text[range.clone()]) > 0 {
        return Header::Other;
    }
    let (fields, rows) = row(text, range.start, range.end);
    let names: Vec<String> =
        fields.iter().map(|field| String::from_utf8_lossy(&value(text, field)).trim().to_ascii_lowercase()).collect();
    let column = RECORD_COLUMNS.iter().find_map(|wanted| names.iter().position(|name| name == wanted));
    // A single word is a table only if there are rows; `message` may begin any text.
    if let Some(column) = column.filter(|_| rows < range.end) {
        return Header::Records { column, rows };
    }
    let known = |name: &String| EventCategory::ALL.iter().any(|category| category.schema().index_of(name).is_ok());
    if rows < range.end && names.iter().any(known) { Header::NoRecords } else { Header::Other }
}

/// A field as it is written, quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    range: Range<usize>,
    /// False if the text ends inside its quotes.
    pub(crate) complete: bool,
}

/// The fields of the row at `start`, and where the next row begins.
pub(crate) fn row(text: &[u8], start: usize, end: usize) -> (Vec<Field>, usize) {
    let mut fields = Vec::new();
    let mut at = start;
    loop {
        let (field, next) = field(text, at, end);
        at = next;
        fields.push(field);
        match text.get(at).filter(|_| at < end) {
            Some(b',') => at += 1,
            Some(b'\r') if text.get(at + 1) == Some(&b'\n') && at + 1 < end => return (fields, at + 2),
            Some(_) => return (fields, at + 1),
            None => return (fields, end),
        }
    }
}

/// One field, and where the comma or line end after it is.
fn field(text: &[u8], start: usize, end: usize) -> (Field, usize) {
    let mut at = start;
    let quotes = text[start..end].first() == Some(&b'"');
    let mut quoted = false;
    while at < end {
        match text[at] {
            // A quote inside quotes is doubled, so that it closes and opens them.
            b'"' if quotes => quoted = !quoted,
            b',' | b'\n' | b'\r' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    (Field { range: start..at, complete: !quoted }, at)
}

/// What a field says, without its quotes.
pub(crate) fn value(text: &[u8], field: &Field) -> Vec<u8> {
    let written = &text[field.range.clone()];
    let Some(inner) = written.strip_prefix(b"\"") else {
        return written.to_vec();
    };
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    let mut value = Vec::with_capacity(inner.len());
    let mut doubled = false;
    for byte in inner {
        doubled = *byte == b'"' && !doubled;
        if !doubled || *byte != b'"' {
            value.push(*byte);
        }
    }
    if doubled {
        value.push(b'"');
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let (fields, next) = row(text.as_bytes(), at, text.len());
            assert!(next > at);
            at = next;
            rows.push(fields.iter().map(|field| String::from_utf8(value(text.as_bytes(), field)).unwrap()).collect());
        }
        rows
    }

    #[test]
    fn headers() {
        let header = |text: &str| header(text.as_bytes(), 0..text.len());
        assert_eq!(header("eventID,\"eventJson\"\nx"), Header::Records { column: 1, rows: 20 });
        assert_eq!(header("\"_raw\"\r\nx"), Header::Records { column: 0, rows: 8 });
        assert_eq!(header("@timestamp,@message\nx"), Header::Records { column: 1, rows: 20 });
        assert_eq!(header("message,eventjson\nx"), Header::Records { column: 1, rows: 18 });
        assert_eq!(header("eventName,_col1\nRunInstances,7\n"), Header::NoRecords);
        assert_eq!(header("insightState,n\nStart,7\n"), Header::NoRecords);
        for text in [
            "",
            "eventjson",
            "event",
            "name,size\nx,1\n",
            "{\"eventJson\":1}\n1",
            "[1,2]",
            "2026-03-01T00:00:00Z [1,\"message\",2]\n2",
            "\"cut",
            "eventName",
        ] {
            assert_eq!(header(text), Header::Other, "{text}");
        }
    }

    #[test]
    fn rows_and_quotes() {
        let text = "a,\"b \"\"c\"\", d\",\r\n\"line\nend\",,\"\"\n, x \n\"\"\"\",\"a\"\"\"\n\"cut, short";
        let expected: [&[&str]; 5] =
            [&["a", "b \"c\", d", ""], &["line\nend", "", ""], &["", " x "], &["\"", "a\""], &["cut, short"]];
        assert_eq!(rows(text), expected);
        let (fields, _) = row(b"\"cut", 0, 4);
        assert!(!fields[0].complete);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec("[a-c\",\n\r{}é]{0,8}", 1..5), 1..6),
        ) {
            let mut text = String::new();
            for row in &table {
                let quoted: Vec<_> = row.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
                text += &quoted.join(",");
                text += "\r\n";
            }
            prop_assert_eq!(rows(&text), table);
        }

        #[test]
        fn any_text_has_rows(text in "[\",\n\ra]{0,30}") {
            let _ = rows(&text);
            let _ = header(text.as_bytes(), 0..text.len());
        }
    }
}
