//! `cloudtarn estimate`: the bill that Lake and Athena would have sent.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cloudtarn_query::Limits;
use cloudtarn_report::time::Zone;
use cloudtarn_report::{Estimate, Prices};
use cloudtarn_store::Store;
use comfy_table::CellAlignment;

use crate::location::Location;
use crate::output::{complain, lined_table, printable};
use crate::pack::Narrow;
use crate::query::session;
use crate::scope::ScopeArgs;
use crate::units;

/// The command line of `estimate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn estimate
  cloudtarn estimate --pack console --pack access --runs 30 --keep 24
  cloudtarn estimate --print-prices > prices.tsv
  cloudtarn estimate --prices prices.tsv --json")]
pub(crate) struct Args {
    /// Pack or question to ask once and reckon with; may be given several times.
    #[arg(long = "pack", value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    location: Location,
    /// How often each question would run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    runs: u32,
    /// Months that Lake would keep the events.
    #[arg(long, value_name = "MONTHS", default_value_t = 12)]
    keep: u32,
    #[command(flatten)]
    prices: PricesArg,
    /// Print the program's price table and do nothing else.
    #[arg(long)]
    print_prices: bool,
    /// One JSON document instead of tables.
    #[arg(long)]
    json: bool,
}

/// The price table's option.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PricesArg {
    /// Price table of one's own; `cloudtarn estimate --print-prices` prints one to edit.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl PricesArg {
    pub(crate) fn table(&self) -> Result<Prices> {
        let Some(path) = &self.prices else { return Ok(Prices::built_in()?) };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Prices::parse(&text).with_context(|| path.display().to_string())
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if args.print_prices {
        out.write_all(Prices::text().as_bytes())?;
        return Ok(());
    }
    let prices = args.prices.table()?;
    let library = args.narrow.library()?;
    let questions =
        if args.names.is_empty() { Vec::new() } else { library.select(&args.narrow.selection(&args.names))? };
    let scope = args.scope.resolve(Zone::UTC)?;
    let store = Store::open(&args.location.folder()?)?;
    let (runtime, session) = session(&args.location, Limits::default())?;
    let found = runtime.block_on(Estimate::of(&session, &store, &prices, &questions, &scope, args.keep, args.runs))?;
    if args.json {
        writeln!(out, "{:#}", found.document(&prices))?;
        return Ok(());
    }
    show(&found, &prices, &mut out)
}

fn show(found: &Estimate, prices: &Prices, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{} events over {:.1} months: {} of JSON, {} as delivered, {} here",
        units::count(found.events),
        found.months,
        units::bytes(found.json_bytes),
        units::bytes(found.delivered_bytes),
        units::bytes(found.parquet_bytes)
    )?;
    let mut table = lined_table();
    table.set_header(["CloudTrail Lake", "US dollars"]);
    table.add_row(["taking the events in, kept for a year".to_owned(), dollars(found.lake_ingest)]);
    if found.keep > 12 {
        table.add_row([format!("keeping them {} months longer", found.keep - 12), dollars(found.lake_retention)]);
    }
    table.add_row(["or taking them in for seven years".to_owned(), dollars(found.lake_seven_years)]);
    right(&mut table, &[1]);
    writeln!(out, "{table}")?;
    if !found.scans.is_empty() {
        let mut table = lined_table();
        table.set_header(["question, once", "events read", "bytes read", "Lake", "Athena, gzip", "Athena, Parquet"]);
        for scan in &found.scans {
            table.add_row([
                printable(&scan.question),
                units::count(scan.events),
                units::bytes(scan.bytes),
                dollars(scan.lake),
                dollars(scan.athena_raw),
                dollars(scan.athena_parquet),
            ]);
        }
        table.add_row([
            format!("all, {} times", found.runs),
            String::new(),
            String::new(),
            dollars(found.sum(|s| s.lake)),
            dollars(found.sum(|s| s.athena_raw)),
            dollars(found.sum(|s| s.athena_parquet)),
        ]);
        right(&mut table, &[1, 2, 3, 4, 5]);
        writeln!(out, "{table}")?;
    }
    let remembered: Vec<String> = prices.all().iter().filter(|p| !p.read).map(ToString::to_string).collect();
    if !remembered.is_empty() {
        complain(&format!("prices that nobody checked: {}", printable(&remembered.join("; "))));
    }
    complain("bytes read here stand for what Lake would scan; `--print-prices` prints the price table to edit");
    Ok(())
}

/// Numbers stand to the right.
pub(crate) fn right(table: &mut comfy_table::Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Two digits, or as many as show that it is not nothing.
pub(crate) fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 0.995 { format!("{amount:.2}") } else { format!("{amount:.6}") }
}
