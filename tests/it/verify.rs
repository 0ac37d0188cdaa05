//! What a copy proves, from outside; and beside AWS's own validator.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloudtarn_corpus::{BUCKET, Corpus, Object, public_keys};
use cloudtarn_testkit::S3Server;
use serde_json::Value;

use crate::program::{Ended, cloudtarn, ended, ingest, rows, run, text};
use crate::venv;

const KEYS: (u64, u64) = (1_600_000_000, 2_000_000_000);

/// A day of one account.
pub(crate) fn corpus(regions: &[&str]) -> Corpus {
    Corpus {
        events: 800,
        accounts: 1,
        days: 1,
        regions: regions.iter().map(|region| (*region).to_owned()).collect(),
        digests: true,
        sidecars: true,
        ..Corpus::default()
    }
}

/// Saves the answer of ListPublicKeys, and gives its path.
pub(crate) fn saved_keys(folder: &Path) -> String {
    let path = folder.join("keys.json");
    fs::write(&path, public_keys(KEYS.0, KEYS.1)).unwrap();
    text(&path).to_owned()
}

fn verify(arguments: &[&str]) -> Ended {
    run(&[&["verify"], arguments].concat())
}

/// The one log file of a bucket on disk that comes first in the order of keys.
fn first_log(bucket: &Path) -> std::path::PathBuf {
    let mut folder = bucket.join("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    folder.push(&files[0]);
    folder
}

#[test]
fn a_store_is_verified_offline_and_keeps_keys_and_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = corpus(&["us-east-1", "eu-west-1"]).write(&from).unwrap();
    let taken = ingest(&from, &store);
    assert!(taken.err.contains(&format!("{}  digests kept", made.digest_files)), "{}", taken.err);

    let without_keys = verify(&["--store", text(&store)]);
    assert_eq!(without_keys.code, Some(4), "{}", without_keys.err);
    assert!(without_keys.out.contains("no public key with fingerprint"), "{}", without_keys.out);
    let unproven = rows(&store, "SELECT count(*) FROM cloudtarn.digests WHERE verdict = 'unproven'");
    assert_eq!(unproven, [made.digest_files.to_string()]);

    let with_keys = verify(&["--store", text(&store), "--keys", &saved_keys(folder.path())]);
    assert_eq!(with_keys.code, Some(0), "{}{}", with_keys.out, with_keys.err);
    assert!(with_keys.err.contains("all valid"), "{}", with_keys.err);
    // The keys are in the store by now, and nothing is read from the bucket.
    fs::remove_dir_all(&from).unwrap();
    assert_eq!(verify(&["--store", text(&store)]).code, Some(0));
    let verdicts = rows(&store, "SELECT verdict, count(*) FROM cloudtarn.log_files GROUP BY 1");
    assert_eq!(verdicts, [format!("valid but moved,{}", made.files)]);
    // A second ingest has nothing to do.
    assert_eq!(verify(&["--store", text(&store), "--account", "444455556666"]).code, Some(1));
    assert_eq!(verify(&["--store", text(&store), "--since", "soon"]).code, Some(2));
}

#[test]
fn a_changed_log_file_is_told_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let (from, keys) = (folder.path().join("bucket"), saved_keys(folder.path()));
    corpus(&["us-east-1"]).write(&from).unwrap();
    let clean = verify(&[text(&from), "--keys", &keys]);
    assert_eq!(clean.code, Some(0), "{}{}", clean.out, clean.err);

    let path = first_log(&from);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#"{"Records":[]}"#).unwrap();
    fs::write(&path, encoder.finish().unwrap()).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();

    let table = verify(&[text(&from), "--keys", &keys]);
    assert_eq!(table.code, Some(3), "{}", table.err);
    assert!(table.out.contains("invalid log file: file://") && table.out.contains(name), "{}", table.out);
    let json = verify(&[text(&from), "--keys", &keys, "--output", "json"]);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    let files = document["files"].as_array().unwrap();
    assert_eq!(files.len(), 1);
    assert!(files[0]["path"].as_str().unwrap().ends_with(name) && files[0]["verdict"] == "invalid", "{}", files[0]);
    assert_eq!(document["total"]["log_files"]["invalid"], 1);
    assert_eq!(document["accounts"][0]["verdict"], "invalid");
    assert_eq!(document["regions"][0]["hours"]["invalid"], 1);
    assert_eq!(document["hours"].as_array().unwrap().len(), 24);
    let lines = verify(&[text(&from), "--keys", &keys, "--output", "ndjson", "--all"]);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines.out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        *kinds.entry(line["object"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!((kinds["digest"], kinds["hour"], kinds["region"], kinds["account"], kinds["total"]), (24, 24, 1, 1, 1));
    let csv = verify(&[text(&from), "--keys", &keys, "--output", "csv", "--all"]);
    assert_eq!(csv.out.lines().count(), 1 + kinds["digest"] + kinds["log file"]);
    assert_eq!(csv.code, Some(3));
}

#[test]
fn a_store_tells_of_the_same_attacks() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    corpus(&["us-east-1"]).write(&from).unwrap();
    let (like, gone) = (first_log(&from), "20260302T050000Z.json.gz");
    // A second member with an event of its own, a file of a name of its own, a digest less.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#"{"Records":[{"eventVersion":"1.08","eventTime":"2026-03-02T00:00:00Z","eventName":"Forged","eventSource":"s"}]}"#).unwrap();
    let member = encoder.finish().unwrap();
    let mut bytes = fs::read(&like).unwrap();
    bytes.extend(&member);
    fs::write(&like, bytes).unwrap();
    let planted = like.with_file_name("111122223333_CloudTrail_us-east-1_20260302T1210Z_PLANTEDPLANTED00.json.gz");
    fs::write(&planted, &member).unwrap();
    let digests = from.join("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02");
    fs::remove_file(digests.join(format!("111122223333_CloudTrail-Digest_us-east-1_audit_us-east-1_{gone}"))).unwrap();
    ingest(&from, &store);
    let judged = verify(&["--store", text(&store), "--keys", &saved_keys(folder.path())]);
    assert_eq!(judged.code, Some(3), "{}", judged.err);
    let faults = rows(
        &store,
        "SELECT verdict, regexp_extract(path, '[^/]+$') FROM cloudtarn.log_files WHERE verdict IN ('invalid', 'missing')
         UNION ALL SELECT verdict, regexp_extract(path, '[^/]+$') FROM cloudtarn.digests WHERE verdict IN ('invalid', 'missing')
         ORDER BY 1, 2",
    );
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = [format!("invalid,{}", name(&like)), format!("invalid,{}", name(&planted))];
    expected.sort();
    assert_eq!(faults[..2], expected);
    assert_eq!(faults[2..], [format!("missing,111122223333_CloudTrail-Digest_us-east-1_audit_us-east-1_{gone}")]);
    for part in ["more gzip members are appended", "no digest names it, though", "names it as the digest before it"] {
        assert!(judged.out.contains(part), "no `{part}` in\n{}", judged.out);
    }
}

/// A bucket as the server's folder: objects, and what their metadata is kept in.
fn serve(root: &Path, objects: &BTreeMap<String, Object>) {
    let _ = fs::remove_dir_all(root);
    for object in objects.values() {
        let path = root.join(BUCKET).join(&object.key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &object.bytes).unwrap();
        if !object.metadata.is_empty() {
            let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let name = format!(".bucket-{}.object-{}.metadata.json", encode(BUCKET), encode(&object.key));
            let pairs: BTreeMap<&str, &str> = object.metadata.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let kept = serde_json::json!({ "user_metadata": pairs });
            fs::write(root.join(name), kept.to_string()).unwrap();
        }
    }
}

/// Answers every request with CloudTrail's public keys, as ListPublicKeys does, until the process ends.
fn key_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) && line.trim() != "" {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let answer = public_keys(KEYS.0, KEYS.1);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close";
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        }
    });
    endpoint
}

fn with_access(command: &mut Command, server: &S3Server, keys: &str) -> Ended {
    command
        .env("AWS_ENDPOINT_URL_S3", server.endpoint())
        .env("AWS_ENDPOINT_URL_CLOUDTRAIL", keys)
        .env("AWS_ACCESS_KEY_ID", server.access_key())
        .env("AWS_SECRET_ACCESS_KEY", server.secret_key())
        .env("AWS_REGION", "us-east-1");
    ended(command.output().unwrap())
}

/// What `aws cloudtrail validate-logs` says: its exit code and the objects that it calls invalid.
fn validate_logs(server: &S3Server, keys: &str) -> (Option<i32>, Vec<String>, String) {
    let mut command = venv::command("aws");
    command.args(["cloudtrail", "validate-logs", "--trail-arn"]);
    command.args(["arn:aws:cloudtrail:us-east-1:111122223333:trail/audit", "--s3-bucket", BUCKET]);
    command.args(["--start-time", "2026-03-02T00:00:00Z", "--end-time", "2026-03-03T00:00:00Z"]);
    let said = with_access(&mut command, server, keys);
    let (out, err) = (said.out, said.err);
    let lines = out.lines().chain(err.lines());
    let invalid = lines.filter(|line| line.contains("INVALID")).filter_map(|line| line.split('\t').nth(1));
    (said.code, invalid.map(str::to_owned).collect(), format!("{out}{err}"))
}

#[test]
fn keys_are_fetched_from_cloudtrail_and_saved() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("buckets");
    serve(&root, &corpus(&["us-east-1"]).objects().map(|object| (object.key.clone(), object)).collect());
    let server = runtime.block_on(S3Server::start(&root)).unwrap();
    let (source, saved, store) =
        (format!("s3://{BUCKET}"), folder.path().join("saved.json"), folder.path().join("store"));
    let mut command = cloudtarn(&["verify", &source, "--save-keys", text(&saved)]);
    let online = with_access(&mut command, &server, &key_service());
    assert_eq!(online.code, Some(0), "{}{}", online.out, online.err);
    // Without an endpoint for CloudTrail, as the bucket is not on AWS, nothing is asked.
    let mut command = cloudtarn(&["verify", &source]);
    let lost = with_access(&mut command, &server, "");
    assert_eq!(lost.code, Some(4), "{}", lost.err);
    assert!(lost.err.contains("list-public-keys --region us-east-1"), "{}", lost.err);
    // The signatures come with the digests from S3, and the saved keys do for the store.
    let mut command = cloudtarn(&["ingest", &source, "--store", text(&store)]);
    assert_eq!(with_access(&mut command, &server, "").code, Some(0));
    let offline = verify(&["--store", text(&store), "--keys", text(&saved)]);
    assert_eq!(offline.code, Some(0), "{}{}", offline.out, offline.err);
    let verdicts = rows(&store, "SELECT DISTINCT verdict FROM cloudtarn.log_files");
    assert_eq!(verdicts, ["valid"]);
}

/// A way to harm a bucket, and whether AWS's validator sees it.
type Attack = (&'static str, bool, fn(&mut BTreeMap<String, Object>));

fn digests(objects: &BTreeMap<String, Object>) -> Vec<String> {
    objects.keys().filter(|key| key.contains("/CloudTrail-Digest/")).cloned().collect()
}

fn log(objects: &BTreeMap<String, Object>) -> String {
    objects.keys().find(|key| key.contains("/CloudTrail/")).unwrap().clone()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const ATTACKS: [Attack; 10] = [
    ("a log file changed", true, |objects| {
        objects.get_mut(&log(objects)).unwrap().bytes = gzip(br#"{"Records":[]}"#);
    }),
    ("a log file deleted", true, |objects| drop(objects.remove(&log(objects)))),
    ("a digest deleted", true, |objects| drop(objects.remove(&digests(objects)[11]))),
    ("digests deleted in a row", true, |objects| {
        for key in &digests(objects)[8..12] {
            objects.remove(key);
        }
    }),
    ("the newest digest signed by nobody", true, |objects| {
        objects.get_mut(digests(objects).last().unwrap()).unwrap().metadata[0].1 = "00".repeat(256);
    }),
    ("a digest that is none", true, |objects| objects.get_mut(&digests(objects)[11]).unwrap().bytes = gzip(b"{}")),
    // Earlier versions of the command line did not see it.
    ("a second gzip member", true, |objects| {
        objects.get_mut(&log(objects)).unwrap().bytes.extend(gzip(br#"{"Records":[]}"#));
    }),
    ("a log file that no digest names", false, |objects| {
        let like = objects[&log(objects)].clone();
        let folder = like.key.rsplit_once('/').unwrap().0;
        let key = format!("{folder}/111122223333_CloudTrail_us-east-1_20260302T1210Z_PLANTEDPLANTED00.json.gz");
        objects.insert(key.clone(), Object { key, ..like });
    }),
    ("the newest digests deleted", false, |objects| {
        for key in &digests(objects)[21..] {
            objects.remove(key);
        }
    }),
    ("a planted key that ends the listing, and all after the first hours changed", false, |objects| {
        // The listing is cut at the first key past the end, wherever it sorts.
        let first = digests(objects)[0].clone();
        let planted = first.replace("/2026/03/02/", "/2026/03/01/").replace("20260302T010000Z", "99991231T235959Z");
        let key = log(objects);
        objects.get_mut(&key).unwrap().bytes = gzip(br#"{"Records":[]}"#);
        objects.insert(planted.clone(), Object { key: planted, bytes: gzip(b"{}"), metadata: Vec::new() });
    }),
];

/// The server needs its threads while the programs run.
#[test]
fn beside_the_validator_of_the_aws_command_line() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("buckets");
    let clean: BTreeMap<String, Object> =
        corpus(&["us-east-1"]).objects().map(|object| (object.key.clone(), object)).collect();
    let (keys, service) = (saved_keys(folder.path()), key_service());
    fs::create_dir_all(&root).unwrap();
    let server = runtime.block_on(S3Server::start(&root)).unwrap();
    let ours = || {
        let source = format!("s3://{BUCKET}");
        let mut command =
            cloudtarn(&["verify", &source, "--keys", &keys, "--until", "2026-03-02", "--output", "ndjson"]);
        with_access(&mut command, &server, &service)
    };
    let faulty = |said: &Ended| -> Vec<(String, String)> {
        let lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let files = lines.filter(|line| line["path"].is_string());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        files.map(|line| (text(&line["verdict"]), text(&line["path"]))).collect()
    };

    serve(&root, &clean);
    let (code, invalid, said) = validate_logs(&server, &service);
    assert_eq!((code, invalid), (Some(0), vec![]), "{said}");
    assert!(said.contains("24/24 digest files valid"), "{said}");
    let mine = ours();
    assert_eq!((mine.code, faulty(&mine)), (Some(0), vec![]), "{}{}", mine.out, mine.err);
    // In its own place, and not only as a copy.
    assert!(mine.out.contains(r#""verdict":"valid""#), "{}", mine.out);

    for (name, seen_by_aws, attack) in ATTACKS {
        let mut objects = clean.clone();
        attack(&mut objects);
        serve(&root, &objects);
        let (code, invalid, said) = validate_logs(&server, &service);
        let mine = ours();
        let faults = faulty(&mine);
        assert_eq!(mine.code, Some(3), "{name}\n{}{}", mine.out, mine.err);
        assert_eq!(code == Some(0), !seen_by_aws, "{name}\n{said}");
        // All that it calls invalid is invalid or missing here too.
        for path in invalid {
            let found =
                faults.iter().any(|(verdict, of)| *of == path && (verdict == "invalid" || verdict == "missing"));
            assert!(found, "{name}: {path} is not among {faults:#?}\n{said}");
        }
    }
}
