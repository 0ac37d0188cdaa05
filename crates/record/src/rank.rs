//! The order of text values among each other, as numbers, so that events are sorted by numbers and not by text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::column::{self, Column, NULL_VIEW};
use crate::gather::{Chunks, Place};
use crate::schema::EventCategory;

/// Hashes views, whose bits are spread well enough to be multiplied only.
#[derive(Debug, Default)]
struct ViewHasher(u64);

impl Hasher for ViewHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_u128(&mut self, view: u128) {
        let folded = (view as u64).rotate_left(32) ^ (view >> 64) as u64;
        let product = u128::from(folded) * 0x9e37_79b9_7f4a_7c15_u128;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

/// The rank of a text column's value for each event of `order`: equal for equal text, ascending with it, the highest for
/// NULL. `path` leads to the column: its name, or that of a row type's column and the names of fields in it. All are 0 where
/// there is no such column.
pub fn ranks(chunks: &Chunks, category: EventCategory, path: &[&str], order: &[Place]) -> Vec<u32> {
    let columns: Vec<&[u128]> = chunks
        .chunks()
        .iter()
        .map(|chunk| {
            let mut row = &chunk.rows(category).columns;
            let mut schema = category.schema().fields().clone();
            for (depth, name) in path.iter().enumerate() {
                let Some((index, field)) = schema.find(name) else { return &[][..] };
                let field = field.clone();
                match &row.fields[index] {
                    Column::Text(views) if depth + 1 == path.len() => return &views[..],
                    Column::Row(inner) => row = inner,
                    _ => return &[],
                }
                let arrow::datatypes::DataType::Struct(fields) = field.data_type() else { return &[] };
                schema = fields.clone();
            }
            &[]
        })
        .collect();
    let mut found: HashMap<u128, u32, BuildHasherDefault<ViewHasher>> = HashMap::default();
    let mut distinct: Vec<(u128, u32)> = Vec::new();
    let mut last = (NULL_VIEW, u32::MAX);
    let mut ranks: Vec<u32> = order
        .iter()
        .map(|place| {
            let view = columns[place.chunk as usize].get(place.row as usize).copied().unwrap_or(NULL_VIEW);
            let view = crate::gather::global(view, place.chunk);
            if view != last.0 || last.1 == u32::MAX {
                let number = *found.entry(view).or_insert_with(|| {
                    distinct.push((view, place.chunk));
                    distinct.len() as u32 - 1
                });
                last = (view, number);
            }
            last.1
        })
        .collect();
    let inline: Vec<[u8; 16]> = distinct.iter().map(|(view, _)| view.to_le_bytes()).collect();
    let text = |number: usize| {
        let (view, chunk) = distinct[number];
        let (original, rewritten) = chunks.texts(chunk);
        // The buffer's number is that of the chunk's pair of buffers.
        let local = if view as u32 > 12 && view != NULL_VIEW { view - (u128::from(chunk * 2) << 64) } else { view };
        column::text(local, &inline[number], original, rewritten)
    };
    let mut sorted: Vec<(bool, &[u8], usize)> =
        (0..distinct.len()).map(|number| (text(number).is_none(), text(number).unwrap_or_default(), number)).collect();
    sorted.sort_unstable();
    let mut rank_of = vec![0; distinct.len()];
    let mut rank = 0;
    for (index, (is_null, text, number)) in sorted.iter().enumerate() {
        if index > 0 && (*is_null, *text) != (sorted[index - 1].0, sorted[index - 1].1) {
            rank += 1;
        }
        rank_of[*number] = rank;
    }
    ranks.iter_mut().for_each(|number| *number = rank_of[*number as usize]);
    ranks
}
