//! Whole-object inflation: libdeflate for the one-member gzip files that CloudTrail delivers, flate2 and zstd for
//! everything else.
//!
//! libdeflate decodes about twice as fast as flate2's backends but takes one member and an output buffer of known size.
//! The size is a hint at the end of a gzip file (ISIZE, RFC 1952), so it is tried first and checked. A second member is
//! looked for by its magic bytes: where these occur again, true or by chance, flate2's streaming decoder reads all members.
//!
//! What comes out may be compressed again: CloudWatch Logs gzips what it sends to Firehose, and Firehose gzips the object.

use std::io::Read;

use flate2::bufread::GzDecoder;
use libdeflater::{DecompressionError, Decompressor};
use memchr::memmem;

use crate::error::{Error, Result};

/// First bytes of a gzip member with deflate, the only method there is (RFC 1952, 2.3.1).
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
/// First bytes of a Zstandard frame (RFC 8878, 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// First bytes of a Zstandard frame to be skipped, the first with any lower half (RFC 8878, 3.1.2).
const ZSTD_SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// Header (10 bytes) and trailer (8 bytes) of the smallest member.
const MIN_MEMBER: usize = 18;
/// The best ratio that deflate can reach is about 1032; a hint beyond it is a lie.
const MAX_RATIO: usize = 1040;
/// How often an object may be compressed.
const LAYERS: usize = 3;

/// How bytes are compressed, by how they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One or several gzip members.
    Gzip,
    /// One or several Zstandard frames.
    Zstd,
}

impl Compression {
    /// The compression of an object with these first bytes; `None` for any that is not read, and for none.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let skippable = |first: &[u8; 4]| first[0] & 0xf0 == ZSTD_SKIPPABLE[0] && first[1..] == ZSTD_SKIPPABLE[1..];
        if bytes.starts_with(&MAGIC) {
            Some(Self::Gzip)
        } else {
            let first = bytes.first_chunk::<4>()?;
            (*first == ZSTD_MAGIC || skippable(first)).then_some(Self::Zstd)
        }
    }
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

    /// Appends the inflated bytes of `stored` to `out`, through as many layers of compression as there are; bytes that
    /// are not compressed are appended as they are. Of several gzip members in one layer, which CloudTrail does not deliver,
    /// tells how many bytes the first one inflates to.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past the limit, with nothing appended; [`Error::Gzip`] or [`Error::Zstd`] for a damaged
    /// stream, with what could be read before the damage appended.
    pub fn append(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>> {
        let start = out.len();
        let mut result = self.append_layer(stored, out);
        for _ in 1..LAYERS {
            if matches!(result, Err(Error::TooLarge { .. })) || Compression::of(&out[start..]).is_none() {
                break;
            }
            let inner = out.split_off(start);
            result = match (self.append_layer(&inner, out), result) {
                // The outermost damage is the cause of the others.
                (Ok(_) | Err(Error::Gzip(_) | Error::Zstd(_)), Err(outer)) => Err(outer),
                // What a digest vouches for is compressed once.
                (Ok(_), Ok(_)) => Ok(None),
                (Err(inner), _) => Err(inner),
            };
        }
        result
    }

    fn append_layer(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>> {
        match Compression::of(stored) {
            None if stored.len() > self.limit => Err(Error::TooLarge { limit: self.limit }),
            None => {
                out.extend_from_slice(stored);
                Ok(None)
            }
            Some(Compression::Zstd) => self.append_frames(stored, out),
            Some(Compression::Gzip) => {
                let one_member =
                    stored.len() >= MIN_MEMBER && memmem::find(&stored[MIN_MEMBER - 8..], &MAGIC).is_none();
                if one_member && self.append_member(stored, out)? {
                    return Ok(None);
                }
                self.append_members(stored, out)
            }
        }
    }

    /// `Ok(false)` when libdeflate could not read the member, or something follows it; then `out` is as before.
    fn append_member(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        let start = out.len();
        let hint = stored.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
        let mut room = hint.min(stored.len().saturating_mul(MAX_RATIO)).clamp(64, self.limit.max(64));
        loop {
            out.resize(start + room, 0);
            match self.decompressor.gzip_decompress(stored, &mut out[start..]) {
                Ok(written) if written > self.limit => {
                    out.truncate(start);
                    return Err(Error::TooLarge { limit: self.limit });
                }
                Ok(written) => {
                    // The size is the last of the member: where it is not at the end, something else is.
                    let whole = written as u32 as usize == hint;
                    out.truncate(if whole { start + written } else { start });
                    return Ok(whole);
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

    /// Members one after the other. Some writers put line ends or zeros between them or after the last.
    fn append_members(&self, stored: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>> {
        let start = out.len();
        let mut rest = stored;
        let mut first = None;
        while rest.starts_with(&MAGIC) {
            let mut decoder = GzDecoder::new(rest);
            let room = (self.limit - (out.len() - start)) as u64 + 1;
            let read = (&mut decoder).take(room).read_to_end(out);
            if out.len() - start > self.limit {
                out.truncate(start);
                return Err(Error::TooLarge { limit: self.limit });
            }
            read.map_err(|error| Error::Gzip(error.to_string()))?;
            rest = decoder.into_inner();
            let blank = rest.iter().position(|byte| *byte != 0 && !byte.is_ascii_whitespace());
            rest = &rest[blank.unwrap_or(rest.len())..];
            if !rest.is_empty() {
                first = first.or(Some(out.len() - start));
            }
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Err(Error::Gzip(format!("{} bytes that are not gzip follow a whole member", rest.len())))
    }

    fn append_frames(&self, stored: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>> {
        let start = out.len();
        let damaged = |error: std::io::Error| Error::Zstd(error.to_string());
        let decoder = zstd::stream::read::Decoder::with_buffer(stored).map_err(damaged)?;
        let read = decoder.take(self.limit as u64 + 1).read_to_end(out);
        if out.len() - start > self.limit {
            out.truncate(start);
            return Err(Error::TooLarge { limit: self.limit });
        }
        read.map(|_| None).map_err(damaged)
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

    fn inflate(stored: &[u8], limit: usize) -> (Result<Option<usize>>, Vec<u8>) {
        let mut out = b"kept".to_vec();
        let result = Inflater::new(limit).append(stored, &mut out);
        assert!(out.starts_with(b"kept"));
        (result, out.split_off(4))
    }

    #[test]
    fn one_member() {
        let text = b"abc".repeat(1000);
        assert_eq!(inflate(&gzip(&text), 1 << 20), (Ok(None), text));
    }

    #[test]
    fn several_members_are_concatenated() {
        let mut stored = gzip(b"first ");
        stored.extend(gzip(b"first "));
        stored.extend(gzip(b"last"));
        assert_eq!(inflate(&stored, 1 << 20), (Ok(Some(6)), b"first first last".to_vec()));
        stored.extend([0; 20]);
        assert_eq!(inflate(&stored, 1 << 20), (Ok(Some(6)), b"first first last".to_vec()));
    }

    #[test]
    fn empty_member_and_plain_text() {
        assert_eq!(inflate(&gzip(b""), 100), (Ok(None), vec![]));
        assert_eq!(inflate(b"{}", 100), (Ok(None), b"{}".to_vec()));
        assert_eq!(inflate(b"", 100), (Ok(None), vec![]));
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

    #[test]
    fn members_with_line_ends_between_them() {
        let stored = [gzip(b"first"), b"\n".to_vec(), gzip(b"last"), vec![0; 512]].concat();
        assert_eq!(inflate(&stored, 100), (Ok(Some(5)), b"firstlast".to_vec()));
        let (result, out) = inflate(&[gzip(b"first"), b"rest".to_vec()].concat(), 100);
        assert_eq!(out, b"first");
        assert!(matches!(result, Err(Error::Gzip(reason)) if reason.starts_with("4 bytes")));
    }

    #[test]
    fn zstandard_and_layers() {
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
        let text = b"abc".repeat(1000);
        let skipped = b"\x5e\x2a\x4d\x18\x02\0\0\0xx".to_vec();
        let members = [gzip(b"a"), gzip(b"b"), gzip(b"c")].concat();
        for (stored, expected) in [
            (zstd(&text), text.clone()),
            ([zstd(b"a"), zstd(b"b")].concat(), b"ab".to_vec()),
            ([skipped, zstd(b"a")].concat(), b"a".to_vec()),
            (gzip(&members), b"abc".to_vec()),
            (zstd(&gzip(&gzip(b"a"))), b"a".to_vec()),
            (gzip(&gzip(&gzip(&gzip(b"a")))), gzip(b"a")),
        ] {
            let (result, out) = inflate(&stored, 1 << 20);
            assert!(result.is_ok() && out == expected, "{result:?}");
        }
    }

    #[test]
    fn damage_and_bombs_in_any_layer() {
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
        let large = vec![b' '; 1 << 20];
        for stored in [zstd(&large), gzip(&gzip(&large)), gzip(&zstd(&large))] {
            assert_eq!(inflate(&stored, 1 << 16), (Err(Error::TooLarge { limit: 1 << 16 }), vec![]));
        }
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for stored in [zstd(&text), gzip(&zstd(&text)), zstd(&gzip(&text))] {
            let (result, out) = inflate(&stored[..stored.len() / 2], 1 << 20);
            assert!(matches!(result, Err(Error::Zstd(_) | Error::Gzip(_))), "{result:?}");
            assert!(out.len() > 100_000 && text.starts_with(&out), "{}", out.len());
        }
    }
}
