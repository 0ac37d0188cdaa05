//! The store about itself, as tables: what SQL calls `cloudtarn.log_files` and so on.

use std::ops::ControlFlow;

use cloudtarn_record::digest::hex;
use cloudtarn_record::key::FileName;
use cloudtarn_record::timestamp::days_from_civil;
use rusqlite::Row;

use crate::error::Result;
use crate::{Store, ledger};

/// A table about the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemTable {
    /// Each log file that was taken in, or that a digest names, with its fate and its verdict.
    LogFiles,
    /// Each digest that was taken in, or that should be there, with its verdict.
    Digests,
    /// Each hour of each account and region, with what proves it.
    Hours,
    /// Each record that was left out because the store has its like, and each that shares an eventID but differs.
    Duplicates,
    /// Each file and record that could not be taken in.
    Errors,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// UTC milliseconds.
    Timestamp,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Null,
    /// Of a text column.
    Text(String),
    /// Of a column of numbers or times.
    Integer(i64),
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Integer)
    }
}

use ColumnKind::{Integer, Text, Timestamp};

const LOG_FILES: &[(&str, ColumnKind)] = &[
    ("path", Text),
    ("version", Text),
    ("account", Text),
    ("region", Text),
    ("kind", Text),
    ("delivered", Timestamp),
    ("bytes", Integer),
    ("inflated", Integer),
    ("sha256", Text),
    ("content_sha256", Text),
    ("fate", Text),
    ("reason", Text),
    ("records", Integer),
    ("broken", Integer),
    ("duplicates", Integer),
    ("event_data_store", Text),
    ("taken_in", Timestamp),
    ("verdict", Text),
    ("verdict_reason", Text),
    ("digest", Text),
];
const DIGESTS: &[(&str, ColumnKind)] = &[
    ("path", Text),
    ("version", Text),
    ("account", Text),
    ("region", Text),
    ("ends", Timestamp),
    ("bytes", Integer),
    ("signature", Text),
    ("taken_in", Timestamp),
    ("verdict", Text),
    ("verdict_reason", Text),
];
const HOURS: &[(&str, ColumnKind)] = &[
    ("account", Text),
    ("region", Text),
    ("hour", Timestamp),
    ("state", Text),
    ("reason", Text),
    ("digests", Integer),
    ("log_files", Integer),
];
const DUPLICATES: &[(&str, ColumnKind)] =
    &[("path", Text), ("version", Text), ("record", Integer), ("kind", Text), ("event_data_store", Text)];
const ERRORS: &[(&str, ColumnKind)] = &[
    ("path", Text),
    ("version", Text),
    ("record", Integer),
    ("offset", Integer),
    ("kind", Text),
    ("reason", Text),
    ("event_data_store", Text),
];

impl SystemTable {
    /// Its columns.
    #[must_use]
    pub fn columns(self) -> &'static [(&'static str, ColumnKind)] {
        match self {
            Self::LogFiles => LOG_FILES,
            Self::Digests => DIGESTS,
            Self::Hours => HOURS,
            Self::Duplicates => DUPLICATES,
            Self::Errors => ERRORS,
        }
    }

    fn statements(self) -> &'static [&'static str] {
        match self {
            Self::LogFiles => &[
                "SELECT f.path || l.name, l.version, l.name, l.bytes, l.inflated, l.sha256, l.content, l.fate, l.reason,
                        l.records, l.broken, l.duplicates, e.name, s.created, v.verdict, v.reason, v.digest
                 FROM log_file l JOIN folder f ON f.id = l.folder JOIN event_data_store e ON e.id = l.event_data_store
                 JOIN snapshot s ON s.id = l.snapshot
                 LEFT JOIN verdict v ON v.object = 'log file' AND v.folder = l.folder AND v.name = l.name
                                        AND v.version = l.version",
                "SELECT f.path || v.name, NULL, v.name, NULL, NULL, NULL, NULL, 'missing', NULL, NULL, NULL, NULL, NULL, NULL,
                        v.verdict, v.reason, v.digest
                 FROM verdict v JOIN folder f ON f.id = v.folder WHERE v.object = 'log file' AND v.version = ''",
            ],
            Self::Digests => &[
                "SELECT f.path || d.name, d.version, d.name, length(d.body), d.signature, s.created, v.verdict, v.reason
                 FROM digest_file d JOIN folder f ON f.id = d.folder JOIN snapshot s ON s.id = d.snapshot
                 LEFT JOIN verdict v ON v.object = 'digest' AND v.folder = d.folder AND v.name = d.name
                                        AND v.version = d.version",
                "SELECT f.path || v.name, NULL, v.name, NULL, NULL, NULL, v.verdict, v.reason
                 FROM verdict v JOIN folder f ON f.id = v.folder WHERE v.object = 'digest' AND v.version = ''",
            ],
            Self::Hours => {
                &["SELECT account, region, hour, verdict, reason, digests, log_files FROM hour_verdict
                   ORDER BY account, region, hour"]
            }
            Self::Duplicates => &[
                "SELECT f.path || l.name, l.version, l.duplicates, e.name
                 FROM log_file l JOIN folder f ON f.id = l.folder JOIN event_data_store e ON e.id = l.event_data_store
                 WHERE length(l.duplicates) > 0",
                "SELECT c.path, NULL, c.record, e.name FROM conflict c JOIN event_data_store e ON e.id = c.event_data_store",
            ],
            Self::Errors => &[
                "SELECT f.path || l.name, l.version, NULL, NULL, CASE l.fate WHEN 'broken' THEN 'file' ELSE l.fate END,
                        l.reason, e.name
                 FROM log_file l JOIN folder f ON f.id = l.folder JOIN event_data_store e ON e.id = l.event_data_store
                 WHERE l.fate IN ('broken', 'not cloudtrail')",
                "SELECT f.path || b.name, b.version, b.record, b.offset, 'record', b.reason, e.name
                 FROM broken_record b JOIN folder f ON f.id = b.folder JOIN event_data_store e ON e.id = b.event_data_store",
            ],
        }
    }

    /// Gives the rows that a row of the catalogue stands for.
    fn rows(self, row: &Row<'_>, give: &mut dyn FnMut(Vec<Cell>) -> ControlFlow<()>) -> Result<ControlFlow<()>> {
        let text = |index: usize| row.get::<_, Option<String>>(index).map(Cell::from);
        let number = |index: usize| row.get::<_, Option<i64>>(index).map(Cell::from);
        let hash =
            |index: usize| row.get::<_, Option<Vec<u8>>>(index).map(|hash| Cell::from(hash.map(|hash| hex(&hash))));
        Ok(match self {
            Self::LogFiles => {
                let name: String = row.get(2)?;
                let [account, region, kind, time] = told(&name);
                let duplicates: Option<Vec<u8>> = row.get(11)?;
                let duplicates = duplicates.map(|records| ledger::decode(&records).len() as i64);
                give(vec![
                    text(0)?,
                    text(1)?,
                    account,
                    region,
                    kind,
                    time,
                    number(3)?,
                    number(4)?,
                    hash(5)?,
                    hash(6)?,
                    text(7)?,
                    text(8)?,
                    number(9)?,
                    number(10)?,
                    duplicates.into(),
                    text(12)?,
                    number(13)?,
                    text(14)?,
                    text(15)?,
                    text(16)?,
                ])
            }
            Self::Digests => {
                let name: String = row.get(2)?;
                let [account, region, _, time] = told(&name);
                let cells = [text(0)?, text(1)?, account, region, time, number(3)?, text(4)?, number(5)?];
                give(cells.into_iter().chain([text(6)?, text(7)?]).collect())
            }
            Self::Hours => {
                let cells = [text(0)?, text(1)?, number(2)?, text(3)?, text(4)?, number(5)?, number(6)?];
                give(cells.into())
            }
            Self::Duplicates => {
                let cells = |record: Cell, kind: &str| -> Result<Vec<Cell>> {
                    Ok(vec![text(0)?, text(1)?, record, Cell::Text(kind.to_owned()), text(3)?])
                };
                if let Ok(record) = row.get::<_, i64>(2) {
                    return Ok(give(cells(Cell::Integer(record), "conflict")?));
                }
                for record in ledger::decode(&row.get::<_, Vec<u8>>(2)?) {
                    if give(cells(Cell::Integer(record.into()), "duplicate")?).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                ControlFlow::Continue(())
            }
            Self::Errors => {
                let cells = [text(0)?, text(1)?, number(2)?, number(3)?, text(4)?, text(5)?, text(6)?];
                give(cells.into())
            }
        })
    }
}

/// Account, region, kind and time in the name of a delivered file.
fn told(name: &str) -> [Cell; 4] {
    let Some(name) = FileName::parse(name) else { return [Cell::Null, Cell::Null, Cell::Null, Cell::Null] };
    let day = name.time.day;
    let days = days_from_civil(day.year().into(), day.month().into(), day.day().into());
    let seconds = (i64::from(name.time.hour) * 60 + i64::from(name.time.minute)) * 60 + i64::from(name.time.second);
    [
        Cell::Text(name.account.to_owned()),
        Cell::Text(cloudtarn_record::key::region_name(name.region).into_owned()),
        Cell::from(name.kind.folder().map(str::to_owned)),
        Cell::Integer((days * 86_400 + seconds) * 1000),
    ]
}

impl Store {
    /// Gives the rows of a system table one by one, until told to stop; each has a cell for each column.
    ///
    /// # Errors
    /// The catalogue's.
    pub fn scan(&self, table: SystemTable, mut give: impl FnMut(Vec<Cell>) -> ControlFlow<()>) -> Result<()> {
        let catalogue = self.catalogue();
        for sql in table.statements() {
            let mut statement = catalogue.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if table.rows(row, &mut give)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
