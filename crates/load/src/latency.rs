//! Latencies, in nanoseconds, as a histogram several tasks of one thread share.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::limits::LATENCY_MAX;

const SIGNIFICANT_DIGITS: u8 = 3;

/// Recorded latencies. A clone is the same ones.
#[derive(Debug, Clone)]
pub struct Latencies(Rc<RefCell<Histogram<u64>>>);

impl Latencies {
    /// None so far.
    pub fn new() -> Latencies {
        let longest = LATENCY_MAX.as_nanos() as u64;
        let histogram = Histogram::new_with_bounds(1, longest, SIGNIFICANT_DIGITS).expect("the bounds are constants");
        Latencies(Rc::new(RefCell::new(histogram)))
    }

    /// One more; what is longer than two minutes counts as that.
    pub fn record(&self, latency: Duration) {
        self.0.borrow_mut().saturating_record(latency.as_nanos() as u64);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.borrow().len()
    }

    /// The latency, in microseconds, that this part of all did not exceed, such as 0.99; 0 when there is none.
    pub fn micros(&self, quantile: f64) -> f64 {
        self.0.borrow().value_at_quantile(quantile) as f64 / 1000.0
    }

    /// The longest, in microseconds.
    pub fn max_micros(&self) -> f64 {
        self.0.borrow().max() as f64 / 1000.0
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_thousandth_and_the_longest_is_kept() {
        let latencies = Latencies::new();
        (1..=1000u64).for_each(|micros| latencies.record(Duration::from_micros(micros)));
        assert!((latencies.micros(0.5) - 500.0).abs() < 1.0 && (latencies.micros(0.99) - 990.0).abs() < 2.0);
        assert!((latencies.max_micros() - 1000.0).abs() < 2.0);
    }
}
