//! Appends batches to the journal.
//!
//! A batch is encoded first and written after: whatever can be refused is refused before a byte reaches the disk. From
//! the first byte on, a failure leaves the outcome unknown and the caller poisons the store.

use std::ops::Range;
use std::sync::Arc;

use headwater_streams::{Change, StoreError, Transaction};

use super::pool::Pool;
use super::segment::Segment;
use crate::checkpoint::JournalPosition;
use crate::error::io_error;
use crate::limits::{TRANSACTION_META_BYTES_MAX, TRANSACTION_PAYLOAD_BYTES_MAX};
use crate::record::{
    Place, Placed, SEGMENT_HEADER_BYTES, WRITE_ALIGNMENT, encode_changes, encode_record, framed_len, payload_of,
    record_bytes_max,
};

/// The end of the journal, and buffers that batches reuse.
#[derive(Debug)]
pub(crate) struct Writer {
    epoch: u32,
    active: Option<Arc<Segment>>,
    /// Everything before it is durable; where no write of this opening came yet, it is where recovery ended.
    end: JournalPosition,
    /// Where the batch that is being encoded ends in the segment before its last one.
    planned_end: JournalPosition,
    buffer: Vec<u8>,
    encoded: Vec<u8>,
    writes: Vec<Write>,
    places: Vec<Placed>,
}

/// One durable write: a stretch of the buffer that goes to one segment.
#[derive(Debug)]
struct Write {
    segment: Arc<Segment>,
    position: u64,
    bytes: Range<usize>,
}

/// A batch that is encoded and not yet written.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    writer: &'a mut Writer,
}

impl Writer {
    /// Continues at `end` in the `active` segment; without one, the first batch takes the pool's next.
    pub(crate) fn new(epoch: u32, active: Option<Arc<Segment>>, end: JournalPosition) -> Self {
        Self {
            epoch,
            active,
            end,
            planned_end: end,
            buffer: Vec::new(),
            encoded: Vec::new(),
            writes: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Bytes that still fit into the active segment.
    pub(crate) fn room(&self) -> u64 {
        let capacity = self.active.as_ref().map_or(0, |active| active.capacity());
        capacity.saturating_sub(self.end.offset.next_multiple_of(WRITE_ALIGNMENT))
    }

    /// Encodes a batch, taking further segments from the pool as needed.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no segment to take, [`StoreError::Io`] when a transaction passes a limit.
    /// Nothing has been written then.
    pub(crate) fn encode<'a>(&'a mut self, batch: &[Transaction], pool: &Pool) -> Result<Encoded<'a>, StoreError> {
        self.buffer.clear();
        self.writes.clear();
        self.places.clear();
        self.planned_end = self.end;
        for transaction in batch.iter().filter(|transaction| !transaction.changes.is_empty()) {
            if let Err(error) = self.encode_transaction(&transaction.changes, pool) {
                let taken = self.writes.drain(..).map(|write| write.segment);
                pool.give_back(taken.filter(|segment| segment.number() > self.end.segment));
                return Err(error);
            }
        }
        Ok(Encoded { writer: self })
    }

    fn encode_transaction(&mut self, changes: &[Change], pool: &Pool) -> Result<(), StoreError> {
        self.encoded.clear();
        encode_changes(&mut self.encoded, changes);
        check_limits(self.encoded.len(), changes)?;
        let bytes_max = record_bytes_max(self.encoded.len(), changes) as u64;
        self.make_room(bytes_max, pool)?;
        let write = self.writes.last_mut().expect("made room in a write");
        let record_start = self.buffer.len();
        let place = Place {
            epoch: self.epoch,
            seed: write.segment.seed(),
            back: (record_start - write.bytes.start) as u64,
            previous_end: (write.position == SEGMENT_HEADER_BYTES as u64).then_some(self.planned_end),
        };
        let payload_start = encode_record(&mut self.buffer, &place, &self.encoded, changes);
        write.bytes.end = self.buffer.len();
        let mut position = write.position + (payload_start - write.bytes.start) as u64;
        for change in changes {
            let len = payload_of(change).len();
            self.places.push(Placed {
                segment: u32::try_from(write.segment.number()).expect("segment numbers stay below 2^32"),
                position: u32::try_from(position).expect("a segment has fewer than 2^32 bytes"),
                len: u32::try_from(len).expect("checked against the limit"),
            });
            position += framed_len(len) as u64;
        }
        Ok(())
    }

    /// Makes sure that the last write has room for a record of `bytes_max`, opening a new write where needed.
    fn make_room(&mut self, bytes_max: u64, pool: &Pool) -> Result<(), StoreError> {
        let start = self.buffer.len();
        match self.writes.last() {
            Some(write) if write.position + write.bytes.len() as u64 + bytes_max <= write.segment.capacity() => {
                return Ok(());
            }
            Some(write) => {
                // The rest of the batch goes to the next segment; its records name the end of this one.
                self.planned_end = JournalPosition {
                    segment: write.segment.number(),
                    offset: write.position + write.bytes.len() as u64,
                };
            }
            None if bytes_max <= self.room() => {
                let segment = self.active.clone().expect("there is room in the active segment");
                let position = self.end.offset.next_multiple_of(WRITE_ALIGNMENT);
                self.writes.push(Write { segment, position, bytes: start..start });
                return Ok(());
            }
            None => {}
        }
        let segment = pool.take(bytes_max)?;
        self.writes.push(Write { segment, position: SEGMENT_HEADER_BYTES as u64, bytes: start..start });
        Ok(())
    }
}

impl Encoded<'_> {
    /// Where each change's payload is going to be, in order of the batch.
    pub(crate) fn places(&self) -> &[Placed] {
        &self.writer.places
    }

    /// Segments the batch goes to.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.writer.writes.iter().map(|write| &write.segment)
    }

    /// Whether it begins a segment.
    pub(crate) fn rolls(&self) -> bool {
        self.writer.writes.iter().any(|write| write.position == SEGMENT_HEADER_BYTES as u64)
    }

    /// Bytes to be written.
    pub(crate) fn len(&self) -> u64 {
        self.writer.buffer.len() as u64
    }

    /// Writes the batch and returns the journal's new end once everything before it is durable.
    ///
    /// # Errors
    /// The outcome is unknown: nothing may be written after it.
    pub(crate) fn write(&mut self) -> Result<JournalPosition, StoreError> {
        let writer = &mut *self.writer;
        for write in &writer.writes {
            // ORDER: segment by segment, each durable before the next: a record in the next one claims that.
            let bytes = &writer.buffer[write.bytes.clone()];
            write.segment.file().append_durable(bytes, write.position).map_err(io_error(format!(
                "writing {} bytes to {}",
                bytes.len(),
                write.segment.path()
            )))?;
            let offset = write.position + bytes.len() as u64;
            writer.end = JournalPosition { segment: write.segment.number(), offset };
            writer.active = Some(write.segment.clone());
        }
        Ok(writer.end)
    }
}

fn check_limits(encoded_len: usize, changes: &[Change]) -> Result<(), StoreError> {
    let payload: usize = changes.iter().map(|change| payload_of(change).len()).sum();
    if encoded_len <= TRANSACTION_META_BYTES_MAX && payload <= TRANSACTION_PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(StoreError::Io {
        operation: "encoding a transaction".to_owned(),
        cause: format!("{encoded_len} bytes of changes and {payload} bytes of payload pass the store's limits"),
    })
}
