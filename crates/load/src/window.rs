//! When a load is measured, and what is read off at the ends of that time.

use std::time::Duration;

/// A load runs for both; only the second is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub warm_up: Duration,
    pub measure: Duration,
}

/// How a load ended; what it measured is in its [`Gauge`](crate::Gauge).
#[derive(Debug, Clone, Copy)]
pub struct Outcome<T> {
    /// How long the window really was.
    pub elapsed: Duration,
    /// All requests or messages that the server took, those outside of the window included.
    pub sent: u64,
    /// What the caller read off when the window began.
    pub before: T,
    /// The same when it ended.
    pub after: T,
}
