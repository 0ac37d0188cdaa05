//! Reports, timelines, summaries, estimates, the shell; hostile text; and every example of every `--help`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::api::Server;
use crate::compare::arn;
use crate::program::{Ended, bucket, cloudtarn, ended, ingest, run, text};

/// A bucket of the generator with its store.
fn prepared(folder: &Path) -> (PathBuf, PathBuf) {
    let (from, store) = (folder.join("bucket"), folder.join("store"));
    bucket(&from, 3_000);
    ingest(&from, &store);
    (from, store)
}

fn on(store: &Path, arguments: &[&str]) -> Ended {
    run(&[arguments, &["--store", text(store)]].concat())
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", ended.out, ended.err))
}

#[test]
fn reports_have_six_forms_and_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = prepared(folder.path());
    let packs = ["--pack", "console", "--pack", "persistence", "--pack", "operations/busiest-calls"];
    let report = |more: &[&str]| on(&store, &[&["report"], &packs[..], more].concat());

    let html = folder.path().join("r.html");
    let made = report(&["--out", text(&html)]);
    assert_eq!((made.code, made.out.as_str()), (Some(0), ""), "{}", made.err);
    assert!(made.err.contains("1 critical (2 rows)"), "{}", made.err);
    let page = std::fs::read_to_string(&html).unwrap();
    assert_eq!(report(&[]).out, page, "the same store gives the same report");
    for part in [
        "Root signed in to the console without MFA",
        "Asked, and nothing found",
        "Content-Security-Policy",
        "prefers-color-scheme: dark",
        "@media print",
        "<svg",
        "class=\"heat\"",
        "fingerprint of the log files",
        "ORDER BY eventTime, eventID",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["<script", "src=", "@import", "url(", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }

    let again = report(&["--out", text(&html)]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("give --force"), "{}", again.err);
    assert_eq!(report(&["--out", text(&html), "--force"]).code, Some(0));
    assert_eq!(std::fs::read_to_string(&html).unwrap(), page);
    let nowhere = folder.path().join("x.html");
    let failed =
        run(&["report", "--pack", "console", "--store", text(&folder.path().join("no")), "--out", text(&nowhere)]);
    assert_eq!((failed.code, nowhere.exists()), (Some(1), false));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "bucket, store and one report: {left:?}");

    let document = json_of(&report(&["--format", "json"]));
    assert_eq!(document["totals"]["events"], json!(3000));
    let answers = document["answers"].as_array().unwrap();
    let of = |name: &str| answers.iter().find(|answer| answer["question"] == name).unwrap();
    assert_eq!(of("console/root-sign-in-without-mfa")["rows"].as_array().unwrap().len(), 2);
    assert_eq!(of("console/sign-in-failures")["parameters"], json!({"failures": "10"}));
    let counted: u64 = document["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["succeeded"].as_u64().unwrap() + b["failed"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 3000);

    let lines = report(&["--format", "ndjson"]);
    let rows: usize = answers.iter().map(|answer| answer["rows"].as_array().unwrap().len()).sum();
    assert_eq!(lines.out.lines().count(), rows);
    let first: Value = serde_json::from_str(lines.out.lines().next().unwrap()).unwrap();
    assert_eq!((first["severity"].as_str(), first["outcome"].as_str()), (Some("critical"), Some("succeeded")));
    assert_eq!(report(&["--format", "csv"]).out.lines().count(), rows + 1);
    assert!(report(&["--format", "md"]).out.contains("### Root signed in to the console without MFA (critical)"));
    let parquet = folder.path().join("r.parquet");
    assert_eq!(report(&["--out", text(&parquet)]).code, Some(0));
    let reader = parquet::file::reader::SerializedFileReader::new(std::fs::File::open(&parquet).unwrap()).unwrap();
    let stored = parquet::file::reader::FileReader::metadata(&reader).file_metadata().num_rows();
    assert_eq!(stored as usize, rows);

    for (pack, least, code) in
        [("console", "critical", 4), ("console", "low", 4), ("operations/busiest-calls", "low", 0)]
    {
        let ended = on(&store, &["report", "--pack", pack, "--format", "csv", "--fail-on", least]);
        assert_eq!(ended.code, Some(code), "{pack} {least}: {}", ended.err);
    }
    let none = on(&store, &["report", "--pack", "console", "--until", "2020-01-01", "--fail-on", "low"]);
    assert_eq!(none.code, Some(0), "{}", none.err);
    assert!(none.out.contains("None of the questions found anything."));
}

#[test]
fn text_that_attackers_chose_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, store) = (folder.path().join("events.json"), folder.path().join("store"));
    let evil =
        "=HYPERLINK(\"http://x\")|<script>alert(1)</script><img src=x onerror=y>`[a](b)\u{1b}[2J\u{202e}\r\n-- x";
    let event = json!({
        "eventVersion": "1.11", "eventTime": "2026-03-02T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
        "awsRegion": evil, "sourceIPAddress": "198.51.100.7", "userAgent": evil, "eventID": "e1", "eventType": "AwsApiCall",
        "recipientAccountId": evil, "requestParameters": {"userName": evil}, "responseElements": null,
        "userIdentity": {"type": "IAMUser", "userName": evil, "arn": evil, "accountId": "1", "accessKeyId": evil},
        "readOnly": false, "managementEvent": true, "eventCategory": "Management",
    });
    std::fs::write(&logs, json!({"Records": [event]}).to_string()).unwrap();
    ingest(&logs, &store);
    let report = |form: &str| {
        on(&store, &["report", "--pack", "persistence/user-created", "--title", evil, "--format", form]).out
    };
    let bare = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    let html = report("html");
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script") && !html.contains("<img"), "{html}");
    assert!(html.contains("\\u{1b}[2J\\u{202e}") && !bare(&html));
    let markdown = report("md");
    assert!(!markdown.contains("<script") && !markdown.contains("[a](b)") && !bare(&markdown), "{markdown}");
    let csv = report("csv");
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("\"'=HYPERLINK") && !csv.contains(",=") && !csv.contains(",\"=") && !bare(&csv), "{csv}");

    let shown = on(&store, &["timeline", "198.51.100.7", "--output", "text"]);
    assert!(shown.out.contains("iam:CreateUser") && !bare(&shown.out), "{}", shown.out);
    let cells = on(&store, &["timeline", "198.51.100.7", "--output", "csv"]);
    assert!(!cells.out.contains(",=") && !bare(&cells.out), "{}", cells.out);
    let summed = on(&store, &["summary", "198.51.100.7"]);
    assert!(summed.out.contains("iam:CreateUser") && !bare(&summed.out), "{}", summed.out);
    let shell = script(&store, ".output table\nSELECT userAgent FROM $EDS_ID;\n");
    assert!(!bare(&shell.out), "{}", shell.out);
}

#[test]
fn timelines_tell_sessions_and_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, store) = (folder.path().join("events.json"), folder.path().join("store"));
    let mut id = 0;
    let mut event = |at: &str, call: &str, from: &str, error: Option<&str>| {
        id += 1;
        let mut event = json!({
            "eventVersion": "1.11", "eventTime": format!("2026-03-{at}Z"), "eventSource": "iam.amazonaws.com", "eventName": call,
            "awsRegion": "us-east-1", "sourceIPAddress": from, "userAgent": "aws-cli", "eventID": format!("e{id:02}"),
            "recipientAccountId": "111122223333", "requestParameters": {"userName": "bob"}, "responseElements": null,
            "readOnly": call.starts_with("Get"), "eventType": "AwsApiCall",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "accessKeyId": "AKIAALICEEXAMPLE0000"},
        });
        if let Some(error) = error {
            event["errorCode"] = json!(error);
        }
        event
    };
    let events = vec![
        event("01T08:00:00", "GetUser", "192.0.2.1", None),
        event("02T10:00:00", "GetUser", "192.0.2.1", None),
        event("02T10:00:05", "GetUser", "192.0.2.1", None),
        event("02T10:01:00", "CreateUser", "192.0.2.1", Some("AccessDenied")),
        event("02T10:02:00", "CreateUser", "192.0.2.1", None),
        event("02T11:00:00", "CreateAccessKey", "192.0.2.99", None),
        event("02T12:00:00", "GetUser", "192.0.2.1", None),
    ];
    std::fs::write(&logs, json!({"Records": events}).to_string()).unwrap();
    ingest(&logs, &store);
    let steps = |arguments: &[&str]| -> Vec<Value> {
        let ended = on(&store, &[&["timeline"], arguments, &["--output", "ndjson"]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let alice = "arn:aws:iam::111122223333:user/alice";
    let found = steps(&[alice, "--since", "2026-03-02"]);
    let told: Vec<(u64, &str, u64, Vec<&str>)> = found
        .iter()
        .map(|s| {
            let new = s["first_seen"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
            (s["session"].as_u64().unwrap(), s["call"].as_str().unwrap(), s["times"].as_u64().unwrap(), new)
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "iam:GetUser", 2, vec![]),
            (1, "iam:CreateUser", 1, vec!["call", "error"]),
            (1, "iam:CreateUser", 1, vec![]),
            (2, "iam:CreateAccessKey", 1, vec!["call", "address"]),
            (3, "iam:GetUser", 1, vec![]),
        ]
    );
    assert_eq!(steps(&["AKIAALICEEXAMPLE0000", "--writes"]).len(), 3);
    assert_eq!(steps(&["192.0.2.99"]).len(), 1);
    assert_eq!(steps(&["bob", "--pause", "2d"]).iter().map(|s| s["times"].as_u64().unwrap()).sum::<u64>(), 7);
    let cut = on(&store, &["timeline", alice, "--limit", "2"]);
    assert!(cut.err.contains("5 more events were left out"), "{}", cut.err);
    assert_eq!(on(&store, &["timeline", alice, "--pause", "2026-01-01"]).code, Some(1));

    let sum = json_of(&on(&store, &["summary", alice, "--json"]));
    assert_eq!((&sum["totals"]["events"], &sum["totals"]["failed"]), (&json!(7), &json!(1)));
    assert_eq!(sum["totals"]["first"], "2026-03-01 08:00:00.000");
    assert_eq!(sum["parts"]["often_abused_calls"].as_array().unwrap().len(), 2);
    assert_eq!(sum["parts"]["addresses"][0]["address"], "192.0.2.1");
    assert_eq!(sum["parts"]["errors"][0]["error"], "AccessDenied");
    let nobody = on(&store, &["summary", "203.0.113.9"]);
    assert!(nobody.out.contains("no events"), "{}", nobody.out);
}

#[test]
fn estimates_follow_the_price_table() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = prepared(folder.path());
    let found = json_of(&on(
        &store,
        &["estimate", "--json", "--pack", "console/sign-in-failures", "--runs", "10", "--keep", "24"],
    ));
    let number = |key: &str| found[key].as_f64().unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 + b.abs() * 1e-6, "{a} {b}");
    close(number("lake_ingest_usd"), number("json_bytes") / 1e9 * 0.75);
    close(number("lake_retention_usd"), number("json_bytes") / 1e9 * 0.023 * 12.0);
    close(number("lake_scans_usd"), found["scans"][0]["bytes"].as_f64().unwrap() / 1e9 * 0.005 * 10.0);
    close(number("athena_raw_scans_usd"), 0.01 * 0.005 * 10.0);
    assert!(number("delivered_bytes") > 0.0 && number("delivered_bytes") < number("json_bytes"));

    let printed = run(&["estimate", "--print-prices"]);
    let own = folder.path().join("prices.tsv");
    std::fs::write(&own, printed.out.replace("lake-ingest-extendable\t0.75", "lake-ingest-extendable\t7.5")).unwrap();
    let dear = json_of(&on(&store, &["estimate", "--json", "--prices", text(&own)]));
    close(dear["lake_ingest_usd"].as_f64().unwrap(), number("lake_ingest_usd") * 10.0);
    let shown = on(&store, &["estimate"]);
    assert!(
        shown.err.contains("from memory") && shown.out.contains("taking the events in"),
        "{}{}",
        shown.out,
        shown.err
    );
    std::fs::write(&own, "cheap\n").unwrap();
    let wrong = on(&store, &["estimate", "--prices", text(&own)]);
    assert!(wrong.err.contains("price table, line 1"), "{}", wrong.err);
}

/// What the shell says to lines on standard input.
fn script(store: &Path, lines: &str) -> Ended {
    let mut child = cloudtarn(&["shell", "--store", text(store)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    ended(child.wait_with_output().unwrap())
}

#[test]
fn the_shell_takes_statements_and_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = prepared(folder.path());
    let file = folder.path().join("out.json");
    let told = script(
        &store,
        &format!(
            ".timing off\nSELECT count(*) AS n\n  FROM $EDS_ID;\n.output json {}\nSELECT 1 AS one; -- done\nSELECT ';' AS s;\nquit\nSELECT 2;\n",
            file.display()
        ),
    );
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (Some(0), "n\n3000\ns\n;\n", ""));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[\n{\"one\":1}\n]\n");
    let told = script(&store, ".tables\n.schema\n.help\n.timing on\nSELECT 7 AS seven;");
    assert!(
        told.out.contains("default") && told.out.contains("useridentity") && told.out.contains(".pager"),
        "{}",
        told.out
    );
    assert!(told.out.ends_with("seven\n7\n") && told.err.contains("1 row; read"), "{}{}", told.out, told.err);
    let told = script(&store, "SELECT nonsense FROM $EDS_ID;\n.nothing\n.timing maybe\nSELECT 1 AS one;\n");
    assert_eq!((told.code, told.out.as_str()), (Some(1), "one\n1\n"));
    assert!(told.err.contains("COLUMN_NOT_FOUND") && told.err.contains("no command `.nothing`"), "{}", told.err);
    let alone = ended(cloudtarn(&[]).stdin(Stdio::null()).output().unwrap());
    assert_eq!(alone.code, Some(2));
}

#[test]
fn completions_and_manual_pages_are_whole() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        assert!(script.code == Some(0) && script.out.contains("fail-on"), "{shell}");
    }
    let page = run(&["man"]);
    assert!(page.out.contains(".TH cloudtarn 1") && page.out.contains("estimate"), "{}", page.out);
    assert!(run(&["man", "report"]).out.contains("byte for byte"));
    assert_eq!(run(&["man", "nothing"]).code, Some(1));
}

/// Commands of the program as `--help` lists them.
fn commands(path: &[&str]) -> Vec<String> {
    let help = run(&[path, &["--help"]].concat()).out;
    let list = help.split_once("Commands:\n").map(|(_, list)| list).unwrap_or_default();
    // Lines that go on are indented deeper.
    let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_example_of_every_help_works() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = prepared(folder.path());
    std::fs::rename(&from, folder.path().join("bucket-copy")).unwrap();
    std::fs::write(folder.path().join("question.sql"), "SELECT count(*) FROM $EDS_ID").unwrap();
    let lake = Server::start(&store, &[]);
    std::fs::write(folder.path().join("keys.json"), cloudtarn_corpus::public_keys(0, 1 << 32)).unwrap();
    std::fs::write(
        folder.path().join("principals.json"),
        r#"{"ownerAccountId": "111122223333", "principals": [{"accessKeyId": "AKIAEXAMPLEADMIN", "secretAccessKey": "an example and no secret",
            "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/admin"}]}"#,
    )
    .unwrap();
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let folder_of = Path::new(env!("CARGO_BIN_EXE_cloudtarn")).parent().unwrap().to_path_buf();
    let path =
        std::env::join_paths([folder_of].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let path = path.unwrap();
    let mut helps: Vec<Vec<String>> = commands(&[]).into_iter().map(|name| vec![name]).collect();
    helps.extend(commands(&["pack"]).into_iter().map(|name| vec!["pack".to_owned(), name]));
    assert!(helps.len() > 12, "{helps:?}");
    for command in helps {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = run(&arguments).out;
        let begins = ["cloudtarn ", "echo ", "AWS_PROFILE"];
        let examples: Vec<&str> =
            help.lines().map(str::trim).filter(|line| begins.iter().any(|begin| line.starts_with(begin))).collect();
        assert!(!examples.is_empty() || command == ["pack"], "{command:?} has no examples:\n{help}");
        for example in examples {
            // What stands for places elsewhere is taken from this folder.
            let here = example
                .replace("s3://log-archive/prefix", "./bucket-copy")
                .replace("s3://log-archive", "./bucket-copy")
                .replace("/evidence/case-7 --eds", &format!("{} --eds", text(&store)))
                .replace("/evidence/", "./")
                .replace("/srv/reports/", "./")
                .replace("--listen 10.0.0.5:8473", "")
                .replace("cloudtarn serve", "cloudtarn serve --listen 127.0.0.1:0")
                .replace("http://127.0.0.1:8473", &lake.url)
                .replace("--packs queries", &format!("--packs {}", queries.display()));
            // What goes on until Ctrl-C gets it.
            let goes_on = example.contains("--follow") || command == ["serve"];
            let ends = if goes_on { "timeout --preserve-status --signal INT 10 " } else { "" };
            let here = format!("{ends}{here}");
            let ended = ended(
                std::process::Command::new("sh")
                    .args(["-c", &here])
                    .current_dir(folder.path())
                    .env("PATH", &path)
                    .env("CLOUDTARN_STORE", &store)
                    .env("NO_COLOR", "1")
                    .env("LAKE", arn(&store))
                    .env("AWS_ENDPOINT_URL_CLOUDTRAIL", &lake.url)
                    .env("AWS_ACCESS_KEY_ID", "local")
                    .env("AWS_SECRET_ACCESS_KEY", "local")
                    .stdin(Stdio::null())
                    .output()
                    .unwrap(),
            );
            let fails_on = example.contains("--fail-on") && ended.code == Some(4);
            let stopped = example.contains("--follow") && ended.code == Some(130);
            // The bucket's digests prove a part of it.
            let judged = command == ["verify"] && matches!(ended.code, Some(3 | 4));
            assert!(
                ended.code == Some(0) || fails_on || stopped || judged,
                "{example}: {:?}\n{}",
                ended.code,
                ended.err
            );
        }
    }
}
