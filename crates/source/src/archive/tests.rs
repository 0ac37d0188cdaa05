//! Tests on archives made for them.
#![allow(clippy::unwrap_used)]
use crate::{Error, Filter, LogObject, Options, Result, Source};
use futures::StreamExt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn archive(path: &Path, entries: &[(&str, &[u8])]) {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    writer.add_directory("folder", SimpleFileOptions::default()).unwrap();
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
}

async fn list(root: &Path, options: &Options) -> (Source, Vec<Result<LogObject>>) {
    let source = Source::open(root.to_str().unwrap(), options).await.unwrap();
    let listed = source.list(&Filter::default()).collect().await;
    (source, listed)
}

const DAY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03";

#[tokio::test]
async fn entries_come_in_the_order_of_days() {
    let folder = tempfile::tempdir().unwrap();
    let (second, first) = (format!("{DAY}/02/b.json"), format!("{DAY}/01/a.json"));
    let entries: [(&str, &[u8]); 5] = [
        (&second, b"second"),
        (&first, b"first"),
        ("__MACOSX/x.json", b"x"),
        (".hidden", b"x"),
        ("odd!/name.json", b"odd"),
    ];
    archive(&folder.path().join("logs.ZIP"), &entries);
    for root in [folder.path().to_owned(), folder.path().join("logs.ZIP")] {
        let (source, listed) = list(&root, &Options::default()).await;
        let listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
        let names: Vec<_> = listed.iter().map(|object| object.uri.split_once(".ZIP!/").unwrap().1).collect();
        assert_eq!(names, [first.as_str(), &second, "odd!/name.json"]);
        assert_eq!(listed[0].account.as_deref(), Some("111122223333"));
        assert_eq!((listed[0].size, listed[0].version.rsplit_once('-').unwrap().1), (5, "5"));
        assert_eq!(source.local_path(&listed[0]), None);
        for (object, content) in listed.iter().zip(["first", "second", "odd"]) {
            assert_eq!(source.read(object).await.unwrap(), content);
            assert_eq!(source.read_blocking(object).unwrap(), content);
        }
    }
}

#[tokio::test]
async fn threads_read_one_archive_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.zip");
    let entries: Vec<_> = (0..40u8).map(|index| (format!("{index}.json"), vec![index; 5000])).collect();
    archive(&path, &entries.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect::<Vec<_>>());
    let (source, listed) = list(&path, &Options::default()).await;
    let listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
    std::thread::scope(|scope| {
        for half in listed.chunks(20) {
            let source = &source;
            scope.spawn(move || {
                for object in half {
                    let bytes = source.read_blocking(object).unwrap();
                    let index: u8 = object.uri.rsplit_once('/').unwrap().1.trim_end_matches(".json").parse().unwrap();
                    assert_eq!(bytes, vec![index; 5000]);
                }
            });
        }
    });
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("a.zip"), &[("large.json", &[b' '; 100]), ("small.json", b"x")]);
    std::fs::write(folder.path().join("b.zip"), "not an archive").unwrap();
    let options = Options { max_entry_bytes: 99, ..Options::default() };
    let (source, listed) = list(folder.path(), &options).await;
    let [Err(large), Err(none), Ok(small)] = listed.as_slice() else { panic!("{listed:?}") };
    assert!(matches!(large, Error::EntryTooLarge { uri, limit: 99 } if uri.ends_with("large.json")));
    assert!(matches!(none, Error::Archive { uri, .. } if uri.ends_with("b.zip")));
    assert_eq!(source.read_blocking(small).unwrap(), "x");
    let gone = LogObject { uri: small.uri.replace("small", "none"), ..small.clone() };
    assert!(matches!(source.read_blocking(&gone), Err(Error::Archive { .. })));
}

/// The limit holds although the archive's directory claims a size below it.
#[tokio::test]
async fn a_claimed_size_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    archive(&path, &[("bomb.json", &[b' '; 5000])]);
    let mut bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 4] == 5000u32.to_le_bytes() {
            bytes[at..at + 4].copy_from_slice(&50u32.to_le_bytes());
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let options = Options { max_entry_bytes: 99, ..Options::default() };
    let (source, listed) = list(&path, &options).await;
    let read = source.read_blocking(listed[0].as_ref().unwrap());
    assert!(matches!(read, Err(Error::Archive { .. })), "{read:?}");
}
