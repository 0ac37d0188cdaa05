//! A report as one HTML file that asks nothing of any network and runs no script.

mod charts;

use std::fmt::Write;

use cloudtarn_query::value::Value;

use crate::answer::{Answer, Rows};
use crate::findings::Report;
use crate::json::printable;
use crate::question::Severity;
use crate::units::count;

const STYLE: &str = include_str!("html/style.css");

/// Text with what HTML would read as markup made inert, and what steers terminals and reading made visible.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Decimal multiples: `8.4 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 999.5 || unit == "TB" {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    number.to_string()
}

/// A table's body cell by its content.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "<td class=\"null\">–</td>".to_owned(),
        Value::Number(number) => {
            let whole = number.parse::<u64>().map_or_else(|_| escape(number), count);
            format!("<td class=\"n\">{whole}</td>")
        }
        other => {
            let text = other.text().unwrap_or_default();
            let time = text.len() >= 23 && text.as_bytes()[4] == b'-' && text.as_bytes()[13] == b':';
            format!("<td{}>{}</td>", if time { " class=\"t\"" } else { "" }, escape(&text))
        }
    }
}

fn table(found: &Rows, shown: usize, attempt: impl Fn(usize) -> bool) -> String {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
    for (index, column) in found.columns.iter().enumerate() {
        let number = found.rows.iter().any(|row| matches!(row[index], Value::Number(_)));
        let _ = write!(out, "<th{}>{}</th>", if number { " class=\"n\"" } else { "" }, escape(column));
    }
    out.push_str("</tr></thead><tbody>\n");
    for (index, row) in found.rows.iter().enumerate().take(shown) {
        out.push_str(if attempt(index) { "<tr class=\"attempt\">" } else { "<tr>" });
        row.iter().for_each(|value| out.push_str(&cell(value)));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if found.total > shown as u64 {
        let _ = writeln!(out, "<p class=\"soft\">and {} more rows</p>", count(found.total - shown as u64));
    }
    out
}

fn badge(severity: Severity) -> String {
    format!("<span class=\"badge {severity}\">{severity}</span>")
}

fn answer(report: &Report, answer: &Answer) -> String {
    let question = &answer.question;
    let mut out = format!(
        "<article class=\"card\" id=\"{0}\"><header>{1}<h3>{2}</h3><span class=\"soft\">{0}</span></header>\n<p>{3}</p>\n",
        escape(&question.name),
        badge(question.severity),
        escape(&question.title),
        escape(&question.answers)
    );
    let rows = if answer.found.total == 1 { "row" } else { "rows" };
    let _ = write!(out, "<p class=\"soft\">{} {rows}", count(answer.found.total));
    if answer.only_attempts() {
        out.push_str("; only attempts that failed");
    }
    for technique in &question.techniques {
        let (tactic, id) = (technique.tactic.name(), escape(&technique.id));
        let _ = write!(out, " · {tactic} <a href=\"{}\">{id}</a>", escape(&technique.address()));
    }
    out.push_str("</p>\n");
    if answer.found.total > 0 {
        out.push_str(&table(&answer.found, report.shown, |row| answer.succeeded(row) == Some(false)));
    }
    out.push_str("<details><summary>SQL, parameters and hashes</summary>\n");
    out.push_str(&statement(&answer.sql));
    out.push_str("<dl>");
    for (name, value) in &answer.parameters {
        let _ = write!(out, "<dt>{}</dt><dd><code>{}</code></dd>", escape(name), escape(value));
    }
    let _ = write!(out, "<dt>result SHA-256</dt><dd><code>{}</code></dd>", answer.found.digest);
    for reference in &question.references {
        let _ = write!(out, "<dt>reference</dt><dd>{}</dd>", escape(reference));
    }
    out.push_str("</dl></details></article>\n");
    out
}

/// SQL as it ran: lines stay lines.
fn statement(sql: &str) -> String {
    let lines: Vec<String> = sql.lines().map(escape).collect();
    format!("<pre>{}</pre>\n", lines.join("\n"))
}

/// Writes the report.
pub fn html(report: &Report) -> String {
    let title = escape(&report.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    summary(report, &title, &mut out);
    overview(report, &mut out);
    out.push_str("<h2>Activity over time</h2>\n<div class=\"card\">");
    out.push_str(&charts::activity(report));
    out.push_str("</div>\n");
    if report.findings().next().is_some() {
        out.push_str("<h2>Findings over time</h2>\n<div class=\"card\">");
        out.push_str(&charts::findings(report));
        out.push_str("</div>\n");
    }
    out.push_str("<h2>Events by account and Region</h2>\n<div class=\"card scroll\">");
    out.push_str(&charts::heat(report));
    out.push_str("</div>\n<h2>Findings</h2>\n");
    let mut none = true;
    for found in report.findings() {
        none = false;
        out.push_str(&answer(report, found));
    }
    if none {
        out.push_str("<p>None of the questions found anything.</p>\n");
    }
    let inventories = report.answers.iter().filter(|a| !a.question.is_detection());
    let mut first = true;
    for inventory in inventories {
        if first {
            out.push_str("<h2>Inventories</h2>\n");
            first = false;
        }
        out.push_str(&answer(report, inventory));
    }
    quiet(report, &mut out);
    coverage(report, &mut out);
    reproduction(report, &mut out);
    out.push_str("</body>\n</html>\n");
    out
}

fn summary(report: &Report, title: &str, out: &mut String) {
    let time = |millis: Option<i64>| millis.map_or_else(|| "–".to_owned(), |t| report.zone.show(t));
    let total = |name: &str| count(report.totals.number(0, name));
    let text = |name: &str| report.totals.text(0, name).unwrap_or_else(|| "–".to_owned());
    let _ = write!(
        out,
        "<header><h1>{title}</h1>\n<p class=\"soft\">Event data store {} · snapshot {} · events from {} to {} ({})</p>",
        escape(&report.asked.name),
        report.asked.snapshot,
        escape(&text("first")),
        escape(&text("last")),
        escape(&zone(report)),
    );
    let limits = limits(report, &time);
    if !limits.is_empty() {
        let _ = write!(out, "<p class=\"soft\">Only {}</p>", escape(&limits.join(", ")));
    }
    out.push_str("</header>\n<div class=\"tiles\">");
    let found = report.findings().count();
    let tile = |value: &str, label: &str| format!("<div class=\"tile\"><b>{value}</b><span>{label}</span></div>");
    out.push_str(&tile(&found.to_string(), &format!("of {} questions found something", report.answers.len())));
    for (name, label) in [
        ("events", "events"),
        ("errors", "calls that failed"),
        ("principals", "principals"),
        ("accounts", "accounts"),
        ("regions", "Regions"),
    ] {
        out.push_str(&tile(&total(name), label));
    }
    out.push_str("</div>\n");
}

/// The zone's name.
fn zone(report: &Report) -> String {
    match report.zone {
        crate::time::Zone::Named(zone) => zone.name().to_owned(),
        crate::time::Zone::Fixed(offset) => offset.to_string(),
    }
}

/// What the report leaves out.
pub(crate) fn limits(report: &Report, time: &dyn Fn(Option<i64>) -> String) -> Vec<String> {
    let mut limits = Vec::new();
    limits.extend(report.scope.since.map(|t| format!("since {}", time(Some(t)))));
    limits.extend(report.scope.until.map(|t| format!("before {}", time(Some(t)))));
    if !report.scope.accounts.is_empty() {
        limits.push(format!("accounts {}", report.scope.accounts.join(" ")));
    }
    if !report.scope.regions.is_empty() {
        limits.push(format!("Regions {}", report.scope.regions.join(" ")));
    }
    limits
}

fn overview(report: &Report, out: &mut String) {
    out.push_str("<h2>Findings at a glance</h2>\n<div class=\"pair\"><div class=\"card\"><table><thead><tr><th>Severity</th><th class=\"n\">Questions</th><th class=\"n\">Rows</th><th></th></tr></thead><tbody>\n");
    let severities = report.by_severity();
    let most = severities.iter().map(|s| s.1).max().unwrap_or(0).max(1);
    for (severity, questions, rows) in severities {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{questions}</td><td class=\"n\">{}</td><td class=\"{severity}\">{}</td></tr>",
            badge(severity),
            count(rows),
            if questions > 0 {
                format!("<span class=\"bar\" style=\"width:{}px\"></span>", 130 * questions / most)
            } else {
                String::new()
            },
        );
    }
    out.push_str("</tbody></table></div><div class=\"card\"><table><thead><tr><th>MITRE ATT&amp;CK tactic</th><th class=\"n\">Found</th><th class=\"n\">Asked</th></tr></thead><tbody>\n");
    for (tactic, asked, found) in report.by_tactic() {
        let (id, name) = (tactic.id(), tactic.name());
        let strong = if found > 0 { format!("<b>{found}</b>") } else { "0".to_owned() };
        let _ = writeln!(
            out,
            "<tr><td>{name} <span class=\"soft\">{id}</span></td><td class=\"n\">{strong}</td><td class=\"n\">{asked}</td></tr>"
        );
    }
    out.push_str("</tbody></table></div></div>\n");
    let found: Vec<&Answer> = report.findings().collect();
    if !found.is_empty() {
        out.push_str("<div class=\"card\"><table><thead><tr><th>Severity</th><th>Finding</th><th class=\"n\">Rows</th><th>Outcome</th></tr></thead><tbody>\n");
        for answer in found {
            let outcome = match (answer.only_attempts(), answer.question.outcomes) {
                (_, crate::Outcomes::Any | crate::Outcomes::Failed) => "",
                (true, _) => "attempts only",
                (false, _) => "succeeded",
            };
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td><a href=\"#{}\">{}</a></td><td class=\"n\">{}</td><td>{outcome}</td></tr>",
                badge(answer.question.severity),
                escape(&answer.question.name),
                escape(&answer.question.title),
                count(answer.found.total)
            );
        }
        out.push_str("</tbody></table></div>\n");
    }
}

fn quiet(report: &Report, out: &mut String) {
    let quiet: Vec<&Answer> =
        report.answers.iter().filter(|a| a.question.is_detection() && a.found.total == 0).collect();
    if quiet.is_empty() {
        return;
    }
    out.push_str("<h2>Asked, and nothing found</h2>\n<div class=\"card\"><table><thead><tr><th>Question</th><th>Severity</th><th>Title</th></tr></thead><tbody>\n");
    for answer in quiet {
        let question = &answer.question;
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"{1}\">{1}</td><td>{2}<details><summary>SQL</summary>{3}</details></td></tr>",
            escape(&question.name),
            question.severity,
            escape(&question.title),
            statement(&answer.sql)
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn coverage(report: &Report, out: &mut String) {
    out.push_str("<h2>Coverage</h2>\n<div class=\"card\"><p class=\"soft\">What CloudTrail's digests prove of the hours of delivery. An event that is not found in a proven hour was not delivered; of an unproven or missing hour nothing can be said.</p>\n");
    out.push_str(&table(&report.coverage, 400, |_| false));
    out.push_str("</div>\n<h2>Events by account and day</h2>\n<div class=\"card\">\n");
    out.push_str(&table(&report.days, 400, |_| false));
    out.push_str("</div>\n");
}

fn reproduction(report: &Report, out: &mut String) {
    let asked = &report.asked;
    out.push_str("<h2>How to reproduce this</h2>\n<div class=\"card\"><p>The same log files give the same fingerprint, and the statements below the same results and hashes. Result hashes are over rows in UTC.</p><dl>");
    let mut row = |name: &str, value: String| {
        let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    };
    row("program", format!("cloudtarn {}", env!("CARGO_PKG_VERSION")));
    row("event data store", format!("{} ({})", asked.name, asked.id));
    row("snapshot", asked.snapshot.to_string());
    row(
        "events in it",
        format!("{} ({} of JSON in {})", count(asked.events), bytes(asked.json_bytes), bytes(asked.bytes)),
    );
    for (fate, number) in &asked.log_files {
        row("log files", format!("{} {fate}", count(*number)));
    }
    row("fingerprint of the log files (SHA-256)", asked.fingerprint.clone());
    row("zone of the times", zone(report));
    out.push_str("</dl>\n<details><summary>SQL of the charts and tables</summary>\n");
    for (name, sql) in &report.statements {
        let _ = write!(out, "<p>{name}</p>{}", statement(sql));
    }
    out.push_str("</details></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_inert() {
        let text = "<script>alert('x')</script>&\"\u{1b}[31m\u{202e}\u{0}";
        assert_eq!(
            escape(text),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\\u{1b}[31m\\u{202e}\\u{0}"
        );
    }
}
