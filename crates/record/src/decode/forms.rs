//! Tests of the forms in which other services and tools hand records on.
use std::io::Write;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn record(id: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:07Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","eventID":"{id}","requestParameters":{{"key":"a, b=\"c\"\n"}},"recipientAccountId":"111122223333"}}"#
    )
}

fn decode(stored: &[u8]) -> (Result<Decoded>, Chunk) {
    let mut chunk = Chunk::default();
    let origin = Origin { path: Arc::from("file:///f"), version: Arc::from("7") };
    (Decoder::default().decode(stored, origin, &mut chunk), chunk)
}

fn events(stored: &[u8]) -> (Decoded, RecordBatch) {
    let (decoded, chunk) = decode(stored);
    (decoded.unwrap(), chunk.into_batch(EventCategory::CloudTrail).unwrap())
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    batch.column_by_name(column).unwrap().as_string_view().iter().map(|v| v.unwrap_or_default().to_owned()).collect()
}

fn records(batch: &RecordBatch) -> Vec<i32> {
    batch.column_by_name("$record").unwrap().as_primitive::<Int32Type>().values().to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn data_message(log_stream: &str, messages: &[String]) -> Value {
    let events: Vec<_> = messages.iter().map(|text| json!({"id": "3", "timestamp": 17, "message": text})).collect();
    json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "trail", "logStream": log_stream,
        "subscriptionFilters": ["all"], "logEvents": events,
    })
}

const CONTROL: &str = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;
const STREAM: &str = "o-exampleorg1_111122223333_CloudTrail_us-east-1";

#[test]
fn exports_of_cloudwatch_logs() {
    let (a, b) = (record("a"), record("b"));
    let text = format!("2026-03-01T00:05:00.123Z {a}\n2026-03-01T00:05:00.007Z {b}\n");
    for text in [text.clone(), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
        let (decoded, batch) = events(&gzip(text.as_bytes()));
        assert_eq!((decoded.records, decoded.broken.len()), (2, 0));
        assert_eq!(texts(&batch, "eventjson"), [a.clone(), b.clone()]);
    }
    let (_, batch) = events(format!("2026-03-01T00:05:00.123Z {a}").as_bytes());
    assert_eq!(texts(&batch, "eventid"), ["a"]);
    let broken = format!("2026-03-01T00:05:00Z {a}\n2026-03-01T00:05:00Z {{\"cut\n2026-03-01T00:05:00Z {b}\n");
    let (decoded, batch) = events(broken.as_bytes());
    assert_eq!((records(&batch), decoded.broken[0].index), (vec![0, 2], 1));
    let first = format!("2026-03-01T00:05:00Z {{\"cut\n2026-03-01T00:05:00Z {b}\n2026-03-01T00:05:00Z {a}\n");
    assert_eq!(events(first.as_bytes()).0.records, 2);
    assert!(matches!(decode(b"Permission Check Successful").0, Err(Error::NotJson(_))));
}

#[test]
fn envelopes_of_subscriptions() {
    let first = data_message(STREAM, &[record("a"), record("b")]).to_string();
    let second = data_message("111122223333_CloudTrail_us-east-1_2", &[record("c")]).to_string();
    let documents = [first.as_str(), CONTROL, &second];
    let members: Vec<u8> = documents.iter().flat_map(|document| gzip(document.as_bytes())).collect();
    let forms = [documents.concat().into_bytes(), documents.join("\n").into_bytes(), members.clone(), gzip(&members)];
    for form in forms {
        let (decoded, batch) = events(&form);
        assert_eq!((decoded.records, decoded.broken.len(), decoded.control_messages), (3, 0, 1));
        assert_eq!(texts(&batch, "eventid"), ["a", "b", "c"]);
        assert_eq!(texts(&batch, "eventjson")[1], record("b"));
        assert_eq!(records(&batch), [0, 1, 2]);
    }
    let (decoded, _) = decode(CONTROL.as_bytes());
    let decoded = decoded.unwrap();
    assert_eq!((decoded.records, decoded.control_messages, decoded.other_log_events), (0, 1, 0));
}

#[test]
fn other_logs_in_a_subscription_are_passed_over() {
    let other =
        ["2 111122223333 eni-0a1b2c3d ACCEPT OK".to_owned(), r#"{"level":"info"}"#.to_owned(), "{cut".to_owned()];
    let flow = data_message("eni-0a1b2c3d-all", &other);
    let (decoded, batch) = events(format!("{flow}{}", data_message(STREAM, &[record("a")])).as_bytes());
    assert_eq!((decoded.records, decoded.broken.len(), decoded.other_log_events), (1, 0, 3));
    assert_eq!(records(&batch), [0]);
    assert!(
        matches!(decode(flow.to_string().as_bytes()).0, Err(Error::NotCloudTrail(reason)) if reason.contains("other logs"))
    );
    // Events that EventBridge writes to a log of its own.
    let event = json!({"detail-type": "AWS API Call via CloudTrail", "detail": record("b").parse::<Value>().unwrap()});
    let bridged = data_message("2b1c7a0e", &[event.to_string(), "text".to_owned()]);
    let (decoded, _) = events(bridged.to_string().as_bytes());
    assert_eq!((decoded.records, decoded.other_log_events), (1, 1));
    // In a trail's stream everything should be a record.
    let (decoded, _) =
        events(data_message(STREAM, &[record("a"), "text".to_owned(), "{cut".to_owned()]).to_string().as_bytes());
    assert_eq!((decoded.records, decoded.broken.len(), decoded.other_log_events), (1, 2, 0));
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn results_of_queries_with_whole_records() {
    let (a, b) = (record("a"), record("b"));
    let all: Vec<String> =
        EventCategory::CloudTrail.schema().fields().iter().map(|field| quoted(field.name())).collect();
    let row = |record: &str| {
        let cell = |name: &String| if name == "\"eventjson\"" { quoted(record) } else { quoted("{type=Role, arn=x}") };
        all.iter().map(cell).collect::<Vec<_>>().join(",")
    };
    for table in [
        format!("eventID,eventJson\r\na,{}\r\nb,{}\r\n", quoted(&a), quoted(&b)),
        format!("\u{feff}\"eventJson\"\n{}\n{}", quoted(&a), quoted(&b)),
        format!("{}\n{}\n{}\n\n", all.join(","), row(&a), row(&b)),
        format!("_time,_raw\n2026,{}\n2026,{}\n", quoted(&a), quoted(&b)),
    ] {
        let (decoded, batch) = events(&gzip(table.as_bytes()));
        assert_eq!((decoded.records, decoded.broken.len()), (2, 0), "{table}");
        assert_eq!(texts(&batch, "eventjson"), [a.clone(), b.clone()]);
    }
    let table = format!("eventID,eventJson\na,{}\nb,\nc,{}\nd,{{cut\ne,\"{{", quoted(&a), quoted(&b));
    let (decoded, batch) = events(table.as_bytes());
    assert_eq!(records(&batch), [0, 2]);
    let broken: Vec<_> = decoded.broken.iter().map(|broken| broken.index).collect();
    assert_eq!(broken, [1, 3, 4]);
    let rows = json!({"QueryStatus": "FINISHED", "QueryResultRows": [
        [{"eventID": "a"}, {"eventJson": a}], [{"eventjson": b}],
    ]});
    assert_eq!(texts(&events(rows.to_string().as_bytes()).1, "eventid"), ["a", "b"]);
    let lines = format!("{}\n{}\n", json!({"eventid": "a", "eventjson": a}), json!({"eventJson": b, "n": 1}));
    assert_eq!(texts(&events(lines.as_bytes()).1, "eventjson"), [a, b]);
}

#[test]
fn results_that_cannot_become_records_are_refused() {
    for refused in [
        "eventName,_col1\nGetObject,7\n".to_owned(),
        "\"useridentity\"\n\"{type=Role}\"\n".to_owned(),
        json!({"QueryResultRows": [[{"eventName": "GetObject"}, {"_col1": "7"}]]}).to_string(),
    ] {
        let (decoded, _) = decode(refused.as_bytes());
        assert!(matches!(&decoded, Err(Error::NotCloudTrail(reason)) if reason.contains("eventJson")), "{decoded:?}");
    }
    let sign = r#"{"version":"1.0","region":"us-east-1","files":[],"hashSignature":"00","publicKeyFingerprint":"ab"}"#;
    assert_eq!(decode(sign.as_bytes()).0, Err(Error::NotCloudTrail("the signature of a query's results".to_owned())));
}

/// Answers of AWS as botocore's recorders keep them.
#[test]
fn recorded_answers() {
    let answer = json!({"status_code": 200, "data": {"Events": [{"EventId": "a", "CloudTrailEvent": record("a")}]}});
    assert_eq!(texts(&events(answer.to_string().as_bytes()).1, "eventid"), ["a"]);
    let other = json!({"data": {"Users": []}});
    assert!(matches!(decode(other.to_string().as_bytes()).0, Err(Error::NotCloudTrail(_))));
}

/// Rows of a table whose engine knows lower-case names only.
#[test]
fn names_in_lower_case() {
    let row = r#"{"eventversion":"1.08","eventtime":"2026-03-01 00:00:07.000","eventsource":"s3","eventname":"Get","useridentity":{"type":"Root"}}"#;
    let (_, batch) = events(row.as_bytes());
    assert_eq!(texts(&batch, "eventname"), ["Get"]);
    let unlike = r#"{"EventId":"a","EventName":"b","EventSource":"c","EventTime":"d"}"#;
    assert!(matches!(decode(unlike.as_bytes()).0, Err(Error::NotCloudTrail(_))));
}

#[test]
fn formats_that_are_not_read_are_named() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, name) in [
        (&b"PK\x03\x04rest"[..], "zip"),
        (&tar, "tar"),
        (b"PAR1rest", "Parquet"),
        (b"BZh9rest", "bzip2"),
        (b"\xfd7zXZ\0rest", "xz"),
    ] {
        for stored in [bytes.to_vec(), gzip(bytes)] {
            let (decoded, _) = decode(&stored);
            assert!(matches!(&decoded, Err(Error::NotCloudTrail(reason)) if reason.contains(name)), "{decoded:?}");
        }
    }
}

proptest! {
    /// However documents and lines follow each other, each record comes in once and in order.
    #[test]
    fn mixtures_of_forms(forms in prop::collection::vec((0u8..6, 0usize..4), 1..8)) {
        let mut text = String::new();
        let mut expected = Vec::new();
        let mut control = 0;
        for (form, count) in forms {
            let ids: Vec<String> = (0..count).map(|n| format!("{}", expected.len() + n)).collect();
            let records: Vec<String> = ids.iter().map(|id| record(id)).collect();
            match form {
                0 => text += &format!("{{\"Records\":[{}]}}", records.join(",")),
                1 => text += &records.concat(),
                2 => records.iter().for_each(|record| text += &format!("\n2026-03-01T00:05:00.123Z {record}\n")),
                3 => text += &format!("\n{}", data_message(STREAM, &records)),
                4 => text += &format!("[{}]\n", records.join(",")),
                _ => {
                    text += CONTROL;
                    control += 1;
                    continue;
                }
            }
            // Records in strings come after the others.
            expected.extend(ids.into_iter().map(|id| (form == 3, id)));
        }
        let (decoded, batch) = events(text.as_bytes());
        expected.sort_by_key(|(embedded, _)| *embedded);
        let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(texts(&batch, "eventid"), expected);
        prop_assert_eq!((decoded.broken.len(), decoded.control_messages), (0, control));
    }

    #[test]
    fn damaged_forms_never_panic(form in 0usize..3, at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let forms = [
            format!("eventID,eventJson\na,{}\n", quoted(&record("a"))),
            data_message(STREAM, &[record("a"), record("b")]).to_string(),
            format!("2026-03-01T00:05:00.123Z {}\n2026-03-01T00:05:00.123Z {}\n", record("a"), record("b")),
        ];
        let mut bytes = forms[form].clone().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (_, chunk) = decode(&bytes);
        prop_assert!(chunk.into_batch(EventCategory::CloudTrail).unwrap().num_rows() <= 2);
    }
}
