//! The program: CloudTrail Lake on one's own machine.

mod batch;
mod json;
mod output;
mod query;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Ends of the program: results given; the work failed; the command line was wrong (clap's own).
const FAILED: u8 = 1;

#[derive(Debug, Parser)]
#[command(name = "cloudtarn", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run CloudTrail Lake SQL.
    Query(query::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Query(args) => query::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            output::complain(&format!("{e:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// A reader that went away (`| head`) is no failure.
fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| c.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe))
}
