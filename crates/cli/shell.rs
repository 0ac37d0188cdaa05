//! `cloudtarn shell`: questions one after the other.

mod complete;
mod highlight;
mod running;
mod words;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use cloudtarn_query::{Limits, Session};
use cloudtarn_report::time::Zone;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::runtime::Runtime;

use crate::location::Location;
use crate::output::{Care, Format, complain, printable};
use crate::query::session;
use crate::time::ZoneArg;
use complete::Assistant;
use words::Words;

const HELP: &str =
    "Statements end with a semicolon and may have several lines; Tab completes, Ctrl-C cancels, Ctrl-D leaves.

  .help                 this
  .tables               the event data stores there are
  .schema [STORE]       columns and their types
  .output [FORM] [FILE] form of results (table, csv, json, ndjson, parquet), and a file for the next one
  .timing on|off        a line on what each query did
  .pager on|off         page through results that are wider or longer than the terminal
  .quit                 leave
";

/// The command line of `shell`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn shell
  cloudtarn shell --timezone Europe/Berlin
  echo 'SELECT count(*) FROM $EDS_ID;' | cloudtarn shell

`cloudtarn` alone on a terminal opens the shell, too. History is in cloudtarn/history of $XDG_STATE_HOME
(~/.local/state if unset).")]
pub(crate) struct Args {
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    zone: ZoneArg,
    /// Memory for sorting, grouping and joining, in MiB; beyond it they spill to disk; half of what
    /// the machine has by default.
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,
}

/// What the dot commands set.
struct Shell {
    session: Arc<Session>,
    runtime: Runtime,
    zone: Zone,
    format: Format,
    file: Option<PathBuf>,
    timing: bool,
    pager: bool,
    terminal: bool,
}

/// What a line led to.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Leave,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let limits = Limits { memory: crate::query::memory(args.memory), ..Limits::default() };
    let (runtime, session) = session(&args.location, limits)?;
    let terminal = std::io::stdout().is_terminal();
    let mut shell = Shell {
        session: Arc::new(session),
        runtime,
        zone: args.zone.timezone,
        format: if terminal { Format::Table } else { Format::Csv },
        file: None,
        timing: true,
        pager: terminal,
        terminal,
    };
    if !std::io::stdin().is_terminal() {
        return shell.script();
    }
    let words = Words::of(&shell.session, &shell.runtime, &args.location);
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false).build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config).context("cannot use the terminal")?;
    editor.set_helper(Some(Assistant::new(words)));
    let history = history();
    if let Some(path) = &history {
        // A history that cannot be read is none.
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.load_history(path);
    }
    complain(&format!("cloudtarn {}; .help helps, .quit leaves", env!("CARGO_PKG_VERSION")));
    loop {
        match editor.readline("cloudtarn> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                if let Some(path) = &history {
                    let _ = editor.append_history(path);
                }
                match shell.line(&line) {
                    Ok(Next::Leave) => break,
                    Ok(Next::GoOn) => {}
                    Err(error) => complain(&format!("{error:#}")),
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read from the terminal"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where lines are kept between sessions.
fn history() -> Option<PathBuf> {
    let absolute = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("cloudtarn/history"))
}

/// Is a statement or a command whole?
fn complete(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('.') || is_leave(text) || highlight::ends(text)
}

fn is_leave(text: &str) -> bool {
    matches!(text.trim_end_matches(';'), "quit" | "exit" | "\\q")
}

impl Shell {
    /// Statements from standard input; goes on after one that fails.
    fn script(&mut self) -> Result<ExitCode> {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read statements from standard input")?;
        let (mut statement, mut failed) = (String::new(), false);
        for line in text.lines() {
            statement.push_str(line);
            statement.push('\n');
            if !complete(&statement) {
                continue;
            }
            match self.line(&std::mem::take(&mut statement)) {
                Ok(Next::Leave) => break,
                Ok(Next::GoOn) => {}
                Err(error) if crate::is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
                Err(error) => {
                    complain(&format!("{error:#}"));
                    failed = true;
                }
            }
        }
        if !statement.trim().is_empty() {
            self.line(&statement)?;
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn line(&mut self, line: &str) -> Result<Next> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(Next::GoOn);
        }
        if is_leave(line) {
            return Ok(Next::Leave);
        }
        if let Some(command) = line.strip_prefix('.') {
            return self.command(command);
        }
        self.ask(line)?;
        Ok(Next::GoOn)
    }

    fn command(&mut self, line: &str) -> Result<Next> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let on = |word: Option<&&str>| match word {
            Some(&"on") => Ok(true),
            Some(&"off") => Ok(false),
            _ => bail!("write on or off"),
        };
        match words.first().copied().unwrap_or_default() {
            "help" => std::io::stdout().write_all(HELP.as_bytes())?,
            "tables" => self.ask("SHOW TABLES")?,
            "schema" => {
                let store = words.get(1).copied().unwrap_or("$EDS_ID");
                self.ask(&format!("DESCRIBE {store}"))?;
            }
            "output" => self.output(&words[1..])?,
            "timing" => self.timing = on(words.get(1))?,
            "pager" => self.pager = on(words.get(1))?,
            "quit" | "exit" => return Ok(Next::Leave),
            other => bail!("no command `.{}`; .help lists them", printable(other)),
        }
        Ok(Next::GoOn)
    }

    fn output(&mut self, words: &[&str]) -> Result<()> {
        let form = words.first().map(|word| <Format as clap::ValueEnum>::from_str(word, true));
        match (form, words) {
            (None, _) => (self.format, self.file) = (Format::Table, None),
            (Some(Ok(form)), [_]) => (self.format, self.file) = (form, None),
            (Some(Ok(form)), [_, file]) => (self.format, self.file) = (form, Some(PathBuf::from(file))),
            _ => bail!("write .output FORM [FILE]; forms are table, csv, json, ndjson and parquet"),
        }
        if self.format == Format::Parquet && self.file.is_none() {
            self.format = Format::Table;
            bail!("Parquet is not for a terminal: write .output parquet FILE");
        }
        Ok(())
    }

    fn ask(&mut self, sql: &str) -> Result<()> {
        let care = Care { terminal: self.terminal && self.file.is_none(), ..Care::default() };
        let done = running::run(&self.session, &self.runtime, sql, self.format, self.zone, care)?;
        let Some((bytes, statistics)) = done else {
            complain("cancelled");
            return Ok(());
        };
        match self.file.take() {
            Some(path) => {
                let file = std::fs::File::create_new(&path);
                let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
                file.write_all(&bytes)?;
                self.format = if self.terminal { Format::Table } else { Format::Csv };
            }
            None => running::show(&bytes, self.pager && self.format == Format::Table)?,
        }
        if self.timing {
            crate::output::summarize(&statistics);
        }
        Ok(())
    }
}
