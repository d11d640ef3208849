//! Several operations as one durable step: what is asked, and what is answered.

use bytes::Bytes;
use headwater_protocol::{Epoch, Offset, ProducerSeq, StreamPath};
use thiserror::Error;

use crate::change::DocumentKey;
use crate::limits::{TRANSACTION_BYTES_MAX, TRANSACTION_STEPS_MAX};
use crate::operation::{Append, AppendError, Appended, Create, CreateError, Created, EngineError};

/// One of the operations that [`Engine::transact`](crate::Engine::transact) does together.
#[derive(Debug, Clone)]
pub enum Step {
    /// Append, close, or both.
    Append {
        /// As it would be asked for alone.
        append: Append,
        /// Do it only when this is the stream's tail, as earlier steps leave it.
        expected_tail: Option<Offset>,
    },
    /// Create a stream, or make sure that it exists as described. Not a fork.
    Create(Create),
    /// Set a document.
    PutDocument {
        /// Its name.
        key: DocumentKey,
        /// Opaque to the engine.
        value: Bytes,
    },
    /// Remove a document; nothing happens when there is none.
    RemoveDocument {
        /// Its name.
        key: DocumentKey,
    },
}

/// What became of a step.
///
/// A step that names a producer is known by its stamp. When all of a transaction's stamped appends were accepted
/// before, the transaction is a duplicate: nothing is done again, and each of those appends is answered
/// [`Appended::Duplicate`] with the highest sequence number.
#[derive(Debug, Clone)]
pub enum StepDone {
    /// The append is durable. In a duplicate transaction, an append without a producer is a duplicate too.
    Appended(Appended),
    /// The stream exists. In a duplicate transaction, it is not new and may have changed since.
    Created(Created),
    /// The document is as the step says.
    DocumentWritten,
    /// The transaction is a duplicate, and there is no tail to tell: a document, or a stream that has ended since.
    Known,
}

/// Why a transaction was refused: nothing of it has happened.
#[derive(Debug, Clone, Error)]
pub enum TransactionError {
    /// A step cannot be done.
    #[error("step {index}: {why}")]
    Step {
        /// Which one, from 0.
        index: usize,
        /// Why not.
        #[source]
        why: StepError,
    },
    /// More steps than one transaction may have.
    #[error("{0} steps in one transaction; the limit is {TRANSACTION_STEPS_MAX}")]
    TooManySteps(usize),
    /// More bytes, names included, than one transaction may have.
    #[error("{0} bytes in one transaction; the limit is {TRANSACTION_BYTES_MAX}")]
    TooManyBytes(usize),
    /// Anything else. After a failure of the store, it is unknown whether the transaction happened.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a step cannot be done.
#[derive(Debug, Clone, Error)]
pub enum StepError {
    /// The append is refused, as it would be alone.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The creation is refused, as it would be alone.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A fork cannot be made in a transaction.
    #[error("a fork cannot be made in a transaction")]
    Fork,
    /// The stream has another tail than the step says.
    #[error("expected the tail {expected}, which is {tail}")]
    TailDiffers {
        /// What the step said.
        expected: Offset,
        /// The tail.
        tail: Offset,
    },
    /// The producer's request was accepted before, and another one of this transaction was not: this transaction is
    /// not a repeated one.
    #[error("the producer's request was accepted before, in another transaction")]
    AcceptedBefore {
        /// The tail as it stands.
        next: Offset,
        /// The highest accepted sequence number.
        highest: (Epoch, ProducerSeq),
    },
}

impl Step {
    /// The stream it needs.
    pub(crate) fn path(&self) -> Option<&StreamPath> {
        match self {
            Self::Append { append, .. } => Some(&append.path),
            Self::Create(create) => Some(&create.path),
            Self::PutDocument { .. } | Self::RemoveDocument { .. } => None,
        }
    }

    /// Bytes it holds, names included.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append { append, .. } => {
                let producer = append.producer.as_ref().map_or(0, |stamp| stamp.id.as_str().len());
                let seq = append.stream_seq.as_ref().map_or(0, |seq| seq.as_bytes().len());
                // A producer that closes a stream is named twice.
                append.payload.len() + append.path.as_str().len() + 2 * producer + seq
            }
            Self::Create(create) => {
                let content_type = create.content_type.as_ref().map_or(0, |sent| sent.as_str().len());
                create.payload.len() + create.path.as_str().len() + content_type
            }
            Self::PutDocument { key, value } => key.0.len() + value.len(),
            Self::RemoveDocument { key } => key.0.len(),
        }
    }
}

/// Refuses what no stream needs to be looked at for.
pub(crate) fn check(steps: &[Step]) -> Result<(), TransactionError> {
    if steps.len() > TRANSACTION_STEPS_MAX {
        return Err(TransactionError::TooManySteps(steps.len()));
    }
    let bytes = steps.iter().map(Step::bytes).sum();
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(TransactionError::TooManyBytes(bytes));
    }
    let is_fork = |step: &Step| matches!(step, Step::Create(create) if create.fork.is_some());
    match steps.iter().position(is_fork) {
        Some(index) => Err(TransactionError::Step { index, why: StepError::Fork }),
        None => Ok(()),
    }
}

impl TransactionError {
    /// Step `index` cannot be done.
    pub(crate) fn at(index: usize, why: StepError) -> Self {
        match why {
            StepError::Append(AppendError::Engine(cause)) | StepError::Create(CreateError::Engine(cause)) => {
                Self::Engine(cause)
            }
            why => Self::Step { index, why },
        }
    }
}
