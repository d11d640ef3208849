//! Reading one archive file.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::format::{self, BLOCK_BYTES, HEADER_BYTES, InvalidArchive, TRAILER_BYTES, Trailer};
use super::{ArchiveError, failed};
use crate::catalog::{ArchiveFileId, Run};
use crate::disk::{Disk, DiskFile, read_exact_at};

/// An open file with its block checksums. Its run index stays on disk until somebody asks.
#[derive(Debug)]
pub(crate) struct ArchiveFile {
    file: Arc<dyn DiskFile>,
    path: String,
    trailer: Trailer,
    checksums: Vec<u32>,
}

impl ArchiveFile {
    pub(crate) fn open(disk: &dyn Disk, id: ArchiveFileId) -> Result<Self, ArchiveError> {
        let path = format::path(id);
        let file = disk.open(&path).map_err(failed("opening", &path))?;
        let len = file.len().map_err(failed("measuring", &path))?;
        let damaged = |damage| ArchiveError::Damaged { path: path.clone(), damage };
        let trailer_at = len.checked_sub(TRAILER_BYTES).ok_or_else(|| damaged(InvalidArchive::Length(len)))?;
        let bytes = read_all(&*file, &path, trailer_at..len)?;
        let trailer = Trailer::decode(&bytes, id, len).map_err(damaged)?;
        let bytes = read_all(&*file, &path, trailer.checksums_at())?;
        if crc32c::crc32c(&bytes) != trailer.checksums_crc {
            return Err(damaged(InvalidArchive::Part("checksum table")));
        }
        Ok(Self { file, trailer, checksums: format::decode_checksums(&bytes), path })
    }

    /// Relative to the data directory.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Bytes that this handle holds in memory, about.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.checksums.len() * size_of::<u32>()
    }

    /// Positions of the data of streams.
    pub(crate) fn data(&self) -> Range<u64> {
        HEADER_BYTES..self.trailer.data_end
    }

    /// Bytes at `range`, checked.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes, ArchiveError> {
        let blocks = self.blocks_around(&range)?;
        let mut buffer = vec![0; (blocks.end - blocks.start) as usize];
        read_exact_at(&*self.file, &mut buffer, blocks.start).map_err(failed("reading", &self.path))?;
        self.checked(buffer, blocks, range)
    }

    /// As [`ArchiveFile::read`] when the bytes are in memory; `None` when the read would wait for the device.
    pub(crate) fn read_nowait(&self, range: Range<u64>) -> Result<Option<Bytes>, ArchiveError> {
        let blocks = self.blocks_around(&range)?;
        let mut buffer = vec![0; (blocks.end - blocks.start) as usize];
        match self.file.read_at_nowait(&mut buffer, blocks.start).map_err(failed("reading", &self.path))? {
            Some(got) if got == buffer.len() => self.checked(buffer, blocks, range).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// Reads every block, and tells `damaged` those whose checksum does not hold.
    pub(crate) fn check_blocks(&self, mut damaged: impl FnMut(Range<u64>)) -> Result<(), ArchiveError> {
        let end = self.trailer.data_end;
        let header = read_all(&*self.file, &self.path, 0..HEADER_BYTES)?;
        format::check_header(&header, self.trailer.id).map_err(|damage| self.damaged(damage))?;
        for (index, &checksum) in self.checksums.iter().enumerate() {
            let start = index as u64 * BLOCK_BYTES;
            let block = start..end.min(start + BLOCK_BYTES);
            if crc32c::crc32c(&read_all(&*self.file, &self.path, block.clone())?) != checksum {
                damaged(block);
            }
        }
        Ok(())
    }

    /// What belongs to whom, in the order in which it lies, checked.
    pub(crate) fn runs(&self) -> Result<Vec<Run>, ArchiveError> {
        let bytes = read_all(&*self.file, &self.path, self.trailer.runs_at())?;
        if crc32c::crc32c(&bytes) != self.trailer.runs_crc {
            return Err(self.damaged(InvalidArchive::Part("run index")));
        }
        format::decode_runs(&bytes, self.trailer.data_end).map_err(|damage| self.damaged(damage))
    }

    /// The smallest range of whole blocks around `range`.
    fn blocks_around(&self, range: &Range<u64>) -> Result<Range<u64>, ArchiveError> {
        let data = self.data();
        if range.start < data.start || range.end > data.end || range.start > range.end {
            return Err(self.damaged(InvalidArchive::Outside(range.clone())));
        }
        let start = range.start / BLOCK_BYTES * BLOCK_BYTES;
        Ok(start..range.end.next_multiple_of(BLOCK_BYTES).min(data.end))
    }

    /// The part `range` of `buffer`, which holds the whole blocks at `blocks`.
    fn checked(&self, buffer: Vec<u8>, blocks: Range<u64>, range: Range<u64>) -> Result<Bytes, ArchiveError> {
        let first = (blocks.start / BLOCK_BYTES) as usize;
        for (block, checksum) in buffer.chunks(BLOCK_BYTES as usize).zip(&self.checksums[first..]) {
            if crc32c::crc32c(block) != *checksum {
                let start = blocks.start + (block.as_ptr() as usize - buffer.as_ptr() as usize) as u64;
                return Err(self.damaged(InvalidArchive::Block(start..start + block.len() as u64)));
            }
        }
        let (from, to) = ((range.start - blocks.start) as usize, (range.end - blocks.start) as usize);
        Ok(Bytes::from(buffer).slice(from..to))
    }

    fn damaged(&self, damage: InvalidArchive) -> ArchiveError {
        ArchiveError::Damaged { path: self.path.clone(), damage }
    }
}

fn read_all(file: &dyn DiskFile, path: &str, range: Range<u64>) -> Result<Vec<u8>, ArchiveError> {
    let len = usize::try_from(range.end - range.start)
        .map_err(|_| failed("reading", path)(io::ErrorKind::OutOfMemory.into()))?;
    let mut buffer = vec![0; len];
    read_exact_at(file, &mut buffer, range.start).map_err(failed("reading", path))?;
    Ok(buffer)
}
