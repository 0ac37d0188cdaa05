//! Verdicts on standard output: tables for the eye, JSON, NDJSON, CSV.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Result, Write};

use cloudtarn_verify::{Counts, Finding, Hour, RegionReport, Report, Verdict};
use comfy_table::CellAlignment;
use serde_json::{Value as Json, json};

use crate::output::{Care, field, lined_table, printable};
use crate::units::count;

/// How many files with a fault are told on a terminal, unless all are asked for.
const SHOWN: usize = 50;

/// Forms of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// Tables for the eye: accounts and regions, then the files that are not valid.
    Table,
    /// One JSON object: sums, accounts, regions, hours, files.
    Json,
    /// A JSON object a line: first the files as they are judged, then hours, regions, accounts and the sum.
    Ndjson,
    /// The files as comma-separated values with a header.
    Csv,
}

const COLUMNS: [&str; 9] = ["object", "account", "region", "time", "verdict", "reason", "path", "version", "digest"];

/// Writes findings as they come, except where the form wants them last.
pub(crate) struct Writer<W> {
    form: Form,
    all: bool,
    out: W,
    /// For the forms that want them last.
    held: Vec<Finding>,
    /// Findings that a table leaves out.
    passed_over: u64,
    header: bool,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(form: Form, all: bool, out: W) -> Self {
        Self { form, all, out, held: Vec::new(), passed_over: 0, header: false }
    }

    /// Takes a finding.
    pub(crate) fn finding(&mut self, finding: &Finding) -> Result<()> {
        self.header()?;
        if !self.all && finding.verdict <= Verdict::Moved {
            return Ok(());
        }
        match self.form {
            Form::Table if !self.all && self.held.len() >= SHOWN => self.passed_over += 1,
            Form::Table => self.held.push(finding.clone()),
            Form::Json => {
                let separator = if self.held.is_empty() { "\n" } else { ",\n" };
                write!(self.out, "{separator}{}", file(finding))?;
                if self.held.is_empty() {
                    self.held.push(finding.clone());
                }
            }
            Form::Ndjson => writeln!(self.out, "{}", file(finding))?,
            Form::Csv => {
                let time = finding.time.map(time);
                let cells = [
                    Some(finding.object.as_str()),
                    Some(finding.account.as_str()),
                    Some(finding.region.as_str()),
                    time.as_deref(),
                    Some(finding.verdict.as_str()),
                    finding.reason.as_deref(),
                    Some(finding.path.as_str()),
                    Some(finding.version.as_str()),
                    finding.digest.as_deref(),
                ];
                self.row(&cells)?;
            }
        }
        Ok(())
    }

    /// What comes before the first finding.
    fn header(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.header, true) {
            return Ok(());
        }
        match self.form {
            Form::Csv => self.row(&COLUMNS.map(Some)),
            Form::Json => write!(self.out, "{{\"files\": ["),
            Form::Table | Form::Ndjson => Ok(()),
        }
    }

    fn row(&mut self, cells: &[Option<&str>]) -> Result<()> {
        let care = Care { terminal: std::io::stdout().is_terminal(), ..Care::default() };
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.out.write_all(b",")?;
            }
            field(cell.unwrap_or_default(), care, &mut self.out)?;
        }
        self.out.write_all(b"\n")
    }

    /// Writes the sums.
    pub(crate) fn finish(mut self, report: &Report) -> Result<()> {
        self.header()?;
        match self.form {
            Form::Table => self.tables(report)?,
            Form::Json => {
                let end = if self.held.is_empty() { "]" } else { "\n]" };
                let hours: Vec<Json> = report.hours.iter().map(hour).collect();
                let regions: Vec<Json> = report.regions.iter().map(region).collect();
                let accounts: Vec<Json> = report.accounts().into_iter().map(account).collect();
                for (name, list) in [("hours", hours), ("regions", regions), ("accounts", accounts)] {
                    write!(self.out, "{}", if name == "hours" { end } else { "]" })?;
                    write!(self.out, ",\n\"{name}\": [")?;
                    for (index, item) in list.iter().enumerate() {
                        write!(self.out, "{}{item}", if index == 0 { "\n" } else { ",\n" })?;
                    }
                }
                writeln!(self.out, "],\n\"total\": {}}}", total(report))?;
            }
            Form::Ndjson => {
                for item in report.hours.iter().map(hour) {
                    writeln!(self.out, "{item}")?;
                }
                for item in report.regions.iter().map(region).chain(report.accounts().into_iter().map(account)) {
                    writeln!(self.out, "{item}")?;
                }
                writeln!(self.out, "{}", total(report))?;
            }
            Form::Csv => {}
        }
        self.out.flush()
    }

    fn tables(&mut self, report: &Report) -> Result<()> {
        let mut table = lined_table();
        let mut header = vec!["account", "region", "copy", "verdict"];
        header.extend(["digests", "log files"]);
        header.extend(["hours", "empty", "unproven", "missing", "invalid"]);
        table.set_header(header);
        for column in 4..11 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for region in &report.regions {
            let hours = &region.hours;
            let bad = |verdict| match hours.of(verdict) {
                0 => String::new(),
                hours => count(hours),
            };
            table.add_row([
                printable(&region.account),
                printable(&region.region),
                printable(&region.root),
                region.verdict().map_or("", Verdict::as_str).to_owned(),
                good(&region.digests),
                good(&region.log_files),
                count(hours.total()),
                count(region.empty_hours),
                bad(Verdict::Unproven),
                bad(Verdict::Missing),
                bad(Verdict::Invalid),
            ]);
        }
        writeln!(self.out, "{table}")?;
        if self.held.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        for finding in &self.held {
            writeln!(
                self.out,
                "{} {}: {}",
                finding.verdict.as_str(),
                finding.object.as_str(),
                printable(&finding.path)
            )?;
            if let Some(reason) = &finding.reason {
                writeln!(self.out, "    {}", printable(reason))?;
            }
        }
        if self.passed_over > 0 {
            writeln!(self.out, "and {} more (--all, or --output ndjson)", count(self.passed_over))?;
        }
        Ok(())
    }
}

/// `22 of 23` that are valid, `23` if all are.
fn good(counts: &Counts) -> String {
    let good = counts.of(Verdict::Valid) + counts.of(Verdict::Moved);
    if good == counts.total() { count(good) } else { format!("{} of {}", count(good), count(counts.total())) }
}

fn time(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn file(finding: &Finding) -> Json {
    json!({
        "object": finding.object.as_str(), "account": finding.account, "region": finding.region,
        "time": finding.time.map(time), "verdict": finding.verdict.as_str(), "reason": finding.reason,
        "path": finding.path, "version": (!finding.version.is_empty()).then_some(&finding.version),
        "digest": finding.digest,
    })
}

fn hour(((account, region, start), hour): (&(String, String, i64), &Hour)) -> Json {
    json!({
        "object": "hour", "account": account, "region": region, "time": time(*start), "state": hour.state(),
        "verdict": hour.verdict.as_str(), "reason": hour.reason, "digests": hour.digests, "log_files": hour.log_files,
    })
}

fn counts(counts: &Counts) -> Json {
    let all: BTreeMap<&str, u64> =
        Verdict::ALL.into_iter().map(|verdict| (verdict.as_str(), counts.of(verdict))).collect();
    json!(all)
}

fn region(region: &RegionReport) -> Json {
    json!({
        "object": "region", "account": region.account, "region": region.region, "copy": region.root,
        "verdict": region.verdict().map(Verdict::as_str), "digests": counts(&region.digests),
        "log_files": counts(&region.log_files), "hours": counts(&region.hours), "empty_hours": region.empty_hours,
        "first_hour": region.span.map(|span| time(span.0)), "last_hour": region.span.map(|span| time(span.1)),
    })
}

fn account((account, verdict): (String, Option<Verdict>)) -> Json {
    json!({ "object": "account", "account": account, "verdict": verdict.map(Verdict::as_str) })
}

fn total(report: &Report) -> Json {
    let (digests, log_files) = report.totals();
    json!({
        "object": "total", "verdict": report.verdict().map(Verdict::as_str), "digests": counts(&digests),
        "log_files": counts(&log_files),
    })
}
