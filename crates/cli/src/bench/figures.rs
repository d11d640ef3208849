//! What was measured, as a line for programs or a row for people.

use headwater_load::{Gauge, Unit};
use serde_json::{Value, json};

use super::measurement::Measurement;
use crate::table::{Align, Table};

/// The figures of one measurement.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) measurement: Measurement,
    rate: f64,
    /// Latencies, in microseconds.
    p50: f64,
    p99: f64,
    max: f64,
    /// How many latencies there are.
    pub(super) count: u64,
    seconds: f64,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

impl Figures {
    /// What the gauge shows when the load has ended.
    pub(super) fn of(measurement: Measurement, gauge: &Gauge) -> Self {
        let latencies = gauge.latencies();
        Self {
            measurement,
            rate: measurement.rate(gauge),
            p50: latencies.micros(0.50),
            p99: latencies.micros(0.99),
            max: latencies.max_micros(),
            count: latencies.count(),
            seconds: gauge.recorded_for().as_secs_f64(),
            errors: gauge.failures(),
            first_error: gauge.first_failure(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let some = |value: f64| (self.count > 0).then_some((value * 10.0).round() / 10.0);
        json!({
            "measurement": self.measurement.name(), "parameters": self.measurement.parameters(),
            "seconds": (self.seconds * 1000.0).round() / 1000.0, "count": self.count,
            "rate": (self.rate * 10.0).round() / 10.0, "unit": self.measurement.rate_unit().1,
            "p50Us": some(self.p50), "p99Us": some(self.p99), "maxUs": some(self.max),
            "errors": self.errors, "firstError": self.first_error,
        })
    }

    fn row(&self) -> [String; 7] {
        let latency = |micros| if self.count > 0 { Unit::Micros.write(micros) } else { "–".to_owned() };
        [
            self.measurement.name().to_owned(),
            self.measurement.load(),
            self.measurement.rate_unit().0.write(self.rate),
            latency(self.p50),
            latency(self.p99),
            latency(self.max),
            self.errors.to_string(),
        ]
    }
}

/// All of them, for people; nothing when there are none.
pub(super) fn table(figures: &[Figures]) -> String {
    let mut table = Table::new(&[
        ("MEASUREMENT", Align::Left),
        ("LOAD", Align::Left),
        ("RATE", Align::Right),
        ("P50", Align::Right),
        ("P99", Align::Right),
        ("MAX", Align::Right),
        ("ERRORS", Align::Right),
    ]);
    figures.iter().for_each(|figures| table.row(figures.row()));
    if figures.is_empty() { String::new() } else { table.render() }
}

#[cfg(test)]
mod tests {
    use headwater_load::Mode;

    use super::*;

    #[test]
    fn what_measured_nothing_has_no_latencies() {
        let figures = Figures::of(Measurement::Delivery { mode: Mode::Sse, bytes: 21 }, &Gauge::default());
        assert_eq!(figures.json()["p99Us"], Value::Null);
        assert!(table(&[figures]).lines().nth(1).unwrap().contains("0.00/s    –    –    –       0"));
        assert_eq!(table(&[]), "");
    }
}
