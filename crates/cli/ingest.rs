//! `cloudtarn ingest`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cloudtarn_ingest::{Options, Problem, Progress, Summary};
use cloudtarn_source::{Day, Filter, Kind, Source};
use cloudtarn_store::Store;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Notify;

use crate::access::Access;
use crate::location::Location;
use crate::output::printable;
use crate::time::Days;
use crate::{plan, units};

/// Some files were broken or could not be read; the rest is in.
const SOME_BROKEN: u8 = 3;
/// Stopped by Ctrl-C, as shells tell it.
pub(crate) const INTERRUPTED: u8 = 130;
/// How many problems of a kind are printed; the rest is counted.
const SHOWN: usize = 20;

/// Data files that are worth a word about merging them.
const MANY_FILES: u64 = 8;

/// The command line of `ingest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn ingest ./bucket-copy
  cloudtarn ingest s3://log-archive/prefix --account 111122223333 --since 7d
  AWS_PROFILE=audit cloudtarn ingest s3://log-archive --store /evidence/case-7
  ssh jump cat /evidence/case-7.tar.zst | cloudtarn ingest -
  cloudtarn ingest s3://log-archive --role-arn arn:aws:iam::222233334444:role/log-reader --external-id 4711 --dry-run
  cloudtarn ingest s3://log-archive --follow --every 5m

A file that was taken in once is not read again. Who may read what in a shared bucket, and the policies for it: docs/sources.md. Exit codes: 0 all well, 1 failed, 2 bad usage, 3 some files broken.")]
pub(crate) struct Args {
    /// Folders, files, bundles (tar, tar.gz, tar.zst, zip), s3://bucket/prefix, or - for standard input.
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
    /// By the day of delivery; --until also takes the files of the day after, which come minutes after their events.
    #[command(flatten)]
    days: Days,
    /// Leave the digests alone, by which `cloudtarn verify` proves the log files.
    #[arg(long)]
    no_digests: bool,
    /// Days before today in which files may still come late: every run lists them again.
    #[arg(long, value_name = "DAYS", default_value_t = 3)]
    window: u32,
    /// List everything, also the days that earlier runs have listed for good.
    #[arg(long)]
    full: bool,
    /// Only list, and print what would be read.
    #[arg(long, conflicts_with = "follow")]
    dry_run: bool,
    /// With --dry-run: one JSON object a line instead of a table.
    #[arg(long, requires = "dry_run")]
    json: bool,
    /// Look for new files again and again, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Time between two looks.
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "follow", value_parser = units::parse_time)]
    every: Duration,
    #[command(flatten)]
    access: Access,
    /// Memory that it may take, whatever the size of the bucket [default: 512MiB with two threads, 64MiB more for each
    /// further one].
    ///
    /// More memory makes larger data files. A bundle takes up to 64 MiB beside, a log file of hundreds of megabytes what it
    /// needs, and merging small data files at the end up to 500 MB, however little is given here.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    memory: Option<usize>,
    /// Refuse files that inflate to more than this.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::parse_bytes)]
    max_file_size: usize,
    /// Threads that decode and encode [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
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
            days: Days::default(),
            no_digests: false,
            window: 3,
            full: false,
            dry_run: false,
            json: false,
            follow: false,
            every: Duration::from_secs(300),
            access: Access::default(),
            memory: None,
            max_file_size: 1 << 30,
            threads: None,
        }
    }
}

/// Ingests and prints the account of it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let (sources, options) = (sources(args).await?, options(args)?);
        let stop = Stop::default();
        tokio::spawn(stop.clone().listen());
        if args.dry_run {
            return dry_run(args, &sources, &options, &stop).await;
        }
        let started = Instant::now();
        let summary = ingest(&sources, &options, &stop).await?;
        report(&summary, started.elapsed());
        advise(&options.store);
        if args.follow && !stop.is_set() {
            return follow(args, &sources, &options, &stop).await;
        }
        Ok(code(&summary))
    })
}

/// Set by Ctrl-C.
#[derive(Debug, Clone, Default)]
struct Stop {
    flag: Arc<AtomicBool>,
    set: Arc<Notify>,
}

impl Stop {
    fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// The first Ctrl-C asks to stop, the second stops.
    async fn listen(self) {
        if tokio::signal::ctrl_c().await.is_ok() {
            self.flag.store(true, Ordering::Relaxed);
            self.set.notify_one();
            // One Ctrl-C may come twice: to the process, and to its group (as `timeout` sends it).
            tokio::time::sleep(Duration::from_millis(500)).await;
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::abort();
            }
        }
    }
}

fn code(summary: &Summary) -> ExitCode {
    if summary.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if summary.unlisted.count > 0 {
        ExitCode::FAILURE
    } else if summary.has_broken_files() {
        ExitCode::from(SOME_BROKEN)
    } else {
        ExitCode::SUCCESS
    }
}

async fn sources(args: &Args) -> Result<Vec<Source>> {
    let mut sources = Vec::with_capacity(args.sources.len());
    let inputs = args.sources.iter().filter(|source| *source == "-").count();
    if inputs > 1 || (inputs > 0 && args.follow) {
        anyhow::bail!("standard input (-) can be read only once: name it once, and without --follow");
    }
    let options = cloudtarn_source::Options {
        max_entry_bytes: args.max_file_size as u64,
        spool: Some(args.location.folder()?),
        ..args.access.options()
    };
    for source in &args.sources {
        sources.push(Box::pin(Source::open(source, &options)).await?);
    }
    Ok(sources)
}

fn options(args: &Args) -> Result<Options> {
    let mut options = Options::new(args.location.folder()?);
    options.event_data_store.clone_from(&args.eds);
    options.window = args.window;
    options.full = args.full;
    options.max_file_size = args.max_file_size;
    options.threads = args.threads.unwrap_or(0);
    options.memory = args.memory.unwrap_or_else(|| cloudtarn_ingest::default_memory(options.threads));
    let (since, until) = args.days.resolve()?;
    options.filter = Filter {
        accounts: args.accounts.clone(),
        regions: args.regions.clone(),
        since,
        // Files come minutes after their events.
        until: until.map(Day::next),
        kinds: if args.no_digests { Kind::EVENTS.to_vec() } else { Kind::DELIVERED.to_vec() },
    };
    Ok(options)
}

async fn ingest(sources: &[Source], options: &Options, stop: &Stop) -> Result<Summary> {
    let flag = Arc::clone(&stop.flag);
    watched(stop, async |progress| Ok(cloudtarn_ingest::run(sources.to_vec(), options, progress, flag).await?)).await
}

/// Lists and prints what would be read.
async fn dry_run(args: &Args, sources: &[Source], options: &Options, stop: &Stop) -> Result<ExitCode> {
    let listing =
        async |progress: Arc<Progress>| Ok(cloudtarn_ingest::plan(sources, options, &progress, &stop.flag).await?);
    let plan = watched(stop, listing).await?;
    plan::print(&plan, args.json)?;
    Ok(if plan.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if plan.unlisted.count > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Looks again and again. What goes wrong in one look may be well in the next, so that only Ctrl-C ends it.
async fn follow(args: &Args, sources: &[Source], options: &Options, stop: &Stop) -> Result<ExitCode> {
    // Days that were late were listed by the first look.
    let options = Options { full: false, ..options.clone() };
    loop {
        tokio::select! {
            () = tokio::time::sleep(args.every) => {}
            () = stop.set.notified() => return Ok(ExitCode::SUCCESS),
        }
        let started = Instant::now();
        match ingest(sources, &options, stop).await {
            Ok(summary) => {
                if !summary.is_quiet() {
                    report(&summary, started.elapsed());
                }
                if stop.is_set() {
                    return Ok(code(&summary));
                }
            }
            Err(error) => say(&format!("{error:#}; the next look is in {} s", args.every.as_secs())),
        }
    }
}

/// Runs some work with its progress on the terminal.
async fn watched<T>(stop: &Stop, work: impl AsyncFnOnce(Arc<Progress>) -> Result<T>) -> Result<T> {
    let progress = Arc::new(Progress::default());
    let watch = tokio::spawn(watch(Arc::clone(&progress), stop.clone()));
    let done = Box::pin(work(progress)).await;
    watch.abort();
    let _ = watch.await;
    done
}

/// Shows progress until it is aborted.
async fn watch(progress: Arc<Progress>, stop: Stop) {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {bytes}/{total_bytes} {msg} {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let bar = Finish(bar);
    let started = Instant::now();
    let mut last_line = started;
    let mut tick = tokio::time::interval(Duration::from_millis(if terminal { 100 } else { 250 }));
    let mut told = false;
    loop {
        tick.tick().await;
        if stop.is_set() && !told {
            told = true;
            bar.0.suspend(|| say("stopping: committing what is decoded (Ctrl-C again to stop at once)"));
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

/// Says when merging would help: the data files of an ingest are as large as its memory allows, no larger.
fn advise(folder: &Path) {
    let mergeable = || -> cloudtarn_store::Result<u64> {
        let store = Store::open(folder)?;
        store.event_data_stores()?.iter().map(|eds| store.mergeable(eds)).sum()
    };
    if let Ok(files) = mergeable()
        && files >= MANY_FILES
    {
        let files = units::count(files);
        say(&format!("`cloudtarn compact` would merge {files} data files, and questions would be answered sooner"));
    }
}

fn report(summary: &Summary, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    let mut lines = vec![format!("{} files listed", units::count(summary.listed))];
    if summary.listed == 0 && summary.unlisted.count == 0 && summary.unread.count == 0 {
        lines.push(
            "  Logs of other services, and results of Lake queries (CloudTrail-Lake/), are only read in a folder or prefix \
             that is given by its full name."
                .to_owned(),
        );
    }
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
    line(summary.digests, "digests kept, for `cloudtarn verify`");
    line(summary.bundles, "bundles, unpacked to the end");
    line(summary.not_cloudtrail.count, "not CloudTrail");
    line(summary.broken.count, "broken, or broken in part");
    line(summary.unread.count, "not readable now; the next run tries them again");
    line(summary.changed.count, "changed since they were taken in; what they held before is kept");
    line(summary.rewritten, "written again with the same bytes");
    line(summary.gone.count, "taken in before and not there any more; their events are kept");
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
    line(summary.control_messages, "control messages of CloudWatch Logs, which hold no events");
    line(summary.other_log_events, "log events of other logs than CloudTrail's");
    lines.push(format!(
        "{} of JSON from {} in {seconds:.1} s ({}/s) to {} in {} data files",
        units::bytes(summary.inflated),
        units::bytes(summary.bytes),
        units::bytes((summary.inflated as f64 / seconds.max(0.001)) as u64),
        units::bytes(committed.bytes),
        units::count(committed.data_files),
    ));
    let effort = summary.effort;
    if effort.repeated + effort.renewed > 0 {
        let slowed = if effort.slowed > 0 {
            format!(", {} of them told to slow down", units::count(effort.slowed))
        } else {
            String::new()
        };
        let renewed = if effort.renewed > 0 {
            format!("; credentials renewed {} times", units::count(effort.renewed))
        } else {
            String::new()
        };
        let (requests, repeated) = (units::count(effort.requests), units::count(effort.repeated));
        lines.push(format!("{requests} requests, {repeated} tried again{slowed}{renewed}"));
    }
    lines.extend(summary.notes.iter().map(|note| printable(note)));
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
    show("changed:", summary.changed.count, &summary.changed.first);
    show("not there any more:", summary.gone.count, &summary.gone.first);
    show("not readable:", summary.unread.count, &summary.unread.first);
    show("not listed:", summary.unlisted.count, &summary.unlisted.first);
    if summary.interrupted {
        lines.push("stopped before the end; the same command goes on from here".to_owned());
    }
    say(&lines.join("\n"));
}
