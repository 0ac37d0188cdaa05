//! What was found of texts lately.

use arrow::array::{Array, StringViewArray};

/// Places; a power of two.
const PLACES: usize = 256;
/// No text has it: its length would be four billion.
const NOTHING: u128 = u128::MAX;

/// One value for each of the views that came last; texts of one array with the same view are the same. It spares hashing text where few
/// texts come again and again in turns.
pub(crate) struct Recent<V>(Vec<(u128, V)>);

impl<V: Copy + Default> Recent<V> {
    /// For the texts of one array.
    pub(crate) fn of(texts: &StringViewArray) -> Self {
        // Of few texts it would not be worth its making.
        Self(vec![(NOTHING, V::default()); PLACES.min(texts.len().next_power_of_two())])
    }

    /// The value of a view, made if it is not there.
    #[inline]
    pub(crate) fn of_view(&mut self, view: u128, make: impl FnOnce() -> V) -> V {
        let mixed = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = (mixed >> 32) as usize & (self.0.len() - 1);
        let (there, value) = &mut self.0[place];
        if *there != view {
            *there = view;
            *value = make();
        }
        *value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_text_has_its_own_value(numbers in prop::collection::vec(0..2000_usize, 0..3000)) {
            let texts: StringViewArray = numbers.iter().map(|n| Some("text".repeat(n % 7) + &n.to_string())).collect();
            let mut recent = Recent::of(&texts);
            for (number, view) in numbers.iter().zip(texts.views()) {
                prop_assert_eq!(recent.of_view(*view, || *number), *number);
            }
        }
    }
}
