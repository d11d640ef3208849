//! One measured number, its unit, and what it is held against.

use std::fmt;

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Micros,
    Seconds,
    Bytes,
    BytesPerSecond,
    SecondsPerGigabyte,
    BytesPerByte,
    Times,
    Count,
}

/// What a number should reach, against the peer or by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Clone)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) target: Option<Target>,
}

impl Metric {
    pub(crate) fn new(name: &'static str, unit: Unit, value: f64) -> Metric {
        Metric { name, value, unit, target: None }
    }

    pub(crate) fn target(mut self, target: Option<Target>) -> Metric {
        self.target = target;
        self
    }
}

impl Target {
    /// Whether the medians meet it; `None` when what it compares is missing.
    pub(crate) fn met(self, value: Option<f64>, ratio: Option<f64>) -> Option<bool> {
        match self {
            Target::RatioAtLeast(least) => ratio.map(|ratio| ratio >= least),
            Target::RatioAtMost(most) => ratio.map(|ratio| ratio <= most),
            Target::AtLeast(least) => value.map(|value| value >= least),
            Target::AtMost(most) => value.map(|value| value <= most),
        }
    }

    pub(crate) fn describe(self, unit: Unit) -> String {
        match self {
            Target::RatioAtLeast(least) => format!("≥ {least}×"),
            Target::RatioAtMost(most) => format!("≤ {most}×"),
            Target::AtLeast(least) => format!("≥ {}", unit.write(least)),
            Target::AtMost(most) => format!("≤ {}", unit.write(most)),
        }
    }
}

impl Unit {
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Unit::PerSecond if value >= 1000.0 => format!("{} k/s", three(value / 1000.0)),
            Unit::PerSecond => format!("{}/s", three(value)),
            Unit::Micros if value >= 10_000.0 => format!("{} ms", three(value / 1000.0)),
            Unit::Micros => format!("{} µs", three(value)),
            Unit::Seconds if value < 1.0 => format!("{} ms", three(value * 1000.0)),
            Unit::Seconds => format!("{} s", three(value)),
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
            Unit::SecondsPerGigabyte => format!("{} s/GB", three(value)),
            Unit::BytesPerByte => format!("{} B/B", three(value)),
            Unit::Times => format!("{}×", three(value)),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

fn bytes(value: f64) -> String {
    const STEPS: [(f64, &str); 3] =
        [((1u64 << 30) as f64, "GiB"), ((1u64 << 20) as f64, "MiB"), ((1u64 << 10) as f64, "KiB")];
    match STEPS.iter().find(|(size, _)| value.abs() >= *size) {
        Some((size, name)) => format!("{} {name}", three(value / size)),
        None => format!("{value:.0} B"),
    }
}

/// Three significant digits, and no exponent.
pub(crate) fn three(value: f64) -> impl fmt::Display {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_three_digits_and_their_unit() {
        assert_eq!(Unit::PerSecond.write(43_512.0), "43.5 k/s");
        assert_eq!(Unit::Bytes.write(3.0 * 1024.0 * 1024.0), "3.00 MiB");
        assert_eq!(Unit::Micros.write(95_000.0), "95.0 ms");
    }

    #[test]
    fn a_ratio_target_without_a_peer_is_neither_met_nor_missed() {
        assert_eq!(Target::RatioAtLeast(1.4).met(Some(5.0), None), None);
        assert_eq!(Target::AtMost(2.5).met(Some(2.6), None), Some(false));
    }
}
