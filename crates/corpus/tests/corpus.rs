//! The corpus against an independent reading of its files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;

use cloudtarn_corpus::{Corpus, Day, Profile};
use flate2::read::GzDecoder;
use serde_json::Value;

fn gunzip(gz: &[u8]) -> String {
    let mut raw = String::new();
    GzDecoder::new(gz).read_to_string(&mut raw).unwrap();
    raw
}

fn records(raw: &str) -> Vec<Value> {
    let Value::Object(mut file) = serde_json::from_str(raw).unwrap() else { panic!("not an object") };
    let Some(Value::Array(records)) = file.remove("Records") else { panic!("no Records") };
    records
}

fn on_disk(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>, root: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            on_disk(&path, into, root);
        } else {
            let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            into.insert(key, std::fs::read(&path).unwrap());
        }
    }
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or("")
}

fn median(mut n: Vec<usize>) -> usize {
    n.sort_unstable();
    n[n.len() / 2]
}

fn is_log(key: &str) -> bool {
    key.contains("/CloudTrail/")
}

fn full() -> Corpus {
    Corpus {
        seed: 7,
        events: 6_000,
        profile: Profile::Busy,
        duplicates: 0.2,
        insights: true,
        digests: true,
        organization: Some("o-exampleorg1".to_owned()),
        prefix: "logs/all".to_owned(),
        days: 3,
        ..Corpus::default()
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_whatever_the_threads() {
    let corpus = full();
    let lazily: BTreeMap<String, Vec<u8>> = corpus.files().collect();
    for threads in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| corpus.write(folder.path())).unwrap();
        let mut written = BTreeMap::new();
        on_disk(folder.path(), &mut written, folder.path());
        assert!(written == lazily, "{threads} threads wrote other bytes");
    }
    let other: BTreeMap<String, Vec<u8>> = Corpus { seed: 8, ..corpus }.files().collect();
    assert!(other.keys().all(|key| key.contains("Digest") || !lazily.contains_key(key)));
}

#[test]
fn the_summary_agrees_with_a_recount() {
    let corpus = full();
    let folder = tempfile::tempdir().unwrap();
    let summary = corpus.write(folder.path()).unwrap();
    let mut written = BTreeMap::new();
    on_disk(folder.path(), &mut written, folder.path());

    let (mut files, mut events, mut raw_bytes, mut gz_bytes) = (0, 0, 0, 0);
    let mut distinct: HashMap<String, String> = HashMap::new();
    for (key, gz) in written.iter().filter(|(key, _)| is_log(key)) {
        let raw = gunzip(gz);
        files += 1;
        raw_bytes += raw.len() as u64;
        gz_bytes += gz.len() as u64;
        for record in records(&raw) {
            events += 1;
            let id = text(&record, "eventID").to_owned();
            let again = record.to_string();
            assert_eq!(*distinct.entry(id).or_insert_with(|| again.clone()), again, "{key}");
        }
    }
    assert_eq!((summary.files, summary.events), (files, events));
    assert_eq!((summary.raw_bytes, summary.gz_bytes), (raw_bytes, gz_bytes));
    assert_eq!(summary.distinct_events, distinct.len() as u64);
    assert_eq!(summary.distinct_events, corpus.events);
    let twice = (events - corpus.events) as f64 / corpus.events as f64;
    assert!((0.15..0.25).contains(&twice), "{twice}");

    let insights: Vec<_> = written.iter().filter(|(key, _)| key.contains("/CloudTrail-Insight/")).collect();
    assert_eq!(summary.insight_files, insights.len() as u64);
    let insight_records: Vec<Value> = insights.iter().flat_map(|(_, gz)| records(&gunzip(gz))).collect();
    assert_eq!(summary.insight_events, insight_records.len() as u64);
    assert!(insight_records.iter().all(|r| text(r, "eventCategory") == "Insight" && r["insightDetails"].is_object()));
    assert!(!insights.is_empty());

    let digests: Vec<_> = written.iter().filter(|(key, _)| key.contains("/CloudTrail-Digest/")).collect();
    assert_eq!(summary.digest_files, digests.len() as u64);
    assert_eq!(digests.len(), 3 * 3 * 3 * 24, "accounts, Regions, days, hours");
    assert_eq!(written.len() as u64, summary.files + summary.insight_files + summary.digest_files);
}

#[test]
fn digests_name_the_delivered_files() {
    let written: BTreeMap<String, Vec<u8>> = full().files().collect();
    let mut named = BTreeSet::new();
    let mut chained = 0;
    for (key, gz) in written.iter().filter(|(key, _)| key.contains("/CloudTrail-Digest/")) {
        let digest: Value = serde_json::from_str(&gunzip(gz)).unwrap();
        assert_eq!(text(&digest, "digestS3Object"), key);
        if let Some(previous) = digest["previousDigestS3Object"].as_str() {
            assert!(written.contains_key(previous));
            chained += 1;
        }
        for file in digest["logFiles"].as_array().unwrap() {
            assert_eq!(text(file, "hashValue").len(), 64);
            named.insert(text(file, "s3Object").to_owned());
        }
    }
    let logs: BTreeSet<String> = written.keys().filter(|key| is_log(key)).cloned().collect();
    assert_eq!(named, logs);
    assert_eq!(chained, 9 * (72 - 1));
}

#[test]
fn keys_and_times_are_as_delivered() {
    let corpus = full();
    for (key, gz) in corpus.files().filter(|(key, _)| is_log(key)) {
        let parts: Vec<&str> = key.split('/').collect();
        let [p1, p2, logs, org, account, trail, region, year, month, day, name] = parts[..] else { panic!("{key}") };
        assert_eq!((p1, p2, logs, org, trail), ("logs", "all", "AWSLogs", "o-exampleorg1", "CloudTrail"));
        let stem = name.strip_suffix(".json.gz").unwrap();
        let [a, t, r, stamp, unique] = stem.split('_').collect::<Vec<_>>()[..] else { panic!("{name}") };
        assert_eq!((a, t, r), (account, "CloudTrail", region));
        assert!(
            stamp.starts_with(&format!("{year}{month}{day}T")) && stamp.ends_with('Z') && stamp.len() == 14,
            "{stamp}"
        );
        assert!(unique.len() == 16 && unique.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(gz[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], "as AWS writes it");
        let delivered = format!("{year}-{month}-{day}T{}:{}:00Z", &stamp[9..11], &stamp[11..13]);
        for record in records(&gunzip(&gz)) {
            assert!(text(&record, "eventTime") <= delivered.as_str());
            assert_eq!(text(&record, "recipientAccountId"), account);
        }
    }
}

#[test]
fn planted_facts_can_be_found_and_nothing_else_looks_like_them() {
    let corpus = full();
    let planted = corpus.planted();
    assert_eq!(planted.len(), 9);
    let mut seen: HashMap<String, Value> = HashMap::new();
    for (_, gz) in corpus.files().filter(|(key, _)| is_log(key)) {
        for record in records(&gunzip(&gz)) {
            seen.insert(text(&record, "eventID").to_owned(), record);
        }
    }
    let strange: u64 = seen.values().filter(|r| text(r, "sourceIPAddress").starts_with("192.0.2.")).count() as u64;
    assert_eq!(strange, planted.iter().map(|p| p.count).sum::<u64>());
    for fact in &planted {
        let matching: Vec<&Value> = seen
            .values()
            .filter(|r| {
                let (request, answer) = (r["requestParameters"].to_string(), r["responseElements"].to_string());
                text(r, "eventName") == fact.event_name
                    && match fact.name {
                        "root sign-in without MFA" => {
                            text(&r["userIdentity"], "type") == "Root"
                                && text(&r["additionalEventData"], "MFAUsed") == "No"
                        }
                        "access key for another user" => {
                            text(&r["userIdentity"], "userName") != text(&r["requestParameters"], "userName")
                        }
                        "bucket opened to everyone" => request.contains(r#""Effect":"Allow","Principal":"*""#),
                        "sign-in failures" => answer.contains("Failure"),
                        "secrets read in a burst" => text(r, "sourceIPAddress") == fact.source_ip,
                        "port 22 opened to the world" => request.contains("0.0.0.0/0"),
                        _ => true,
                    }
            })
            .collect();
        assert_eq!(matching.len() as u64, fact.count, "{}", fact.name);
        for record in matching {
            assert_eq!(text(record, "recipientAccountId"), fact.account, "{}", fact.name);
            assert_eq!(text(record, "awsRegion"), fact.region);
            assert_eq!(text(record, "sourceIPAddress"), fact.source_ip);
        }
    }
}

#[test]
fn files_have_the_shape_of_their_profile() {
    let shape = |profile, events| {
        let corpus = Corpus { profile, events, days: 30, ..Corpus::default() };
        let (mut counts, mut sizes, mut raw_bytes, mut gz_bytes) = (Vec::new(), Vec::new(), 0, 0);
        for (_, gz) in corpus.files() {
            let raw = gunzip(&gz);
            let records = records(&raw);
            counts.push(records.len());
            sizes.extend(records.iter().map(|r| r.to_string().len()));
            raw_bytes += raw.len();
            gz_bytes += gz.len();
        }
        let single = counts.iter().filter(|n| **n == 1).count() as f64 / counts.len() as f64;
        (median(counts), single, sizes, raw_bytes as f64 / gz_bytes as f64)
    };
    let (records, _, sizes, ratio) = shape(Profile::Busy, 16_000);
    assert!((120..=180).contains(&records), "{records}");
    assert!((8.0..14.0).contains(&ratio), "{ratio}");
    let size = median(sizes);
    assert!((1_200..=1_600).contains(&size), "{size}");

    let (records, single, _, ratio) = shape(Profile::Quiet, 6_000);
    assert!((4..=6).contains(&records), "{records}");
    assert!((0.15..0.25).contains(&single), "{single}");
    assert!((4.0..6.5).contains(&ratio), "{ratio}");

    let (records, _, sizes, _) = shape(Profile::Huge, 400);
    assert!(records <= 6, "{records}");
    let large = sizes.iter().filter(|n| (20_000..=205_000).contains(*n)).count();
    assert!(large * 2 > sizes.len(), "{large} of {}", sizes.len());
    assert!(sizes.iter().all(|n| *n < 256 * 1024));
}

#[test]
fn the_mix_is_broad() {
    let corpus = Corpus { events: 25_000, ..Corpus::default() };
    let mut by: HashMap<&str, HashMap<String, usize>> = HashMap::new();
    let (mut errors, mut principals) = (0, HashMap::<String, usize>::new());
    for (_, gz) in corpus.files() {
        let raw = gunzip(&gz);
        assert!(!raw.contains('<'), "a placeholder was left");
        for record in records(&raw) {
            let identity = &record["userIdentity"];
            for (field, value) in [
                ("eventSource", text(&record, "eventSource")),
                ("eventVersion", text(&record, "eventVersion")),
                ("eventName", text(&record, "eventName")),
                ("eventCategory", text(&record, "eventCategory")),
                ("eventType", text(&record, "eventType")),
                ("type", text(identity, "type")),
            ] {
                *by.entry(field).or_default().entry(value.to_owned()).or_default() += 1;
            }
            errors += usize::from(record.get("errorCode").is_some());
            if text(&record, "recipientAccountId") == "111122223333" {
                *principals.entry(identity.to_string()).or_default() += 1;
            }
            let session = &identity["sessionContext"]["attributes"]["creationDate"];
            assert!(session.as_str().is_none_or(|created| created <= text(&record, "eventTime")));
        }
    }
    assert!(by["eventSource"].len() >= 25, "{:?}", by["eventSource"]);
    assert!(by["eventName"].len() >= 90, "{}", by["eventName"].len());
    assert!(by["eventVersion"].len() >= 3);
    assert_eq!(by["eventCategory"].len(), 2);
    assert_eq!(by["eventType"].len(), 3);
    let kinds: BTreeSet<&str> = by["type"].keys().map(String::as_str).collect();
    let expected =
        ["AWSService", "AssumedRole", "IAMUser", "IdentityCenterUser", "Root", "SAMLUser", "WebIdentityUser"];
    assert_eq!(kinds, BTreeSet::from(expected));
    let share = errors as f64 / corpus.events as f64;
    assert!((0.015..0.06).contains(&share), "{share}");
    let busiest = *principals.values().max().unwrap();
    assert!(busiest * 50 > principals.values().sum::<usize>(), "a session is used again and again");
}

#[test]
fn small_and_odd_corpora() {
    for events in [0, 1, 2, 5, 300] {
        let corpus = Corpus { events, accounts: 0, regions: Vec::new(), days: 0, duplicates: 1.0, ..Corpus::default() };
        let ids: Vec<String> =
            corpus.files().flat_map(|(_, gz)| records(&gunzip(&gz))).map(|r| text(&r, "eventID").to_owned()).collect();
        assert_eq!(ids.len() as u64, 2 * events);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len() as u64, events);
    }
}

#[test]
fn days_count_over_leap_years() {
    assert_eq!(Day { year: 2026, month: 3, day: 2 }.epoch(), 1_772_409_600);
    for epoch in (31_536_000..4_000_000_000).step_by(86_400 * 13) {
        let day = Day::of_epoch(epoch);
        assert_eq!(day.epoch(), epoch, "{day}");
    }
    assert_eq!(Day { year: 2028, month: 2, day: 29 }.epoch() + 86_400, Day { year: 2028, month: 3, day: 1 }.epoch());
}

#[test]
fn digests_are_signed_with_keys_that_change_in_the_middle() {
    let corpus = Corpus { events: 500, digests: true, days: 2, accounts: 1, regions: Vec::new(), ..Corpus::default() };
    let answer: Value = serde_json::from_str(&cloudtarn_corpus::public_keys(0, 1)).unwrap();
    assert_eq!(answer["PublicKeyList"].as_array().unwrap().len(), cloudtarn_corpus::SigningKey::COUNT);
    let keys: Vec<_> = (0..cloudtarn_corpus::SigningKey::COUNT).map(cloudtarn_corpus::SigningKey::number).collect();
    let mut used = BTreeSet::new();
    let mut previous: Option<String> = None;
    let mut count = 0;
    for object in corpus.objects().filter(|object| object.key.contains("/CloudTrail-Digest/")) {
        let raw = gunzip(&object.bytes);
        let digest: Value = serde_json::from_str(&raw).unwrap();
        let text = format!(
            "{}\n{}/{}\n{}\n{}",
            text(&digest, "digestEndTime"),
            cloudtarn_corpus::BUCKET,
            object.key,
            cloudtarn_corpus::hash(raw.as_bytes()),
            previous.as_deref().unwrap_or("null")
        );
        let signature = object.metadata.iter().find(|(name, _)| name == "signature").unwrap().1.clone();
        let fingerprint = digest["digestPublicKeyFingerprint"].as_str().unwrap().to_owned();
        let key = keys.iter().find(|key| key.fingerprint() == fingerprint).unwrap();
        assert_eq!(key.sign(&text), signature, "{}", object.key);
        assert_eq!(digest["previousDigestSignature"].as_str(), previous.as_deref());
        used.insert(fingerprint);
        previous = Some(signature);
        count += 1;
    }
    assert_eq!((count, used.len()), (48, 2));
}
