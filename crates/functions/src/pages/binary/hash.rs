//! Digests, keyed digests and checksums.

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::Result;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;

use crate::columns::{Call, invalid, known};

fn digest<D: Digest>(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.binaries(|i| Ok(bytes.get(i).map(D::digest)))
}

pub(super) fn md5(call: &Call) -> Result<ArrayRef> {
    digest::<md5::Md5>(call)
}

pub(super) fn sha1(call: &Call) -> Result<ArrayRef> {
    digest::<sha1::Sha1>(call)
}

pub(super) fn sha256(call: &Call) -> Result<ArrayRef> {
    digest::<sha2::Sha256>(call)
}

pub(super) fn sha512(call: &Call) -> Result<ArrayRef> {
    digest::<sha2::Sha512>(call)
}

fn keyed<M: Mac + KeyInit>(call: &Call) -> Result<ArrayRef> {
    let (bytes, key) = (call.bytes(0)?, call.bytes(1)?);
    call.binaries(|i| {
        let (bytes, key) = (known!(bytes.get(i)), known!(key.get(i)));
        let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|e| invalid(format!("hmac key: {e}")))?;
        mac.update(bytes);
        Ok(Some(mac.finalize().into_bytes()))
    })
}

pub(super) fn hmac_md5(call: &Call) -> Result<ArrayRef> {
    keyed::<Hmac<md5::Md5>>(call)
}

pub(super) fn hmac_sha1(call: &Call) -> Result<ArrayRef> {
    keyed::<Hmac<sha1::Sha1>>(call)
}

pub(super) fn hmac_sha256(call: &Call) -> Result<ArrayRef> {
    keyed::<Hmac<sha2::Sha256>>(call)
}

pub(super) fn hmac_sha512(call: &Call) -> Result<ArrayRef> {
    keyed::<Hmac<sha2::Sha512>>(call)
}

pub(super) fn crc32(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.numbers::<Int64Type>(|i| Ok(bytes.get(i).map(|b| i64::from(crc32fast::hash(b)))))
}

pub(super) fn xxhash64(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.binaries(|i| Ok(bytes.get(i).map(|b| xxh64(b).to_be_bytes())))
}

/// XXH64 with seed 0, which is also what `checksum` adds up.
pub(crate) fn xxh64(bytes: &[u8]) -> u64 {
    twox_hash::XxHash64::oneshot(0, bytes)
}

pub(super) fn spooky_hash_v2_32(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.binaries(|i| Ok(bytes.get(i).map(|b| (super::spooky::hash(b) as u32).to_be_bytes())))
}

pub(super) fn spooky_hash_v2_64(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.binaries(|i| Ok(bytes.get(i).map(|b| super::spooky::hash(b).to_be_bytes())))
}

pub(super) fn murmur3(call: &Call) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.binaries(|i| Ok(bytes.get(i).map(murmur3_x64_128)))
}

/// MurmurHash3, the variant of 128 bits for 64-bit machines, with seed 0.
fn murmur3_x64_128(bytes: &[u8]) -> [u8; 16] {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let word = |b: &[u8]| {
        let mut word = [0; 8];
        word[..b.len()].copy_from_slice(b);
        u64::from_le_bytes(word)
    };
    let (mut h1, mut h2) = (0u64, 0u64);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        h1 ^= mix1(word(&block[..8]));
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(word(&block[8..]));
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let tail = blocks.remainder();
    if tail.len() > 8 {
        h2 ^= mix2(word(&tail[8..]));
    }
    if !tail.is_empty() {
        h1 ^= mix1(word(&tail[..tail.len().min(8)]));
    }
    h1 ^= bytes.len() as u64;
    h2 ^= bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    let mut out = [0; 16];
    out[..8].copy_from_slice(&h1.to_le_bytes());
    out[8..].copy_from_slice(&h2.to_le_bytes());
    out
}

fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur3_of_known_texts() {
        assert_eq!(murmur3_x64_128(b""), [0; 16]);
        // The reference implementation's answer for the pangram.
        let hash = murmur3_x64_128(b"The quick brown fox jumps over the lazy dog");
        assert_eq!(hex::encode(hash), "6c1b07bc7bbc4be347939ac4a93c437a");
    }
}
