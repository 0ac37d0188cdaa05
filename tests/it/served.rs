//! A bucket in memory behind a server that speaks S3's protocol, and the program on it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use cloudtarn_testkit::{Memory, S3Server};

use crate::program::{Ended, bucket, cloudtarn, ended, rows, text};

/// The bucket's name.
pub(crate) const BUCKET: &str = "archive";

/// A bucket, its server, and a folder for stores.
pub(crate) struct Served {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) memory: Arc<Memory>,
    pub(crate) server: S3Server,
    /// Distinct events in the bucket's log files.
    pub(crate) events: u64,
}

/// Runs a test on a bucket with so many events. The server needs its threads while the program runs.
pub(crate) fn with_bucket(events: u64, test: impl AsyncFnOnce(&Served)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(Memory::default());
        let mut distinct = 0;
        if events > 0 {
            distinct = bucket(&folder.path().join("made"), events).distinct_events;
            memory.put_folder(BUCKET, &folder.path().join("made")).unwrap();
        }
        let server = S3Server::start_in_memory(Arc::clone(&memory)).await.unwrap();
        test(&Served { folder, memory, server, events: distinct }).await;
    });
}

impl Served {
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The program on the bucket and the store, with keys that the server takes.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let source = format!("s3://{BUCKET}");
        let mut command = self.bare(&["ingest", &source, "--store", text(&self.store())]);
        command
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", self.server.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.server.secret_key());
        command
    }

    /// The program with this server, and no credentials.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = cloudtarn(arguments);
        command.env("AWS_ENDPOINT_URL_S3", self.server.endpoint()).env("AWS_REGION", "us-east-1");
        command
            .env("AWS_CONFIG_FILE", self.folder.path().join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.folder.path().join("credentials"));
        command
    }

    pub(crate) async fn ingest(&self, arguments: &[&str]) -> Ended {
        output(self.command(arguments)).await
    }

    /// Ingests and expects all to be well.
    pub(crate) async fn ingest_well(&self, arguments: &[&str]) -> Ended {
        let ended = self.ingest(arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended
    }

    /// Every event of the bucket is in the store, once.
    pub(crate) fn assert_whole(&self) {
        let counted = rows(&self.store(), "SELECT count(*), count(DISTINCT eventID) FROM $EDS_ID");
        assert_eq!(counted, [format!("{0},{0}", self.events)]);
    }

    pub(crate) fn count(&self) -> String {
        rows(&self.store(), "SELECT count(*) FROM $EDS_ID").remove(0)
    }
}

pub(crate) async fn output(mut command: Command) -> Ended {
    tokio::task::spawn_blocking(move || ended(command.output().unwrap())).await.unwrap()
}

/// A gzipped log file with one event.
pub(crate) fn log_file(id: &str) -> Vec<u8> {
    use std::io::Write;
    let text = format!(
        r#"{{"Records":[{{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventName":"A","eventSource":"s3.amazonaws.com","eventID":"{id}","recipientAccountId":"111122223333"}}]}}"#
    );
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The key of a log file that was delivered some days ago.
pub(crate) fn key(account: &str, region: &str, days_ago: i64, name: &str) -> String {
    let day = chrono::Utc::now() - chrono::TimeDelta::days(days_ago);
    let (path, compact) = (day.format("%Y/%m/%d"), day.format("%Y%m%d"));
    format!(
        "AWSLogs/{account}/CloudTrail/{region}/{path}/{account}_CloudTrail_{region}_{compact}T0005Z_{name:0>16}.json.gz"
    )
}
