//! What CloudTrail Lake and Athena would have charged, from the store alone.
//!
//! Lake bills ingestion by the uncompressed size of the events (AWS CloudTrail User Guide, "Copy trail events": ten times
//! the size of the logs in S3), keeps them for a year, and bills queries by the bytes that they scan. What Lake itself
//! would scan cannot be known; the compressed columns that the same question reads here are its measure.

use std::fmt;

use cloudtarn_query::Session;
use cloudtarn_store::{DataFile, Store};
use serde_json::{Value as Json, json};

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::question::{Question, Values};
use crate::statement::Scope;
use crate::time::Zone;

const TABLE: &str = include_str!("prices.tsv");
const GB: f64 = 1e9;
const LAKE_SCAN: &str = "lake-scan";
/// Days that Lake keeps events for the price of their ingestion.
const YEAR_MONTHS: u32 = 12;
const MONTH_MILLIS: f64 = 30.44 * 86_400_000.0;

/// One price.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// `lake-scan`, …
    pub name: String,
    /// US dollars.
    pub usd: f64,
    /// Of what.
    pub per: String,
    /// First GB of a month that it is for.
    pub from: f64,
    /// Year and month.
    pub as_of: String,
    /// Was it read in the source, or only remembered?
    pub read: bool,
    /// Where to check it.
    pub source: String,
}

/// A price table.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices(Vec<Price>);

impl Prices {
    /// The table in the program.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn built_in() -> Result<Self> {
        Self::parse(TABLE)
    }

    /// The text of the table in the program, to edit.
    pub fn text() -> &'static str {
        TABLE
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`Error::Prices`] with the line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut prices = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |reason: String| Error::Prices { line: index + 1, reason };
            if line.starts_with('#') || line.starts_with("name\t") || line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [name, usd, per, from, as_of, how, source] = fields[..] else {
                return Err(wrong(format!("{} fields where there should be 7, separated by tabs", fields.len())));
            };
            let number = |text: &str| {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
                number.ok_or_else(|| wrong(format!("`{text}` is no price or size")))
            };
            let read = match how {
                "read" => true,
                "memory" => false,
                _ => return Err(wrong(format!("`{how}` says not how it is known: write read or memory"))),
            };
            prices.push(Price {
                name: name.to_owned(),
                usd: number(usd)?,
                per: per.to_owned(),
                from: number(from)?,
                as_of: as_of.to_owned(),
                read,
                source: source.to_owned(),
            });
        }
        let table = Self(prices);
        for name in [
            "lake-ingest-extendable",
            "lake-retention-extendable",
            "lake-ingest-seven-years",
            LAKE_SCAN,
            "athena-scan",
            "athena-least",
        ] {
            if table.tiers(name).is_empty() {
                return Err(Error::Prices { line: text.lines().count(), reason: format!("no price named `{name}`") });
            }
        }
        Ok(table)
    }

    /// All prices.
    pub fn all(&self) -> &[Price] {
        &self.0
    }

    /// What Lake charges for scanning so many bytes, in US dollars.
    pub fn lake_scan(&self, bytes: u64) -> f64 {
        self.cost(LAKE_SCAN, bytes as f64 / GB)
    }

    /// What [`Prices::lake_scan`] goes by.
    pub fn of_lake_scan(&self) -> impl Iterator<Item = &Price> {
        self.0.iter().filter(|price| price.name == LAKE_SCAN)
    }

    fn tiers(&self, name: &str) -> Vec<&Price> {
        let mut tiers: Vec<&Price> = self.0.iter().filter(|price| price.name == name).collect();
        tiers.sort_by(|a, b| a.from.total_cmp(&b.from));
        tiers
    }

    /// What an amount costs, tier by tier.
    fn cost(&self, name: &str, amount: f64) -> f64 {
        let tiers = self.tiers(name);
        let ends = tiers.iter().skip(1).map(|tier| tier.from).chain([f64::INFINITY]);
        tiers.iter().zip(ends).map(|(tier, end)| (amount.min(end) - tier.from).max(0.0) * tier.usd).sum()
    }

    fn first(&self, name: &str) -> f64 {
        self.tiers(name).first().map_or(0.0, |price| price.usd)
    }
}

/// What the scans of one question would cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The question.
    pub question: String,
    /// Events read here.
    pub events: u64,
    /// Bytes of compressed columns read here.
    pub bytes: u64,
    /// Lake, US dollars.
    pub lake: f64,
    /// Athena over the gzipped log files.
    pub athena_raw: f64,
    /// Athena over Parquet as it is here.
    pub athena_parquet: f64,
}

/// An estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Events in the store.
    pub events: u64,
    /// Bytes of their JSON.
    pub json_bytes: u64,
    /// Bytes of the log files as delivered.
    pub delivered_bytes: u64,
    /// Bytes of the store's Parquet.
    pub parquet_bytes: u64,
    /// Months between the first and the last event, at least one.
    pub months: f64,
    /// Months that events are kept.
    pub keep: u32,
    /// Taking the events in, one-year extendable retention.
    pub lake_ingest: f64,
    /// Keeping them for longer than a year.
    pub lake_retention: f64,
    /// Taking them in under the seven-year option, which includes keeping them.
    pub lake_seven_years: f64,
    /// One run of each question.
    pub scans: Vec<Scan>,
    /// Runs of each.
    pub runs: u32,
}

impl Estimate {
    /// Estimates for a store, and the questions asked once of it.
    ///
    /// # Errors
    /// The store's, [`Error::Query`].
    pub async fn of(
        session: &Session,
        store: &Store,
        prices: &Prices,
        questions: &[&Question],
        scope: &Scope,
        keep: u32,
        runs: u32,
    ) -> Result<Self> {
        let found = match &scope.event_data_store {
            Some(name) => store.event_data_store(name)?,
            None => store.standard(cloudtarn_record::EventCategory::CloudTrail)?,
        };
        let snapshot = store.snapshot(&found)?;
        let provenance = store.provenance(&found)?;
        let sum = |of: fn(&DataFile) -> u64| snapshot.files.iter().map(|file| of(file)).sum::<u64>();
        let times = || snapshot.files.iter().map(|file| file.times());
        let first = times().filter_map(|t| t.0).min().unwrap_or(0);
        let last = times().filter_map(|t| t.1).max().unwrap_or(0);
        let months = ((last - first) as f64 / MONTH_MILLIS).max(1.0);
        let (json_bytes, delivered) = (sum(|f| f.json_bytes), provenance.bytes);
        let (gigabytes, least) = (json_bytes as f64 / GB, prices.first("athena-least"));
        let mut scans = Vec::new();
        for question in questions {
            let answer = Answer::to(session, question, &Values::new(), scope, Zone::UTC).await?;
            let done = answer.found.statistics;
            let read = done.bytes_scanned as f64 / GB;
            let athena = |gigabytes: f64| prices.cost("athena-scan", gigabytes.max(least));
            scans.push(Scan {
                question: question.name.clone(),
                events: done.events_scanned,
                bytes: done.bytes_scanned,
                lake: prices.lake_scan(done.bytes_scanned),
                athena_raw: athena(delivered as f64 / GB),
                athena_parquet: athena(read),
            });
        }
        Ok(Self {
            events: sum(|f| f.rows),
            json_bytes,
            delivered_bytes: delivered,
            parquet_bytes: sum(|f| f.bytes),
            months,
            keep,
            lake_ingest: prices.cost("lake-ingest-extendable", gigabytes),
            lake_retention: f64::from(keep.saturating_sub(YEAR_MONTHS))
                * prices.cost("lake-retention-extendable", gigabytes),
            lake_seven_years: months * prices.cost("lake-ingest-seven-years", gigabytes / months),
            scans,
            runs,
        })
    }

    /// A sum over the questions, for all runs.
    pub fn sum(&self, of: fn(&Scan) -> f64) -> f64 {
        self.scans.iter().map(of).sum::<f64>() * f64::from(self.runs)
    }

    /// As one JSON document.
    pub fn document(&self, prices: &Prices) -> Json {
        let scans: Vec<Json> = self
            .scans
            .iter()
            .map(|s| {
                json!({"question": s.question, "events": s.events, "bytes": s.bytes, "lake_usd": s.lake,
                    "athena_raw_usd": s.athena_raw, "athena_parquet_usd": s.athena_parquet})
            })
            .collect();
        let table: Vec<Json> = prices
            .all()
            .iter()
            .map(|p| {
                json!({"name": p.name, "usd": p.usd, "per": p.per, "from": p.from, "as_of": p.as_of,
                    "how": if p.read { "read" } else { "memory" }, "source": p.source})
            })
            .collect();
        json!({
            "events": self.events, "json_bytes": self.json_bytes, "delivered_bytes": self.delivered_bytes,
            "parquet_bytes": self.parquet_bytes, "months": self.months, "keep_months": self.keep,
            "lake_ingest_usd": self.lake_ingest, "lake_retention_usd": self.lake_retention,
            "lake_seven_years_usd": self.lake_seven_years, "runs": self.runs,
            "lake_scans_usd": self.sum(|s| s.lake), "athena_raw_scans_usd": self.sum(|s| s.athena_raw),
            "athena_parquet_scans_usd": self.sum(|s| s.athena_parquet), "scans": scans, "prices": table,
        })
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.read { "" } else { ", from memory" };
        write!(f, "{} ${} a {}", self.name, self.usd, self.per)?;
        if self.from > 0.0 {
            write!(f, " from {} GB a month", self.from)?;
        }
        write!(f, " ({}{how})", self.as_of)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tiers_add_up() {
        let prices = Prices::built_in().unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(prices.cost("lake-ingest-extendable", 100.0), 75.0);
        close(prices.cost("lake-ingest-seven-years", 5_000.0), 12_500.0);
        close(prices.cost("lake-ingest-seven-years", 30_000.0), 12_500.0 + 20_000.0 + 2_500.0);
        assert!(prices.all().iter().any(|price| !price.read), "what is remembered is marked");
    }

    #[test]
    fn a_table_that_is_wrong_has_a_line() {
        let wrong = |from: &str, to: &str| Prices::parse(&TABLE.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(wrong("0.75", "cheap").starts_with("price table, line 5: `cheap`"));
        assert!(wrong("\tread\t", "\theard\t").contains("`heard`"));
        assert!(wrong("lake-scan", "lake-look").contains("no price named `lake-scan`"));
        assert!(wrong("0.75\t", "0.75 ").contains("6 fields"));
    }
}
