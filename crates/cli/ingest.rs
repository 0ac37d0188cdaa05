//! `cloudtarn ingest`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cloudtarn_ingest::{Options, Problem, Progress, Summary};
use cloudtarn_source::{Day, Filter, Kind, Source};
use indicatif::{ProgressBar, ProgressStyle};

use crate::location::Location;
use crate::output::printable;
use crate::units;

/// Some files were broken or could not be read; the rest is in.
const SOME_BROKEN: u8 = 3;
/// Stopped by Ctrl-C, as shells tell it.
const INTERRUPTED: u8 = 130;
/// How many problems of a kind are printed; the rest is counted.
const SHOWN: usize = 20;

/// The command line of `ingest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn ingest ./bucket-copy
  cloudtarn ingest s3://log-archive/prefix --account 111122223333 --since 2026-01-01
  AWS_PROFILE=audit cloudtarn ingest s3://log-archive --store /evidence/case-7

A file that was taken in once is not read again. Exit codes: 0 all well, 1 failed, 2 bad usage, 3 some files broken.")]
pub(crate) struct Args {
    /// Folders, files, zip archives or s3://bucket/prefix.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    location: Location,
    /// Event data store to write to; made if there is none of that name.
    #[arg(long, value_name = "NAME")]
    eds: Option<String>,
    /// Only log files of this account; may be given several times.
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    /// Only log files of this region; may be given several times.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Only log files delivered on this day (UTC) or later.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    since: Option<Day>,
    /// Only log files with events of this day (UTC) or earlier: those delivered until the day after.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    until: Option<Day>,
    /// Memory for events on their way to the store.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::parse_bytes)]
    memory: usize,
    /// Refuse files that inflate to more than this.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::parse_bytes)]
    max_file_size: usize,
    /// Threads that decode and encode [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

fn day(text: &str) -> Result<Day, String> {
    Day::from_str(text).map_err(|error| error.to_string())
}

impl Args {
    /// Everything of one source with the defaults.
    pub(crate) fn of(source: String, location: Location) -> Self {
        Self {
            sources: vec![source],
            location,
            eds: None,
            accounts: vec![],
            regions: vec![],
            since: None,
            until: None,
            memory: 1 << 30,
            max_file_size: 1 << 30,
            threads: None,
        }
    }
}

/// Ingests and prints the account of it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let started = Instant::now();
    let summary = runtime.block_on(ingest(args))?;
    report(&summary, started.elapsed());
    Ok(if summary.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if summary.unlisted.count > 0 {
        ExitCode::FAILURE
    } else if summary.has_broken_files() {
        ExitCode::from(SOME_BROKEN)
    } else {
        ExitCode::SUCCESS
    })
}

async fn ingest(args: &Args) -> Result<Summary> {
    let mut sources = Vec::with_capacity(args.sources.len());
    let source_options = cloudtarn_source::Options {
        max_entry_bytes: args.max_file_size as u64,
        ..cloudtarn_source::Options::default()
    };
    for source in &args.sources {
        sources.push(Source::open(source, &source_options).await?);
    }
    let mut options = Options::new(args.location.folder()?);
    options.event_data_store.clone_from(&args.eds);
    options.memory = args.memory;
    options.max_file_size = args.max_file_size;
    options.threads = args.threads.unwrap_or(0);
    options.filter = Filter {
        accounts: args.accounts.clone(),
        regions: args.regions.clone(),
        since: args.since,
        // Files come minutes after their events.
        until: args.until.map(Day::next),
        kinds: vec![Kind::CloudTrail, Kind::Insight, Kind::NetworkActivity, Kind::Aggregated],
    };
    let progress = Arc::new(Progress::default());
    let stop = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(watch(Arc::clone(&progress), Arc::clone(&stop)));
    let summary = cloudtarn_ingest::run(sources, &options, progress, Arc::clone(&stop)).await;
    watch.abort();
    let _ = watch.await;
    Ok(summary?)
}

/// Shows progress until it is aborted, and turns Ctrl-C into a stop.
async fn watch(progress: Arc<Progress>, stop: Arc<AtomicBool>) {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {bytes}/{total_bytes} {msg} {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let bar = Finish(bar);
    let started = Instant::now();
    let mut last_line = started;
    let mut tick = tokio::time::interval(Duration::from_millis(if terminal { 100 } else { 250 }));
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            result = tokio::signal::ctrl_c() => {
                if result.is_ok() {
                    bar.0.suspend(|| say("stopping: committing what is decoded (Ctrl-C again to stop at once)"));
                    stop.store(true, Ordering::Relaxed);
                    if tokio::signal::ctrl_c().await.is_ok() {
                        std::process::abort();
                    }
                }
            }
        }
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = started.elapsed().as_secs_f64();
        let done = of(&progress.files) + of(&progress.passed);
        let speed = of(&progress.inflated) as f64 / seconds.max(0.001);
        let problems = match of(&progress.problems) {
            0 => String::new(),
            problems => format!(", {} broken", units::count(problems)),
        };
        let text = format!(
            "{} of {} files, {} events, {}/s{problems}",
            units::count(done),
            units::count(of(&progress.listed)),
            units::count(of(&progress.events)),
            units::bytes(speed as u64),
        );
        if terminal {
            bar.0.set_length(of(&progress.listed_bytes));
            bar.0.set_position(of(&progress.bytes) + of(&progress.passed_bytes));
            bar.0.set_message(text);
        } else if last_line.elapsed() >= Duration::from_secs(5) {
            last_line = Instant::now();
            say(&format!("{seconds:.0} s: {text}"));
        }
    }
}

/// Takes the bar off the terminal however the watch ends.
struct Finish(ProgressBar);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn report(summary: &Summary, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    let mut lines = vec![format!("{} files listed", units::count(summary.listed))];
    let mut line = |count: u64, text: &str| {
        if count > 0 {
            lines.push(format!("  {:>10}  {text}", units::count(count)));
        }
    };
    let committed = &summary.committed;
    line(summary.taken_in, "taken in");
    line(summary.already, "already had");
    line(summary.already_broken, "of these known to be broken");
    line(summary.empty, "empty");
    line(summary.digests, "digests, which hold no events");
    line(summary.not_cloudtrail.count, "not CloudTrail");
    line(summary.broken.count, "broken, or broken in part");
    line(summary.unread.count, "not readable now; the next run tries them again");
    lines.push(format!("{} records read", units::count(summary.records)));
    let mut line = |count: u64, text: &str| {
        if count > 0 {
            lines.push(format!("  {:>10}  {text}", units::count(count)));
        }
    };
    line(committed.events, "new events");
    line(committed.duplicates, "duplicates of events that are there, byte for byte");
    line(committed.conflicts, "new events with the eventID of another that differs; all are kept");
    line(summary.broken_records, "more records were broken");
    lines.push(format!(
        "{} of JSON from {} in {seconds:.1} s ({}/s) to {} in {} data files",
        units::bytes(summary.inflated),
        units::bytes(summary.bytes),
        units::bytes((summary.inflated as f64 / seconds.max(0.001)) as u64),
        units::bytes(committed.bytes),
        units::count(committed.data_files),
    ));
    lines.extend(crate::compact::told(&summary.compacted));
    let mut show = |title: &str, count: u64, problems: &[Problem]| {
        if count == 0 {
            return;
        }
        lines.push(title.to_owned());
        for problem in problems.iter().take(SHOWN) {
            lines.push(format!("  {}: {}", printable(&problem.path), printable(&problem.reason)));
        }
        if count > SHOWN as u64 {
            lines.push(format!("  and {} more", units::count(count - SHOWN as u64)));
        }
    };
    show("not CloudTrail:", summary.not_cloudtrail.count, &summary.not_cloudtrail.first);
    show("broken:", summary.broken.count, &summary.broken.first);
    show("not readable:", summary.unread.count, &summary.unread.first);
    show("not listed:", summary.unlisted.count, &summary.unlisted.first);
    if summary.interrupted {
        lines.push("stopped before the end; the same command goes on from here".to_owned());
    }
    say(&lines.join("\n"));
}
