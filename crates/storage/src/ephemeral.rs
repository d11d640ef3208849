//! The bytes of streams that live in memory only.
//!
//! All of them together are bounded: when there are too many, the oldest go, and their streams begin later.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use headwater_protocol::Offset;
use headwater_streams::{StoreError, StreamId};

/// Payloads of ephemeral streams, as they came.
#[derive(Debug)]
pub(crate) struct EphemeralBytes {
    streams: HashMap<StreamId, BTreeMap<Offset, Bytes>, RandomState>,
    /// Oldest first; may name payloads that are gone.
    order: VecDeque<(StreamId, Offset)>,
    bytes: usize,
    bytes_max: usize,
}

impl EphemeralBytes {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { streams: HashMap::default(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds a payload of a stream. Tells each stream that loses bytes for it, and up to which position.
    pub(crate) fn add(&mut self, id: StreamId, start: Offset, payload: &Bytes) -> Vec<(StreamId, Offset)> {
        let mut lost = Vec::new();
        if payload.is_empty() {
            return lost;
        }
        // Copied: a request's payload may be a small part of a large buffer.
        let payload = Bytes::copy_from_slice(payload);
        self.bytes += payload.len();
        self.streams.entry(id).or_default().insert(start, payload);
        self.order.push_back((id, start));
        while self.bytes > self.bytes_max {
            let Some((id, start)) = self.order.pop_front() else { break };
            let len = self.drop_payload(id, start);
            lost.extend((len > 0).then(|| (id, start.advance(len as u64))));
        }
        lost
    }

    /// Forgets what lies wholly before `earliest`.
    pub(crate) fn trim(&mut self, id: StreamId, earliest: Offset) {
        while let Some((&start, payload)) = self.streams.get(&id).and_then(BTreeMap::first_key_value) {
            if start.advance(payload.len() as u64) > earliest {
                return;
            }
            self.drop_payload(id, start);
        }
    }

    /// Forgets a stream.
    pub(crate) fn remove(&mut self, id: StreamId) {
        let payloads = self.streams.remove(&id).unwrap_or_default();
        self.bytes -= payloads.values().map(Bytes::len).sum::<usize>();
        if self.streams.is_empty() {
            self.order.clear();
        }
    }

    /// Whether the stream has bytes here.
    pub(crate) fn holds(&self, id: StreamId) -> bool {
        self.streams.contains_key(&id)
    }

    /// Exactly the bytes of `range`.
    pub(crate) fn read(&self, id: StreamId, range: &Range<Offset>) -> Result<Bytes, StoreError> {
        let payloads = self.streams.get(&id).ok_or(StoreError::Reclaimed)?;
        let (&first, _) = payloads.range(..=range.start).next_back().ok_or(StoreError::Reclaimed)?;
        let mut found = BytesMut::with_capacity(range.end.bytes_since(range.start) as usize);
        let mut next = range.start;
        for (&start, payload) in payloads.range(first..range.end) {
            let end = start.advance(payload.len() as u64);
            if start > next || end <= next {
                return Err(StoreError::Reclaimed);
            }
            let until = end.min(range.end);
            found.extend_from_slice(&payload[next.bytes_since(start) as usize..until.bytes_since(start) as usize]);
            next = until;
        }
        if next < range.end { Err(StoreError::Reclaimed) } else { Ok(found.freeze()) }
    }

    /// Returns how long it was: 0 when it was gone already.
    fn drop_payload(&mut self, id: StreamId, start: Offset) -> usize {
        let Some(payloads) = self.streams.get_mut(&id) else { return 0 };
        let len = payloads.remove(&start).map_or(0, |payload| payload.len());
        self.bytes -= len;
        if payloads.is_empty() {
            self.streams.remove(&id);
        }
        len
    }
}
