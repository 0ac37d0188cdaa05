//! Text in 128 bits, exactly: the ids, keys, account numbers and names of which a store has millions.

/// Characters of a UUID.
const UUID: usize = 36;
/// Characters of other text at most: six bits each, and five for their number.
const SHORT: usize = 20;

/// No digit, no character.
const NONE: u8 = u8::MAX;

const HEXADECIMAL: [u8; 256] = table(b"0123456789abcdef");
const CHARACTERS: [u8; 256] = table(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-.");

const fn table(alphabet: &[u8]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut number = 0;
    while number < alphabet.len() {
        table[alphabet[number] as usize] = number as u8;
        number += 1;
    }
    table
}

/// A text's bits. Equal ones of one kind are equal texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// A UUID in lower case, with hyphens.
    Uuid(u128),
    /// Up to 20 letters, digits, hyphens and dots.
    Short(u128),
}

/// `None` for all other text.
pub(super) fn pack(text: &str) -> Option<Packed> {
    let text = text.as_bytes();
    if text.len() <= SHORT {
        return short(text).map(Packed::Short);
    }
    uuid(text.try_into().ok()?).map(Packed::Uuid)
}

fn short(text: &[u8]) -> Option<u128> {
    let (mut bits, mut wrong) = (text.len() as u128, 0);
    for character in text {
        let number = CHARACTERS[*character as usize];
        wrong |= number;
        bits = bits << 6 | u128::from(number & 0x3F);
    }
    (wrong < 64).then_some(bits)
}

fn uuid(text: &[u8; UUID]) -> Option<u128> {
    let [8, 13, 18, 23] = [8, 13, 18, 23].map(|at| if text[at] == b'-' { at } else { 0 }) else { return None };
    let mut wrong = 0;
    let mut digits = |from: usize, until: usize| {
        text[from..until].iter().fold(0_u64, |bits, digit| {
            let number = HEXADECIMAL[*digit as usize];
            wrong |= number;
            bits << 4 | u64::from(number & 0x0F)
        })
    };
    let high = digits(0, 8) << 32 | digits(9, 13) << 16 | digits(14, 18);
    let low = digits(19, 23) << 48 | digits(24, 36);
    (wrong < 16).then_some(u128::from(high) << 64 | u128::from(low))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_and_names_are_packed_and_nothing_else() {
        let id = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
        assert_eq!(pack(id), Some(Packed::Uuid(0x0a1b_2c3d_4e5f_6789_abcd_ef01_2345_6789)));
        for text in ["", "0", "00", "AssumeRole", "AKIAIOSFODNN7EXAMPLE", "111122223333", "s3.amazonaws.com"] {
            assert!(matches!(pack(text), Some(Packed::Short(_))), "{text}");
        }
        for text in [
            "0A1b2c3d-4e5f-6789-abcd-ef0123456789",
            "0a1b2c3d-4e5f-6789-abcd-ef012345678g",
            "0a1b2c3d4e5f-6789-abcd-ef0123456789-",
            "a_b",
            "ö",
            "AKIAIOSFODNN7EXAMPLE1",
        ] {
            assert_eq!(pack(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_that_differ_have_bits_that_differ(texts in prop::collection::vec("[0-9A-Za-z.-]{0,20}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 2..50)) {
            let mut seen = HashMap::new();
            for text in &texts {
                let key = match pack(text).unwrap() {
                    Packed::Uuid(bits) => (0, bits),
                    Packed::Short(bits) => (1, bits),
                };
                prop_assert_eq!(seen.entry(key).or_insert(text.clone()), text);
            }
        }
    }
}
