//! Decoded events of some log files, before they are sorted and written: columns of views into the files' text.

use std::sync::Arc;

use arrow::array::{RecordBatch, make_view};
use arrow::datatypes::DataType;
use xxhash_rust::xxh3::xxh3_128;

use crate::column::{self, Column, NULL_VIEW, ORIGINAL, Recent, Row, Texts};
use crate::deviations::Deviations;
use crate::gather;
use crate::insight;
use crate::schema::EventCategory;
use crate::tape::{Cursor, Value};

/// A log file that gave events to a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Address of the file, as the `$path` column shows it.
    pub path: Arc<str>,
    /// Its version, as the `$version` column shows it; empty when there is none.
    pub version: Arc<str>,
}

/// What tells two events apart, and whether two that share an eventID are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Hash of eventID and recipient account; `None` for a record without an eventID, which is never a duplicate.
    pub event: Option<u128>,
    /// XXH3-128 of the record's bytes.
    pub content: u128,
}

impl Identity {
    /// Of an event with that eventID and recipient account, empty if it has none, and that record.
    pub fn new(event_id: &[u8], account: &[u8], json: &[u8]) -> Self {
        let content = xxh3_128(json);
        if event_id.is_empty() {
            return Self { event: None, content };
        }
        let mut key = [0; 128];
        let mut length = 0;
        for text in [event_id, account] {
            if length + text.len() >= key.len() {
                // Nothing that AWS makes is so long: the hash of the text stands for it.
                let hash = xxh3_128(&[&key[..length], text].concat());
                key[..16].copy_from_slice(&hash.to_le_bytes());
                length = 16;
            } else {
                key[length..length + text.len()].copy_from_slice(text);
                length += text.len();
            }
            key[length] = 0;
            length += 1;
        }
        Self { event: Some(xxh3_128(&key[..length])), content }
    }
}

/// Rows of one category.
#[derive(Debug)]
pub struct Rows {
    pub(crate) columns: Row,
    /// Index into [`Chunk::origins`] a row.
    pub(crate) origin: Vec<u32>,
    /// Index in the origin a row.
    pub(crate) record: Vec<i32>,
    identity: Vec<Identity>,
    event_time: usize,
    event_json: usize,
    event_id: usize,
    account: usize,
}

impl Rows {
    fn new(category: EventCategory) -> Self {
        let schema = category.schema();
        let index = |name| schema.index_of(name).unwrap_or_default();
        Self {
            columns: Row::new(schema.fields()),
            origin: vec![],
            record: vec![],
            identity: vec![],
            event_time: index("eventtime"),
            event_json: index("eventjson"),
            event_id: index("eventid"),
            account: index("recipientaccountid"),
        }
    }

    /// As [`Chunk::take`].
    fn take(&mut self, category: EventCategory) -> Self {
        let mut taken = Self::new(category);
        if !self.is_empty() {
            self.columns.take(&mut taken.columns);
            taken.origin = column::take(&mut self.origin);
            taken.record = column::take(&mut self.record);
            taken.identity = column::take(&mut self.identity);
        }
        taken
    }

    /// Takes the record under the cursor, steps over it and gives its bytes.
    pub(crate) fn fill<'a>(
        &mut self,
        category: EventCategory,
        cursor: &mut Cursor<'a>,
        texts: &mut Texts<'_>,
    ) -> &'a [u8] {
        let Value::Object { len } = cursor.value() else {
            return cursor.skip();
        };
        let start = *cursor;
        let row = self.len();
        // The text takes its place first, so that no key of the record can; it is known when the end is.
        if let Column::Text(views) = &mut self.columns.fields[self.event_json] {
            views.resize(row + 1, NULL_VIEW);
        }
        self.columns.names.begin();
        cursor.object(len, |key, value| {
            if category == EventCategory::Insight && key == "insightDetails" {
                insight::put_details(&mut self.columns, row, value, texts);
                return;
            }
            // Logstash moves the time to a key of its own.
            let found = self.columns.names.find(key).or_else(|| (key == "@timestamp").then_some(self.event_time));
            match found.and_then(|field| self.columns.fields.get_mut(field)).filter(|column| column.len() <= row) {
                Some(column) => column.put(row, value, texts),
                None => {
                    value.skip();
                }
            }
            if std::mem::take(&mut texts.nested)
                && let Some(field) = found
            {
                self.columns.names.set_deviating(field);
            }
        });
        self.columns.put_valid(row, true);
        let json = start.until(cursor);
        if let Column::Text(views) = &mut self.columns.fields[self.event_json] {
            views[row] = make_view(json, ORIGINAL, start.offset() as u32);
        }
        json
    }

    /// What tells the row that was filled and has no place yet from others; `json` is its record.
    pub(crate) fn last_identity(&self, json: &[u8], texts: &Texts<'_>) -> Identity {
        let row = self.len();
        let view = |field: usize| match &self.columns.fields[field] {
            Column::Text(views) => views.get(row).copied().unwrap_or(NULL_VIEW),
            _ => NULL_VIEW,
        };
        let views = [view(self.event_id), view(self.account)];
        let inline = views.map(u128::to_le_bytes);
        let text = |at: usize| column::text(views[at], &inline[at], texts.original, texts.rewritten);
        Identity::new(text(0).unwrap_or_default(), text(1).unwrap_or_default(), json)
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// True without events.
    pub fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// An identity an event.
    pub fn identities(&self) -> &[Identity] {
        &self.identity
    }

    /// Index into [`Chunk::origins`] of an event.
    pub fn origin(&self, row: usize) -> usize {
        self.origin[row] as usize
    }

    /// Index of an event in its origin.
    pub fn record(&self, row: usize) -> i32 {
        self.record[row]
    }

    pub(crate) fn push_place(&mut self, origin: u32, record: i32, identity: Identity) {
        self.origin.push(origin);
        self.record.push(record);
        self.identity.push(identity);
    }
}

/// Events of some log files with the text that their columns point into. Made by [`crate::decode::Decoder`].
#[derive(Debug)]
pub struct Chunk {
    /// The inflated files, one after the other.
    pub(crate) original: Vec<u8>,
    /// Strings that had escapes, nested values that had blanks.
    pub(crate) rewritten: Vec<u8>,
    /// While it is being filled.
    pub(crate) recent: Recent,
    pub(crate) origins: Vec<Origin>,
    pub(crate) rows: [Rows; EventCategory::ALL.len()],
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            original: Vec::new(),
            rewritten: Vec::new(),
            recent: Recent::default(),
            origins: Vec::new(),
            rows: EventCategory::ALL.map(Rows::new),
        }
    }
}

impl Chunk {
    /// Moves the events to a chunk that has the memory which they need and no more. This one keeps its memory for the events of
    /// other files, unless it is very much.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let rows = EventCategory::ALL.map(|category| self.rows[category as usize].take(category));
        Self {
            original: column::take(&mut self.original),
            rewritten: column::take(&mut self.rewritten),
            recent: Recent::default(),
            origins: column::take(&mut self.origins),
            rows,
        }
    }

    /// The events of one category.
    pub fn rows(&self, category: EventCategory) -> &Rows {
        &self.rows[category as usize]
    }

    /// The files that gave events, in the order in which they were decoded.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Inflated bytes of the files.
    pub fn original_bytes(&self) -> usize {
        self.original.len()
    }

    /// Memory held, in bytes, as far as it grows with the events.
    pub fn memory(&self) -> usize {
        let places = |rows: &Rows| {
            rows.identity.capacity() * size_of::<Identity>() + (rows.origin.capacity() + rows.record.capacity()) * 4
        };
        let rows = self.rows.iter().map(|rows| column_memory(&rows.columns) + places(rows)).sum::<usize>();
        self.original.capacity() + self.rewritten.capacity() + rows
    }

    /// Event times of one category in UTC milliseconds, `None` where the record has none that can be read.
    pub fn event_times(&self, category: EventCategory) -> impl Iterator<Item = Option<i64>> + '_ {
        let rows = self.rows(category);
        let times: &[i64] = match &rows.columns.fields[rows.event_time] {
            Column::Timestamp(times) => times,
            _ => &[],
        };
        (0..rows.len()).map(|row| times.get(row).copied().filter(|time| *time != crate::column::NULL_TIME))
    }

    /// Where the columns of one category do not tell what the records say. Of files that were given up it may tell too.
    pub fn deviations(&self, category: EventCategory) -> Deviations {
        let mut deviations = Deviations::default();
        self.rows(category).columns.note_deviations(&mut deviations);
        deviations
    }

    /// Bytes of each event's record as it stood in the file, in one category.
    pub fn record_lengths(&self, category: EventCategory) -> impl Iterator<Item = usize> + '_ {
        let rows = self.rows(category);
        let views: &[u128] = match &rows.columns.fields[rows.event_json] {
            Column::Text(views) => views,
            _ => &[],
        };
        views.iter().map(|view| *view as u32 as usize)
    }

    /// All events of a category in the order of decoding, in the columns of [`EventCategory::file_schema`].
    ///
    /// # Errors
    /// Arrow's, if the columns don't make a batch: a defect of this crate.
    pub fn into_batch(self, category: EventCategory) -> Result<RecordBatch, arrow::error::ArrowError> {
        let order: Vec<gather::Place> =
            (0..self.rows(category).len()).map(|row| gather::Place { chunk: 0, row: row as u32 }).collect();
        let chunks = gather::Chunks::new(vec![self]);
        gather::batch(&chunks, category, &order)
    }
}

fn column_memory(row: &Row) -> usize {
    row.valid.capacity() + row.fields.iter().map(memory).sum::<usize>()
}

fn memory(column: &Column) -> usize {
    match column {
        Column::Text(views) => views.capacity() * 16,
        Column::Timestamp(times) => times.capacity() * 8,
        Column::Boolean(values) => values.capacity() * size_of::<Option<bool>>(),
        Column::Double(values) => values.capacity() * 16,
        Column::Integer(values) => values.capacity() * 8,
        Column::Map { ends, valid, keys, values, .. } => {
            ends.capacity() * 4 + valid.capacity() + (keys.capacity() + values.capacity()) * 16
        }
        Column::Array { ends, valid, element } => ends.capacity() * 4 + valid.capacity() + memory(element),
        Column::Row(row) => column_memory(row),
    }
}

/// The Arrow type of a column of a category's file schema.
pub(crate) fn data_type(category: EventCategory, column: usize) -> DataType {
    category.file_schema().field(column).data_type().clone()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::decode::Decoder;

    const SMALL: &str = r#"{"Records":[{"eventVersion":"1.09","eventCategory":"Management","eventID":"a","eventName":"One",
        "userIdentity":{"type":"Root","sessionContext":{"attributes":{"mfaAuthenticated":"true"}}},
        "requestParameters":{"name":"a \"quoted\" text, longer than a view","n":[1, 2]},"resources":[{"ARN":"arn:aws:s3:::b"}]}]}"#;
    const OTHER: &str = r#"{"Records":[{"eventVersion":"1.09","eventCategory":"Management","eventID":"b","eventName":"Two",
        "readOnly":true,"eventTime":"2026-03-01T00:00:00Z"},{"eventVersion":"1.09","eventCategory":"Insight","eventID":"c"}]}"#;

    fn decode(text: &str, chunk: &mut Chunk) {
        let origin = Origin { path: Arc::from("file:///f"), version: Arc::from("1") };
        Decoder::default().decode(text.as_bytes(), origin, chunk).unwrap();
    }

    fn batches(chunk: Chunk) -> Vec<RecordBatch> {
        let chunks = gather::Chunks::new(vec![chunk]);
        let order =
            |category| (0..chunks.chunks()[0].rows(category).len() as u32).map(|row| gather::Place { chunk: 0, row });
        EventCategory::ALL
            .map(|category| gather::batch(&chunks, category, &order(category).collect::<Vec<_>>()).unwrap())
            .to_vec()
    }

    #[test]
    fn events_that_are_taken_leave_nothing_behind() {
        let mut reused = Chunk::default();
        for texts in [&[SMALL, OTHER][..], &[OTHER], &[SMALL], &[OTHER, OTHER, SMALL]] {
            let mut fresh = Chunk::default();
            for text in texts {
                decode(text, &mut fresh);
                decode(text, &mut reused);
            }
            let taken = reused.take();
            assert_eq!(taken.origins, fresh.origins);
            for category in EventCategory::ALL {
                assert_eq!(taken.rows(category).identities(), fresh.rows(category).identities());
                assert!(reused.rows(category).is_empty());
            }
            assert_eq!(reused.original_bytes(), 0);
            assert_eq!(batches(taken), batches(fresh));
        }
    }

    #[test]
    fn events_that_are_taken_have_no_memory_to_spare() {
        let mut chunk = Chunk::default();
        (0..100).for_each(|_| decode(SMALL, &mut chunk));
        let taken = chunk.take();
        assert_eq!(taken.original.capacity(), taken.original.len());
        assert!(taken.memory() < chunk.memory());
        let again = {
            (0..100).for_each(|_| decode(SMALL, &mut chunk));
            chunk.take()
        };
        assert_eq!(again.memory(), taken.memory());
    }
}
