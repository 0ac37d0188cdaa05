//! Runs and packed numbers in turns, as levels and dictionary numbers are written (Apache Parquet, "Encodings": RLE/Bit-Packing
//! Hybrid).

/// Fewer like values are packed with their neighbours: packed values come in eights.
const SHORTEST_RUN: usize = 8;

/// Encodes numbers of a known width.
#[derive(Debug)]
pub(crate) struct Hybrid {
    width: u32,
    /// Value and length of the run that may go on.
    run: (u32, usize),
    /// Values that wait to be packed.
    waiting: Vec<u32>,
    out: Vec<u8>,
}

impl Hybrid {
    /// For numbers of so many bits, 32 at most.
    pub(crate) fn new(width: u32) -> Self {
        Self { width, run: (0, 0), waiting: Vec::new(), out: Vec::new() }
    }

    /// Appends a value that comes so many times.
    #[inline]
    pub(crate) fn push(&mut self, value: u32, times: usize) {
        if self.run.0 != value {
            self.end_run();
            self.run = (value, 0);
        }
        self.run.1 += times;
    }

    /// Appends values.
    pub(crate) fn extend(&mut self, values: &[u32]) {
        let mut at = 0;
        while let Some(first) = values.get(at) {
            let run = values[at..].iter().take_while(|value| *value == first).count();
            self.push(*first, run);
            at += run;
        }
    }

    /// Appends what was encoded to `out`, the last eight filled up with zeros, and begins anew.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_run();
        self.run = (0, 0);
        self.pack();
        out.extend_from_slice(&self.out);
        self.out.clear();
    }

    /// As [`Hybrid::finish`], the length in four bytes before it, as levels have it.
    pub(crate) fn finish_levels(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        self.finish(out);
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn end_run(&mut self) {
        let (value, mut times) = self.run;
        let open = self.waiting.len() % 8;
        if open > 0 {
            let fill = times.min(8 - open);
            self.waiting.extend(std::iter::repeat_n(value, fill));
            times -= fill;
        }
        if times >= SHORTEST_RUN {
            self.pack();
            put_varint((times as u64) << 1, &mut self.out);
            self.out.extend_from_slice(&value.to_le_bytes()[..self.width.div_ceil(8) as usize]);
        } else {
            self.waiting.extend(std::iter::repeat_n(value, times));
        }
    }

    fn pack(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let eights = self.waiting.len().div_ceil(8);
        put_varint((eights as u64) << 1 | 1, &mut self.out);
        self.waiting.resize(eights * 8, 0);
        pack(self.waiting.iter().map(|value| u64::from(*value)), self.width, &mut self.out);
        self.waiting.clear();
    }
}

/// Appends numbers of so many bits each (32 at most), the first in the lowest bits; the last byte is filled up with zeros.
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0_u64, 0);
    for value in values {
        bits |= value << held;
        held += width;
        if held >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            held -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..held.div_ceil(8) as usize]);
}

/// Appends a number in sevens of bits, the lowest first (ULEB128).
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bits that a number needs.
pub(crate) fn width_of(largest: u32) -> u32 {
    u32::BITS - largest.leading_zeros()
}
