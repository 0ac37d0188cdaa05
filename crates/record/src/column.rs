//! Columns under construction. Text is kept as Arrow string views into the chunk's text, so that a value costs 16 bytes
//! and no copy, and sorting moves views, not strings.

use arrow::array::make_view;
use arrow::datatypes::{DataType, Fields};

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

/// One column, or one field of a row type, or the element of an array.
#[derive(Debug)]
pub(crate) enum Column {
    Text(Vec<u128>),
    Timestamp(Vec<i64>),
    Boolean(Vec<Option<bool>>),
    Double(Vec<Option<f64>>),
    Integer(Vec<Option<i32>>),
    Map { ends: Vec<u32>, valid: Vec<bool>, keys: Vec<u128>, values: Vec<u128> },
    Array { ends: Vec<u32>, valid: Vec<bool>, element: Box<Column> },
    Row(Row),
}

/// A row type: its fields side by side.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) valid: Vec<bool>,
    pub(crate) fields: Vec<Column>,
    pub(crate) names: Names,
}

/// Finds a field by its JSON key, ignoring case. Keys come in the same order record after record, so the field that
/// followed last time is tried first.
#[derive(Debug)]
pub(crate) struct Names {
    names: Vec<String>,
    after: Vec<usize>,
    last: usize,
}

impl Names {
    pub(crate) fn new(fields: &Fields) -> Self {
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let after = (1..=names.len()).chain([0]).collect();
        Self { last: names.len(), names, after }
    }

    pub(crate) fn begin(&mut self) {
        self.last = self.names.len();
    }

    pub(crate) fn find(&mut self, key: &str) -> Option<usize> {
        let guess = self.after[self.last];
        if self.names.get(guess).is_some_and(|name| name.eq_ignore_ascii_case(key)) {
            self.last = guess;
            return Some(guess);
        }
        let found = self.names.iter().position(|name| name.eq_ignore_ascii_case(key))?;
        self.after[self.last] = found;
        self.last = found;
        Some(found)
    }
}

/// Where text that cannot be taken from the original as it stands goes.
pub(crate) type Rewritten = Vec<u8>;

/// The view of a string; `verbatim` tells where it stands unescaped in the original.
fn text_view(text: &str, verbatim: impl FnOnce(&str) -> Option<usize>, rewritten: &mut Rewritten) -> u128 {
    if text.len() <= 12 {
        return make_view(text.as_bytes(), 0, 0);
    }
    match verbatim(text) {
        Some(offset) => make_view(text.as_bytes(), ORIGINAL, offset as u32),
        None => rewritten_view(text.as_bytes(), rewritten),
    }
}

fn rewritten_view(text: &[u8], rewritten: &mut Rewritten) -> u128 {
    let offset = rewritten.len() as u32;
    if text.len() > 12 {
        rewritten.extend_from_slice(text);
    }
    make_view(text, REWRITTEN, offset)
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

/// Steps over the value and gives it as Lake's `varchar`: a string as it is, a number or boolean as its JSON text, an object
/// or array as compact JSON text.
pub(crate) fn value_view(cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) -> u128 {
    let view = match cursor.value() {
        Value::Null => NULL_VIEW,
        Value::Text(text) => text_view(text, |text| cursor.verbatim(text), rewritten),
        Value::Boolean(_) | Value::Number(_) => make_view(cursor.token(), ORIGINAL, cursor.offset() as u32),
        Value::Object { .. } | Value::Array { .. } => {
            let start = *cursor;
            let json = cursor.skip();
            if start.is_compact(cursor) {
                return make_view(json, ORIGINAL, start.offset() as u32);
            }
            let from = rewritten.len();
            start.write_compact(cursor, rewritten);
            let view = make_view(&rewritten[from..], REWRITTEN, from as u32);
            if rewritten.len() - from <= 12 {
                rewritten.truncate(from);
            }
            return view;
        }
    };
    cursor.skip();
    view
}

impl Column {
    pub(crate) fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Timestamp(..) => Self::Timestamp(Vec::new()),
            DataType::Boolean => Self::Boolean(Vec::new()),
            DataType::Float64 => Self::Double(Vec::new()),
            DataType::Int32 => Self::Integer(Vec::new()),
            DataType::Map(..) => {
                Self::Map { ends: Vec::new(), valid: Vec::new(), keys: Vec::new(), values: Vec::new() }
            }
            DataType::List(element) => {
                Self::Array { ends: Vec::new(), valid: Vec::new(), element: Box::new(Self::new(element.data_type())) }
            }
            DataType::Struct(fields) => Self::Row(Row::new(fields)),
            _ => Self::Text(Vec::new()),
        }
    }

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

    pub(crate) fn push_null(&mut self) {
        match self {
            Self::Text(views) => views.push(NULL_VIEW),
            Self::Timestamp(times) => times.push(NULL_TIME),
            Self::Boolean(values) => values.push(None),
            Self::Double(values) => values.push(None),
            Self::Integer(values) => values.push(None),
            Self::Map { ends, valid, keys, .. } => {
                ends.push(keys.len() as u32);
                valid.push(false);
            }
            Self::Array { ends, valid, element } => {
                ends.push(element.len() as u32);
                valid.push(false);
            }
            Self::Row(row) => {
                row.valid.push(false);
                row.fields.iter_mut().for_each(Self::push_null);
            }
        }
    }

    /// Takes the value under the cursor and steps over it. A value of another shape than the column's becomes NULL here
    /// (`eventjson` keeps it).
    pub(crate) fn push(&mut self, cursor: &mut Cursor<'_>, rewritten: &mut Rewritten) {
        match (&mut *self, cursor.value()) {
            (Self::Text(views), _) => views.push(value_view(cursor, rewritten)),
            (Self::Timestamp(times), Value::Text(text)) => {
                times.push(timestamp::parse(text).unwrap_or(NULL_TIME));
                cursor.skip();
            }
            (Self::Boolean(values), Value::Boolean(value)) => {
                values.push(Some(value));
                cursor.skip();
            }
            (Self::Boolean(values), Value::Text(text)) => {
                values.push(boolean(text));
                cursor.skip();
            }
            (Self::Double(values), Value::Number(number) | Value::Text(number)) => {
                values.push(number.parse().ok());
                cursor.skip();
            }
            (Self::Integer(values), Value::Number(number) | Value::Text(number)) => {
                values.push(integer(number));
                cursor.skip();
            }
            (Self::Map { ends, valid, keys, values }, Value::Object { len }) => {
                cursor.object(len, |key, value| {
                    keys.push(text_view(key, |key| value.verbatim_key(key), rewritten));
                    values.push(value_view(value, rewritten));
                });
                ends.push(keys.len() as u32);
                valid.push(true);
            }
            (Self::Array { ends, valid, element }, Value::Array { len }) => {
                cursor.array(len, |value| element.push(value, rewritten));
                ends.push(element.len() as u32);
                valid.push(true);
            }
            (Self::Row(row), Value::Object { len }) => row.push(cursor, len, rewritten),
            _ => {
                self.push_null();
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

    fn push(&mut self, cursor: &mut Cursor<'_>, len: usize, rewritten: &mut Rewritten) {
        let row = self.valid.len();
        self.names.begin();
        cursor.object(len, |key, value| match self.names.find(key) {
            // The first of two equal keys counts.
            Some(field) if self.fields[field].len() == row => self.fields[field].push(value, rewritten),
            _ => {
                value.skip();
            }
        });
        self.end_row();
    }

    /// Fills the fields that the object did not name.
    pub(crate) fn end_row(&mut self) {
        self.valid.push(true);
        let rows = self.valid.len();
        for field in &mut self.fields {
            if field.len() < rows {
                field.push_null();
            }
        }
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
