//! Tests on real folders.
#![allow(clippy::unwrap_used)]
use crate::{Error, Filter, Kind, LogObject, Options, Result, Source};
use futures::StreamExt;
use std::fs;
use std::path::{Path, PathBuf};

fn write(root: &Path, path: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "logs").unwrap();
}

async fn list(root: &Path) -> Vec<Result<LogObject>> {
    let source = Source::open(root.to_str().unwrap(), &Options::default()).await.unwrap();
    source.list(&Filter::default()).collect().await
}

async fn paths(root: &Path) -> Vec<String> {
    let canonical = format!("file://{}/", fs::canonicalize(root).unwrap().display());
    let listed = list(root).await.into_iter().map(Result::unwrap);
    listed.map(|object| object.uri.strip_prefix(&canonical).unwrap_or(&object.uri).to_owned()).collect()
}

const DAY: &str = "AWSLogs/111122223333/CloudTrail/us_east_1/2026/03/01";

#[tokio::test]
async fn a_folder_and_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("{DAY}/b.json.gz");
    for path in [&file, &format!("{DAY}/a.json.gz"), "loose.json", ".hidden/a.json", ".DS_Store"] {
        write(folder.path(), path);
    }
    assert_eq!(paths(folder.path()).await, [&format!("{DAY}/a.json.gz"), &file, "loose.json"]);

    let single = folder.path().join(&file);
    let source = Source::open(single.to_str().unwrap(), &Options::default()).await.unwrap();
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    let [object] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((object.kind, object.region.as_deref(), object.size), (Some(Kind::CloudTrail), Some("us-east-1"), 4));
    assert!(object.version.starts_with("4-"));
    assert_eq!(source.read(object).await.unwrap(), "logs");
    assert_eq!(source.read_blocking(object).unwrap(), "logs");
    assert_eq!(fs::read(source.local_path(object).unwrap()).unwrap(), b"logs");

    fs::write(&single, "more logs").unwrap();
    assert_ne!(list(&single).await[0].as_ref().unwrap().version, object.version);
    fs::remove_file(&single).unwrap();
    assert!(matches!(source.read(object).await, Err(Error::Io { .. })));
}

#[tokio::test]
async fn an_empty_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(list(folder.path()).await.as_slice(), [Err(Error::Empty { .. })]));
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let outside = folder.path().join("outside");
    write(&root, "a/x.json");
    write(&outside, "deep/y.json");
    symlink(&root, root.join("a/loop")).unwrap();
    symlink(root.join("a"), root.join("again")).unwrap();
    symlink(&outside, root.join("linked")).unwrap();
    symlink(&outside, root.join("zz-linked-again")).unwrap();
    symlink(root.join("linked"), outside.join("self")).unwrap();
    symlink(root.join("a/x.json"), root.join("file-link.json")).unwrap();
    assert_eq!(paths(&root).await, ["file-link.json", "a/x.json", "linked/deep/y.json"]);

    symlink(folder.path(), root.join("up")).unwrap();
    symlink(folder.path().join("none"), root.join("broken")).unwrap();
    let errors: Vec<_> = list(&root).await.into_iter().filter_map(Result::err).collect();
    let [broken, up] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(matches!(broken, Error::Io { path, .. } if path.ends_with("broken")));
    assert!(matches!(up, Error::OverlappingLink { path, .. } if path.ends_with("up")));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_not_text_and_files_that_are_none() {
    use std::os::unix::ffi::OsStringExt;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.json");
    fs::write(folder.path().join(PathBuf::from(std::ffi::OsString::from_vec(vec![b'b', 0xff]))), "").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let listed = list(folder.path()).await;
    assert!(matches!(listed.as_slice(), [Err(Error::NotUtf8 { .. }), Ok(_)]), "{listed:?}");
}

#[tokio::test]
async fn metadata_beside_a_file_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json.gz"), b"a").unwrap();
    fs::write(folder.path().join("a.json.gz.metadata.json"), br#"{"Metadata":{"signature":"00","n":1}}"#).unwrap();
    fs::write(folder.path().join("b.metadata.json"), b"{}").unwrap();
    let digest = "111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260302T010000Z.json.gz.metadata.json";
    fs::write(folder.path().join(digest), b"{}").unwrap();
    let source = Source::open(folder.path().to_str().unwrap(), &Options::default()).await.unwrap();
    let listed: Vec<_> = source.list(&Filter::default()).collect().await;
    let listed: Vec<LogObject> = listed.into_iter().map(Result::unwrap).collect();
    let names: Vec<_> = listed.iter().map(|object| object.uri.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["a.json.gz", "b.metadata.json"]);
    let stored = source.fetch(&listed[0]).await.unwrap();
    assert_eq!((stored.bytes.as_ref(), stored.metadata), (b"a".as_slice(), vec![("signature".into(), "00".into())]));
    assert_eq!(source.fetch(&listed[1]).await.unwrap().metadata, []);
}
