//! Many small data files become few, in a commit of its own: the merged files appear and the small ones go in one
//! transaction, so that readers see the one or the other. Whoever still reads the small ones keeps them ([`crate::lease`]).
//!
//! Merged are neighbours in time that no full file stands between, as many as make a full file. What tells events apart is
//! computed again from the events; none is dropped, as each commit did that already.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};
use cloudtarn_record::{EventCategory, Identity};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;

use crate::arrangement;
use crate::catalogue::{Addition, Catalogue};
use crate::disk;
use crate::error::{Error, Result};
use crate::identities::{self, Known};
use crate::lease::{self, Lease};
use crate::manifest;
use crate::parquet_file::{self, ROW_GROUP_ROWS, Rows};
use crate::snapshot::{DataFile, EventDataStore};
use crate::writer::{COMMITS, MIN_FILE_ROWS, data_file_ends, data_file_path, day};

/// JSON of a data file that counts as full, whatever its events, in bytes.
const FULL_JSON: u64 = 64 << 20;
/// Events and JSON that are merged at once.
const MAX_ROWS: u64 = 4 * MIN_FILE_ROWS as u64;
const MAX_JSON: u64 = 192 << 20;
/// Small files that are worth a merge when nobody asked for one.
const MANY: usize = 8;
/// A file with this many times the events of those that it would be merged with waits for more.
const UNEVEN: u64 = 4;

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
    for group in groups(&catalogue.snapshot(store, Lease::none(), None)?.files, when) {
        let made = merge(root, catalogue, store, &group)?;
        compacted.merged += group.len() as u64;
        compacted.merged_bytes += group.iter().map(|file| file.bytes).sum::<u64>();
        compacted.made += made.len() as u64;
        compacted.made_bytes += made.iter().map(|file| file.bytes).sum::<u64>();
        compacted.events += made.iter().map(|file| file.rows).sum::<u64>();
    }
    compacted.removed = lease::remove_retired(root, catalogue)?;
    Ok(compacted)
}

/// Files that are to become one, or a few, in the order of time.
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
        let full = file.rows >= MIN_FILE_ROWS as u64 || file.json_bytes >= FULL_JSON;
        let timeless = |file: &DataFile| file.times().0.is_none();
        let fits = sum(|f| f.rows, &group) + file.rows <= MAX_ROWS
            && sum(|f| f.json_bytes, &group) + file.json_bytes <= MAX_JSON
            && group.last().is_none_or(|last| timeless(last) == timeless(file));
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

/// Events of the files that are merged, in the order in which they are to be written.
struct Taken<'a> {
    merged: &'a Merged<'a>,
    rows: UInt32Array,
}

impl Rows for Taken<'_> {
    fn column(&self, index: usize) -> Result<ArrayRef> {
        Ok(take(&self.merged.column(index)?, &self.rows, None)?)
    }
}

/// All events of some files. What says how they are arranged is held; other columns are read when they are written, one at a
/// time, as all of them together would need several times the memory.
struct Merged<'a> {
    files: Vec<(&'a DataFile, ArrowReaderMetadata)>,
    schema: SchemaRef,
    held: RecordBatch,
}

impl<'a> Merged<'a> {
    fn open(group: &'a [Arc<DataFile>], category: EventCategory) -> Result<Self> {
        let files = group
            .iter()
            .map(|file| {
                let failed = |source| Error::Reading { path: file.path.clone(), source };
                let open = File::open(&file.path).map_err(crate::error::io("opening", &file.path))?;
                let metadata = ArrowReaderMetadata::load(&open, ArrowReaderOptions::default()).map_err(failed)?;
                Ok((&**file, metadata))
            })
            .collect::<Result<Vec<_>>>()?;
        let schema = category.file_schema();
        let mut merged = Self { files, held: RecordBatch::new_empty(Arc::clone(&schema)), schema };
        let held: Vec<usize> = ["eventtime", "eventid", "recipientaccountid", "eventjson"]
            .into_iter()
            .chain(arrangement::columns(category))
            .filter_map(|name| merged.schema.index_of(name).ok())
            .collect();
        let columns = held.par_iter().with_max_len(1).map(|index| merged.read(*index)).collect::<Result<Vec<_>>>()?;
        merged.held = RecordBatch::try_new(Arc::new(merged.schema.project(&held)?), columns)?;
        Ok(merged)
    }

    fn column(&self, index: usize) -> Result<ArrayRef> {
        match self.held.column_by_name(self.schema.field(index).name()) {
            Some(held) => Ok(Arc::clone(held)),
            None => self.read(index),
        }
    }

    fn read(&self, index: usize) -> Result<ArrayRef> {
        let mut parts = Vec::new();
        for (file, metadata) in &self.files {
            let failed = |source| Error::Reading { path: file.path.clone(), source };
            // Clones of an open file share its position, which other threads move.
            let open = File::open(&file.path).map_err(crate::error::io("opening", &file.path))?;
            let rows = usize::try_from(file.rows).unwrap_or(usize::MAX);
            let only = ProjectionMask::roots(metadata.parquet_schema(), [index]);
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(open, metadata.clone())
                .with_projection(only)
                .with_batch_size(rows.clamp(1, ROW_GROUP_ROWS))
                .build()
                .map_err(failed)?;
            let mut found = 0;
            for batch in reader {
                let batch = batch?;
                found += batch.num_rows();
                parts.extend(batch.columns().first().cloned());
            }
            if found != rows {
                let reason = format!("{found} events instead of {rows}");
                return Err(Error::Damaged { path: file.path.clone(), reason });
            }
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }
}

fn merge(
    root: &std::path::Path,
    catalogue: &mut Catalogue,
    store: &EventDataStore,
    group: &[Arc<DataFile>],
) -> Result<Vec<Arc<DataFile>>> {
    let merged = Merged::open(group, store.category)?;
    let batch = &merged.held;
    let times =
        batch.column_by_name("eventtime").and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    let time = |row: &u32| times.filter(|times| times.is_valid(*row as usize)).map(|times| times.value(*row as usize));
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    order.sort_by_key(|row| (time(row).is_none(), time(row)));
    let known = known(batch);
    let lengths = texts(batch, "eventjson");
    let mut made = Vec::new();
    let mut folders = Vec::new();
    for file in data_file_ends(order.len(), |index| time(&order[index]).map(day)) {
        let order = &order[file];
        let path = data_file_path(root, store, order.first().and_then(time))?;
        let mut of_file: Vec<Known> = order.iter().filter_map(|row| known[*row as usize]).collect();
        of_file.sort_unstable();
        identities::write(&path, &of_file)?;
        let arranged = arrangement::of_batch(batch, store.category, order);
        let rows: Vec<Taken<'_>> = arranged
            .chunks(ROW_GROUP_ROWS)
            .map(|rows| Taken { merged: &merged, rows: UInt32Array::from(rows.to_vec()) })
            .collect();
        let (bytes, columns) = parquet_file::write(&path, store.category, &rows)?;
        let json = |row: &u32| lengths.as_ref().map_or(0, |json| json.value(*row as usize).len() as u64);
        let json_bytes = order.iter().map(json).sum();
        folders.extend(path.parent().map(std::path::Path::to_path_buf));
        made.push(Arc::new(DataFile::new(path, store.category, (bytes, order.len() as u64, json_bytes), columns)));
    }
    folders.dedup();
    folders.iter().try_for_each(|folder| disk::sync_folder(folder))?;
    let retired: Vec<String> = group.iter().map(|file| crate::catalogue::relative(root, &file.path)).collect();
    let data_files: Vec<(String, Arc<DataFile>)> =
        made.iter().map(|file| (store.id.clone(), Arc::clone(file))).collect();
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

fn texts(batch: &RecordBatch, column: &str) -> Option<BinaryViewArray> {
    Some(batch.column_by_name(column)?.as_string_view_opt()?.clone().to_binary_view())
}

/// What tells events apart, an event; `None` for those without an eventID.
fn known(batch: &RecordBatch) -> Vec<Option<Known>> {
    let columns = ["eventid", "recipientaccountid", "eventjson"].map(|name| texts(batch, name));
    let text = |column: usize, row: usize| {
        columns[column].as_ref().filter(|text| text.is_valid(row)).map(|text| text.value(row)).unwrap_or_default()
    };
    (0..batch.num_rows())
        .into_par_iter()
        .map(|row| {
            let identity = Identity::new(text(0, row), text(1, row), text(2, row));
            identity.event.map(|event| Known::new(event, identity.content))
        })
        .collect()
}

#[cfg(test)]
mod tests;
