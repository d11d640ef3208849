//! Stamps: when a message was sent, written into it, and found again wherever it arrives.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::latency::Latencies;

/// The type of streams that stamped messages are written to.
pub const LIVE_CONTENT_TYPE: &str = "text/plain";
const MARK: &[u8] = b"@@";
const STAMP_DIGITS: usize = 19;
/// Bytes of a stamp as it stands in a text.
pub const STAMP_BYTES: usize = MARK.len() + STAMP_DIGITS;
/// Nanoseconds that a stamp counts before it begins again: ten to the power of its digits but one.
pub const STAMP_RANGE: u64 = 10u64.pow(STAMP_DIGITS as u32 - 1);

/// A message of so many bytes that begins with a stamp.
pub(crate) fn stamped_message(now: Duration, bytes: usize) -> Vec<u8> {
    let mut body = stamp_text(now).into_bytes();
    body.resize(bytes.max(STAMP_BYTES), b'x');
    body
}

/// A stamp as it stands in a text.
pub fn stamp_text(now: Duration) -> String {
    format!("@@{:0width$}", now.as_nanos(), width = STAMP_DIGITS)
}

/// Finds stamps in delivered bytes, however the bytes were cut.
#[derive(Debug)]
pub struct Scanner {
    clock: Instant,
    latencies: Latencies,
    /// What stands before a stamp.
    mark: &'static [u8],
    /// Stamps before this are found and not recorded.
    from: Rc<Cell<Duration>>,
    found: Rc<Cell<u64>>,
    carried: Vec<u8>,
}

impl Scanner {
    /// Records into `latencies`. Stamps count from `clock`.
    pub fn new(clock: Instant, latencies: Latencies) -> Scanner {
        let (mark, from, found) = (MARK, Rc::default(), Rc::default());
        Scanner { clock, latencies, mark, from, found, carried: Vec::new() }
    }

    /// Looks for stamps behind another mark.
    #[must_use]
    pub fn marked(self, mark: &'static [u8]) -> Scanner {
        Scanner { mark, ..self }
    }

    /// Records from a moment on, and counts every stamp into `found`.
    #[must_use]
    pub fn counting(self, from: Rc<Cell<Duration>>, found: Rc<Cell<u64>>) -> Scanner {
        Scanner { from, found, ..self }
    }

    /// Takes what has arrived next.
    pub fn feed(&mut self, bytes: &[u8]) {
        let now = self.clock.elapsed();
        self.carried.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&self.carried[from..], self.mark) {
            let digits = from + at + self.mark.len();
            let Some(stamp) = self.carried.get(digits..digits + STAMP_DIGITS) else {
                self.carried.drain(..from + at);
                return;
            };
            let sent = std::str::from_utf8(stamp).ok().and_then(|digits| digits.parse().ok());
            // A number of JSON cannot begin with zeros, so a stamp may begin with another digit.
            if let Some(sent) = sent.map(|nanos: u64| Duration::from_nanos(nanos % STAMP_RANGE)) {
                self.found.set(self.found.get() + 1);
                if sent >= self.from.get() {
                    self.latencies.record(now.saturating_sub(sent));
                }
            }
            from = digits + STAMP_DIGITS;
        }
        // A mark may be cut in two.
        let keep = self.carried.len().saturating_sub(self.mark.len() - 1).max(from);
        self.carried.drain(..keep);
    }

    /// Forgets half a stamp: what comes next does not follow what came last.
    pub(crate) fn begin_anew(&mut self) {
        self.carried.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cut: usize, wire: &[u8]) -> u64 {
        let latencies = Latencies::new();
        let mut scanner = Scanner::new(Instant::now(), latencies.clone());
        scanner.feed(&wire[..cut]);
        scanner.feed(&wire[cut..]);
        latencies.count()
    }

    #[test]
    fn stamps_are_found_wherever_the_bytes_are_cut() {
        let message = stamped_message(Duration::ZERO, 64);
        let wire = [b"data:".to_vec(), message.clone(), message, b"\n\n".to_vec()].concat();
        for cut in 0..wire.len() {
            assert_eq!(found(cut, &wire), 2, "cut at {cut}");
        }
    }

    #[test]
    fn stamps_from_before_the_window_are_found_and_not_recorded() {
        let (from, count) = (Rc::new(Cell::new(Duration::from_nanos(5))), Rc::default());
        let latencies = Latencies::new();
        let mut scanner = Scanner::new(Instant::now(), latencies.clone()).counting(from, Rc::clone(&count));
        scanner.feed(&stamped_message(Duration::from_nanos(4), 0));
        scanner.feed(&stamped_message(Duration::from_nanos(5), 0));
        assert_eq!((count.get(), latencies.count()), (2, 1));
    }
}
