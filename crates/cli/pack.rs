//! `cloudtarn pack`: the questions that come with the program, and one's own.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cloudtarn_query::Limits;
use cloudtarn_report::{Library, Question, Selection, Severity, Values};
use serde_json::json;

use crate::location::Location;
use crate::output::{self, Format, lined_table, printable};
use crate::query::session;
use crate::scope::ScopeArgs;
use crate::time::ZoneArg;

/// The command line of `pack`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List packs and their questions.
    #[command(after_help = "Examples:
  cloudtarn pack list
  cloudtarn pack list console --severity high
  cloudtarn pack list --tag ransom --json")]
    List {
        #[command(flatten)]
        selection: SelectionArgs,
        /// One JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Show a question: what it is about, its parameters, its SQL as it would run.
    #[command(after_help = "Examples:
  cloudtarn pack show console/sign-in-failures
  cloudtarn pack show console/sign-in-failures --param failures=3 --since 2026-03-01")]
    Show {
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        asked: Asked,
    },
    /// Ask the questions of packs.
    #[command(after_help = "Examples:
  cloudtarn pack run console
  cloudtarn pack run console/sign-in-failures --param failures=20 --output csv
  cloudtarn pack run all --severity high --since 2026-03-01 --until 2026-03-31")]
    Run {
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        location: Location,
        /// Form of the rows: tables on a terminal, else CSV, unless given; CSV and Parquet take one question.
        #[arg(long, value_enum)]
        output: Option<Format>,
    },
    /// Check questions: front matter, SQL, and whether each could ever find anything.
    #[command(after_help = "Examples:
  cloudtarn pack lint
  cloudtarn pack lint --packs queries console

Exit codes: 0 nothing wrong, 1 a question that does not run or can never find anything.")]
    Lint {
        #[command(flatten)]
        selection: SelectionArgs,
    },
}

/// Which questions.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Packs and questions, as `pack list` names them, or `all`.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    narrow: Narrow,
}

/// Which of the questions named.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Narrow {
    /// Only questions with this tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only questions of this severity or more: informational, low, medium, high, critical.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,
    /// Folder with questions of one's own, beside those in the program; may be given several times.
    #[arg(long = "packs", value_name = "DIR")]
    folders: Vec<PathBuf>,
}

impl Narrow {
    pub(crate) fn library(&self) -> Result<Library> {
        Ok(Library::with_folders(&self.folders)?)
    }

    pub(crate) fn selection(&self, names: &[String]) -> Selection {
        Selection { names: names.to_vec(), tags: self.tags.clone(), severity: self.severity }
    }
}

/// What is asked with the question.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Asked {
    /// Value of a parameter, NAME=VALUE; may be given several times.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = value)]
    values: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) zone: ZoneArg,
}

impl Asked {
    pub(crate) fn values(&self, questions: &[&Question]) -> Result<Values> {
        let values: Values = self.values.iter().cloned().collect();
        Library::check(questions, &values)?;
        Ok(values)
    }
}

fn value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    match &args.action {
        Action::List { selection, json } => list(selection, *json)?,
        Action::Show { selection, asked } => show(selection, asked)?,
        Action::Run { selection, asked, location, output } => ask(selection, asked, location, *output)?,
        Action::Lint { selection } => return lint(selection),
    }
    Ok(true)
}

fn list(args: &SelectionArgs, json: bool) -> Result<()> {
    let library = args.narrow.library()?;
    let questions = library.select(&args.narrow.selection(&args.names))?;
    let mut out = std::io::stdout().lock();
    if json {
        for question in questions {
            writeln!(out, "{}", document(question))?;
        }
        return Ok(());
    }
    let mut table = lined_table();
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["question", "severity", "title", "tags"]);
    for question in &questions {
        table.add_row([
            printable(&question.name),
            question.severity.to_string(),
            printable(&question.title),
            printable(&question.tags.join(", ")),
        ]);
    }
    writeln!(out, "{table}")?;
    output::complain(&format!("{} questions", questions.len()));
    Ok(())
}

/// A question's front matter and SQL.
fn document(question: &Question) -> serde_json::Value {
    let parameters: Vec<_> = question
        .parameters
        .iter()
        .map(|p| json!({"name": p.name, "type": p.kind.as_str(), "default": p.default, "about": p.about}))
        .collect();
    let techniques: Vec<_> =
        question.techniques.iter().map(|t| json!({"tactic": t.tactic.id(), "technique": t.id})).collect();
    json!({
        "name": question.name, "pack": question.pack(), "title": question.title, "answers": question.answers,
        "severity": question.severity.as_str(), "mitre": techniques, "tags": question.tags, "parameters": parameters,
        "references": question.references, "sql": question.sql,
    })
}

fn show(args: &SelectionArgs, asked: &Asked) -> Result<()> {
    if args.names.is_empty() {
        bail!("name a question or a pack; `cloudtarn pack list` lists them");
    }
    let library = args.narrow.library()?;
    let questions = library.select(&args.narrow.selection(&args.names))?;
    let values = asked.values(&questions)?;
    let scope = asked.scope.resolve(asked.zone.timezone)?;
    let mut out = std::io::stdout().lock();
    for (index, question) in questions.into_iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "-- {}", printable(&question.name))?;
        writeln!(out, "-- {} ({})", printable(&question.title), question.severity)?;
        writeln!(out, "-- {}", printable(&question.answers))?;
        for technique in &question.techniques {
            writeln!(out, "-- {} {}: {}", technique.tactic.name(), technique.id, technique.address())?;
        }
        for p in &question.parameters {
            let shown = values.get(&p.name).unwrap_or(&p.default);
            let (name, kind) = (printable(&p.name), p.kind.as_str());
            writeln!(out, "-- --param {name}={} ({kind}): {}", printable(shown), printable(&p.about))?;
        }
        for reference in &question.references {
            writeln!(out, "-- {}", printable(reference))?;
        }
        writeln!(out, "{}", question.statement(&values, &scope)?)?;
    }
    Ok(())
}

fn ask(args: &SelectionArgs, asked: &Asked, location: &Location, format: Option<Format>) -> Result<()> {
    if args.names.is_empty() {
        bail!("name the packs or questions to ask, or `all`; `cloudtarn pack list` lists them");
    }
    let library = args.narrow.library()?;
    let questions = library.select(&args.narrow.selection(&args.names))?;
    let values = asked.values(&questions)?;
    let zone = asked.zone.timezone;
    let scope = asked.scope.resolve(zone)?;
    let terminal = std::io::stdout().is_terminal();
    let one = questions.len() == 1;
    let format = format.unwrap_or(if terminal || !one { Format::Table } else { Format::Csv });
    if !one && matches!(format, Format::Csv | Format::Parquet | Format::Json) {
        bail!("{} questions have different columns: name one, or use `cloudtarn report`", questions.len());
    }
    if format == Format::Parquet && terminal {
        bail!("Parquet is not for a terminal: redirect the output");
    }
    let care = output::Care { terminal, ..output::Care::default() };
    let (runtime, session) = session(location, Limits::default())?;
    runtime.block_on(async {
        let mut out = std::io::stdout();
        for question in questions {
            let sql = question.statement(&values, &scope)?;
            let mut query = session.query(&sql).await.with_context(|| question.name.clone())?;
            if !one && format == Format::Table {
                writeln!(
                    out,
                    "{} · {} ({})",
                    printable(&question.name),
                    printable(&question.title),
                    question.severity
                )?;
            }
            output::write(&mut query, format, zone, care, &mut out).await.with_context(|| question.name.clone())?;
            output::summarize(&query.statistics());
        }
        Ok(())
    })
}

fn lint(args: &SelectionArgs) -> Result<bool> {
    let library = args.narrow.library()?;
    let questions = library.select(&args.narrow.selection(&args.names))?;
    // Whether columns, fields and types exist shows in a plan over an empty store.
    let folder = tempfile::tempdir().context("cannot make a folder for an empty store")?;
    drop(cloudtarn_store::Writer::begin(folder.path(), None)?);
    let (runtime, session) = session(&Location::of(folder.path().to_path_buf()), Limits::default())?;
    let mut out = std::io::stdout().lock();
    let mut wrong = 0;
    for question in &questions {
        let mut complaints = cloudtarn_report::lint(question);
        if let Err(error) = runtime.block_on(session.query(&question.sql)) {
            complaints.push(error.to_string());
        }
        for complaint in complaints {
            wrong += 1;
            writeln!(out, "{}: {}", printable(&question.name), printable(&complaint))?;
        }
    }
    output::complain(&format!("{} questions, {wrong} complaints", questions.len()));
    Ok(wrong == 0)
}
