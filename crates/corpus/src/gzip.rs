//! gzip members as CloudTrail delivers them: no name, no time, header bytes after the magic all zero but the method.

use libdeflater::{CompressionLvl, Compressor};

/// A compressor for many files.
pub(crate) struct Gzip(Compressor);

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(Compressor::new(CompressionLvl::default()))
    }

    /// `raw` as one gzip member.
    pub(crate) fn pack(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0];
        let header = out.len();
        out.resize(header + self.0.deflate_compress_bound(raw.len()), 0);
        // The bound is large enough for any input, so that there is no other outcome.
        let packed = self.0.deflate_compress(raw, &mut out[header..]).unwrap_or(0);
        out.truncate(header + packed);
        out.extend_from_slice(&libdeflater::crc32(raw).to_le_bytes());
        out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        out.shrink_to_fit();
        out
    }
}
