//! What is found in a bucket, by the first run and by those after it.

use cloudtarn_testkit::Class;

use crate::program::text;
use crate::served::{BUCKET, Served, key, log_file, output, with_bucket};

const ACCOUNT: &str = "111122223333";

fn put(served: &Served, account: &str, region: &str, days_ago: i64, name: &str) -> String {
    let key = key(account, region, days_ago, name);
    served.memory.put(BUCKET, &key, log_file(name));
    key
}

#[test]
fn later_runs_look_only_where_something_can_be_new() {
    with_bucket(0, async |served| {
        for days_ago in 1..=40 {
            put(served, ACCOUNT, "us-east-1", days_ago, &format!("a{days_ago}"));
        }
        served.ingest_well(&[]).await;
        assert_eq!(served.count(), "40");
        let before = served.server.faults().seen(Class::List);
        let again = served.ingest_well(&[]).await;
        assert!(again.err.contains("3 files listed") || again.err.contains("2 files listed"), "{}", again.err);
        let asked = served.server.faults().seen(Class::List) - before;
        assert!(asked <= 6, "{asked} listings");

        // Late within the window, and a new account, a new region, an older day of each.
        put(served, ACCOUNT, "us-east-1", 2, "late");
        put(served, ACCOUNT, "eu-west-1", 30, "region");
        put(served, "444455556666", "us-east-1", 35, "account");
        served.ingest_well(&[]).await;
        assert_eq!(served.count(), "43");
        // Later than the window: by a full sweep, or a wider window from now on.
        put(served, ACCOUNT, "us-east-1", 20, "later");
        served.ingest_well(&[]).await;
        assert_eq!(served.count(), "43");
        served.ingest_well(&["--full"]).await;
        assert_eq!(served.count(), "44");
    });
}

#[test]
fn a_wider_window_keeps_more_days_open() {
    with_bucket(0, async |served| {
        for days_ago in 1..=30 {
            put(served, ACCOUNT, "us-east-1", days_ago, &format!("a{days_ago}"));
        }
        served.ingest_well(&["--window", "15"]).await;
        put(served, ACCOUNT, "us-east-1", 12, "late");
        put(served, ACCOUNT, "us-east-1", 25, "too-late");
        served.ingest_well(&["--window", "15"]).await;
        assert_eq!(served.count(), "31");
    });
}

#[test]
fn days_with_files_that_could_not_be_read_stay_open() {
    with_bucket(0, async |served| {
        let keys: Vec<_> = (1..=20).map(|day| put(served, ACCOUNT, "us-east-1", day, &format!("a{day}"))).collect();
        let name = keys[14].rsplit('/').next().unwrap();
        served.server.faults().add_for(Class::Get, name, cloudtarn_testkit::Fault::AccessDenied, 1);
        assert_eq!(served.ingest(&[]).await.code, Some(3));
        assert_eq!(served.count(), "19");
        served.ingest_well(&[]).await;
        assert_eq!(served.count(), "20");
    });
}

#[test]
fn parts_of_time_add_up() {
    with_bucket(0, async |served| {
        for days_ago in 1..=60 {
            put(served, ACCOUNT, "us-east-1", days_ago, &format!("a{days_ago}"));
        }
        let day =
            |days_ago: i64| (chrono::Utc::now() - chrono::TimeDelta::days(days_ago)).format("%Y-%m-%d").to_string();
        served.ingest_well(&["--since", &day(20)]).await;
        let recent = served.count();
        assert!(recent == "20" || recent == "19", "{recent}");
        served.ingest_well(&["--since", &day(30)]).await;
        served.ingest_well(&[]).await;
        assert_eq!(served.count(), "60");
    });
}

#[test]
fn changed_and_deleted_files_are_told_once_and_their_events_kept() {
    with_bucket(0, async |served| {
        let keys: Vec<_> = (1..=6).map(|n| put(served, ACCOUNT, "us-east-1", 1, &format!("f{n}"))).collect();
        served.ingest_well(&[]).await;
        served.memory.put(BUCKET, &keys[0], log_file("other"));
        served.memory.put(BUCKET, &keys[1], log_file("f2"));
        served.memory.mark_deleted(BUCKET, &keys[2]);
        served.memory.remove(BUCKET, &keys[3]);
        let ended = served.ingest_well(&[]).await;
        for part in [
            "1  changed since they were taken in",
            "1  written again with the same bytes",
            "2  taken in before and not there any more",
            "with other bytes",
            "a delete marker hides it (version v",
            "it was deleted",
        ] {
            assert!(ended.err.contains(part), "no `{part}` in\n{}", ended.err);
        }
        assert_eq!(served.count(), "7");
        let again = served.ingest_well(&[]).await;
        assert!(!again.err.contains("changed") && !again.err.contains("any more"), "{}", again.err);
        assert!(again.err.contains("\n0 records read"), "{}", again.err);
    });
}

#[test]
fn a_plan_tells_what_would_be_read_and_makes_no_store() {
    with_bucket(0, async |served| {
        for days_ago in [5, 6] {
            put(served, ACCOUNT, "us-east-1", days_ago, &format!("a{days_ago}"));
            put(served, "444455556666", "eu-west-1", days_ago, &format!("b{days_ago}"));
        }
        let ended = served.ingest_well(&["--dry-run"]).await;
        assert!(ended.err.contains("2 accounts, 2 regions, 2 days: 4 objects"), "{}", ended.err);
        assert!(ended.out.contains("444455556666") && ended.out.contains("eu-west-1"), "{}", ended.out);
        assert!(!served.store().exists());
        assert_eq!(served.server.faults().seen(Class::Get), 0);
        served.ingest_well(&["--account", ACCOUNT]).await;
        let ended = served.ingest_well(&["--dry-run", "--json", "--full"]).await;
        let lines: Vec<serde_json::Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["objects"], &lines[0]["new_objects"]), (&2.into(), &0.into()));
        assert_eq!((&lines[1]["account"], &lines[1]["new_objects"]), (&"444455556666".into(), &2.into()));
        assert_eq!((&lines[1]["kind"], &lines[1]["days"]), (&"CloudTrail".into(), &2.into()));
    });
}

#[test]
fn buckets_with_other_logs_and_several_prefixes() {
    with_bucket(0, async |served| {
        let mine = key(ACCOUNT, "us-east-1", 9, "plain");
        let trail = |prefix: &str, name: &str| {
            let key = format!("{prefix}{}", key(ACCOUNT, "us-east-1", 9, name));
            served.memory.put(BUCKET, &key, log_file(name));
        };
        trail("", "plain");
        trail("team-a/", "prefixed");
        trail("o-a1b2c3d4e5/", "tower");
        let organization = mine.replace("AWSLogs/", "AWSLogs/o-a1b2c3d4e5/").replace("plain", "organized");
        served.memory.put(BUCKET, &organization, log_file("organized"));
        for other in [
            "AWSLogs/111122223333/Config/us-east-1/2026/1/1/ConfigHistory/111122223333_Config_us-east-1_x.json.gz",
            "AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/01/01/111122223333_vpcflowlogs_x.log.gz",
            "AWSLogs/111122223333/elasticloadbalancing/us-east-1/2026/01/01/x.log.gz",
            "AWSLogs/111122223333/CloudTrail/AWSLogs/",
            "AWSLogs//",
        ] {
            served.memory.put(BUCKET, other, "not for us");
        }
        // Empty names in a key are names like others.
        served.memory.put(
            BUCKET,
            &mine.replace("CloudTrail/us", "CloudTrail//us").replace("plain", "empty"),
            log_file("empty"),
        );
        served.memory.put(BUCKET, &format!("/{}", mine.replace("plain", "slash")), log_file("slash"));
        let ended = served.ingest(&[]).await;
        assert!(ended.err.contains("6  taken in"), "{}", ended.err);
        assert_eq!(served.count(), "6");
        assert_eq!(served.server.faults().seen(Class::Get), 8, "{}", ended.err);
    });
}

#[cfg(unix)]
#[test]
fn following_takes_in_what_comes() {
    with_bucket(0, async |served| {
        put(served, ACCOUNT, "us-east-1", 1, "first");
        let mut command = served.command(&["--follow", "--every", "1s"]);
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let wait = async |seen: usize| {
            while served.server.faults().seen(Class::Get) < seen {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        wait(1).await;
        // One look fails, and those after it go on.
        served.server.faults().add(Class::List, cloudtarn_testkit::Fault::AccessDenied, 1);
        put(served, ACCOUNT, "us-east-1", 0, "second");
        wait(2).await;
        let listings = served.server.faults().seen(Class::List);
        while served.server.faults().seen(Class::List) < listings + 8 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            let mut err = String::new();
            std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
            (child.wait().unwrap().code(), err)
        });
        let (code, err) = ended.await.unwrap();
        assert!(matches!(code, Some(0 | 130)), "{code:?} {err}");
        assert_eq!(served.count(), "2");
    });
}

#[test]
fn following_and_planning_at_once_is_bad_usage() {
    with_bucket(0, async |served| {
        assert_eq!(output(served.command(&["--follow", "--dry-run"])).await.code, Some(2));
        assert_eq!(output(served.command(&["--json"])).await.code, Some(2));
        let again = output(served.bare(&["ingest", "-", "--follow", "--store", text(&served.store())])).await;
        assert!(again.code == Some(1) && again.err.contains("only once"), "{}", again.err);
        assert_eq!(output(served.bare(&["ingest", text(&served.store()), "--external-id", "x"])).await.code, Some(2));
    });
}
