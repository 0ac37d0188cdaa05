//! Many small data files become few, in a commit of its own: the merged files appear and the small ones go in one
//! transaction, so that readers see the one or the other. Whoever still reads the small ones keeps them ([`crate::lease`]).
//!
//! Merged are neighbours in time that no full file stands between. Their events are arranged as a whole
//! ([`crate::arrangement`]): a row group has the events of few names and callers then, so that most questions need few row groups,
//! and a million events are opened once, not fourteen times. None is dropped, as each commit did that already.
//!
//! What is merged is arranged inside, so each row group to be written is a few stretches of each file. These are read column by
//! column when they are written: memory is that of one row group, however large the files are.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat, concat_batches, take};
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};
use cloudtarn_record::shredded::values_at;
use cloudtarn_record::{EventCategory, shredded};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::PageIndexPolicy;
use rayon::prelude::*;

use crate::arrangement;
use crate::catalogue::{Addition, Catalogue};
use crate::disk;
use crate::error::{Error, Result, io};
use crate::identities;
use crate::lease::{self, Lease};
use crate::manifest;
use crate::parquet_file::{self, ROW_GROUP_ROWS, Rows};
use crate::snapshot::{DataFile, EventDataStore};
use crate::writer::{COMMITS, MIN_FILE_ROWS, data_file_path, day};

/// Events and JSON, in bytes, of the files that are made.
const MAX_ROWS: u64 = 1 << 20;
const MAX_JSON: u64 = 4 << 30;
/// Files that become one at once: all of their footers are held.
const MAX_FILES: usize = 512;
/// What counts as full when somebody asked for a merge.
const FULL_ROWS: u64 = MAX_ROWS / 4 * 3;
const FULL_JSON: u64 = MAX_JSON / 4 * 3;
/// What counts as full when nobody did: an ingest is not to write everything twice.
const FULL_ROWS_UNASKED: u64 = MIN_FILE_ROWS as u64;
const FULL_JSON_UNASKED: u64 = 64 << 20;
/// Small files that are worth a merge then.
const MANY: usize = 8;
/// A file with this many times the events of those that it would be merged with waits for more.
const UNEVEN: u64 = 4;
/// JSON of a row group, in bytes.
const ROW_GROUP_JSON: f64 = (512 << 20) as f64;
/// What is held of a column while it is written, in bytes, about.
const PART: u64 = 64 << 20;
/// Row groups that are written at the same time, so that one's longest column leaves no thread without work.
const AT_ONCE: usize = 2;

/// When to merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Wherever two small files stand side by side.
    Always,
    /// Where there are many, as after an ingest.
    Many,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Data files that were merged.
    pub merged: u64,
    /// Their size in bytes.
    pub merged_bytes: u64,
    /// Data files that took their place.
    pub made: u64,
    /// Their size in bytes.
    pub made_bytes: u64,
    /// Events in them.
    pub events: u64,
    /// Merged files that were removed, those of earlier compactions included; the others are still being read.
    pub removed: u64,
}

impl std::ops::AddAssign for Compacted {
    fn add_assign(&mut self, other: Self) {
        self.merged += other.merged;
        self.merged_bytes += other.merged_bytes;
        self.made += other.made;
        self.made_bytes += other.made_bytes;
        self.events += other.events;
        self.removed += other.removed;
    }
}

/// Merges what is to be merged in one event data store.
pub(crate) fn compact(
    root: &std::path::Path,
    catalogue: &mut Catalogue,
    store: &EventDataStore,
    when: When,
) -> Result<Compacted> {
    let mut compacted = Compacted::default();
    // What was made of many files may be merged again; each merge leaves fewer files, so this ends.
    let mut todo = VecDeque::new();
    loop {
        if todo.is_empty() {
            todo.extend(groups(&catalogue.snapshot(store, Lease::none(), None)?.files, when));
        }
        let Some(group) = todo.pop_front() else { break };
        let made = merge(root, catalogue, store, &group)?;
        compacted.merged += group.len() as u64;
        compacted.merged_bytes += group.iter().map(|file| file.bytes).sum::<u64>();
        compacted.made += 1;
        compacted.made_bytes += made.bytes;
        compacted.events += made.rows;
        // At once: room for the whole store twice is more than a disk may have.
        compacted.removed += lease::remove_retired(root, catalogue)?;
    }
    compacted.removed += lease::remove_retired(root, catalogue)?;
    Ok(compacted)
}

/// How many of the files a merge would take in if it were asked for.
pub(crate) fn mergeable(files: &[Arc<DataFile>]) -> u64 {
    groups(files, When::Always).iter().map(|group| group.len() as u64).sum()
}

/// Files that are to become one each, in the order of time.
fn groups(files: &[Arc<DataFile>], when: When) -> Vec<Vec<Arc<DataFile>>> {
    let mut groups = Vec::new();
    let mut group: Vec<Arc<DataFile>> = Vec::new();
    let mut end = |group: &mut Vec<Arc<DataFile>>| {
        let mut chosen = std::mem::take(group);
        if when == When::Many {
            // Otherwise each ingest would write the same large file again.
            while let Some(largest) = (0..chosen.len()).max_by_key(|at| chosen[*at].rows) {
                let others = chosen.iter().map(|file| file.rows).sum::<u64>() - chosen[largest].rows;
                if chosen[largest].rows <= UNEVEN * others {
                    break;
                }
                chosen.remove(largest);
            }
        }
        if chosen.len() >= if when == When::Many { MANY } else { 2 } {
            groups.push(chosen);
        }
    };
    for file in files {
        let sum = |of: fn(&DataFile) -> u64, group: &[Arc<DataFile>]| group.iter().map(|file| of(file)).sum::<u64>();
        let (rows, json) = (sum(|f| f.rows, &group), sum(|f| f.json_bytes, &group));
        let full = match when {
            When::Always => file.rows >= FULL_ROWS || file.json_bytes >= FULL_JSON,
            When::Many => file.rows >= FULL_ROWS_UNASKED || file.json_bytes >= FULL_JSON_UNASKED,
        };
        // A day begins a file, unless it were a small one; events without a time have files of their own.
        let first = |file: &DataFile| file.times().0.map(day);
        let fits = group.len() < MAX_FILES
            && rows + file.rows <= MAX_ROWS
            && json + file.json_bytes <= MAX_JSON
            && group.last().is_none_or(|last| match (first(last), first(file)) {
                (Some(last), Some(next)) => last == next || rows < MIN_FILE_ROWS as u64,
                (last, next) => last == next,
            });
        if full || !fits {
            end(&mut group);
        }
        if !full {
            group.push(Arc::clone(file));
        }
    }
    end(&mut group);
    groups
}

/// Files that are merged. Their rows are numbered through, file by file.
struct Merged<'a> {
    files: Vec<(&'a DataFile, ArrowReaderMetadata)>,
    category: EventCategory,
    schema: SchemaRef,
    part: u64,
}

impl<'a> Merged<'a> {
    fn open(group: &'a [Arc<DataFile>], category: EventCategory) -> Result<Self> {
        let files = group
            .iter()
            .map(|file| {
                let open = File::open(&file.path).map_err(io("opening", &file.path))?;
                let options = ArrowReaderOptions::default().with_offset_index_policy(PageIndexPolicy::Optional);
                let metadata = ArrowReaderMetadata::load(&open, options)
                    .map_err(|source| Error::Reading { path: file.path.clone(), source })?;
                let rows = metadata.metadata().file_metadata().num_rows();
                if u64::try_from(rows) != Ok(file.rows) {
                    let reason = format!("{rows} events instead of {}", file.rows);
                    return Err(Error::Damaged { path: file.path.clone(), reason });
                }
                Ok((&**file, metadata))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { files, category, schema: category.file_schema(), part: PART })
    }

    /// Some columns of all rows.
    fn rows(&self, columns: &[&str]) -> Result<RecordBatch> {
        let mut batches = Vec::new();
        for (file, metadata) in &self.files {
            let columns = ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied());
            for batch in reader(file, metadata, columns, file.rows, None)? {
                batches.push(
                    batch.map_err(|source| Error::Damaged { path: file.path.clone(), reason: source.to_string() })?,
                );
            }
        }
        let schema = batches.first().map_or_else(|| Arc::new(arrow::datatypes::Schema::empty()), RecordBatch::schema);
        Ok(concat_batches(&schema, &batches)?)
    }

    /// Where a file has a column: its number there, and for a key that was not shredded yet the number of its map and the key.
    fn root(&self, metadata: &ArrowReaderMetadata, index: usize) -> Result<(usize, Option<&'static str>)> {
        if index < metadata.schema().fields().len() {
            return Ok((index, None));
        }
        let name = self.schema.field(index).name();
        match shredded(self.category).iter().find(|shredded| shredded.name == *name) {
            Some(shredded) => Ok((self.schema.index_of(shredded.map)?, Some(shredded.key))),
            None => Ok((index, None)),
        }
    }

    /// Bytes of a column's values, a row, about.
    fn width(&self, index: usize) -> u64 {
        let root = self.schema.field(index).name();
        let mut bytes = 0;
        let mut rows = 0;
        for (file, metadata) in &self.files {
            rows += file.rows;
            for group in metadata.metadata().row_groups() {
                let leaves = group.columns().iter().filter(|leaf| leaf.column_path().parts().first() == Some(root));
                bytes += leaves.map(|leaf| leaf.uncompressed_size().max(0) as u64).sum::<u64>();
            }
        }
        bytes / rows.max(1)
    }

    /// Bytes of JSON of each row, about: those of its page by the page's rows.
    fn weights(&self) -> Vec<f32> {
        let mut weights = Vec::new();
        for (file, metadata) in &self.files {
            let start = weights.len();
            weights.resize(start + file.rows as usize, file.json_bytes as f32 / file.rows.max(1) as f32);
            let metadata = metadata.metadata();
            let columns = metadata.file_metadata().schema_descr().columns();
            let json = columns.iter().position(|column| column.path().string() == "eventjson");
            let (Some(index), Some(json)) = (metadata.offset_index(), json) else { continue };
            let mut first = start;
            for (group, pages) in metadata.row_groups().iter().zip(index) {
                let rows = group.num_rows() as usize;
                let pages = pages.get(json);
                let bytes = pages.and_then(|pages| pages.unencoded_byte_array_data_bytes());
                if let (Some(pages), Some(bytes)) = (pages, bytes) {
                    let starts = pages.page_locations().iter().map(|page| page.first_row_index as usize);
                    let ends = starts.clone().skip(1).chain([rows]);
                    for ((from, to), bytes) in starts.zip(ends).zip(bytes) {
                        // What a damaged index says is no reason to fail: it is about memory only.
                        let page = weights.get_mut(first.saturating_add(from)..first.saturating_add(to));
                        page.unwrap_or_default().fill(*bytes as f32 / to.saturating_sub(from).max(1) as f32);
                    }
                }
                first += rows;
            }
        }
        weights
    }
}

/// Rows of the files that are merged, in the order in which they are to be written.
struct Taken<'a> {
    merged: &'a Merged<'a>,
    rows: &'a [u32],
    whole: Stretches,
}

impl<'a> Taken<'a> {
    fn new(merged: &'a Merged<'a>, rows: &'a [u32]) -> Self {
        Self { merged, rows, whole: Stretches::new(merged, rows) }
    }
}

impl Rows for Taken<'_> {
    fn column(&self, index: usize, take: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()> {
        let parts = (self.merged.width(index) * self.rows.len() as u64).div_ceil(self.merged.part).max(1) as usize;
        if parts == 1 {
            return take(&self.whole.column(self.merged, index)?);
        }
        for rows in self.rows.chunks(self.rows.len().div_ceil(parts)) {
            take(&Stretches::new(self.merged, rows).column(self.merged, index)?)?;
        }
        Ok(())
    }
}

/// Where some rows are in the files that are merged.
struct Stretches {
    /// The rows to be read of each file, in its order.
    of_files: Vec<RowSelection>,
    /// Where each row is among those that were read.
    places: UInt32Array,
}

impl Stretches {
    fn new(merged: &Merged<'_>, rows: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by_key(|place| rows[*place as usize]);
        let mut places = vec![0; rows.len()];
        for (read, place) in order.iter().enumerate() {
            places[*place as usize] = read as u32;
        }
        let mut sorted = order.iter().map(|place| rows[*place as usize] as usize).peekable();
        let mut first = 0;
        let mut of_files = Vec::with_capacity(merged.files.len());
        for (file, _) in &merged.files {
            let end = first + file.rows as usize;
            let mut ranges: Vec<Range<usize>> = Vec::new();
            while let Some(row) = sorted.next_if(|row| *row < end) {
                let row = row - first;
                match ranges.last_mut() {
                    Some(range) if range.end == row => range.end += 1,
                    _ => ranges.push(row..row + 1),
                }
            }
            of_files.push(RowSelection::from_consecutive_ranges(ranges.into_iter(), end - first));
            first = end;
        }
        Self { of_files, places: UInt32Array::from(places) }
    }

    fn column(&self, merged: &Merged<'_>, index: usize) -> Result<ArrayRef> {
        let mut parts = Vec::new();
        for ((file, metadata), rows) in merged.files.iter().zip(&self.of_files) {
            let wanted = rows.row_count();
            if wanted == 0 {
                continue;
            }
            let (root, key) = merged.root(metadata, index)?;
            let only = ProjectionMask::roots(metadata.parquet_schema(), [root]);
            let mut found = 0;
            for batch in reader(file, metadata, only, wanted as u64, Some(rows.clone()))? {
                let batch = batch?;
                found += batch.num_rows();
                parts.extend(match (batch.columns().first(), key) {
                    (Some(maps), Some(key)) => Some(values_at(maps, key)?),
                    (column, _) => column.cloned(),
                });
            }
            if found != wanted {
                let reason = format!("{found} events instead of {wanted}");
                return Err(Error::Damaged { path: file.path.clone(), reason });
            }
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        match parts[..] {
            [] => Ok(arrow::array::new_empty_array(merged.schema.field(index).data_type())),
            _ => Ok(take(&concat(&parts)?, &self.places, None)?),
        }
    }
}

fn reader(
    file: &DataFile,
    metadata: &ArrowReaderMetadata,
    columns: ProjectionMask,
    count: u64,
    rows: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader> {
    // Clones of an open file share its position, which other threads move.
    let open = File::open(&file.path).map_err(io("opening", &file.path))?;
    let count = usize::try_from(count).unwrap_or(usize::MAX).clamp(1, ROW_GROUP_ROWS);
    let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(open, metadata.clone())
        .with_projection(columns)
        .with_batch_size(count);
    if let Some(rows) = rows {
        reader = reader.with_row_selection(rows);
    }
    reader.build().map_err(|source| Error::Reading { path: file.path.clone(), source })
}

/// Where row groups end, of rows with so much JSON each.
fn row_groups(order: &[u32], weights: &[f32]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut json) = (0, 0.0);
    for (at, row) in order.iter().enumerate() {
        let weight = f64::from(weights[*row as usize]);
        if at - start == ROW_GROUP_ROWS || (at > start && json + weight > ROW_GROUP_JSON) {
            groups.push(start..at);
            (start, json) = (at, 0.0);
        }
        json += weight;
    }
    groups.push(start..order.len());
    groups
}

/// Makes one file of some, in one commit.
fn merge(
    root: &Path,
    catalogue: &mut Catalogue,
    store: &EventDataStore,
    group: &[Arc<DataFile>],
) -> Result<Arc<DataFile>> {
    let merged = Merged::open(group, store.category)?;
    let columns: Vec<String> = arrangement::columns(store.category).chain(["eventtime".to_owned()]).collect();
    let batch = merged.rows(&columns.iter().map(String::as_str).collect::<Vec<_>>())?;
    let times =
        batch.column_by_name("eventtime").and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    let time = |row: usize| times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
    let order = arrangement::of_batch(&batch, store.category, time);
    let first = (0..batch.num_rows()).into_par_iter().filter_map(time).min();
    drop(batch);
    let path = data_file_path(root, store, first)?;
    identities::merge(&path, &group.iter().map(|file| file.path.as_path()).collect::<Vec<_>>())?;
    let groups = row_groups(&order, &merged.weights());
    let groups: Vec<Taken<'_>> = groups.into_iter().map(|rows| Taken::new(&merged, &order[rows])).collect();
    let (bytes, columns) = parquet_file::write(&path, store.category, &groups, AT_ONCE)?;
    path.parent().map_or(Ok(()), disk::sync_folder)?;
    let sum = |of: fn(&DataFile) -> u64| group.iter().map(|file| of(file)).sum::<u64>();
    let sizes = (bytes, sum(|file| file.rows), sum(|file| file.json_bytes));
    let made = Arc::new(DataFile::new(path, store.category, sizes, columns));
    let retired: Vec<String> = group.iter().map(|file| crate::catalogue::relative(root, &file.path)).collect();
    let data_files = [(store.id.clone(), Arc::clone(&made))];
    let addition = Addition {
        manifest: &format!("{COMMITS}/{}.json.zst", uuid::Uuid::new_v4()),
        data_files: &data_files,
        retired: &retired,
        ledger_of: &store.id,
        log_files: &[],
        conflicts: &[],
        deviations: &[],
        digests: &[],
    };
    manifest::write(root, &catalogue.event_data_stores()?, &addition)?;
    catalogue.commit(&addition)?;
    Ok(made)
}

#[cfg(test)]
mod tests;
