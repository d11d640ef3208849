//! One measured number, its unit, and what it is held against.

use headwater_load::Unit;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_target_without_a_peer_is_neither_met_nor_missed() {
        assert_eq!(Target::RatioAtLeast(1.4).met(Some(5.0), None), None);
        assert_eq!(Target::AtMost(2.5).met(Some(2.6), None), Some(false));
    }
}
