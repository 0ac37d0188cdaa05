//! Tests on bundles made for them.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::bundle::tar::tests::{archive, header, raw};
use crate::{Day, Keys, Kind, Options};
use cloudtarn_testkit::{Class, Fault, S3Server};
use futures::StreamExt;
use std::io::Write;

const DAY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// What came out: members by name below the bundle, errors, the end.
#[derive(Debug, Default)]
struct Found {
    members: Vec<(String, Bytes)>,
    objects: Vec<LogObject>,
    errors: Vec<Error>,
    end: Option<Bundle>,
}

async fn collect(source: &Source, object: &LogObject, filter: &Filter) -> Found {
    let mut found = Found::default();
    let mut unpacked = source.unpack(object, filter);
    while let Some(next) = unpacked.recv().await {
        match next {
            Unpacked::Member(member) => {
                let uri = &member.object.uri;
                let name = uri.strip_prefix(&format!("{}!/", object.uri)).unwrap_or(uri).to_owned();
                found.members.push((name, member.body));
                found.objects.push(member.object);
            }
            Unpacked::Unread(error) => found.errors.push(error),
            Unpacked::End(bundle) => found.end = Some(bundle),
        }
    }
    found
}

/// Unpacks a bundle that lies in a folder under that name.
async fn unpack_with(name: &str, bytes: &[u8], options: &Options, filter: &Filter) -> Found {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let source = Source::open(folder.path().to_str().unwrap(), options).await.unwrap();
    let listed: Vec<_> = source.list(filter).collect().await;
    let [Ok(object)] = listed.as_slice() else { panic!("{listed:?}") };
    assert!(source.is_bundle(object), "{object:?}");
    assert_eq!(source.local_path(object).is_some(), !name.ends_with(".zip"));
    collect(&source, object, filter).await
}

async fn unpack(name: &str, bytes: &[u8]) -> Found {
    unpack_with(name, bytes, &Options::default(), &Filter::default()).await
}

fn names(found: &Found) -> Vec<&str> {
    found.members.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn names_of_bundles() {
    for name in ["a.tar", "a.TAR.GZ", "a.tgz", "a.tar.zst", "a.zip", "a.zst", "logs.2026.zst", "a.tar.xz", "a.7z"] {
        assert!(is_bundle(name), "{name}");
    }
    for name in ["a.json.gz", "a.json.zst", "a.log.ZST", "tar", "a.tar/b.json", "a.gz", "result_1.csv.gz"] {
        assert!(!is_bundle(name), "{name}");
    }
    assert_eq!(split("/a/x.tar!/b/c.json"), Some((Path::new("/a/x.tar"), "b/c.json")));
    assert_eq!(split("/a/odd!/c.json"), None);
}

#[tokio::test]
async fn every_compression_gives_the_same_members() {
    let first = format!("./{DAY}/111122223333_CloudTrail_us-east-1_20260301T0005Z_aaaaaaaaaaaaaaaa.json.gz");
    let body = gzip(b"{}");
    let tar = archive(&[(&first, &body), ("notes/readme.txt", b"hello"), (".hidden", b"x"), ("__MACOSX/x", b"x")]);
    let mut versions = Vec::new();
    for (name, bytes) in [
        ("x.tar", tar.clone()),
        ("x.tar.gz", gzip(&tar)),
        ("x.tgz", [gzip(&tar[..700]), gzip(&tar[700..])].concat()),
        ("x.tar.zst", zstd(&tar)),
        ("x.zst", zstd(&tar)),
        ("misnamed.tar.gz", tar.clone()),
    ] {
        let found = unpack(name, &bytes).await;
        assert_eq!(names(&found), [first.trim_start_matches("./"), "notes/readme.txt"], "{name}");
        assert_eq!(found.members[0].1, body);
        let object = &found.objects[0];
        assert_eq!((object.account.as_deref(), object.day), (Some("111122223333"), Day::new(2026, 3, 1)));
        assert_eq!(object.size, body.len() as u64);
        versions.push(object.version.clone());
        let end = found.end.unwrap();
        assert_eq!((end.members, end.left_out, end.unread, end.damage), (2, 0, 0, None));
        assert_eq!((end.object.size, end.object.version.is_empty()), (bytes.len() as u64, false));
        use sha2::Digest;
        assert_eq!(end.sha256, <[u8; 32]>::from(sha2::Sha256::digest(&bytes)));
    }
    versions.dedup();
    assert_eq!(versions.len(), 1);
}

#[tokio::test]
async fn bundles_in_bundles() {
    let deepest = zip(&[("d.json", b"d")]);
    let inner = gzip(&archive(&[("c.json", b"c"), ("deepest.zip", &deepest)]));
    let tar = archive(&[("a.json", b"a"), ("in/inner.tgz", &inner), ("b.json.zst", b"b"), ("plain.zst", &zstd(b"e"))]);
    let expected = ["a.json", "in/inner.tgz!/c.json", "in/inner.tgz!/deepest.zip!/d.json", "b.json.zst", "plain.zst"];
    assert_eq!(names(&unpack("x.tar", &tar).await), expected);

    // In a local zip archive they are bundles among its entries.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.zip"), zip(&[("logs.tar", &tar), ("z.json", b"z")])).unwrap();
    let source = Source::open(folder.path().to_str().unwrap(), &Options::default()).await.unwrap();
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    let bundles: Vec<_> = listed.iter().filter(|object| source.is_bundle(object)).collect();
    let [bundle] = bundles.as_slice() else { panic!("{listed:?}") };
    assert!(bundle.uri.ends_with("x.zip!/logs.tar"));
    let found = collect(&source, bundle, &Filter::default()).await;
    assert_eq!(names(&found), expected);
    assert!(found.end.is_some());

    let five = (0..5).fold(archive(&[("a.json", b"a")]), |inner, _| archive(&[("in.tar", &inner)]));
    let found = unpack("x.tar", &five).await;
    assert!(found.members.is_empty());
    assert!(matches!(found.errors.as_slice(), [Error::Archive { reason, .. }] if reason.contains("archives in")));
    assert_eq!(found.end.unwrap().unread, 1);
}

#[tokio::test]
async fn what_the_filter_does_not_admit_is_left_out() {
    let other = DAY.replace("111122223333", "444455556666");
    let tar = archive(&[
        (&format!("{DAY}/a.json.gz"), b"a"),
        (&format!("{other}/b.json.gz"), b"b"),
        ("AWSLogs/111122223333/Config/us-east-1/2026/3/1/c.json.gz", b"c"),
        (&format!("{}/d.json.gz", DAY.replace("CloudTrail", "CloudTrail-Digest")), b"d"),
        ("loose.json", b"e"),
    ]);
    let filter =
        Filter { accounts: vec!["111122223333".to_owned()], kinds: vec![Kind::CloudTrail], ..Filter::default() };
    let found = unpack_with("x.tar", &tar, &Options::default(), &filter).await;
    assert_eq!(names(&found), [format!("{DAY}/a.json.gz").as_str(), "loose.json"]);
    let end = found.end.unwrap();
    assert_eq!((end.members, end.left_out), (5, 1));
}

/// Nothing is written, so that a name is only a name; and it stays inside the bundle's address.
#[tokio::test]
async fn names_that_climb_do_no_harm() {
    let climbing = [&b"../../etc/cron.d/x.json"[..], b"/etc/passwd.json", b"a/../../b.json", b"C:\\x.json"];
    let members: Vec<_> = climbing.iter().map(|name| (header(name, 2), &b"{}"[..])).collect();
    let found = unpack("x.tar", &raw(&members)).await;
    assert_eq!(names(&found), ["../../etc/cron.d/x.json", "etc/passwd.json", "a/../../b.json", "C:\\x.json"]);
    assert!(found.objects.iter().all(|object| object.uri.contains("/x.tar!/")));

    let bad = raw(&[(header(b"\xff\xfe.json", 1), b"x"), (header(b"a.json", 1), b"a")]);
    let found = unpack("x.tar", &bad).await;
    assert_eq!(names(&found), ["a.json"]);
    assert!(matches!(found.errors.as_slice(), [Error::Archive { reason, .. }] if reason.contains("UTF-8")));
}

#[tokio::test]
async fn members_and_bundles_that_are_too_large() {
    let options = Options { max_entry_bytes: 99, ..Options::default() };
    let tar = archive(&[("large.json", &[b' '; 100]), ("small.json", &[b' '; 99])]);
    let found = unpack_with("x.tar", &tar, &options, &Filter::default()).await;
    assert_eq!(names(&found), ["small.json"]);
    assert!(
        matches!(found.errors.as_slice(), [Error::EntryTooLarge { uri, limit: 99 }] if uri.ends_with("large.json"))
    );
    assert_eq!(found.end.unwrap().unread, 1);
    let single = unpack_with("x.zst", &[b' '; 100], &options, &Filter::default()).await;
    assert!(single.end.is_none() && matches!(single.errors.as_slice(), [Error::EntryTooLarge { .. }]));

    // Gigabytes of nothing in some kilobytes.
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&archive(&[("a.json", b"a")])[..1024]).unwrap();
    encoder.write_all(header_of_zeros().as_slice()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1500 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 18, "{}", bomb.len());
    let found = unpack_with("x.tar.zst", &bomb, &options, &Filter::default()).await;
    assert_eq!(names(&found), ["a.json"]);
    assert!(found.end.unwrap().damage.unwrap().contains("bomb"));
}

fn header_of_zeros() -> Vec<u8> {
    let mut header = header(b"zeros", 4 << 30);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[tokio::test]
async fn damage_costs_only_what_comes_after() {
    let tar = archive(&[("a.json", b"a"), ("b.json", &[b'b'; 4000])]);
    for (name, bytes) in [
        ("cut.tar", tar[..3000].to_vec()),
        ("cut.tar.gz", [gzip(&tar[..3000]), b"no gzip".to_vec()].concat()),
        ("cut.tgz", {
            let whole = gzip(&tar);
            whole[..whole.len() - 6].to_vec()
        }),
    ] {
        let found = unpack(name, &bytes).await;
        assert_eq!(names(&found)[0], "a.json", "{name}");
        let end = found.end.unwrap();
        assert!(end.damage.is_some(), "{name}");
        assert_eq!(end.object.size, bytes.len() as u64);
    }
    let inner = archive(&[("a.json", b"a"), ("in.tar", &tar[..3000]), ("c.json", b"c")]);
    let found = unpack("x.tar", &inner).await;
    assert_eq!(names(&found), ["a.json", "in.tar!/a.json", "c.json"]);
    assert!(found.end.unwrap().damage.unwrap().starts_with("`in.tar`"));
    for (name, bytes) in [("x.tar.xz", &b"\xfd7zXZ\0rest"[..]), ("x.7z", b"7z\xbc\xaf\x27\x1crest")] {
        let found = unpack(name, bytes).await;
        assert!(found.end.is_none() && matches!(found.errors.as_slice(), [Error::Archive { .. }]), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_given_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = folder.path().join("evidence");
    std::fs::write(&evidence, gzip(&archive(&[("a.json", b"a")]))).unwrap();
    let single = folder.path().join("log.json.gz");
    std::fs::write(&single, gzip(b"{}")).unwrap();
    for (path, member, bundle) in [(&evidence, "a.json", true), (&single, "log.json.gz", false)] {
        let source = Source::open(path.to_str().unwrap(), &Options::default()).await.unwrap();
        let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
        assert!(source.is_bundle(&listed[0]));
        let found = collect(&source, &listed[0], &Filter::default()).await;
        assert!(found.members[0].0.ends_with(member));
        assert_eq!(found.end.is_some(), bundle);
        assert!(bundle || found.objects == listed);
    }
}

/// More than fits into one request, and into memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_read_part_by_part() {
    let content: Vec<u8> = (0..3_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let members: Vec<(String, &[u8])> = (0..4).map(|n| (format!("{n}.json"), content.as_slice())).collect();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("bucket/in")).unwrap();
    for (name, bytes) in [("x.tar", archive(&members)), ("x.zip", zip(&members))] {
        std::fs::write(folder.path().join("bucket/in").join(name), bytes).unwrap();
    }
    let server = S3Server::start(folder.path()).await.unwrap();
    let spool = tempfile::tempdir().unwrap();
    let (id, secret) = (server.access_key().to_owned(), server.secret_key().to_owned());
    let options = Options {
        endpoint: Some(server.endpoint().to_owned()),
        keys: Some(Keys { id, secret, token: None }),
        region: Some("us-east-1".to_owned()),
        spool: Some(spool.path().to_owned()),
        ..Options::default()
    };
    server.faults().add(Class::Get, Fault::SlowDown, 1);
    server.faults().add(Class::Get, Fault::Truncate, 2);
    let source = Source::open("s3://bucket/in", &options).await.unwrap();
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    assert_eq!(listed.len(), 2);
    for object in &listed {
        assert!(source.is_bundle(object));
        let found = collect(&source, object, &Filter::default()).await;
        assert_eq!(names(&found), ["0.json", "1.json", "2.json", "3.json"], "{:?}", found.errors);
        assert!(found.members.iter().all(|(_, body)| *body == content));
        assert_eq!(found.objects[0].uri, format!("{}!/0.json", object.uri));
        assert_eq!(found.end.unwrap().object.size, object.size);
    }
    let changed = LogObject { version: "other".to_owned(), ..listed[0].clone() };
    let found = collect(&source, &changed, &Filter::default()).await;
    assert!(found.end.is_none() && matches!(found.errors.as_slice(), [Error::Changed { .. }]), "{:?}", found.errors);
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
}
