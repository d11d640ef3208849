//! Latencies, in nanoseconds, as a histogram several tasks of one thread share.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::metric::{Metric, Target, Unit};

const SIGNIFICANT_DIGITS: u8 = 3;
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Debug, Clone)]
pub(crate) struct Latencies(Rc<RefCell<Histogram<u64>>>);

impl Latencies {
    pub(crate) fn new() -> Latencies {
        let longest = LONGEST.as_nanos() as u64;
        let histogram = Histogram::new_with_bounds(1, longest, SIGNIFICANT_DIGITS).expect("the bounds are constants");
        Latencies(Rc::new(RefCell::new(histogram)))
    }

    pub(crate) fn record(&self, latency: Duration) {
        self.0.borrow_mut().saturating_record(latency.as_nanos() as u64);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.borrow().len()
    }

    fn micros(&self, quantile: f64) -> f64 {
        self.0.borrow().value_at_quantile(quantile) as f64 / 1000.0
    }

    /// The metrics `p50` and `p99`, each held against its target.
    pub(crate) fn metrics(&self, p50: Option<Target>, p99: Option<Target>) -> [Metric; 2] {
        [
            Metric::new("p50", Unit::Micros, self.micros(0.50)).target(p50),
            Metric::new("p99", Unit::Micros, self.micros(0.99)).target(p99),
        ]
    }
}
