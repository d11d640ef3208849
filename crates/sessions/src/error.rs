//! Why a request to a session is refused. Only codes: the server knows which status each one has.

use std::borrow::Cow;
use std::fmt;

use headwater_protocol::{Epoch, Offset, ProducerSeq};
use thiserror::Error;

use crate::limits::EVENT_BYTES_MAX;

/// The stable code of a refusal, as clients compare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No such session.
    SessionNotFound,
    /// A position whose history is no longer kept.
    OffsetTrimmed,
    /// The server keeps no index to search.
    SearchOff,
    /// The session is closed.
    SessionClosed,
    /// The session's folded state, or the number of users in it, is at its limit.
    SessionFull,
    /// A stream behind the session could not be reached.
    SessionConnectionFailed,
    /// No space is left where sessions are stored.
    StoreFull,
    /// The store takes no changes.
    StoreUnavailable,
    /// A session's state could not be read or written.
    SessionSyncFailed,
    /// An id that cannot be one.
    InvalidId,
    /// A parameter that is missing or malformed.
    InvalidParams,
    /// An event or a body whose fields break a rule.
    ValidationError,
    /// An event over the limit.
    EventTooLarge,
    /// An event whose id is taken by a different one.
    EventConflict,
    /// Nobody is logged in.
    Unauthorized,
    /// Logged in, and still not allowed.
    Forbidden,
    /// Too many requests.
    RateLimited,
    /// A newer incarnation of the producer has written.
    ProducerFenced,
    /// The producer's sequence numbers do not follow each other.
    ProducerGap,
}

impl ErrorCode {
    /// As it stands in an answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionNotFound => "SESSION_NOT_FOUND",
            Self::OffsetTrimmed => "OFFSET_TRIMMED",
            Self::SearchOff => "SEARCH_OFF",
            Self::SessionClosed => "SESSION_CLOSED",
            Self::SessionFull => "SESSION_FULL",
            Self::SessionConnectionFailed => "SESSION_CONNECTION_FAILED",
            Self::StoreFull => "STORE_FULL",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::SessionSyncFailed => "SESSION_SYNC_FAILED",
            Self::InvalidId => "INVALID_ID",
            Self::InvalidParams => "INVALID_PARAMS",
            Self::ValidationError => "VALIDATION_ERROR",
            Self::EventTooLarge => "EVENT_TOO_LARGE",
            Self::EventConflict => "EVENT_CONFLICT",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::RateLimited => "RATE_LIMITED",
            Self::ProducerFenced => "PRODUCER_FENCED",
            Self::ProducerGap => "PRODUCER_GAP",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the rules refuse.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SessionError {
    /// No such session.
    #[error("session {id} does not exist")]
    NotFound {
        /// As asked for.
        id: String,
    },
    /// The agent has done nothing yet, in any session.
    #[error("agent {id} has no events")]
    AgentNotFound {
        /// As asked for.
        id: String,
    },
    /// Nobody keeps an index.
    #[error("the server keeps no index to search; start it with --sessions-sql FILE")]
    SearchOff,
    /// The position lies before what is kept.
    #[error("the offset lies before {earliest}, the earliest one kept")]
    Trimmed {
        /// Where reading can begin.
        earliest: Offset,
    },
    /// It takes no more events and no second close.
    #[error("session {id} is closed")]
    Closed {
        /// Which.
        id: String,
    },
    /// At a limit that grows with use.
    #[error("the session is full: {what}")]
    Full {
        /// Of what, with the limit.
        what: String,
    },
    /// An id that cannot be one.
    #[error("{name} {rule}")]
    InvalidId {
        /// Which id.
        name: &'static str,
        /// What it must be.
        rule: Cow<'static, str>,
    },
    /// A parameter.
    #[error("{name} {rule}")]
    InvalidParams {
        /// Which.
        name: &'static str,
        /// What it must be.
        rule: Cow<'static, str>,
    },
    /// A field of an event or of a body.
    #[error("{}{field} {rule}", At(*.event))]
    Validation {
        /// Place of the event in its array, from 0.
        event: Option<usize>,
        /// Which field, as a path: `cursor.x`.
        field: String,
        /// What it must be.
        rule: Cow<'static, str>,
    },
    /// Over the limit.
    #[error("{}event has {bytes} bytes; the limit is {EVENT_BYTES_MAX}", At(*.event))]
    TooLarge {
        /// Place of the event in its array, from 0.
        event: Option<usize>,
        /// Its size without insignificant white space.
        bytes: usize,
    },
    /// The id belongs to another event, or a tool call would go back in time.
    #[error("{}{channel} {id}: {what}", At(*.event))]
    Conflict {
        /// Place of the event in its array, from 0.
        event: Option<usize>,
        /// Its channel.
        channel: &'static str,
        /// Its id.
        id: String,
        /// What stands against it.
        what: &'static str,
    },
    /// The producer headers.
    #[error(transparent)]
    Producer(#[from] ProducerRefusal),
    /// Too much at once: nothing happened, and the same request may be sent again after a moment.
    #[error("too much at once: {why}")]
    Overloaded {
        /// Of what.
        why: Cow<'static, str>,
    },
    /// Nothing happened; the same request may be sent again.
    #[error("the session cannot be reached: {why}")]
    Unavailable {
        /// Why not.
        why: String,
    },
    /// Nothing happened: there is no space. What is stored can be read.
    #[error("the server has no space left; what is stored can still be read")]
    StoreFull,
    /// The store failed before: it takes no changes until it is opened again.
    #[error("the store takes no changes since it failed or was found damaged; what is healthy can be read")]
    StoreUnavailable {
        /// What failed first, for the log.
        why: String,
    },
    /// The store failed: what was asked may have happened or not.
    #[error("the session cannot be read or written: {why}")]
    Failed {
        /// The cause.
        why: String,
    },
}

/// Why the producer headers of a request are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProducerRefusal {
    /// A newer incarnation of the producer has written.
    #[error("the producer's epoch is stale; the current one is {current}")]
    Fenced {
        /// The epoch in force.
        current: Epoch,
    },
    /// A new epoch did not begin at 0.
    #[error("a new producer epoch starts at sequence 0")]
    EpochStart,
    /// Requests are missing before this one.
    #[error("expected producer sequence {expected}, received {received}")]
    Gap {
        /// The next acceptable sequence number.
        expected: ProducerSeq,
        /// The one sent.
        received: ProducerSeq,
    },
    /// The session remembers as many producers as it may.
    #[error("the session has {0} producers, which is the limit")]
    TooMany(usize),
}

/// Prefix that says which event of an array is meant.
struct At(Option<usize>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |index| write!(f, "event {index}: "))
    }
}

impl SessionError {
    /// A field against a rule.
    pub(crate) fn field(field: impl Into<String>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::Validation { event: None, field: field.into(), rule: rule.into() }
    }

    /// A parameter against a rule.
    pub(crate) fn params(name: &'static str, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidParams { name, rule: rule.into() }
    }

    /// The same, told of the event at `index` of an array.
    #[must_use]
    pub(crate) fn in_event(mut self, index: usize) -> Self {
        match &mut self {
            Self::Validation { event, .. } | Self::TooLarge { event, .. } | Self::Conflict { event, .. } => {
                *event = Some(index);
            }
            _ => {}
        }
        self
    }

    /// Its stable code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } | Self::AgentNotFound { .. } => ErrorCode::SessionNotFound,
            Self::SearchOff => ErrorCode::SearchOff,
            Self::Trimmed { .. } => ErrorCode::OffsetTrimmed,
            Self::Closed { .. } => ErrorCode::SessionClosed,
            Self::Full { .. } => ErrorCode::SessionFull,
            Self::InvalidId { .. } => ErrorCode::InvalidId,
            Self::InvalidParams { .. } => ErrorCode::InvalidParams,
            Self::Validation { .. } => ErrorCode::ValidationError,
            Self::TooLarge { .. } => ErrorCode::EventTooLarge,
            Self::Conflict { .. } => ErrorCode::EventConflict,
            Self::Producer(ProducerRefusal::Fenced { .. }) => ErrorCode::ProducerFenced,
            Self::Producer(ProducerRefusal::Gap { .. } | ProducerRefusal::EpochStart) => ErrorCode::ProducerGap,
            Self::Producer(ProducerRefusal::TooMany(_)) => ErrorCode::SessionFull,
            Self::Overloaded { .. } => ErrorCode::RateLimited,
            Self::Unavailable { .. } => ErrorCode::SessionConnectionFailed,
            Self::StoreFull => ErrorCode::StoreFull,
            Self::StoreUnavailable { .. } => ErrorCode::StoreUnavailable,
            Self::Failed { .. } => ErrorCode::SessionSyncFailed,
        }
    }

    /// The place of the refused event in its array.
    pub const fn event(&self) -> Option<usize> {
        match self {
            Self::Validation { event, .. } | Self::TooLarge { event, .. } | Self::Conflict { event, .. } => *event,
            _ => None,
        }
    }

    /// The field or the parameter that broke a rule.
    pub fn field_name(&self) -> Option<&str> {
        match self {
            Self::Validation { field, .. } => Some(field),
            Self::InvalidParams { name, .. } | Self::InvalidId { name, .. } => Some(name),
            _ => None,
        }
    }
}
