//! `cloudtarn stores`: the event data stores there are.

use std::io::Write;

use anyhow::Result;
use cloudtarn_store::{DataFile, EventDataStore, Snapshot, Store};
use comfy_table::CellAlignment;
use serde_json::json;

use crate::location::Location;
use crate::output::lined_table;
use crate::units;

/// The command line of `stores`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn stores
  cloudtarn stores --json")]
pub(crate) struct Args {
    #[command(flatten)]
    location: Location,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let store = Store::open(&args.location.folder()?)?;
    let stores: Vec<(EventDataStore, Snapshot)> = store
        .event_data_stores()?
        .into_iter()
        .map(|eds| store.snapshot(&eds).map(|snapshot| (eds, snapshot)))
        .collect::<Result<_, _>>()?;
    let mut out = std::io::stdout().lock();
    if args.json {
        for (eds, snapshot) in &stores {
            let sum = |of: fn(&DataFile) -> u64| snapshot.files.iter().map(of).sum::<u64>();
            let (first, last) = span(snapshot);
            let line = json!({
                "id": eds.id, "arn": eds.arn, "name": eds.name, "category": eds.category.as_str(),
                "events": sum(|f| f.rows), "files": snapshot.files.len(), "bytes": sum(|f| f.bytes),
                "json_bytes": sum(|f| f.json_bytes), "first": first, "last": last,
            });
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    let mut table = lined_table();
    table.set_header(["name", "id", "events", "from", "to", "files", "size", "JSON"]);
    for column in [2, 5, 6, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for (eds, snapshot) in stores {
        let sum = |of: fn(&DataFile) -> u64| snapshot.files.iter().map(of).sum::<u64>();
        let (first, last) = span(&snapshot);
        table.add_row([
            eds.name,
            eds.id,
            units::count(sum(|f| f.rows)),
            first.unwrap_or_default(),
            last.unwrap_or_default(),
            units::count(snapshot.files.len() as u64),
            units::bytes(sum(|f| f.bytes)),
            units::bytes(sum(|f| f.json_bytes)),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// First and last event time, as Lake prints times.
fn span(snapshot: &Snapshot) -> (Option<String>, Option<String>) {
    let text = |millis: i64| {
        chrono::DateTime::from_timestamp_millis(millis).map(|t| t.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
    };
    let times = || snapshot.files.iter().map(DataFile::times);
    let first = times().filter_map(|(first, _)| first).min();
    let last = times().filter_map(|(_, last)| last).max();
    (first.and_then(text), last.and_then(text))
}
