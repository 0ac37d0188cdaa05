//! A log file's bytes to events: inflate, parse, find the records, fill the columns.

use std::ops::Range;

use crate::chunk::{Chunk, Origin, Rows};
use crate::column::Texts;
use crate::csv::{self, Header};
use crate::digest::{Sha256, sha256};
use crate::error::{Error, Result};
use crate::form::{self, Passed, Visitor};
use crate::inflate::{self, Inflater};
use crate::schema::EventCategory;
use crate::split;
use crate::tape::{Cursor, Parser};

/// Inflated size past which an object is refused unless the caller says otherwise: 1 GiB.
pub const DEFAULT_MAX_FILE_SIZE: usize = 1 << 30;
/// Offsets into the text of a chunk have 31 bits in Arrow's views, and strings that had to be rewritten come on top.
const MAX_CHUNK_BYTES: usize = (1 << 31) - (1 << 26);
/// Text that one chunk is filled with, unless a single file is larger.
const CHUNK_BYTES: usize = 1 << 26;
/// Lines that are looked at to see whether every line is a document.
const FIRST_LINES: usize = 3;
/// How many documents may lie in each other as strings.
const MAX_EMBEDDING: usize = 4;

/// A record that could not be taken, in a file whose others were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRecord {
    /// 0-based index in the file, broken ones counted.
    pub index: u32,
    /// Offset in the inflated file, in bytes.
    pub offset: u64,
    /// Why.
    pub reason: String,
}

/// What a log file gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Events taken.
    pub records: u32,
    /// Records that were not.
    pub broken: Vec<BrokenRecord>,
    /// Control messages of CloudWatch Logs, which hold no events.
    pub control_messages: u32,
    /// Log events of other logs than trails', which came along in what CloudWatch Logs sends.
    pub other_log_events: u32,
    /// Size of the inflated file in bytes.
    pub inflated: u64,
    /// Set if the gzip or Zstandard stream was damaged after what was taken.
    pub damage: Option<Error>,
}

/// What a file holds, whatever becomes of its records: what digests vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Hash of the inflated bytes, all gzip members of them.
    pub sha256: Sha256,
    /// Hash of the first gzip member's bytes, if there are several: what others may take for the whole.
    pub first_member: Option<Sha256>,
}

impl Content {
    /// Of inflated bytes, the first of which are the first of several members, if there are several.
    #[must_use]
    pub fn of(inflated: &[u8], first_member: Option<usize>) -> Self {
        let first_member = first_member.and_then(|length| inflated.get(..length)).map(sha256);
        Self { sha256: sha256(inflated), first_member }
    }
}

/// Decodes log files one after the other with reused memory. One a thread.
pub struct Decoder {
    inflater: Inflater,
    parser: Parser,
    content: Option<Content>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("inflater", &self.inflater).finish_non_exhaustive()
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_FILE_SIZE)
    }
}

impl Decoder {
    /// A decoder that refuses files which inflate to more than `max_file_size` bytes (at most 2 GiB, less 128 MiB).
    pub fn new(max_file_size: usize) -> Self {
        let inflater = Inflater::new(max_file_size.min(MAX_CHUNK_BYTES - CHUNK_BYTES));
        Self { inflater, parser: Parser::new(), content: None }
    }

    /// True if another file, as it is stored, should go to a new chunk.
    pub fn is_full(chunk: &Chunk, stored: &[u8]) -> bool {
        let used = chunk.original.len().max(chunk.rewritten.len());
        used > 0 && used.saturating_add(inflate::size_hint(stored)) > CHUNK_BYTES
    }

    /// Appends the events of one log file, compressed or not, to `chunk`.
    ///
    /// # Errors
    /// As [`Error`] tells; then the chunk has no event of this file.
    pub fn decode(&mut self, stored: &[u8], origin: Origin, chunk: &mut Chunk) -> Result<Decoded> {
        let start = chunk.original.len();
        self.content = None;
        let damage = match self.inflater.append(stored, &mut chunk.original) {
            Ok(first_member) => {
                let inflated = chunk.original.get(start..).unwrap_or_default();
                self.content = Some(Content::of(inflated, first_member));
                None
            }
            Err(error @ (Error::Gzip(_) | Error::Zstd(_))) if chunk.original.len() > start => Some(error),
            Err(error) => return Err(error),
        };
        let origin_index = chunk.origins.len() as u32;
        let mut file = File { origin: origin_index, start, strict: true, ..File::default() };
        let end = chunk.original.len();
        let bom = if chunk.original[start..end].starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let whole = trim(&chunk.original, start + bom..end);
        match csv::header(&chunk.original, whole.clone()) {
            _ if whole.is_empty() => {}
            Header::Records { column, rows } => self.table(chunk, column, rows..whole.end, &mut file),
            Header::NoRecords => file.stray(true, whole.start, form::NO_EVENT_JSON.to_owned()),
            Header::Other => self.documents(chunk, whole.clone(), &mut file),
        }
        self.embedded(chunk, &mut file);
        let inflated = (end - start) as u64;
        if file.records == 0 {
            let format = form::of_other_formats(&chunk.original[start..end]);
            chunk.original.truncate(start);
            if let Some(damage) = damage {
                return Err(damage);
            }
            if let Some(stray) = file.strays.into_iter().next() {
                return Err(match format {
                    _ if stray.json => Error::NotCloudTrail(stray.reason),
                    Some(format) => Error::NotCloudTrail(format.to_owned()),
                    None => Error::NotJson(stray.reason),
                });
            }
            if file.other_log_events > 0 {
                return Err(Error::NotCloudTrail("log events of other logs than a trail's".to_owned()));
            }
        } else {
            chunk.origins.push(origin);
            file.broken.extend(file.strays.into_iter().map(|stray| stray.broken));
            file.broken.sort_by_key(|broken| broken.index);
        }
        Ok(Decoded {
            records: file.records,
            broken: file.broken,
            control_messages: file.control_messages,
            other_log_events: file.other_log_events,
            inflated,
            damage,
        })
    }

    /// Reads the records in a column of the rows in `range`. They are appended to the original without their quotes, and
    /// their events point there.
    fn table(&mut self, chunk: &mut Chunk, column: usize, range: Range<usize>, file: &mut File) {
        let mut at = range.start;
        while at < range.end {
            let row = at;
            let fields;
            (fields, at) = csv::row(&chunk.original, row, range.end);
            let field = fields.get(column);
            let text = field.map(|field| csv::value(&chunk.original, field)).unwrap_or_default();
            if fields.len() == 1 && text.is_empty() {
                continue;
            }
            let cut = fields.last().is_some_and(|last| !last.complete);
            let start = chunk.original.len();
            if cut || text.is_empty() || start + text.len() > MAX_CHUNK_BYTES {
                file.broken_text(row, if cut { "cut short" } else { "a row without a record" });
                continue;
            }
            chunk.original.extend_from_slice(&text);
            let of_file = std::mem::replace(&mut file.start, start);
            let result = self.document(chunk, start..start + text.len(), file);
            file.start = of_file;
            if let Err(reason) = result {
                file.broken_text(row, &reason);
            }
        }
    }

    /// What the last file holds; `None` if it could not be inflated to its end.
    pub fn content(&self) -> Option<Content> {
        self.content
    }

    /// Reads `range` of the original as one document, and as good as it goes if it is none.
    fn documents(&mut self, chunk: &mut Chunk, range: Range<usize>, file: &mut File) {
        let Err(whole) = self.document(chunk, range.clone(), file) else {
            return;
        };
        let lines = split::lines(&chunk.original, range.clone());
        // One document a line: among the first lines one is whole, if not all are.
        let mut whole_line = |line: &Range<usize>| {
            let text = &chunk.original[line.clone()];
            text.starts_with(b"{\"") && self.parser.parse(text, 0, |_| ()).is_ok()
        };
        if lines.first().is_some_and(|line| *line != range) && lines.iter().take(FIRST_LINES).any(&mut whole_line) {
            for line in lines {
                if let Err(reason) = self.document(chunk, line.clone(), file) {
                    self.pieces(chunk, split::values(&chunk.original, line), &reason, file);
                }
            }
            return;
        }
        let values = split::values(&chunk.original, range);
        self.pieces(chunk, values, &whole, file);
    }

    fn pieces(&mut self, chunk: &mut Chunk, pieces: Vec<split::Piece>, reason: &str, file: &mut File) {
        for piece in pieces {
            if piece.complete && self.document(chunk, piece.range.clone(), file).is_ok() {
                continue;
            }
            let Some(elements) = split::elements(&chunk.original, piece.range.clone()) else {
                file.broken_text(piece.range.start, if piece.complete { reason } else { "cut short" });
                continue;
            };
            for element in elements {
                let result = if element.complete {
                    self.document(chunk, element.range.clone(), file)
                } else {
                    Err("cut short".to_owned())
                };
                if let Err(reason) = result {
                    file.broken_text(element.range.start, &reason);
                }
            }
        }
    }

    fn document(&mut self, chunk: &mut Chunk, range: Range<usize>, file: &mut File) -> std::result::Result<(), String> {
        let Chunk { original, rewritten, recent, rows, .. } = chunk;
        let text = original.as_slice();
        let texts = Texts { original: text, rewritten, recent, nested: false };
        let at = range.start - file.start;
        let parsed = self.parser.parse(&text[range.clone()], range.start, |mut cursor| {
            form::visit(&mut cursor, &mut Filler { texts, rows, file });
        });
        parsed.map_err(|(what, offset)| format!("{what} at byte {}", at + offset))
    }

    /// Documents that were found as strings in others are appended to the original, which their events point into.
    fn embedded(&mut self, chunk: &mut Chunk, file: &mut File) {
        for _ in 0..MAX_EMBEDDING {
            if file.embedded.is_empty() {
                return;
            }
            for (text, strict) in std::mem::take(&mut file.embedded) {
                file.strict = strict;
                let start = chunk.original.len();
                if start + text.len() > MAX_CHUNK_BYTES {
                    file.broken_text(start, "more embedded text than a chunk holds");
                    continue;
                }
                chunk.original.extend_from_slice(text.as_bytes());
                let range = start..chunk.original.len();
                file.start = start;
                self.documents(chunk, range, file);
            }
        }
        file.strict = true;
        for _ in std::mem::take(&mut file.embedded) {
            file.broken_text(file.start, "strings in strings in strings");
        }
    }
}

fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let body = &text[range.clone()];
    let start = range.start + body.len() - body.trim_ascii_start().len();
    start..start + body.trim_ascii().len()
}

/// Something that is no record where one was expected: broken if the file has records, else the file is something else.
struct Stray {
    json: bool,
    reason: String,
    broken: BrokenRecord,
}

/// State of the file being decoded.
#[derive(Default)]
struct File {
    origin: u32,
    /// Where its text begins in the chunk, or that of the document in it which is being read.
    start: usize,
    next: u32,
    records: u32,
    broken: Vec<BrokenRecord>,
    control_messages: u32,
    other_log_events: u32,
    strays: Vec<Stray>,
    /// Documents found as strings, and what `strict` is for them.
    embedded: Vec<(String, bool)>,
    /// Whether everything should be a record in what is being read.
    strict: bool,
}

impl File {
    fn stray(&mut self, json: bool, offset: usize, reason: String) {
        if !self.strict {
            self.other_log_events += 1;
            return;
        }
        let broken =
            BrokenRecord { index: self.next, offset: offset.saturating_sub(self.start) as u64, reason: reason.clone() };
        self.next += 1;
        self.strays.push(Stray { json, reason, broken });
    }

    fn broken_text(&mut self, offset: usize, reason: &str) {
        self.stray(false, offset, reason.to_owned());
    }
}

/// Fills columns from the records of a document.
struct Filler<'a> {
    texts: Texts<'a>,
    rows: &'a mut [Rows; EventCategory::ALL.len()],
    file: &'a mut File,
}

impl Visitor for Filler<'_> {
    fn record(&mut self, category: EventCategory, cursor: &mut Cursor<'_>) {
        let rows = &mut self.rows[category as usize];
        let json = rows.fill(category, cursor, &mut self.texts);
        let identity = rows.last_identity(json, &self.texts);
        rows.push_place(self.file.origin, self.file.next as i32, identity);
        self.file.next += 1;
        self.file.records += 1;
    }

    fn embedded(&mut self, text: &str, strict: bool) {
        // What lies in a document that may be anything may be anything too.
        self.file.embedded.push((text.to_owned(), strict && self.file.strict));
    }

    fn other(&mut self, offset: usize, reason: String) {
        self.file.stray(true, offset, reason);
    }

    fn passed(&mut self, what: Passed) {
        match what {
            Passed::Control => self.file.control_messages += 1,
            Passed::OtherLog => self.file.other_log_events += 1,
        }
    }
}

#[cfg(test)]
mod forms;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{Float64Type, Int32Type, TimestampMillisecondType};

    use super::*;

    fn origin() -> Origin {
        Origin { path: Arc::from("file:///f.json"), version: Arc::from("7") }
    }

    fn decode(text: &[u8]) -> (Result<Decoded>, Chunk) {
        let mut chunk = Chunk::default();
        (Decoder::default().decode(text, origin(), &mut chunk), chunk)
    }

    fn batch(text: &str) -> RecordBatch {
        let (decoded, chunk) = decode(text.as_bytes());
        let decoded = decoded.unwrap();
        assert_eq!(decoded.broken, vec![]);
        let batch = chunk.into_batch(EventCategory::CloudTrail).unwrap();
        assert_eq!(batch.num_rows(), decoded.records as usize);
        batch.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
        batch
    }

    fn text(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
        batch.column_by_name(column).unwrap().as_string_view().iter().map(|v| v.map(str::to_owned)).collect()
    }

    fn map(batch: &RecordBatch, column: &str, row: usize) -> Option<Vec<(String, Option<String>)>> {
        let map = batch.column_by_name(column).unwrap().as_map();
        if map.is_null(row) {
            return None;
        }
        let entries = map.value(row);
        let keys = entries.column(0).as_string_view().iter().map(|k| k.unwrap().to_owned());
        Some(keys.zip(entries.column(1).as_string_view().iter().map(|v| v.map(str::to_owned))).collect())
    }

    const RECORD: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/a/b","sessionContext":{"sessionIssuer":{},"attributes":{"creationDate":"2023-07-10T11:42:36Z","mfaAuthenticated":"false"}}},"eventTime":"2023-07-10T11:43:00Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","requestParameters":{"maxResults":5,"x":null,"deep":{"a":[1,{"b":"\u003d"}]},"on":true,"at":1.688560107857E9,"policy":"{\"Version\":\"2012-10-17\"}"},"responseElements":null,"eventID":"30c423eb-35b3-488f-9ce1-80e54d2c7f67","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::b/"},{"accountId":"111122223333","ARN":"arn:aws:s3:::b"}],"eventType":"AwsApiCall","recipientAccountId":"111122223333","unknownKey":{"kept":"in eventJson"},"tlsDetails":{"tlsVersion":"TLSv1.3","keyExchange":"x25519"}}"#;

    #[test]
    fn columns_of_a_record() {
        let batch = batch(&format!(r#"{{"Records":[{RECORD}]}}"#));
        assert_eq!(text(&batch, "eventjson"), [Some(RECORD.to_owned())]);
        assert_eq!(text(&batch, "eventname"), [Some("DescribeInstances".to_owned())]);
        assert_eq!(text(&batch, "errorcode"), [None]);
        let times = batch.column_by_name("eventtime").unwrap().as_primitive::<TimestampMillisecondType>();
        assert_eq!(times.value(0), 1_688_989_380_000);
        let expected = [
            ("maxResults", Some("5")),
            ("x", None),
            ("deep", Some(r#"{"a":[1,{"b":"\u003d"}]}"#)),
            ("on", Some("true")),
            ("at", Some("1.688560107857E9")),
            ("policy", Some(r#"{"Version":"2012-10-17"}"#)),
        ];
        let expected = expected.map(|(k, v)| (k.to_owned(), v.map(str::to_owned))).to_vec();
        assert_eq!(map(&batch, "requestparameters", 0), Some(expected));
        assert_eq!(map(&batch, "responseelements", 0), None);
        let identity = batch.column_by_name("useridentity").unwrap().as_struct();
        let session = identity.column_by_name("sessioncontext").unwrap().as_struct();
        let attributes = session.column_by_name("attributes").unwrap().as_struct();
        assert_eq!(attributes.column(0).as_primitive::<TimestampMillisecondType>().value(0), 1_688_989_356_000);
        assert!(session.column_by_name("sessionissuer").unwrap().is_valid(0), "an empty object is a row of NULLs");
        assert!(session.column_by_name("webidfederationdata").unwrap().is_null(0));
        let resources = batch.column_by_name("resources").unwrap().as_list::<i32>().value(0);
        let resources = resources.as_struct();
        let column = |name: &str| -> Vec<Option<String>> {
            resources.column_by_name(name).unwrap().as_string_view().iter().map(|v| v.map(str::to_owned)).collect()
        };
        assert_eq!(column("arn"), [None, Some("arn:aws:s3:::b".to_owned())]);
        assert_eq!(column("arnprefix"), [Some("arn:aws:s3:::b/".to_owned()), None]);
        assert_eq!(text(&batch, "$path"), [Some("file:///f.json".to_owned())]);
        assert_eq!(batch.column_by_name("$record").unwrap().as_primitive::<Int32Type>().value(0), 0);
    }

    #[test]
    fn every_form_gives_the_same_record() {
        let value: serde_json::Value = serde_json::from_str(RECORD).unwrap();
        let quoted = serde_json::to_string(RECORD).unwrap();
        let pretty = serde_json::to_string_pretty(&serde_json::json!({ "Records": [value] })).unwrap();
        let forms = [
            RECORD.to_owned(),
            format!("[{RECORD}]"),
            format!("{RECORD}\n"),
            format!("\u{feff}{{\"Records\":[{RECORD}]}}\n"),
            format!(r#"{{"Events":[{{"EventId":"1","EventName":"x","CloudTrailEvent":{quoted}}}]}}"#),
            format!(
                r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.ec2","detail":{RECORD}}}"#
            ),
            format!(r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"1","timestamp":1,"message":{quoted}}}]}}"#),
            format!(r#"{{"input":{{"message":{quoted}}}}}"#),
            pretty,
        ];
        for form in forms {
            let batch = batch(&form);
            assert_eq!(batch.num_rows(), 1, "{form}");
            assert_eq!(text(&batch, "eventid"), [Some("30c423eb-35b3-488f-9ce1-80e54d2c7f67".to_owned())]);
            let deep =
                map(&batch, "requestparameters", 0).unwrap().into_iter().find(|(k, _)| k == "deep").unwrap().1.unwrap();
            assert!(deep == r#"{"a":[1,{"b":"\u003d"}]}"# || deep == r#"{"a":[1,{"b":"="}]}"#, "{deep}");
        }
    }

    #[test]
    fn json_lines_and_concatenated_documents() {
        let lines = batch(&format!("{RECORD}\n\n{RECORD}\r\n{RECORD}"));
        assert_eq!(lines.num_rows(), 3);
        assert_eq!(batch(&format!("{RECORD}{RECORD} {{\"Records\":[{RECORD}]}}")).num_rows(), 3);
    }

    #[test]
    fn key_order_case_and_types_vary() {
        let batch = batch(
            r#"[{"eventName":"A","eventSource":"s","eventTime":"2014-03-06T21: 22: 54Z","readOnly":"true","sourceIpAddress":"x","eventId":"e","apiVersion":55606,"sessionCredentialFromConsole":true,"requestParameters":"null","resources":null,"userIdentity":{}},
                {"@timestamp":"2020-01-01T00:00:00.000Z","awsRegion":"r","eventName":"B","eventName":"C","eventSource":"s","userIdentity":null,"requestParameters":{},"resources":"x","readOnly":7}]"#,
        );
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(text(&batch, "eventname"), [some("A"), some("B")]);
        assert_eq!(text(&batch, "eventid"), [some("e"), None]);
        assert_eq!(text(&batch, "sourceipaddress"), [some("x"), None]);
        assert_eq!(text(&batch, "apiversion"), [some("55606"), None]);
        assert_eq!(text(&batch, "sessioncredentialfromconsole"), [some("true"), None]);
        let read_only = batch.column_by_name("readonly").unwrap().as_boolean();
        assert!(read_only.value(0) && read_only.is_null(1));
        assert!(batch.column_by_name("eventtime").unwrap().is_null(0));
        assert_eq!(map(&batch, "requestparameters", 0), None);
        assert_eq!(map(&batch, "requestparameters", 1), Some(vec![]));
        let identity = batch.column_by_name("useridentity").unwrap();
        assert!(identity.is_valid(0) && identity.is_null(1));
    }

    #[test]
    fn absent_fields_and_text_that_comes_again_keep_their_rows() {
        let long = "a text of more than twelve bytes";
        let texts = [None, Some(long), None, Some("short"), Some(long), Some("another text of more than twelve bytes")];
        let records: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let field = text.map_or_else(String::new, |text| {
                    format!(r#","userAgent":"{text}","userIdentity":{{"arn":"{text}"}},"requestParameters":{{"{text}":"{text}"}},"resources":[{{"ARN":"{text}"}},{{}}]"#)
                });
                format!(r#"{{"eventVersion":"1.08","eventName":"n","eventSource":"s","eventID":"{at}"{field}}}"#)
            })
            .collect();
        let batch = batch(&format!("[{}]", records.join(",")));
        let expected: Vec<Option<String>> = texts.iter().map(|text| text.map(str::to_owned)).collect();
        assert_eq!(self::text(&batch, "useragent"), expected);
        let identity = batch.column_by_name("useridentity").unwrap().as_struct();
        let resources = batch.column_by_name("resources").unwrap().as_list::<i32>();
        for (row, text) in texts.iter().enumerate() {
            assert_eq!(identity.is_valid(row), text.is_some());
            let arn = identity.column_by_name("arn").unwrap().as_string_view();
            assert_eq!(arn.is_valid(row).then(|| arn.value(row)), *text);
            let entries = text.map(|text| vec![(text.to_owned(), Some(text.to_owned()))]);
            assert_eq!(map(&batch, "requestparameters", row), entries);
            assert_eq!(resources.is_valid(row).then(|| resources.value(row).len()), text.map(|_| 2));
        }
    }

    #[test]
    fn of_two_equal_keys_the_first_counts_even_if_null() {
        let batch = batch(
            r#"[{"eventVersion":"1","eventName":null,"eventSource":"s","awsRegion":"r","eventName":"b","userIdentity":null,"userIdentity":{},"resources":[],"resources":[{}]}]"#,
        );
        assert_eq!(text(&batch, "eventname"), [None]);
        assert!(batch.column_by_name("useridentity").unwrap().is_null(0));
        assert_eq!(batch.column_by_name("resources").unwrap().as_list::<i32>().value(0).len(), 0);
    }

    #[test]
    fn a_broken_record_costs_only_itself() {
        let bad = RECORD.replace("1.688560107857E9", "1.6e");
        let (decoded, chunk) = decode(format!(r#"{{"Records":[{RECORD},{bad},{RECORD},{{"other":1}},7]}}"#).as_bytes());
        let decoded = decoded.unwrap();
        assert_eq!(decoded.records, 2);
        assert_eq!(decoded.broken.iter().map(|b| b.index).collect::<Vec<_>>(), [1, 3, 4]);
        let batch = chunk.into_batch(EventCategory::CloudTrail).unwrap();
        let records = batch.column_by_name("$record").unwrap();
        assert_eq!(records.as_primitive::<Int32Type>().values(), &[0, 2]);
    }

    #[test]
    fn a_cut_file_keeps_its_whole_records() {
        let whole = format!(r#"{{"Records":[{RECORD},{RECORD},{RECORD}]}}"#);
        let (decoded, _) = decode(&whole.as_bytes()[..whole.len() - 100]);
        let decoded = decoded.unwrap();
        assert_eq!((decoded.records, decoded.broken.len()), (2, 1));
        assert_eq!((decoded.broken[0].index, decoded.broken[0].reason.as_str()), (2, "cut short"));

        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(whole.as_bytes()).unwrap();
        let stored = encoder.finish().unwrap();
        let (decoded, _) = decode(&stored[..stored.len() - 200]);
        let decoded = decoded.unwrap();
        assert!(decoded.records == 2 && matches!(decoded.damage, Some(Error::Gzip(_))));
    }

    #[test]
    fn what_is_not_cloudtrail_is_refused_with_its_reason() {
        for (text, reason) in [
            (r#"{"digestS3Object":"x","logFiles":[]}"#, "a digest file"),
            (r#"{"configurationItems":[]}"#, "AWS Config items"),
            (
                r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"x","s3":{}}]}"#,
                "an S3 event notification",
            ),
            (r#"{"a":1}"#, "an object with other keys (a)"),
        ] {
            assert_eq!(decode(text.as_bytes()).0, Err(Error::NotCloudTrail(reason.to_owned())), "{text}");
        }
        for text in ["hello", "a,b\n1,2\n", "{\"Records\":", "\u{0}\u{1}"] {
            assert!(matches!(decode(text.as_bytes()).0, Err(Error::NotJson(_))), "{text}");
        }
    }

    #[test]
    fn what_is_told_of_a_file_does_not_depend_on_the_files_before_it() {
        let embedded = format!(r#"{{"Events":[{{"CloudTrailEvent":{RECORD:?}}},{{"CloudTrailEvent":"{{\"a\""}}]}}"#);
        for text in [
            "hello",
            "{\"Records\":[{\"a\":1}",
            &format!("[{RECORD},{{\"a\":1}},7]"),
            &format!("{RECORD}\n{{\"x\""),
            &embedded,
        ] {
            let (alone, _) = decode(text.as_bytes());
            let mut chunk = Chunk::default();
            let mut decoder = Decoder::default();
            for _ in 0..3 {
                let mut again = || decoder.decode(text.as_bytes(), origin(), &mut chunk);
                assert_eq!(again(), alone, "{text}");
                decoder.decode(format!("[{RECORD}]").as_bytes(), origin(), &mut chunk).unwrap();
            }
        }
    }

    #[test]
    fn empty_files_hold_no_records() {
        for text in ["", " \n", "[]", r#"{"Records":[]}"#, r#"{"Events":[]}"#] {
            let (decoded, chunk) = decode(text.as_bytes());
            assert_eq!(decoded.map(|d| d.records), Ok(0), "{text}");
            assert_eq!(chunk.original_bytes(), 0);
        }
    }

    #[test]
    fn insights_have_their_own_columns() {
        let insight = r#"{"eventVersion":"1.07","eventTime":"2020-09-24T00:49:00Z","awsRegion":"us-east-1","eventID":"i","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333","sharedEventID":"s","insightDetails":{"state":"End","eventSource":"ssm.amazonaws.com","eventName":"UpdateInstanceInformation","insightType":"ApiCallRateInsight","insightContext":{"statistics":{"baseline":{"average":0.0020833333},"insight":{"average":6},"insightDuration":5,"baselineDuration":11459},"attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:a","average":5.0},{"value":"arn:b","average":1}],"baseline":[]}]}},"eventCategory":"Insight"}"#;
        let (decoded, chunk) = decode(format!("[{insight},{RECORD}]").as_bytes());
        assert_eq!(decoded.unwrap().records, 2);
        assert_eq!(chunk.rows(EventCategory::CloudTrail).len(), 1);
        let batch = chunk.into_batch(EventCategory::Insight).unwrap();
        assert_eq!(text(&batch, "insightstate"), [Some("End".to_owned())]);
        let context = batch.column_by_name("insightcontext").unwrap().as_struct();
        let double = |array: &dyn Array| array.as_primitive::<Float64Type>().value(0);
        assert_eq!(double(context.column_by_name("baselineaverage").unwrap()), 0.002_083_333_3);
        assert_eq!(double(context.column_by_name("insightaverage").unwrap()), 6.0);
        assert_eq!(context.column_by_name("baselineduration").unwrap().as_primitive::<Int32Type>().value(0), 11_459);
        let attributions = context.column_by_name("attributions").unwrap().as_list::<i32>().value(0);
        let attribution = attributions.as_struct();
        assert_eq!(attribution.column_by_name("insightvalue").unwrap().as_string_view().value(0), "arn:a");
        assert_eq!(double(attribution.column_by_name("insightaverage").unwrap()), 5.0);
        assert!(attribution.column_by_name("baselinevalue").unwrap().is_null(0));
        assert_eq!(attribution.column_by_name("insight").unwrap().as_list::<i32>().value(0).len(), 2);
    }

    #[test]
    fn an_event_is_known_by_its_id_and_account() {
        let other = RECORD.replace(r#""recipientAccountId":"111122223333""#, r#""recipientAccountId":"444455556666""#);
        let changed = RECORD.replace("192.0.2.1", "192.0.2.2");
        let nameless = RECORD.replace(r#""eventID":"30c423eb-35b3-488f-9ce1-80e54d2c7f67","#, "");
        let (_, chunk) = decode(format!("[{RECORD},{RECORD},{other},{changed},{nameless}]").as_bytes());
        let identities = chunk.rows(EventCategory::CloudTrail).identities();
        assert_eq!(identities[0], identities[1]);
        assert_ne!(identities[0].event, identities[2].event);
        assert_eq!(identities[0].event, identities[3].event);
        assert_ne!(identities[0].content, identities[3].content);
        assert_eq!(identities[4].event, None);
    }

    proptest::proptest! {
        #[test]
        fn damaged_bytes_never_panic(at in 0usize..2000, byte: u8, cut in 0usize..4000) {
            let mut bytes = format!(r#"{{"Records":[{RECORD},{RECORD}]}}"#).into_bytes();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length.saturating_sub(cut / 2).max(1));
            let (_, chunk) = decode(&bytes);
            let batch = chunk.into_batch(EventCategory::CloudTrail).unwrap();
            assert!(batch.num_rows() <= 2);
            batch.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
        }
    }
}
