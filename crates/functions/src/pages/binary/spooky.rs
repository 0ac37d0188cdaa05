//! SpookyHash V2 (Bob Jenkins), in the public domain.

const CONSTANT: u64 = 0xdead_beef_dead_beef;
/// Bytes in one round of the long form.
const BLOCK: usize = 96;

/// The first 64 of the hash's 128 bits, with seed 0.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    if bytes.len() < 2 * BLOCK { short(bytes) } else { long(bytes) }
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let n = bytes.len().min(8);
    word[..n].copy_from_slice(&bytes[..n]);
    u64::from_le_bytes(word)
}

fn short(bytes: &[u8]) -> u64 {
    let mut h = [0, 0, CONSTANT, CONSTANT];
    let add = |h: &mut [u64; 4], i: usize, value: u64| h[i] = h[i].wrapping_add(value);
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        add(&mut h, 2, word(block));
        add(&mut h, 3, word(&block[8..]));
        short_mix(&mut h);
        add(&mut h, 0, word(&block[16..]));
        add(&mut h, 1, word(&block[24..]));
    }
    let mut rest = blocks.remainder();
    if rest.len() >= 16 {
        add(&mut h, 2, word(rest));
        add(&mut h, 3, word(&rest[8..]));
        short_mix(&mut h);
        rest = &rest[16..];
    }
    add(&mut h, 3, (bytes.len() as u64) << 56);
    if rest.is_empty() {
        add(&mut h, 2, CONSTANT);
        add(&mut h, 3, CONSTANT);
    } else {
        add(&mut h, 2, word(rest));
        if rest.len() > 8 {
            add(&mut h, 3, word(&rest[8..]));
        }
    }
    short_end(&mut h);
    h[0]
}

fn short_mix(h: &mut [u64; 4]) {
    const ROTATIONS: [u32; 12] = [50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36];
    for (step, rotation) in ROTATIONS.into_iter().enumerate() {
        let (i, next, far) = ((step + 2) % 4, (step + 3) % 4, step % 4);
        h[i] = h[i].rotate_left(rotation).wrapping_add(h[next]);
        h[far] ^= h[i];
    }
}

fn short_end(h: &mut [u64; 4]) {
    const ROTATIONS: [u32; 11] = [15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63];
    for (step, rotation) in ROTATIONS.into_iter().enumerate() {
        let (i, next) = ((step + 2) % 4, (step + 3) % 4);
        h[next] ^= h[i];
        h[i] = h[i].rotate_left(rotation);
        h[next] = h[next].wrapping_add(h[i]);
    }
}

fn long(bytes: &[u8]) -> u64 {
    let mut h = [0, 0, CONSTANT, 0, 0, CONSTANT, 0, 0, CONSTANT, 0, 0, CONSTANT];
    let mut blocks = bytes.chunks_exact(BLOCK);
    for block in &mut blocks {
        mix(&mut h, block);
    }
    let rest = blocks.remainder();
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    last[BLOCK - 1] = rest.len() as u8;
    for (i, value) in h.iter_mut().enumerate() {
        *value = value.wrapping_add(word(&last[8 * i..]));
    }
    for _ in 0..3 {
        end_partial(&mut h);
    }
    h[0]
}

fn mix(h: &mut [u64; 12], block: &[u8]) {
    const ROTATIONS: [u32; 12] = [11, 32, 43, 31, 17, 28, 39, 57, 55, 54, 22, 46];
    for (i, rotation) in ROTATIONS.into_iter().enumerate() {
        let (before, next) = ((i + 11) % 12, (i + 1) % 12);
        h[i] = h[i].wrapping_add(word(&block[8 * i..]));
        h[(i + 2) % 12] ^= h[(i + 10) % 12];
        h[before] ^= h[i];
        h[i] = h[i].rotate_left(rotation);
        h[before] = h[before].wrapping_add(h[next]);
    }
}

fn end_partial(h: &mut [u64; 12]) {
    const ROTATIONS: [u32; 12] = [44, 15, 34, 21, 38, 33, 10, 13, 38, 53, 42, 54];
    for (step, rotation) in ROTATIONS.into_iter().enumerate() {
        let (i, before, next) = ((step + 1) % 12, (step + 11) % 12, (step + 2) % 12);
        h[before] = h[before].wrapping_add(h[i]);
        h[next] ^= h[before];
        h[i] = h[i].rotate_left(rotation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        assert_eq!(hash(b""), 0x2327_06fc_6bf5_0919);
        assert_eq!(hash(b"hello"), 0x3768_826a_d382_e6ca);
        // Reference implementation, over bytes that count up by seven.
        for (length, expected) in [
            (15, 0x80ff_2557_a5f3_fce9),
            (16, 0x996b_234d_7cd0_c4ed),
            (40, 0x86c7_a70c_80f3_387a),
            (191, 0x5a8b_5567_21e7_0004),
            (192, 0x4bd5_231f_c1b3_b9cf),
            (500, 0xf0c6_a863_ba8c_7a80),
        ] {
            let bytes: Vec<u8> = (0..length).map(|i: u32| (i * 7 + 3) as u8).collect();
            assert_eq!(hash(&bytes), expected, "{length}");
        }
    }
}
