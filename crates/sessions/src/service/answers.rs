//! What the service answers.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::Offset;
use headwater_protocol::json::MESSAGE_END;

use crate::channel::Channel;
use crate::fold::State;
use crate::json::Json;
use crate::limits::SNAPSHOT_CHUNK_BYTES;
use crate::presence::PresentUser;
use crate::registry::SessionRow;
use crate::snapshot::SnapshotRows;

/// A session with what is known of it at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its row in the registry.
    pub row: SessionRow,
    /// How many users are present.
    pub viewer_count: usize,
    /// Who is present, in the order in which they came.
    pub active_users: Vec<PresentUser>,
    /// The tail of its stream.
    pub offset: Offset,
    /// Events so far, those that have expired included.
    pub event_count: u64,
    /// When something happened last, in Unix milliseconds; none before the first event.
    pub last_event_ms: Option<u64>,
    /// Rows of the agent state channel, in the order in which the agents came, at most
    /// [`AGENTS_SHOWN_MAX`](crate::limits::AGENTS_SHOWN_MAX).
    pub agents: Vec<Json>,
    /// Where its stream begins: what lies before has expired.
    pub earliest: Offset,
}

/// The answer to somebody who joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The session, the one who joins being present already.
    pub view: SessionView,
    /// The tail of the companion stream after the event that says so.
    pub offset: Offset,
}

/// The answer to events: all of them are durable, presence excepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The tail of the session's stream after them; for duplicates only, the end of the latest of their originals. For
    /// presence alone, the same of the companion stream.
    pub offset: Offset,
    /// Of all changes; of no stored change when all events are duplicates.
    pub txid: String,
    /// One per event, in order. Empty when the producer headers are those of a request accepted earlier whose events
    /// cannot be told any more.
    pub results: Vec<PublishedEvent>,
    /// Nothing was written.
    pub duplicate: bool,
}

/// What one event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its channel.
    pub channel: Channel,
    /// The key of its row.
    pub id: String,
    /// The number of its message in the stream, from 1.
    pub seq: u64,
    /// The offset right after its message: in the session's stream, or for presence in the companion stream.
    pub offset: Offset,
    /// It was there already.
    pub duplicate: bool,
}

/// A session's folded state at a durable offset. Cheap to clone and to hold for a moment; while it is held, the next event
/// of the session copies the state.
#[derive(Debug, Clone)]
pub struct Folded {
    /// Messages, rows and positions.
    pub state: Arc<State>,
    /// Where reading goes on.
    pub offset: Offset,
}

/// The folded state as stored messages (see [`snapshot`](crate::snapshot())), made chunk by chunk: a slow reader holds the
/// state and one chunk.
pub struct SnapshotPage {
    /// Where reading goes on: the tail.
    pub offset: Offset,
    rows: SnapshotRows,
}

impl SnapshotPage {
    pub(super) fn new(folded: Folded) -> Self {
        Self { offset: folded.offset, rows: SnapshotRows::new(folded.state) }
    }

    /// The next messages, each followed by [`MESSAGE_END`]; `None` at the end.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::new();
        while chunk.len() < SNAPSHOT_CHUNK_BYTES
            && let Some(message) = self.rows.next()
        {
            chunk.extend_from_slice(message.as_bytes());
            chunk.extend_from_slice(MESSAGE_END);
        }
        (!chunk.is_empty()).then(|| chunk.into())
    }
}

impl fmt::Debug for SnapshotPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotPage").field("offset", &self.offset).finish_non_exhaustive()
    }
}
