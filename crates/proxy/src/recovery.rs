//! At the start: streams whose generation did not outlive the last run are closed, and say so.

use bytes::Bytes;
use futures_util::future::join_all;
use headwater_streams::{Engine, EngineError, Store};

use crate::end::end;
use crate::id::GenerationId;
use crate::limits::RECOVERED_AT_ONCE;
use crate::outcome::Outcome;
use crate::record;

/// Closes what nobody writes to any more. A store that takes no changes leaves them for a later start.
pub(crate) async fn recover<S: Store>(engine: &Engine<S>) -> Result<(), EngineError> {
    let unfinished = record::unfinished(engine).await?;
    if unfinished.is_empty() {
        return Ok(());
    }
    tracing::info!(streams = unfinished.len(), "closing proxied streams that the last run did not finish");
    for some in unfinished.chunks(RECOVERED_AT_ONCE) {
        let closed = join_all(some.iter().map(|id| close(engine, *id))).await;
        closed.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

async fn close<S: Store>(engine: &Engine<S>, id: GenerationId) -> Result<(), EngineError> {
    match record::load(engine, id).await? {
        Some(record) => end(engine, id, &record, Outcome::ServerStopped, Bytes::new()).await,
        None => record::forget(engine, [id]).await?,
    }
    Ok(())
}
