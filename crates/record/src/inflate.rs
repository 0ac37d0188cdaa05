//! Whole-object gzip: libdeflate for the one-member files that CloudTrail delivers, flate2 for everything else.
//!
//! libdeflate decodes about twice as fast as flate2's backends but takes one member and an output buffer of known size.
//! The size is a hint at the end of a gzip file (ISIZE, RFC 1952), so it is tried first and checked. A second member is
//! looked for by its magic bytes: where these occur again, true or by chance, flate2's streaming decoder reads all members.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use libdeflater::{DecompressionError, Decompressor};
use memchr::memmem;

use crate::error::{Error, Result};

/// First bytes of a gzip member with deflate, the only method there is (RFC 1952, 2.3.1).
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
/// Header (10 bytes) and trailer (8 bytes) of the smallest member.
const MIN_MEMBER: usize = 18;
/// The best ratio that deflate can reach is about 1032; a hint beyond it is a lie.
const MAX_RATIO: usize = 1040;

/// How large an object says that it is once inflated; it may be larger.
pub fn size_hint(stored: &[u8]) -> usize {
    if !stored.starts_with(&MAGIC) {
        return stored.len();
    }
    let hint = stored.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    hint.min(stored.len().saturating_mul(MAX_RATIO))
}

/// Inflates objects, one after the other, with reused state.
pub struct Inflater {
    decompressor: Decompressor,
    limit: usize,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Inflater {
    /// An inflater that refuses to make more than `limit` bytes out of one object.
    pub fn new(limit: usize) -> Self {
        Self { decompressor: Decompressor::new(), limit }
    }

    /// Appends the inflated bytes of `stored` to `out`; bytes that are not gzip are appended as they are.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past the limit, with nothing appended; [`Error::Gzip`] for a damaged stream, with what could be
    /// read before the damage appended.
    pub fn append(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if !stored.starts_with(&MAGIC) {
            if stored.len() > self.limit {
                return Err(Error::TooLarge { limit: self.limit });
            }
            out.extend_from_slice(stored);
            return Ok(());
        }
        let one_member = stored.len() >= MIN_MEMBER && memmem::find(&stored[MIN_MEMBER - 8..], &MAGIC).is_none();
        if one_member && self.append_member(stored, out)? {
            return Ok(());
        }
        self.append_stream(stored, out)
    }

    /// `Ok(false)` when libdeflate could not read the member; then `out` is as before.
    fn append_member(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        let start = out.len();
        let mut room = size_hint(stored).clamp(64, self.limit.max(64));
        loop {
            out.resize(start + room, 0);
            match self.decompressor.gzip_decompress(stored, &mut out[start..]) {
                Ok(written) if written > self.limit => {
                    out.truncate(start);
                    return Err(Error::TooLarge { limit: self.limit });
                }
                Ok(written) => {
                    out.truncate(start + written);
                    return Ok(true);
                }
                Err(DecompressionError::InsufficientSpace) if room >= self.limit => {
                    out.truncate(start);
                    return Err(Error::TooLarge { limit: self.limit });
                }
                Err(DecompressionError::InsufficientSpace) => room = room.saturating_mul(4).min(self.limit),
                Err(DecompressionError::BadData) => {
                    out.truncate(start);
                    return Ok(false);
                }
            }
        }
    }

    fn append_stream(&self, stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let mut decoder = MultiGzDecoder::new(stored).take(self.limit as u64 + 1);
        let read = decoder.read_to_end(out);
        if out.len() - start > self.limit {
            out.truncate(start);
            return Err(Error::TooLarge { limit: self.limit });
        }
        read.map(|_| ()).map_err(|error| Error::Gzip(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(stored: &[u8], limit: usize) -> (Result<()>, Vec<u8>) {
        let mut out = b"kept".to_vec();
        let result = Inflater::new(limit).append(stored, &mut out);
        assert!(out.starts_with(b"kept"));
        (result, out.split_off(4))
    }

    #[test]
    fn one_member() {
        let text = b"abc".repeat(1000);
        assert_eq!(inflate(&gzip(&text), 1 << 20), (Ok(()), text));
    }

    #[test]
    fn several_members_are_concatenated() {
        let mut stored = gzip(b"first ");
        stored.extend(gzip(b"first "));
        stored.extend(gzip(b"last"));
        assert_eq!(inflate(&stored, 1 << 20), (Ok(()), b"first first last".to_vec()));
    }

    #[test]
    fn empty_member_and_plain_text() {
        assert_eq!(inflate(&gzip(b""), 100), (Ok(()), vec![]));
        assert_eq!(inflate(b"{}", 100), (Ok(()), b"{}".to_vec()));
        assert_eq!(inflate(b"", 100), (Ok(()), vec![]));
    }

    #[test]
    fn bombs_stop_at_the_limit_even_if_the_size_hint_lies() {
        let mut stored = gzip(&vec![b' '; 1 << 20]);
        assert_eq!(inflate(&stored, 1 << 16), (Err(Error::TooLarge { limit: 1 << 16 }), vec![]));
        let end = stored.len() - 4;
        stored[end..].copy_from_slice(&7u32.to_le_bytes());
        assert_eq!(inflate(&stored, 1 << 16), (Err(Error::TooLarge { limit: 1 << 16 }), vec![]));
        let two = [gzip(&vec![b' '; 40_000]), gzip(&vec![b' '; 40_000])].concat();
        assert_eq!(inflate(&two, 1 << 16), (Err(Error::TooLarge { limit: 1 << 16 }), vec![]));
        assert_eq!(inflate(b"0123456789", 4), (Err(Error::TooLarge { limit: 4 }), vec![]));
    }

    #[test]
    fn a_cut_stream_gives_what_came_before_the_cut() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let stored = gzip(&text);
        let (result, out) = inflate(&stored[..stored.len() / 2], 1 << 20);
        assert!(matches!(result, Err(Error::Gzip(_))));
        assert!(out.len() > 100_000 && text.starts_with(&out));
    }

    #[test]
    fn damage_is_told() {
        let mut stored = gzip(&b"abcdefgh".repeat(100));
        let end = stored.len() - 6;
        stored[end] ^= 0xff;
        assert!(matches!(inflate(&stored, 1 << 20).0, Err(Error::Gzip(_))));
    }
}
