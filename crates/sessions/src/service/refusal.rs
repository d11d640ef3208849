//! What the engine refuses, in the words of sessions.

use std::ops::ControlFlow;

use headwater_streams::{
    AppendError, CreateError, EngineError, ReadError, StepError, StoreError, TransactionError, TrimError,
};

use crate::error::{ProducerRefusal, SessionError};
use crate::id::SessionId;

impl From<EngineError> for SessionError {
    fn from(cause: EngineError) -> Self {
        match cause {
            EngineError::Overloaded => Self::Overloaded { why: cause.to_string().into() },
            EngineError::Stopping => Self::Unavailable { why: cause.to_string() },
            EngineError::Store(StoreError::Full) => Self::StoreFull,
            EngineError::Store(StoreError::Poisoned { cause }) => Self::StoreUnavailable { why: cause },
            EngineError::Store(cause @ StoreError::Closed) => Self::Unavailable { why: cause.to_string() },
            EngineError::Store(cause) => Self::Failed { why: cause.to_string() },
        }
    }
}

/// Why a transaction on a session did not happen.
#[derive(Debug)]
pub(super) enum Refused {
    /// The stream is not where it was thought to be: look again and decide again.
    Moved,
    /// For the caller to know.
    Told(SessionError),
}

impl<E: Into<SessionError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Told(error.into())
    }
}

/// The answer, unless it is to be decided again.
pub(super) fn settle<T>(outcome: Result<T, Refused>) -> ControlFlow<Result<T, SessionError>> {
    match outcome {
        Ok(answer) => ControlFlow::Break(Ok(answer)),
        Err(Refused::Told(error)) => ControlFlow::Break(Err(error)),
        Err(Refused::Moved) => ControlFlow::Continue(()),
    }
}

/// Others got ahead each time.
pub(super) fn contended(id: &SessionId) -> SessionError {
    SessionError::Unavailable { why: format!("the stream of session {id} is written to by others") }
}

/// Why a transaction whose first step is on the stream of session `id` was refused.
pub(super) fn transaction(id: &SessionId, error: TransactionError) -> Refused {
    let told = match error {
        TransactionError::Step { why: StepError::TailDiffers { .. } | StepError::AcceptedBefore { .. }, .. } => {
            return Refused::Moved;
        }
        TransactionError::Step { index: 0, why: StepError::Append(cause) } => append(id, cause),
        TransactionError::Engine(cause) => cause.into(),
        TransactionError::Step { .. } => SessionError::Unavailable { why: error.to_string() },
        TransactionError::TooManySteps(_) | TransactionError::TooManyBytes(_) => {
            SessionError::params("body", format!("is too large: {error}"))
        }
    };
    Refused::Told(told)
}

fn append(id: &SessionId, cause: AppendError) -> SessionError {
    match cause {
        AppendError::NotFound | AppendError::Gone => not_found(id),
        AppendError::Closed { .. } => SessionError::Closed { id: id.to_string() },
        AppendError::Fenced { current } => ProducerRefusal::Fenced { current }.into(),
        AppendError::EpochStart => ProducerRefusal::EpochStart.into(),
        AppendError::Gap { expected, received } => ProducerRefusal::Gap { expected, received }.into(),
        AppendError::TooManyProducers(limit) => ProducerRefusal::TooMany(limit).into(),
        AppendError::Engine(cause) => cause.into(),
        AppendError::ContentTypeDiffers(_) | AppendError::StreamSeqNotIncreasing => {
            SessionError::Unavailable { why: cause.to_string() }
        }
    }
}

/// Why the stream of session `id` could not be read.
pub(super) fn read(id: &SessionId, cause: ReadError) -> SessionError {
    match cause {
        ReadError::NotFound | ReadError::Gone => not_found(id),
        ReadError::TooManyReaders => SessionError::Overloaded { why: cause.to_string().into() },
        ReadError::Engine(cause) => cause.into(),
        ReadError::Trimmed { .. } | ReadError::NotAnOffset => SessionError::Failed { why: cause.to_string() },
    }
}

/// Why session `source` could not be forked.
pub(super) fn fork(source: &SessionId, cause: CreateError) -> SessionError {
    match cause {
        CreateError::SourceNotFound | CreateError::SourceDeleted => not_found(source),
        CreateError::ForkOffset { .. } | CreateError::ForkOffsetInsideMessage | CreateError::ForkSubOffset => {
            SessionError::params("offset", format!("must be one that the session handed out: {cause}"))
        }
        CreateError::TooManySpans(_) => SessionError::Full { what: cause.to_string() },
        CreateError::Engine(cause) => cause.into(),
        CreateError::Differs(_) | CreateError::PathHeld | CreateError::SourceContentType(_) => {
            SessionError::Unavailable { why: cause.to_string() }
        }
    }
}

/// Why the stream of session `id` was not trimmed; `None` when it stays as it is for its forks or has ended.
pub(super) fn trim(cause: TrimError) -> Option<SessionError> {
    match cause {
        TrimError::HasForks(_) | TrimError::NotFound | TrimError::Gone => None,
        TrimError::Engine(cause) => Some(cause.into()),
        TrimError::PastTail { .. } | TrimError::InsideMessage => Some(SessionError::Failed { why: cause.to_string() }),
    }
}

pub(super) fn not_found(id: &SessionId) -> SessionError {
    SessionError::NotFound { id: id.to_string() }
}
