//! Keeps a flood of equal warnings out of the log.

use std::time::{Duration, Instant};

use crate::limits::WARNINGS_PER_SECOND_MAX;

/// Permits so many warnings per second.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    window: Option<Instant>,
    permitted: u32,
}

impl Throttle {
    /// Whether one more warning may be logged now.
    pub(crate) fn permits(&mut self) -> bool {
        let now = Instant::now();
        if self.window.is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1)) {
            self.window = Some(now);
            self.permitted = 0;
        }
        self.permitted += 1;
        self.permitted <= WARNINGS_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_short() {
        let mut throttle = Throttle::default();
        let permitted = (0..1000).filter(|_| throttle.permits()).count();
        assert!(permitted <= 2 * WARNINGS_PER_SECOND_MAX as usize);
    }
}
