//! `cloudtarn report`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cloudtarn_query::Limits;
use cloudtarn_report::{Report, Request, Severity};
use cloudtarn_store::Store;

use crate::location::Location;
use crate::output::complain;
use crate::pack::{Asked, Narrow};
use crate::query::session;
use crate::units;

/// Findings of the severity asked for with --fail-on.
const FOUND: u8 = 4;

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One file with charts, for screen and paper.
    Html,
    /// Markdown.
    Md,
    /// One line a row; cells are never formulas.
    Csv,
    /// One JSON document with everything.
    Json,
    /// One JSON object a row.
    Ndjson,
    /// A Parquet file of rows.
    Parquet,
}

/// The command line of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn report --pack all --out report.html
  cloudtarn report --pack console --pack access --since 2026-03-01 --format md
  cloudtarn report --pack exfiltration --format ndjson --fail-on critical > findings.ndjson

For cron, a line each:
  cloudtarn ingest s3://log-archive --since 3d
  cloudtarn report --pack all --since 1d --out /srv/reports/today.html --force --fail-on high

The same store and options give the same report, byte for byte.
Exit codes: 0 reported, 1 failed, 2 bad usage, 4 findings of the severity of --fail-on.")]
pub(crate) struct Args {
    /// Pack or question, as `pack list` names them, or `all`; may be given several times.
    #[arg(long = "pack", value_name = "NAME", required = true)]
    names: Vec<String>,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    location: Location,
    /// Form of the report [default: what the name of --out ends in, else html]
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// File to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if there is one.
    #[arg(long)]
    force: bool,
    /// End with exit code 4 where there are findings of this severity or more.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// Headline.
    #[arg(long, default_value = "CloudTrail report")]
    title: String,
    /// Rows of one answer that HTML and Markdown show.
    #[arg(long, value_name = "N", default_value_t = 200)]
    rows: usize,
}

impl Args {
    fn form(&self) -> Form {
        let extension = self.out.as_deref().and_then(Path::extension).and_then(|e| e.to_str()).unwrap_or_default();
        let named = <Form as clap::ValueEnum>::from_str(extension, true).ok();
        let named = named.or(match extension {
            "markdown" => Some(Form::Md),
            "jsonl" => Some(Form::Ndjson),
            _ => None,
        });
        self.format.or(named).unwrap_or(Form::Html)
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let form = args.form();
    let library = args.narrow.library()?;
    let questions = library.select(&args.narrow.selection(&args.names))?;
    if questions.is_empty() {
        bail!("no question of these packs has that tag and severity");
    }
    let values = args.asked.values(&questions)?;
    let zone = args.asked.zone.timezone;
    let scope = args.asked.scope.resolve(zone)?;
    // Where the report cannot go is said before any work.
    match &args.out {
        Some(path) if path.exists() && !args.force => {
            bail!("{} is there already: give --force to replace it, or another name", path.display())
        }
        None if form == Form::Parquet && std::io::stdout().is_terminal() => {
            bail!("Parquet is not for a terminal: give --out FILE or redirect the output")
        }
        _ => {}
    }
    let mut file = args.out.as_deref().map(Pending::new).transpose()?;
    let started = Instant::now();
    let store = Store::open(&args.location.folder()?)?;
    let (runtime, session) = session(&args.location, Limits::default())?;
    let request = Request { title: args.title.clone(), questions, values, scope, zone, shown: args.rows };
    let report = runtime.block_on(cloudtarn_report::gather(&session, &store, &request))?;
    match &mut file {
        Some(file) => write(&report, form, &mut file.file)?,
        None => write(&report, form, &mut std::io::stdout())?,
    }
    if let Some(file) = file {
        file.keep(args.force)?;
    }
    let found: Vec<String> = report
        .by_severity()
        .into_iter()
        .filter(|(_, questions, _)| *questions > 0)
        .map(|(severity, questions, rows)| format!("{questions} {severity} ({} rows)", units::count(rows)))
        .collect();
    complain(&format!(
        "{} questions in {:.1} s; findings: {}",
        report.answers.len(),
        started.elapsed().as_secs_f64(),
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    ));
    let failed = args.fail_on.is_some_and(|least| report.gravest().is_some_and(|gravest| gravest >= least));
    Ok(if failed { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn write(report: &Report, form: Form, out: &mut (dyn Write + Send)) -> Result<()> {
    match form {
        Form::Html => out.write_all(cloudtarn_report::html(report).as_bytes())?,
        Form::Md => out.write_all(cloudtarn_report::markdown(report).as_bytes())?,
        Form::Csv => cloudtarn_report::csv(report, out)?,
        Form::Ndjson => cloudtarn_report::ndjson(report, out)?,
        Form::Parquet => cloudtarn_report::parquet(report, out)?,
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, &cloudtarn_report::json_document(report))?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A file that has its name only once it is whole.
struct Pending {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Pending {
    fn new(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder);
        let file = file.with_context(|| format!("cannot write into {}", folder.display()))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    fn keep(self, force: bool) -> Result<()> {
        // Others may read a report, as they may any file that is not made as a temporary one.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            self.file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        let kept = if force { self.file.persist(&self.path) } else { self.file.persist_noclobber(&self.path) };
        kept.map(drop).with_context(|| format!("cannot write {}", self.path.display()))
    }
}
