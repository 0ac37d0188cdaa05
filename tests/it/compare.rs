//! The same questions here and of an endpoint that speaks CloudTrail Lake's API.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cloudtarn_testkit::{Role, StsServer};
use serde_json::{Value, json};

use crate::api::Server;
use crate::program::{Ended, bucket, cloudtarn, ended, ingest, run, text};
use crate::served::output;

/// The ARN of the store that `ingest` fills, as the server tells it where nobody owns it.
pub(crate) fn arn(store: &Path) -> String {
    let stores = run(&["stores", "--json", "--store", text(store)]);
    let lines = stores.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let default = lines.into_iter().find(|line| line["name"] == "default").unwrap();
    default["arn"].as_str().unwrap().to_owned()
}

/// What an attacker may have an event say.
const EVIL: &str = "\u{1b}[2J\u{9b}Evil";

fn command(here: &Path, lake: &Path, arguments: &[&str]) -> Command {
    let mut command = cloudtarn(&["compare", "--store", text(here), "--lake", &arn(lake)]);
    command.args(arguments).env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// Compares one store with another that is served.
fn compare(here: &Path, lake: &Path, server: &Server, arguments: &[&str]) -> Ended {
    let mut command = command(here, lake, arguments);
    ended(command.args(["--endpoint-url", &server.url, "--no-sign-request"]).output().unwrap())
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", ended.out, ended.err))
}

/// A store of a generated bucket.
fn generated(folder: &Path) -> PathBuf {
    bucket(&folder.join("bucket"), 3_000);
    let store = folder.join("store");
    ingest(&folder.join("bucket"), &store);
    store
}

/// A store of events with these ids and names.
fn written(folder: &Path, name: &str, events: &[(&str, &str)]) -> PathBuf {
    let record = |(id, name): &(&str, &str)| {
        json!({"eventVersion": "1.08", "eventTime": "2026-01-01T00:00:00Z", "eventSource": "s3.amazonaws.com", "eventID": id,
            "eventName": name, "recipientAccountId": "111122223333"})
    };
    let (logs, store) = (folder.join(format!("{name}.json")), folder.join(name));
    fs::write(&logs, json!({"Records": events.iter().map(record).collect::<Vec<_>>()}).to_string()).unwrap();
    ingest(&logs, &store);
    store
}

#[test]
fn the_same_events_give_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let store = generated(folder.path());
    let server = Server::start(&store, &[]);
    let packs = ["--pack", "console", "--pack", "operations", "--pack", "s3"];

    let told = compare(&store, &store, &server, &packs);
    assert_eq!(told.code, Some(0), "{}\n{}", told.out, told.err);
    assert!(told.out.contains("operations/busiest-calls") && told.out.contains("the same"), "{}", told.out);
    assert!(told.err.contains("0 differently, 0 failed") && told.err.contains("lake-scan $0.005"), "{}", told.err);

    let found = json_of(&compare(&store, &store, &server, &[&packs[..], &["--json"]].concat()));
    let questions = found["questions"].as_array().unwrap();
    assert!(questions.len() > 12 && found["same"] == questions.len(), "{found:#}");
    let mut dollars = 0.0;
    for question in questions {
        assert!(
            question["sql"].as_str().unwrap().contains(found["lake"].as_str().unwrap().rsplit('/').next().unwrap())
        );
        let (here, lake) = (&question["here"], &question["lake"]);
        assert_eq!((&here["rows"], &here["events_scanned"]), (&lake["rows"], &lake["events_scanned"]), "{question:#}");
        let billed = lake["bytes_scanned"].as_f64().unwrap() / 1e9 * 0.005;
        assert!((lake["usd"].as_f64().unwrap() - billed).abs() < 1e-12, "{question:#}");
        dollars += billed;
    }
    assert!(dollars > 0.0 && (found["lake_usd"].as_f64().unwrap() - dollars).abs() < 1e-9);

    // Every page, every form of text, and no NULL.
    let all = "SELECT eventID, errorCode, userIdentity, requestParameters, resources, eventJson FROM $EDS_ID ORDER BY eventID;";
    let found = json_of(&compare(&store, &store, &server, &["--sql", all, "--json"]));
    assert_eq!(
        (&found["same"], &found["questions"][0]["lake"]["rows"]),
        (&json!(1), &json!(3000)),
        "{}",
        found["questions"][0]["error"]
    );

    // A part of both, a price table of one's own, a statement from a file.
    let (file, prices) = (folder.path().join("q.sql"), folder.path().join("prices.tsv"));
    fs::write(&file, "SELECT count(*) AS n FROM $EDS_ID").unwrap();
    let table = run(&["estimate", "--print-prices"]).out;
    fs::write(&prices, table.replace("lake-scan\t0.005", "lake-scan\t5000")).unwrap();
    let scope = ["--file", text(&file), "--until", "2020-01-01", "--prices", text(&prices)];
    let told = compare(&store, &store, &server, &scope);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("lake-scan $5000"), "{}", told.err);
}

#[test]
fn other_events_are_named_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let here = written(folder.path(), "here", &[("a", "GetObject"), ("b", "PutObject"), ("c", EVIL)]);
    let lake = written(folder.path(), "lake", &[("a", "GetObject"), ("b", "DeleteObject")]);
    let server = Server::start(&lake, &[]);
    let sql = ["--sql", "SELECT eventID, eventName FROM $EDS_ID"];

    let told = compare(&here, &lake, &server, &sql);
    assert_eq!(told.code, Some(4), "{}\n{}", told.out, told.err);
    assert!(told.out.contains("statement: 2 rows only here, 1 row only on Lake"), "{}", told.out);
    let rows: Vec<Vec<&str>> = told.out.lines().map(|line| line.split_whitespace().collect()).collect();
    // What differs in one cell only stands together.
    let at = rows.iter().position(|row| *row == ["Lake", "b", "DeleteObject"]).unwrap();
    assert_eq!(rows[at + 1], ["here", "b", "PutObject"]);
    assert_eq!(rows[at + 2], ["here", "c", "\\u{1b}[2J\\u{9b}Evil"]);
    assert!(!told.out.contains("GetObject") && !told.out.contains(['\u{1b}', '\u{9b}']), "{}", told.out);

    let told = compare(&here, &lake, &server, &[&sql[..], &["--json"]].concat());
    assert!(told.code == Some(4) && !told.out.contains('\u{9b}'), "{}", told.out);
    let found = json_of(&told);
    assert_eq!((&found["different"], &found["same"]), (&json!(1), &json!(0)));
    let one = &found["questions"][0];
    assert_eq!(one["only_here"], json!([["b", "PutObject"], ["c", EVIL]]));
    assert_eq!((&one["only_on_lake"], &one["result"]), (&json!([["b", "DeleteObject"]]), &json!("different")));
    assert_eq!((&one["here"]["rows"], &one["lake"]["rows"]), (&json!(3), &json!(2)));

    let told = compare(&here, &lake, &server, &[&sql[..], &["--rows", "1"]].concat());
    assert!(told.out.contains("and 2 more") && !told.out.contains("PutObject"), "{}", told.out);
    // Narrowed down to what both have.
    let both = ["--sql", "SELECT eventID FROM $EDS_ID WHERE eventID < 'c'"];
    assert_eq!(compare(&here, &lake, &server, &both).code, Some(0));
}

#[test]
fn a_question_that_fails_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let here = written(folder.path(), "here", &[("a", "GetObject")]);
    let lake = written(folder.path(), "lake", &[("a", "GetObject"), ("b", "Abc")]);
    let server = Server::start(&lake, &[]);
    let packs = folder.path().join("packs/own");
    fs::create_dir_all(&packs).unwrap();
    let question = |name: &str, sql: &str| {
        let head = "-- title: T\n-- answers: A\n-- severity: low\n-- outcomes: any\n";
        fs::write(packs.join(format!("{name}.sql")), format!("{head}{sql}\n")).unwrap();
    };
    question("divides", "SELECT 1 / (length(eventName) - 3) AS n FROM $EDS_ID");
    question("names", "SELECT eventName FROM $EDS_ID WHERE eventID = 'a'");
    question("nothing", "SELECT nothing FROM $EDS_ID");
    let own = ["--packs", text(packs.parent().unwrap()), "--pack", "own"];

    let told = compare(&here, &lake, &server, &own);
    assert_eq!(told.code, Some(1), "{}\n{}", told.out, told.err);
    for part in ["own/divides failed on Lake: FAILED: DIVISION_BY_ZERO", "own/nothing failed here: COLUMN_NOT_FOUND"] {
        assert!(told.err.contains(part), "no `{part}` in\n{}", told.err);
    }
    let found = json_of(&compare(&here, &lake, &server, &[&own[..], &["--json"]].concat()));
    let results: Vec<&str> =
        found["questions"].as_array().unwrap().iter().map(|q| q["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["failed on Lake", "same", "failed here"]);
    assert!(found["questions"][0]["error"].as_str().unwrap().contains("DIVISION_BY_ZERO"));
    // What Lake refuses before it runs.
    let told = compare(&here, &lake, &server, &["--sql", "SHOW TABLES"]);
    assert!(told.code == Some(1) && told.err.contains("InvalidQueryStatementException"), "{}", told.err);
}

#[test]
fn queries_that_take_too_long_are_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let here = written(folder.path(), "here", &[("a", "GetObject")]);
    let lake = generated(folder.path());
    let server = Server::start(&lake, &[]);
    let long = [
        "--sql",
        "SELECT count(*) FROM $EDS_ID a CROSS JOIN $EDS_ID b CROSS JOIN $EDS_ID c WHERE a.eventName < b.eventName \
        AND b.userAgent <> c.eventID",
    ];
    let told = compare(&here, &lake, &server, &[&long[..], &["--timeout", "0"]].concat());
    assert!(told.code == Some(1) && told.err.contains("still running after 0 s, and cancelled"), "{}", told.err);

    let begun = || -> BTreeSet<_> {
        fs::read_dir(lake.join("queries")).unwrap().map(|folder| folder.unwrap().file_name()).collect()
    };
    let before = begun();
    let mut waiting = command(&here, &lake, &long);
    waiting.args(["--endpoint-url", &server.url, "--no-sign-request"]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while begun().is_subset(&before) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupted = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    let told = ended(waiting.wait_with_output().unwrap());
    assert!(interrupted.success());
    assert_eq!((told.code, told.out.as_str()), (Some(130), ""), "{}", told.err);
    assert!(told.err.contains("cancelled on Lake"), "{}", told.err);
}

#[test]
fn an_endpoint_that_answers_nothing_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = written(folder.path(), "store", &[("a", "GetObject")]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let sql = ["--sql", "SELECT 1 FROM $EDS_ID"];
    let mut down = command(&store, &store, &sql);
    let down = down.args(["--no-sign-request"]).env("AWS_ENDPOINT_URL_CLOUDTRAIL", &url).env("AWS_MAX_ATTEMPTS", "1");
    let told = ended(down.output().unwrap());
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{}", told.err);
    assert!(told.err.contains(&url) && told.err.contains("refused"), "{}", told.err);

    let told = ended(command(&store, &store, &sql).env("AWS_ENDPOINT_URL_CLOUDTRAIL", &url).output().unwrap());
    assert!(told.code == Some(1) && told.err.contains("credentials"), "{}", told.err);

    let server = Server::start(&store, &[]);
    let nowhere = "arn:aws:cloudtrail:us-east-1:000000000000:eventdatastore/01234567-89ab-cdef-0123-456789abcdef";
    let ask = |arguments: &[&str]| {
        run(&[&["compare", "--store", text(&store), "--endpoint-url", &server.url, "--no-sign-request"], arguments]
            .concat())
    };
    let told = ask(&["--lake", nowhere, "--sql", "SELECT 1 FROM $EDS_ID"]);
    assert!(told.code == Some(1) && told.err.contains("EventDataStoreNotFoundException"), "{}", told.err);
    let no_store = run(&["compare", "--store", "/nonexistent", "--lake", nowhere, "--sql", "SELECT 1"]);
    assert!(no_store.code == Some(1) && no_store.err.contains("/nonexistent"), "{}", no_store.err);
    for wrong in [
        &["--lake", nowhere][..],
        &["--lake", "default", "--sql", "SELECT 1"],
        &["--lake", nowhere, "--sql", "SELECT 1", "--pack", "console"],
        &["--sql", "SELECT 1"],
    ] {
        assert_eq!(ask(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn requests_are_signed_and_refusals_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = written(folder.path(), "store", &[("a", "GetObject")]);
    let principal = |name: &str, managed: &[&str]| {
        json!({"accessKeyId": format!("AKIA{name}"), "secretAccessKey": format!("secret-of-{name}-and-more"),
            "accountId": "111122223333", "arn": format!("arn:aws:iam::111122223333:user/{name}"), "managedPolicies": managed})
    };
    let mut role = principal("ROLE", &["AWSCloudTrail_FullAccess"]);
    role["sessionToken"] = json!("token");
    let config = json!({"ownerAccountId": "111122223333",
        "principals": [principal("ADMIN", &["AWSCloudTrail_FullAccess"]), principal("NOBODY", &[]), role]});
    let file = folder.path().join("principals.json");
    fs::write(&file, config.to_string()).unwrap();
    let server = Server::start(&store, &["--config", text(&file)]);
    let owned = arn(&store).replace(":000000000000:", ":111122223333:");
    let ask = |name: &str, secret: &str| {
        let arguments = ["compare", "--store", text(&store), "--lake", &owned, "--sql", "SELECT eventID FROM $EDS_ID"];
        let mut command = cloudtarn(&arguments);
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", &server.url).env("AWS_ACCESS_KEY_ID", format!("AKIA{name}"));
        ended(command.env("AWS_SECRET_ACCESS_KEY", secret).output().unwrap())
    };
    let told = ask("ADMIN", "secret-of-ADMIN-and-more");
    assert_eq!(told.code, Some(0), "{}", told.err);
    let told = ask("NOBODY", "secret-of-NOBODY-and-more");
    assert!(told.code == Some(1) && told.err.contains("AccessDenied"), "{}", told.err);
    assert!(told.err.contains("it takes cloudtrail:StartQuery"), "{}", told.err);
    let told = ask("ADMIN", "wrong");
    assert!(told.code == Some(1) && told.err.contains("InvalidSignatureException"), "{}", told.err);
    assert!(!told.err.contains("wrong"), "{}", told.err);

    // A role, assumed with the keys of a profile.
    let profile = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-secret\n";
    let file = folder.path().join("config");
    fs::write(&file, profile).unwrap();
    let role = Role {
        arn: "arn:aws:iam::111122223333:role/lake-reader".to_owned(),
        callers: vec!["AKIABASE".to_owned()],
        keys: vec!["AKIAROLE".to_owned()],
        secret: "secret-of-ROLE-and-more".to_owned(),
        lives: Duration::from_secs(3600),
        ..Role::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let sts = StsServer::start("111122223333", vec![role.clone()]).await.unwrap();
        let arguments = ["compare", "--store", text(&store), "--lake", &owned, "--sql", "SELECT eventID FROM $EDS_ID"];
        let mut command = cloudtarn(&arguments);
        command.args(["--profile", "base", "--role-arn", &role.arn, "--session-name", "case-7"]);
        command.env("AWS_CONFIG_FILE", &file).env("AWS_ENDPOINT_URL_STS", sts.endpoint());
        command.args(["--endpoint-url", &server.url]);
        let told = output(command).await;
        assert_eq!((told.code, sts.sessions()), (Some(0), vec!["case-7".to_owned()]), "{}", told.err);
    });
}
