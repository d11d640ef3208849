//! Ends a proxied stream: its last bytes, its closure and what ended it become durable in one transaction.

use bytes::Bytes;
use headwater_protocol::ContentType;
use headwater_streams::{
    Append, AppendError, Engine, EngineError, Step, StepError, Store, StoreError, TransactionError,
};

use crate::id::GenerationId;
use crate::limits::{END_RETRY_DELAY, OVERLOAD_DELAY};
use crate::outcome::Outcome;
use crate::record::{self, Record};

/// Closes the stream, as often as it takes. When the store takes no changes any more the stream keeps its mark, and the
/// next start closes it.
pub(crate) async fn end<S: Store>(
    engine: &Engine<S>,
    id: GenerationId,
    record: &Record,
    outcome: Outcome,
    rest: Bytes,
) {
    let mut rest = rest;
    loop {
        let close = Step::Append { append: append(id, rest.clone(), true), expected_tail: None };
        let steps = [vec![close], record.ended(outcome).end(id).to_vec()].concat();
        let Err(error) = engine.transact(steps).await else { return };
        match error {
            TransactionError::Step { why: StepError::Append(AppendError::NotFound | AppendError::Gone), .. } => {
                return forget(engine, id).await;
            }
            TransactionError::Engine(EngineError::Overloaded) => tokio::time::sleep(OVERLOAD_DELAY).await,
            TransactionError::Engine(EngineError::Store(StoreError::Full)) if !rest.is_empty() => rest = Bytes::new(),
            TransactionError::Engine(EngineError::Store(StoreError::Full)) => tokio::time::sleep(END_RETRY_DELAY).await,
            error => {
                tracing::warn!(%id, %outcome, %error, "a proxied stream could not be closed; the next start closes it");
                return;
            }
        }
    }
}

/// An append to a proxied stream.
pub(crate) fn append(id: GenerationId, payload: Bytes, close: bool) -> Append {
    Append {
        path: id.stream(),
        content_type: Some(ContentType::octet_stream()),
        payload,
        stream_seq: None,
        producer: None,
        close,
    }
}

/// The stream is gone: so is what is kept beside it.
async fn forget<S: Store>(engine: &Engine<S>, id: GenerationId) {
    if let Err(error) = record::forget(engine, [id]).await {
        tracing::debug!(%id, %error, "a record of the proxy was not removed; the sweep finds it");
    }
}
