//! Cursors, which keep caches from answering a live reader with the same empty page for ever (protocol section 10.1).

use std::fmt;

/// Length of one interval, in seconds.
pub const CURSOR_INTERVAL_SECONDS: u64 = 20;
/// When interval 0 began, in Unix milliseconds: 2024-10-09T00:00:00Z.
pub const CURSOR_EPOCH_MS: u64 = 1_728_432_000_000;
/// Longest random step ahead of a client's cursor, in seconds.
pub const CURSOR_JITTER_SECONDS_MAX: u32 = 3600;

/// The number of an interval since [`CURSOR_EPOCH_MS`]; a decimal number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(u64);

impl Cursor {
    /// The cursor for an answer at `now_ms` (Unix milliseconds) to a client that sent `client_cursor`.
    ///
    /// It is the current interval, unless the client is there already or ahead: then it lies beyond the client's by
    /// `jitter_seconds`, which the caller draws at random from 1 to [`CURSOR_JITTER_SECONDS_MAX`] (others are taken as
    /// the nearest of these), and by one interval at least. A client's text that is no interval number (not decimal, or
    /// too large to step past) counts as absent.
    pub fn at(now_ms: u64, client_cursor: Option<&str>, jitter_seconds: u32) -> Self {
        let current = now_ms.saturating_sub(CURSOR_EPOCH_MS) / (CURSOR_INTERVAL_SECONDS * 1000);
        let jitter = u64::from(jitter_seconds.clamp(1, CURSOR_JITTER_SECONDS_MAX));
        let step = (jitter / CURSOR_INTERVAL_SECONDS).max(1);
        let beyond_client = client_cursor
            .and_then(parse_interval)
            .filter(|&client| client >= current)
            .and_then(|client| client.checked_add(step));
        Self(beyond_client.unwrap_or(current))
    }

    /// The interval's number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn parse_interval(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON_MS: u64 = CURSOR_EPOCH_MS + 12 * 3600 * 1000;

    #[test]
    fn a_new_client_gets_the_current_interval() {
        assert_eq!(Cursor::at(CURSOR_EPOCH_MS, None, 1).to_string(), "0");
        assert_eq!(Cursor::at(CURSOR_EPOCH_MS + 19_999, None, 1).get(), 0);
        assert_eq!(Cursor::at(CURSOR_EPOCH_MS + 20_000, None, 1).get(), 1);
        assert_eq!(Cursor::at(NOON_MS, Some("2159"), 1).get(), 2160);
        assert_eq!(Cursor::at(0, None, 1).get(), 0, "a clock before the epoch");
    }

    #[test]
    fn a_client_at_or_ahead_of_the_interval_is_moved_on() {
        assert_eq!(Cursor::at(NOON_MS, Some("2160"), 1).get(), 2161);
        assert_eq!(Cursor::at(NOON_MS, Some("2160"), 3600).get(), 2340);
        assert_eq!(Cursor::at(NOON_MS, Some("5000"), 45).get(), 5002);
    }

    #[test]
    fn texts_that_are_no_interval_numbers_count_as_absent() {
        let max = u64::MAX.to_string();
        for text in ["", "abc", "-1", "+9999", "1e9", "9999.0", " 9999", "９９９９", &max, "99999999999999999999999"]
        {
            assert_eq!(Cursor::at(NOON_MS, Some(text), 3600).get(), 2160, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_answer_is_never_behind_the_clock_and_always_past_the_client(
            now_ms in any::<u64>(), client in 0..u64::MAX - 180, jitter in any::<u32>(),
        ) {
            let current = Cursor::at(now_ms, None, jitter);
            let answer = Cursor::at(now_ms, Some(&client.to_string()), jitter);
            prop_assert!(answer >= current);
            prop_assert!(answer.get() > client || client < current.get());
            prop_assert!(answer.get() <= client.max(current.get()).saturating_add(180));
        }
    }
}
