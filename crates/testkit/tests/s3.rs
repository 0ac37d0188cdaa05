//! The server, seen by a client that ships.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use cloudtarn_testkit::{Class, Fault, S3Server};
use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};

const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/a.json.gz";

async fn server(objects: usize) -> (tempfile::TempDir, S3Server) {
    let folder = tempfile::tempdir().unwrap();
    let day = folder.path().join("logs/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join("a.json.gz"), vec![b'x'; 50_000]).unwrap();
    for i in 1..objects {
        std::fs::write(day.join(format!("b{i:05}.json.gz")), b"y").unwrap();
    }
    let server = S3Server::start(folder.path()).await.unwrap();
    (folder, server)
}

fn client(server: &S3Server, secret: &str, retries: usize, timeout: Duration) -> AmazonS3 {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(2), max_backoff: Duration::from_millis(10), base: 2.0 };
    AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_bucket_name("logs")
        .with_region("us-east-1")
        .with_access_key_id(server.access_key())
        .with_secret_access_key(secret)
        .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout(timeout))
        .with_retry(RetryConfig { max_retries: retries, backoff, ..RetryConfig::default() })
        .build()
        .unwrap()
}

async fn read(client: &AmazonS3) -> object_store::Result<usize> {
    Ok(client.get(&Path::from(KEY)).await?.bytes().await?.len())
}

#[tokio::test]
async fn lists_and_reads_what_is_in_the_folder() {
    let (_folder, server) = server(1_200).await;
    let client = client(&server, server.secret_key(), 0, Duration::from_secs(20));
    let listed: Vec<_> = client.list(Some(&Path::from("AWSLogs"))).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1_200);
    assert_eq!((listed[0].location.as_ref(), listed[0].size), (KEY, 50_000));
    assert_eq!(server.faults().seen(Class::List), 2, "pages of a thousand");
    assert_eq!(read(&client).await.unwrap(), 50_000);
    assert_eq!(client.head(&Path::from(KEY)).await.unwrap().size, 50_000);
    assert_eq!((server.faults().seen(Class::Get), server.faults().seen(Class::Head)), (1, 1));
}

#[tokio::test]
async fn checks_signatures() {
    let (_folder, server) = server(1).await;
    let error = read(&client(&server, "wrong", 0, Duration::from_secs(5))).await.unwrap_err();
    assert!(error.to_string().contains("SignatureDoesNotMatch") || error.to_string().contains("403"), "{error}");
}

#[tokio::test]
async fn slows_down_as_often_as_told() {
    let (_folder, server) = server(1).await;
    let patient = client(&server, server.secret_key(), 5, Duration::from_secs(5));
    server.faults().add(Class::Get, Fault::SlowDown, 3);
    assert_eq!(read(&patient).await.unwrap(), 50_000);
    assert_eq!((server.faults().seen(Class::Get), server.faults().hit()), (4, 3));
    server.faults().add(Class::Get, Fault::SlowDown, 100);
    let error = read(&patient).await.unwrap_err().to_string();
    assert!(error.contains("SlowDown"), "{error}");
    server.faults().clear();
    server.faults().add(Class::List, Fault::AccessDenied, 1);
    assert!(patient.list(None).try_collect::<Vec<_>>().await.is_err());
    assert_eq!(read(&patient).await.unwrap(), 50_000);
}

#[tokio::test]
async fn cuts_stalls_and_closes() {
    let (_folder, server) = server(1).await;
    let hasty = client(&server, server.secret_key(), 0, Duration::from_millis(400));
    server.faults().add(Class::Get, Fault::Truncate, 1);
    server.faults().add(Class::Get, Fault::Reset, 1);
    server.faults().add(Class::Get, Fault::Stall(Duration::from_secs(2)), 1);
    server.faults().add(Class::Get, Fault::StallBody(Duration::from_secs(2)), 1);
    server.faults().add_for(Class::Get, "another-key", Fault::Reset, 1);
    for fault in ["cut", "closed", "stalled", "stalled in the body"] {
        let start = Instant::now();
        let outcome = read(&hasty).await;
        assert!(outcome.is_err(), "{fault}: {outcome:?} after {:?}", start.elapsed());
    }
    assert_eq!(server.faults().hit(), 4);
    assert_eq!(read(&hasty).await.unwrap(), 50_000);
}

#[tokio::test]
async fn closes_its_port_when_dropped() {
    let (_folder, server) = server(1).await;
    let address = server.endpoint().trim_start_matches("http://").to_owned();
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
    drop(server);
    let closed = async {
        while tokio::net::TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("the port stays open");
}
