//! `cloudtarn ingest --dry-run`: the plan, on standard output.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use cloudtarn_ingest::Plan;
use cloudtarn_source::Day;
use comfy_table::CellAlignment;
use serde_json::json;

use crate::output::{complain, lined_table, printable};
use crate::units;

/// Prints the plan, as a table or as one JSON object a line.
pub(crate) fn print(plan: &Plan, as_json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        for part in &plan.parts {
            let (first, last) = (part.days.first().map(Day::to_string), part.days.last().map(Day::to_string));
            let line = json!({
                "account": part.account, "region": part.region, "kind": part.kind, "days": part.days.len(),
                "first": first, "last": last, "objects": part.files, "bytes": part.bytes,
                "new_objects": part.new_files, "new_bytes": part.new_bytes,
            });
            writeln!(out, "{line}")?;
        }
    } else {
        let mut table = lined_table();
        table.set_header([
            "account",
            "region",
            "kind",
            "days",
            "first",
            "last",
            "objects",
            "bytes",
            "new",
            "new bytes",
        ]);
        for column in [3, 6, 7, 8, 9] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for part in &plan.parts {
            let day = |day: Option<&Day>| day.map(Day::to_string).unwrap_or_default();
            table.add_row([
                printable(&part.account),
                printable(&part.region),
                part.kind.clone(),
                units::count(part.days.len() as u64),
                day(part.days.first()),
                day(part.days.last()),
                units::count(part.files),
                units::bytes(part.bytes),
                units::count(part.new_files),
                units::bytes(part.new_bytes),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    summarize(plan);
    Ok(())
}

/// Totals and what else there is to know, on standard error.
fn summarize(plan: &Plan) {
    let sum = |of: fn(&cloudtarn_ingest::Part) -> u64| plan.parts.iter().map(of).sum::<u64>();
    let distinct = |of: fn(&cloudtarn_ingest::Part) -> &str| {
        plan.parts.iter().map(of).filter(|name| !name.is_empty()).collect::<BTreeSet<_>>().len() as u64
    };
    let days = plan.parts.iter().flat_map(|part| &part.days).collect::<BTreeSet<_>>().len() as u64;
    complain(&format!(
        "{} accounts, {} regions, {} days: {} objects of {}, of which {} of {} would be read",
        units::count(distinct(|part| &part.account)),
        units::count(distinct(|part| &part.region)),
        units::count(days),
        units::count(sum(|part| part.files)),
        units::bytes(sum(|part| part.bytes)),
        units::count(sum(|part| part.new_files)),
        units::bytes(sum(|part| part.new_bytes)),
    ));
    if plan.partial {
        complain("days that earlier runs have listed for good are left out; --full lists them too");
    }
    for note in &plan.notes {
        complain(&printable(note));
    }
    for problem in &plan.unlisted.first {
        complain(&format!("not listed: {}", printable(&problem.reason)));
    }
}
