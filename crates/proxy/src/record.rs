//! What is kept beside a proxied stream: a record of what it is and how it ended, and a mark for as long as it has not.
//!
//! Both are documents of the engine. The mark goes and the record is completed in the transaction that closes the stream,
//! so that a start finds exactly the streams that nobody writes to any more.

use bytes::Bytes;
use headwater_streams::{DocumentKey, Engine, EngineError, Step, Store};
use serde::{Deserialize, Serialize};

use crate::id::GenerationId;
use crate::outcome::Outcome;

const RECORDS: &str = "proxy/stream/";
pub(crate) const UNFINISHED: &str = "proxy/open/";

/// A proxied stream, beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The content type of the upstream's response.
    pub content_type: String,
    /// What ended it; `None` while the response goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When the stream ends, in Unix milliseconds.
    pub expires_at_ms: u64,
}

impl Record {
    /// With what ended it.
    pub(crate) fn ended(&self, outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..self.clone() }
    }

    fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and a number always become JSON").into()
    }

    /// The steps that set the record of a stream that begins.
    pub(crate) fn begin(&self, id: GenerationId) -> [Step; 2] {
        [
            Step::PutDocument { key: key(id), value: self.to_bytes() },
            Step::PutDocument { key: mark(id), value: Bytes::new() },
        ]
    }

    /// The steps that set the record of a stream that ends.
    pub(crate) fn end(&self, id: GenerationId) -> [Step; 2] {
        [Step::PutDocument { key: key(id), value: self.to_bytes() }, Step::RemoveDocument { key: mark(id) }]
    }
}

fn key(id: GenerationId) -> DocumentKey {
    DocumentKey(format!("{RECORDS}{id}").into())
}

fn mark(id: GenerationId) -> DocumentKey {
    DocumentKey(format!("{UNFINISHED}{id}").into())
}

/// The record of a stream, if there is one.
pub(crate) async fn load<S: Store>(engine: &Engine<S>, id: GenerationId) -> Result<Option<Record>, EngineError> {
    let found = engine.documents(&key(id).0).await?;
    Ok(found.first().and_then(|(_, value)| read(id.to_string().as_str(), value)))
}

/// Records whose ids begin with `prefix`.
pub(crate) async fn list<S: Store>(
    engine: &Engine<S>,
    prefix: &str,
) -> Result<Vec<(GenerationId, Option<Record>)>, EngineError> {
    let found = engine.documents(&format!("{RECORDS}{prefix}")).await?;
    Ok(found.iter().filter_map(|(key, value)| Some((named(key, RECORDS)?, read(&key.0, value)))).collect())
}

/// Streams that were not ended.
pub(crate) async fn unfinished<S: Store>(engine: &Engine<S>) -> Result<Vec<GenerationId>, EngineError> {
    let found = engine.documents(UNFINISHED).await?;
    Ok(found.iter().filter_map(|(key, _)| named(key, UNFINISHED)).collect())
}

/// Forgets records and marks; there may be none.
pub(crate) async fn forget<S: Store>(
    engine: &Engine<S>,
    ids: impl IntoIterator<Item = GenerationId>,
) -> Result<(), EngineError> {
    let documents: Vec<_> = ids.into_iter().flat_map(|id| [(key(id), None), (mark(id), None)]).collect();
    if documents.is_empty() { Ok(()) } else { engine.write_documents(documents).await }
}

fn named(key: &DocumentKey, prefix: &str) -> Option<GenerationId> {
    GenerationId::parse(key.0.strip_prefix(prefix)?)
}

fn read(name: &str, value: &[u8]) -> Option<Record> {
    let record = serde_json::from_slice(value);
    record.inspect_err(|error| tracing::warn!(name, %error, "a record of the proxy cannot be read")).ok()
}
