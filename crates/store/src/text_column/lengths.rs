//! Lengths of text before the text itself, as differences (Apache Parquet, "Encodings": DELTA_BINARY_PACKED, as
//! DELTA_LENGTH_BYTE_ARRAY uses it).

use super::hybrid::{pack, put_varint, width_of};

/// Differences of a block, and of each of its four parts that have a width of their own.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// Appends the lengths.
pub(crate) fn encode(lengths: &[u32], out: &mut Vec<u8>) {
    let first = lengths.first().copied().unwrap_or_default();
    for number in [BLOCK, BLOCK / MINIBLOCK, lengths.len()] {
        put_varint(number as u64, out);
    }
    put_varint(zigzag(i64::from(first)), out);
    let deltas: Vec<i64> = lengths.windows(2).map(|pair| i64::from(pair[1]) - i64::from(pair[0])).collect();
    for block in deltas.chunks(BLOCK) {
        let least = block.iter().copied().min().unwrap_or_default();
        put_varint(zigzag(least), out);
        // Two lengths, which are below 2^31, differ from two others by less than 2^32.
        let above = |delta: &i64| (delta - least) as u64;
        let widths = out.len();
        out.resize(widths + BLOCK / MINIBLOCK, 0);
        for (at, part) in block.chunks(MINIBLOCK).enumerate() {
            let width = width_of(part.iter().map(above).max().unwrap_or_default() as u32);
            out[widths + at] = width as u8;
            let filled = part.iter().map(above).chain(std::iter::repeat(0)).take(MINIBLOCK);
            pack(filled, width, out);
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
