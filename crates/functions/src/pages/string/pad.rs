//! Padding to a length, or cutting down to it.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::columns::Type::{Bigint, Varbinary, Varchar};
use crate::columns::{Call, Overload, invalid, known};

pub(super) const OVERLOADS: &[Overload] =
    &[(&[Varchar, Bigint, Varchar], Varchar), (&[Varbinary, Bigint, Varbinary], Varbinary)];

pub(super) fn lpad(call: &Call) -> Result<ArrayRef> {
    pad(call, true)
}

pub(super) fn rpad(call: &Call) -> Result<ArrayRef> {
    pad(call, false)
}

fn pad(call: &Call, left: bool) -> Result<ArrayRef> {
    let size = call.bigint(1)?;
    if call.return_type == DataType::Binary {
        let (bytes, padding) = (call.bytes(0)?, call.bytes(2)?);
        return call.binaries(|i| {
            let (bytes, padding) = (known!(bytes.get(i)), known!(padding.get(i)));
            let size = target(known!(size.get(i)), padding.is_empty())?;
            let padding = padding.iter().copied().cycle();
            Ok(Some(padded::<u8, Vec<u8>>(bytes.iter().copied(), bytes.len(), size, padding, left)))
        });
    }
    let (text, padding) = (call.text(0)?, call.text(2)?);
    call.texts(|i| {
        let (text, padding) = (known!(text.get(i)), known!(padding.get(i)));
        let size = target(known!(size.get(i)), padding.is_empty())?;
        let out: String = padded(text.chars(), text.chars().count(), size, padding.chars().cycle(), left);
        Ok(Some(out))
    })
}

/// Characters of the longest result; what is longer is a mistake that would only fill the memory.
const LONGEST: i32 = 64 << 20;

fn target(size: i64, padding_is_empty: bool) -> Result<usize> {
    match i32::try_from(size) {
        Ok(size) if size > LONGEST => {
            Err(invalid(format!("a text padded to {size} characters is too long; {LONGEST} is the limit")))
        }
        Ok(size) if size >= 0 && !padding_is_empty => Ok(size as usize),
        Ok(size) if size >= 0 => Err(invalid("Padding string must not be empty")),
        _ => Err(invalid(format!("Target length must be in the range [0..{}], not {size}", i32::MAX))),
    }
}

fn padded<T, C: FromIterator<T>>(
    value: impl Iterator<Item = T>,
    length: usize,
    size: usize,
    padding: impl Iterator<Item = T>,
    left: bool,
) -> C {
    let missing = size.saturating_sub(length);
    if left {
        padding.take(missing).chain(value.take(size)).collect()
    } else {
        value.chain(padding).take(size).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn targets_have_bounds() {
        assert_eq!(target(0, false).unwrap(), 0);
        for (size, empty) in [(-1, false), (i64::from(LONGEST) + 1, false), (i64::MAX, false), (3, true)] {
            assert!(target(size, empty).unwrap_err().to_string().contains("INVALID_FUNCTION_ARGUMENT"));
        }
    }

    #[test]
    fn texts_grow_or_shrink_to_the_target() {
        let padded = |text: &str, size, left| -> String {
            padded(text.chars(), text.chars().count(), size, "xy".chars().cycle(), left)
        };
        assert_eq!(padded("信", 4, true), "xyx信");
        assert_eq!(padded("信", 4, false), "信xyx");
        assert_eq!(padded("abc", 2, true), "ab");
    }
}
