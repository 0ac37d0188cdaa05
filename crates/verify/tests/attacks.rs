//! What is done to buckets, and what verifying says of it. Every bucket is made, signed and written to disk here, and each
//! test does exactly one thing to it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use cloudtarn_corpus::{Corpus, DigestFile, Listed, Object as Made, SigningKey, hash, public_keys};
use cloudtarn_record::digest::keys::PublicKeys;
use cloudtarn_source::{Options, Source};
use cloudtarn_verify::{Finding, Object, Progress, Report, Scope, Verdict, Verifier};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

type Metadata = Vec<(String, String)>;

/// A bucket by key.
#[derive(Clone)]
struct Bucket(BTreeMap<String, Stored>);

/// An object: its bytes and its metadata.
type Stored = (Vec<u8>, Metadata);

/// What verifying it gave.
struct Judged {
    findings: Vec<Finding>,
    report: Report,
}

fn keys() -> PublicKeys {
    let mut keys = PublicKeys::default();
    keys.read(public_keys(1_600_000_000, 2_000_000_000).as_bytes()).unwrap();
    keys
}

/// A day of one account in two regions.
fn bucket() -> Bucket {
    let corpus = Corpus {
        events: 1_500,
        accounts: 1,
        days: 1,
        regions: vec!["us-east-1".to_owned(), "eu-west-1".to_owned()],
        digests: true,
        ..Corpus::default()
    };
    Bucket(corpus.objects().map(|Made { key, bytes, metadata }| (key, (bytes, metadata))).collect())
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut inflated).unwrap();
    inflated
}

impl Bucket {
    /// The keys of one region's digests, or of its log files, oldest first.
    fn keys(&self, part: &str) -> Vec<String> {
        self.0.keys().filter(|key| key.contains(part)).cloned().collect()
    }

    fn digests(&self) -> Vec<String> {
        self.keys("/CloudTrail-Digest/us-east-1/")
    }

    fn logs(&self) -> Vec<String> {
        self.keys("/CloudTrail/us-east-1/")
    }

    fn judge(&self) -> Judged {
        self.judge_with(keys(), Scope::default(), true)
    }

    fn judge_with(&self, keys: PublicKeys, scope: Scope, metadata: bool) -> Judged {
        let folder = tempfile::tempdir().unwrap();
        for (key, (bytes, pairs)) in &self.0 {
            let path = folder.path().join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            if metadata && !pairs.is_empty() {
                std::fs::write(format!("{}.metadata.json", path.display()), cloudtarn_corpus::sidecar(pairs)).unwrap();
            }
        }
        let mut findings = Vec::new();
        let mut give = |finding: &Finding| {
            findings.push(finding.clone());
            Ok(())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let report = runtime.block_on(async {
            let source = Source::open(folder.path().to_str().unwrap(), &Options::default()).await.unwrap();
            let verifier = Verifier::new(keys, scope, &mut give);
            cloudtarn_verify::of_source(source, verifier, 1 << 30, Arc::new(Progress::default())).await.unwrap()
        });
        Judged { findings, report }
    }
}

impl Judged {
    /// The files with a fault: what they are, verdict, last part of the path, reason.
    fn faults(&self) -> Vec<(Object, Verdict, String, String)> {
        let faulty = self.findings.iter().filter(|finding| finding.verdict > Verdict::Moved);
        faulty
            .map(|finding| {
                let name = finding.path.rsplit('/').next().unwrap().to_owned();
                (finding.object, finding.verdict, name, finding.reason.clone().unwrap_or_default())
            })
            .collect()
    }

    /// Expects one fault.
    fn only(&self, object: Object, verdict: Verdict, key: &str, reason: &str) {
        let faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        self.among(object, verdict, key, reason);
    }

    /// Expects a fault among others.
    fn among(&self, object: Object, verdict: Verdict, key: &str, reason: &str) {
        let name = key.rsplit('/').next().unwrap();
        let faults = self.faults();
        let found = faults.iter().find(|fault| (fault.0, fault.1, fault.2.as_str()) == (object, verdict, name));
        assert!(found.is_some_and(|fault| fault.3.contains(reason)), "no {verdict:?} {name} ({reason}) in {faults:#?}");
    }

    fn states(&self, region: &str) -> Vec<&'static str> {
        let hours = self.report.hours.iter().filter(|((_, of, _), _)| of == region);
        hours.map(|(_, hour)| hour.state()).collect()
    }
}

#[test]
fn a_copy_on_disk_is_valid_though_moved_and_idle_hours_are_proven_empty() {
    let bucket = bucket();
    let judged = bucket.judge();
    assert_eq!(judged.faults(), []);
    assert_eq!(judged.report.verdict(), Some(Verdict::Moved));
    let (digests, log_files) = judged.report.totals();
    assert_eq!((digests.of(Verdict::Moved), digests.total()), (48, 48));
    assert_eq!(log_files.total() as usize, bucket.keys("/CloudTrail/").len());
    for region in ["us-east-1", "eu-west-1"] {
        let states = judged.states(region);
        assert_eq!(states.len(), 24);
        assert!(
            states.iter().all(|state| state.starts_with("proven")) && states.contains(&"proven empty"),
            "{states:?}"
        );
    }
    assert_eq!(judged.report.accounts().len(), 1);
}

#[test]
fn without_metadata_only_the_newest_digests_are_unproven() {
    let bucket = bucket();
    let judged = bucket.judge_with(keys(), Scope::default(), false);
    let faults = judged.faults();
    let unproven = faults.iter().filter(|fault| fault.0 == Object::Digest).map(|fault| fault.2.clone());
    let newest = ["/CloudTrail-Digest/eu-west-1/", "/CloudTrail-Digest/us-east-1/"];
    let newest = newest.map(|part| bucket.keys(part).pop().unwrap().rsplit('/').next().unwrap().to_owned());
    assert_eq!(unproven.collect::<Vec<_>>(), newest);
    assert!(faults.iter().all(|fault| fault.1 == Verdict::Unproven), "{faults:#?}");
}

#[test]
fn replicas_under_a_prefix_gunzipped_and_compressed_again() {
    let original = bucket();
    let replica = Bucket(original.0.iter().map(|(key, object)| (format!("from-b/in/{key}"), object.clone())).collect());
    let plain = Bucket(
        original
            .0
            .iter()
            .map(|(key, (bytes, pairs))| (key.trim_end_matches(".gz").to_owned(), (gunzip(bytes), pairs.clone())))
            .collect(),
    );
    let again = Bucket(
        original
            .0
            .iter()
            .map(|(key, (bytes, pairs))| (key.clone(), (gzip(&gunzip(bytes), 1), pairs.clone())))
            .collect(),
    );
    // A part of the tree, and all files in one folder.
    let part = Bucket(
        original
            .0
            .iter()
            .map(|(key, object)| (key.strip_prefix("AWSLogs/111122223333/").unwrap().to_owned(), object.clone()))
            .collect(),
    );
    let flat = Bucket(
        original.0.iter().map(|(key, object)| (key.rsplit('/').next().unwrap().to_owned(), object.clone())).collect(),
    );
    for (name, copy) in [("replica", replica), ("plain", plain), ("again", again), ("part", part), ("flat", flat)] {
        let judged = copy.judge();
        assert_eq!(judged.faults(), [], "{name}");
        assert_eq!(judged.findings.len(), original.0.len(), "{name}");
    }
}

#[test]
fn a_log_file_changed_deleted_moved_renamed() {
    let original = bucket();
    let key = original.logs()[3].clone();
    let change = |change: &dyn Fn(&mut Bucket)| {
        let mut bucket = original.clone();
        change(&mut bucket);
        bucket.judge()
    };
    let changed = change(&|bucket| {
        let object = bucket.0.get_mut(&key).unwrap();
        let text = String::from_utf8(gunzip(&object.0)).unwrap().replacen("eventName", "eventname", 1);
        object.0 = gzip(text.as_bytes(), 6);
    });
    changed.only(Object::LogFile, Verdict::Invalid, &key, "its hash is not the one");
    let deleted = change(&|bucket| drop(bucket.0.remove(&key)));
    deleted.only(Object::LogFile, Verdict::Missing, &key, "names it");
    assert!(deleted.states("us-east-1").contains(&"missing"));
    let moved = change(&|bucket| {
        let object = bucket.0.remove(&key).unwrap();
        bucket.0.insert(key.replace("/2026/03/02/", "/2026/03/03/"), object);
    });
    moved.only(Object::LogFile, Verdict::Invalid, &key, "another day");
    let cut = change(&|bucket| {
        let object = bucket.0.get_mut(&key).unwrap();
        object.0.truncate(object.0.len() / 2);
    });
    cut.only(Object::LogFile, Verdict::Invalid, &key, "gzip stream is damaged");
    let renamed = key.replace(".json.gz", "0.json.gz");
    let twice = change(&|bucket| {
        let object = bucket.0.remove(&key).unwrap();
        bucket.0.insert(renamed.clone(), object);
    });
    twice.among(Object::LogFile, Verdict::Missing, &key, "names it");
    twice.among(Object::LogFile, Verdict::Invalid, &renamed, "no digest names it");
}

#[test]
fn a_second_gzip_member_appended_to_a_log_file() {
    let mut bucket = bucket();
    let key = bucket.logs()[5].clone();
    bucket.0.get_mut(&key).unwrap().0.extend(gzip(br#"{"Records":[]}"#, 6));
    bucket.judge().only(Object::LogFile, Verdict::Invalid, &key, "more gzip members are appended");
}

#[test]
fn log_files_that_no_digest_names() {
    let original = bucket();
    let like = original.logs()[5].clone();
    let body = original.0[&like].clone();
    let name = |time: &str| {
        format!(
            "{}{time}_PLANTEDPLANTED00.json.gz",
            &like[..like.len() - "20260302T0000Z_0123456789abcdef.json.gz".len()]
        )
    };
    let planted = |time: &str| {
        let mut bucket = original.clone();
        bucket.0.insert(name(time), body.clone());
        bucket.judge()
    };
    planted("20260302T1207Z").only(
        Object::LogFile,
        Verdict::Invalid,
        &name("20260302T1207Z"),
        "no digest names it, though",
    );
    // A digest to come may name it, or none was made yet.
    planted("20260302T2359Z").only(
        Object::LogFile,
        Verdict::Unproven,
        &name("20260302T2359Z"),
        "the last proven one ends",
    );
    planted("20260301T1207Z").only(
        Object::LogFile,
        Verdict::Unproven,
        &name("20260301T1207Z"),
        "the first proven one begins",
    );
    let mut strange = original.clone();
    let key = like.replace(like.rsplit('/').next().unwrap(), "evil.json.gz");
    strange.0.insert(key.clone(), body);
    strange.judge().only(Object::LogFile, Verdict::Invalid, &key, "its name is none");
}

#[test]
fn several_digests_deleted_in_a_row() {
    let mut bucket = bucket();
    let gone: Vec<String> = bucket.digests()[10..13].to_vec();
    for key in &gone {
        bucket.0.remove(key);
    }
    let judged = bucket.judge();
    let missing: Vec<_> = judged.faults().into_iter().filter(|fault| fault.1 == Verdict::Missing).collect();
    assert_eq!(missing.len(), 3, "{missing:#?}");
    for key in &gone {
        judged.among(Object::Digest, Verdict::Missing, key, if *key == gone[2] { "names it" } else { "in a row" });
    }
    assert_eq!(judged.states("us-east-1")[10..13], ["missing"; 3]);
    assert!(judged.states("eu-west-1").iter().all(|state| state.starts_with("proven")));
}

#[test]
fn a_digest_changed_emptied_or_with_another_signature() {
    let original = bucket();
    let key = original.digests()[7].clone();
    let with = |change: &dyn Fn(&mut Stored)| {
        let mut bucket = original.clone();
        change(bucket.0.get_mut(&key).unwrap());
        bucket.judge()
    };
    let changed = with(&|object| {
        let text = String::from_utf8(gunzip(&object.0)).unwrap().replace("SHA-256", "SHA-2560");
        object.0 = gzip(text.as_bytes(), 6);
    });
    changed.among(Object::Digest, Verdict::Invalid, &key, "has another hash of it");
    assert_eq!(changed.faults().iter().filter(|fault| fault.0 == Object::Digest).count(), 1);
    with(&|object| object.0 = gzip(b"{}", 6)).among(Object::Digest, Verdict::Invalid, &key, "not a digest file");
    with(&|object| object.0.extend(gzip(b"{}", 6))).among(Object::Digest, Verdict::Invalid, &key, "second gzip member");
    // The digest after it still proves it.
    let resigned = with(&|object| object.1[0].1 = "00".repeat(256));
    assert_eq!(resigned.faults(), []);
    let newest = original.digests().pop().unwrap();
    let mut bucket = original.clone();
    bucket.0.get_mut(&newest).unwrap().1[0].1 = "00".repeat(256);
    bucket.judge().among(Object::Digest, Verdict::Invalid, &newest, "its signature does not verify");
}

#[test]
fn planted_keys_do_not_cut_anything_short() {
    let mut bucket = bucket();
    let like = bucket.digests().pop().unwrap();
    let last = like.replace("20260303T000000Z", "99991231T235959Z");
    let odd = like.replace("20260303T000000Z", "zzz");
    for key in [&last, &odd] {
        bucket.0.insert(key.clone(), (gzip(b"{}", 6), Vec::new()));
    }
    let judged = bucket.judge();
    judged.among(Object::Digest, Verdict::Invalid, &last, "not a digest file");
    judged.among(Object::Digest, Verdict::Invalid, &odd, "none that CloudTrail gives");
    assert_eq!(judged.faults().len(), 2);
    // A copy of a true digest under such a name.
    let body = bucket.0[&like].clone();
    bucket.0.insert(last.clone(), body);
    let judged = bucket.judge();
    judged.among(Object::Digest, Verdict::Invalid, &last, "delivered as");
    assert_eq!(judged.faults().len(), 2);
}

#[test]
fn a_digest_moved_to_another_day() {
    let mut bucket = bucket();
    let key = bucket.digests()[9].clone();
    let object = bucket.0.remove(&key).unwrap();
    bucket.0.insert(key.replace("/2026/03/02/", "/2026/03/05/"), object);
    let judged = bucket.judge();
    judged.among(Object::Digest, Verdict::Invalid, &key, "moved to another day");
}

#[test]
fn the_newest_digests_missing() {
    let original = bucket();
    let mut bucket = original.clone();
    let gone: Vec<String> = original.digests().split_off(21);
    for key in &gone {
        bucket.0.remove(key);
    }
    let judged = bucket.judge();
    for key in &gone {
        judged.among(
            Object::Digest,
            Verdict::Missing,
            key,
            if *key == gone[2] { "ends before the others" } else { "in a row" },
        );
    }
    // In all regions: nothing is left to compare with, but who knows until when digests were made.
    for key in original.keys("/CloudTrail-Digest/eu-west-1/").split_off(21) {
        bucket.0.remove(&key);
    }
    let judged = bucket.judge();
    assert!(
        judged.faults().iter().all(|fault| fault.1 == Verdict::Unproven && fault.3.contains("last proven one ends"))
    );
    let until = Scope { until: Some("2026-03-02".parse().unwrap()), ..Scope::default() };
    let judged = bucket.judge_with(keys(), until, true);
    for key in &gone {
        judged.among(Object::Digest, Verdict::Missing, key, "");
    }
}

#[test]
fn keys_that_are_not_at_hand_or_not_of_their_time() {
    let bucket = bucket();
    let judged = bucket.judge_with(PublicKeys::default(), Scope::default(), true);
    assert!(judged.faults().iter().all(|fault| fault.1 == Verdict::Unproven));
    let newest = bucket.digests().pop().unwrap();
    judged.among(Object::Digest, Verdict::Unproven, &newest, "no public key with fingerprint");
    let mut old = PublicKeys::default();
    old.read(public_keys(1_600_000_000, 1_600_000_001).as_bytes()).unwrap();
    let judged = bucket.judge_with(old, Scope::default(), true);
    judged.among(Object::Digest, Verdict::Unproven, &newest, "outside of the key's validity");
}

#[test]
fn a_part_of_the_time() {
    let corpus = Corpus { events: 600, accounts: 1, days: 3, regions: Vec::new(), digests: true, ..Corpus::default() };
    let bucket = Bucket(corpus.objects().map(|Made { key, bytes, metadata }| (key, (bytes, metadata))).collect());
    let day = Some("2026-03-03".parse().unwrap());
    let judged = bucket.judge_with(keys(), Scope { since: day, until: day, ..Scope::default() }, true);
    assert_eq!(judged.faults(), []);
    let digests = judged.report.totals().0.total();
    assert_eq!(digests, 25, "those of the day, and the one that names what came late");
    assert_eq!(bucket.judge_with(keys(), Scope { since: day, ..Scope::default() }, true).faults(), []);
}

/// A chain of a few hours with one log file each, in which a test may change any digest before it is signed.
fn chain(hours: u64, mut change: impl FnMut(u64, &mut DigestFile) -> Option<String>) -> Bucket {
    const START: u64 = 1_772_409_600;
    let mut objects = BTreeMap::new();
    let mut previous = None;
    for hour in 0..hours {
        let body = format!(r#"{{"Records":[{{"eventID":"{hour}"}}]}}"#);
        let key = format!(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T{hour:02}30Z_0123456789abcdef.json.gz"
        );
        let mut digest = DigestFile {
            bucket: "logs".to_owned(),
            prefix: String::new(),
            organization: None,
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            trail: "a_trail.of-ours".to_owned(),
            home_region: "us-east-1".to_owned(),
            start: START + hour * 3600,
            end: START + (hour + 1) * 3600,
            backfill: false,
            previous: previous.take(),
            log_files: vec![Listed { key: key.clone(), hash: hash(body.as_bytes()), times: (START, START) }],
        };
        let object = change(hour, &mut digest).unwrap_or_else(|| digest.key());
        let signed = digest.sign_at(&SigningKey::number(0), object);
        previous = Some(signed.link.clone());
        let metadata = signed.metadata();
        if digest.log_files.iter().any(|listed| listed.key == key) {
            objects.insert(key, (gzip(body.as_bytes(), 6), Vec::new()));
        }
        objects.insert(signed.key, (signed.gz, metadata));
    }
    Bucket(objects)
}

#[test]
fn a_wrong_hash_or_signature_of_the_digest_before_it() {
    let clean = chain(5, |_, _| None);
    assert_eq!(clean.judge().faults(), []);
    let key = clean.digests()[3].clone();
    let wrong_hash = chain(5, |hour, digest| {
        if let (3, Some(previous)) = (hour, &mut digest.previous) {
            previous.hash = "0".repeat(64);
        }
        None
    });
    wrong_hash.judge().among(Object::Digest, Verdict::Invalid, &key, "wrong hash of");
    let wrong_signature = chain(5, |hour, digest| {
        if let (3, Some(previous)) = (hour, &mut digest.previous) {
            previous.signature = "0".repeat(512);
        }
        None
    });
    wrong_signature.judge().among(Object::Digest, Verdict::Invalid, &key, "wrong signature of");
}

#[test]
fn digests_whose_times_contradict_their_place() {
    let clean = chain(5, |_, _| None);
    let key = clean.digests()[4].clone();
    let late = chain(5, |hour, digest| {
        (hour == 4).then(|| {
            let key = digest.key();
            digest.end += 7200;
            key
        })
    });
    late.judge().among(Object::Digest, Verdict::Invalid, &key, "its key says 2026-03-02T05:00:00Z");
    let other_day = chain(5, |hour, digest| (hour == 4).then(|| digest.key().replace("/2026/03/02/", "/2026/02/02/")));
    other_day.judge().among(Object::Digest, Verdict::Invalid, &key, "its key lies under 2026-02-02");
    let overlapping = chain(5, |hour, digest| {
        digest.start -= if hour == 4 { 7200 } else { 0 };
        None
    });
    overlapping.judge().among(
        Object::Digest,
        Verdict::Invalid,
        &key,
        "begins before that of the digest before it ends",
    );
    let other_account = chain(5, |hour, digest| {
        (hour == 4).then(|| {
            let key = digest.key();
            digest.account = "444455556666".to_owned();
            key
        })
    });
    other_account.judge().among(Object::Digest, Verdict::Invalid, &key, "about account 444455556666");
}

#[test]
fn a_chain_that_begins_anew_leaves_hours_unproven_and_nothing_missing() {
    let mut restarted = chain(8, |hour, digest| {
        if hour == 5 {
            digest.previous = None;
        }
        None
    });
    assert_eq!(restarted.judge().faults(), []);
    // Three hours without digests before it, with a log file in each.
    for key in restarted.digests()[2..5].to_vec() {
        restarted.0.remove(&key);
    }
    let judged = restarted.judge();
    assert!(judged.faults().iter().all(|fault| (fault.0, fault.1) == (Object::LogFile, Verdict::Unproven)));
    assert_eq!(judged.states("us-east-1")[1..6], ["proven", "unproven", "unproven", "unproven", "proven"]);
    let holes: Vec<_> = judged.report.hours.values().filter_map(|hour| hour.reason.clone()).collect();
    assert!(holes.iter().all(|reason| reason.contains("begins a new chain") || reason.contains("no digest names it")));
}

#[test]
fn the_oldest_digest_of_a_copy_names_one_that_is_not_in_it() {
    let mut bucket = chain(5, |_, _| None);
    let gone = bucket.digests()[0].clone();
    bucket.0.remove(&gone);
    bucket.judge().among(Object::Digest, Verdict::Missing, &gone, "names it");
}

#[test]
fn backfill_digests_are_a_chain_of_their_own() {
    let mut bucket = chain(6, |_, _| None);
    let backfill = chain(6, |hour, digest| {
        digest.backfill = true;
        digest.log_files.clear();
        if hour == 0 {
            digest.previous = None;
        }
        None
    });
    let keys = backfill.digests();
    bucket.0.extend(backfill.0);
    assert_eq!(bucket.judge().faults(), []);
    assert!(keys.iter().all(|key| key.ends_with("_backfill.json.gz")));
    bucket.0.remove(&keys[3]);
    bucket.judge().only(Object::Digest, Verdict::Missing, &keys[3], "names it");
}

#[test]
fn a_source_without_anything_of_cloudtrail() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "none").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let source = Source::open(folder.path().to_str().unwrap(), &Options::default()).await.unwrap();
        let mut give = |_: &Finding| Ok(());
        let verifier = Verifier::new(keys(), Scope::default(), &mut give);
        cloudtarn_verify::of_source(source, verifier, 1 << 30, Arc::new(Progress::default())).await
    });
    assert!(matches!(result, Err(cloudtarn_verify::Error::Nothing(_))));
}
