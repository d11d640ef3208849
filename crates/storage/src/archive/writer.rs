//! Writing one archive file, front to back.

use std::sync::Arc;

use headwater_protocol::Offset;
use headwater_streams::StreamId;

use super::format::{self, BLOCK_BYTES, Trailer};
use super::{ARCHIVE_DIR, ArchiveError, failed};
use crate::catalog::{ArchiveFileId, NewArchive, Run, Tier};
use crate::disk::{Disk, DiskFile};

/// Bytes collected before they go to the file in one write; whole blocks.
const WRITE_BYTES: usize = 1024 * 1024;

/// A file in the making. Dropping it unfinished gives the space back.
#[derive(Debug)]
pub(crate) struct ArchiveWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    path: String,
    id: ArchiveFileId,
    tier: Tier,
    runs: Vec<Run>,
    checksums: Vec<u32>,
    /// Not yet written; begins at a block's start.
    pending: Vec<u8>,
    /// File position of the first pending byte.
    written: u64,
    is_finished: bool,
}

impl ArchiveWriter {
    pub(super) fn create(disk: Arc<dyn Disk>, id: ArchiveFileId, tier: Tier) -> Result<Self, ArchiveError> {
        let path = format::unfinished_path(id);
        let file = disk.create(&path).map_err(failed("creating", &path))?;
        let mut pending = Vec::with_capacity(WRITE_BYTES + BLOCK_BYTES as usize);
        pending.extend(format::encode_header(id));
        Ok(Self {
            disk,
            file,
            path,
            id,
            tier,
            runs: Vec::new(),
            checksums: Vec::new(),
            pending,
            written: 0,
            is_finished: false,
        })
    }

    /// Adds bytes of a stream. Streams come in ascending order, and so do the offsets of each.
    pub(crate) fn append(&mut self, stream: StreamId, start: Offset, bytes: &[u8]) -> Result<(), ArchiveError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let len = bytes.len() as u64;
        match self.runs.last_mut() {
            Some(last) if last.stream == stream && last.end() == start => last.len += len,
            last => {
                let ascending = last.is_none_or(|last| (last.stream, last.end()) < (stream, start));
                assert!(ascending, "runs of an archive file ascend: {stream:?} at {start:?}");
                self.runs.push(Run { stream, start, len, position: self.position() });
            }
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(WRITE_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            rest = later;
            if self.pending.len() == WRITE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Runs so far.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Makes the file durable under its name. The catalog has to be told next.
    pub(crate) fn finish(mut self) -> Result<NewArchive, ArchiveError> {
        let data_end = self.position();
        self.flush()?;
        let (runs, checksums) = (format::encode_runs(&self.runs), format::encode_checksums(&self.checksums));
        let trailer = Trailer {
            id: self.id,
            data_end,
            runs: self.runs.len() as u64,
            runs_crc: crc32c::crc32c(&runs),
            checksums_crc: crc32c::crc32c(&checksums),
            tier: self.tier,
        };
        let footer = [runs, checksums, trailer.encode()].concat();
        self.file.write_at(&footer, data_end).map_err(failed("writing", &self.path))?;
        // ORDER: the bytes are durable before the name, and the name before the catalog names it.
        self.file.sync_data().map_err(failed("syncing", &self.path))?;
        let path = format::path(self.id);
        self.disk.rename(&self.path, &path).map_err(failed("renaming to", &path))?;
        self.is_finished = true;
        self.disk.sync_dir(ARCHIVE_DIR).map_err(failed("syncing", ARCHIVE_DIR))?;
        let bytes = data_end + footer.len() as u64;
        Ok(NewArchive { id: self.id, tier: self.tier, bytes, runs: std::mem::take(&mut self.runs) })
    }

    fn position(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    fn flush(&mut self) -> Result<(), ArchiveError> {
        self.checksums.extend(self.pending.chunks(BLOCK_BYTES as usize).map(crc32c::crc32c));
        self.file.write_at(&self.pending, self.written).map_err(failed("writing", &self.path))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // Failing is fine: the next opening of the store removes every unfinished file.
            let _ = self.disk.remove(&self.path);
        }
    }
}
