//! Reads: ephemeral bytes from memory, old ones from the archive, the rest from the journal.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use headwater_protocol::Offset;
use headwater_streams::{StoreError, StreamId};

use super::Core;
use crate::reader::{JournalRead, Wait};

impl Core {
    /// Exactly the bytes of `range`, when that does not wait for the device.
    pub(super) fn read_nowait(&self, id: StreamId, range: Range<Offset>) -> Result<Option<Bytes>, StoreError> {
        self.read_with(id, range, Wait::Never)
    }

    /// Exactly the bytes of `range`.
    pub(super) fn read(&self, id: StreamId, range: Range<Offset>) -> Result<Bytes, StoreError> {
        self.read_with(id, range, Wait::IfNeeded).map(|bytes| bytes.expect("a read that may wait gives bytes"))
    }

    fn read_with(&self, id: StreamId, range: Range<Offset>, wait: Wait) -> Result<Option<Bytes>, StoreError> {
        if range.start >= range.end {
            return Ok(Some(Bytes::new()));
        }
        let located = self.extents.read().locate(id, &range);
        if located.extents.is_empty() && self.is_ephemeral(id) {
            return self.ephemeral.read().read(id, &range).map(Some);
        }
        let Some(archived) = located.archived else {
            return JournalRead::plan(id, range, located.extents)?.run(wait);
        };
        let old = match wait {
            Wait::Never => self.history.read_nowait(id, archived.clone())?,
            Wait::IfNeeded => Some(self.history.read(id, archived.clone())?),
        };
        let Some(old) = old else { return Ok(None) };
        if (old.len() as u64) < archived.end.bytes_since(archived.start) {
            return Err(self.missing(id, archived.start.advance(old.len() as u64)..archived.end));
        }
        if archived.end == range.end {
            return Ok(Some(old));
        }
        let recent = JournalRead::plan(id, archived.end..range.end, located.extents)?.run(wait)?;
        Ok(recent.map(|recent| {
            let mut both = BytesMut::with_capacity(old.len() + recent.len());
            both.extend_from_slice(&old);
            both.extend_from_slice(&recent);
            both.freeze()
        }))
    }

    /// What it means that neither journal nor archive has a range.
    fn missing(&self, id: StreamId, range: Range<Offset>) -> StoreError {
        match self.health.check_poison() {
            Err(StoreError::Poisoned { cause }) => StoreError::Damaged { id, range, detail: cause },
            _ => StoreError::Reclaimed,
        }
    }

    fn is_ephemeral(&self, id: StreamId) -> bool {
        self.ephemeral.read().holds(id)
    }
}
