//! Which chunks arrived lately, so that one sent again is not joined to the text twice.
//!
//! Bounded: the oldest is forgotten first. An entry is a hash of the id, a hash of the content and a position, and is
//! the same whether it was made when deciding or when reading the stream back.

use std::collections::{HashMap, VecDeque};

use headwater_protocol::Offset;
use sha2::{Digest, Sha256};

use crate::json::{Object, canonical};
use crate::limits::CHUNK_IDS_REMEMBERED_MAX;
use crate::position::Position;

/// Hash of what an event says: everything but its session and its time, so that a copy stamped later is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content(u64);

impl Content {
    pub(crate) fn of(object: &Object) -> Self {
        Self::of_fields(object.iter().map(|(name, value)| (name, value.get())))
    }

    /// The same of names and values where they stand.
    pub(crate) fn of_fields<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut fields: Vec<_> = fields.filter(|(name, _)| !matches!(*name, "sessionId" | "timestamp")).collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        let mut hash = Sha256::new();
        for (name, value) in fields {
            // Neither part holds a raw line break, so the parts cannot run into each other.
            hash.update(name);
            hash.update(b"\n");
            hash.update(&*canonical(value));
            hash.update(b"\n");
        }
        let digest = hash.finalize();
        Self(u64::from_le_bytes(digest[..8].try_into().expect("eight bytes")))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    by_id: HashMap<IdHash, (Content, Position)>,
    oldest_first: VecDeque<IdHash>,
}

type IdHash = [u8; 16];

/// Bytes of an entry in its persistent form.
const ENTRY_BYTES: usize = 16 + 8 + 8 + 8;

impl Seen {
    pub(crate) fn len(&self) -> usize {
        self.oldest_first.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<(Content, Position)> {
        self.by_id.get(&id_hash(id)).copied()
    }

    pub(crate) fn remember(&mut self, id: &str, content: Content, at: Position) {
        self.put(id_hash(id), content, at);
    }

    fn put(&mut self, id: IdHash, content: Content, at: Position) {
        if self.by_id.insert(id, (content, at)).is_none() {
            self.oldest_first.push_back(id);
        }
        if self.oldest_first.len() > CHUNK_IDS_REMEMBERED_MAX
            && let Some(forgotten) = self.oldest_first.pop_front()
        {
            self.by_id.remove(&forgotten);
        }
    }

    /// All entries, oldest first.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.oldest_first.len() * ENTRY_BYTES);
        for id in &self.oldest_first {
            let (content, at) = self.by_id[id];
            bytes.extend_from_slice(id);
            for number in [content.0, at.offset.get(), at.seq] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    /// What [`Seen::to_bytes`] gave; `None` when it did not.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.chunks_exact(ENTRY_BYTES);
        if !entries.remainder().is_empty() {
            return None;
        }
        let mut seen = Self::default();
        for entry in entries {
            let number = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().expect("eight bytes"));
            let id = entry[..16].try_into().expect("sixteen bytes");
            seen.put(id, Content(number(16)), Position { offset: Offset::new(number(24)), seq: number(32) });
        }
        Some(seen)
    }
}

fn id_hash(id: &str) -> IdHash {
    Sha256::digest(id)[..16].try_into().expect("sixteen bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> Content {
        Content::of(&Object::parse(text).unwrap())
    }

    #[test]
    fn content_leaves_out_time_and_session_only() {
        let whole = content(r#"{"id":"1","text":"a","turn":1}"#);
        assert_eq!(content(r#"{"turn":1,"text":"\u0061","id":"1","timestamp":7,"sessionId":"s"}"#), whole);
        assert_ne!(content(r#"{"id":"1","text":"a"}"#), whole);
        assert_ne!(content(r#"{"id":"1","text":"b","turn":1}"#), whole);
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut seen = Seen::default();
        let any = content("{}");
        for number in 0..CHUNK_IDS_REMEMBERED_MAX + 10 {
            seen.remember(&number.to_string(), any, Position { offset: Offset::START, seq: number as u64 });
        }
        assert_eq!(seen.by_id.len(), CHUNK_IDS_REMEMBERED_MAX);
        assert_eq!(seen.get("9"), None);
        assert_eq!(seen.get("10").map(|(_, at)| at.seq), Some(10));
        assert_eq!(Seen::from_bytes(&seen.to_bytes()), Some(seen));
    }
}
