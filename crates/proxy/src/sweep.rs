//! Removes the records of streams whose time is over. The engine removes the streams by itself.
//!
//! Ids sort by their creation, so records are looked at in spans of time, the oldest first, and a document remembers how
//! far this has come: what is looked at is what may have ended, never everything there is.

use bytes::Bytes;
use headwater_streams::{DocumentKey, Engine, EngineError, Store};

use crate::id::GenerationId;
use crate::record;

/// Hexadecimal digits of an id that name a span: 28 of the 48 bits of its milliseconds, without the hyphen.
const SPAN_DIGITS: u32 = 7;
/// Milliseconds of a span, about 17 minutes.
const SPAN_MS_BITS: u32 = 48 - 4 * SPAN_DIGITS;

const PROGRESS: &str = "proxy/swept";

/// Removes what has ended, from where the last sweep stopped up to the first span that something lives in.
pub(crate) async fn sweep<S: Store>(engine: &Engine<S>) -> Result<(), EngineError> {
    let now_ms = engine.now_ms();
    let current = now_ms >> SPAN_MS_BITS;
    let began = match progress(engine).await? {
        Some(span) => span,
        None => first_span(engine).await?.unwrap_or(current),
    };
    let mut span = began;
    while span < current {
        let records = record::list(engine, &format!("{span:07x}")).await?;
        let (live, over): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|(_, record)| record.as_ref().is_some_and(|record| record.expires_at_ms > now_ms));
        record::forget(engine, over.into_iter().map(|(id, _)| id)).await?;
        if !live.is_empty() {
            break;
        }
        span += 1;
    }
    if span == began {
        return Ok(());
    }
    engine.write_documents(vec![(DocumentKey(PROGRESS.into()), Some(Bytes::from(span.to_string())))]).await
}

async fn progress<S: Store>(engine: &Engine<S>) -> Result<Option<u64>, EngineError> {
    let found = engine.documents(PROGRESS).await?;
    Ok(found.first().and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok()))
}

/// Asked once in the life of a store.
async fn first_span<S: Store>(engine: &Engine<S>) -> Result<Option<u64>, EngineError> {
    Ok(record::list(engine, "").await?.first().map(|(id, _)| span_of(*id)))
}

fn span_of(id: GenerationId) -> u64 {
    let text = id.to_string();
    u64::from_str_radix(&text[..SPAN_DIGITS as usize], 16).expect("an id begins with eight hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_streams::limits::EngineLimits;
    use headwater_streams::memory::MemoryStore;
    use headwater_streams::{ManualClock, Unobserved};

    use super::*;
    use crate::record::Record;

    const HOUR_MS: u64 = 3_600_000;

    /// The record of a stream that begins now and lives for so many hours.
    async fn begin(engine: &Engine<MemoryStore>, hours: u64) -> GenerationId {
        let (id, expires_at_ms) = (GenerationId::new(engine.now_ms()), engine.now_ms() + hours * HOUR_MS);
        let record = Record { content_type: "text/plain".into(), outcome: None, expires_at_ms };
        engine.transact(record.begin(id).to_vec()).await.unwrap();
        id
    }

    async fn left(engine: &Engine<MemoryStore>) -> Vec<GenerationId> {
        record::list(engine, "").await.unwrap().into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_span_of_an_id_is_that_of_its_time() {
        let now_ms = 1_700_000_000_123;
        assert_eq!(span_of(GenerationId::new(now_ms)), now_ms >> SPAN_MS_BITS);
    }

    #[tokio::test]
    async fn records_go_when_their_streams_have_ended_and_not_before() {
        let clock = Arc::new(ManualClock::new(1_700_000_000_000));
        let engine = Engine::start(MemoryStore::new(), clock.clone(), EngineLimits::default(), Arc::new(Unobserved));
        let (first, _) = (begin(&engine, 24).await, sweep(&engine).await.unwrap());
        clock.advance(HOUR_MS);
        let (short, long) = (begin(&engine, 1).await, begin(&engine, 48).await);
        clock.advance(23 * HOUR_MS - 1);
        sweep(&engine).await.unwrap();
        assert!(left(&engine).await.contains(&first), "it lives for a moment still");
        clock.advance(1);
        sweep(&engine).await.unwrap();
        assert_eq!(left(&engine).await, [long], "{short} and {first} are over");
        clock.advance(48 * HOUR_MS);
        let last = begin(&engine, 1).await;
        sweep(&engine).await.unwrap();
        assert_eq!(left(&engine).await, [last]);
        engine.shutdown().await.unwrap();
    }
}
