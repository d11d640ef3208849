//! A snapshot as the body of an answer: a JSON array of messages, in pieces.

use std::sync::Arc;

use bytes::Bytes;

use crate::fold::State;
use crate::limits::EXPORT_CHUNK_BYTES;
use crate::presence::Presence;
use crate::snapshot;

/// The pieces of a snapshot's array: each of about [`EXPORT_CHUNK_BYTES`], more when a row is longer. Holds the state it
/// tells, and beyond it one piece.
#[derive(Debug)]
pub struct SnapshotBody {
    of: Of,
    /// Messages told so far.
    told: usize,
    is_over: bool,
}

#[derive(Debug)]
enum Of {
    Session(Arc<State>),
    Presence(Arc<Presence>),
}

impl SnapshotBody {
    /// Of a session: what late joiners read in place of its log. Reading goes on at the state's position.
    pub fn of_session(state: Arc<State>) -> Self {
        Self { of: Of::Session(state), told: 0, is_over: false }
    }

    /// Of a session's companion stream.
    pub fn of_presence(presence: Arc<Presence>) -> Self {
        Self { of: Of::Presence(presence), told: 0, is_over: false }
    }

    fn message(&self, index: usize) -> Option<String> {
        match &self.of {
            Of::Session(state) => snapshot::message_at(state, index),
            Of::Presence(presence) => snapshot::presence_message_at(presence, index),
        }
    }
}

impl Iterator for SnapshotBody {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let mut piece = String::new();
        while piece.len() < EXPORT_CHUNK_BYTES {
            let Some(message) = self.message(self.told) else {
                piece.push(']');
                self.is_over = true;
                break;
            };
            piece.push(if self.told == 0 { '[' } else { ',' });
            piece.push_str(&message);
            self.told += 1;
        }
        Some(piece.into())
    }
}
