//! Columns under construction. Text is kept as Arrow string views into the chunk's text, so that a value costs 16 bytes
//! and no copy, and sorting moves views, not strings.

use arrow::array::make_view;
use arrow::datatypes::{DataType, Fields};

use crate::deviations::{self, Deviations, Keys};
use crate::tape::{Cursor, Value};
use crate::timestamp;

/// Stands for NULL among views: no view has this length.
pub(crate) const NULL_VIEW: u128 = u128::MAX;
/// Stands for NULL among timestamps.
pub(crate) const NULL_TIME: i64 = i64::MIN;
/// Number of the buffer that holds the inflated files.
pub(crate) const ORIGINAL: u32 = 0;
/// Number of the buffer that holds what had to be rewritten: strings with escapes, and nested values with blanks.
pub(crate) const REWRITTEN: u32 = 1;

/// Memory that is not kept for other events, in bytes: more than a group of log files commonly needs.
const KEPT: usize = 16 << 20;

/// Moves values to memory that they fill. `values` keeps its own, unless that is very large: then it is moved and not copied.
pub(crate) fn take<T: Clone>(values: &mut Vec<T>) -> Vec<T> {
    if values.capacity() * size_of::<T>() > KEPT {
        let mut taken = std::mem::take(values);
        taken.shrink_to_fit();
        return taken;
    }
    let taken = values.as_slice().to_vec();
    values.clear();
    taken
}

/// One column, or one field of a row type, or the element of an array. It reaches up to the last row that gave it a value:
/// the rows after that are NULL, so that a field which a record does not have costs nothing.
#[derive(Debug)]
pub(crate) enum Column {
    Text(Vec<u128>),
    Timestamp(Vec<i64>),
    Boolean(Vec<Option<bool>>),
    Double(Vec<Option<f64>>),
    Integer(Vec<Option<i32>>),
    /// `unclear` are keys with a string that may be taken for an object's or array's text.
    Map {
        ends: Vec<u32>,
        valid: Vec<bool>,
        keys: Vec<u128>,
        values: Vec<u128>,
        unclear: Keys,
    },
    Array {
        ends: Vec<u32>,
        valid: Vec<bool>,
        element: Box<Column>,
    },
    Row(Row),
}

/// A row type: its fields side by side, all counted by the rows of the whole.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) valid: Vec<bool>,
    pub(crate) fields: Vec<Column>,
    pub(crate) names: Names,
}

/// Finds a field by its JSON key, ignoring case. Keys come in the same order record after record, so the fields that
/// followed the last two times are tried first, in the spelling that they had then.
#[derive(Debug)]
pub(crate) struct Names {
    names: Vec<String>,
    spelt: Vec<Box<str>>,
    /// Fields of which a value may differ from what the record has at their path.
    deviating: Vec<bool>,
    after: Vec<[usize; 2]>,
    last: usize,
}

impl Names {
    pub(crate) fn new(fields: &Fields) -> Self {
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let spelt = names.iter().map(|name| deviations::spelling(name).unwrap_or(name.as_str()).into()).collect();
        let after = (1..=names.len()).chain([0]).map(|next| [next; 2]).collect();
        Self { last: names.len(), deviating: vec![false; names.len()], names, spelt, after }
    }

    pub(crate) fn begin(&mut self) {
        self.last = self.names.len();
    }

    pub(crate) fn find(&mut self, key: &str) -> Option<usize> {
        let guesses = &mut self.after[self.last];
        let is = |field: usize| self.spelt.get(field).is_some_and(|name| **name == *key);
        if is(guesses[0]) {
            self.last = guesses[0];
            return Some(self.last);
        }
        if is(guesses[1]) {
            guesses.swap(0, 1);
            self.last = guesses[0];
            return Some(self.last);
        }
        let found = self.names.iter().position(|name| name.eq_ignore_ascii_case(key))?;
        if *self.spelt[found] != *key {
            self.spelt[found] = key.into();
            // It is in the column, but not at the column's path.
            self.deviating[found] |= deviations::spelling(key).is_some_and(|spelling| spelling != key);
        }
        *guesses = [found, guesses[0]];
        self.last = found;
        Some(found)
    }

    /// Which fields deviate so far; from now on it is looked anew.
    fn take_deviating(&mut self) -> Vec<bool> {
        // A spelling that is expected is not noted again.
        for (spelt, _) in self.spelt.iter_mut().zip(&self.deviating).filter(|(_, deviating)| **deviating) {
            if let Some(spelling) = deviations::spelling(spelt) {
                *spelt = spelling.into();
            }
        }
        let none = vec![false; self.deviating.len()];
        std::mem::replace(&mut self.deviating, none)
    }

    /// Notes that a field's values may differ from what the record has at its path.
    pub(crate) fn set_deviating(&mut self, field: usize) {
        self.deviating[field] = true;
    }
}

/// The text of a chunk while it is being decoded.
pub(crate) struct Texts<'a> {
    /// The inflated files.
    pub(crate) original: &'a [u8],
    /// Text that cannot be taken from the original as it stands.
    pub(crate) rewritten: &'a mut Vec<u8>,
    pub(crate) recent: &'a mut Recent,
    /// Set when a text column takes an object or array.
    pub(crate) nested: bool,
}

/// Views of text that was met lately. Text that comes again gets the same view again: later stages, which go through the
/// events column by column, then find it in the processor's cache instead of all over the files.
#[derive(Debug, Default)]
pub(crate) struct Recent(Vec<u128>);

impl Recent {
    /// Log of the number of views kept: 128 KiB, which stay in a second-level cache.
    const BITS: u32 = 13;
    /// Longer text seldom comes twice.
    const MAX_LENGTH: usize = 1024;

    /// Where the view of this text is kept; `None` for text that is not looked for, as it seldom comes twice.
    fn slot(text: &[u8]) -> Option<usize> {
        let is_uuid = text.len() == 36 && text[8] == b'-' && text[23] == b'-';
        if text.len() > Self::MAX_LENGTH || is_uuid {
            return None;
        }
        let word = |at: usize| Some(u64::from_le_bytes(*text.get(at..)?.first_chunk::<8>()?));
        let mixed = word(0)? ^ word(text.len() / 2 - 4)?.rotate_left(23) ^ word(text.len() - 8)?.rotate_left(43);
        let hash = (mixed ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some((hash >> (u64::BITS - Self::BITS)) as usize)
    }

    /// A view of `text`, which is longer than a view and stands at `offset` of the original.
    fn view(&mut self, text: &[u8], offset: usize, original: &[u8]) -> u128 {
        let view = make_view(text, ORIGINAL, offset as u32);
        let Some(slot) = Self::slot(text) else { return view };
        if self.0.is_empty() {
            self.0.resize(1 << Self::BITS, 0);
        }
        let known = self.0[slot];
        // Length and first bytes, then all of it. Of a file that was given up, other text may stand there by now.
        if known as u64 == view as u64 {
            let start = (known >> 96) as usize;
            if original.get(start..start + text.len()) == Some(text) {
                return known;
            }
        }
        self.0[slot] = view;
        view
    }
}

impl Texts<'_> {
    /// A view of text that stands at `offset` of the original.
    fn view(&mut self, text: &[u8], offset: usize) -> u128 {
        if text.len() <= 12 {
            return make_view(text, ORIGINAL, 0);
        }
        self.recent.view(text, offset, self.original)
    }

    /// The view of a string; `verbatim` tells where it stands unescaped in the original.
    fn string(&mut self, text: &str, verbatim: impl FnOnce(&str) -> Option<usize>) -> u128 {
        if text.len() <= 12 {
            return make_view(text.as_bytes(), ORIGINAL, 0);
        }
        if let Some(offset) = verbatim(text) {
            return self.recent.view(text.as_bytes(), offset, self.original);
        }
        let offset = self.rewritten.len() as u32;
        self.rewritten.extend_from_slice(text.as_bytes());
        make_view(text.as_bytes(), REWRITTEN, offset)
    }

    /// Steps over the value and gives it as Lake's `varchar`: a string as it is, a number or boolean as its JSON text, an
    /// object or array as compact JSON text.
    fn value(&mut self, cursor: &mut Cursor<'_>) -> u128 {
        let view = match cursor.value() {
            Value::Null => NULL_VIEW,
            Value::Text(text) => self.string(text, |text| cursor.verbatim(text)),
            Value::Boolean(_) | Value::Number(_) => self.view(cursor.token(), cursor.offset()),
            Value::Object { .. } | Value::Array { .. } => {
                let start = *cursor;
                let json = cursor.skip();
                if start.is_compact(cursor) {
                    return self.view(json, start.offset());
                }
                let from = self.rewritten.len();
                start.write_compact(cursor, self.rewritten);
                let view = make_view(&self.rewritten[from..], REWRITTEN, from as u32);
                if self.rewritten.len() - from <= 12 {
                    self.rewritten.truncate(from);
                }
                return view;
            }
        };
        cursor.step();
        view
    }
}

/// The bytes of a view; `inline` are the view's own, in which short text lies.
pub(crate) fn text<'a>(view: u128, inline: &'a [u8; 16], original: &'a [u8], rewritten: &'a [u8]) -> Option<&'a [u8]> {
    if view == NULL_VIEW {
        return None;
    }
    let length = view as u32 as usize;
    if length <= 12 {
        return inline.get(4..4 + length);
    }
    let offset = (view >> 96) as u32 as usize;
    let buffer = if (view >> 64) as u32 == ORIGINAL { original } else { rewritten };
    buffer.get(offset..offset + length)
}

/// Puts a value at a row, the rows that were passed over being NULL.
fn put<T: Copy>(values: &mut Vec<T>, row: usize, null: T, value: T) {
    if values.len() != row {
        values.resize(row, null);
    }
    values.push(value);
}

/// Puts the end of a map's or array's elements at a row, the rows that were passed over being NULL.
pub(crate) fn put_end(ends: &mut Vec<u32>, valid: &mut Vec<bool>, row: usize, end: usize, is_valid: bool) {
    let before = ends.last().copied().unwrap_or_default();
    put(ends, row, before, end as u32);
    put(valid, row, false, is_valid);
}

impl Column {
    /// Moves the values to a column of the same type that has none.
    fn take(&mut self, to: &mut Self) {
        match (self, to) {
            (Self::Text(from), Self::Text(to)) => *to = take(from),
            (Self::Timestamp(from), Self::Timestamp(to)) => *to = take(from),
            (Self::Boolean(from), Self::Boolean(to)) => *to = take(from),
            (Self::Double(from), Self::Double(to)) => *to = take(from),
            (Self::Integer(from), Self::Integer(to)) => *to = take(from),
            (
                Self::Map { ends, valid, keys, values, unclear },
                Self::Map { ends: to_ends, valid: to_valid, keys: to_keys, values: to_values, unclear: to_unclear },
            ) => {
                (*to_ends, *to_valid) = (take(ends), take(valid));
                (*to_keys, *to_values) = (take(keys), take(values));
                *to_unclear = std::mem::take(unclear);
            }
            (Self::Array { ends, valid, element }, Self::Array { ends: to_ends, valid: to_valid, element: to }) => {
                (*to_ends, *to_valid) = (take(ends), take(valid));
                element.take(to);
            }
            (Self::Row(from), Self::Row(to)) => from.take(to),
            (from, to) => std::mem::swap(from, to),
        }
    }

    pub(crate) fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Timestamp(..) => Self::Timestamp(Vec::new()),
            DataType::Boolean => Self::Boolean(Vec::new()),
            DataType::Float64 => Self::Double(Vec::new()),
            DataType::Int32 => Self::Integer(Vec::new()),
            DataType::Map(..) => {
                let (keys, values) = (Vec::new(), Vec::new());
                Self::Map { ends: Vec::new(), valid: Vec::new(), keys, values, unclear: Keys::default() }
            }
            DataType::List(element) => {
                Self::Array { ends: Vec::new(), valid: Vec::new(), element: Box::new(Self::new(element.data_type())) }
            }
            DataType::Struct(fields) => Self::Row(Row::new(fields)),
            _ => Self::Text(Vec::new()),
        }
    }

    /// The rows that it reaches; later ones are NULL.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(views) => views.len(),
            Self::Timestamp(times) => times.len(),
            Self::Boolean(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Map { valid, .. } | Self::Array { valid, .. } => valid.len(),
            Self::Row(row) => row.valid.len(),
        }
    }

    /// Makes a row NULL for good: a second value of the same key does not count.
    fn put_null(&mut self, row: usize) {
        match self {
            Self::Text(views) => put(views, row, NULL_VIEW, NULL_VIEW),
            Self::Timestamp(times) => put(times, row, NULL_TIME, NULL_TIME),
            Self::Boolean(values) => put(values, row, None, None),
            Self::Double(values) => put(values, row, None, None),
            Self::Integer(values) => put(values, row, None, None),
            Self::Map { ends, valid, keys, .. } => put_end(ends, valid, row, keys.len(), false),
            Self::Array { ends, valid, .. } => {
                let end = ends.last().copied().unwrap_or_default() as usize;
                put_end(ends, valid, row, end, false);
            }
            Self::Row(fields) => put(&mut fields.valid, row, false, false),
        }
    }

    /// Takes the value under the cursor for a row beyond [`Column::len`] and steps over it. A value of another shape than
    /// the column's becomes NULL here (`eventjson` keeps it).
    pub(crate) fn put(&mut self, row: usize, cursor: &mut Cursor<'_>, texts: &mut Texts<'_>) {
        match (&mut *self, cursor.value()) {
            (Self::Text(views), value) => {
                texts.nested |= matches!(value, Value::Object { .. } | Value::Array { .. });
                put(views, row, NULL_VIEW, texts.value(cursor));
            }
            (Self::Timestamp(times), Value::Text(text)) => {
                put(times, row, NULL_TIME, timestamp::parse(text).unwrap_or(NULL_TIME));
                cursor.step();
            }
            (Self::Boolean(values), Value::Boolean(value)) => {
                put(values, row, None, Some(value));
                cursor.step();
            }
            (Self::Boolean(values), Value::Text(text)) => {
                put(values, row, None, boolean(text));
                cursor.step();
            }
            (Self::Double(values), Value::Number(number) | Value::Text(number)) => {
                put(values, row, None, number.parse().ok());
                cursor.step();
            }
            (Self::Integer(values), Value::Number(number) | Value::Text(number)) => {
                put(values, row, None, integer(number));
                cursor.step();
            }
            (Self::Map { ends, valid, keys, values, unclear }, Value::Object { len }) => {
                cursor.object(len, |key, value| {
                    if let Value::Text(text) = value.value()
                        && deviations::may_be_nested(text.as_bytes())
                    {
                        unclear.add(key);
                    }
                    keys.push(texts.string(key, |key| value.verbatim_key(key)));
                    values.push(texts.value(value));
                });
                put_end(ends, valid, row, keys.len(), true);
            }
            (Self::Array { ends, valid, element }, Value::Array { len }) => {
                let mut at = ends.last().copied().unwrap_or_default() as usize;
                cursor.array(len, |value| {
                    element.put(at, value, texts);
                    at += 1;
                });
                put_end(ends, valid, row, at, true);
            }
            (Self::Row(fields), Value::Object { len }) => fields.put(row, cursor, len, texts),
            _ => {
                self.put_null(row);
                cursor.skip();
            }
        }
    }
}

impl Row {
    pub(crate) fn new(fields: &Fields) -> Self {
        Self {
            valid: Vec::new(),
            fields: fields.iter().map(|field| Column::new(field.data_type())).collect(),
            names: Names::new(fields),
        }
    }

    /// Moves the values to a row type of the same fields that has none.
    pub(crate) fn take(&mut self, to: &mut Self) {
        to.valid = take(&mut self.valid);
        to.names.deviating = self.names.take_deviating();
        for (from, to) in self.fields.iter_mut().zip(&mut to.fields) {
            from.take(to);
        }
    }

    fn put(&mut self, row: usize, cursor: &mut Cursor<'_>, len: usize, texts: &mut Texts<'_>) {
        self.names.begin();
        cursor.object(len, |key, value| match self.names.find(key) {
            // The first of two equal keys counts.
            Some(field) if self.fields[field].len() <= row => self.fields[field].put(row, value, texts),
            _ => {
                value.skip();
            }
        });
        self.put_valid(row, true);
    }

    /// Notes the fields that deviate.
    pub(crate) fn note_deviations(&self, deviations: &mut Deviations) {
        for (at, column) in self.fields.iter().enumerate() {
            let Some(_) = deviations::spelling(&self.names.names[at]) else { continue };
            let keys = match column {
                _ if self.names.deviating[at] => Keys::All,
                Column::Map { unclear, .. } => unclear.clone(),
                Column::Row(row) if row.deviates() => Keys::All,
                _ => continue,
            };
            deviations.note(&self.names.names[at], &keys);
        }
    }

    /// Whether a field does, or one of a field's.
    fn deviates(&self) -> bool {
        self.names.deviating.contains(&true)
            || self.fields.iter().any(|field| matches!(field, Column::Row(row) if row.deviates()))
    }

    /// Says whether the row as a whole is there.
    pub(crate) fn put_valid(&mut self, row: usize, valid: bool) {
        put(&mut self.valid, row, false, valid);
    }
}

/// `true` and `false` as booleans are spelt in strings.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn integer(number: &str) -> Option<i32> {
    number.parse().ok().or_else(|| {
        let value: f64 = number.parse().ok()?;
        (value.fract() == 0.0 && value.abs() < f64::from(i32::MAX)).then_some(value as i32)
    })
}
