//! Maps out of delimited text.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayBuilder, MapFieldNames};
use arrow::array::{ArrayRef, ListBuilder, MapBuilder, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::columns::{Call, Resolved, invalid};
use crate::types::{array_of, is_varchar, map_of};

pub(super) fn split_to_map_types(actual: &[DataType]) -> Option<Resolved> {
    types(actual, DataType::Utf8View)
}

pub(super) fn split_to_multimap_types(actual: &[DataType]) -> Option<Resolved> {
    types(actual, array_of(DataType::Utf8View))
}

fn types(actual: &[DataType], value: DataType) -> Option<Resolved> {
    let fits = actual.len() == 3 && actual.iter().all(|t| t.is_null() || is_varchar(t));
    fits.then(|| (vec![DataType::Utf8View; 3], map_of(DataType::Utf8View, value)))
}

fn names() -> MapFieldNames {
    MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() }
}

pub(super) fn split_to_map(call: &Call) -> Result<ArrayRef> {
    let mut out = MapBuilder::new(Some(names()), StringViewBuilder::new(), StringViewBuilder::new());
    each_row(call, &mut out, |entries, out| {
        let mut seen = HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            if seen.insert(*key, ()).is_some() {
                return Err(invalid(format!("Duplicate keys ({key}) are not allowed")));
            }
            out.keys().append_value(key);
            out.values().append_value(value);
        }
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

pub(super) fn split_to_multimap(call: &Call) -> Result<ArrayRef> {
    let mut out = MapBuilder::new(Some(names()), StringViewBuilder::new(), ListBuilder::new(StringViewBuilder::new()));
    each_row(call, &mut out, |entries, out| {
        let mut order = Vec::new();
        let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key, value) in entries {
            let list = values.entry(key).or_default();
            if list.is_empty() {
                order.push(*key);
            }
            list.push(value);
        }
        for key in order {
            out.keys().append_value(key);
            let list = values.remove(key).unwrap_or_default();
            out.values().append_value(list.into_iter().map(Some));
        }
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// Splits every row into entries and lets `write` append them to the map that is being built.
fn each_row<V: ArrayBuilder>(
    call: &Call,
    out: &mut MapBuilder<StringViewBuilder, V>,
    mut write: impl FnMut(&[(&str, &str)], &mut MapBuilder<StringViewBuilder, V>) -> Result<()>,
) -> Result<()> {
    let (text, between_entries, within_entry) = (call.text(0)?, call.text(1)?, call.text(2)?);
    for row in 0..call.rows {
        let (Some(text), Some(between), Some(within)) =
            (text.get(row), between_entries.get(row), within_entry.get(row))
        else {
            out.append(false)?;
            continue;
        };
        write(&entries(text, between, within)?, out)?;
        out.append(true)?;
    }
    Ok(())
}

fn entries<'a>(text: &'a str, between: &str, within: &str) -> Result<Vec<(&'a str, &'a str)>> {
    if between.is_empty() || within.is_empty() {
        return Err(invalid("entryDelimiter and keyValueDelimiter must not be empty"));
    }
    if between == within {
        return Err(invalid("entryDelimiter and keyValueDelimiter must not be the same"));
    }
    // A delimiter at the very end opens no further entry.
    let text = text.strip_suffix(between).unwrap_or(text);
    if text.is_empty() {
        return Ok(vec![]);
    }
    text.split(between)
        .map(|entry| match entry.split_once(within) {
            Some((key, value)) if !value.contains(within) => Ok((key, value)),
            _ => Err(invalid(format!(
                "Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn entries_need_one_delimiter_each() {
        assert_eq!(entries("a=1,b=", ",", "=").unwrap(), [("a", "1"), ("b", "")]);
        assert_eq!(entries("a=1,", ",", "=").unwrap(), [("a", "1")]);
        assert!(entries("a==1", ",", "=").is_err());
        assert!(entries("a", ",", "=").is_err());
        assert!(entries("a=1", "=", "=").is_err());
    }
}
