//! The order of events in a data file: like events together. What an ingest writes is in the order of time by row groups, and
//! arranged inside each; what a compaction writes is arranged as a whole.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use cloudtarn_record::EventCategory;
use cloudtarn_record::gather::{Chunks, Place};
use rayon::prelude::*;

use crate::parquet_file::ROW_GROUP_ROWS;

/// What makes events alike, the strongest first: columns, or fields in columns of a row type.
fn likeness(category: EventCategory) -> &'static [&'static [&'static str]] {
    match category {
        EventCategory::CloudTrail => {
            &[&["eventsource"], &["eventname"], &["useridentity", "arn"], &["useridentity", "accesskeyid"]]
        }
        EventCategory::Insight => &[&["insighteventsource"], &["insighteventname"]],
        EventCategory::ActivityAuditLog => &[&["eventdata", "eventsource"], &["eventdata", "eventname"]],
    }
}

/// The Parquet columns that an arrangement looks at, by their paths.
pub(crate) fn columns(category: EventCategory) -> impl Iterator<Item = String> {
    likeness(category).iter().map(|path| path.join("."))
}

/// Puts decoded events that are sorted by time into the order of a data file.
pub(crate) fn of_chunks(chunks: &Chunks, category: EventCategory, order: &[Place]) -> Vec<Place> {
    let ranks: Vec<Vec<u32>> = likeness(category)
        .par_iter()
        .with_max_len(1)
        .map(|path| cloudtarn_record::ranks(chunks, category, path, order))
        .collect();
    let mut keys: Vec<(u128, u32)> = (0..order.len()).map(|index| (likeness_of(&ranks, index), index as u32)).collect();
    keys.par_chunks_mut(ROW_GROUP_ROWS).for_each(<[_]>::sort_unstable);
    keys.into_iter().map(|(_, index)| order[index as usize]).collect()
}

/// The order of all rows of a batch that has [`columns`], where `time` is that of a row.
pub(crate) fn of_batch(
    batch: &RecordBatch,
    category: EventCategory,
    time: impl Fn(usize) -> Option<i64> + Sync,
) -> Vec<u32> {
    let ranks: Vec<Vec<u32>> = likeness(category).par_iter().with_max_len(1).map(|path| ranks(batch, path)).collect();
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    order.par_sort_unstable_by_key(|row| {
        let time = time(*row as usize);
        (likeness_of(&ranks, *row as usize), time.is_none(), time, *row)
    });
    order
}

/// The ranks of one event as a number.
fn likeness_of(ranks: &[Vec<u32>], event: usize) -> u128 {
    ranks.iter().fold(0, |key, rank| key << 32 | u128::from(rank[event]))
}

/// As [`cloudtarn_record::ranks`], of a batch.
fn ranks(batch: &RecordBatch, path: &[&str]) -> Vec<u32> {
    let mut column = path.first().and_then(|name| batch.column_by_name(name));
    for name in path.iter().skip(1) {
        column = column.and_then(|column| column.as_struct_opt()).and_then(|row| row.column_by_name(name));
    }
    let Some(text) = column.and_then(|column| column.as_string_view_opt()) else { return vec![0; batch.num_rows()] };
    let mut numbers: HashMap<Option<&str>, u32> = HashMap::new();
    let mut ranks: Vec<u32> = text
        .iter()
        .map(|value| {
            let next = numbers.len() as u32;
            *numbers.entry(value).or_insert(next)
        })
        .collect();
    let mut sorted: Vec<_> = numbers.into_iter().collect();
    sorted.sort_unstable_by_key(|(value, _)| (value.is_none(), *value));
    let mut rank_of = vec![0; sorted.len()];
    for (rank, (_, number)) in sorted.into_iter().enumerate() {
        rank_of[number as usize] = rank as u32;
    }
    ranks.iter_mut().for_each(|number| *number = rank_of[*number as usize]);
    ranks
}
