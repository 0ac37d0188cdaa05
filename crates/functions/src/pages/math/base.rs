//! Numbers in other bases.

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::Result;

use crate::columns::{Call, invalid, known};

fn radix(radix: i64) -> Result<u32> {
    match u32::try_from(radix) {
        Ok(radix @ 2..=36) => Ok(radix),
        _ => Err(invalid(format!("Radix must be between 2 and 36, not {radix}"))),
    }
}

pub(super) fn from_base(call: &Call) -> Result<ArrayRef> {
    let (text, base) = (call.text(0)?, call.bigint(1)?);
    call.numbers::<Int64Type>(|i| {
        let (text, base) = (known!(text.get(i)), radix(known!(base.get(i)))?);
        let value = i64::from_str_radix(text, base);
        value.map(Some).map_err(|_| invalid(format!("Not a valid base-{base} number: {text}")))
    })
}

pub(super) fn to_base(call: &Call) -> Result<ArrayRef> {
    let (value, base) = (call.bigint(0)?, call.bigint(1)?);
    call.texts(|i| {
        let (value, base) = (known!(value.get(i)), radix(known!(base.get(i)))?);
        let mut digits = vec![];
        let mut rest = value.unsigned_abs();
        loop {
            digits.push(char::from_digit((rest % u64::from(base)) as u32, base).unwrap_or('0'));
            rest /= u64::from(base);
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            digits.push('-');
        }
        Ok(Some(digits.into_iter().rev().collect::<String>()))
    })
}
