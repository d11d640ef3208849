//! What a load has done so far: shared by its tasks, which all run on one thread, and by whoever watches.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};

use crate::latency::Latencies;

/// Counts of one load.
#[derive(Debug, Default)]
pub struct Gauge {
    recording_since: Cell<Option<Instant>>,
    recorded: Cell<Option<Duration>>,
    stopping: Cell<bool>,
    answered: Cell<u64>,
    bytes: Cell<u64>,
    failures: Cell<u64>,
    first_failure: RefCell<Option<String>>,
    latencies: Latencies,
}

impl Gauge {
    /// Begins the window: what was sent before is not measured.
    pub fn record(&self) {
        self.recording_since.set(Some(Instant::now()));
    }

    /// Ends the window and answers how long it was.
    pub fn end(&self) -> Duration {
        let elapsed = self.recorded_for();
        self.recorded.set(Some(elapsed));
        elapsed
    }

    /// How long the window has been open, or was.
    pub fn recorded_for(&self) -> Duration {
        self.recorded.get().or(self.recording_since.get().map(|since| since.elapsed())).unwrap_or_default()
    }

    /// The latencies within the window: one for each thing that was measured.
    pub fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// All requests that were answered as they should, those outside of the window included.
    pub fn answered(&self) -> u64 {
        self.answered.get()
    }

    /// Bytes read within the window.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Everything that went wrong, within the window or not.
    pub fn failures(&self) -> u64 {
        self.failures.get()
    }

    /// What went wrong first.
    pub fn first_failure(&self) -> Option<String> {
        self.first_failure.borrow().clone()
    }

    /// An error when anything went wrong.
    ///
    /// # Errors
    /// Says how often, and what came first.
    pub fn check(&self) -> io::Result<()> {
        match self.first_failure() {
            Some(first) => Err(io::Error::other(format!("{} failures, the first: {first}", self.failures()))),
            None => Ok(()),
        }
    }

    pub(crate) fn fail(&self, times: u64, cause: &dyn Display) {
        self.failures.set(self.failures.get() + times);
        self.first_failure.borrow_mut().get_or_insert_with(|| cause.to_string());
    }

    /// A request was answered that was sent then.
    pub(crate) fn acknowledge(&self, sent: Instant) {
        self.answered.set(self.answered.get() + 1);
        if self.is_recording() {
            self.latencies.record(sent.elapsed());
        }
    }

    /// The same for loads that measure what was sent from a moment on.
    pub(crate) fn acknowledge_from(&self, from: Instant, sent: Instant) {
        self.answered.set(self.answered.get() + 1);
        if sent >= from {
            self.latencies.record(sent.elapsed());
        }
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        if self.is_recording() {
            self.bytes.set(self.bytes.get() + bytes);
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn stop(&self) {
        self.stopping.set(true);
    }

    fn is_recording(&self) -> bool {
        self.recording_since.get().is_some() && self.recorded.get().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_answered_within_the_window_is_measured() {
        let gauge = Gauge::default();
        gauge.acknowledge(Instant::now());
        gauge.record();
        gauge.acknowledge(Instant::now());
        gauge.add_bytes(10);
        gauge.end();
        gauge.acknowledge(Instant::now());
        gauge.add_bytes(10);
        assert_eq!((gauge.answered(), gauge.latencies().count(), gauge.bytes()), (3, 1, 10));
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        let gauge = Gauge::default();
        assert!(gauge.check().is_ok());
        gauge.fail(2, &"one");
        gauge.fail(1, &"two");
        assert_eq!(gauge.check().unwrap_err().to_string(), "3 failures, the first: one");
    }
}
