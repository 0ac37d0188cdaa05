//! Histogram buckets.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion_common::Result;

use crate::columns::{Call, invalid, known, out_of_range};

pub(super) fn width_bucket(call: &Call) -> Result<ArrayRef> {
    let x = call.double(0)?;
    if call.len() == 2 {
        let bins = call.list(1)?;
        return call.numbers::<Int64Type>(|i| {
            let (x, bins) = (known!(x.get(i)), known!(bins.get(i)));
            in_bins(x, bins.as_primitive::<Float64Type>()).map(Some)
        });
    }
    let (bound1, bound2, count) = (call.double(1)?, call.double(2)?, call.bigint(3)?);
    call.numbers::<Int64Type>(|i| {
        let (bound1, bound2) = (known!(bound1.get(i)), known!(bound2.get(i)));
        between(known!(x.get(i)), bound1, bound2, known!(count.get(i))).map(Some)
    })
}

/// Bucket of `x` among `count` buckets of one width; 0 and `count + 1` lie outside the bounds.
fn between(x: f64, bound1: f64, bound2: f64, count: i64) -> Result<i64> {
    if count <= 0 {
        return Err(invalid("bucketCount must be greater than 0"));
    }
    if x.is_nan() {
        return Err(invalid("operand must not be NaN"));
    }
    if !bound1.is_finite() || !bound2.is_finite() {
        return Err(invalid("both bounds must be finite"));
    }
    if bound1 == bound2 {
        return Err(invalid("bounds cannot equal each other"));
    }
    let (lower, upper) = (bound1.min(bound2), bound1.max(bound2));
    let bucket = if x < lower {
        0
    } else if x >= upper {
        count.checked_add(1).ok_or_else(|| out_of_range(format!("Bucket for value {x} is out of range")))?
    } else {
        (count as f64 * (x - lower) / (upper - lower) + 1.0) as i64
    };
    Ok(if bound1 > bound2 { count - bucket + 1 } else { bucket })
}

/// Number of bins that start at or below `x`. The bins are looked at only as far as the search goes.
fn in_bins(x: f64, bins: &arrow::array::Float64Array) -> Result<i64> {
    if bins.is_empty() {
        return Err(invalid("Bins cannot be an empty array"));
    }
    if bins.null_count() > 0 {
        return Err(invalid("Bin values cannot be NULL"));
    }
    if x.is_nan() {
        return Err(invalid("Operand cannot be NaN"));
    }
    let (mut lower, mut upper) = (0, bins.len());
    while lower < upper {
        if bins.value(lower) > bins.value(upper - 1) {
            return Err(invalid("Bin values are not sorted in ascending order"));
        }
        let middle = usize::midpoint(lower, upper);
        let bin = bins.value(middle);
        if !bin.is_finite() {
            return Err(invalid(format!("Bin value must be finite, got {bin}")));
        }
        if x < bin { upper = middle } else { lower = middle + 1 }
    }
    Ok(lower as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn buckets_count_from_the_first_bound() {
        for (x, bound1, bound2, expected) in
            [(3.5, 0.0, 4.0, 3), (-1.0, 0.0, 4.0, 0), (4.0, 0.0, 4.0, 4), (-1.0, 3.2, 0.0, 4), (3.1, 3.2, 0.0, 1)]
        {
            assert_eq!(between(x, bound1, bound2, 3).unwrap(), expected, "{x} in {bound1}..{bound2}");
        }
        assert!(between(1.0, 2.0, 2.0, 3).is_err());
        assert!(between(1.0, 0.0, 2.0, 0).is_err());
        assert!(between(f64::NAN, 0.0, 2.0, 1).is_err());
        assert!(between(f64::INFINITY, 0.0, 2.0, i64::MAX).is_err());
    }

    #[test]
    fn bins_are_searched() {
        let bins = |values: &[f64]| arrow::array::Float64Array::from(values.to_vec());
        assert_eq!(in_bins(3.5, &bins(&[0.0, 2.0, 4.0])).unwrap(), 2);
        assert_eq!(in_bins(f64::INFINITY, &bins(&[0.0, 2.0, 4.0])).unwrap(), 3);
        assert!(in_bins(1.0, &bins(&[])).is_err());
        assert!(in_bins(1.0, &bins(&[0.0, f64::INFINITY])).is_err());
        assert!(in_bins(1.0, &bins(&[3.0, 2.0])).is_err());
    }
}
