//! `cloudtarn query`.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cloudtarn_query::{Limits, Session};
use cloudtarn_report::time::Zone;
use cloudtarn_store::Store;
use futures::StreamExt;
use tokio::runtime::Runtime;

use crate::location::Location;
use crate::output::{self, Format};
use crate::time::ZoneArg;

/// The command line of `query`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn query \"SELECT eventName, count(*) FROM \\$EDS_ID GROUP BY 1 ORDER BY 2 DESC LIMIT 5\"
  cloudtarn query --file question.sql --output csv
  echo 'SELECT max(eventTime) FROM $EDS_ID' | cloudtarn query --timezone Europe/Berlin")]
pub(crate) struct Args {
    /// The statement; standard input where neither this nor --file is given.
    #[arg(conflicts_with_all = ["file", "batch"])]
    sql: Option<String>,
    /// Read the statement from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    file: Option<PathBuf>,
    /// Run many statements: a JSON document {"id": …, "sql": …} a line, answered by one a line.
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// Value for the statement's next question mark, also one inside quotes; as many as there are, in their order.
    #[arg(long = "parameter", short = 'p', value_name = "VALUE", conflicts_with = "batch")]
    parameters: Vec<String>,
    /// Form of the result: a table on a terminal, else CSV, unless given.
    #[arg(long, value_enum)]
    output: Option<Format>,
    /// Write the result to a file.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Put a ' before cells of CSV that a spreadsheet would take for formulas; programs get cells as they are without.
    #[arg(long)]
    csv_safe: bool,
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    zone: ZoneArg,
    /// Stop after this many seconds; 0 for never.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    /// Refuse statements of more characters, as Lake does.
    #[arg(long, value_name = "CHARACTERS", default_value_t = 10_000)]
    max_statement: usize,
    /// Memory for sorting, grouping and joining, in MiB; beyond it they spill to disk; half of what
    /// the machine has by default.
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,
}

impl Args {
    /// One statement on one store with the defaults.
    pub(crate) fn of(sql: &str, location: Location) -> Self {
        Self {
            sql: Some(sql.to_owned()),
            file: None,
            batch: None,
            parameters: Vec::new(),
            output: Some(Format::Table),
            output_file: None,
            csv_safe: false,
            location,
            zone: ZoneArg { timezone: Zone::UTC },
            timeout: 3600,
            max_statement: 10_000,
            memory: None,
        }
    }
}

/// Bytes that queries may take.
pub(crate) fn memory(mib: Option<usize>) -> usize {
    mib.map_or_else(|| Limits::default().memory, |mib| mib.saturating_mul(1 << 20))
}

/// A session on the store, and the threads that it runs on.
pub(crate) fn session(location: &Location, limits: Limits) -> Result<(Runtime, Session)> {
    // A query that names no table needs no store.
    let store = match Store::open(&location.folder()?) {
        Ok(store) => Some(store),
        Err(cloudtarn_store::Error::NoStore(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok((threads()?, Session::new(store, limits)?))
}

/// The threads that queries run on.
pub(crate) fn threads() -> Result<Runtime> {
    crate::allocator::keep_memory();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(16 << 20)
        .build()
        .context("cannot start the query threads")
}

/// How many rows a statement gives.
pub(crate) fn count_rows(sql: &str, location: &Location) -> Result<u64> {
    let (runtime, session) = session(location, Limits::default())?;
    runtime.block_on(async {
        let mut query = session.query(sql).await?;
        let mut rows = 0;
        while let Some(batch) = query.next().await {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    })
}

/// Runs the statement or statements and writes what they give.
pub(crate) fn run(args: Args) -> Result<()> {
    let limits = Limits {
        memory: memory(args.memory),
        time: (args.timeout > 0).then(|| std::time::Duration::from_secs(args.timeout)),
        statement: args.max_statement,
        ..Limits::default()
    };
    let (runtime, session) = session(&args.location, limits)?;
    // The planner recurses with the statement; the runtime's own threads have the stack for it.
    let ended = runtime.block_on(async {
        if let Some(path) = &args.batch {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            return crate::batch::run(&session, BufReader::new(file), std::io::stdout()).await;
        }
        let sql = match (args.sql, &args.file) {
            (Some(sql), _) => sql,
            (None, Some(path)) => {
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            (None, None) => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("cannot read the statement from standard input")?;
                text
            }
        };
        let terminal = args.output_file.is_none() && std::io::stdout().is_terminal();
        let format = args.output.unwrap_or(if terminal { Format::Table } else { Format::Csv });
        if format == Format::Parquet && terminal {
            bail!("Parquet is not for a terminal: give --output-file FILE or redirect the output");
        }
        let mut query = session.query_with(&sql, &args.parameters).await?;
        let mut out: Box<dyn Write + Send> = match &args.output_file {
            Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
            None => Box::new(std::io::stdout()),
        };
        let care = output::Care { terminal, spreadsheet: args.csv_safe };
        output::write(&mut query, format, args.zone.timezone, care, &mut out).await?;
        out.flush()?;
        output::summarize(&query.statistics());
        Ok(())
    });
    // Work that nobody waits for any more does not hold up the program's end.
    runtime.shutdown_background();
    ended
}
