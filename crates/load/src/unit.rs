//! Numbers for people: three digits and a unit.

use std::fmt;

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
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

impl Unit {
    /// `value` in this unit, or in a larger one of its kind.
    pub fn write(self, value: f64) -> String {
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
pub fn three(value: f64) -> impl fmt::Display {
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
}
