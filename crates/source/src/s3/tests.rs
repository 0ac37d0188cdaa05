//! Tests of listing and reading, on a server in this process and on canned answers.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Keys, Settled, Source};
use cloudtarn_testkit::{Class, Fault, Memory, S3Server};
use std::io::{Read, Write};
use std::net::TcpListener;

const DAY: &str = "o-a1b2c3d4e5/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/eu-west-1/2026/03/01";

struct Served {
    memory: Arc<Memory>,
    server: S3Server,
}

async fn serve(keys: &[&str]) -> Served {
    let memory = Arc::new(Memory::default());
    for key in keys {
        let content = if key.contains('.') { b"logs".to_vec() } else { Vec::new() };
        memory.put("logs", key, content);
    }
    Served { server: S3Server::start_in_memory(Arc::clone(&memory)).await.unwrap(), memory }
}

impl Served {
    fn options(&self) -> Options {
        let (id, secret) = (self.server.access_key().to_owned(), self.server.secret_key().to_owned());
        Options {
            endpoint: Some(self.server.endpoint().to_owned()),
            keys: Some(Keys { id, secret, token: None }),
            region: Some("us-east-1".to_owned()),
            max_retries: 6,
            ..Options::default()
        }
    }

    async fn source(&self, prefix: &str) -> Source {
        Source::open(&format!("s3://logs/{prefix}"), &self.options()).await.unwrap()
    }
}

async fn keys(source: &Source) -> Vec<String> {
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    listed.into_iter().map(|object| object.uri.trim_start_matches("s3://logs/").to_owned()).collect()
}

#[tokio::test]
async fn lists_and_reads() {
    let next = DAY.replace("03/01", "03/02");
    let names = [&format!("{DAY}/b.json.gz"), &format!("{next}/a.json.gz"), &format!("{DAY}/c.json.gz"), "readme.txt"];
    let served = serve(&[names[0], names[1], names[2], names[3], DAY, "AWSLogs"]).await;
    let source = served.source("").await;
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    let uris: Vec<_> = listed.iter().map(|object| object.uri.trim_start_matches("s3://logs/")).collect();
    assert_eq!(uris, [names[0], names[2], names[1], names[3]]);
    assert_eq!(listed[0].organization.as_deref(), Some("o-a1b2c3d4e5"));
    assert_eq!((listed[0].size, listed[0].region.as_deref()), (4, Some("eu-west-1")));
    assert_eq!(source.read(&listed[0]).await.unwrap(), "logs");
    assert_eq!(source.local_path(&listed[0]), None);
    assert!(matches!(source.read_blocking(&listed[0]), Err(Error::Location { .. })));

    served.memory.put_with("logs", names[3], "text", &[("signature", "0f")]);
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    let stored = source.fetch(&listed[3]).await.unwrap();
    assert_eq!(stored.metadata, [("signature".to_owned(), "0f".to_owned())]);

    served.memory.put("logs", names[0], "other");
    assert!(matches!(source.read(&listed[0]).await, Err(Error::Changed { .. })));
    served.memory.remove("logs", names[1]);
    assert!(matches!(source.read(&listed[2]).await, Err(Error::NotFound { .. })));
    assert_eq!(source.whereabouts(&listed[2].uri).await.unwrap(), Whereabouts::Absent);
    served.memory.mark_deleted("logs", names[2]);
    assert!(matches!(source.whereabouts(&listed[1].uri).await.unwrap(), Whereabouts::Hidden { .. }));
    assert_eq!(source.whereabouts(&listed[3].uri).await.unwrap(), Whereabouts::There);
    let elsewhere = LogObject { uri: "s3://others/x".to_owned(), ..listed[0].clone() };
    assert!(matches!(source.read(&elsewhere).await, Err(Error::Location { .. })));
}

#[tokio::test]
async fn a_prefix_may_be_one_object_and_a_bucket_without_layout() {
    let served = serve(&["mine/x.json", "mine/deep/y.json"]).await;
    for (prefix, expected) in [("mine/x.json", 1), ("mine/", 2), ("", 2), ("/mine/deep", 1)] {
        let source = served.source(prefix).await;
        let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
        assert_eq!(listed.len(), expected, "{prefix}");
        assert!(listed.iter().all(|object| object.kind.is_none() && object.day.is_none()));
    }
}

#[tokio::test]
async fn keys_are_taken_as_they_are() {
    let odd = [
        "/slash first.json",
        "a//b.json",
        "a/b c&<d>+%20é.json",
        "a/tab\tand\u{1f}.json",
        &format!("{}//x.json", DAY.replace("CloudTrail/", "CloudTrail//")),
        "plain.json",
    ];
    let served = serve(&odd).await;
    let source = served.source("").await;
    let mut listed = keys(&source).await;
    listed.sort();
    let mut expected = odd.map(ToOwned::to_owned);
    expected.sort();
    assert_eq!(listed, expected);
    for object in source.list(&Filter::default()).map(Result::unwrap).collect::<Vec<_>>().await {
        assert_eq!(source.read(&object).await.unwrap(), "logs", "{}", object.uri);
    }
}

#[tokio::test]
async fn long_days_are_parted_and_come_in_order() {
    let name = |minute: u32, n: u32| {
        let (hour, minute) = (minute / 60, minute % 60);
        format!("{DAY}/111122223333_CloudTrail_eu-west-1_20260301T{hour:02}{minute:02}Z_{n:016}.json.gz")
    };
    let mut names: Vec<String> = (0..6_000).map(|n| name(n * 1440 / 6_000, n)).collect();
    names.extend([format!("{DAY}/aaa.json"), format!("{DAY}/zzz.json"), format!("{DAY}/deeper/x.json")]);
    let served = serve(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    names.sort();
    assert_eq!(keys(&served.source(DAY).await).await, names);
    // Pages of a thousand, and those that found nothing at the ends of parts.
    assert!(
        (7..20).contains(&served.server.faults().seen(Class::List)),
        "{}",
        served.server.faults().seen(Class::List)
    );

    served.memory.put("flat", "x", "y");
    for n in 0..2_500 {
        served.memory.put("flat", &format!("{n}.json"), "y");
    }
    let source = Source::open("s3://flat", &served.options()).await.unwrap();
    assert_eq!(source.list(&Filter::default()).collect::<Vec<_>>().await.len(), 2_501);
}

#[tokio::test]
async fn the_newest_days_cost_one_request_a_region() {
    let region = DAY.trim_end_matches("/2026/03/01");
    let files: Vec<String> = (1..=28).map(|day| format!("{region}/2026/02/{day:02}/x.json.gz")).collect();
    let served = serve(&files.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let source = served.source("").await;
    let mut listing = source.list_since(&Filter::default(), &Settled::default());
    while let Some(object) = listing.next().await {
        object.unwrap();
    }
    let report = listing.report();
    assert!(report.complete && report.visited.len() == 1 && report.visited[0].failed.is_none(), "{report:?}");
    let before = served.server.faults().seen(Class::List);

    let today = report.today.unwrap();
    let mut settled = Settled::default();
    settled.add(&report.visited[0].folder, report.visited[0].first, today);
    let listed: Vec<_> = source.list_since(&Filter::default(), &settled).collect().await;
    assert_eq!(listed.len(), 0);
    // The five folders down to the region, and the region.
    assert_eq!(served.server.faults().seen(Class::List) - before, 7);

    served.memory.put("logs", &files[27], "again");
    let tomorrow = today.next();
    let new = format!("{region}/{:04}/{:02}/{:02}/n.json.gz", tomorrow.year(), tomorrow.month(), tomorrow.day());
    served.memory.put("logs", &new, "new");
    let listed: Vec<_> = source.list_since(&Filter::default(), &settled).map(Result::unwrap).collect().await;
    assert_eq!(listed.iter().map(|object| object.day.unwrap()).collect::<Vec<_>>(), [tomorrow]);
    assert_eq!(source.list(&Filter::default()).collect::<Vec<_>>().await.len(), 29);
}

#[tokio::test]
async fn small_months_come_in_one_answer_and_days_stay_in_order() {
    let day = |region: &str, day: u32| format!("AWSLogs/111122223333/CloudTrail/{region}/2026/03/{day:02}");
    let mut names: Vec<String> = (1..=31).map(|n| format!("{}/x.json", day("eu-west-1", n))).collect();
    names.extend((1..=1_240).map(|n| format!("{}/{n:05}.json", day("us-east-1", 1 + n % 31))));
    names.push("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/stray/y.json".to_owned());
    let served = serve(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let source = served.source("").await;
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    assert_eq!(listed.len(), names.len());
    let days: Vec<_> = listed.iter().filter_map(|object| object.day).collect();
    assert!(days[..31].is_sorted() && days[31..].is_sorted() && days.len() == names.len() - 1);
    // Four folders; a year and a month of two regions each; the small month, and the middling one with its rest.
    assert_eq!(served.server.faults().seen(Class::List), 4 + 2 + 2 + 1 + 1 + 2);
    let mut settled = Settled::default();
    let (from, to) = ("2026-03-05".parse().unwrap(), "2026-03-30".parse().unwrap());
    settled.add("s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1", from, to);
    settled.add("s3://logs/AWSLogs/111122223333/CloudTrail/us-east-1", from, to);
    let open: Vec<_> = source.list_since(&Filter::default(), &settled).map(Result::unwrap).collect().await;
    let inside = |day: Day| from <= day && day <= to;
    assert_eq!(open.len(), names.len() - days.into_iter().filter(|day| inside(*day)).count());
    assert!(open.iter().all(|object| object.day.is_none_or(|day| !inside(day))));
}

#[tokio::test]
async fn who_may_list_one_account_only_gets_it() {
    let mine = DAY.replace("o-a1b2c3d4e5/AWSLogs/o-a1b2c3d4e5", "AWSLogs");
    let theirs = mine.replace("111122223333", "444455556666");
    let served = serve(&[&format!("{mine}/x.json.gz"), &format!("{theirs}/x.json.gz")]).await;
    served.server.faults().allow_only(Class::List, &["prefix=AWSLogs%2F111122223333%2F"]);
    let filter = Filter { accounts: vec!["111122223333".to_owned()], ..Filter::default() };
    for prefix in ["", "AWSLogs"] {
        let mut listing = served.source(prefix).await.list_since(&filter, &Settled::default());
        let mut found = Vec::new();
        while let Some(object) = listing.next().await {
            found.push(object.unwrap().uri);
        }
        assert_eq!(found, [format!("s3://logs/{mine}/x.json.gz")]);
        assert!(listing.report().notes[0].contains("may not be listed"), "{:?}", listing.report());
    }
    let filter = Filter { accounts: vec!["444455556666".to_owned()], ..Filter::default() };
    let refused: Vec<_> = served.source("").await.list(&filter).collect().await;
    assert!(matches!(refused.as_slice(), [Err(Error::AccessDenied { .. })]), "{refused:?}");
}

#[tokio::test]
async fn region_clock_and_payer_are_found_out() {
    let served = serve(&["a.json"]).await;
    let faults = served.server.faults();
    faults.set_region("eu-central-1");
    assert_eq!(keys(&served.source("").await).await, ["a.json"]);
    faults.clear();
    faults.set_clock(600);
    assert_eq!(keys(&served.source("").await).await, ["a.json"]);
    faults.clear();
    faults.require_payer();
    let refused: Vec<_> = served.source("").await.list(&Filter::default()).collect().await;
    assert!(matches!(refused.as_slice(), [Err(Error::AccessDenied { .. })]), "{refused:?}");
    let paying = Options { request_payer: true, ..served.options() };
    assert_eq!(keys(&Source::open("s3://logs", &paying).await.unwrap()).await, ["a.json"]);
}

#[tokio::test]
async fn what_comes_broken_is_asked_for_again() {
    let served = serve(&["a.json", "b.json"]).await;
    let faults = served.server.faults();
    let options = Options { read_timeout: Duration::from_millis(500), max_retries: 8, ..served.options() };
    let source = Source::open("s3://logs", &options).await.unwrap();
    for fault in [
        Fault::SlowDown,
        Fault::Refuse(500, "InternalError", "We encountered an internal error."),
        Fault::Refuse(200, "InternalError", "after the headers"),
        Fault::Truncate,
        Fault::Short,
        Fault::Reset,
        Fault::Stall(Duration::from_secs(3)),
        Fault::StallBody(Duration::from_secs(3)),
    ] {
        for class in [Class::List, Class::Get] {
            if (class, fault) == (Class::Get, Fault::Refuse(200, "InternalError", "after the headers")) {
                continue;
            }
            faults.add(class, fault, 2);
            let hit = faults.hit();
            let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
            assert_eq!(listed.len(), 2, "{fault:?}");
            for object in &listed {
                assert_eq!(source.read(object).await.unwrap(), "logs", "{fault:?}");
            }
            assert_eq!(faults.hit() - hit, 2, "{class:?} {fault:?}");
        }
    }
    let effort = source.effort();
    assert_eq!((effort.repeated, effort.slowed), (30, 4), "{effort:?}");
}

#[tokio::test]
async fn fewer_requests_at_once_when_told_to_slow_down() {
    let names: Vec<String> = (0..300).map(|n| format!("{n}.json")).collect();
    let served = serve(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let faults = served.server.faults();
    faults.set_latency(Class::Get, Duration::from_millis(5));
    faults.set_capacity(8);
    let source = Source::open("s3://logs", &Options { max_retries: 20, ..served.options() }).await.unwrap();
    let listed: Vec<_> = source.list(&Filter::default()).map(Result::unwrap).collect().await;
    let read = stream::iter(&listed).map(|object| source.read(object)).buffer_unordered(300);
    let read: Vec<_> = read.collect().await;
    assert!(read.iter().all(|body| body.as_ref().is_ok_and(|body| body == "logs")));
    assert!(source.effort().slowed > 0);
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
        read_timeout: Duration::from_secs(5),
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
    let text = list.to_string();
    for part in
        ["`s3://logs/AWSLogs/`", "s3:ListBucket on arn:aws:s3:::logs", "bucket policy", "AccessDenied, not allowed"]
    {
        assert!(text.contains(part), "{text}");
    }
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
    // It went where it was sent, and was sent there again.
    assert!(matches!(&list, Error::WrongRegion { region, .. } if region == "us-west-2"), "{list}");

    let (list, _) = refusals("301 Moved Permanently", "<Error><Code>PermanentRedirect</Code></Error>").await;
    assert!(matches!(list, Error::WrongRegion { .. }), "{list}");

    let (list, _) = refusals("500 Internal Server Error", "").await;
    assert!(matches!(&list, Error::Store { doing: "list", uri, .. } if uri == "s3://logs/AWSLogs/"), "{list}");
}
