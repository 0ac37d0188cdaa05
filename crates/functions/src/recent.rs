//! What was found of texts lately.

/// Places; a power of two.
const PLACES: usize = 256;
/// No text has it: its length would be four billion.
const NOTHING: u128 = u128::MAX;

/// One value for each of the keys that came last. A key is a view, which texts of one array share only if they are the same, and a number.
/// It spares hashing text where few texts come again and again in turns.
#[derive(Debug)]
pub struct Recent<V>(Vec<((u128, u32), V)>);

impl<V: Copy + Default> Recent<V> {
    /// For so many rows.
    pub fn new(rows: usize) -> Self {
        // Of few rows it would not be worth its making.
        Self(vec![((NOTHING, 0), V::default()); PLACES.min(rows.next_power_of_two())])
    }

    /// The value of a key, made if it is not there.
    #[inline]
    pub fn get(&mut self, key: (u128, u32), make: impl FnOnce() -> V) -> V {
        let mixed = (key.0 as u64 ^ (key.0 >> 64) as u64 ^ u64::from(key.1) << 17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = (mixed >> 32) as usize & (self.0.len() - 1);
        let (there, value) = &mut self.0[place];
        if *there != key {
            *there = key;
            *value = make();
        }
        *value
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_text_has_its_own_value(numbers in prop::collection::vec(0..2000_usize, 0..3000)) {
            let texts: StringViewArray = numbers.iter().map(|n| Some("text".repeat(n % 7) + &n.to_string())).collect();
            let mut recent = Recent::new(numbers.len());
            for (number, view) in numbers.iter().zip(texts.views()) {
                prop_assert_eq!(recent.get((*view, 0), || *number), *number);
            }
        }
    }
}
