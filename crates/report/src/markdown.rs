//! A report as Markdown, as GitHub reads it.

use std::fmt::Write;

use crate::answer::Rows;
use crate::findings::Report;
use crate::html::{bytes, limits};
use crate::json::printable;
use crate::units::count;

/// Text that no renderer takes for markup, in a line of its own or in a table.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => out.extend(['\\', c]),
            // Addresses become links without any markup.
            ':' => out.push_str("&#58;"),
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

/// A fence longer than any in the text.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let text: Vec<String> = text.lines().map(printable).collect();
    format!("{fence}{language}\n{}\n{fence}\n", text.join("\n"))
}

fn table(found: &Rows, shown: usize, out: &mut String) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(found.columns.iter().map(|column| escape(column)).collect()));
    out.push_str(&line(found.columns.iter().map(|_| "---".to_owned()).collect()));
    for row in found.rows.iter().take(shown) {
        let text = |cell: &cloudtarn_query::value::Value| cell.text().map(|text| escape(&text)).unwrap_or_default();
        out.push_str(&line(row.iter().map(text).collect()));
    }
    if found.total > shown as u64 {
        let _ = writeln!(out, "\nand {} more rows", count(found.total - shown as u64));
    }
    out.push('\n');
}

/// Writes the report.
pub fn markdown(report: &Report) -> String {
    let asked = &report.asked;
    let time = |millis: Option<i64>| millis.map_or_else(|| "–".to_owned(), |t| report.zone.show(t));
    let text = |name: &str| report.totals.text(0, name).unwrap_or_default();
    let total = |name: &str| count(report.totals.number(0, name));
    let mut out = format!(
        "# {}\n\nEvent data store {}, snapshot {}, events from {} to {}.\n",
        escape(&report.title),
        escape(&asked.name),
        asked.snapshot,
        escape(&text("first")),
        escape(&text("last"))
    );
    let limits = limits(report, &time);
    if !limits.is_empty() {
        let _ = writeln!(out, "Only {}.", escape(&limits.join(", ")));
    }
    let _ = writeln!(
        out,
        "\n{} events, {} calls that failed, {} principals, {} accounts, {} Regions. {} of {} questions found something.\n",
        total("events"),
        total("errors"),
        total("principals"),
        total("accounts"),
        total("regions"),
        report.findings().count(),
        report.answers.len()
    );
    out.push_str("| Severity | Questions | Rows |\n| --- | ---: | ---: |\n");
    for (severity, questions, rows) in report.by_severity() {
        let _ = writeln!(out, "| {severity} | {questions} | {} |", count(rows));
    }
    out.push_str("\n| Tactic | Found | Asked |\n| --- | ---: | ---: |\n");
    for (tactic, asked, found) in report.by_tactic() {
        let _ = writeln!(out, "| {} ({}) | {found} | {asked} |", tactic.name(), tactic.id());
    }
    out.push_str("\n## Findings\n\n");
    let inventories = report.answers.iter().filter(|a| !a.question.is_detection());
    for answer in report.findings().chain(inventories) {
        let question = &answer.question;
        let attempts = if answer.only_attempts() { ", only attempts that failed" } else { "" };
        let _ = writeln!(
            out,
            "### {} ({})\n\n{}\n\n{}: {} rows{attempts}\n",
            escape(&question.title),
            question.severity,
            escape(&question.answers),
            escape(&question.name),
            count(answer.found.total)
        );
        if answer.found.total > 0 {
            table(&answer.found, report.shown, &mut out);
        }
        out.push_str(&fenced("sql", &answer.sql));
        let _ = writeln!(out, "\nResult SHA-256: `{}`\n", answer.found.digest);
    }
    out.push_str("## Asked, and nothing found\n\n");
    for answer in report.answers.iter().filter(|a| a.question.is_detection() && a.found.total == 0) {
        let _ = writeln!(
            out,
            "- {}: {} ({})",
            escape(&answer.question.name),
            escape(&answer.question.title),
            answer.question.severity
        );
    }
    out.push_str("\n## Events by account and Region\n\n");
    table(&report.places, usize::MAX, &mut out);
    out.push_str("## Coverage\n\n");
    out.push_str("Hours of delivery, by what CloudTrail's digests prove of them.\n\n");
    table(&report.coverage, usize::MAX, &mut out);
    out.push_str("## Events by account and day\n\n");
    table(&report.days, usize::MAX, &mut out);
    let _ = writeln!(
        out,
        "## How to reproduce this\n\n- cloudtarn {}\n- event data store {} ({}), snapshot {}, {} events, {} of JSON\n\
         - fingerprint of the log files (SHA-256): `{}`\n",
        env!("CARGO_PKG_VERSION"),
        escape(&asked.name),
        escape(&asked.id),
        asked.snapshot,
        count(asked.events),
        bytes(asked.json_bytes),
        asked.fingerprint
    );
    for (name, sql) in &report.statements {
        let _ = writeln!(out, "{name}:\n\n{}", fenced("sql", sql));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_inert() {
        assert_eq!(escape("<b>*x*|`y`\n[a](http://b)"), "&lt;b&gt;\\*x\\*\\|\\`y\\`\\\\n\\[a\\]\\(http&#58;//b\\)");
        assert!(fenced("sql", "a ```` b").starts_with("`````sql\n"));
    }
}
