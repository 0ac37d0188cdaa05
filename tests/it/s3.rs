//! From a server that speaks S3's protocol, well and badly.

use std::path::Path;

use cloudtarn_testkit::{Class, Fault, S3Server};

use crate::program::{Ended, bucket, cloudtarn, ended, rows, text};

/// The server needs its threads while the program runs.
fn with_server(test: impl AsyncFnOnce(&Path, &S3Server, u64)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let made = bucket(&folder.path().join("buckets/archive"), 2_000);
        let server = S3Server::start(&folder.path().join("buckets")).await.unwrap();
        test(folder.path(), &server, made.distinct_events).await;
    });
}

async fn ingest(server: &S3Server, secret: &str, store: &Path) -> Ended {
    let mut command = cloudtarn(&["ingest", "s3://archive", "--store", text(store)]);
    command
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("AWS_ACCESS_KEY_ID", server.access_key())
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_REGION", "us-east-1");
    tokio::task::spawn_blocking(move || ended(command.output().unwrap())).await.unwrap()
}

#[test]
fn the_whole_bucket_comes_in_though_the_server_falters() {
    with_server(async |folder, server, events| {
        server.faults().add(Class::List, Fault::SlowDown, 2);
        server.faults().add(Class::Get, Fault::SlowDown, 3);
        server.faults().add(Class::Get, Fault::Truncate, 3);
        server.faults().add(Class::Get, Fault::Reset, 2);
        let store = folder.join("store");
        let ended = ingest(server, server.secret_key(), &store).await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(server.faults().hit() >= 10, "{}", server.faults().hit());
        assert_eq!(rows(&store, "SELECT count(*) FROM $EDS_ID"), [events.to_string()]);
        let again = ingest(server, server.secret_key(), &store).await;
        assert!(again.err.contains("\n0 records read"), "{}", again.err);
    });
}

#[test]
fn what_cannot_be_read_now_is_read_by_the_next_run() {
    with_server(async |folder, server, events| {
        server.faults().add(Class::Get, Fault::AccessDenied, 1);
        let store = folder.join("store");
        let first = ingest(server, server.secret_key(), &store).await;
        assert_eq!(first.code, Some(3), "{}", first.err);
        assert!(first.err.contains("not readable") && first.err.contains("s3:GetObject"), "{}", first.err);
        assert_eq!(ingest(server, server.secret_key(), &store).await.code, Some(0));
        assert_eq!(rows(&store, "SELECT count(*) FROM $EDS_ID"), [events.to_string()]);
    });
}

#[test]
fn a_wrong_secret_fails_and_stays_secret() {
    with_server(async |folder, server, _| {
        let ended = ingest(server, "wrong-secret-of-nobody", &folder.join("store")).await;
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains("archive") && !ended.err.contains("wrong-secret-of-nobody"), "{}", ended.err);
    });
}
