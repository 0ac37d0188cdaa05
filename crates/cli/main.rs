//! The program: CloudTrail Lake on one's own machine.

mod access;
mod allocator;
mod batch;
mod compact;
mod compare;
mod coverage;
mod demo;
mod estimate;
mod functions;
mod ingest;
mod json;
mod location;
mod manual;
mod output;
mod pack;
mod plan;
mod query;
mod report;
mod scope;
mod serve;
mod shell;
mod stores;
mod time;
mod timeline;
mod units;
mod verdicts;
mod verify;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Ends of the program: results given; the work failed; the command line was wrong (clap's own).
const FAILED: u8 = 1;
const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(name = "cloudtarn", version, about)]
#[command(
    after_help = "Without a command, on a terminal, it opens the shell. `cloudtarn COMMAND --help` has examples."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take log files into the store.
    Ingest(ingest::Args),
    /// Ask one question after the other.
    Shell(shell::Args),
    /// Run CloudTrail Lake SQL.
    Query(query::Args),
    /// Merge small data files.
    Compact(compact::Args),
    /// List, show, check and ask the questions that come with the program, or your own.
    Pack(pack::Args),
    /// Ask packs and write what they find as a report.
    Report(report::Args),
    /// Tell what an identity, access key, address or resource did, in order.
    Timeline(timeline::Args),
    /// Sum up an identity, access key, address or resource.
    Summary(timeline::SummaryArgs),
    /// Tell what Lake and Athena would have charged for this data and these questions.
    Estimate(estimate::Args),
    /// Ask CloudTrail Lake the same questions, and compare answers, time and cost.
    Compare(compare::Args),
    /// Verify digests and log files: what a copy still proves.
    Verify(verify::Args),
    /// Show which hours the store can speak about.
    Coverage(coverage::Args),
    /// List the event data stores.
    Stores(stores::Args),
    /// List the functions of Lake SQL, or describe one.
    Functions(functions::Args),
    /// Serve the CloudTrail API: the AWS CLI, boto3 and every SDK ask this store.
    Serve(serve::Args),
    /// Make a small bucket, ingest it and ask it questions.
    Demo(demo::Args),
    /// Print a completion script for a shell.
    Completions(manual::Completions),
    /// Print the manual page.
    Man(manual::Man),
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if cli.command.is_none() && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        cli = Cli::parse_from(["cloudtarn", "shell"]);
    }
    let Some(command) = cli.command else {
        let _ = Cli::command().print_help();
        return ExitCode::from(USAGE);
    };
    let done = match command {
        Command::Ingest(args) => ingest::run(&args),
        Command::Query(args) => query::run(args).map(|()| ExitCode::SUCCESS),
        Command::Compact(args) => compact::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Pack(args) => {
            pack::run(&args).map(|well| if well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
        }
        Command::Report(args) => report::run(&args),
        Command::Timeline(args) => timeline::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Summary(args) => timeline::summarize(&args).map(|()| ExitCode::SUCCESS),
        Command::Estimate(args) => estimate::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Coverage(args) => coverage::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Stores(args) => stores::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Functions(args) => functions::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Serve(args) => serve::run(args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args),
        Command::Shell(args) => shell::run(&args),
        Command::Completions(args) => manual::completions(&args).map(|()| ExitCode::SUCCESS),
        Command::Man(args) => manual::man(&args).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            output::complain(&format!("{e:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// A reader that went away (`| head`) is no failure.
pub(crate) fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| c.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe))
}
