//! Charts as inline SVG, and the heat map as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::escape;
use crate::findings::Report;
use crate::question::Severity;
use crate::units::count;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 22.0;

/// A part of a bar: its colour's class, what it is called, how much.
type Part = (&'static str, &'static str, u64);

/// Bars of stacked parts, one a stretch of time.
fn bars(report: &Report, height: f64, about: &str, parts: impl Fn(usize) -> Vec<Part>) -> String {
    let buckets = &report.activity.buckets;
    if buckets.is_empty() {
        return "<p class=\"soft\">No events with a time.</p>".to_owned();
    }
    let most = (0..buckets.len()).map(|i| parts(i).iter().map(|p| p.2).sum::<u64>()).max().unwrap_or(0).max(1);
    let top = round_up(most);
    let plot = height - BOTTOM - 8.0;
    let step = (WIDTH - LEFT) / buckets.len() as f64;
    let width = (step * 0.82).max(0.5);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n", escape(about));
    for line in [0, top / 2, top] {
        let y = 8.0 + plot * (1.0 - line as f64 / top as f64);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            count(line)
        );
    }
    let every = (buckets.len() as f64 / 8.0).ceil().max(1.0) as usize;
    for (index, (start, ..)) in buckets.iter().enumerate() {
        let x = LEFT + step * index as f64;
        let time = report.zone.show(*start);
        let parts = parts(index);
        if parts.iter().any(|part| part.2 > 0) {
            let told: Vec<String> =
                parts.iter().filter(|p| p.2 > 0).map(|(_, name, n)| format!("{} {name}", count(*n))).collect();
            let _ = write!(out, "<g><title>{}: {}</title>", escape(&time[..16.min(time.len())]), told.join(", "));
            let mut base = 8.0 + plot;
            for (class, _, number) in parts.iter().filter(|part| part.2 > 0) {
                let tall = plot * *number as f64 / top as f64;
                base -= tall;
                let _ = write!(
                    out,
                    "<rect class=\"{class}\" x=\"{:.2}\" y=\"{base:.2}\" width=\"{width:.2}\" height=\"{:.2}\"/>",
                    x + (step - width) / 2.0,
                    tall.max(0.6)
                );
            }
            out.push_str("</g>\n");
        }
        if index % every == 0 && x < WIDTH - 60.0 {
            let label = if report.activity.step < 86_400_000 {
                &time[5..16.min(time.len())]
            } else {
                &time[..10.min(time.len())]
            };
            let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", height - 5.0, escape(label));
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The next number of one significant digit that is even or 1, so that its half is whole.
fn round_up(number: u64) -> u64 {
    if number <= 2 {
        return 2;
    }
    let scale = 10_u64.pow(number.ilog10());
    let scaled = number.div_ceil(scale);
    let rounded = (scaled + scaled % 2) * scale;
    if scale >= 10 && number <= rounded - scale { rounded - scale } else { rounded }
}

/// Events, those that failed on top.
pub(super) fn activity(report: &Report) -> String {
    let unit = match report.activity.step {
        step if step < 86_400_000 => "hour",
        86_400_000 => "day",
        _ => "week",
    };
    let about = format!("Events by {unit}");
    let chart = bars(report, 210.0, &about, |index| {
        let (_, succeeded, failed) = report.activity.buckets[index];
        vec![("ok", "succeeded", succeeded), ("bad", "failed", failed)]
    });
    format!(
        "<p class=\"soft\">{about}<span class=\"key ok\"></span>succeeded<span class=\"key bad\"></span>failed</p>\n{chart}"
    )
}

/// Rows of findings, by severity.
pub(super) fn findings(report: &Report) -> String {
    let counts = report.findings_over_time();
    let shown = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
    let chart = bars(report, 150.0, "Rows of findings by time and severity", |index| {
        shown.iter().rev().map(|s| (s.as_str(), s.as_str(), counts[index][*s as usize])).collect()
    });
    let mut key = String::new();
    for severity in shown {
        let _ = write!(key, "<span class=\"key {severity}\"></span>{severity}");
    }
    format!("<p class=\"soft\">Rows that have a time{key}</p>\n{chart}")
}

/// Accounts down, Regions across; the more events, the deeper the colour.
pub(super) fn heat(report: &Report) -> String {
    let places = &report.places;
    let mut cells: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    let (mut accounts, mut regions) = (BTreeSet::new(), BTreeSet::new());
    for row in 0..places.rows.len() {
        let text = |name: &str| places.text(row, name).unwrap_or_else(|| "(none)".to_owned());
        let (account, region) = (text("account"), text("region"));
        cells.insert((account.clone(), region.clone()), (places.number(row, "events"), places.number(row, "errors")));
        accounts.insert(account);
        regions.insert(region);
    }
    let most = cells.values().map(|cell| cell.0).max().unwrap_or(0).max(1) as f64;
    let mut out = String::from("<table class=\"heat\"><thead><tr><th>Account</th>");
    for region in &regions {
        let _ = write!(out, "<th class=\"n\">{}</th>", escape(region));
    }
    out.push_str("</tr></thead><tbody>\n");
    for account in &accounts {
        let _ = write!(out, "<tr><th>{}</th>", escape(account));
        for region in &regions {
            let Some((events, errors)) = cells.get(&(account.clone(), region.clone())) else {
                out.push_str("<td class=\"h0\">–</td>");
                continue;
            };
            // Half an order of magnitude a shade: a busy Region must not hide a quiet one.
            let depth = (5.0 - ((most / (*events).max(1) as f64).log10() * 2.0).floor()).clamp(1.0, 5.0);
            let _ = write!(
                out,
                "<td class=\"h{depth}\" title=\"{} events, {} failed\">{}</td>",
                count(*events),
                count(*errors),
                count(*events)
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_whole_halves() {
        let rounded = [0, 1, 2, 3, 7, 10, 11, 30, 31, 95, 4_001, 999_999].map(round_up);
        assert_eq!(rounded, [2, 2, 2, 4, 8, 10, 20, 30, 40, 100, 5_000, 1_000_000]);
        assert!(rounded.iter().all(|top| top % 2 == 0));
    }
}
