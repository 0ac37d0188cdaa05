//! Bundles of a bucket, what CloudWatch Logs and Lake hand on, standard input.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cloudtarn_testkit::{Class, Fault, S3Server};
use serde_json::{Value, json};

use crate::program::{Ended, bucket, cloudtarn, ended, ingest, records, rows, run, text};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Every file below a folder: its path from there, and its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A bucket as every kind of bundle.
fn bundles(bucket: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let files = files(bucket);
    let tar = tar(&files);
    let inner = vec![("evidence/logs.tar".to_owned(), tar.clone())];
    vec![
        ("case.tar.gz", gzip(&tar)),
        ("case.tar.zst", zstd::encode_all(tar.as_slice(), 1).unwrap()),
        ("case.zip", zip(&files)),
        ("nested.zip", zip(&inner)),
        ("case.tar", tar),
    ]
}

const EVERY_EVENT: &str = "SELECT eventID, recipientAccountId, eventJson FROM $EDS_ID ORDER BY 1, 2, 3";

fn pipe(bytes: &[u8], store: &Path) -> Ended {
    let mut child = cloudtarn(&["ingest", "-", "--store", text(store)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // The program may stop reading early; what it says then is what counts.
    let writer = std::thread::spawn(move || input.write_all(&bytes).is_ok());
    let ended = ended(child.wait_with_output().unwrap());
    writer.join().unwrap();
    ended
}

#[test]
fn a_bundle_gives_what_its_bucket_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = bucket(&from, 2_000);
    ingest(&from, &store);
    let expected = rows(&store, EVERY_EVENT);
    assert_eq!(expected.len() as u64, made.distinct_events);
    for (name, bytes) in bundles(&from) {
        let bundle = folder.path().join(name);
        fs::write(&bundle, &bytes).unwrap();
        let store = folder.path().join(format!("store of {name}"));
        let first = ingest(&bundle, &store);
        assert_eq!(rows(&store, EVERY_EVENT), expected, "{name}");
        assert!(name == "case.zip" || first.err.contains("1  bundles, unpacked"), "{}", first.err);

        // Where each event came from: bundle and member.
        let inside = if name == "nested.zip" { "!/evidence/logs.tar!/AWSLogs/" } else { "!/AWSLogs/" };
        let start = format!("file://{}{inside}", bundle.display());
        let sql = format!("SELECT count(*) FROM $EDS_ID WHERE NOT starts_with(\"$path\", '{start}')");
        assert_eq!(rows(&store, &sql), ["0"]);

        // Nothing of it twice, also when it is copied and only its members tell that it is known.
        let again = ingest(&bundle, &store);
        assert!(again.err.contains("already had") && again.err.contains("\n0 records read"), "{}", again.err);
        if name != "case.zip" && name != "nested.zip" {
            assert!(again.err.starts_with("1 files listed"), "{}", again.err);
            let touched = fs::File::options().append(true).open(&bundle).unwrap();
            touched.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
            let copied = ingest(&bundle, &store);
            assert!(copied.err.contains("\n0 records read") && !copied.err.starts_with("1 files"), "{}", copied.err);
        }
        assert_eq!(rows(&store, EVERY_EVENT), expected, "{name}");
    }
}

#[test]
fn whatever_is_piped_in() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 1_000);
    ingest(&from, &store);
    let expected = rows(&store, EVERY_EVENT);
    for (name, bytes) in bundles(&from) {
        let store = folder.path().join(format!("store of {name}"));
        let first = pipe(&bytes, &store);
        assert_eq!(first.code, Some(0), "{}", first.err);
        assert_eq!(rows(&store, EVERY_EVENT), expected, "{name}");
        let again = pipe(&bytes, &store);
        assert!(again.err.contains("\n0 records read"), "{}", again.err);
        let elsewhere = rows(&store, "SELECT count(*) FROM $EDS_ID WHERE NOT starts_with(\"$path\", 'stdin!/')");
        assert_eq!(elsewhere, ["0"]);
    }
    // Log files themselves: all that `gunzip` writes, and lines.
    let all = records(&from);
    let lines: String = all.iter().map(|record| format!("{record}\n")).collect();
    let documents: String = all.chunks(7).map(|records| json!({ "Records": records }).to_string()).collect();
    for (name, bytes) in [("lines", gzip(lines.as_bytes())), ("documents", documents.into_bytes())] {
        let store = folder.path().join(name);
        assert_eq!(pipe(&bytes, &store).code, Some(0));
        assert_eq!(rows(&store, "SELECT count(*), min(\"$path\") FROM $EDS_ID"), [format!("{},stdin", expected.len())]);
        assert!(pipe(&bytes, &store).err.contains("\n0 records read"));
    }
    let twice = run(&["ingest", "-", "-", "--store", text(&store)]);
    assert_eq!(twice.code, Some(1));
    let store = folder.path().join("empty");
    let nothing = pipe(b"", &store);
    assert!(nothing.code == Some(0) && nothing.err.contains("1  empty"), "{}", nothing.err);
    let other = pipe(b"hello", &store);
    assert!(other.code == Some(0) && other.err.contains("1  not CloudTrail"), "{}", other.err);
}

#[test]
fn a_bundle_that_is_cut_keeps_what_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 1_000);
    let tar = tar(&files(&from));
    let (bundle, half) = (folder.path().join("case.tar.zst"), tar.len() / 2);
    fs::write(&bundle, zstd::encode_all(&tar[..half], 1).unwrap()).unwrap();
    let first = run(&["ingest", text(&bundle), "--store", text(&store)]);
    assert_eq!(first.code, Some(3), "{}", first.err);
    assert!(first.err.contains("case.tar.zst: the archive"), "{}", first.err);
    let some: u64 = rows(&store, "SELECT count(*) FROM $EDS_ID")[0].parse().unwrap();
    assert!(some > 0);
    let again = run(&["ingest", text(&bundle), "--store", text(&store)]);
    assert!(again.err.contains("known to be broken"), "{}", again.err);
    fs::write(&bundle, zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap();
    let whole = ingest(&bundle, &store);
    assert!(whole.err.contains("already had"), "{}", whole.err);
    let reference = folder.path().join("reference");
    ingest(&from, &reference);
    assert_eq!(rows(&store, EVERY_EVENT), rows(&reference, EVERY_EVENT));
}

#[test]
fn a_part_of_a_bundle_first_and_the_rest_later() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 1_000);
    let account = records(&from)[0]["recipientAccountId"].as_str().unwrap().to_owned();
    let bundle = folder.path().join("case.tgz");
    fs::write(&bundle, gzip(&tar(&files(&from)))).unwrap();
    let part = run(&["ingest", text(&bundle), "--store", text(&store), "--account", &account]);
    assert_eq!(part.code, Some(0), "{}", part.err);
    assert_eq!(rows(&store, "SELECT DISTINCT recipientAccountId FROM $EDS_ID"), [account]);
    ingest(&bundle, &store);
    let reference = folder.path().join("reference");
    ingest(&from, &reference);
    assert_eq!(rows(&store, EVERY_EVENT), rows(&reference, EVERY_EVENT));
    assert!(ingest(&bundle, &store).err.starts_with("1 files listed"));
}

#[test]
fn killed_while_unpacking_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (from, killed) = (folder.path().join("bucket"), folder.path().join("killed"));
    bucket(&from, 6_000);
    let bundle = folder.path().join("case.tar.gz");
    fs::write(&bundle, gzip(&tar(&files(&from)))).unwrap();
    let whole = folder.path().join("whole");
    let started = std::time::Instant::now();
    ingest(&bundle, &whole);
    let took = started.elapsed();
    let mut kills = 0;
    for round in 0..5u32 {
        let mut child = cloudtarn(&["ingest", text(&bundle), "--store", text(&killed), "--memory", "64MiB"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(took.mul_f64(f64::from(round * 37 % 100) / 100.0));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "every run ended before it was killed");
    ingest(&bundle, &killed);
    assert_eq!(rows(&killed, EVERY_EVENT), rows(&whole, EVERY_EVENT));
    assert!(ingest(&bundle, &killed).err.starts_with("1 files listed"));
}

#[test]
fn bundles_that_lie_in_a_bucket() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("made");
        bucket(&from, 2_000);
        let all = files(&from);
        let (one, two) = all.split_at(all.len() / 2);
        let evidence = folder.path().join("buckets/evidence/2026");
        fs::create_dir_all(&evidence).unwrap();
        fs::write(evidence.join("first.tar.gz"), gzip(&tar(one))).unwrap();
        fs::write(evidence.join("second.zip"), zip(two)).unwrap();
        let server = S3Server::start(&folder.path().join("buckets")).await.unwrap();
        let store = folder.path().join("store");
        let ingest = async || {
            let mut command = cloudtarn(&["ingest", "s3://evidence", "--store", text(&store)]);
            command
                .env("AWS_ENDPOINT_URL", server.endpoint())
                .env("AWS_ACCESS_KEY_ID", server.access_key())
                .env("AWS_SECRET_ACCESS_KEY", server.secret_key())
                .env("AWS_REGION", "us-east-1");
            tokio::task::spawn_blocking(move || ended(command.output().unwrap())).await.unwrap()
        };
        server.faults().add(Class::Get, Fault::SlowDown, 2);
        server.faults().add(Class::Get, Fault::Truncate, 2);
        let first = ingest().await;
        assert_eq!(first.code, Some(0), "{}", first.err);
        assert!(first.err.contains("2  bundles, unpacked"), "{}", first.err);
        let reference = folder.path().join("reference");
        crate::program::ingest(&from, &reference);
        assert_eq!(rows(&store, EVERY_EVENT), rows(&reference, EVERY_EVENT));
        let paths = rows(&store, "SELECT DISTINCT regexp_extract(\"$path\", '^.*!/AWSLogs/') FROM $EDS_ID ORDER BY 1");
        let expected = ["first.tar.gz", "second.zip"].map(|name| format!("s3://evidence/2026/{name}!/AWSLogs/"));
        assert_eq!(paths, expected);
        let again = ingest().await;
        assert!(again.err.starts_with("2 files listed"), "{}", again.err);
        assert!(again.err.contains("\n0 records read"), "{}", again.err);
    });
}

/// What CloudWatch Logs makes of a bucket's events: an export to S3, and objects of Firehose.
#[test]
fn cloudwatch_logs_exports_and_subscriptions() {
    let folder = tempfile::tempdir().unwrap();
    let (from, reference) = (folder.path().join("bucket"), folder.path().join("reference"));
    bucket(&from, 1_000);
    ingest(&from, &reference);
    let expected = rows(&reference, "SELECT eventID FROM $EDS_ID ORDER BY 1");
    let stream = |record: &Value| {
        let of = |key: &str| record[key].as_str().unwrap().to_owned();
        format!("o-exampleorg1_{}_CloudTrail_{}", of("recipientAccountId"), of("awsRegion"))
    };

    let export = folder.path().join("export");
    let task = export.join("exportedlogs/5d6a3f1e-0000-4000-8000-1a2b3c4d5e6f");
    for record in records(&from) {
        let into = task.join(stream(&record));
        fs::create_dir_all(&into).unwrap();
        let mut file = fs::File::options().append(true).create(true).open(into.join("000000.gz")).unwrap();
        file.write_all(&gzip(format!("2026-03-02T00:05:00.123Z {record}\n").as_bytes())).unwrap();
    }
    fs::write(export.join("aws-logs-write-test"), "Permission Check Successful").unwrap();
    let store = folder.path().join("of the export");
    let ended = ingest(&export, &store);
    assert!(ended.err.contains("1  not CloudTrail"), "{}", ended.err);
    assert_eq!(rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY 1"), expected);
    // The stream's name tells account and region before anything is read.
    let account = records(&from)[0]["recipientAccountId"].as_str().unwrap().to_owned();
    let part = folder.path().join("one account");
    let ended = run(&["ingest", text(&export), "--store", text(&part), "--account", &account]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(rows(&part, "SELECT DISTINCT recipientAccountId FROM $EDS_ID"), [account]);

    let control = json!({"messageType": "CONTROL_MESSAGE", "logGroup": "", "logStream": "", "logEvents": [
        {"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."},
    ]});
    let flow = json!({"messageType": "DATA_MESSAGE", "logGroup": "flow", "logStream": "eni-0a1b2c3d-all", "logEvents": [
        {"id": "1", "timestamp": 1, "message": "2 111122223333 eni-0a1b2c3d 192.0.2.1 ACCEPT OK"},
    ]});
    let mut documents = vec![control, flow];
    for chunk in records(&from).chunks(20) {
        let events: Vec<_> =
            chunk.iter().map(|record| json!({"id": "2", "timestamp": 1, "message": record.to_string()})).collect();
        documents.push(json!({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "trail",
            "logStream": stream(&chunk[0]), "subscriptionFilters": ["all"], "logEvents": events}));
    }
    let plain: String = documents.iter().map(Value::to_string).collect();
    let members: Vec<u8> = documents.iter().flat_map(|document| gzip(document.to_string().as_bytes())).collect();
    for (name, object) in [("plain", plain.into_bytes()), ("twice", gzip(&members)), ("members", members)] {
        let to = folder.path().join(name).join("2026/03/02/00");
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("stream-1-2026-03-02-00-05-00-0a1b2c3d"), object).unwrap();
        let store = folder.path().join(format!("of {name}"));
        let ended = ingest(&folder.path().join(name), &store);
        assert!(ended.err.contains("1  control messages"), "{}", ended.err);
        assert!(ended.err.contains("1  log events of other logs"), "{}", ended.err);
        assert_eq!(rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY 1"), expected, "{name}");
    }
}

#[test]
fn results_of_lake_queries() {
    let folder = tempfile::tempdir().unwrap();
    let (from, reference) = (folder.path().join("bucket"), folder.path().join("reference"));
    bucket(&from, 500);
    ingest(&from, &reference);
    let results = folder.path().join("results/AWSLogs/111122223333/CloudTrail-Lake/Query/2026/03/09");
    let put = |query: &str, csv: &str| -> PathBuf {
        let query = results.join(query);
        fs::create_dir_all(&query).unwrap();
        fs::write(query.join("result_1.csv.gz"), gzip(csv.as_bytes())).unwrap();
        let sign = json!({"version": "1.0", "region": "us-east-1", "files": [], "hashAlgorithm": "SHA-256",
            "signatureAlgorithm": "SHA256withRSA", "hashSignature": "00", "publicKeyFingerprint": "ab"});
        fs::write(query.join("result_sign.json"), sign.to_string()).unwrap();
        query
    };
    let csv = |sql: &str| {
        let ended = run(&["query", sql, "--store", text(&reference), "--output", "csv"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    };
    let mut expected = Vec::new();
    for (query, sql) in
        [("some", "SELECT eventID, eventJson, eventName FROM $EDS_ID"), ("all", "SELECT * FROM $EDS_ID")]
    {
        let query = put(query, &csv(sql));
        let store = folder.path().join(format!("of {}", query.display()).replace('/', "-"));
        let ended = ingest(&query, &store);
        assert!(ended.err.contains("1  not CloudTrail") && ended.err.contains("signature"), "{}", ended.err);
        expected = rows(&reference, EVERY_EVENT);
        assert_eq!(rows(&store, EVERY_EVENT), expected, "{sql}");
        assert_eq!(rows(&store, "SELECT count(*) FROM $EDS_ID WHERE \"$path\" LIKE '%/result_1.csv.gz'").len(), 1);
    }
    let refused = put("names", &csv("SELECT eventName, count(*) AS n FROM $EDS_ID GROUP BY eventName"));
    let ended = ingest(&refused, &folder.path().join("of names"));
    assert!(
        ended.err.contains("2  not CloudTrail") && ended.err.contains("without the column eventJson"),
        "{}",
        ended.err
    );
    // Above the folder they are other services' files, and somebody says so.
    let store = folder.path().join("from above");
    let ended = ingest(&folder.path().join("results"), &store);
    assert!(ended.err.contains("0 files listed") && ended.err.contains("CloudTrail-Lake/"), "{}", ended.err);
    let below = ingest(&folder.path().join("results/AWSLogs/111122223333/CloudTrail-Lake"), &store);
    assert!(below.err.contains("6 files listed"), "{}", below.err);
    assert_eq!(rows(&store, EVERY_EVENT), expected);
}

#[test]
fn what_a_bundle_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let record = |id: &str| {
        let record = json!({"eventVersion": "1.08", "eventTime": "2026-01-01T00:00:00Z", "eventName": "A",
            "eventSource": "s3.amazonaws.com", "eventID": id});
        json!({ "Records": [record] }).to_string().into_bytes()
    };
    // Names that climb: nothing is written outside the store, or anywhere but in it.
    let mut builder = tar::Builder::new(Vec::new());
    for name in [&b"../../climbed.json"[..], b"/climbed.json"] {
        let content = record(std::str::from_utf8(name).unwrap());
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_slice()).unwrap();
    }
    let deep = folder.path().join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("climbing.tar"), builder.into_inner().unwrap()).unwrap();
    ingest(&deep, &store);
    assert_eq!(rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY 1"), ["../../climbed.json", "/climbed.json"]);
    assert!(files(&folder.path().join("a")).iter().all(|(name, _)| name == "b/c/climbing.tar"));

    // A bomb of gzip in gzip in a bundle, and a file that is too large: told, and the rest comes in.
    let bomb = gzip(&gzip(&vec![b' '; 300 << 20]));
    let members = [("bomb.json.gz", bomb), ("large.json", vec![b' '; 3 << 20]), ("good.json", record("good"))];
    let members = members.map(|(name, content)| (name.to_owned(), content));
    let bundle = folder.path().join("bomb.tar");
    fs::write(&bundle, tar(&members)).unwrap();
    let ended = run(&["ingest", text(&bundle), "--store", text(&store), "--max-file-size", "2MiB"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("2  not readable now") && ended.err.contains("--max-file-size"), "{}", ended.err);
    assert_eq!(rows(&store, "SELECT count(*) FROM $EDS_ID"), ["3"]);
    let raised = ingest(&bundle, &store);
    assert!(raised.err.contains("2  empty"), "{}", raised.err);

    for (name, bytes, part) in [
        ("x.tar.xz", &b"\xfd7zXZ\0rest"[..], "xz -d"),
        ("x.7z", b"7z\xbc\xaf\x27\x1crest", "7-Zip"),
        ("x.tar", b"", "1  empty"),
    ] {
        let bundle = folder.path().join(name);
        fs::write(&bundle, bytes).unwrap();
        let ended = run(&["ingest", text(&bundle), "--store", text(&store)]);
        assert!(ended.err.contains(part), "{name}: {}", ended.err);
    }
}
