//! The model's operations put to an engine, and its answers in the model's words.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use headwater_protocol::{Lifetime, Offset, ReadFrom, TtlSeconds};
use headwater_streams::{
    Append, AppendError, Appended, Create, CreateError, DeleteError, DocumentKey, ReadError, Step, StepDone, StepError,
    TransactionError, TrimError,
};

use crate::model::{Answer, Kind, Life, Operation, TransactionStep};
use crate::reopen::Reopen;
use crate::stage::{self, Stage};

/// An operation under way: submitted by its first poll.
pub(super) struct Asked<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + 'a>>,
    early: Option<Answer>,
}

impl<'a> Asked<'a> {
    pub(super) fn new<R: Reopen>(stage: &'a Stage<R>, number: usize, operation: &'a Operation) -> Self {
        Self { future: Box::pin(ask(stage, number, operation)), early: None }
    }

    pub(super) async fn poll_once(&mut self) {
        self.early = poll_fn(|cx| match self.future.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
    }

    pub(super) async fn answer(self) -> Answer {
        match self.early {
            Some(answer) => answer,
            None => self.future.await,
        }
    }
}

async fn ask<R: Reopen>(stage: &Stage<R>, number: usize, operation: &Operation) -> Answer {
    let outcome = match operation {
        Operation::Create { .. } => created(stage.engine.create(creation(operation)).await),
        Operation::Fork { name, source, offset, sub_offset } => {
            created(stage.engine.create(stage::fork_at(name, source, *offset, *sub_offset)).await)
        }
        Operation::Append { .. } => appended(stage.engine.append(request(operation)).await),
        Operation::Delete { name } => {
            stage.engine.delete(&stage::path(name)).await.map_err(deletion).map(|()| Answer::Deleted)
        }
        Operation::Trim { name, to } => {
            let earliest = stage.engine.trim(&stage::path(name), Offset::new(*to)).await;
            earliest.map_err(trimming).map(|earliest| Answer::Trimmed { earliest: earliest.get() })
        }
        Operation::Read { name, from } if number.is_multiple_of(2) => {
            read_pages(stage, name, *from).await.map_err(reading)
        }
        Operation::Read { name, from } => read_live(stage, name, *from).await.map_err(reading),
        Operation::Look { name } => {
            let seen = stage.engine.metadata(&stage::path(name)).await;
            seen.map_err(reading).map(|seen| Answer::Seen { tail: seen.tail.get(), closed: seen.closed })
        }
        Operation::Transact { steps } => {
            return transacted(stage.engine.transact(steps.iter().map(transaction_step).collect()).await);
        }
        Operation::Documents => {
            let documents = stage.engine.documents("").await.expect("a sound store tells its documents");
            let text = |value: bytes::Bytes| String::from_utf8(value.to_vec()).expect("values are text");
            Ok(Answer::Documents(documents.into_iter().map(|(key, value)| (key.0.to_string(), text(value))).collect()))
        }
    };
    outcome.unwrap_or_else(Answer::Refused)
}

fn described(name: &str, kind: Kind) -> Create {
    match kind {
        Kind::Text => stage::text(name),
        Kind::Json => stage::json_stream(name),
    }
}

fn lifetime(life: Life) -> Option<Lifetime> {
    match life {
        Life::Forever => None,
        Life::Sliding(ms) => Some(Lifetime::Sliding(TtlSeconds(ms / 1000))),
        Life::Until(at_ms) => Some(Lifetime::Until { at_ms: at_ms as i64 }),
    }
}

fn creation(operation: &Operation) -> Create {
    let Operation::Create { name, kind, life, payload, closed } = operation else {
        unreachable!("only creations are described")
    };
    let payload = payload.clone().into();
    Create { lifetime: lifetime(*life), payload, closed: *closed, ..described(name, *kind) }
}

fn transaction_step(step: &TransactionStep) -> Step {
    match step {
        TransactionStep::Stream { operation: operation @ Operation::Create { .. }, .. } => {
            Step::Create(creation(operation))
        }
        TransactionStep::Stream { operation, expected_tail } => {
            Step::Append { append: request(operation), expected_tail: expected_tail.map(Offset::new) }
        }
        TransactionStep::Document { key, value } => {
            let key = DocumentKey((*key).into());
            match value {
                Some(value) => Step::PutDocument { key, value: (*value).into() },
                None => Step::RemoveDocument { key },
            }
        }
    }
}

fn request(operation: &Operation) -> Append {
    let Operation::Append { name, kind, payload, close, stamp, mark } = operation else {
        unreachable!("only appends are requested")
    };
    Append {
        content_type: described(name, *kind).content_type,
        close: *close,
        producer: stamp.map(|stamp| stage::stamp(stamp.id, stamp.epoch, stamp.seq)),
        stream_seq: mark.and_then(stage::stream_seq),
        ..stage::append(name, payload.clone())
    }
}

async fn read_pages<R: Reopen>(stage: &Stage<R>, name: &str, from: u64) -> Result<Answer, ReadError> {
    let mut all = Vec::new();
    let mut from = Offset::new(from);
    loop {
        let (page, bytes) = stage.page(name, ReadFrom::At(from)).await?;
        all.extend_from_slice(&bytes);
        if page.up_to_date {
            return Ok(Answer::Bytes { bytes: all, closed: page.closed });
        }
        assert!(page.next > from && !page.closed, "a partial page brings something and is not the end");
        from = page.next;
    }
}

async fn read_live<R: Reopen>(stage: &Stage<R>, name: &str, from: u64) -> Result<Answer, ReadError> {
    let mut follower = stage.engine.follow(&stage::path(name), stage::at(from)).await?;
    let mut all = Vec::new();
    loop {
        let (at_tail, closed) = follower.at_tail();
        if at_tail {
            assert_eq!(stage::is_waiting(&mut follower), !closed, "who is caught up waits, unless it is the end");
            return Ok(Answer::Bytes { bytes: all, closed });
        }
        all.extend_from_slice(&stage::next(&mut follower).await.bytes);
    }
}

fn created(outcome: Result<headwater_streams::Created, CreateError>) -> Result<Answer, &'static str> {
    match outcome {
        Ok(created) => {
            let tail = created.metadata.tail.get();
            Ok(Answer::Created { is_new: created.is_new, tail, closed: created.metadata.closed })
        }
        Err(CreateError::Differs(_)) => Err("differs"),
        Err(CreateError::PathHeld) => Err("path held"),
        Err(CreateError::SourceNotFound) => Err("no source"),
        Err(CreateError::SourceDeleted) => Err("source deleted"),
        Err(CreateError::ForkOffset { .. }) => Err("fork offset"),
        Err(CreateError::ForkOffsetInsideMessage) => Err("fork offset inside"),
        Err(CreateError::ForkSubOffset) => Err("fork sub-offset"),
        Err(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn appended(outcome: Result<Appended, AppendError>) -> Result<Answer, &'static str> {
    match outcome {
        Ok(Appended::Written { next, closed }) => Ok(Answer::Written { tail: next.get(), closed }),
        Ok(Appended::Duplicate { next, closed, highest }) => {
            let highest = highest.map(|(epoch, seq)| (epoch.get(), seq.get()));
            Ok(Answer::Duplicate { tail: next.get(), closed, highest })
        }
        Err(AppendError::NotFound) => Err("not found"),
        Err(AppendError::Gone) => Err("gone"),
        Err(AppendError::Closed { .. }) => Err("closed"),
        Err(AppendError::ContentTypeDiffers(_)) => Err("type"),
        Err(AppendError::StreamSeqNotIncreasing) => Err("stream-seq"),
        Err(AppendError::Fenced { .. }) => Err("fenced"),
        Err(AppendError::EpochStart) => Err("epoch start"),
        Err(AppendError::Gap { .. }) => Err("gap"),
        Err(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn transacted(outcome: Result<Vec<StepDone>, TransactionError>) -> Answer {
    let step = |done| match done {
        StepDone::Appended(done) => appended(Ok(done)).expect("it is done"),
        StepDone::Created(done) => created(Ok(done)).expect("it is done"),
        StepDone::DocumentWritten => Answer::DocumentWritten,
        StepDone::Known => Answer::Known,
    };
    match outcome {
        Ok(done) => Answer::Transacted(done.into_iter().map(step).collect()),
        Err(TransactionError::Step { index, why }) => Answer::RefusedAt(index, step_refusal(why)),
        Err(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn step_refusal(why: StepError) -> &'static str {
    match why {
        StepError::Append(cause) => appended(Err(cause)).expect_err("it is refused"),
        StepError::Create(cause) => created(Err(cause)).expect_err("it is refused"),
        StepError::TailDiffers { .. } => "tail differs",
        StepError::AcceptedBefore { .. } => "accepted before",
        StepError::Fork => panic!("no fork was asked for"),
    }
}

fn deletion(cause: DeleteError) -> &'static str {
    match cause {
        DeleteError::NotFound => "not found",
        DeleteError::Gone => "gone",
        DeleteError::Engine(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn trimming(cause: TrimError) -> &'static str {
    match cause {
        TrimError::NotFound => "not found",
        TrimError::Gone => "gone",
        TrimError::HasForks(_) => "has forks",
        TrimError::PastTail { .. } => "past tail",
        TrimError::InsideMessage => "inside message",
        TrimError::Engine(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn reading(cause: ReadError) -> &'static str {
    match cause {
        ReadError::NotFound => "not found",
        ReadError::Gone => "gone",
        ReadError::Trimmed { .. } => "trimmed",
        ReadError::NotAnOffset => "not an offset",
        other => panic!("a refusal that the model does not know: {other:?}"),
    }
}
