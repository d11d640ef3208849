//! How a session's connection is doing, for those who show it.

use tokio::time::Instant;

use super::super::SessionError;
use crate::Offset;

/// A followed session at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionStatus {
    /// What the connection is doing.
    pub state: ConnectionState,
    /// Failures since the last success; 0 while all is well.
    pub attempt: u32,
    /// When it is tried again, while that is waited for.
    pub next_retry: Option<Instant>,
    /// Up to where everything has been taken in.
    pub offset: Offset,
    /// Whether everything there was has been told once.
    pub caught_up: bool,
    /// How often history was lost between two connections, and the rows built anew.
    pub discontinuities: u64,
    /// Why it waits or gave up.
    pub error: Option<SessionError>,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Nothing yet.
    Initial,
    /// It is made for the first time.
    Connecting,
    /// Events come as they happen.
    Connected,
    /// It was lost and is made again.
    Reconnecting,
    /// It was given up; the error says why.
    Disconnected,
    /// The session is closed and all of it was told.
    Closed,
}

impl ConnectionState {
    /// Whether nothing will come any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Disconnected | Self::Closed)
    }
}

impl SessionStatus {
    pub(crate) fn initial() -> Self {
        Self {
            state: ConnectionState::Initial,
            attempt: 0,
            next_retry: None,
            offset: Offset::start(),
            caught_up: false,
            discontinuities: 0,
            error: None,
        }
    }
}
