//! Each theme: a store, a server, a script.

use std::fs;

use super::{Server, script};
use crate::program::{bucket, ingest};

/// A store with a small bucket in it.
fn with_store(test: impl FnOnce(&std::path::Path, &std::path::Path)) {
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
