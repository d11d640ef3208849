//! Refusals of the sessions API, by their stable codes.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

use crate::{Error, Refusal};

/// Why an operation on sessions failed.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum SessionError {
    /// The server refused it and said why.
    #[error("{0}")]
    Refused(Refused),
    /// There was no answer that says more.
    #[error(transparent)]
    Client(#[from] Error),
    /// An optimistic write was not acknowledged in time. It may have been applied all the same; then its rows come
    /// through the stream.
    #[error("the write was not acknowledged within {} s", after.as_secs())]
    Unacknowledged {
        /// How long it was waited for.
        after: Duration,
    },
    /// Too many writes are under way.
    #[error("more than {limit} writes are under way")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// The event is larger than any server takes.
    #[error("event of {bytes} bytes is larger than {limit}")]
    EventTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The session is followed no more, or the outbox is closed.
    #[error("the session is followed no more")]
    Ended,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Refused {
    /// Stable, for programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// What it is about: `field`, `event`, `earliest`.
    pub details: Map<String, Value>,
    /// The HTTP status.
    pub status: u16,
    /// How long to wait, when the server said it.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match self.field() {
            Some(field) if !self.message.contains(field) => write!(f, " ({field})"),
            _ => Ok(()),
        }
    }
}

impl Refused {
    /// The field it is about.
    pub fn field(&self) -> Option<&str> {
        self.details.get("field")?.as_str()
    }

    /// The place of the event it is about, in an array.
    pub fn event(&self) -> Option<usize> {
        usize::try_from(self.details.get("event")?.as_u64()?).ok()
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// The stable code of a refusal.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// One that this version does not know.
            Other(String),
        }

        impl ErrorCode {
            /// As it stands in answers.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// A query parameter, or the body as a whole.
    InvalidParams = "INVALID_PARAMS",
    /// An id that no session can have.
    InvalidId = "INVALID_ID",
    /// A field of the body.
    Validation = "VALIDATION_ERROR",
    /// The session takes no more events, and no second close.
    SessionClosed = "SESSION_CLOSED",
    /// Nobody is logged in.
    Unauthorized = "UNAUTHORIZED",
    /// Not allowed.
    Forbidden = "FORBIDDEN",
    /// A newer epoch of the producer has written.
    ProducerFenced = "PRODUCER_FENCED",
    /// There is no such session.
    SessionNotFound = "SESSION_NOT_FOUND",
    /// The server keeps no index.
    SearchOff = "SEARCH_OFF",
    /// The id belongs to another event, or a tool call would go back in time.
    EventConflict = "EVENT_CONFLICT",
    /// Requests of the producer are missing.
    ProducerGap = "PRODUCER_GAP",
    /// A limit of the session is reached.
    SessionFull = "SESSION_FULL",
    /// The events there have expired.
    OffsetTrimmed = "OFFSET_TRIMMED",
    /// An event is too large.
    EventTooLarge = "EVENT_TOO_LARGE",
    /// Too much at once.
    RateLimited = "RATE_LIMITED",
    /// The store failed; what was asked may have happened or not.
    SessionSyncFailed = "SESSION_SYNC_FAILED",
    /// Nothing happened, and the same request may be sent again.
    SessionConnectionFailed = "SESSION_CONNECTION_FAILED",
    /// The store takes no changes.
    StoreUnavailable = "STORE_UNAVAILABLE",
    /// No space is left.
    StoreFull = "STORE_FULL",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Map<String, Value>,
}

impl SessionError {
    /// The stable code, when the server said one.
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Refused(refused) => Some(&refused.code),
            _ => None,
        }
    }

    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refused) => Some(refused.status),
            Self::Client(error) => error.status(),
            _ => None,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything about it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refused) => is_transient(refused.status),
            Self::Client(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether a request that failed with this may have been carried out.
    pub fn may_have_been_applied(&self) -> bool {
        use ErrorCode::{SessionConnectionFailed, StoreFull, StoreUnavailable};
        match self {
            Self::Refused(refused) => {
                let is_certain = matches!(refused.code, SessionConnectionFailed | StoreFull | StoreUnavailable);
                refused.status >= 500 && !is_certain
            }
            Self::Client(error) => error.may_have_been_applied(),
            Self::Unacknowledged { .. } => true,
            Self::Busy { .. } | Self::EventTooLarge { .. } | Self::Ended => false,
        }
    }

    /// Whether there is no such session.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Client(Error::NotFound(_))) || self.code() == Some(&ErrorCode::SessionNotFound)
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refused) => refused.retry_after,
            Self::Client(error) => error.retry_after(),
            _ => None,
        }
    }

    /// What an answer with this body means.
    pub(crate) fn of(refusal: Refusal, body: &[u8]) -> Self {
        if let Ok(Envelope { error }) = serde_json::from_slice(body) {
            return Self::Refused(Refused {
                code: ErrorCode::from(error.code.as_str()),
                message: error.message,
                details: error.details,
                status: refusal.status,
                retry_after: refusal.retry_after,
            });
        }
        Self::Client(match refusal.status {
            401 | 403 => Error::Denied(refusal),
            404 => Error::NotFound(refusal),
            410 => Error::Gone(refusal),
            status if is_transient(status) => Error::Unavailable(refusal),
            _ => Error::Refused(refusal),
        })
    }
}

const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}
