//! Least and greatest text, of a page and of a column chunk.

use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// The least and the greatest text so far, compared as bytes (Parquet's order of strings), each with its first eight bytes as a number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bounds(Option<(Bound, Bound)>);

#[derive(Debug, Default, Clone)]
struct Bound {
    prefix: u64,
    text: Vec<u8>,
}

impl Bound {
    fn set(&mut self, prefix: u64, text: &[u8]) {
        self.prefix = prefix;
        self.text.clear();
        self.text.extend_from_slice(text);
    }
}

/// The first eight bytes as a number that is in the texts' order, but for texts that have the same.
fn prefix_of(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first[..text.len()].copy_from_slice(text);
    u64::from_be_bytes(first)
}

impl Bounds {
    /// Takes a text in.
    #[inline]
    pub(crate) fn add(&mut self, text: &[u8]) {
        let prefix = prefix_of(text);
        let Some((least, greatest)) = &mut self.0 else {
            let mut bound = Bound::default();
            bound.set(prefix, text);
            self.0 = Some((bound.clone(), bound));
            return;
        };
        if prefix < least.prefix || prefix == least.prefix && *text < *least.text {
            least.set(prefix, text);
        }
        if prefix > greatest.prefix || prefix == greatest.prefix && *text > *greatest.text {
            greatest.set(prefix, text);
        }
    }

    /// Takes in what others were made of.
    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some((least, greatest)) = other.get() {
            self.add(least);
            self.add(greatest);
        }
    }

    /// Least and greatest; `None` without texts.
    pub(crate) fn get(&self) -> Option<(&[u8], &[u8])> {
        self.0.as_ref().map(|(least, greatest)| (&*least.text, &*greatest.text))
    }

    /// As the statistics of a column chunk with so many NULLs, texts cut to so many bytes.
    pub(crate) fn statistics(&self, nulls: u64, length: Option<usize>) -> Statistics {
        let Some((least, greatest)) = self.get() else {
            return Statistics::ByteArray(ValueStatistics::new(None, None, None, Some(nulls), false));
        };
        let ((least, least_exact), (greatest, greatest_exact)) =
            (not_above(least, length), not_below(greatest, length));
        let bounds = (Some(ByteArray::from(least)), Some(ByteArray::from(greatest)));
        let statistics = ValueStatistics::new(bounds.0, bounds.1, None, Some(nulls), false);
        Statistics::ByteArray(statistics.with_min_is_exact(least_exact).with_max_is_exact(greatest_exact))
    }
}

/// A text of at most so many bytes that is not above this one, and whether it is this one.
pub(crate) fn not_above(text: &[u8], length: Option<usize>) -> (Vec<u8>, bool) {
    let cut = length.filter(|length| text.len() > *length).and_then(|length| start(text, length));
    cut.map_or_else(|| (text.to_vec(), true), |start| (start.as_bytes().to_vec(), false))
}

/// A text of at most so many bytes that is not below this one, and whether it is this one. Where there is none it is this one
/// whatever its length.
pub(crate) fn not_below(text: &[u8], length: Option<usize>) -> (Vec<u8>, bool) {
    let cut = length.filter(|length| text.len() > *length).and_then(|length| next(start(text, length)?));
    cut.map_or_else(|| (text.to_vec(), true), |next| (next.into_bytes(), false))
}

/// The first characters, at most so many bytes of them, at least one.
fn start(text: &[u8], length: usize) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let end = (1..=length).rfind(|end| text.is_char_boundary(*end))?;
    text.get(..end)
}

/// A text above all that start like this one: its last character that has one above it of as many bytes is replaced by that.
fn next(start: &str) -> Option<String> {
    start.char_indices().rev().find_map(|(at, character)| {
        let above = char::from_u32(u32::from(character) + 1)?;
        (above.len_utf8() == character.len_utf8()).then(|| format!("{}{above}", &start[..at]))
    })
}
