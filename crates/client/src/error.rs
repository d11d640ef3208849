//! What can go wrong, by what a caller would do about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::Offset;

/// What lies beneath an error.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why an operation, a reader or a producer failed.
///
/// URLs in errors lack their query, where tokens may be.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option, a URL or a header cannot be used; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// A function that makes a header or a query parameter failed; nothing was sent.
    #[error("{name} for a request could not be made: {cause}")]
    Fields {
        /// The header or parameter.
        name: String,
        /// What the function said.
        #[source]
        cause: Cause,
    },
    /// No connection; nothing was sent.
    #[error("no connection to {url}: {}", chain(cause))]
    Unreachable {
        /// The request's.
        url: String,
        /// What the system said.
        #[source]
        cause: Cause,
    },
    /// The connection broke between request and the end of the answer.
    #[error("connection to {url} broke: {}", chain(cause))]
    Interrupted {
        /// The request's.
        url: String,
        /// How it broke.
        #[source]
        cause: Cause,
    },
    /// No answer, or no more of it, in time.
    #[error("{url} was silent for {} ms", after.as_millis())]
    TimedOut {
        /// The request's.
        url: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// There is no such stream (404).
    #[error("{0}")]
    NotFound(Refusal),
    /// The stream is deleted, or the offset lies before what is kept (410).
    #[error("{0}")]
    Gone(Refusal),
    /// The stream is closed and takes no more (409).
    #[error("{refusal}")]
    Closed {
        /// What the server said.
        refusal: Refusal,
        /// Where the stream ends.
        tail: Option<Offset>,
    },
    /// `Stream-Seq` does not grow (409).
    #[error("{0}")]
    SequenceConflict(Refusal),
    /// The stream is there already and differs, or is of another content type (409).
    #[error("{0}")]
    Conflict(Refusal),
    /// A newer epoch of this producer has written (403).
    #[error("{refusal}; the current epoch is {epoch}")]
    Fenced {
        /// What the server said.
        refusal: Refusal,
        /// The epoch that holds.
        epoch: u64,
    },
    /// Requests of this producer are missing before this one (409).
    #[error("{refusal}; sequence number {expected} is missing before {received}")]
    Gap {
        /// What the server said.
        refusal: Refusal,
        /// The number that would be accepted.
        expected: u64,
        /// The number that was sent.
        received: u64,
    },
    /// Who asks is unknown (401) or may not do this (403).
    #[error("{0}")]
    Denied(Refusal),
    /// The server takes no such request (400, 413 and the like).
    #[error("{0}")]
    Refused(Refusal),
    /// The server cannot answer now (408, 425, 429, 5xx).
    #[error("{0}")]
    Unavailable(Refusal),
    /// An answer breaks the protocol.
    #[error("{url} broke the protocol: {what}")]
    Malformed {
        /// The request's.
        url: String,
        /// How.
        what: String,
    },
    /// A page, or an event, is larger than this client holds.
    #[error("{url} sent more than {limit} bytes up to one position")]
    TooLarge {
        /// The request's.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message is no JSON, or not of the type asked for.
    #[error("message is not of the expected form: {cause}")]
    Json {
        /// What the parser said.
        #[source]
        cause: Cause,
    },
    /// **Nobody knows whether the append was applied**: it may have been sent, and no answer says more. It was not
    /// tried again, because that might append twice. Read the stream to find out, or use a
    /// [`Producer`](crate::Producer), whose retries are recognised.
    #[error("append may or may not have been applied: {cause}")]
    Ambiguous {
        /// What happened to the request.
        #[source]
        cause: Arc<Error>,
    },
    /// The producer has ended: it was detached, or its runtime stopped.
    #[error("producer has ended")]
    Ended,
}

/// What a server said when it refused a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The request's URL without its query.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code of a problem document.
    pub code: Option<String>,
    /// What it says to people.
    pub detail: Option<String>,
    /// How long to wait, when the server said it.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.url, self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

/// Codes of refusals that come before anything is done.
const NEVER_STARTED: [&str; 3] = ["overloaded", "too_many_connections", "shutting_down"];

impl Error {
    /// What the server said, when it answered with a refusal.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NotFound(refusal)
            | Self::Gone(refusal)
            | Self::Closed { refusal, .. }
            | Self::SequenceConflict(refusal)
            | Self::Conflict(refusal)
            | Self::Fenced { refusal, .. }
            | Self::Gap { refusal, .. }
            | Self::Denied(refusal)
            | Self::Refused(refusal)
            | Self::Unavailable(refusal) => Some(refusal),
            Self::Ambiguous { cause } => cause.refusal(),
            _ => None,
        }
    }

    /// The HTTP status, when the server answered with a refusal.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }

    /// Whether the same request may succeed later without anybody doing anything about it.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Fields { .. }
                | Self::Unreachable { .. }
                | Self::Interrupted { .. }
                | Self::TimedOut { .. }
                | Self::Unavailable(_)
        )
    }

    /// Whether a request that failed with this may have been carried out.
    ///
    /// A 503 counts as a refusal only with a code that says so: proxies send it too, for requests that went through.
    pub fn may_have_been_applied(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::TimedOut { .. } | Self::Ambiguous { .. } => true,
            Self::Malformed { .. } | Self::TooLarge { .. } => true,
            Self::Unavailable(refusal) => {
                let never_started = refusal.code.as_deref().is_some_and(|code| NEVER_STARTED.contains(&code));
                !(matches!(refusal.status, 425 | 429) || never_started)
            }
            _ => false,
        }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    pub(crate) fn malformed(url: &str, what: impl Into<String>) -> Self {
        Self::Malformed { url: url.to_owned(), what: what.into() }
    }

    pub(crate) fn json(cause: serde_json::Error) -> Self {
        Self::Json { cause: Arc::new(cause) }
    }
}

/// An error with its causes: the outermost alone rarely says what went wrong.
fn chain(error: &Cause) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
