//! Killed at any moment and run again: nothing lost, nothing doubled.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::program::{bucket, cloudtarn, ingest, rows, text};

/// Everything of the table but where each event came from, which of two twins is kept may differ.
fn table(store: &Path) -> Vec<String> {
    rows(
        store,
        "SELECT eventID, eventTime, eventName, userIdentity.arn, eventJson FROM $EDS_ID ORDER BY eventID, eventJson",
    )
}

#[test]
fn killed_ten_times_and_resumed_gives_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("bucket");
    bucket(&from, 30_000);
    let whole = folder.path().join("whole");
    let started = std::time::Instant::now();
    ingest(&from, &whole);
    let took = started.elapsed();

    let killed = folder.path().join("killed");
    let mut kills = 0;
    for round in 0..10u32 {
        // Small memory, so that there are many commits to be killed between and inside of.
        let mut child = cloudtarn(&["ingest", text(&from), "--store", text(&killed), "--memory", "64MiB"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let fraction = (round * 37 % 100) as f64 / 100.0;
        std::thread::sleep(Duration::from_millis(20) + took.mul_f64(fraction));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "every run ended before it was killed");
    ingest(&from, &killed);
    assert_eq!(table(&killed), table(&whole));
    let left = walk(&killed).into_iter().filter(|name| name.ends_with(".tmp")).collect::<Vec<_>>();
    assert!(left.is_empty(), "{left:?}");
}

/// Every point at which a crash matters, in the first commit and in a later one. A debug build is killed there when told to.
#[cfg(all(unix, debug_assertions))]
#[test]
fn killed_at_every_point_and_resumed_gives_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("bucket");
    bucket(&from, 16_000);
    let whole = folder.path().join("whole");
    ingest(&from, &whole);
    let expected = table(&whole);
    for point in [
        "catalogue made",
        "swept",
        "ids written",
        "ids synced",
        "ids renamed",
        "parquet written",
        "parquet synced",
        "parquet renamed",
        "zst written",
        "zst synced",
        "zst renamed",
        "catalogue written",
        "catalogue committed",
    ] {
        let killed = folder.path().join("killed");
        let kill = |time: u32| {
            let mut command = cloudtarn(&["ingest", text(&from), "--store", text(&killed), "--memory", "64MiB"]);
            command.env("CLOUDTARN_CRASH", format!("{point}@{time}")).stderr(Stdio::null()).stdout(Stdio::null());
            let status = command.status().unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{point}@{time}: {status}");
        };
        kill(1);
        // Points that a run passes once are met again by the next run.
        kill(if point.starts_with("swept") || point.ends_with("made") { 1 } else { 2 });
        ingest(&from, &killed);
        assert!(table(&killed) == expected, "{point}: another table");
        let left = walk(&killed).into_iter().filter(|name| name.ends_with(".tmp")).collect::<Vec<_>>();
        assert!(left.is_empty(), "{point}: {left:?}");
        std::fs::remove_dir_all(&killed).unwrap();
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(walk(&path));
        } else {
            names.push(path.display().to_string());
        }
    }
    names
}
