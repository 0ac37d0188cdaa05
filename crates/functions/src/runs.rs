//! Runs of rows that are alike. In a data file like events stand together, so that most rows are as the one before, and what is done for
//! each run is done seldom.

use arrow::array::{Array, ArrayRef, AsArray, downcast_primitive_array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

/// Which rows begin a run: those that differ from the row before in some column.
#[derive(Debug, Clone)]
pub struct Runs {
    /// A byte a row: 1 where a run begins.
    begins: Vec<u8>,
}

impl Runs {
    /// All of the rows are one run.
    pub fn one(rows: usize) -> Self {
        let mut begins = vec![0; rows];
        if let Some(first) = begins.first_mut() {
            *first = 1;
        }
        Self { begins }
    }

    /// Runs of rows that surely have the same values in all columns: text is looked at by where it is, not by what it says, so
    /// that one run may follow another with the same values.
    pub fn of(columns: &[ArrayRef], rows: usize) -> Self {
        let mut runs = Self::one(rows);
        for column in columns {
            match column.data_type() {
                DataType::Utf8View => runs.divide(column.as_string_view().views()),
                DataType::Boolean => runs.divide_bits(column.as_boolean().values()),
                _ => {
                    downcast_primitive_array!(
                        column => runs.divide(column.values()),
                        _ => runs = Self::each(rows)
                    );
                }
            }
            if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
                runs.divide_bits(nulls.inner());
            }
        }
        runs
    }

    /// A run for each row.
    pub fn each(rows: usize) -> Self {
        Self { begins: vec![1; rows] }
    }

    /// Divides runs where the values differ; there is one for each row.
    pub fn divide<T: PartialEq>(&mut self, values: &[T]) {
        for (pair, begins) in values.windows(2).zip(self.begins.iter_mut().skip(1)) {
            *begins |= u8::from(pair[0] != pair[1]);
        }
    }

    /// Divides runs where the bits differ; there is one for each row.
    pub fn divide_bits(&mut self, bits: &BooleanBuffer) {
        for (start, end) in bits.set_slices() {
            for row in [start, end] {
                if let Some(begins) = self.begins.get_mut(row) {
                    *begins = 1;
                }
            }
        }
    }

    /// The first rows of the runs, in ascending order.
    pub fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        // Eight rows at a time: few begin a run.
        let (words, rest) = self.begins.as_chunks::<8>();
        let after = words.len() * 8;
        let words = words.iter().enumerate().flat_map(|(number, word)| {
            let mut left = u64::from_le_bytes(*word);
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(number * 8 + bit as usize / 8)
            })
        });
        words.chain(rest.iter().enumerate().filter(|(_, begins)| **begins > 0).map(move |(row, _)| after + row))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_begin_where_something_differs(rows in prop::collection::vec((0..3_u8, any::<bool>()), 0..60)) {
            let numbers: Vec<u8> = rows.iter().map(|row| row.0).collect();
            let bits: BooleanBuffer = rows.iter().map(|row| row.1).collect();
            let expected = |differ: &dyn Fn(usize) -> bool| -> Vec<usize> {
                (0..rows.len()).filter(|row| *row == 0 || differ(*row)).collect()
            };
            let mut runs = Runs::one(rows.len());
            prop_assert_eq!(runs.starts().collect::<Vec<_>>(), expected(&|_| false));
            runs.divide(&numbers);
            prop_assert_eq!(runs.starts().collect::<Vec<_>>(), expected(&|row| rows[row].0 != rows[row - 1].0));
            runs.divide_bits(&bits);
            prop_assert_eq!(runs.starts().collect::<Vec<_>>(), expected(&|row| rows[row] != rows[row - 1]));
            prop_assert_eq!(Runs::each(rows.len()).starts().collect::<Vec<_>>(), expected(&|_| true));
        }
    }
}
