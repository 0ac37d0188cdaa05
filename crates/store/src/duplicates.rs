//! Exact deduplication: of events with one eventID and recipient account and the same bytes, one is kept. Events without an
//! eventID are all kept, and so are those that share one but differ, which is told as a conflict.

use std::collections::HashMap;
use std::path::PathBuf;

use cloudtarn_record::EventCategory;
use cloudtarn_record::gather::{Chunks, Place};
use rayon::prelude::*;

use crate::error::Result;
use crate::identities::{self, Known};

/// What becomes of the events of one category.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Events to keep, in no order.
    pub(crate) kept: Vec<Place>,
    /// Events that the store has, or will have by this very commit.
    pub(crate) dropped: Vec<Place>,
    /// Those of the kept that differ from another event of the same identity.
    pub(crate) conflicts: Vec<Place>,
}

/// What tells events apart, of one that is kept or dropped.
pub(crate) fn known(chunks: &Chunks, category: EventCategory, place: Place) -> Option<Known> {
    let identity = chunks.chunks()[place.chunk as usize].rows(category).identities()[place.row as usize];
    identity.event.map(|event| Known::new(event, identity.content))
}

/// Judges all events of a category against each other and against those of the data files given.
pub(crate) fn judge(chunks: &Chunks, category: EventCategory, data_files: &[PathBuf]) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut events: Vec<(Known, Place)> = Vec::new();
    for (chunk, rows) in chunks.chunks().iter().map(|chunk| chunk.rows(category)).enumerate() {
        for row in 0..rows.len() {
            let place = Place { chunk: chunk as u32, row: row as u32 };
            match known(chunks, category, place) {
                Some(known) => events.push((known, place)),
                None => verdict.kept.push(place),
            }
        }
    }
    // Of equal events the one from the first file in the order of addresses stays, whatever the order of reading.
    events.par_sort_unstable_by(|(left, left_place), (right, right_place)| {
        left.cmp(right).then_with(|| {
            let (left, right) = (chunks.origin(category, *left_place), chunks.origin(category, *right_place));
            (&left.0.path, left.1).cmp(&(&right.0.path, right.1))
        })
    });
    events.dedup_by(|next, first| {
        let same = next.0 == first.0;
        if same {
            verdict.dropped.push(next.1);
        }
        same
    });
    let sorted: Vec<Known> = events.iter().map(|(known, _)| *known).collect();
    let mut present = vec![false; sorted.len()];
    let mut differs: Vec<bool> = (0..sorted.len())
        .map(|at| {
            let twin = |other: Option<&Known>| other.is_some_and(|other| other.event() == sorted[at].event());
            twin(at.checked_sub(1).and_then(|before| sorted.get(before))) || twin(sorted.get(at + 1))
        })
        .collect();
    let found: Vec<HashMap<usize, bool>> = data_files
        .par_iter()
        .map(|file| {
            let mut found = HashMap::new();
            identities::intersect(file, &sorted, |index, same| *found.entry(index).or_insert(false) |= same)?;
            Ok(found)
        })
        .collect::<Result<_>>()?;
    for (index, same) in found.into_iter().flatten() {
        present[index] |= same;
        differs[index] |= !same;
    }
    for (index, (_, place)) in events.into_iter().enumerate() {
        if present[index] {
            verdict.dropped.push(place);
        } else {
            verdict.kept.push(place);
            if differs[index] {
                verdict.conflicts.push(place);
            }
        }
    }
    Ok(verdict)
}
