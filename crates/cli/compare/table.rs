//! Comparisons for the eye.

use std::io::Write;

use anyhow::Result;
use cloudtarn_query::Statistics;
use cloudtarn_report::{Comparison, Difference, Outcome, Prices};

use crate::estimate::{dollars, right};
use crate::output::{complain, lined_table, printable};
use crate::units;

/// One table of all questions with their sums, then the rows that differ.
pub(super) fn write(done: &[Comparison], prices: &Prices, shown: usize, out: &mut impl Write) -> Result<()> {
    let mut table = lined_table();
    table.set_header(["question", "asked", "rows", "time", "matched", "scanned", "bytes", "US dollars", "answers"]);
    let mut add = |name: &str, side: &str, took: Option<Statistics>, cost: f64, answers: String| {
        let figures = took.map(|took| {
            [
                units::count(took.rows),
                format!("{:.2} s", took.elapsed.as_secs_f64()),
                units::count(took.events_matched),
                units::count(took.events_scanned),
                units::bytes(took.bytes_scanned),
                dollars(cost),
            ]
        });
        let cells = [printable(name), side.to_owned()].into_iter().chain(figures.unwrap_or_default());
        table.add_row(cells.chain([answers]));
    };
    for one in done {
        add(&one.question, "here", one.here, 0.0, words(one));
        add("", "Lake", one.lake, one.cost(prices), String::new());
    }
    if done.len() > 1 {
        let here = sum(done.iter().filter_map(|one| one.here));
        let lake = sum(done.iter().filter_map(|one| one.lake));
        add("all", "here", Some(here), 0.0, String::new());
        add("", "Lake", Some(lake), done.iter().map(|one| one.cost(prices)).sum(), String::new());
    }
    right(&mut table, &[2, 3, 4, 5, 6, 7]);
    writeln!(out, "{table}")?;
    for one in done {
        match &one.outcome {
            Outcome::Compared(difference) if !difference.is_none() => {
                writeln!(out, "\n{}: {difference}", printable(&one.question))?;
                differences(one, difference, shown, out)?;
            }
            Outcome::Compared(_) => {}
            Outcome::FailedHere(error) => complain(&format!("{} failed here: {error}", one.question)),
            Outcome::FailedOnLake(error) => complain(&format!("{} failed on Lake: {error}", one.question)),
        }
    }
    Ok(())
}

fn words(one: &Comparison) -> String {
    match &one.outcome {
        Outcome::Compared(difference) => difference.to_string(),
        Outcome::FailedHere(_) => "failed here".to_owned(),
        Outcome::FailedOnLake(_) => "failed on Lake".to_owned(),
    }
}

fn sum(all: impl Iterator<Item = Statistics>) -> Statistics {
    all.fold(Statistics::default(), |sum, one| Statistics {
        rows: sum.rows + one.rows,
        events_scanned: sum.events_scanned + one.events_scanned,
        events_matched: sum.events_matched + one.events_matched,
        bytes_scanned: sum.bytes_scanned + one.bytes_scanned,
        elapsed: sum.elapsed + one.elapsed,
    })
}

/// The rows that one side has alone, sorted so that rows that differ in a few cells only stand together.
fn differences(one: &Comparison, difference: &Difference, shown: usize, out: &mut impl Write) -> Result<()> {
    if let Some(lake) = &difference.columns {
        writeln!(out, "columns here: {}", printable(&one.columns.join(", ")))?;
        writeln!(out, "columns on Lake: {}", printable(&lake.join(", ")))?;
    }
    let of = |rows: &'_ [Vec<String>], side: &'static str| {
        rows.iter().cloned().map(move |row| (row, side)).collect::<Vec<_>>()
    };
    let mut rows = of(&difference.only_here, "here");
    rows.extend(of(&difference.only_lake, "Lake"));
    rows.sort_unstable();
    if rows.is_empty() || shown == 0 {
        return Ok(());
    }
    let mut table = lined_table();
    table.set_header(["only"].into_iter().map(str::to_owned).chain(one.columns.iter().map(|name| printable(name))));
    for (row, side) in rows.iter().take(shown) {
        table.add_row([(*side).to_owned()].into_iter().chain(row.iter().map(|cell| printable(cell))));
    }
    writeln!(out, "{table}")?;
    if rows.len() > shown {
        writeln!(out, "and {} more; --rows says how many are shown", units::count((rows.len() - shown) as u64))?;
    }
    Ok(())
}
