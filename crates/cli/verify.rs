//! `cloudtarn verify`: what a copy still proves.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cloudtarn_record::digest::keys::{PublicKey, PublicKeys};
use cloudtarn_source::Source;
use cloudtarn_store::{Store, Verdicts};
use cloudtarn_verify::{Finding, Progress, Report, Scope, Verdict, Verifier};
use indicatif::{ProgressBar, ProgressStyle};

use crate::access::Access;
use crate::location::Location;
use crate::time::Days;
use crate::units;
use crate::verdicts::{Form, Writer};

/// Something is not what AWS delivered, or not there.
const DISPROVEN: u8 = 3;
/// Nothing speaks against it, but not everything is proven.
const UNPROVEN: u8 = 4;

/// The command line of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aws cloudtrail list-public-keys --start-time 2026-01-01T00:00:00Z > keys.json
  cloudtarn verify --keys keys.json                      # what was ingested
  cloudtarn verify ./bucket-copy --keys keys.json        # a copy on disk
  cloudtarn verify s3://log-archive --since 2026-03-01 --output ndjson

Each digest, log file, hour, account and region is valid, valid but moved, unproven, missing or invalid; docs/verify.md says
what each of it means. Exit codes: 0 all valid, 1 failed, 2 bad usage, 3 something invalid or missing, 4 nothing of that but
something unproven.")]
pub(crate) struct Args {
    /// A folder, a zip archive or s3://bucket/prefix; what the store took in, if not given.
    #[arg(value_name = "SOURCE")]
    source: Option<String>,
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    keys: Keys,
    /// Fetch public keys that are not at hand from CloudTrail (ListPublicKeys in the trails' home regions); done for s3://
    /// sources unless --keys is given.
    #[arg(long)]
    fetch_keys: bool,
    /// Save the fetched public keys to a file, for --keys of later runs.
    #[arg(long, value_name = "FILE")]
    save_keys: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
    /// Only this account; may be given several times.
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    /// Only this region; may be given several times.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Digests that end before --until are then told as missing.
    #[command(flatten)]
    days: Days,
    /// Tell of every file and not only of those that are not valid.
    #[arg(long)]
    all: bool,
    /// Form of the result.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// Write the result to a file.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Take files that inflate to more than this for unreadable.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::parse_bytes)]
    max_file_size: usize,
}

/// Where public keys come from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Keys {
    /// Public keys: what `aws cloudtrail list-public-keys` printed, or a folder of such files; may be given several times.
    /// The store keeps them for the next time.
    #[arg(long = "keys", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Keys {
    fn read(&self) -> Result<PublicKeys> {
        let mut keys = PublicKeys::default();
        for path in &self.files {
            if !path.is_dir() {
                read_keys(path, &mut keys)?;
                continue;
            }
            let listing = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
            let mut files = Vec::new();
            for entry in listing {
                files.push(entry.with_context(|| format!("cannot list {}", path.display()))?.path());
            }
            files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
            ensure!(!files.is_empty(), "no .json files in {}", path.display());
            for file in files {
                read_keys(&file, &mut keys)?;
            }
        }
        Ok(keys)
    }

    /// Reads the files, keeps their keys in the store, and gives all keys that it has.
    pub(crate) fn with_store(&self, store: &Store) -> Result<PublicKeys> {
        let mut keys = self.read()?;
        if !keys.is_empty() && store.is_writable()? {
            store.keep_public_keys(keys.iter())?;
        }
        store.public_keys()?.into_iter().for_each(|key| keys.add(key));
        Ok(keys)
    }

    /// Whether any were given.
    pub(crate) fn are_given(&self) -> bool {
        !self.files.is_empty()
    }
}

fn read_keys(path: &Path, keys: &mut PublicKeys) -> Result<()> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    keys.read(&text).with_context(|| format!("cannot use {}", path.display()))?;
    Ok(())
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let started = Instant::now();
    let out: Box<dyn Write> = match &args.output_file {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut writer = Writer::new(args.output, args.all, BufWriter::new(out));
    let (since, until) = args.days.resolve()?;
    let scope = Scope { accounts: args.accounts.clone(), regions: args.regions.clone(), since, until };
    let fetched = Fetched::default();
    let report = match &args.source {
        Some(source) => source_report(source, args, scope, &mut writer, &fetched)?,
        None => store_report(args, scope, &mut writer, &fetched)?,
    };
    if let Some(path) = &args.save_keys {
        let keys: Vec<serde_json::Value> = fetched.borrow().iter().map(PublicKey::to_json).collect();
        ensure!(!keys.is_empty(), "no public keys were fetched, so that there are none to save");
        let answer = serde_json::json!({ "PublicKeyList": keys });
        std::fs::write(path, format!("{answer}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let Some(worst) = report.verdict() else {
        bail!(
            "there are no CloudTrail log files or digests to verify here; see --account, --region, --since and --until"
        );
    };
    writer.finish(&report)?;
    let (digests, log_files) = report.totals();
    crate::output::complain(&format!(
        "{} digests and {} log files in {:.1} s: {}",
        units::count(digests.total()),
        units::count(log_files.total()),
        started.elapsed().as_secs_f64(),
        match worst {
            Verdict::Valid | Verdict::Moved => "all valid",
            Verdict::Unproven => "nothing invalid or missing, but not everything is proven",
            Verdict::Missing => "something is missing",
            Verdict::Invalid => "something is invalid",
        }
    ));
    Ok(match worst {
        Verdict::Valid | Verdict::Moved => ExitCode::SUCCESS,
        Verdict::Unproven => ExitCode::from(UNPROVEN),
        Verdict::Missing | Verdict::Invalid => ExitCode::from(DISPROVEN),
    })
}

/// Verifies what the store took in; the verdicts on the whole of it are kept, for SQL.
fn store_report(args: &Args, scope: Scope, writer: &mut Writer<impl Write>, fetched: &Fetched) -> Result<Report> {
    let store = Store::open(&args.location.folder()?)?;
    let keys = args.keys.with_store(&store)?;
    let mut kept: Option<Verdicts> =
        (scope == Scope::default() && store.is_writable()?).then(|| store.begin_verdicts()).transpose()?;
    let mut give = |finding: &Finding| {
        if let Some(kept) = &mut kept {
            kept.add(&cloudtarn_verify::row(finding))?;
        }
        Ok(writer.finding(finding)?)
    };
    let mut verifier = Verifier::new(keys, scope, &mut give);
    let runtime = runtime()?;
    if args.fetch_keys {
        let options = args.access.options();
        verifier =
            verifier.asking(move |region, from, until| runtime.block_on(fetch(region, from, until, &options, fetched)));
    }
    let report = cloudtarn_verify::of_store(&store, verifier)?;
    if store.is_writable()? {
        store.keep_public_keys(fetched.borrow().iter())?;
    }
    if let Some(kept) = kept {
        kept.finish(cloudtarn_verify::hours(&report))?;
    }
    Ok(report)
}

/// Verifies a source itself: every file is read, none is kept.
fn source_report(
    source: &str,
    args: &Args,
    scope: Scope,
    writer: &mut Writer<impl Write>,
    fetched: &Fetched,
) -> Result<Report> {
    let runtime = runtime()?;
    let asks = args.fetch_keys || (source.starts_with("s3") && source.contains("://") && !args.keys.are_given());
    let keys = args.keys.read()?;
    runtime.block_on(async {
        let options = cloudtarn_source::Options { max_entry_bytes: args.max_file_size as u64, ..args.access.options() };
        let source = Source::open(source, &options).await?;
        let progress = Arc::new(Progress::default());
        let watching = tokio::spawn(watch(Arc::clone(&progress)));
        let mut give = |finding: &Finding| Ok(writer.finding(finding)?);
        let mut verifier = Verifier::new(keys, scope, &mut give);
        if asks {
            let handle = runtime.handle().clone();
            verifier = verifier.asking(move |region, from, until| {
                let fetching = fetch(region, from, until, &options, fetched);
                tokio::task::block_in_place(|| handle.block_on(fetching))
            });
        }
        let report = Box::pin(cloudtarn_verify::of_source(source, verifier, args.max_file_size, progress)).await;
        watching.abort();
        let _ = watching.await;
        Ok(report?)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")
}

/// Keys that were fetched.
type Fetched = std::cell::RefCell<PublicKeys>;

/// Fetches public keys. Without them digests are unproven, which the result says; why is said here.
async fn fetch(
    region: &str,
    from: i64,
    until: i64,
    options: &cloudtarn_source::Options,
    fetched: &Fetched,
) -> PublicKeys {
    let mut keys = PublicKeys::default();
    match Box::pin(cloudtarn_source::list_public_keys(region, from, until, options)).await {
        Ok(answers) => {
            for answer in answers {
                if let Err(error) = keys.read(answer.as_bytes()) {
                    let error = crate::output::printable(&error.to_string());
                    crate::output::complain(&format!("public keys of region {region}: {error}"));
                }
            }
        }
        Err(error) => crate::output::complain(&crate::output::printable(&error.to_string())),
    }
    keys.iter().for_each(|key| fetched.borrow_mut().add(key.clone()));
    keys
}

/// Shows how far the reading is, on a terminal.
async fn watch(progress: Arc<Progress>) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let bar = Finish(ProgressBar::new(0));
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {pos}/{len} files {msg}");
    bar.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bar.0.set_length(progress.listed.load(Ordering::Relaxed));
        bar.0.set_position(progress.read.load(Ordering::Relaxed));
        bar.0.set_message(units::bytes(progress.bytes.load(Ordering::Relaxed)));
    }
}

/// Takes the bar off the terminal however the watch ends.
struct Finish(ProgressBar);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
