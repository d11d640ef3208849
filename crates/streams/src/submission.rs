//! What waits in the committer's queue, and the answers it owes.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{Offset, StreamPath};
use tokio::sync::oneshot;

use crate::change::DocumentKey;
use crate::head::StreamId;
use crate::live::Live;
use crate::mailbox::{Addressed, Mailbox};
use crate::operation::{
    Append, AppendError, Appended, Create, CreateError, Created, DeleteError, EngineError, TrimError,
};
use crate::step::{Step, StepDone, TransactionError};
use crate::store::StoreError;

/// Where an answer goes: to whoever waits for it, on their thread.
pub(crate) type Reply<T> = Addressed<oneshot::Sender<T>>;

/// A place for an answer to the current thread, and what waits for it.
pub(crate) fn expect_answer<T>() -> (Reply<T>, oneshot::Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    (Addressed::here(sender), receiver)
}

pub(crate) type Transacted = Result<Vec<StepDone>, TransactionError>;

pub(crate) type Documents = Vec<(DocumentKey, Option<Bytes>)>;

/// One request to the committer.
#[derive(Debug)]
pub(crate) enum Submission {
    Append(Append, Reply<Result<Appended, AppendError>>),
    /// `fork_at` is the source as it was looked at and the fork point found there; `None` unless it is a fork whose
    /// target does not exist yet.
    Create {
        create: Create,
        fork_at: Option<(StreamId, Offset)>,
        reply: Reply<Result<Created, CreateError>>,
    },
    Delete(StreamPath, Reply<Result<(), DeleteError>>),
    /// The position lies between messages of this incarnation.
    Trim(StreamPath, StreamId, Offset, Reply<Result<Offset, TrimError>>),
    /// Brings a stream into memory for readers.
    Activate(StreamPath, Reply<Result<Option<Arc<Live>>, StoreError>>),
    Documents(Documents, Reply<Result<(), EngineError>>),
    /// Within the limits, and without forks.
    Transact(Vec<Step>, Reply<Transacted>),
    /// Records a reader's access, so that a sliding lifetime survives a restart.
    Touch(StreamPath),
    /// Removes the stream if its lifetime has run out.
    Reap(StreamPath),
    /// Forgets streams that nobody uses.
    Sweep,
    /// Finish what is queued, close the store, end.
    Stop(oneshot::Sender<Result<(), StoreError>>),
}

impl Submission {
    /// Streams whose heads the decision needs.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &StreamPath> {
        let (paths, steps): ([Option<&StreamPath>; 2], &[Step]) = match self {
            Self::Append(append, _) => ([Some(&append.path), None], &[]),
            Self::Create { create, .. } => ([Some(&create.path), create.fork.as_ref().map(|fork| &fork.source)], &[]),
            Self::Delete(path, _)
            | Self::Trim(path, ..)
            | Self::Activate(path, _)
            | Self::Touch(path)
            | Self::Reap(path) => ([Some(path), None], &[]),
            Self::Transact(steps, _) => ([None, None], steps),
            Self::Documents(..) | Self::Sweep | Self::Stop(_) => ([None, None], &[]),
        };
        paths.into_iter().flatten().chain(steps.iter().filter_map(Step::path))
    }

    /// How many operations it counts for.
    pub(crate) fn operations(&self) -> usize {
        match self {
            Self::Transact(steps, _) => steps.len().max(1),
            _ => 1,
        }
    }

    /// Payload bytes it holds in memory while it waits.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Append(append, _) => append.payload.len(),
            Self::Create { create, .. } => create.payload.len(),
            Self::Transact(steps, _) => steps.iter().map(Step::bytes).sum(),
            Self::Documents(documents, _) => {
                documents.iter().map(|(_, value)| value.as_ref().map_or(0, Bytes::len)).sum()
            }
            _ => 0,
        }
    }

    /// Whether it may lead to a write.
    pub(crate) fn may_write(&self) -> bool {
        !matches!(self, Self::Activate(..) | Self::Sweep | Self::Stop(_))
    }

    /// Answers that the store cannot do it.
    pub(crate) fn refuse(self, cause: StoreError) {
        match self {
            Self::Append(_, reply) => Answer::Append(reply, Err(AppendError::Engine(cause.into()))).send(),
            Self::Create { reply, .. } => Answer::Create(reply, Err(CreateError::Engine(cause.into()))).send(),
            Self::Delete(_, reply) => Answer::Delete(reply, Err(DeleteError::Engine(cause.into()))).send(),
            Self::Trim(_, _, _, reply) => Answer::Trim(reply, Err(TrimError::Engine(cause.into()))).send(),
            Self::Activate(_, reply) => Answer::Activate(reply, Err(cause)).send(),
            Self::Documents(_, reply) => Answer::Documents(reply, Err(cause.into())).send(),
            Self::Transact(_, reply) => Answer::Transact(reply, Err(TransactionError::Engine(cause.into()))).send(),
            Self::Touch(_) | Self::Reap(_) | Self::Sweep | Self::Stop(_) => {}
        }
    }
}

/// A decided answer. It is held back until everything it was decided on is durable.
#[derive(Debug)]
pub(crate) enum Answer {
    Append(Reply<Result<Appended, AppendError>>, Result<Appended, AppendError>),
    Create(Reply<Result<Created, CreateError>>, Result<Created, CreateError>),
    Delete(Reply<Result<(), DeleteError>>, Result<(), DeleteError>),
    Trim(Reply<Result<Offset, TrimError>>, Result<Offset, TrimError>),
    Activate(Reply<Result<Option<Arc<Live>>, StoreError>>, Result<Option<Arc<Live>>, StoreError>),
    Documents(Reply<Result<(), EngineError>>, Result<(), EngineError>),
    Transact(Reply<Transacted>, Transacted),
}

impl Answer {
    /// The mailbox of the thread that waits.
    pub(crate) fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        match self {
            Self::Append(reply, _) => reply.mailbox.as_ref(),
            Self::Create(reply, _) => reply.mailbox.as_ref(),
            Self::Delete(reply, _) => reply.mailbox.as_ref(),
            Self::Trim(reply, _) => reply.mailbox.as_ref(),
            Self::Activate(reply, _) => reply.mailbox.as_ref(),
            Self::Documents(reply, _) => reply.mailbox.as_ref(),
            Self::Transact(reply, _) => reply.mailbox.as_ref(),
        }
    }

    /// A caller that has gone away does not hear it; what was done stays done.
    pub(crate) fn send(self) {
        let heard = match self {
            Self::Append(reply, outcome) => reply.item.send(outcome).is_ok(),
            Self::Create(reply, outcome) => reply.item.send(outcome).is_ok(),
            Self::Delete(reply, outcome) => reply.item.send(outcome).is_ok(),
            Self::Trim(reply, outcome) => reply.item.send(outcome).is_ok(),
            Self::Activate(reply, outcome) => reply.item.send(outcome).is_ok(),
            Self::Documents(reply, outcome) => reply.item.send(outcome).is_ok(),
            Self::Transact(reply, outcome) => reply.item.send(outcome).is_ok(),
        };
        if !heard {
            tracing::trace!("an answer found its caller gone");
        }
    }

    /// Answers that it is unknown whether it happened, whatever was decided.
    pub(crate) fn failed(self, cause: &EngineError) -> Self {
        match self {
            Self::Append(reply, _) => Self::Append(reply, Err(AppendError::Engine(cause.clone()))),
            Self::Create(reply, _) => Self::Create(reply, Err(CreateError::Engine(cause.clone()))),
            Self::Delete(reply, _) => Self::Delete(reply, Err(DeleteError::Engine(cause.clone()))),
            Self::Trim(reply, _) => Self::Trim(reply, Err(TrimError::Engine(cause.clone()))),
            Self::Documents(reply, _) => Self::Documents(reply, Err(cause.clone())),
            Self::Transact(reply, _) => Self::Transact(reply, Err(TransactionError::Engine(cause.clone()))),
            reading @ Self::Activate(..) => reading,
        }
    }
}
