//! Documents: small values that a layer above keeps beside the streams, in the same commits.

use bytes::Bytes;

use crate::change::DocumentKey;
use crate::engine::Engine;
use crate::operation::EngineError;
use crate::store::{Store, StoreError};
use crate::submission::{Submission, expect_answer};

impl<S: Store> Engine<S> {
    /// Documents whose key starts with `prefix`, in key order.
    pub async fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, EngineError> {
        Ok(self.inner.store.documents(prefix).await?)
    }

    /// Sets (`Some`) and removes (`None`) documents in one durable step.
    pub async fn write_documents(&self, documents: Vec<(DocumentKey, Option<Bytes>)>) -> Result<(), EngineError> {
        let (reply, answer) = expect_answer();
        self.inner.submit(Submission::Documents(documents, reply))?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Waits until all that was queued before has happened or been refused. A store that takes no changes has nothing
    /// left to settle.
    pub async fn settle(&self) -> Result<(), EngineError> {
        match self.write_documents(Vec::new()).await {
            Err(EngineError::Store(StoreError::Poisoned { .. })) => Ok(()),
            settled => settled,
        }
    }
}
