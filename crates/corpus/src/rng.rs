//! The generator of random numbers: SplitMix64, written out so that a seed means the same bytes in every release.

/// SplitMix64. One value per (seed, purpose, index), so that any file can be made alone and in any order.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64: spreads `x` over 64 bits.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const KEY: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8; 16] = b"0123456789abcdef";

impl Rng {
    /// The stream of `seed` for one `purpose` and `index`.
    pub(crate) fn keyed(seed: u64, purpose: u64, index: u64) -> Self {
        Self(mix(seed.wrapping_mul(GOLDEN)
            ^ mix(purpose.wrapping_add(GOLDEN))
            ^ mix(index.wrapping_mul(0xD6E8_FEB8_6659_FD93))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `n` (0 when `n` is 0).
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// True `per_mille` times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub(crate) fn hex(&mut self, out: &mut Vec<u8>, n: usize) {
        self.letters(out, n, HEX, 4);
    }

    pub(crate) fn base64(&mut self, out: &mut Vec<u8>, n: usize) {
        self.letters(out, n, BASE64, 6);
    }

    /// Letters and digits 2 to 7, as in access key ids and S3 request ids.
    pub(crate) fn key(&mut self, out: &mut Vec<u8>, n: usize) {
        self.letters(out, n, KEY, 5);
    }

    pub(crate) fn alnum(&mut self, out: &mut Vec<u8>, n: usize) {
        for _ in 0..n {
            let i = self.below(62) as usize;
            out.push(ALNUM[i]);
        }
    }

    /// A random UUID in text, version 4.
    pub(crate) fn uuid(&mut self, out: &mut Vec<u8>) {
        let (a, b) = (self.next(), self.next());
        let bytes = (u128::from(a) << 64) | u128::from(b);
        let bytes = (bytes & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let mut text = [b'-'; 36];
        let mut nibble = 0;
        for (i, c) in text.iter_mut().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                continue;
            }
            *c = HEX[(bytes >> (124 - 4 * nibble)) as usize & 15];
            nibble += 1;
        }
        out.extend_from_slice(&text);
    }

    /// `n` letters of an alphabet of `2^bits`, as many as fit cut from each 64-bit number.
    fn letters(&mut self, out: &mut Vec<u8>, n: usize, alphabet: &[u8], bits: u32) {
        let mask = alphabet.len() - 1;
        let (mut left, mut pool) = (0, 0u64);
        for _ in 0..n {
            if left < bits {
                pool = self.next();
                left = 64;
            }
            out.push(alphabet[pool as usize & mask]);
            pool >>= bits;
            left -= bits;
        }
    }
}
