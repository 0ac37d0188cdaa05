//! Numbers as Parquet packs them.
//!
//! Format: Apache Parquet, "Encodings" (RLE/bit-packing hybrid, DELTA_BINARY_PACKED). What is not as the format says is `None`.

/// Numbers of `width` bits each, without gaps, lowest bit first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'a> {
    bytes: &'a [u8],
    width: u32,
}

impl<'a> Packed<'a> {
    /// Numbers of at most 32 bits each.
    pub(crate) fn new(bytes: &'a [u8], width: u32) -> Option<Self> {
        (width <= 32).then_some(Self { bytes, width })
    }

    /// The number at `index`; bits beyond the end are 0.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> u32 {
        let bit = index * self.width as usize;
        let word = match self.bytes.get(bit / 8..).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let rest = self.bytes.get(bit / 8..).unwrap_or_default();
                rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
            }
        };
        (word >> (bit % 8) & ((1_u64 << self.width) - 1)) as u32
    }

    /// The bits themselves, where numbers have one each.
    pub(crate) fn bits(&self) -> Option<&[u8]> {
        (self.width == 1).then_some(self.bytes)
    }
}

/// A stretch of the hybrid.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stretch<'a> {
    /// So many times the same number.
    Repeated(u32, usize),
    /// So many numbers, which begin at this byte.
    Packed(Packed<'a>, usize, usize),
}

/// The stretches of `count` numbers of `width` bits; `None` in the place of one that is damaged or missing, after which there
/// are no more.
pub(crate) fn stretches(data: &[u8], width: u32, count: usize) -> impl Iterator<Item = Option<Stretch<'_>>> {
    let (mut rest, mut left) = (data, count);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let stretch = stretch(data, &mut rest, width, left);
        left = match stretch {
            Some(Stretch::Repeated(_, count) | Stretch::Packed(_, count, _)) => left - count,
            None => 0,
        };
        Some(stretch)
    })
}

/// The next stretch, of at least one number and at most `left`.
fn stretch<'a>(data: &[u8], rest: &mut &'a [u8], width: u32, left: usize) -> Option<Stretch<'a>> {
    let header = variable(rest)?;
    let length = usize::try_from(header >> 1).ok()?;
    if width > 32 || length == 0 {
        return None;
    }
    if header & 1 == 0 {
        let (number, tail) = rest.split_at_checked(width.div_ceil(8) as usize)?;
        *rest = tail;
        let number = number.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        return Some(Stretch::Repeated(number, length.min(left)));
    }
    // Eight numbers take as many bytes as they have bits; the last group may be cut.
    let bytes = length.checked_mul(width as usize)?;
    let at = data.len() - rest.len();
    let (packed, tail) = rest.split_at_checked(bytes.min(rest.len()))?;
    *rest = tail;
    let count = length.checked_mul(8)?.min(left);
    if (count.checked_mul(width as usize)?).div_ceil(8) > packed.len() {
        return None;
    }
    Some(Stretch::Packed(Packed { bytes: packed, width }, count, at))
}

/// A number of seven bits a byte (ULEB128).
fn variable(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(rest: &mut &[u8]) -> Option<i64> {
    let number = variable(rest)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

/// The `count` lengths of a page (DELTA_BINARY_PACKED, of 32 bits), and what follows them.
pub(crate) fn lengths(data: &[u8], count: usize) -> Option<(Vec<u32>, &[u8])> {
    let mut rest = data;
    let block = usize::try_from(variable(&mut rest)?).ok()?;
    let parts = usize::try_from(variable(&mut rest)?).ok()?;
    let total = usize::try_from(variable(&mut rest)?).ok()?;
    let mut last = zigzag(&mut rest)? as i32;
    let part = block.checked_div(parts).filter(|part| *part > 0 && part % 8 == 0)?;
    if total != count {
        return None;
    }
    let mut lengths = Vec::with_capacity(count);
    if total > 0 {
        lengths.push(u32::try_from(last).ok()?);
    }
    while lengths.len() < total {
        let least = zigzag(&mut rest)? as i32;
        let (widths, tail) = rest.split_at_checked(parts)?;
        rest = tail;
        for width in widths {
            let now = part.min(total - lengths.len());
            if now == 0 {
                break;
            }
            let width = u32::from(*width);
            if width > 32 {
                return None;
            }
            let (packed, tail) = rest.split_at_checked(part / 8 * width as usize)?;
            rest = tail;
            if width == 0 && least == 0 {
                // As those of identifiers are: all alike.
                lengths.resize(lengths.len() + now, u32::try_from(last).ok()?);
                continue;
            }
            let packed = Packed { bytes: packed, width };
            for index in 0..now {
                last = last.wrapping_add(least).wrapping_add(packed.get(index) as i32);
                lengths.push(u32::try_from(last).ok()?);
            }
        }
    }
    Some((lengths, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn numbers(data: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
        let mut numbers = Vec::new();
        for stretch in stretches(data, width, count) {
            match stretch? {
                Stretch::Repeated(number, count) => numbers.extend(std::iter::repeat_n(number, count)),
                Stretch::Packed(packed, count, _) => numbers.extend((0..count).map(|index| packed.get(index))),
            }
        }
        Some(numbers)
    }

    #[test]
    fn the_format_s_own_example() {
        // Apache Parquet, "Run Length Encoding / Bit-Packing Hybrid": 0 to 7 in three bits each.
        let data = [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(numbers(&data, 3, 8), Some((0..8).collect()));
        assert_eq!(numbers(&data, 3, 5), Some((0..5).collect()));
        assert_eq!(numbers(&data, 3, 9), None, "there are eight");
        assert_eq!(numbers(&data[..3], 3, 8), None, "the last byte is missing");
        assert_eq!(numbers(&[100 << 1 & 0x7f | 0x80, 1, 5], 3, 100), Some(vec![5; 100]));
        assert_eq!(numbers(&[0, 5], 3, 1), None, "a run of nothing");
        assert_eq!(numbers(&[2, 5], 33, 1), None);
        assert_eq!(numbers(&[0xff; 16], 3, 1), None, "a header without end");
    }

    #[test]
    fn lengths_as_the_format_writes_them() {
        // "Delta Encoding", example 1 of Apache Parquet: 1 to 5 in blocks of 128, four parts.
        let mut data = vec![128, 1, 4, 5, 2, 2, 0, 0, 0, 0];
        assert_eq!(lengths(&data, 5), Some((vec![1, 2, 3, 4, 5], &[][..])));
        data.push(7);
        assert_eq!(lengths(&data, 5).unwrap().1, [7]);
        assert_eq!(lengths(&data, 6), None);
        assert_eq!(lengths(&[128, 1, 4, 5, 2, 1, 0, 0, 0, 0], 5), None, "lengths below nothing");
    }
}
