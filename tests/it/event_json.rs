//! What columns answer in place of the records is what the records say.
//!
//! Every path is asked twice: as it is, which a column may answer, and of `eventJson || ''`, which none can.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use cloudtarn_query::{Limits, Session};
use cloudtarn_store::Store;
use futures::StreamExt;

use crate::dice::Dice;
use crate::program::{ingest, rows, run, text};

const MAPS: [&str; 4] = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"];

/// Keys as they are written in the record, and as a path quotes them.
const KEYS: [(&str, &str); 15] = [
    ("a", "a"),
    ("b", "b"),
    (r"\u0062\/", "b/"),
    ("k.x", "k.x"),
    (r#"k\"q"#, r#"k\"q"#),
    ("é\u{1f600}", "é\u{1f600}"),
    (r"\ud83d\ude00", "\u{1f600}"),
    ("0", "0"),
    ("", ""),
    ("A", "A"),
    ("a key of more than twelve bytes", "a key of more than twelve bytes"),
    ("a key of more than twelve bytez", "a key of more than twelve bytez"),
    // These have columns of their own.
    ("bucketName", "bucketName"),
    ("bytesTransferredOut", "bytesTransferredOut"),
    ("ConsoleLogin", "ConsoleLogin"),
];

/// Values that no object and no array is like.
const SCALARS: [&str; 33] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1e5",
    "1E+05",
    "1.50",
    "0.1e-7",
    "-12345678901234567",
    "18446744073709551615",
    "1.7976931348623157e308",
    r#""""#,
    r#""x""#,
    r#""a string of more than twelve bytes""#,
    r#""\n\t\"\\\/\b\f\r\u0041\u00e9\ud83d\ude00 \u0000""#,
    r#""{""#,
    r#""[""#,
    r#""{\n\"a\": 1}""#,
    r#"" {\"a\":1}""#,
    r#""{\"a\":1} ""#,
    r#""{\"a\":1""#,
    r#""{x}""#,
    r#""[x]""#,
    r#""[::1]""#,
    r#""[]]""#,
    r#""]""#,
    r#""{ }""#,
    r#""null""#,
    r#""1.0""#,
    r#""\"x\"""#,
    r#""é\u00e9""#,
];

const BLANKS: [&str; 7] = ["", "", "", "", " ", "\n  ", "\t"];

/// Strings that are an object's or array's text.
const LOOKALIKES: [&str; 9] = [
    r#""{}""#,
    r#""[]""#,
    r#""{\"a\":1}""#,
    r#""{\"a\":{\"a\":\"x\"}}""#,
    r#""[1,{\"a\":2}]""#,
    r#""\u007b\u0022a\u0022:null}""#,
    r#""[\"x\"]""#,
    r#""{\"Version\":\"2012-10-17\",\"Statement\":[]}""#,
    r#""[true]""#,
];

/// What may go wrong in the records of one store.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    /// Strings in maps that look like JSON.
    lookalikes: bool,
    /// Objects and arrays where text is expected.
    nested_texts: bool,
    /// Keys in another case.
    case: bool,
}

struct Records<'a> {
    dice: &'a mut Dice,
    faults: Faults,
}

impl Records<'_> {
    fn blank(&mut self) -> &'static str {
        BLANKS[self.dice.below(BLANKS.len())]
    }

    fn value(&mut self, depth: usize) -> String {
        match self.dice.below(if depth == 0 { 5 } else { 8 }) {
            0..=4 => (*self.dice.of(&SCALARS)).to_owned(),
            5 => {
                let values: Vec<String> = (0..self.dice.below(3)).map(|_| self.value(depth - 1)).collect();
                format!("[{}{}{}]", self.blank(), values.join(&format!("{},", self.blank())), self.blank())
            }
            _ => self.object(depth - 1, false),
        }
    }

    /// Keys may come twice.
    fn object(&mut self, depth: usize, of_map: bool) -> String {
        let mut text = "{".to_owned();
        for at in 0..self.dice.below(7) {
            let comma = if at > 0 { "," } else { "" };
            let key = self.dice.below(KEYS.len());
            // The other keys stay certain.
            let lookalike = key < 3 && of_map && self.faults.lookalikes && self.dice.below(40) == 0;
            let value = if lookalike { (*self.dice.of(&LOOKALIKES)).to_owned() } else { self.value(depth) };
            let blanks = [self.blank(), self.blank(), self.blank()];
            write!(text, "{comma}{}\"{}\"{}:{}{value}", blanks[0], KEYS[key].0, blanks[1], blanks[2]).unwrap();
        }
        text + self.blank() + "}"
    }

    /// A key, seldom in another case.
    fn key(&mut self, key: &str) -> String {
        match self.dice.below(150) {
            0 if self.faults.case => key.to_ascii_lowercase(),
            1 if self.faults.case => key.to_ascii_uppercase(),
            // The same, written otherwise.
            2 => key.replacen('e', r"\u0065", 1),
            _ => key.to_owned(),
        }
    }

    fn text_field(&mut self) -> String {
        if self.faults.nested_texts && self.dice.below(150) == 0 {
            return self.object(1, false);
        }
        (*self.dice.of(&SCALARS)).to_owned()
    }

    fn identity(&mut self) -> String {
        let mut fields = Vec::new();
        for name in ["arn", "type", "userName"] {
            if self.dice.below(3) > 0 {
                fields.push(format!("\"{}\":{}", self.key(name), self.text_field()));
            }
        }
        if self.dice.below(2) == 0 {
            let issuer = format!("{{\"{}\":{}}}", self.key("userName"), self.text_field());
            let issuer = if self.dice.below(8) == 0 { self.value(1) } else { issuer };
            fields.push(format!("\"{}\":{{\"{}\":{issuer}}}", self.key("sessionContext"), self.key("sessionIssuer")));
        }
        format!("{{{}}}", fields.join(","))
    }

    fn record(&mut self, id: usize) -> String {
        let mut fields = vec![
            format!("\"eventID\":\"{id}\""),
            "\"eventTime\":\"2026-03-01T00:00:07Z\"".to_owned(),
            "\"awsRegion\":\"us-east-1\"".to_owned(),
        ];
        // All of these may be absent, and some come twice.
        for _ in 0..2 {
            for name in ["eventName", "errorCode", "apiVersion", "eventSource"] {
                if self.dice.below(3) == 0 {
                    fields.push(format!("\"{}\":{}", self.key(name), self.text_field()));
                }
            }
            for name in MAPS {
                let value = match self.dice.below(12) {
                    0 => self.value(2),
                    1 => (*self.dice.of(&LOOKALIKES)).to_owned(),
                    2..=7 => self.object(3, true),
                    _ => continue,
                };
                fields.push(format!("\"{}\":{value}", self.key(name)));
            }
            if self.dice.below(2) == 0 {
                let identity = if self.dice.below(12) == 0 { self.value(2) } else { self.identity() };
                fields.push(format!("\"{}\":{identity}", self.key("userIdentity")));
            }
        }
        if self.dice.below(60) == 0 {
            fields.push(format!("\"x\":{}1{}", "[".repeat(1_010), "]".repeat(1_010)));
        }
        for at in (1..fields.len()).rev() {
            fields.swap(at, self.dice.below(at + 1));
        }
        format!("{{{}{}}}", fields.join(&format!("{},", self.blank())), self.blank())
    }
}

fn write(folder: &Path, records: &[String]) {
    std::fs::create_dir_all(folder).unwrap();
    for (at, records) in records.chunks(100).enumerate() {
        std::fs::write(folder.join(format!("{at}.json")), format!("{{\"Records\":[{}]}}", records.join(","))).unwrap();
    }
}

fn session(store: &Path) -> Session {
    let limits = Limits { threads: 1, statement: 1 << 20, ..Limits::default() };
    Session::new(Some(Store::open(store).unwrap()), limits).unwrap()
}

/// The paths that are asked, with the function that asks.
fn questions() -> Vec<(&'static str, String)> {
    let mut questions = Vec::new();
    for map in MAPS {
        for (_, key) in KEYS {
            let path = format!("$.{map}[\"{key}\"]");
            for inner in ["[\"a\"]", "[0]", "[\"a\"][\"b\"]", "[1].a"] {
                questions.push(("json_extract_scalar", format!("{path}{inner}")));
            }
            questions.push(("json_extract", format!("{path}[\"a\"]")));
            questions.push(("json_size", format!("{path}[\"b\"]")));
            questions.push(("json_extract_scalar", path));
        }
        questions.push(("json_extract_scalar", format!("$.{map}.a")));
        questions.push(("json_extract_scalar", format!("{map}.a.a")));
        questions.push(("json_extract_scalar", format!("$.{map}")));
    }
    for path in [
        "$.eventName",
        "$[\"errorCode\"]",
        "$.apiVersion",
        "$.eventSource",
        "$.userIdentity.arn",
        "$.userIdentity.type",
        "userIdentity.userName",
        "$.userIdentity.sessionContext.sessionIssuer.userName",
        "$.userIdentity.sessionContext",
        "$.eventname",
        "$.useridentity.arn",
        "$.userIdentity[0]",
    ] {
        questions.push(("json_extract_scalar", path.to_owned()));
    }
    questions
}

async fn counts(session: &Session, sql: &str) -> Vec<i64> {
    let mut query = session.query(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    let batch = query.next().await.unwrap().unwrap_or_else(|error| panic!("{error}: {sql}"));
    batch.columns().iter().map(|column| column.as_primitive::<Int64Type>().value(0)).collect()
}

/// Asks everything both ways; gives how many answers were not NULL.
async fn compare(store: &Path) -> i64 {
    let session = session(store);
    let mut answered = 0;
    let from = ["$EDS_ID", "(SELECT * FROM $EDS_ID WHERE eventID <> '') AS t"];
    for (questions, from) in questions().chunks(25).zip(from.into_iter().cycle()) {
        let mut inner = Vec::new();
        let mut outer = Vec::new();
        for (at, (function, path)) in questions.iter().enumerate() {
            let (open, close) = if *function == "json_extract" { ("json_format(", ")") } else { ("", "") };
            let call = |document: &str| format!("{open}{function}({document}, '{path}'){close}");
            inner.push(format!("{} AS c{at}, {} AS r{at}", call("eventJson"), call("eventJson || ''")));
            outer.push(format!("count_if(c{at} IS DISTINCT FROM r{at}), count(r{at})"));
        }
        let sql = format!("SELECT {} FROM (SELECT {} FROM {from})", outer.join(", "), inner.join(", "));
        let found = counts(&session, &sql).await;
        for (counts, (function, path)) in found.chunks(2).zip(questions) {
            assert_eq!(counts[0], 0, "{function} of {path} in {}", store.display());
            answered += counts[1];
        }
    }
    answered
}

/// Whether the records are not read for a question.
async fn is_answered_by_columns(session: &Session, (function, path): &(&str, String)) -> bool {
    let sql = format!("EXPLAIN SELECT {function}(eventJson, '{path}') FROM $EDS_ID");
    let mut query = session.query(&sql).await.unwrap();
    let mut plan = String::new();
    while let Some(batch) = query.next().await {
        let batch = batch.unwrap();
        plan = batch.column(1).as_string::<i32>().iter().flatten().last().unwrap_or_default().to_owned();
    }
    assert!(plan.contains("projection=["), "{plan}");
    !plan.contains("eventjson@")
}

#[test]
fn columns_answer_as_the_records_do() {
    let threads = crate::slt::threads();
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(26);
    for number in 0..8 {
        let faults = Faults { lookalikes: number & 1 > 0, nested_texts: number & 2 > 0, case: number & 4 > 0 };
        let bucket = folder.path().join(format!("bucket{number}"));
        let store = folder.path().join(format!("store{number}"));
        // The second commit has what the first has not.
        for (commit, faults) in [Faults::default(), faults].into_iter().enumerate() {
            let mut records = Records { dice: &mut dice, faults };
            let records: Vec<String> = (0..400).map(|id| records.record(commit * 1_000 + id)).collect();
            write(&bucket.join(commit.to_string()), &records);
            ingest(&bucket, &store);
        }
        assert_eq!(rows(&store, "SELECT count(*) FROM $EDS_ID"), ["800"]);
        let answered = threads.block_on(compare(&store));
        assert!(answered > 5_000, "{answered}");
        if number == 7 {
            let ended = run(&["compact", "--store", text(&store)]);
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            threads.block_on(compare(&store));
        }
        let session = session(&store);
        let by_columns = threads.block_on(async {
            let mut count = 0;
            for question in questions().iter().step_by(5) {
                count += usize::from(is_answered_by_columns(&session, question).await);
            }
            count
        });
        assert!(by_columns >= if faults.case { 0 } else { 30 }, "{faults:?}: {by_columns}");
    }
    threads.shutdown_background();
}

/// A store of one record with these fields.
fn store(folder: &Path, number: usize, fields: &str) -> PathBuf {
    let (bucket, store) = (folder.join(format!("bucket{number}")), folder.join(format!("store{number}")));
    let record = format!(
        r#"{{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:07Z","eventID":"e","awsRegion":"r"{fields}}}"#
    );
    write(&bucket, &[record]);
    ingest(&bucket, &store);
    store
}

#[test]
fn only_what_is_certain_is_answered_by_columns() {
    let threads = crate::slt::threads();
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str], &[&str]); 6] = [
        (
            r#","requestParameters":{"policy":"{\"a\":1}","other":{"a":1},"text":" {\"a\":1}"}"#,
            &["$.requestParameters.other", "$.requestParameters.text", "$.requestParameters.absent.a", "$.eventName"],
            &[
                "$.requestParameters.policy",
                "$.requestParameters.policy.a",
                "$.requestParameters[0]",
                "$.requestParameters",
            ],
        ),
        (
            r#","requestparameters":{"a":1}"#,
            &["$.responseElements.a", "$.eventName"],
            &["$.requestParameters.a", "$.requestparameters.a"],
        ),
        (r#","eventName":{"a":1}"#, &["$.eventSource"], &["$.eventName", "$.eventName.a"]),
        (r#","userIdentity":{"ARN":"x"}"#, &["$.eventName"], &["$.userIdentity.arn", "$.userIdentity.ARN"]),
        (r#","resources":[{"ARN":"x"}],"readOnly":{}"#, &["$.userIdentity.arn"], &["$.readOnly", "$.resources[0].ARN"]),
        (
            r#","requestParameters":{"a":1,"a":"[1]"}"#,
            &["$.requestParameters.b"],
            &["$.requestParameters.a", "$.requestParameters.*", "$..a"],
        ),
    ];
    for (number, (fields, by_columns, by_records)) in cases.into_iter().enumerate() {
        let store = store(folder.path(), number, fields);
        let session = session(&store);
        for (paths, expected) in [(by_columns, true), (by_records, false)] {
            for path in paths {
                let question = ("json_extract_scalar", (*path).to_owned());
                let found = threads.block_on(is_answered_by_columns(&session, &question));
                assert_eq!(found, expected, "{path} of {fields}");
            }
        }
    }
    threads.shutdown_background();
}
