//! What a reader is doing, for those who show it.

use tokio::time::Instant;

use crate::{Error, Offset};

/// A reader at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReaderStatus {
    /// What it is doing.
    pub state: ReaderState,
    /// Failures since the last success; 0 while all is well.
    pub attempt: u32,
    /// When it tries again, while it waits.
    pub next_retry: Option<Instant>,
    /// Where the next batch starts.
    pub offset: Offset,
    /// Why it waits or gave up.
    pub error: Option<Error>,
}

/// What a reader is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReaderState {
    /// It has not been polled, or its first request is on its way.
    Initial,
    /// It reads what is there already.
    CatchingUp,
    /// It waits for what comes, by SSE.
    LiveSse,
    /// It waits for what comes, by long-poll.
    LiveLongPoll,
    /// It lost its connection and comes back.
    Reconnecting,
    /// It has reached the end of a closed stream, or the tail with `Mode::CatchUp`.
    Ended,
    /// It gave up; the error says why.
    Failed,
}

impl ReaderState {
    /// Whether it has caught up and waits for what comes.
    pub fn is_live(self) -> bool {
        matches!(self, Self::LiveSse | Self::LiveLongPoll)
    }
}

impl ReaderStatus {
    pub(crate) fn initial(offset: Offset) -> Self {
        Self { state: ReaderState::Initial, attempt: 0, next_retry: None, offset, error: None }
    }
}
