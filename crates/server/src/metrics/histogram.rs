//! A histogram that many threads may add to without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of observations up to each bound, in the unit of the bounds.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One per bound, and one for what lies above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// Some histograms' sum, ready to be shown.
#[derive(Debug, Default)]
pub(crate) struct Distribution {
    pub(crate) sum: f64,
    pub(crate) count: u64,
    /// Upper bound and observations between it and the bound before.
    pub(crate) buckets: Vec<(f64, u64)>,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, value: u64) {
        let bucket = self.bounds.iter().position(|&bound| value <= bound).unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Sums histograms of equal bounds; `unit` is what one of theirs is worth in the unit shown.
    pub(crate) fn sum<'a>(histograms: impl IntoIterator<Item = &'a Self>, unit: f64) -> Distribution {
        let mut total = Distribution::default();
        for histogram in histograms {
            let bounds = histogram.bounds.iter().map(|&bound| bound as f64 * unit).chain([f64::MAX]);
            if total.buckets.is_empty() {
                total.buckets = bounds.map(|bound| (bound, 0)).collect();
            }
            for ((_, sum), count) in total.buckets.iter_mut().zip(&histogram.counts) {
                *sum += count.load(Relaxed);
            }
            total.sum += histogram.sum.load(Relaxed) as f64 * unit;
        }
        total.count = total.buckets.iter().map(|(_, count)| count).sum();
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_fall_into_the_first_bound_that_holds_them() {
        let (one, other) = (Histogram::new(&[10, 100]), Histogram::new(&[10, 100]));
        [1, 10, 11].into_iter().for_each(|value| one.observe(value));
        other.observe(1000);
        let total = Histogram::sum([&one, &other], 0.5);
        assert_eq!(total.buckets, [(5.0, 2), (50.0, 1), (f64::MAX, 1)]);
        assert_eq!((total.sum, total.count), (511.0, 4));
    }
}
