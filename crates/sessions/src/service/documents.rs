//! Frozen forms as documents of the engine: `sessions/{name}/{generation}/{part}-{parts}`.
//!
//! A frozen form is cut into parts, so that none is too large for one step. A generation counts once all its parts are
//! there; the one before it goes in the step that completes it. What a crash leaves of an incomplete one goes with the
//! next.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_streams::{DocumentKey, Engine, EngineError, Store};

use crate::id::SessionId;
use crate::limits::{FROZEN_PART_BYTES, FROZEN_PARTS_PER_STEP};

/// The registry's frozen form.
pub(super) const REGISTRY: &str = "registry";
const UNFINISHED: &str = "sessions/unfinished/";

/// The documents that hold a frozen form.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    generation: u64,
    keys: Vec<DocumentKey>,
}

/// The frozen form of a session's state.
pub(super) fn state_name(id: &SessionId) -> String {
    format!("state/{id}")
}

/// Says that a session's streams and documents are to go unless the registry has it.
pub(super) fn unfinished(id: &SessionId) -> DocumentKey {
    DocumentKey(format!("{UNFINISHED}{id}").into())
}

/// All sessions that are marked so.
pub(super) async fn all_unfinished<S: Store>(engine: &Engine<S>) -> Result<Vec<SessionId>, EngineError> {
    let found = engine.documents(UNFINISHED).await?;
    Ok(found.iter().filter_map(|(key, _)| SessionId::new(key.0.strip_prefix(UNFINISHED)?).ok()).collect())
}

/// The latest complete generation's bytes, and all documents there are.
pub(super) async fn load<S: Store>(engine: &Engine<S>, name: &str) -> Result<(Kept, Option<Vec<u8>>), EngineError> {
    let prefix = format!("sessions/{name}/");
    let mut kept = Kept::default();
    let mut generations: BTreeMap<u64, (usize, Vec<Bytes>)> = BTreeMap::new();
    for (key, value) in engine.documents(&prefix).await? {
        if let Some((generation, parts)) = parse(&key.0[prefix.len()..]) {
            kept.generation = kept.generation.max(generation);
            let found = generations.entry(generation).or_insert((parts, Vec::new()));
            found.1.push(value);
        }
        kept.keys.push(key);
    }
    let complete = generations.into_values().rfind(|(parts, found)| found.len() == *parts);
    Ok((kept, complete.map(|(_, found)| found.concat())))
}

/// Keeps `frozen` in place of what is kept.
pub(super) async fn save<S: Store>(
    engine: &Engine<S>,
    name: &str,
    kept: &mut Kept,
    frozen: Vec<u8>,
) -> Result<(), EngineError> {
    let generation = kept.generation + 1;
    let frozen = Bytes::from(frozen);
    let parts = frozen.len().div_ceil(FROZEN_PART_BYTES).max(1);
    let old = std::mem::take(&mut kept.keys);
    kept.generation = generation;
    let writes: Vec<(DocumentKey, Option<Bytes>)> = (0..parts)
        .map(|part| {
            let key = format!("sessions/{name}/{generation:020}/{part:05}-{parts:05}");
            let start = part * FROZEN_PART_BYTES;
            let value = frozen.slice(start..frozen.len().min(start + FROZEN_PART_BYTES));
            (DocumentKey(key.into()), Some(value))
        })
        .collect();
    let keys: Vec<DocumentKey> = writes.iter().map(|(key, _)| key.clone()).collect();
    // Whatever comes of it, these are to go with the next generation.
    kept.keys = old.iter().chain(&keys).cloned().collect();
    let mut steps = writes.chunks(FROZEN_PARTS_PER_STEP).peekable();
    while let Some(step) = steps.next() {
        let mut step = step.to_vec();
        if steps.peek().is_none() {
            // ORDER: the old generation goes only with the last part of the new one.
            step.extend(old.iter().map(|key| (key.clone(), None)));
        }
        engine.write_documents(step).await?;
    }
    kept.keys = keys;
    Ok(())
}

/// Removes all documents of a session.
pub(super) async fn remove<S: Store>(engine: &Engine<S>, id: &SessionId) -> Result<(), EngineError> {
    let (kept, _) = load(engine, &state_name(id)).await?;
    let keys = kept.keys.into_iter().chain([unfinished(id)]);
    engine.write_documents(keys.map(|key| (key, None)).collect()).await
}

/// Generation and number of parts.
fn parse(rest: &str) -> Option<(u64, usize)> {
    let (generation, part) = rest.split_once('/')?;
    let (_, parts) = part.split_once('-')?;
    Some((generation.parse().ok()?, parts.parse().ok()?))
}
