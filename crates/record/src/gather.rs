//! Chosen events of several chunks, in a chosen order, as Arrow arrays. Views are moved, text is not copied: the arrays
//! share the chunks' text.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, ListArray, MapArray, RecordBatch, StringViewArray, StructArray,
    TimestampMillisecondArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use crate::chunk::{Chunk, Origin, Rows, data_type};
use crate::column::{Column, NULL_TIME, NULL_VIEW, ORIGINAL, Recent, Row};
use crate::schema::EventCategory;
use crate::shredded::{Shredded, shredded};

/// One event: which chunk, which row of the category there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the chunk.
    pub chunk: u32,
    /// Row in the chunk's category.
    pub row: u32,
}

/// Chunks whose text is ready to be shared with arrays.
#[derive(Debug)]
pub struct Chunks {
    chunks: Vec<Chunk>,
    /// Two buffers a chunk, the original and the rewritten text; then one with the addresses of the origins.
    buffers: Vec<Buffer>,
    /// First and length of each origin's path and version in the last buffer, a chunk.
    origins: Vec<Vec<[(u32, u32); 2]>>,
}

impl Chunks {
    /// Takes the chunks over.
    pub fn new(mut chunks: Vec<Chunk>) -> Self {
        let mut buffers = Vec::with_capacity(chunks.len() * 2 + 1);
        let mut addresses = Vec::new();
        let mut origins = Vec::with_capacity(chunks.len());
        let mut add = |text: &str| {
            let start = addresses.len() as u32;
            addresses.extend_from_slice(text.as_bytes());
            (start, text.len() as u32)
        };
        for chunk in &mut chunks {
            buffers.push(Buffer::from_vec(std::mem::take(&mut chunk.original)));
            buffers.push(Buffer::from_vec(std::mem::take(&mut chunk.rewritten)));
            chunk.recent = Recent::default();
            origins.push(chunk.origins.iter().map(|origin| [add(&origin.path), add(&origin.version)]).collect());
        }
        buffers.push(Buffer::from_vec(addresses));
        Self { chunks, buffers, origins }
    }

    /// The chunks, whose events can still be asked for all but their text.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Where an event was read from, and its index there.
    pub fn origin(&self, category: EventCategory, place: Place) -> (&Origin, i32) {
        let chunk = &self.chunks[place.chunk as usize];
        let rows = chunk.rows(category);
        (&chunk.origins[rows.origin(place.row as usize)], rows.record(place.row as usize))
    }

    /// The original and the rewritten text of a chunk.
    pub(crate) fn texts(&self, chunk: u32) -> (&[u8], &[u8]) {
        let first = chunk as usize * 2;
        (self.buffers[first].as_slice(), self.buffers[first + 1].as_slice())
    }

    fn rows(&self, category: EventCategory) -> Vec<&Rows> {
        self.chunks.iter().map(|chunk| chunk.rows(category)).collect()
    }
}

/// One column of [`EventCategory::file_schema`], by its index, for the events of `order`: `order.len()` rows.
///
/// # Errors
/// Arrow's, if the parts don't fit: a defect of this crate.
pub fn column(chunks: &Chunks, category: EventCategory, index: usize, order: &[Place]) -> Result<ArrayRef, ArrowError> {
    let rows = chunks.rows(category);
    let visible = category.schema().fields().len();
    if index < visible {
        let columns: Vec<&Column> = rows.iter().map(|rows| &rows.columns.fields[index]).collect();
        return array(&columns, order, &data_type(category, index), &chunks.buffers);
    }
    let addresses = (chunks.buffers.len() - 1) as u32;
    let address = |which: usize| {
        let text = chunks.buffers.last().map_or(&[][..], Buffer::as_slice);
        let views = order.iter().map(|place| {
            let origin = rows[place.chunk as usize].origin(place.row as usize);
            let (start, length) = chunks.origins[place.chunk as usize][origin][which];
            if which == 1 && length == 0 {
                return NULL_VIEW;
            }
            arrow::array::make_view(&text[start as usize..(start + length) as usize], addresses, start)
        });
        text_array(views.collect(), &chunks.buffers)
    };
    match index - visible {
        0 => address(0),
        1 => address(1),
        2 => Ok(Arc::new(order.iter().map(|p| rows[p.chunk as usize].record(p.row as usize)).collect::<Int32Array>())),
        hidden => {
            let schema = category.schema();
            let Some(Shredded { map, key, .. }) = shredded(category).get(hidden - 3) else {
                return Err(ArrowError::SchemaError(format!("there is no column {index}")));
            };
            let map = schema.index_of(map)?;
            let maps: Vec<&Column> = rows.iter().map(|rows| &rows.columns.fields[map]).collect();
            values_at(chunks, &maps, key, order)
        }
    }
}

/// What maps have at a key, as [`crate::shredded::values_at`] gives it of arrays.
fn values_at(chunks: &Chunks, maps: &[&Column], key: &str, order: &[Place]) -> Result<ArrayRef, ArrowError> {
    let wanted = arrow::array::make_view(key.as_bytes(), 0, 0);
    let is_wanted = |view: u128, chunk: u32| match key.len() {
        0..=12 => view == wanted,
        length => {
            let (original, rewritten) = chunks.texts(chunk);
            let text = if (view >> 64) as u32 == ORIGINAL { original } else { rewritten };
            let start = (view >> 96) as usize;
            view as u64 == wanted as u64 && text.get(start..start + length) == Some(key.as_bytes())
        }
    };
    let views = order.iter().map(|place| {
        let Column::Map { ends, keys, values, .. } = maps[place.chunk as usize] else { return NULL_VIEW };
        let mut range = elements(ends, place.row as usize);
        let found = range.find(|at| is_wanted(keys[*at], place.chunk));
        found.map_or(NULL_VIEW, |at| global(values[at], place.chunk))
    });
    text_array(views.collect(), &chunks.buffers)
}

/// Where the elements of a row's map or array are.
fn elements(ends: &[u32], row: usize) -> Range<usize> {
    let end = ends.get(row).copied().unwrap_or_default() as usize;
    let start = row.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default() as usize;
    start.min(end)..end
}

/// All columns of [`EventCategory::file_schema`] for the events of `order`.
///
/// # Errors
/// As [`column`].
pub fn batch(chunks: &Chunks, category: EventCategory, order: &[Place]) -> Result<RecordBatch, ArrowError> {
    let schema = category.file_schema();
    let columns =
        (0..schema.fields().len()).map(|index| column(chunks, category, index, order)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}

fn text_array(mut views: Vec<u128>, buffers: &[Buffer]) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(views.len(), |row| views[row] != NULL_VIEW);
    if nulls.is_some() {
        views.iter_mut().filter(|view| **view == NULL_VIEW).for_each(|view| *view = 0);
    }
    Ok(Arc::new(string_view_array(ScalarBuffer::from(views), buffers.to_vec(), nulls)?))
}

/// Checking the views again costs a seventh of an ingest, so only builds with debug assertions (the tests) do.
#[allow(unsafe_code)]
fn string_view_array(
    views: ScalarBuffer<u128>,
    buffers: Vec<Buffer>,
    nulls: Option<NullBuffer>,
) -> Result<StringViewArray, ArrowError> {
    if cfg!(debug_assertions) {
        return StringViewArray::try_new(views, buffers, nulls);
    }
    // SAFETY: every view was made by `make_view` from a stretch of the buffer that it names: a string of simd-json's tape that
    // equals that stretch, a token or value between two structural characters of a text that simd-json found to be UTF-8, or
    // text of ours. Buffers are not written to once views exist, and NULLs are zero: an empty inline string.
    Ok(unsafe { StringViewArray::new_unchecked(views, buffers, nulls) })
}

/// Chunk-local buffer numbers (original, rewritten) become numbers in [`Chunks::buffers`].
pub(crate) fn global(view: u128, chunk: u32) -> u128 {
    if view as u32 <= 12 || view == NULL_VIEW { view } else { view + (u128::from(chunk * 2) << 64) }
}

fn nulls(rows: usize, valid: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, valid));
    (nulls.null_count() > 0).then_some(nulls)
}

/// What a page of most columns is: NULLs, of as many rows as are commonly gathered at once.
static NO_TEXT: LazyLock<ArrayRef> = LazyLock::new(|| new_null_array(&DataType::Utf8View, 1 << 13));

/// The values of one type's columns, a chunk; where a column is of another type (a defect) it counts as empty.
fn parts<'a, T>(columns: &[&'a Column], values: impl Fn(&'a Column) -> Option<&'a [T]>) -> Vec<&'a [T]> {
    columns.iter().map(|column| values(column).unwrap_or_default()).collect()
}

/// The value of each event; `null` past the end of its column.
fn pick<T: Copy>(parts: &[&[T]], order: &[Place], null: T) -> Vec<T> {
    order.iter().map(|place| parts[place.chunk as usize].get(place.row as usize).copied().unwrap_or(null)).collect()
}

fn array(
    columns: &[&Column],
    order: &[Place],
    data_type: &DataType,
    buffers: &[Buffer],
) -> Result<ArrayRef, ArrowError> {
    if columns.iter().all(|column| column.len() == 0) {
        if *data_type == DataType::Utf8View && order.len() <= NO_TEXT.len() {
            return Ok(NO_TEXT.slice(0, order.len()));
        }
        return Ok(new_null_array(data_type, order.len()));
    }
    match data_type {
        DataType::Timestamp(..) => {
            let times = parts(columns, |column| match column {
                Column::Timestamp(times) => Some(times),
                _ => None,
            });
            let times = pick(&times, order, NULL_TIME);
            let nulls = nulls(times.len(), |row| times[row] != NULL_TIME);
            Ok(Arc::new(TimestampMillisecondArray::try_new(ScalarBuffer::from(times), nulls)?))
        }
        DataType::Boolean => {
            let values = parts(columns, |column| match column {
                Column::Boolean(values) => Some(values),
                _ => None,
            });
            Ok(Arc::new(BooleanArray::from(pick(&values, order, None))))
        }
        DataType::Float64 => {
            let values = parts(columns, |column| match column {
                Column::Double(values) => Some(values),
                _ => None,
            });
            Ok(Arc::new(Float64Array::from(pick(&values, order, None))))
        }
        DataType::Int32 => {
            let values = parts(columns, |column| match column {
                Column::Integer(values) => Some(values),
                _ => None,
            });
            Ok(Arc::new(Int32Array::from(pick(&values, order, None))))
        }
        DataType::Map(entries, sorted) => map_array(columns, order, entries, *sorted, buffers),
        DataType::List(field) => list_array(columns, order, field, buffers),
        DataType::Struct(fields) => struct_array(columns, order, fields, buffers),
        _ => {
            let views = parts(columns, |column| match column {
                Column::Text(views) => Some(views),
                _ => None,
            });
            let views = order.iter().map(|place| {
                let view = views[place.chunk as usize].get(place.row as usize);
                view.map_or(NULL_VIEW, |view| global(*view, place.chunk))
            });
            text_array(views.collect(), buffers)
        }
    }
}

/// Which elements of maps or arrays the events have.
struct Elements {
    /// Chunk and elements there, an event.
    ranges: Vec<(u32, Range<usize>)>,
    offsets: OffsetBuffer<i32>,
    nulls: Option<NullBuffer>,
    count: usize,
}

impl Elements {
    /// Of columns given by the ends of their rows' elements and which rows are valid.
    fn new(columns: &[(&[u32], &[bool])], order: &[Place]) -> Self {
        let mut ranges = Vec::with_capacity(order.len());
        let mut count = 0;
        for place in order {
            let range = elements(columns[place.chunk as usize].0, place.row as usize);
            count += range.len();
            ranges.push((place.chunk, range));
        }
        let offsets = OffsetBuffer::from_lengths(ranges.iter().map(|(_, range)| range.len()));
        let nulls = nulls(order.len(), |index| {
            let place = order[index];
            columns[place.chunk as usize].1.get(place.row as usize).copied().unwrap_or_default()
        });
        Self { ranges, offsets, nulls, count }
    }
}

fn map_array(
    columns: &[&Column],
    order: &[Place],
    entries: &Arc<Field>,
    sorted: bool,
    buffers: &[Buffer],
) -> Result<ArrayRef, ArrowError> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::SchemaError("a map's entries are a struct".to_owned()));
    };
    let rows: Vec<(&[u32], &[bool])> = columns
        .iter()
        .map(|column| match column {
            Column::Map { ends, valid, .. } => (&ends[..], &valid[..]),
            _ => Default::default(),
        })
        .collect();
    let elements = Elements::new(&rows, order);
    let texts = |of: fn(&Column) -> Option<&[u128]>| {
        let views = parts(columns, of);
        let mut picked = Vec::with_capacity(elements.count);
        for (chunk, range) in &elements.ranges {
            picked.extend(views[*chunk as usize][range.clone()].iter().map(|view| global(*view, *chunk)));
        }
        text_array(picked, buffers)
    };
    let keys = texts(|column| match column {
        Column::Map { keys, .. } => Some(keys),
        _ => None,
    })?;
    let values = texts(|column| match column {
        Column::Map { values, .. } => Some(values),
        _ => None,
    })?;
    let structs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), elements.offsets, structs, elements.nulls, sorted)?))
}

fn list_array(
    columns: &[&Column],
    order: &[Place],
    field: &Arc<Field>,
    buffers: &[Buffer],
) -> Result<ArrayRef, ArrowError> {
    let rows: Vec<(&[u32], &[bool])> = columns
        .iter()
        .map(|column| match column {
            Column::Array { ends, valid, .. } => (&ends[..], &valid[..]),
            _ => Default::default(),
        })
        .collect();
    let elements = Elements::new(&rows, order);
    let mut places = Vec::with_capacity(elements.count);
    for (chunk, range) in elements.ranges {
        places.extend(range.map(|row| Place { chunk, row: row as u32 }));
    }
    let inner: Vec<&Column> = columns
        .iter()
        .map(|column| match column {
            Column::Array { element, .. } => element.as_ref(),
            other => other,
        })
        .collect();
    let values = array(&inner, &places, field.data_type(), buffers)?;
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), elements.offsets, values, elements.nulls)?))
}

fn struct_array(
    columns: &[&Column],
    order: &[Place],
    fields: &Fields,
    buffers: &[Buffer],
) -> Result<ArrayRef, ArrowError> {
    let rows: Vec<&Row> = columns
        .iter()
        .filter_map(|column| match column {
            Column::Row(row) => Some(row),
            _ => None,
        })
        .collect();
    if rows.len() != columns.len() {
        return Err(ArrowError::SchemaError("a row type's column holds rows".to_owned()));
    }
    let arrays = fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let inner: Vec<&Column> = rows.iter().map(|row| &row.fields[index]).collect();
            array(&inner, order, field.data_type(), buffers)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let valid = nulls(order.len(), |index| {
        let place = order[index];
        rows[place.chunk as usize].valid.get(place.row as usize).copied().unwrap_or_default()
    });
    Ok(Arc::new(StructArray::try_new(fields.clone(), arrays, valid)?))
}
