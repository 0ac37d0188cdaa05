//! The program: CloudTrail Lake on one's own machine.

mod batch;
mod demo;
mod functions;
mod ingest;
mod json;
mod location;
mod output;
mod query;
mod samples;
mod serve;
mod stores;
mod units;

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
    /// Take log files into the store.
    Ingest(ingest::Args),
    /// Run CloudTrail Lake SQL.
    Query(query::Args),
    /// List the event data stores.
    Stores(stores::Args),
    /// List the functions of Lake SQL, or describe one.
    Functions(functions::Args),
    /// Serve the CloudTrail API: the AWS CLI, boto3 and every SDK ask this store.
    Serve(serve::Args),
    /// Make a small bucket, ingest it and ask it questions.
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Ingest(args) => ingest::run(&args),
        Command::Query(args) => query::run(args).map(|()| ExitCode::SUCCESS),
        Command::Stores(args) => stores::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Functions(args) => functions::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Serve(args) => serve::run(args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args),
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
fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| c.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe))
}
