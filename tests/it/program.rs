//! Runs the program and reads what it says.

use std::path::Path;
use std::process::{Command, Output};

use cloudtarn_corpus::{Corpus, Summary};

/// The program, without anything of this machine's AWS configuration.
pub(crate) fn cloudtarn(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtarn"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") || name == "CLOUDTARN_STORE" {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_COLOR", "1").args(arguments);
    command
}

/// What the program wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    ended(cloudtarn(arguments).output().unwrap())
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ingests a folder and expects all to be well.
pub(crate) fn ingest(bucket: &Path, store: &Path) -> Ended {
    let ended = run(&["ingest", text(bucket), "--store", text(store)]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended
}

/// Runs a statement and gives its rows, cells separated by commas.
pub(crate) fn rows(store: &Path, sql: &str) -> Vec<String> {
    let ended = run(&["query", sql, "--store", text(store), "--output", "csv"]);
    assert_eq!(ended.code, Some(0), "{sql}\n{}", ended.err);
    ended.out.lines().skip(1).map(str::to_owned).collect()
}

/// Makes a bucket: two trails deliver into it, so that some events come twice.
pub(crate) fn bucket(folder: &Path, events: u64) -> Summary {
    let corpus = Corpus {
        events,
        organization: Some("o-exampleorg1".to_owned()),
        duplicates: 0.1,
        insights: true,
        digests: true,
        ..Corpus::default()
    };
    corpus.write(folder).unwrap()
}

/// Every record of every log file below a folder, read without the program.
pub(crate) fn records(folder: &Path) -> Vec<serde_json::Value> {
    let mut records = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("CloudTrail-Digest") && !path.ends_with("CloudTrail-Insight") {
                    folders.push(path);
                }
                continue;
            }
            let file = std::fs::File::open(&path).unwrap();
            let mut document: serde_json::Value =
                serde_json::from_reader(flate2::read::MultiGzDecoder::new(file)).unwrap();
            records.append(document["Records"].as_array_mut().unwrap());
        }
    }
    records
}
