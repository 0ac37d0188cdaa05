//! Each theme: a store, a server, a script.

use std::fs;
use std::path::Path;

use super::{Server, script};
use crate::program::{bucket, ingest, run, text};
use crate::served::{BUCKET, with_bucket};
use crate::venv;

/// A store with a small bucket in it.
fn with_store(test: impl FnOnce(&Path, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    bucket(&folder.path().join("bucket"), 3_000);
    let store = folder.path().join("store");
    ingest(&folder.path().join("bucket"), &store);
    test(folder.path(), &store);
}

#[test]
fn every_operation_answers_as_the_service_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("store"), &[]);
    script("walk.py", &server, folder.path(), &[]);
    server.stop();
}

#[test]
fn queries_run_are_described_paged_listed_and_cancelled() {
    with_store(|folder, store| {
        let server = Server::start(store, &[]);
        script("queries.py", &server, folder, &[]);
        server.stop();
    });
}

#[test]
fn a_restart_keeps_results_and_marks_what_it_broke_off() {
    with_store(|folder, store| {
        let server = Server::start(store, &[]);
        script("restart.py", &server, folder, &[("PHASE", "before")]);
        server.kill();
        let server = Server::start(store, &[]);
        script("restart.py", &server, folder, &[("PHASE", "after a crash")]);
        server.stop();
        let server = Server::start(store, &[]);
        script("restart.py", &server, folder, &[("PHASE", "after a stop")]);
        assert!(fs::read_dir(store.join("queries")).unwrap().count() >= 1);
    });
}

#[test]
fn stores_imports_deliveries_dashboards_and_history_work() {
    with_store(|folder, store| {
        let server = Server::start(store, &[]);
        script("stores.py", &server, folder, &[]);
        server.stop();
    });
}

#[test]
fn a_bucket_is_imported_from_and_delivered_to() {
    with_bucket(2_000, async |served| {
        served.ingest_well(&[]).await;
        let keys =
            [("AWS_ACCESS_KEY_ID", served.server.access_key()), ("AWS_SECRET_ACCESS_KEY", served.server.secret_key())];
        let server = Server::of(served.bare(&["serve"]).envs(keys), &served.store());
        let endpoint = served.server.endpoint().to_owned();
        let mut environment = vec![("AWS_ENDPOINT_URL_S3", endpoint.as_str()), ("AWS_REGION", "us-east-1")];
        environment.extend([("AWS_DEFAULT_REGION", "us-east-1"), ("BUCKET", BUCKET)]);
        environment.extend(keys);
        tokio::task::block_in_place(|| script("bucket.py", &server, served.folder.path(), &environment));
        server.stop();
    });
}

#[test]
fn channels_take_events_from_outside_in() {
    with_store(|folder, store| {
        let server = Server::start(store, &[]);
        script("channels.py", &server, folder, &[]);
        server.stop();
    });
}

/// A server with the principals of `principals.py`, who may import from and deliver to `root`.
fn with_principals(folder: &Path, store: &Path, root: &Path) -> Server {
    let config = folder.join("principals.json");
    let mut python = venv::command("python");
    python.arg(super::scripts().join("principals.py")).arg(&config).arg(root);
    assert!(python.status().unwrap().success());
    Server::start(store, &["--config", text(&config)])
}

#[test]
fn policies_decide_who_may_ask_what_of_which_events() {
    with_store(|folder, store| {
        let server = with_principals(folder, store, &folder.join("allowed"));
        script("sharing.py", &server, folder, &[]);
        server.stop();
    });
}

#[test]
fn nothing_tells_of_what_is_beyond_a_grant() {
    with_store(|folder, store| {
        let server = with_principals(folder, store, folder);
        script("beyond.py", &server, folder, &[]);
        server.stop();
    });
}

#[test]
fn malformed_requests_get_the_errors_of_the_model() {
    with_store(|folder, store| {
        let server = with_principals(folder, store, folder);
        script("malformed.py", &server, folder, &[]);
        server.stop();
        let server = Server::start(store, &[]);
        script("local.py", &server, folder, &[]);
        server.stop();
    });
}

/// 50 clients with 10,000 calls where `CLOUDTARN_CALLS=10000`; some hundred otherwise.
#[test]
fn many_clients_leave_nothing_behind() {
    with_store(|folder, store| {
        let server = Server::start(store, &[]);
        let calls = std::env::var("CLOUDTARN_CALLS").unwrap_or_else(|_| "600".to_owned());
        script("many.py", &server, folder, &[("CALLS", &calls), ("STORE", text(store))]);
        server.stop();
    });
}

#[test]
fn other_machines_are_not_served_without_principals() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&["serve", "--store", text(folder.path()), "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("--config") && ended.out.is_empty(), "{}", ended.err);
    let config = folder.path().join("config.json");
    fs::write(&config, "{\"principals\": [{\"secretAccessKey\": [\"do-not-tell-this-one\"]}]}").unwrap();
    let ended = run(&["serve", "--store", text(folder.path()), "--config", text(&config)]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("config.json") && !ended.err.contains("do-not-tell"), "{}", ended.err);
}
