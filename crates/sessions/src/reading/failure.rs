//! What the streams below refuse, in the words of sessions.

use headwater_protocol::StreamPath;
use headwater_streams::{EngineError, ReadError};

use crate::error::SessionError;
use crate::id::{AgentId, SessionId};

/// Whose stream is read: what errors name.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// A session's.
    Session(SessionId),
    /// An agent's.
    Agent(AgentId),
}

impl Subject {
    pub(super) fn stream(&self) -> StreamPath {
        match self {
            Self::Session(id) => id.stream(),
            Self::Agent(id) => id.stream(),
        }
    }

    /// Why reading failed.
    pub(super) fn error(&self, cause: ReadError) -> SessionError {
        match cause {
            ReadError::NotFound | ReadError::Gone => self.not_found(),
            ReadError::Trimmed { earliest } => SessionError::Trimmed { earliest },
            ReadError::NotAnOffset => SessionError::params("offset", "must be one that was handed out here"),
            ReadError::TooManyReaders => SessionError::Overloaded { why: "too many live readers".into() },
            ReadError::Engine(EngineError::Overloaded) => {
                SessionError::Overloaded { why: EngineError::Overloaded.to_string().into() }
            }
            ReadError::Engine(cause @ EngineError::Stopping) => SessionError::Unavailable { why: cause.to_string() },
            ReadError::Engine(EngineError::Store(cause)) => SessionError::Failed { why: cause.to_string() },
        }
    }

    fn not_found(&self) -> SessionError {
        match self {
            Self::Session(id) => SessionError::NotFound { id: id.to_string() },
            Self::Agent(id) => SessionError::AgentNotFound { id: id.to_string() },
        }
    }
}
