//! Results on disk: one row a line, as the JSON that pages are made of.
//!
//! `<store>/queries/<query id>/rows.jsonl`. A page is a stretch of lines; where the next begins, in rows and in bytes, is in
//! its token.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use cloudtarn_query::value::Value;

/// Bytes after which a page ends though it has room for more rows.
const PAGE_BYTES: usize = 5 << 20;
const FILE: &str = "rows.jsonl";

/// Writes rows as they come.
pub(crate) struct Writer {
    out: BufWriter<File>,
    /// Column names as JSON strings.
    names: Vec<String>,
    line: String,
}

/// The folder of one query's results.
pub(crate) fn folder(queries: &Path, id: &str) -> PathBuf {
    queries.join(id)
}

impl Writer {
    pub(crate) fn create(folder: &Path, names: &[String]) -> std::io::Result<Self> {
        fs::create_dir_all(folder)?;
        let names = names.iter().map(|name| serde_json::Value::from(name.as_str()).to_string()).collect();
        Ok(Self { out: BufWriter::new(File::create(folder.join(FILE))?), names, line: String::new() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> std::io::Result<()> {
        for row in 0..batch.num_rows() {
            self.line.clear();
            self.line.push('[');
            for (index, (name, column)) in self.names.iter().zip(batch.columns()).enumerate() {
                let text = Value::of(column, row).result_text();
                self.line.push_str(if index == 0 { "{" } else { ",{" });
                self.line.push_str(name);
                self.line.push(':');
                self.line.push_str(&serde_json::Value::from(text).to_string());
                self.line.push('}');
            }
            self.line.push_str("]\n");
            self.out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> std::io::Result<()> {
        self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Rows of a page.
#[derive(Debug)]
pub(crate) struct Page {
    /// JSON arrays, separated by commas.
    pub(crate) rows: String,
    pub(crate) count: usize,
    /// Row and byte where the next page begins.
    pub(crate) next: (u64, u64),
}

/// Reads up to `count` rows from a place on.
pub(crate) fn read(folder: &Path, (row, byte): (u64, u64), count: usize) -> std::io::Result<Page> {
    let mut page = Page { rows: String::new(), count: 0, next: (row, byte) };
    let mut file = match File::open(folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(page),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(byte))?;
    let mut lines = BufReader::new(file);
    let mut line = String::new();
    while page.count < count && (page.rows.is_empty() || page.rows.len() < PAGE_BYTES) {
        line.clear();
        if lines.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            break;
        }
        page.rows.push_str(if page.count == 0 { "" } else { "," });
        page.rows.push_str(line.trim_end());
        page.count += 1;
        page.next = (page.next.0 + 1, page.next.1 + line.len() as u64);
    }
    Ok(page)
}

/// Every row, cell by cell; for delivery.
pub(crate) fn rows(folder: &Path) -> std::io::Result<impl Iterator<Item = std::io::Result<Vec<String>>> + use<>> {
    let lines = BufReader::new(File::open(folder.join(FILE))?).lines();
    Ok(lines.map(|line| {
        let cells: Vec<std::collections::BTreeMap<String, String>> = serde_json::from_str(&line?)?;
        Ok(cells.into_iter().map(|cell| cell.into_values().next().unwrap_or_default()).collect())
    }))
}

/// Removes a query's results, if there are any.
pub(crate) fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
