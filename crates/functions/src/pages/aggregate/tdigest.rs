//! A sketch of a distribution: the merging t-digest (Dunning and Ertl, "Computing extremely accurate quantiles using
//! t-digests") with the scale function and the interpolation that Trino uses, so that small inputs give its answers.

/// Centroids stay below about this number.
const COMPRESSION: f64 = 200.0;
/// Centroids that wait before the next merge.
const CAPACITY: usize = 1260;

/// The sketch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Digest {
    /// Mean and weight.
    centroids: Vec<(f64, f64)>,
    total: f64,
    min: f64,
    max: f64,
    backwards: bool,
    dirty: bool,
}

impl Default for Digest {
    fn default() -> Self {
        Digest {
            centroids: vec![],
            total: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            backwards: false,
            dirty: false,
        }
    }
}

impl Digest {
    pub(super) fn is_empty(&self) -> bool {
        self.centroids.is_empty()
    }

    pub(super) fn add(&mut self, value: f64, weight: f64) {
        if self.centroids.len() >= CAPACITY {
            self.merge();
        }
        self.centroids.push((value, weight));
        self.total += weight;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.dirty = true;
    }

    /// Means and weights after merging, and the extremes.
    pub(super) fn parts(&mut self) -> (Vec<f64>, Vec<f64>, f64, f64) {
        if self.dirty {
            self.merge();
        }
        let (means, weights) = self.centroids.iter().copied().unzip();
        (means, weights, self.min, self.max)
    }

    /// Takes in another sketch's parts.
    pub(super) fn absorb(&mut self, means: &[f64], weights: &[f64], min: f64, max: f64) {
        for (mean, weight) in means.iter().zip(weights) {
            self.add(*mean, *weight);
        }
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }

    pub(super) fn size(&self) -> usize {
        size_of_val(self) + self.centroids.capacity() * 16
    }

    fn merge(&mut self) {
        self.dirty = false;
        let mut sorted = std::mem::take(&mut self.centroids);
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        if self.backwards {
            sorted.reverse();
        }
        // The k₂ scale function bounds a centroid by q(1 − q) over this.
        let normalizer = COMPRESSION / (4.0 * (self.total / COMPRESSION).ln() + 24.0);
        let largest = |q: f64| q * (1.0 - q) / normalizer;
        let mut merged: Vec<(f64, f64)> = Vec::with_capacity(sorted.len().min(CAPACITY));
        let mut done = 0.0;
        let mut bound_at_start = largest(0.0);
        for (mean, weight) in sorted {
            let Some((last_mean, last_weight)) = merged.last_mut() else {
                merged.push((mean, weight));
                continue;
            };
            let together = *last_weight + weight;
            let quantile = ((done + together) / self.total).min(1.0);
            if together <= self.total * bound_at_start.min(largest(quantile)) {
                *last_mean += (mean - *last_mean) * weight / together;
                *last_weight = together;
            } else {
                done += *last_weight;
                bound_at_start = largest(done / self.total);
                merged.push((mean, weight));
            }
        }
        if self.backwards {
            merged.reverse();
        }
        self.backwards = !self.backwards;
        self.centroids = merged;
    }

    /// The value below which the fraction `quantile` of the weight lies; `None` over nothing.
    pub(super) fn value_at(&mut self, quantile: f64) -> Option<f64> {
        if self.dirty {
            self.merge();
        }
        let c = &self.centroids;
        let (first, last) = (c.first()?, c.last()?);
        if c.len() == 1 {
            return Some(first.0);
        }
        let offset = quantile * self.total;
        if offset < 1.0 {
            return Some(self.min);
        }
        if offset > self.total - 1.0 {
            return Some(self.max);
        }
        if first.1 > 1.0 && offset < first.1 / 2.0 {
            return Some(self.min + (offset - 1.0) / (first.1 / 2.0 - 1.0) * (first.0 - self.min));
        }
        let behind = self.total - offset;
        if last.1 > 1.0 && behind <= last.1 / 2.0 {
            return Some(self.max - (behind - 1.0) / (last.1 / 2.0 - 1.0) * (self.max - last.0));
        }
        let mut passed = first.1 / 2.0;
        for pair in c.windows(2) {
            let ((left, left_weight), (right, right_weight)) = (pair[0], pair[1]);
            let step = (left_weight + right_weight) / 2.0;
            if passed + step > offset {
                // A centroid of one value is that value, half a unit to both sides.
                let mut left_unit = 0.0;
                if left_weight == 1.0 {
                    if offset - passed < 0.5 {
                        return Some(left);
                    }
                    left_unit = 0.5;
                }
                let mut right_unit = 0.0;
                if right_weight == 1.0 {
                    if passed + step - offset <= 0.5 {
                        return Some(right);
                    }
                    right_unit = 0.5;
                }
                let (z1, z2) = (offset - passed - left_unit, passed + step - offset - right_unit);
                return Some(weighted(left, z2, right, z1));
            }
            passed += step;
        }
        Some(last.0)
    }
}

/// The weighted mean, never outside of the two values.
fn weighted(x1: f64, w1: f64, x2: f64, w2: f64) -> f64 {
    let (low, high) = (x1.min(x2), x1.max(x2));
    ((x1 * w1 + x2 * w2) / (w1 + w2)).clamp(low, high)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(values: impl IntoIterator<Item = (f64, f64)>) -> Digest {
        let mut digest = Digest::default();
        for (value, weight) in values {
            digest.add(value, weight);
        }
        digest
    }

    #[test]
    fn weights_interpolate() {
        let mut digest = of([(1.0, 4.0), (2.0, 2.0), (3.0, 1.0)]);
        assert_eq!(digest.value_at(0.5), Some(1.5));
        assert!((digest.value_at(0.8).unwrap() - 2.6).abs() < 1e-9);
    }

    #[test]
    fn quantiles_of_many_values_are_close() {
        let n = 100_000;
        let mut digest = of((0..n).map(|i| (f64::from((i * 7919) % n), 1.0)));
        assert!(digest.parts().0.len() < 500);
        for q in [0.001, 0.1, 0.5, 0.9, 0.999] {
            let error = (digest.value_at(q).unwrap() / f64::from(n) - q).abs();
            assert!(error < 0.01 * q.min(1.0 - q) + 0.001, "{q}: {error}");
        }
        assert_eq!(digest.value_at(0.0), Some(0.0));
        assert_eq!(digest.value_at(1.0), Some(f64::from(n - 1)));
    }

    #[test]
    fn parts_make_the_same_sketch() {
        let mut left = of((0..5000).map(|i| (f64::from(i), 1.0)));
        let mut right = of((5000..10_000).map(|i| (f64::from(i), 1.0)));
        let (means, weights, min, max) = right.parts();
        left.absorb(&means, &weights, min, max);
        assert!((left.value_at(0.5).unwrap() - 5000.0).abs() < 50.0);
        assert_eq!(left.value_at(1.0), Some(9999.0));
    }
}
