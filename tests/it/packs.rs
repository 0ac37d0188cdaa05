//! The packs: every question fires on what it is for, and on nothing near it.
//!
//! `tests/packs/PACK.json` holds the events, shortly: `call` is service and name, `who` an identity, `request`, `response`
//! and `more` are requestParameters, responseElements and additionalEventData, `n` repeats with `{n}` counting up, `set`
//! overrides keys of the record. `quiet` are changes to the firing events after which there is nothing to find (`only` keeps
//! one of them), `also fires` and `also quiet` are events of their own. Each case is an account of its own, `{account}`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use cloudtarn_report::{Library, Outcomes, Question, Scope, Values};
use serde_json::{Map, Value, json};

use crate::program::{ingest, run, text};

type Event = Map<String, Value>;

/// What a case's events should give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Rows,
    Nothing,
    /// The firing events with their outcome turned round.
    OtherOutcome,
}

struct Case {
    question: String,
    name: String,
    expected: Expected,
    account: String,
}

fn identity(who: &str, account: &str) -> Value {
    let (kind, name) = who.split_once(':').unwrap_or((who, ""));
    let role = |principal: String, session: &str, role: &str| {
        json!({"type": "AssumedRole", "principalId": format!("{principal}:{session}"), "accountId": account,
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"), "accessKeyId": "ASIAROLEEXAMPLE",
            "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": principal, "accountId": account,
                "arn": format!("arn:aws:iam::{account}:role/{role}"), "userName": role}}})
    };
    match kind {
        "root" => json!({"type": "Root", "principalId": account, "arn": format!("arn:aws:iam::{account}:root"),
            "accountId": account}),
        "user" => {
            json!({"type": "IAMUser", "principalId": format!("AIDA{name}"), "userName": name, "accountId": account,
            "arn": format!("arn:aws:iam::{account}:user/{name}"), "accessKeyId": format!("AKIA{}EXAMPLE", name.to_uppercase())})
        }
        "role" => role("AROAEXAMPLE".to_owned(), "session", name),
        "instance" => role("AROAINSTANCE".to_owned(), name, "web"),
        "service" => json!({"type": "AWSService", "invokedBy": format!("{name}.amazonaws.com")}),
        "cloudformation" => {
            let mut user = identity("user:alice", account);
            user["invokedBy"] = json!("cloudformation.amazonaws.com");
            user
        }
        "account" => json!({"type": "AWSAccount", "principalId": "AIDAFOREIGN", "accountId": name,
            "arn": format!("arn:aws:iam::{name}:user/stranger")}),
        "anonymous" => json!({"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}),
        _ => panic!("no identity `{who}`"),
    }
}

/// The records that an event in short stands for.
fn records(event: &Event, account: &str, ids: &mut u64) -> Vec<Value> {
    let count = event.get("n").and_then(Value::as_u64).unwrap_or(1);
    let repeated = (1..=count).map(|n| {
        let filled = |value: &Value| -> Value {
            let text = value.to_string().replace("{n}", &n.to_string()).replace("{account}", account);
            serde_json::from_str(&text).unwrap()
        };
        let text = |key: &str, default: &str| {
            filled(event.get(key).unwrap_or(&json!(default))).as_str().unwrap().to_owned()
        };
        let part = |key: &str| filled(event.get(key).unwrap_or(&Value::Null));
        let call = text("call", "");
        let (service, name) = call.split_once(':').unwrap();
        *ids += 1;
        let mut record = json!({
            "eventVersion": "1.11", "userIdentity": identity(&text("who", "user:alice"), account),
            "eventTime": format!("2026-03-02T{}Z", text("at", "10:00:00")), "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name, "awsRegion": text("region", "us-east-1"), "sourceIPAddress": text("from", "198.51.100.7"),
            "userAgent": text("agent", "aws-cli/2.15"), "requestParameters": part("request"), "responseElements": part("response"),
            "additionalEventData": part("more"), "requestID": "r", "eventID": format!("00000000-0000-4000-8000-{ids:012}"),
            "readOnly": false, "eventType": if name == "ConsoleLogin" { "AwsConsoleSignIn" } else { "AwsApiCall" },
            "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management",
            "tlsDetails": {"tlsVersion": "TLSv1.3"},
        });
        let record_map = record.as_object_mut().unwrap();
        if let Some(error) = event.get("error") {
            record_map.insert("errorCode".to_owned(), error.clone());
        }
        record_map.extend(part("set").as_object().cloned().unwrap_or_default());
        record_map.retain(|key, value| !value.is_null() || key == "requestParameters" || key == "responseElements");
        record
    });
    repeated.collect()
}

/// `change` over `event`: keys of objects one by one, null takes a key away.
fn changed(event: &Event, change: &Event) -> Event {
    let mut event = event.clone();
    for (key, value) in change.iter().filter(|(key, _)| *key != "only") {
        match (event.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
            (Some(old), Some(new)) => {
                for (key, value) in new {
                    old.insert(key.clone(), value.clone());
                }
                old.retain(|key, value| !value.is_null() || !new.contains_key(key) || key.contains("Credential"));
            }
            _ => {
                event.insert(key.clone(), value.clone());
            }
        }
    }
    event
}

/// The event with success turned into failure, or the other way round.
fn turned(event: &Event, outcomes: Outcomes) -> Event {
    let sign_in = event["call"] == "signin:ConsoleLogin";
    let succeeds = outcomes == Outcomes::Failed;
    let mut event = event.clone();
    if sign_in {
        event.insert("response".to_owned(), json!({"ConsoleLogin": if succeeds { "Success" } else { "Failure" }}));
    } else if succeeds {
        event.remove("error");
    } else {
        event.insert("error".to_owned(), json!("AccessDenied"));
        event.insert("response".to_owned(), Value::Null);
    }
    event
}

fn events(value: &Value) -> Vec<Event> {
    value.as_array().unwrap().iter().map(|event| event.as_object().unwrap().clone()).collect()
}

#[test]
fn every_question_fires_on_what_it_is_for_and_on_nothing_near_it() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, store) = (folder.path().join("events.json"), folder.path().join("store"));
    let library = Library::built_in().unwrap();
    let (mut all, mut cases, mut ids) = (Vec::new(), Vec::new(), 0);
    let mut add = |question: &Question, name: String, expected: Expected, events: &[Event]| {
        let account = format!("{:012}", 700_000_000_000_u64 + cases.len() as u64);
        all.extend(events.iter().flat_map(|event| records(event, &account, &mut ids)));
        cases.push(Case { question: question.name.clone(), name, expected, account });
    };
    for pack in library.questions().iter().map(Question::pack).collect::<std::collections::BTreeSet<_>>() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs").join(format!("{pack}.json"));
        let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let fixtures: BTreeMap<String, Value> = serde_json::from_str(&file).unwrap_or_else(|e| panic!("{pack}: {e}"));
        for question in library.questions().iter().filter(|question| question.pack() == pack) {
            let name = question.name.strip_prefix(&format!("{pack}/")).unwrap();
            let fixture = fixtures.get(name).unwrap_or_else(|| panic!("no events for {}", question.name));
            let fires = events(&fixture["fires"]);
            add(question, "fires".to_owned(), Expected::Rows, &fires);
            if fixture["quiet"].as_array().is_some_and(Vec::is_empty) {
                add(question, "no events".to_owned(), Expected::Nothing, &[]);
            }
            for (index, change) in events(&fixture["quiet"]).iter().enumerate() {
                let kept =
                    fires.iter().enumerate().filter(|(i, _)| change.get("only").is_none_or(|only| *only == json!(*i)));
                let quiet: Vec<Event> = kept.map(|(_, event)| changed(event, change)).collect();
                add(question, format!("quiet {index}"), Expected::Nothing, &quiet);
            }
            for (key, expected) in [("also fires", Expected::Rows), ("also quiet", Expected::Nothing)] {
                for (index, list) in fixture.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
                    add(question, format!("{key} {index}"), expected, &events(list));
                }
            }
            if question.outcomes != Outcomes::Any {
                let other: Vec<Event> = fires.iter().map(|event| turned(event, question.outcomes)).collect();
                add(question, "the other outcome".to_owned(), Expected::OtherOutcome, &other);
            }
        }
    }
    std::fs::write(&logs, json!({"Records": all}).to_string()).unwrap();
    ingest(&logs, &store);

    let mut batch = String::new();
    for (index, case) in cases.iter().enumerate() {
        let question = library.questions().iter().find(|question| question.name == case.question).unwrap();
        let scope = Scope { accounts: vec![case.account.clone()], ..Scope::default() };
        let sql = question.statement(&Values::new(), &scope).unwrap();
        writeln!(batch, "{}", json!({"id": index, "sql": sql})).unwrap();
    }
    let file = folder.path().join("batch.ndjson");
    std::fs::write(&file, batch).unwrap();
    let answers = run(&["query", "--batch", text(&file), "--store", text(&store)]);
    assert_eq!(answers.code, Some(0), "{}", answers.err);
    let mut wrong = Vec::new();
    for (case, line) in cases.iter().zip(answers.out.lines()) {
        let answer: Value = serde_json::from_str(line).unwrap();
        let question = library.questions().iter().find(|question| question.name == case.question).unwrap();
        if let Some(complaint) = complaint(case, question.outcomes, &answer) {
            wrong.push(format!("{}, {}: {complaint}", case.question, case.name));
        }
    }
    assert_eq!(answers.out.lines().count(), cases.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is wrong with an answer.
fn complaint(case: &Case, outcomes: Outcomes, answer: &Value) -> Option<String> {
    if let Some(error) = answer.get("error") {
        return Some(error.to_string());
    }
    let rows = answer["rows"].as_array().unwrap();
    let column = |name: &str| answer["columns"].as_array().unwrap().iter().position(|column| *column == name);
    let succeeded = |row: &Value| match (column("outcome"), column("succeeded")) {
        (Some(outcome), _) => row[outcome] == "succeeded",
        (None, Some(succeeded)) => row[succeeded] != "0",
        (None, None) => panic!("{}: neither `outcome` nor `succeeded` and `attempted`", case.question),
    };
    match case.expected {
        Expected::Rows if rows.is_empty() => Some("nothing was found".to_owned()),
        Expected::Rows if outcomes == Outcomes::Both && !rows.iter().all(succeeded) => {
            Some(format!("a call that succeeded is told as an attempt: {}", answer["rows"]))
        }
        Expected::Nothing if !rows.is_empty() => Some(format!("found {}", answer["rows"])),
        Expected::OtherOutcome if outcomes == Outcomes::Both => (rows.is_empty() || rows.iter().any(succeeded))
            .then(|| format!("attempts are told wrongly: {}", answer["rows"])),
        Expected::OtherOutcome if !rows.is_empty() => {
            Some(format!("the other outcome is told too: {}", answer["rows"]))
        }
        _ => None,
    }
}

#[test]
fn packs_are_listed_shown_run_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    crate::program::bucket(&from, 6_000);
    ingest(&from, &store);

    let listed = run(&["pack", "list", "--tag", "mfa", "--severity", "high", "--json"]);
    let names: Vec<Value> = listed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(names.iter().any(|q| q["name"] == "console/root-sign-in-without-mfa"));
    assert!(names.iter().all(|q| q["tags"].as_array().unwrap().contains(&json!("mfa"))));

    let name = "console/sign-in-failures";
    let shown = run(&["pack", "show", name, "--param", "failures=3", "--since", "2026-03-04", "--until", "2026-03-05"]);
    assert!(shown.out.contains("HAVING count(*) >= 3 /* :failures */"), "{}", shown.out);
    assert!(
        shown.out.contains(
            "FROM (SELECT * FROM $EDS_ID WHERE eventTime >= '2026-03-04 00:00:00.000' AND eventTime < '2026-03-06 00:00:00.000')"
        ),
        "{}",
        shown.out
    );

    let ask = |arguments: &[&str]| run(&[&["pack", "run"], arguments, &["--store", text(&store)]].concat());
    let rows = ask(&[name, "--output", "ndjson"]);
    let row: Value = serde_json::from_str(rows.out.trim()).unwrap();
    assert_eq!((row["sourceIPAddress"].as_str(), row["failures"].as_u64()), (Some("192.0.2.203"), Some(25)));
    assert_eq!(ask(&[name, "--param", "failures=26", "--output", "ndjson"]).out, "");
    assert_eq!(ask(&[name, "--until", "2026-03-01", "--output", "ndjson"]).out, "");
    let zoned = ask(&[name, "--timezone", "Asia/Tokyo", "--output", "ndjson"]);
    assert!(zoned.out.contains(" +09:00\""), "{}", zoned.out);
    let all = ask(&["all", "--severity", "critical"]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    assert!(
        all.out.contains("console/root-sign-in-without-mfa · Root signed in to the console without MFA (critical)")
    );

    for (arguments, complaint) in [
        (&["no-such-pack"][..], "no pack or question is named `no-such-pack`"),
        (&[name, "--param", "fail=3"], "the questions take failures"),
        (&[name, "--param", "failures=3; DROP"], "`3; DROP` is no whole number"),
        (&[name, "--since", "2026-03-05", "--until", "2026-03-01"], "no time lies between"),
        (&["console", "--output", "csv"], "different columns"),
    ] {
        let refused = ask(arguments);
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(refused.err.contains(complaint), "{arguments:?}: {}", refused.err);
    }
    assert_eq!(ask(&[name, "--since", "last tuesday"]).code, Some(2));

    let clean = run(&["pack", "lint"]);
    assert_eq!((clean.code, clean.out.as_str()), (Some(0), ""), "{}", clean.err);
    let own = folder.path().join("own/mine");
    std::fs::create_dir_all(&own).unwrap();
    let front = "-- title: t\n-- answers: a\n-- severity: low\n-- outcomes: any\n";
    std::fs::write(own.join("dead.sql"), format!("{front}SELECT eventName FROM $EDS_ID WHERE status = 'Success'"))
        .unwrap();
    std::fs::write(
        own.join("never.sql"),
        format!("{front}SELECT 1 FROM $EDS_ID WHERE eventSource = 'route_53.amazonaws.com'"),
    )
    .unwrap();
    std::fs::write(own.join("well.sql"), format!("{front}SELECT count(*) AS n FROM $EDS_ID")).unwrap();
    let packs = folder.path().join("own");
    let linted = run(&["pack", "lint", "--packs", text(&packs), "mine"]);
    assert_eq!(linted.code, Some(1));
    let complaints: Vec<&str> = linted.out.lines().collect();
    assert!(complaints[0].starts_with("mine/dead: COLUMN_NOT_FOUND"), "{}", linted.out);
    assert!(complaints[1].contains("never finds anything") && complaints.len() == 2, "{}", linted.out);
    let mine = ask(&["mine/well", "--packs", text(&packs), "--output", "csv"]);
    assert_eq!(mine.out, "n\n6000\n", "{}", mine.err);
}
