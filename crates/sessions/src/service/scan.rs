//! Reading a stream message by message, in bounded memory.

use std::ops::ControlFlow;

use headwater_protocol::{Offset, ReadFrom, StreamPath};
use headwater_streams::{Engine, ReadError, Store};

use crate::change::{Change, Message};
use crate::fold::State;

/// What a scan came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanned {
    /// Where it began.
    pub(super) start: Offset,
    /// After the last message read.
    pub(super) next: Offset,
    /// Why it ended.
    pub(super) end: ScanEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanEnd {
    /// The durable tail.
    Tail,
    /// The caller had seen enough.
    Stopped,
    /// The bytes it was given were used up.
    Budget,
}

/// Hands each message's text and the offset after it to `each`, until the tail, until it breaks, or about `bytes_max`
/// bytes later. A message that `each` breaks at is not counted as read.
pub(super) async fn scan<S: Store>(
    engine: &Engine<S>,
    path: &StreamPath,
    from: ReadFrom,
    bytes_max: u64,
    mut each: impl FnMut(&str, Offset) -> ControlFlow<()> + Send,
) -> Result<Scanned, ReadError> {
    let mut page = engine.page(path, from).await?;
    let start = page.start;
    let mut next = start;
    loop {
        let mut pending: Vec<u8> = Vec::new();
        while let Some(chunk) = page.chunk().await {
            pending.extend_from_slice(&chunk?);
            let mut read = 0;
            while let Some(at) = memchr::memchr(b'\n', &pending[read..]) {
                let len = at + 1;
                let after = next.advance(len as u64);
                if each(text(&pending[read..read + len]), after).is_break() {
                    return Ok(Scanned { start, next, end: ScanEnd::Stopped });
                }
                next = after;
                read += len;
                if next.bytes_since(start) >= bytes_max {
                    return Ok(Scanned { start, next, end: ScanEnd::Budget });
                }
            }
            pending.drain(..read);
        }
        if page.up_to_date {
            return Ok(Scanned { start, next, end: ScanEnd::Tail });
        }
        page = engine.page(path, ReadFrom::At(next)).await?;
    }
}

/// A stored message without what ends it. What is no text cannot be read as a message either.
fn text(stored: &[u8]) -> &str {
    let message = stored.strip_suffix(headwater_protocol::json::MESSAGE_END).unwrap_or(stored);
    std::str::from_utf8(message).unwrap_or_default()
}

/// Folds a stored message, or counts it when it cannot be read: one bad message must not hide what follows it.
pub(super) fn fold(state: &mut State, text: &str, next: Offset) {
    match Message::decode(text) {
        Ok(message) => {
            if let Err(ignored) = state.apply_message(&message, next) {
                tracing::debug!(%ignored, %next, "a message in a session's stream changes nothing");
            }
        }
        Err(error) => {
            tracing::debug!(%error, %next, "a message in a session's stream cannot be read");
            state.pass_over(next);
        }
    }
}

/// The change that a stored message is.
pub(super) fn change(text: &str) -> Option<Change> {
    match Message::decode(text) {
        Ok(Message::Change(change)) => Some(change),
        _ => None,
    }
}
