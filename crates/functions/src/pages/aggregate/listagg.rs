//! `listagg`, with its ways out when the text becomes too long. The clauses of the SQL form arrive as arguments:
//! value, separator, whether overflow is an error, the text for what was left out, and whether to count that. Without
//! the last three there is no overflow: the text may become as long as memory allows.

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::Accumulator;
use std::sync::Arc;

use super::udaf::Setup;
use crate::columns::Resolved;
use crate::types::{array_of, is_varchar};

/// Trino's bound on the result, in bytes.
const LONGEST: usize = 1_048_576;

pub(super) fn types(actual: &[DataType]) -> Option<Resolved> {
    let text = |t: &DataType| t.is_null() || is_varchar(t);
    let flag = |t: &DataType| t.is_null() || t == &DataType::Boolean;
    let fits = match actual {
        [value] => text(value),
        [value, separator] => text(value) && text(separator),
        [value, separator, error, filler, count] => {
            text(value) && text(separator) && flag(error) && text(filler) && flag(count)
        }
        _ => false,
    };
    let takes = [DataType::Utf8View, DataType::Utf8View, DataType::Boolean, DataType::Utf8View, DataType::Boolean];
    fits.then(|| (takes[..actual.len()].to_vec(), DataType::Utf8View))
}

pub(super) fn state(_: &Setup) -> Vec<DataType> {
    vec![array_of(DataType::Utf8View), options_type()]
}

fn options_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
}

pub(super) fn make(_: &Setup) -> Result<Box<dyn Accumulator>> {
    Ok(Box::<ListAgg>::default())
}

#[derive(Debug, Default)]
struct ListAgg {
    options: Option<Options>,
    values: Vec<String>,
    bytes: usize,
}

/// What a call says beside the values.
#[derive(Debug, Clone)]
struct Options {
    separator: String,
    overflow: Overflow,
    filler: String,
    count: bool,
}

/// What happens to a text above [`LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Allowed,
    Error,
    Truncate,
}

impl Overflow {
    const ALL: [(Overflow, &str); 3] =
        [(Overflow::Allowed, "allowed"), (Overflow::Error, "error"), (Overflow::Truncate, "truncate")];
}

impl ListAgg {
    fn push(&mut self, value: &str) {
        self.bytes += value.len() + size_of::<String>();
        self.values.push(value.to_owned());
    }

    fn read_options(&mut self, columns: &[ArrayRef]) {
        if self.options.is_some() || columns[0].is_empty() {
            return;
        }
        let text = |i: usize, default: &str| match columns.get(i).map(arrow::array::AsArray::as_string_view) {
            Some(column) if column.is_valid(0) => column.value(0).to_owned(),
            Some(_) => String::new(),
            None => default.to_owned(),
        };
        let flag = |i: usize, default: bool| match columns.get(i).map(arrow::array::AsArray::as_boolean) {
            Some(column) => column.is_valid(0) && column.value(0),
            None => default,
        };
        self.options = Some(Options {
            separator: text(1, ""),
            overflow: match columns.len() {
                ..=2 => Overflow::Allowed,
                _ if flag(2, true) => Overflow::Error,
                _ => Overflow::Truncate,
            },
            filler: text(3, "..."),
            count: flag(4, false),
        });
    }
}

impl Options {
    fn join(&self, values: &[String]) -> Result<String> {
        let mut out = String::new();
        for (n, value) in values.iter().enumerate() {
            let separator = if n == 0 { "" } else { &self.separator };
            if out.len() + separator.len() + value.len() > LONGEST && self.overflow != Overflow::Allowed {
                if self.overflow == Overflow::Error {
                    return Err(DataFusionError::Execution(format!(
                        "EXCEEDED_FUNCTION_MEMORY_LIMIT: Concatenated string has the length in bytes larger than the \
                         maximum output length {LONGEST}"
                    )));
                }
                out.push_str(separator);
                out.push_str(&self.filler);
                if self.count {
                    out.push_str(&format!("({})", values.len() - n));
                }
                break;
            }
            out.push_str(separator);
            out.push_str(value);
        }
        Ok(out)
    }
}

impl Accumulator for ListAgg {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.read_options(columns);
        for value in columns[0].as_string_view().iter().flatten() {
            self.push(value);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, options) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in 0..values.len() {
            for value in values.value(row).as_string_view().iter().flatten() {
                self.push(value);
            }
            if self.options.is_none() && options.is_valid(row) {
                let parts = options.value(row);
                let parts: Vec<&str> = parts.as_string_view().iter().flatten().collect();
                if let [separator, overflow, filler, count] = parts[..] {
                    self.options = Some(Options {
                        separator: separator.to_owned(),
                        overflow: Overflow::ALL
                            .into_iter()
                            .find(|(_, name)| *name == overflow)
                            .map_or(Overflow::Allowed, |(o, _)| o),
                        filler: filler.to_owned(),
                        count: count == "count",
                    });
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match &self.options {
            Some(options) if !self.values.is_empty() => Ok(ScalarValue::Utf8View(Some(options.join(&self.values)?))),
            _ => Ok(ScalarValue::Utf8View(None)),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |values: StringViewArray| super::extreme::as_list(Arc::new(values));
        let options: Vec<&str> = match &self.options {
            Some(o) => vec![
                &o.separator,
                Overflow::ALL.into_iter().find(|(overflow, _)| *overflow == o.overflow).map_or("", |(_, name)| name),
                &o.filler,
                if o.count { "count" } else { "" },
            ],
            None => vec![],
        };
        Ok(vec![list(self.values.iter().map(Some).collect())?, list(options.into_iter().map(Some).collect())?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn overflow_is_an_error_or_is_counted() {
        let mut options =
            Options { separator: ",".to_owned(), overflow: Overflow::Error, filler: "...".to_owned(), count: true };
        let values = vec!["x".repeat(LONGEST / 2), "y".repeat(LONGEST / 2), "z".to_owned()];
        assert!(options.join(&values).unwrap_err().to_string().contains("EXCEEDED_FUNCTION_MEMORY_LIMIT"));
        options.overflow = Overflow::Truncate;
        assert!(options.join(&values).unwrap().ends_with("x,...(2)"));
        assert_eq!(options.join(&values[2..]).unwrap(), "z");
        options.overflow = Overflow::Allowed;
        assert_eq!(options.join(&values).unwrap().len(), LONGEST + 3);
    }
}
