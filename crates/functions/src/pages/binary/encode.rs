//! Bytes as text, and numbers as bytes.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use datafusion_common::Result;

use crate::columns::{Call, invalid, known};

// Java's decoders accept input without padding.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Text of every value.
fn texts(call: &Call, encode: impl Fn(&[u8]) -> String) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.texts(|i| Ok(bytes.get(i).map(&encode)))
}

/// Bytes of every value, which may itself come as varchar or varbinary.
fn decoded(call: &Call, decode: impl Fn(&[u8]) -> Result<Vec<u8>>) -> Result<ArrayRef> {
    if call.data_type(0) == &DataType::Binary {
        let bytes = call.bytes(0)?;
        return call.binaries(|i| bytes.get(i).map(&decode).transpose());
    }
    let text = call.text(0)?;
    call.binaries(|i| text.get(i).map(|t| decode(t.as_bytes())).transpose())
}

pub(super) fn to_hex(call: &Call) -> Result<ArrayRef> {
    texts(call, |bytes| hex::encode_upper(bytes))
}

pub(super) fn from_hex(call: &Call) -> Result<ArrayRef> {
    decoded(call, |text| hex::decode(text).map_err(|e| invalid(format!("from_hex: {e}"))))
}

pub(super) fn to_base64(call: &Call) -> Result<ArrayRef> {
    texts(call, |bytes| BASE64.encode(bytes))
}

pub(super) fn from_base64(call: &Call) -> Result<ArrayRef> {
    decoded(call, |text| BASE64.decode(text).map_err(|e| invalid(format!("from_base64: {e}"))))
}

pub(super) fn to_base64url(call: &Call) -> Result<ArrayRef> {
    texts(call, |bytes| BASE64_URL.encode(bytes))
}

pub(super) fn from_base64url(call: &Call) -> Result<ArrayRef> {
    decoded(call, |text| BASE64_URL.decode(text).map_err(|e| invalid(format!("from_base64url: {e}"))))
}

pub(super) fn to_base32(call: &Call) -> Result<ArrayRef> {
    texts(call, base32)
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut block = [0u8; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        let digits = (chunk.len() * 8).div_ceil(5);
        for n in 0..8 {
            let digit = (bits >> (35 - 5 * n)) & 31;
            out.push(if n < digits { char::from(BASE32[digit as usize]) } else { '=' });
        }
    }
    out
}

pub(super) fn from_base32(call: &Call) -> Result<ArrayRef> {
    decoded(call, |text| unbase32(text).map_err(|why| invalid(format!("from_base32: {why}"))))
}

fn unbase32(text: &[u8]) -> Result<Vec<u8>, String> {
    let digits = text.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
    if matches!(digits % 8, 1 | 3 | 6) {
        return Err(format!("{digits} digits are no whole number of bytes"));
    }
    let mut out = Vec::with_capacity(digits * 5 / 8);
    let (mut bits, mut held) = (0u32, 0);
    for digit in &text[..digits] {
        let value = BASE32
            .iter()
            .position(|d| d == digit)
            .ok_or_else(|| format!("{:?} is no digit of base 32", char::from(*digit)))?;
        bits = (bits << 5) | value as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Ok(out)
}

pub(super) fn to_big_endian_32(call: &Call) -> Result<ArrayRef> {
    let value = call.column::<arrow::array::Int32Array>(0)?;
    call.binaries(|i| Ok(value.get(i).map(i32::to_be_bytes)))
}

pub(super) fn to_big_endian_64(call: &Call) -> Result<ArrayRef> {
    let value = call.bigint(0)?;
    call.binaries(|i| Ok(value.get(i).map(i64::to_be_bytes)))
}

pub(super) fn to_ieee754_32(call: &Call) -> Result<ArrayRef> {
    let value = call.column::<arrow::array::Float32Array>(0)?;
    call.binaries(|i| Ok(value.get(i).map(f32::to_be_bytes)))
}

pub(super) fn to_ieee754_64(call: &Call) -> Result<ArrayRef> {
    let value = call.double(0)?;
    call.binaries(|i| Ok(value.get(i).map(f64::to_be_bytes)))
}

/// A value of exactly `N` bytes.
fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| invalid(format!("expected {N}-byte input, but got instead: {}", bytes.len())))
}

pub(super) fn from_big_endian_32(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.numbers::<Int32Type>(|i| Ok(Some(i32::from_be_bytes(exactly(known!(bytes.get(i)))?))))
}

pub(super) fn from_big_endian_64(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.numbers::<Int64Type>(|i| Ok(Some(i64::from_be_bytes(exactly(known!(bytes.get(i)))?))))
}

pub(super) fn from_ieee754_32(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.numbers::<Float32Type>(|i| Ok(Some(f32::from_be_bytes(exactly(known!(bytes.get(i)))?))))
}

pub(super) fn from_ieee754_64(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.numbers::<Float64Type>(|i| Ok(Some(f64::from_be_bytes(exactly(known!(bytes.get(i)))?))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn base32_of_the_rfc() {
        for (plain, text) in [
            ("", ""),
            ("f", "MY======"),
            ("fo", "MZXQ===="),
            ("foo", "MZXW6==="),
            ("foob", "MZXW6YQ="),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
            assert_eq!(unbase32(text.as_bytes()).unwrap(), plain.as_bytes());
        }
        assert!(unbase32(b"M1======").is_err());
        assert!(unbase32(b"M").is_err());
    }
}
