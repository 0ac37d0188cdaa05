//! Tests of listing and reading, on a store in memory and on canned answers of a server.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Filter, Keys, Source};
use object_store::memory::InMemory;
use std::io::{Read, Write};
use std::net::TcpListener;

const DAY: &str = "o-a1b2c3d4e5/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/eu-west-1/2026/03/01";

async fn bucket(keys: &[&str]) -> Arc<dyn ObjectStore> {
    let store = InMemory::new();
    for key in keys {
        let content = if key.contains('.') { b"logs".to_vec() } else { Vec::new() };
        store.put(&Path::parse(key).unwrap(), content.into()).await.unwrap();
    }
    Arc::new(store)
}

#[tokio::test]
async fn lists_and_reads() {
    let next = DAY.replace("03/01", "03/02");
    let keys = [&format!("{DAY}/b.json.gz"), &format!("{next}/a.json.gz"), &format!("{DAY}/c.json.gz"), "readme.txt"];
    let store = bucket(&[keys[0], keys[1], keys[2], keys[3], DAY, "AWSLogs"]).await;
    let source = Source::of_store(Arc::clone(&store), "logs", "", &Options::default());
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    let uris: Vec<_> = listed.iter().map(|object| object.uri.trim_start_matches("s3://logs/")).collect();
    assert_eq!(uris, [keys[0], keys[2], keys[1], keys[3]]);
    assert_eq!(listed[0].organization.as_deref(), Some("o-a1b2c3d4e5"));
    assert_eq!((listed[0].size, listed[0].region.as_deref()), (4, Some("eu-west-1")));
    assert_eq!(source.read(&listed[0]).await.unwrap(), "logs");
    assert_eq!(source.local_path(&listed[0]), None);
    assert!(matches!(source.read_blocking(&listed[0]), Err(Error::Location { .. })));

    store.put(&Path::parse(keys[0]).unwrap(), "other".into()).await.unwrap();
    assert!(matches!(source.read(&listed[0]).await, Err(Error::Changed { .. })));
    store.delete(&Path::parse(keys[1]).unwrap()).await.unwrap();
    assert!(matches!(source.read(&listed[2]).await, Err(Error::NotFound { .. })));
    let elsewhere = LogObject { uri: "s3://others/x".to_owned(), ..listed[0].clone() };
    assert!(matches!(source.read(&elsewhere).await, Err(Error::Location { .. })));
}

#[tokio::test]
async fn a_prefix_may_be_one_object_and_a_bucket_without_layout() {
    let store = bucket(&["mine/x.json", "mine/deep/y.json"]).await;
    for (prefix, expected) in [("mine/x.json", 1), ("mine/", 2), ("", 2), ("/mine/deep", 1)] {
        let source = Source::of_store(Arc::clone(&store), "logs", prefix, &Options::default());
        let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
        assert_eq!(listed.len(), expected, "{prefix}");
        assert!(listed.iter().all(|object| object.kind.is_none() && object.day.is_none()));
    }
}

#[test]
fn addresses() {
    assert_eq!(split("s3://b/p/q/"), Some(("b", "p/q")));
    assert_eq!(split("s3a://b"), Some(("b", "")));
    assert_eq!(split("/b/p"), None);
}

#[tokio::test]
async fn addresses_that_are_none() {
    for location in ["s3://", "gs://bucket/x", "https://example.com/x"] {
        assert!(matches!(Source::open(location, &Options::default()).await, Err(Error::Location { .. })), "{location}");
    }
    assert!(matches!(Source::open("/no/such/folder", &Options::default()).await, Err(Error::Io { .. })));
}

/// A server that gives every request one answer, and the source that asks it.
async fn answering(status: &'static str, body: &'static str) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    let keys = Keys { id: "AKIDEXAMPLE".to_owned(), secret: "hush-hush".to_owned(), token: None };
    let options = Options {
        endpoint: Some(endpoint),
        keys: Some(keys),
        region: Some("eu-west-1".to_owned()),
        max_retries: 0,
        ..Options::default()
    };
    assert!(!format!("{options:?}").contains("hush"));
    Source::open("s3://logs/AWSLogs", &options).await.unwrap()
}

async fn refusals(status: &'static str, body: &'static str) -> (Error, Error) {
    let source = answering(status, body).await;
    assert!(!format!("{source:?}").contains("hush"));
    let listed: Vec<_> = source.list(&Filter::default()).collect().await;
    assert_eq!(listed.len(), 1);
    let object = LogObject::describe("s3://logs/AWSLogs/x.gz".to_owned(), "AWSLogs/x.gz", "1".to_owned(), 1);
    let errors = (listed.into_iter().next().unwrap().unwrap_err(), source.read(&object).await.unwrap_err());
    for error in [&errors.0, &errors.1] {
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
    errors
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let body = "<Error><Code>AccessDenied</Code><Message>not allowed</Message></Error>";
    let (list, read) = refusals("403 Forbidden", body).await;
    assert_eq!(
        list.to_string(),
        "access denied to list `s3://logs/AWSLogs`: allow s3:ListBucket on arn:aws:s3:::logs to the caller \
         (AccessDenied, not allowed)"
    );
    assert!(matches!(&read, Error::AccessDenied { action, .. } if action.contains("s3:GetObject")), "{read}");

    let body = "<Error><Code>AccessDenied</Code><Message>no kms:Decrypt on key/1</Message></Error>";
    let (_, read) = refusals("403 Forbidden", body).await;
    assert!(matches!(&read, Error::AccessDenied { action, .. } if action.starts_with("kms:Decrypt")), "{read}");

    let body = "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
    let (list, read) = refusals("404 Not Found", body).await;
    assert!(matches!((&list, &read), (Error::NoSuchBucket { .. }, Error::NoSuchBucket { .. })), "{list} {read}");

    let (_, read) = refusals("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>").await;
    assert!(matches!(read, Error::NotFound { .. }), "{read}");

    let (list, _) = refusals("403 Forbidden", "<Error><Code>InvalidAccessKeyId</Code></Error>").await;
    assert!(matches!(list, Error::Credentials { .. }), "{list}");

    let (_, read) = refusals("403 Forbidden", "<Error><Code>InvalidObjectState</Code></Error>").await;
    assert!(matches!(read, Error::Frozen { .. }), "{read}");

    let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></Error>";
    let (list, _) = refusals("400 Bad Request", body).await;
    assert!(matches!(&list, Error::WrongRegion { region, .. } if region == "eu-west-1"), "{list}");
    assert!(list.to_string().contains("us-west-2"));

    let (list, _) = refusals("301 Moved Permanently", "<Error><Code>PermanentRedirect</Code></Error>").await;
    assert!(matches!(list, Error::WrongRegion { .. }), "{list}");

    let (list, _) = refusals("500 Internal Server Error", "").await;
    assert!(matches!(&list, Error::Store { doing: "list", uri, .. } if uri == "s3://logs/AWSLogs"), "{list}");
}
