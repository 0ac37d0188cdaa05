//! Splitting at a delimiter.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use super::unicode;
use crate::columns::{Call, invalid, known};

pub(super) fn split(call: &Call) -> Result<ArrayRef> {
    let (text, delimiter) = (call.text(0)?, call.text(1)?);
    let limit = if call.len() > 2 { Some(call.bigint(2)?) } else { None };
    call.text_lists(|row, items| {
        let (Some(text), Some(delimiter)) = (text.get(row), delimiter.get(row)) else {
            return Ok(false);
        };
        let limit = match &limit {
            Some(limit) => match limit.get(row) {
                Some(limit) => limit,
                None => return Ok(false),
            },
            None => i64::from(i32::MAX),
        };
        if limit <= 0 || limit > i64::from(i32::MAX) {
            return Err(invalid(format!("Limit must be in the range [1..{}], not {limit}", i32::MAX)));
        }
        if delimiter.is_empty() {
            return Err(invalid("The delimiter may not be the empty string"));
        }
        items.extend(text.splitn(limit as usize, delimiter).map(|part| Some(Cow::Borrowed(part))));
        Ok(true)
    })
}

pub(super) fn split_part(call: &Call) -> Result<ArrayRef> {
    let (text, delimiter, index) = (call.text(0)?, call.text(1)?, call.bigint(2)?);
    call.texts(|row| {
        let (text, delimiter) = (known!(text.get(row)), known!(delimiter.get(row)));
        let index = known!(index.get(row));
        if index < 1 {
            return Err(invalid("Index must be greater than zero"));
        }
        // An empty delimiter lies between all characters.
        if delimiter.is_empty() {
            return Ok(Some(unicode::slice(text, index, Some(1))).filter(|c| !c.is_empty()));
        }
        Ok(text.split(delimiter).nth(usize::try_from(index - 1).unwrap_or(usize::MAX)))
    })
}
