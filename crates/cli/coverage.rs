//! `cloudtarn coverage`: which hours of which accounts and regions the store can speak about.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use cloudtarn_query::{Limits, Session};
use cloudtarn_report::time::Zone;
use cloudtarn_store::Store;

use crate::location::Location;
use crate::output::{self, Format};
use crate::time::Days;
use crate::verify::Keys;

/// The command line of `coverage`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "States of an hour: proven (its digests and all log files that they name are there and valid), proven empty
(a digest proves that nothing was delivered), unproven, missing (a digest or a log file that was delivered is not there),
invalid. The same hour by hour in SQL: SELECT * FROM cloudtarn.coverage"
)]
pub(crate) struct Args {
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    keys: Keys,
    /// Only this account; may be given several times.
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    /// Only this region; may be given several times.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    #[command(flatten)]
    days: Days,
    /// Only what is not proven.
    #[arg(long)]
    gaps: bool,
    /// Hour by hour, instead of the stretches of hours that are alike.
    #[arg(long)]
    hours: bool,
    /// Form of the result: a table on a terminal, else CSV, unless given.
    #[arg(long, value_enum)]
    output: Option<Format>,
    /// Write the result to a file.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let store = Store::open(&args.location.folder()?)?;
    if args.keys.are_given() {
        args.keys.with_store(&store)?;
        cloudtarn_verify::refresh(&store, true)?;
    }
    let terminal = args.output_file.is_none() && std::io::stdout().is_terminal();
    let format = args.output.unwrap_or(if terminal { Format::Table } else { Format::Csv });
    let session = Session::new(Some(store), Limits::default())?;
    crate::query::threads()?.block_on(async {
        let mut query = session.query(&statement(args)?).await?;
        let mut out: Box<dyn Write + Send> = match &args.output_file {
            Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
            None => Box::new(std::io::stdout()),
        };
        let care = output::Care { terminal, spreadsheet: false };
        output::write(&mut query, format, Zone::UTC, care, &mut out).await?;
        out.flush()?;
        Ok(())
    })
}

fn statement(args: &Args) -> Result<String> {
    let (since, until) = args.days.resolve()?;
    let mut conditions = Vec::new();
    for (column, wanted) in [("account", &args.accounts), ("region", &args.regions)] {
        if !wanted.is_empty() {
            let list: Vec<String> = wanted.iter().map(|one| format!("'{}'", one.replace('\'', "''"))).collect();
            conditions.push(format!("{column} IN ({})", list.join(", ")));
        }
    }
    if let Some(since) = since {
        conditions.push(format!("hour >= TIMESTAMP '{since} 00:00:00'"));
    }
    if let Some(until) = until {
        conditions.push(format!("hour < TIMESTAMP '{} 00:00:00'", until.next()));
    }
    if args.gaps {
        conditions.push("state NOT LIKE 'proven%'".to_owned());
    }
    let filter = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    if args.hours {
        return Ok(format!("SELECT * FROM cloudtarn.coverage {filter} ORDER BY account, region, hour"));
    }
    // Hours that follow each other in one state have the same difference of their places: among all, and in the state.
    Ok(format!(
        "SELECT account, region, min(hour) AS since, date_add('hour', 1, max(hour)) AS until, count(*) AS hours, state,
                sum(digests) AS digests, sum(log_files) AS log_files, sum(events) AS events, min(reason) AS reason
         FROM (SELECT *, row_number() OVER (PARTITION BY account, region ORDER BY hour)
                         - row_number() OVER (PARTITION BY account, region, state ORDER BY hour) AS stretch
               FROM cloudtarn.coverage) AS marked
         {filter}
         GROUP BY account, region, state, stretch ORDER BY account, region, since"
    ))
}
