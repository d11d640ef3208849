//! Hand-over: the oldest sealed segments become one archive file, clustered by stream, and are free again.

use std::ops::Range;
use std::sync::atomic::Ordering;

use headwater_protocol::Offset;
use headwater_streams::{StoreError, StreamId};

use super::Core;
use super::open::store_error;
use crate::archive::ArchiveWriter;
use crate::catalog::{NewArchive, Tier};
use crate::checkpoint::JournalPosition;
use crate::extents::Extent;
use crate::reader::{JournalRead, Wait};

/// Bytes that are read before they are written.
const COPY_BYTES: u64 = 512 * 1024;
/// Streams whose extents are forgotten under one lock.
const STREAMS_PER_LOCK: usize = 256;

impl Core {
    /// Hands over the segments before the one that `covered` lies in, when there are enough of them.
    pub(super) fn hand_over_if_due(&self, covered: JournalPosition) -> Result<(), StoreError> {
        let boundary = {
            let extents = self.extents.read();
            let Some(active) = extents.segment_numbers().next_back() else { return Ok(()) };
            let boundary = covered.segment.min(active);
            let sealed = extents.segment_numbers().take_while(|number| *number < boundary).count();
            if sealed < self.limits.archive_segments {
                return Ok(());
            }
            boundary
        };
        self.hand_over(boundary)
    }

    fn hand_over(&self, boundary: u64) -> Result<(), StoreError> {
        let listed = self.extents.read().in_segments_before(boundary);
        self.read_ahead(boundary);
        let new = self.write_archive(&listed)?;
        let archived = JournalPosition { segment: boundary, offset: 0 };
        // ORDER: the catalog names the file before its bytes leave the journal: a reader finds them in one or the other.
        self.catalog.install_archive(new.as_ref(), archived)?;
        self.written_bytes.fetch_add(new.map_or(0, |new| new.bytes), Ordering::Relaxed);
        let mut ids: Vec<StreamId> = listed.into_iter().map(|(id, _)| id).collect();
        ids.dedup();
        for some in ids.chunks(STREAMS_PER_LOCK) {
            let mut extents = self.extents.write();
            some.iter().for_each(|&id| extents.hand_over(id, boundary));
        }
        let dead = self.extents.write().take_segments(boundary);
        tracing::info!(segments = dead.len(), streams = ids.len(), "handed journal segments to the archive");
        self.pool.recycle(dead);
        Ok(())
    }

    /// Reads the segments before `boundary` once, front to back. Commits leave nothing in the page cache, and what
    /// comes next reads small pieces in the order of streams: from the device, each would wait for it.
    fn read_ahead(&self, boundary: u64) {
        let segments: Vec<_> = {
            let extents = self.extents.read();
            let before = extents.segment_numbers().take_while(|number| *number < boundary);
            before.filter_map(|number| extents.segment(number)).collect()
        };
        let mut buffer = vec![0; COPY_BYTES as usize];
        for segment in segments {
            let mut offsets = (0..segment.capacity()).step_by(buffer.len());
            // A failure ends it: the copy that needs those bytes meets it again and says so.
            while let Some(offset) = offsets.next().filter(|_| !self.stop.load(Ordering::Relaxed)) {
                if segment.file().read_at(&mut buffer, offset).is_err() {
                    break;
                }
            }
        }
    }

    /// Writes the extents, which are sorted, to a new file; `None` when no byte of them is live any more.
    fn write_archive(&self, listed: &[(StreamId, Extent)]) -> Result<Option<NewArchive>, StoreError> {
        if listed.is_empty() {
            return Ok(None);
        }
        let id = self.catalog.allocate_archive_file();
        let mut writer = self.archive.write(id, Tier(0)).map_err(store_error)?;
        for of_stream in listed.chunk_by(|(a, before), (b, after)| a == b && before.end() == after.start) {
            let (id, range) = (of_stream[0].0, of_stream[0].1.start..of_stream[of_stream.len() - 1].1.end());
            self.copy(id, range, &mut writer)?;
        }
        if writer.runs() == 0 {
            return Ok(None);
        }
        writer.finish().map(Some).map_err(store_error)
    }

    /// Copies a range that the journal holds. Bytes that do not match their checksum are left out: nobody can read
    /// them, and they must not keep the journal from moving on.
    fn copy(&self, id: StreamId, range: Range<Offset>, writer: &mut ArchiveWriter) -> Result<(), StoreError> {
        let mut next = range.start;
        let mut until = range.end;
        while next < range.end {
            if self.stop.load(Ordering::Relaxed) {
                return Err(StoreError::Closed);
            }
            let part = next..until.min(next.advance(COPY_BYTES));
            let located = self.extents.read().locate(id, &part);
            if let Some(gone) = located.archived {
                // Removed or trimmed since it was listed.
                next = gone.end;
                continue;
            }
            match JournalRead::plan(id, part.clone(), located.extents).and_then(|read| read.run(Wait::IfNeeded)) {
                Ok(bytes) => {
                    let bytes = bytes.expect("a read that may wait gives bytes");
                    writer.append(id, next, &bytes).map_err(store_error)?;
                    next = part.end;
                    until = range.end;
                }
                Err(StoreError::Damaged { range: bad, detail, .. }) if bad.start > next => {
                    tracing::debug!(id = id.0, detail, "archiving the bytes before damaged ones");
                    until = bad.start;
                }
                Err(StoreError::Damaged { range: bad, detail, .. }) => {
                    tracing::error!(id = id.0, start = bad.start.get(), end = bad.end.get(), detail, "bytes are lost");
                    next = bad.end;
                    until = range.end;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
