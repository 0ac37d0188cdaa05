//! The fault matrix: whatever goes wrong on the way, in the end nothing is lost, nothing doubled, and the account is right.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cloudtarn_testkit::{Class, Fault};

use crate::program::{Ended, bucket, cloudtarn, ended, ingest, rows, text};
use crate::served::{BUCKET, Served, output, with_bucket};

/// Runs on a server with these faults, which are to be overcome within the run.
fn overcome(name: &str, arguments: &[&str], prepare: impl Fn(&Served)) {
    with_bucket(2_000, async |served| {
        prepare(served);
        let ended = served.ingest(arguments).await;
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.err);
        assert!(served.server.faults().hit() > 0, "{name}: no fault");
        served.assert_whole();
        served.server.faults().clear();
        let again = served.ingest_well(&["--full"]).await;
        assert!(again.err.contains("\n0 records read"), "{name}: {}", again.err);
    });
}

#[test]
fn every_seventh_answer_is_slow_down() {
    overcome("slow down", &[], |served| {
        served.server.faults().add_every(Class::List, Fault::SlowDown, 7);
        served.server.faults().add_every(Class::Get, Fault::SlowDown, 7);
    });
}

#[test]
fn every_seventh_answer_is_an_internal_error() {
    overcome("500", &[], |served| {
        let error = Fault::Refuse(500, "InternalError", "We encountered an internal error. Please try again.");
        served.server.faults().add_every(Class::List, error, 7);
        served.server.faults().add_every(Class::Get, error, 7);
        served.server.faults().add_every(Class::List, Fault::Refuse(200, "InternalError", "too late"), 9);
    });
}

#[test]
fn connections_break() {
    overcome("resets", &[], |served| {
        served.server.faults().add_every(Class::List, Fault::Reset, 6);
        served.server.faults().add_every(Class::Get, Fault::Reset, 6);
    });
}

#[test]
fn answers_do_not_come() {
    overcome("timeouts", &["--read-timeout", "1s"], |served| {
        served.server.faults().add(Class::List, Fault::Stall(Duration::from_secs(120)), 3);
        served.server.faults().add(Class::Get, Fault::Stall(Duration::from_secs(120)), 4);
        served.server.faults().add(Class::Get, Fault::StallBody(Duration::from_secs(120)), 4);
    });
}

#[test]
fn bodies_are_cut_and_lengths_are_wrong() {
    overcome("bodies", &[], |served| {
        served.server.faults().add_every(Class::List, Fault::Truncate, 8);
        served.server.faults().add_every(Class::Get, Fault::Truncate, 8);
        served.server.faults().add_every(Class::List, Fault::Short, 9);
        served.server.faults().add_every(Class::Get, Fault::Short, 9);
    });
}

#[test]
fn the_clock_is_wrong() {
    overcome("clock", &[], |served| served.server.faults().set_clock(10 * 60));
    overcome("clock", &[], |served| served.server.faults().set_clock(-10 * 60));
}

#[test]
fn the_server_bears_few_requests() {
    overcome("capacity", &[], |served| {
        served.server.faults().set_latency(Class::Get, Duration::from_millis(3));
        served.server.faults().set_latency(Class::List, Duration::from_millis(3));
        served.server.faults().set_capacity(6);
    });
}

#[test]
fn what_lasts_is_told_and_the_next_run_mends_it() {
    with_bucket(2_000, async |served| {
        let error = Fault::Refuse(500, "InternalError", "We encountered an internal error.");
        for (class, fault) in [
            (Class::Get, error),
            (Class::Get, Fault::Short),
            (Class::Get, Fault::Reset),
            (Class::List, error),
            (Class::List, Fault::Short),
            (Class::List, Fault::Reset),
        ] {
            served.server.faults().add_every(class, fault, 2);
            let mut command = served.command(&[]);
            let ended = output(std::mem::replace(command.env("AWS_MAX_ATTEMPTS", "1"), Command::new("true"))).await;
            assert!(matches!(ended.code, Some(1 | 3)), "{class:?} {fault:?}: {}", ended.err);
            assert!(ended.err.contains("not readable") || ended.err.contains("not listed"), "{}", ended.err);
            served.server.faults().clear();
        }
        served.ingest_well(&[]).await;
        served.assert_whole();
    });
}

#[test]
fn the_name_is_gone_or_nobody_answers() {
    with_bucket(300, async |served| {
        for endpoint in ["http://nobody.invalid:9", "http://127.0.0.1:9"] {
            let mut command = served.command(&[]);
            command.env("AWS_ENDPOINT_URL_S3", endpoint).env("AWS_MAX_ATTEMPTS", "2");
            let ended = output(command).await;
            assert_eq!(ended.code, Some(1), "{}", ended.err);
            assert!(ended.err.contains(endpoint) && ended.err.contains("does not answer"), "{}", ended.err);
        }
        served.ingest_well(&[]).await;
        served.assert_whole();
    });
}

#[test]
fn the_server_goes_away_in_the_middle() {
    with_bucket(3_000, async |served| {
        served.server.faults().set_latency(Class::Get, Duration::from_millis(10));
        let mut command = served.command(&["--max-requests", "4"]);
        command.env("AWS_MAX_ATTEMPTS", "2");
        let running = tokio::spawn(output(command));
        while served.server.faults().seen(Class::Get) < 6 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        served.server.faults().add_every(Class::Get, Fault::Reset, 1);
        served.server.faults().add_every(Class::List, Fault::Reset, 1);
        let ended = running.await.unwrap();
        assert!(matches!(ended.code, Some(1 | 3)), "{}", ended.err);
        assert!(ended.err.contains("does not answer"), "{}", ended.err);
        served.server.faults().clear();
        served.ingest_well(&[]).await;
        served.assert_whole();
    });
}

#[test]
fn two_at_once() {
    with_bucket(2_000, async |served| {
        served.server.faults().set_latency(Class::Get, Duration::from_millis(100));
        let first = tokio::spawn(output(served.command(&["--max-requests", "4"])));
        while served.server.faults().seen(Class::Get) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let second = served.ingest(&[]).await;
        assert_eq!(second.code, Some(1), "{}", second.err);
        assert!(second.err.contains("being written by another process"), "{}", second.err);
        served.server.faults().clear();
        assert_eq!(first.await.unwrap().code, Some(0));
        served.assert_whole();
    });
}

/// A folder with a bucket, and a store that has nothing or all of it.
struct Local {
    folder: tempfile::TempDir,
    events: u64,
}

impl Local {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events = bucket(&folder.path().join("bucket"), 4_000).distinct_events;
        Self { folder, events }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Ended {
        ended(
            cloudtarn(&["ingest", text(&self.path("bucket")), "--store", text(&self.path("store"))]).output().unwrap(),
        )
    }

    fn assert_whole(&self) {
        ingest(&self.path("bucket"), &self.path("store"));
        let counted = rows(&self.path("store"), "SELECT count(*), count(DISTINCT eventID) FROM $EDS_ID");
        assert_eq!(counted, [format!("{0},{0}", self.events)]);
    }
}

#[cfg(unix)]
#[test]
fn the_disk_is_full() {
    let local = Local::new();
    let program = env!("CARGO_BIN_EXE_cloudtarn");
    let mut met = 0;
    // A limit on the size of files stands for the disk's; in blocks of 512 or 1024 bytes, as the shell has it.
    for blocks in [8, 64, 256, 700] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", program, "ingest", text(&local.path("bucket"))]);
        command.args(["--store", text(&local.path("store")), "--memory", "64MiB"]).env("NO_COLOR", "1");
        let ended = ended(command.output().unwrap());
        if ended.code != Some(0) {
            met += 1;
            assert_eq!(ended.code, Some(1), "{blocks}: {}", ended.err);
            assert!(ended.err.contains(text(&local.path("store"))) || ended.err.contains("catalog"), "{}", ended.err);
        }
    }
    assert!(met > 1, "the disk was never full");
    local.assert_whole();
}

#[test]
fn the_catalogue_is_locked() {
    let local = Local::new();
    ingest(&local.path("bucket"), &local.path("store"));
    fs::remove_dir_all(local.path("store/data")).unwrap();
    fs::remove_dir_all(local.path("store")).unwrap();
    fs::create_dir(local.path("store")).unwrap();
    let other = rusqlite::Connection::open(local.path("store/catalog.db")).unwrap();
    other.pragma_update(None, "journal_mode", "WAL").unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = std::thread::spawn({
        let (from, store) = (local.path("bucket"), local.path("store"));
        move || ended(cloudtarn(&["ingest", text(&from), "--store", text(&store)]).output().unwrap())
    });
    std::thread::sleep(Duration::from_secs(2));
    assert!(!waiting.is_finished(), "it did not wait");
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    let ended = waiting.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    local.assert_whole();
}

#[test]
fn the_catalogue_is_damaged_or_lost() {
    let local = Local::new();
    ingest(&local.path("bucket"), &local.path("store"));
    let catalogue = local.path("store/catalog.db");
    let good = fs::read(&catalogue).unwrap();
    let data = || files(&local.path("store/data"));
    let before = data();
    let mut garbled = good.clone();
    garbled[..4096].fill(0x5a);
    for bad in [Some(garbled), Some(Vec::new()), None] {
        match bad {
            Some(bytes) => fs::write(&catalogue, bytes).unwrap(),
            None => fs::remove_file(&catalogue).unwrap(),
        }
        let ended = local.run();
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains("catalog.db") && ended.err.contains("backup"), "{}", ended.err);
        assert_eq!(data(), before, "data was swept away with the catalogue");
    }
    fs::write(&catalogue, good).unwrap();
    local.assert_whole();
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[cfg(unix)]
#[test]
fn the_store_is_on_a_read_only_disk() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let local = Local::new();
    ingest(&local.path("bucket"), &local.path("store"));
    // Root may write anywhere: then it is somebody else who tries, with a copy of the program in reach.
    let root = fs::metadata(local.folder.path()).unwrap().uid() == 0;
    let program = local.path("cloudtarn");
    fs::copy(env!("CARGO_BIN_EXE_cloudtarn"), &program).unwrap();
    let all = |mode: u32, folder_mode: u32| {
        let mut folders = vec![local.path("store")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                }
            }
            fs::set_permissions(&folder, fs::Permissions::from_mode(folder_mode)).unwrap();
        }
    };
    fs::set_permissions(local.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    all(0o444, 0o555);
    let somebody = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).args(["--store", text(&local.path("store"))]).env("NO_COLOR", "1").env("HOME", "/");
        if root {
            command.uid(65_534).gid(65_534);
        }
        ended(command.output().unwrap())
    };
    let refused = somebody(&["ingest", text(&local.path("bucket"))]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("ermission denied"), "{}", refused.err);
    let asked = somebody(&["query", "SELECT count(*) FROM $EDS_ID", "--output", "csv"]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    assert!(asked.out.contains(&local.events.to_string()), "{}", asked.out);
    all(0o644, 0o755);
    local.assert_whole();
}

#[test]
fn a_key_that_vanishes_or_changes_while_it_is_read() {
    with_bucket(1_000, async |served| {
        served.server.faults().set_latency(Class::Get, Duration::from_millis(200));
        let keys: Vec<_> = served.memory.keys(BUCKET).into_iter().filter(|key| key.contains("/CloudTrail/")).collect();
        let running = tokio::spawn(output(served.command(&["--max-requests", "1"])));
        while served.server.faults().seen(Class::Get) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let last = keys.last().unwrap();
        served.memory.put(BUCKET, last, crate::served::log_file("new"));
        served.server.faults().clear();
        let ended = running.await.unwrap();
        assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.err);
        // The version that was listed is gone; the next run reads the one that is there.
        served.ingest_well(&[]).await;
        assert_eq!(rows(&served.store(), "SELECT count(*) FROM $EDS_ID WHERE eventID = 'new'"), ["1"]);
    });
}
