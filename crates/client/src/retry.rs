//! When to try again: a schedule, and what `Retry-After` adds to it.

use std::time::{Duration, SystemTime};

use crate::Error;
use crate::limits::{RETRY_AFTER_MAX, RETRY_CAP, RETRY_INITIAL, RETRY_MULTIPLIER};

/// Delays between attempts: an initial one, multiplied each time, up to a cap. By default 1, 2, 4, 8, 16, 30, 30 s …
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySchedule {
    initial: Duration,
    multiplier: f64,
    cap: Duration,
    jitter: f64,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self { initial: RETRY_INITIAL, multiplier: RETRY_MULTIPLIER, cap: RETRY_CAP, jitter: 0.0 }
    }
}

impl RetrySchedule {
    /// A schedule without jitter.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `initial` > 0, `multiplier` is finite and ≥ 1, and `cap` ≥ `initial`.
    pub fn new(initial: Duration, multiplier: f64, cap: Duration) -> Result<Self, Error> {
        if initial.is_zero() {
            return Err(Error::invalid("initial retry delay must be longer than 0 ms"));
        }
        if !(multiplier.is_finite() && multiplier >= 1.0) {
            return Err(Error::invalid(format!("retry multiplier {multiplier} must be 1 or more")));
        }
        if cap < initial {
            return Err(Error::invalid("longest retry delay must not be shorter than the initial one"));
        }
        Ok(Self { initial, multiplier, cap, jitter: 0.0 })
    }

    /// Draws each delay from its length and up to `share` (0 to 1) less, so that clients that failed together do not
    /// come back together.
    #[must_use]
    pub fn with_jitter(mut self, share: f64) -> Self {
        self.jitter = share.clamp(0.0, 1.0);
        self
    }

    /// The delay after the `attempt`-th failure in a row, counted from 1, without jitter.
    pub fn delay(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        if seconds >= self.cap.as_secs_f64() { self.cap } else { Duration::from_secs_f64(seconds) }
    }

    fn drawn(&self, attempt: u32) -> Duration {
        let delay = self.delay(attempt);
        if self.jitter == 0.0 { delay } else { delay.mul_f64(1.0 - self.jitter * rand::random::<f64>()) }
    }
}

/// Failures in a row, and the delay that follows from them.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    schedule: RetrySchedule,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new(schedule: RetrySchedule) -> Self {
        Self { schedule, attempt: 0 }
    }

    /// Failures since the last success.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn succeeded(&mut self) {
        self.attempt = 0;
    }

    /// Counts a failure and says how long to wait: never less than the server asked for.
    pub(crate) fn failed(&mut self, error: &Error) -> Duration {
        self.attempt = self.attempt.saturating_add(1);
        let asked = error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
        self.schedule.drawn(self.attempt).max(asked)
    }
}

/// `Retry-After`: seconds, or a date that is compared with this machine's clock.
pub(crate) fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds is longer than anything that is believed.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;

    fn unavailable(retry_after: Option<Duration>) -> Error {
        Error::Unavailable(Refusal { status: 503, retry_after, ..Refusal::default() })
    }

    #[test]
    fn delays_double_up_to_the_cap_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(RetrySchedule::default());
        let delays: Vec<u64> = (0..7).map(|_| backoff.failed(&unavailable(None)).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        backoff.succeeded();
        assert_eq!(backoff.failed(&unavailable(None)), Duration::from_secs(1));
        assert_eq!(RetrySchedule::default().delay(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn a_server_can_ask_for_a_longer_delay_but_not_for_ever() {
        let mut backoff = Backoff::new(RetrySchedule::default());
        assert_eq!(backoff.failed(&unavailable(Some(Duration::from_secs(7)))), Duration::from_secs(7));
        assert_eq!(backoff.failed(&unavailable(Some(Duration::ZERO))), Duration::from_secs(2));
        assert_eq!(backoff.failed(&unavailable(Some(Duration::MAX))), RETRY_AFTER_MAX);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(parse_retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(parse_retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:50:00 GMT", now), Some(Duration::from_secs(23)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
        assert_eq!(parse_retry_after("-1", now), None);
    }

    #[test]
    fn jitter_only_shortens_and_only_by_its_share() {
        let schedule = RetrySchedule::default().with_jitter(0.5);
        for _ in 0..100 {
            let drawn = schedule.drawn(2);
            assert!(drawn > Duration::from_millis(999) && drawn <= Duration::from_secs(2), "{drawn:?}");
        }
    }

    #[test]
    fn schedules_that_go_backwards_are_refused() {
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        assert!(RetrySchedule::new(Duration::ZERO, 2.0, two).is_err());
        assert!(RetrySchedule::new(one, 0.5, two).is_err());
        assert!(RetrySchedule::new(one, f64::NAN, two).is_err());
        assert!(RetrySchedule::new(two, 2.0, one).is_err());
    }
}
