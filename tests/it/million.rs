//! A bucket of very many small objects: planned, listed, taken in, and passed over when known, in bounded memory.
//!
//! `CLOUDTARN_OBJECTS` sets how many, for instance 1000000.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cloudtarn_testkit::Class;
use futures::{StreamExt, TryStreamExt};

use crate::program::{Ended, rows};
use crate::served::{BUCKET, log_file, with_bucket};

const ACCOUNTS: usize = 20;
const REGIONS: [&str; 5] = ["ap-northeast-1", "eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
const DAYS: usize = 50;

/// What a run of the program took: time, processor time, the most memory in bytes.
struct Cost {
    took: Duration,
    processor: Duration,
    most: u64,
}

/// Runs the program, and tells what it cost.
async fn measured(mut command: Command) -> (Ended, Cost) {
    let started = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let done = tokio::task::spawn_blocking(move || crate::program::ended(child.wait_with_output().unwrap()));
    let (mut most, mut ticks) = (0, 0);
    while !done.is_finished() {
        // The peak so far, as the kernel counts it; where there is no such file there is no figure.
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        most = most.max(kib.unwrap_or_default() * 1024);
        // User and system time are the 14th and 15th field; the name, which may have blanks, ends with a parenthesis.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        ticks = ticks.max(fields.filter_map(|field| field.parse::<u64>().ok()).sum());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let processor = Duration::from_millis(ticks * 10);
    (done.await.unwrap(), Cost { took: started.elapsed(), processor, most })
}

#[test]
fn very_many_small_objects() {
    let objects: usize = std::env::var("CLOUDTARN_OBJECTS").map_or(50_000, |text| text.parse().unwrap());
    with_bucket(0, async |served| {
        let (mut put, mut n) = (0, 0);
        let per_day = objects.div_ceil(ACCOUNTS * REGIONS.len() * DAYS);
        let body = bytes::Bytes::from(log_file("same"));
        'all: for account in 0..ACCOUNTS {
            for region in REGIONS {
                for day in 0..DAYS {
                    for _ in 0..per_day {
                        n += 1;
                        let account = format!("{:012}", 111_122_223_333 + account);
                        let day_name = format!("2026/{:02}/{:02}", 1 + day / 28, 1 + day % 28);
                        let compact = day_name.replace('/', "");
                        let key = format!(
                            "AWSLogs/{account}/CloudTrail/{region}/{day_name}/{account}_CloudTrail_{region}_{compact}T0005Z_{n:016}.json.gz"
                        );
                        served.memory.put(BUCKET, &key, body.clone());
                        put += 1;
                        if put == objects {
                            break 'all;
                        }
                    }
                }
            }
        }
        let figure = |what: &str, cost: &Cost| {
            let (seconds, processor) = (cost.took.as_secs_f64(), cost.processor.as_secs_f64());
            let (rate, most) = (objects as f64 / seconds, cost.most / 1_000_000);
            eprintln!(
                "{what}: {seconds:.1} s ({processor:.1} s of processor time), {rate:.0} objects/s, {most} MB at most"
            );
        };
        let latency = Duration::from_millis(100);
        served.server.faults().set_latency(Class::List, latency);
        let before = served.server.faults().seen(Class::List);
        let (plan, planned) = measured(served.command(&["--dry-run"])).await;
        assert_eq!(plan.code, Some(0), "{}", plan.err);
        assert!(plan.err.contains(&format!("{DAYS} days")), "{}", plan.err);
        figure("planned", &planned);
        let listings = served.server.faults().seen(Class::List) - before;
        eprintln!("{listings} listings, {} requests at once at most", served.server.faults().most_at_once());

        // One serial listing of the same keys, by the client that the data files are read with.
        let serial = Instant::now();
        let client = object_store::aws::AmazonS3Builder::new()
            .with_endpoint(served.server.endpoint())
            .with_bucket_name(BUCKET)
            .with_region("us-east-1")
            .with_access_key_id(served.server.access_key())
            .with_secret_access_key(served.server.secret_key())
            .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
            .build()
            .unwrap();
        let listing = object_store::ObjectStore::list(&client, None);
        let pages = 20_000.min(objects);
        let met: Vec<_> = listing.take(pages).try_collect().await.unwrap();
        let serial_rate = met.len() as f64 / serial.elapsed().as_secs_f64();
        let rate = objects as f64 / planned.took.as_secs_f64();
        eprintln!("one serial listing: {serial_rate:.0} objects/s; the plan: {:.1} times as fast", rate / serial_rate);

        served.server.faults().clear();
        let (taken, cost) = measured(served.command(&["--memory", "256MiB"])).await;
        assert_eq!(taken.code, Some(0), "{}", taken.err);
        figure("taken in", &cost);
        assert_eq!(rows(&served.store(), "SELECT count(*) FROM $EDS_ID"), ["1"]);
        let (known, cost) = measured(served.command(&["--full"])).await;
        assert!(known.err.contains("\n0 records read"), "{}", known.err);
        figure("known, all listed", &cost);
        // Linux tells the peak. It does not grow with the bucket.
        assert!(cost.most < 400_000_000, "{} bytes", cost.most);
        let before = served.server.faults().seen(Class::List);
        let (settled, cost) = measured(served.command(&[])).await;
        assert!(settled.err.starts_with("0 files listed"), "{}", settled.err);
        figure("known, settled", &cost);
        eprintln!("{} listings", served.server.faults().seen(Class::List) - before);
        let size = std::fs::metadata(served.store().join("catalog.db")).unwrap().len();
        eprintln!("catalogue: {} MB, {} bytes an object", size / 1_000_000, size / objects as u64);
    });
}
