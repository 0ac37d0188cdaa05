//! `cloudtarn demo`: the main job on a bucket that the program makes itself.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cloudtarn_corpus::{Corpus, Profile};

use crate::location::Location;
use crate::{ingest, query, units};

/// Questions that the demo asks, each with what is hidden in the bucket for it to find: rows, or what they count.
const QUESTIONS: [(&str, &str, &str); 4] = [
    ("What is called most?", include_str!("../../queries/operations/busiest-calls.sql"), ""),
    (
        "Did root sign in without MFA?",
        include_str!("../../queries/console/root-sign-in-without-mfa.sql"),
        "root sign-in without MFA",
    ),
    (
        "Who made access keys for somebody else?",
        include_str!("../../queries/persistence/access-key-for-another-user.sql"),
        "access key for another user",
    ),
    ("Who stopped a trail?", include_str!("../../queries/defence-evasion/trail-tampering.sql"), "trail stopped"),
];

/// The command line of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn demo
  cloudtarn demo --events 2000 --dir demo
  cloudtarn demo --bucket-only --events 2000 --dir bucket-only")]
pub(crate) struct Args {
    /// Folder for the bucket and the store [default: `cloudtarn-demo` in the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Distinct events in the bucket.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Shape of the log files.
    #[arg(long, value_enum, default_value_t = Shape::Busy)]
    profile: Shape,
    /// Only make the bucket.
    #[arg(long)]
    bucket_only: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shape {
    /// 150 records a file in the median.
    Busy,
    /// 5 records a file in the median.
    Quiet,
    /// Few records, most of 20 to 200 KB.
    Huge,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let say = |text: &str| {
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    let folder = args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join("cloudtarn-demo"));
    let (bucket, store) = (folder.join("bucket"), folder.join("store"));
    for made in [&bucket, &store] {
        if made.exists() {
            std::fs::remove_dir_all(made).with_context(|| format!("cannot remove {}", made.display()))?;
        }
    }
    let profile = match args.profile {
        Shape::Busy => Profile::Busy,
        Shape::Quiet => Profile::Quiet,
        Shape::Huge => Profile::Huge,
    };
    let corpus = Corpus {
        events: args.events,
        profile,
        organization: Some("o-exampleorg1".to_owned()),
        duplicates: if args.bucket_only { 0.0 } else { 0.05 },
        insights: !args.bucket_only,
        ..Corpus::default()
    };
    let started = Instant::now();
    let made = corpus.write(&bucket)?;
    say(&format!(
        "made an aggregation bucket of {} accounts and {} days in {}: {} log files, {} records, {} gzipped ({} of JSON), in {:.1} s\n",
        corpus.accounts,
        corpus.days,
        bucket.display(),
        units::count(made.files),
        units::count(made.events),
        units::bytes(made.gz_bytes),
        units::bytes(made.raw_bytes),
        started.elapsed().as_secs_f64(),
    ));
    if args.bucket_only {
        return Ok(ExitCode::SUCCESS);
    }
    let location = Location::of(store.clone());
    say(&format!("$ cloudtarn ingest {} --store {}", bucket.display(), store.display()));
    ingest::run(&ingest::Args::of(bucket.display().to_string(), location.clone()))?;
    for (question, sql, planted) in QUESTIONS {
        say(&format!("\n{question}\n{}", sql.lines().filter(|l| !l.starts_with("--")).collect::<Vec<_>>().join("\n")));
        query::run(query::Args::of(sql, location.clone()))?;
        if let Some(attack) = made.attacks.iter().find(|attack| attack.name == planted) {
            let rows = query::count_rows(sql, &location)?;
            ensure!(
                rows == attack.count,
                "the bucket hides {} events of `{planted}`, but {rows} were found",
                attack.count
            );
        }
    }
    say(&format!(
        "\nAsk your own: cloudtarn query --store {} \"SELECT eventName, count(*) FROM \\$EDS_ID GROUP BY 1 ORDER BY 2 DESC LIMIT 5\"",
        store.display()
    ));
    Ok(ExitCode::SUCCESS)
}
