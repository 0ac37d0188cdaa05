//! `cloudtarn compare`: the same questions asked here and of CloudTrail Lake.

mod lake;
mod table;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cloudtarn_query::{Limits, Session};
use cloudtarn_report::time::Zone;
use cloudtarn_report::{Comparison, Error, Outcome, Prices, ROWS_KEPT, Rows, Scope, Side, Values, difference, rows};
use cloudtarn_store::Store;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::Mutex;

use crate::access::Identity;
use crate::estimate::{PricesArg, dollars};
use crate::ingest::INTERRUPTED;
use crate::location::Location;
use crate::output::{complain, inert};
use crate::pack::{Asked, Narrow};
use crate::query::session;
use lake::{Arn, Lake, Refusal};

/// Answers differ.
const DIFFERENT: u8 = 4;
/// Queries that Lake runs at once for us; an account may have ten.
const AT_ONCE: usize = 4;

/// The command line of `compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples, with the ARN of an event data store in LAKE:
  cloudtarn compare --pack console --lake $LAKE --since 2026-03-01 --until 2026-03-08
  cloudtarn compare --sql \"SELECT eventName, count(*) FROM \\$EDS_ID GROUP BY 1\" --lake $LAKE
  cloudtarn compare --file question.sql --lake $LAKE --json
  cloudtarn compare --pack s3 --lake $LAKE --endpoint-url http://127.0.0.1:8473 --no-sign-request

Lake bills what each question scans: --since and --until narrow it down, and leave out the newest
events, which one side may not have yet. Rows compare as Lake's text; their order counts where the
statement sorts by columns of its result.
Exit codes: 0 the same answers, 1 a question failed, 2 bad usage, 4 answers differ.")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["names", "sql", "file"])))]
pub(crate) struct Args {
    /// Pack or question, as `pack list` names them, or `all`; may be given several times.
    #[arg(long = "pack", value_name = "NAME")]
    names: Vec<String>,
    /// A statement with $EDS_ID where the event data store stands, instead of packs.
    #[arg(long, value_name = "SQL")]
    sql: Option<String>,
    /// Read the statement from a file.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Event data store in Lake.
    #[arg(long, value_name = "ARN")]
    lake: Arn,
    /// Endpoint of the CloudTrail API other than AWS, for instance of `cloudtarn serve` [default: what
    /// AWS_ENDPOINT_URL_CLOUDTRAIL, AWS_ENDPOINT_URL or the profile says]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    prices: PricesArg,
    /// Cancel a query that Lake has not ended after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    /// Rows of each question to show that differ.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,
    /// One JSON document with every row that differs, instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Access to Lake")]
    identity: Identity,
}

/// A question in both its forms.
struct Question {
    name: String,
    here: String,
    lake: String,
}

impl Args {
    fn questions(&self) -> Result<Vec<Question>> {
        let scope = self.asked.scope.resolve(self.asked.zone.timezone)?;
        let on_lake = Scope { event_data_store: Some(self.lake.id().to_owned()), ..scope.clone() };
        let statement = match (&self.sql, &self.file) {
            (Some(sql), _) => Some(sql.clone()),
            (None, Some(path)) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
            }
            (None, None) => None,
        };
        if let Some(sql) = statement {
            self.asked.values(&[])?;
            let sql = sql.trim().trim_end_matches(';');
            return Ok(vec![Question {
                name: "statement".to_owned(),
                here: scope.apply(sql),
                lake: on_lake.apply(sql),
            }]);
        }
        let library = self.narrow.library()?;
        let questions = library.select(&self.narrow.selection(&self.names))?;
        if questions.is_empty() {
            bail!("no question of these packs has that tag and severity");
        }
        let values: Values = self.asked.values(&questions)?;
        let both = |question: &&cloudtarn_report::Question| {
            Ok(Question {
                name: question.name.clone(),
                here: question.statement(&values, &scope)?,
                lake: question.statement(&values, &on_lake)?,
            })
        };
        questions.iter().map(both).collect()
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let questions = args.questions()?;
    let prices = args.prices.table()?;
    // Without a store nothing is asked of Lake, which costs.
    drop(Store::open(&args.location.folder()?)?);
    let (runtime, session) = session(&args.location, Limits::default())?;
    let started = Instant::now();
    let asking = async {
        let patience = Duration::from_secs(args.timeout);
        let lake = Lake::open(&args.lake, args.endpoint_url.as_deref(), &args.identity.options(), patience).await;
        let mut done = Vec::new();
        let ended = {
            let mut asking = std::pin::pin!(all(&questions, &session, &lake, &mut done));
            tokio::select! {
                ended = &mut asking => Some(ended),
                _ = tokio::signal::ctrl_c() => {
                    lake.stop();
                    // A second Ctrl-C does not even wait for what is being cancelled.
                    tokio::select! { _ = &mut asking => {} _ = tokio::signal::ctrl_c() => {} }
                    None
                }
            }
        };
        (done, ended)
    };
    let (done, ended) = runtime.block_on(Box::pin(asking));
    // Work that nobody waits for any more does not hold up the program's end.
    runtime.shutdown_background();
    if !done.is_empty() || matches!(ended, Some(Ok(()))) {
        let mut out = std::io::stdout().lock();
        if args.json {
            for line in format!("{:#}", document(args, &done, &prices)).lines() {
                writeln!(out, "{}", inert(line))?;
            }
        } else {
            table::write(&done, &prices, args.rows, &mut out)?;
        }
        summarize(&done, questions.len(), &prices, started.elapsed());
    }
    match ended {
        None => Ok(ExitCode::from(INTERRUPTED)),
        Some(Err(error)) => Err(error),
        Some(Ok(())) if done.iter().any(Comparison::failed) => Ok(ExitCode::FAILURE),
        Some(Ok(())) if done.iter().all(Comparison::agrees) => Ok(ExitCode::SUCCESS),
        Some(Ok(())) => Ok(ExitCode::from(DIFFERENT)),
    }
}

/// Asks some questions at a time, and stops where Lake will answer none.
async fn all(questions: &[Question], session: &Session, lake: &Lake, done: &mut Vec<Comparison>) -> Result<()> {
    let progress = ProgressBar::new(questions.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{pos} of {len} questions, {elapsed}") {
        progress.set_style(style);
    }
    progress.tick();
    // One at a time runs here, so that each has its own time.
    let turn = Mutex::new(());
    let mut asked =
        futures::stream::iter(questions).map(|question| one(question, session, lake, &turn)).buffered(AT_ONCE);
    let mut failed = None;
    while let Some(compared) = asked.next().await {
        match compared {
            Ok(compared) => done.extend(compared),
            Err(error) => {
                lake.stop();
                failed.get_or_insert(error);
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    failed.map_or(Ok(()), Err)
}

/// Asks here, then Lake; `None` if nobody wants the answer any more.
async fn one(question: &Question, session: &Session, lake: &Lake, turn: &Mutex<()>) -> Result<Option<Comparison>> {
    let compared = |columns: &[String], here, lake, outcome| Comparison {
        question: question.name.clone(),
        sql: question.lake.clone(),
        columns: columns.to_vec(),
        here,
        lake,
        outcome,
    };
    let here = tokio::select! {
        biased;
        () = lake.stopped() => return Ok(None),
        found = here(question, session, turn) => found,
    };
    let here = match here {
        Ok(found) => Side::from(&found),
        Err(reason) => return Ok(Some(compared(&[], None, None, Outcome::FailedHere(reason)))),
    };
    let (took, outcome) = match lake.answer(&question.lake).await {
        Ok(answer) => (Some(answer.statistics), Outcome::Compared(difference(&question.here, &here, &answer))),
        Err(Refusal::Statement { reason, took }) => (took, Outcome::FailedOnLake(reason)),
        Err(Refusal::Everything(error)) => return Err(error),
        Err(Refusal::Stopped) => return Ok(None),
    };
    Ok(Some(compared(&here.columns, Some(here.statistics), took, outcome)))
}

/// The answer here, or why there is none.
async fn here(question: &Question, session: &Session, turn: &Mutex<()>) -> Result<Rows, String> {
    let _turn = turn.lock().await;
    match rows(session, &question.name, &question.here, Zone::UTC).await {
        Ok(found) if found.total > ROWS_KEPT as u64 => Err(lake::too_many(found.total)),
        Ok(found) => Ok(found),
        Err(Error::Query { source, .. }) => Err(source.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// How many agree, differ and failed.
fn counts(done: &[Comparison]) -> [usize; 3] {
    let same = done.iter().filter(|one| one.agrees()).count();
    let failed = done.iter().filter(|one| one.failed()).count();
    [same, done.len() - same - failed, failed]
}

fn cost(done: &[Comparison], prices: &Prices) -> f64 {
    done.iter().map(|one| one.cost(prices)).sum()
}

fn document(args: &Args, done: &[Comparison], prices: &Prices) -> serde_json::Value {
    let [same, different, failed] = counts(done);
    let questions: Vec<_> = done.iter().map(|one| one.document(prices)).collect();
    json!({
        "lake": args.lake.text(), "same": same, "different": different, "failed": failed,
        "lake_usd": cost(done, prices), "prices": prices.of_lake_scan().map(ToString::to_string).collect::<Vec<_>>(),
        "questions": questions,
    })
}

fn summarize(done: &[Comparison], questions: usize, prices: &Prices, elapsed: Duration) {
    let [same, different, failed] = counts(done);
    let table: Vec<String> = prices.of_lake_scan().map(ToString::to_string).collect();
    complain(&format!(
        "{} of {questions} questions in {:.1} s: {same} answered the same, {different} differently, {failed} failed; Lake's scans cost ${} by {}",
        done.len(),
        elapsed.as_secs_f64(),
        dollars(cost(done, prices)),
        table.join(", ")
    ));
}
