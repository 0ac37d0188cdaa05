//! Characters: case, code points, normal forms, and the way from and to UTF-8.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::Result;
use unicode_normalization::UnicodeNormalization;

use crate::columns::{Call, invalid, known};

/// Code points in `text`.
pub(super) fn length(text: &str) -> i64 {
    if text.is_ascii() { text.len() as i64 } else { text.chars().count() as i64 }
}

/// The part of `text` that `start` and `length`, both in code points, name.
pub(super) fn slice(text: &str, start: i64, length: Option<i64>) -> &str {
    if text.is_ascii() {
        return super::window(text.len(), start, length).map_or("", |r| &text[r]);
    }
    let Some(range) = super::window(text.chars().count(), start, length) else {
        return "";
    };
    let mut offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let from = offsets.nth(range.start).unwrap_or(text.len());
    let to = if range.is_empty() { from } else { offsets.nth(range.len() - 1).unwrap_or(text.len()) };
    &text[from..to]
}

/// Lower case, one code point for one code point as in Java's `Character.toLowerCase`.
pub(super) fn lower(call: &Call) -> Result<ArrayRef> {
    cased(call, str::make_ascii_lowercase, |c| match c {
        // Java maps the dotted capital I to a plain i; Unicode's full mapping would add a combining dot.
        '\u{130}' => 'i',
        c => single(c, c.to_lowercase()),
    })
}

/// Upper case, one code point for one code point as in Java's `Character.toUpperCase`.
pub(super) fn upper(call: &Call) -> Result<ArrayRef> {
    cased(call, str::make_ascii_uppercase, |c| single(c, c.to_uppercase()))
}

fn cased(call: &Call, ascii: fn(&mut str), other: fn(char) -> char) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.written(|i, out| {
        let text = known!(text.get(i));
        if text.is_ascii() {
            out.push_str(text);
            ascii(out);
        } else {
            out.extend(text.chars().map(other));
        }
        Ok(Some(()))
    })
}

/// The mapping of `c` if it is one code point, else `c` itself.
fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(m), None) => m,
        _ => c,
    }
}

pub(super) fn translate(call: &Call) -> Result<ArrayRef> {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let fixed = from.is_constant() && to.is_constant();
    let mut table: Option<HashMap<char, Option<char>>> = None;
    call.texts(|i| {
        let text = known!(text.get(i));
        let (from, to) = (known!(from.get(i)), known!(to.get(i)));
        if !fixed {
            table = None;
        }
        let table = table.get_or_insert_with(|| translation(from, to));
        Ok(Some(text.chars().filter_map(|c| table.get(&c).copied().unwrap_or(Some(c))).collect::<String>()))
    })
}

/// What becomes of each character of `from`: its counterpart in `to`, or nothing. The first mention counts.
fn translation(from: &str, to: &str) -> HashMap<char, Option<char>> {
    let mut table = HashMap::new();
    let mut to = to.chars();
    for c in from.chars() {
        let counterpart = to.next();
        table.entry(c).or_insert(counterpart);
    }
    table
}

pub(super) fn chr(call: &Call) -> Result<ArrayRef> {
    let code = call.bigint(0)?;
    call.texts(|i| {
        let code = known!(code.get(i));
        Ok(Some(character(code)?.to_string()))
    })
}

fn character(code: i64) -> Result<char> {
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .ok_or_else(|| invalid(format!("Not a valid Unicode code point: {code}")))
}

pub(super) fn codepoint(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.numbers::<Int32Type>(|i| {
        let mut chars = known!(text.get(i)).chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(Some(c as i32)),
            _ => Err(invalid("Input string must be a single character string")),
        }
    })
}

pub(super) fn normalize(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    let form = if call.len() > 1 { Some(call.text(1)?) } else { None };
    call.texts(|i| {
        let text = known!(text.get(i));
        let form = match &form {
            Some(form) => known!(form.get(i)),
            None => "NFC",
        };
        Ok(Some(match form {
            "NFC" => text.nfc().collect::<String>(),
            "NFD" => text.nfd().collect(),
            "NFKC" => text.nfkc().collect(),
            "NFKD" => text.nfkd().collect(),
            _ => {
                return Err(invalid(format!("Normalization form must be one of [NFD, NFC, NFKD, NFKC], not {form}")));
            }
        }))
    })
}

pub(super) fn to_utf8(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|i| Ok(text.get(i).map(str::as_bytes)))
}

/// Decodes UTF-8; a sequence that is none becomes the replacement (U+FFFD unless given).
pub(super) fn from_utf8(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    if call.len() == 1 {
        return call.texts(|i| Ok(bytes.get(i).map(String::from_utf8_lossy)));
    }
    if call.data_type(1) == &DataType::Int64 {
        let code = call.bigint(1)?;
        return call.texts(|i| {
            let (bytes, code) = (known!(bytes.get(i)), known!(code.get(i)));
            Ok(Some(decode(bytes, character(code)?.encode_utf8(&mut [0; 4]))))
        });
    }
    let replacement = call.text(1)?;
    call.texts(|i| {
        let (bytes, replacement) = (known!(bytes.get(i)), known!(replacement.get(i)));
        if replacement.chars().count() > 1 {
            return Err(invalid("Replacement string must be empty or a single character"));
        }
        Ok(Some(decode(bytes, replacement)))
    })
}

fn decode<'a>(bytes: &'a [u8], replacement: &str) -> Cow<'a, str> {
    let mut chunks = bytes.utf8_chunks().peekable();
    if let Some(chunk) = chunks.next_if(|c| c.invalid().is_empty()) {
        return Cow::Borrowed(chunk.valid());
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in chunks {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push_str(replacement);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn slices_count_code_points() {
        assert_eq!(slice("Quadratically", -5, None), "cally");
        assert_eq!(slice("信念,爱,希望", 3, Some(5)), ",爱,希望");
        assert_eq!(slice("信念,爱,希望", -2, Some(1)), "希");
        assert_eq!(slice("abc", 0, None), "");
        assert_eq!(slice("naïve", -50, Some(4)), "");
        assert_eq!(slice("abc", 2, Some(i64::MAX)), "bc");
    }

    #[test]
    fn case_mappings_keep_the_number_of_characters() {
        assert_eq!(single('ß', 'ß'.to_uppercase()), 'ß');
        assert_eq!(single('É', 'É'.to_lowercase()), 'é');
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        assert_eq!(decode(b"X\xf7", "#"), "X#");
        assert_eq!(decode(b"X\xf7Y", ""), "XY");
        assert_eq!(decode("ok".as_bytes(), "#"), "ok");
    }
}
