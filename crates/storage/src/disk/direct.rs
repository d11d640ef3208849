//! Durable appends to a log that go round the page cache.
//!
//! The cache may hold a log in folios of many pages and dirties a whole one for a few bytes, which the kernel charges
//! for and has to search at each sync. Round the cache, an append costs the blocks that it touches, and is durable
//! sooner. Where the file system cannot do that, the caller writes through the cache.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::file::read_up_to;
use super::{LOG_BLOCK_BYTES, LOG_WRITE_BYTES_MAX};

/// How appends to a file are written.
#[derive(Debug, Default)]
pub(super) enum LogWriter {
    /// Nothing was appended yet.
    #[default]
    Unknown,
    /// Through the page cache: the file system knows no other way.
    Cached,
    /// Round it.
    Direct(DirectLog),
}

/// A file opened a second time, for writes that do not go through the page cache.
#[derive(Debug)]
pub(super) struct DirectLog {
    file: File,
    memory_alignment: usize,
    buffer: Vec<u8>,
    /// Where the last append ended, and what it wrote of the block it ended in.
    end: u64,
    last_block: Vec<u8>,
}

impl LogWriter {
    /// Appends when that is possible round the cache; otherwise answers false and has written nothing.
    pub(super) fn append(&mut self, cached: &File, bytes: &[u8], offset: u64) -> io::Result<bool> {
        if matches!(self, Self::Unknown) {
            *self = DirectLog::open(cached).map_or(Self::Cached, Self::Direct);
        }
        let Self::Direct(log) = self else { return Ok(false) };
        let appended = log.append(cached, bytes, offset);
        match appended {
            // It said what it wants and does not take it.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                *self = Self::Cached;
                Ok(false)
            }
            appended => appended,
        }
    }
}

impl DirectLog {
    /// `None` where the file system cannot write round the cache, or only in larger blocks.
    fn open(cached: &File) -> Option<Self> {
        let wants = rustix::fs::statx(cached, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok()?;
        let (block, memory) = (wants.stx_dio_offset_align as usize, wants.stx_dio_mem_align as usize);
        if !block.is_power_of_two() || !memory.is_power_of_two() || block > LOG_BLOCK_BYTES {
            return None;
        }
        // By its descriptor: the file may have another name by now.
        let path = format!("/proc/self/fd/{}", cached.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).ok()?.into();
        Some(Self { file, memory_alignment: memory, buffer: Vec::new(), end: 0, last_block: Vec::new() })
    }

    fn append(&mut self, cached: &File, bytes: &[u8], offset: u64) -> io::Result<bool> {
        const BLOCK: u64 = LOG_BLOCK_BYTES as u64;
        let head = (offset % BLOCK) as usize;
        let start = offset - head as u64;
        let len = (head + bytes.len()).next_multiple_of(LOG_BLOCK_BYTES);
        if bytes.is_empty() || len > LOG_WRITE_BYTES_MAX || start + len as u64 > cached.metadata()?.len() {
            return Ok(false);
        }
        let room = self.buffer.len().max(len + self.memory_alignment);
        self.buffer.resize(room, 0);
        let at = self.buffer.as_ptr().align_offset(self.memory_alignment);
        let aligned = &mut self.buffer[at..at + len];
        if start < self.end && self.end <= offset {
            aligned[..head].copy_from_slice(&self.last_block[..head]);
        } else {
            aligned[..head].fill(0);
            read_up_to(cached, &mut aligned[..head], start)?;
        }
        aligned[head..head + bytes.len()].copy_from_slice(bytes);
        aligned[head + bytes.len()..].fill(0);
        // What the disk holds is unknown until the write has succeeded.
        self.end = 0;
        write_all_durable(&self.file, aligned, start)?;
        self.end = offset + bytes.len() as u64;
        self.last_block.clear();
        self.last_block.extend_from_slice(&aligned[len - LOG_BLOCK_BYTES..]);
        Ok(true)
    }
}

fn write_all_durable(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwritev2(file, &[IoSlice::new(bytes)], offset, ReadWriteFlags::DSYNC) {
            Ok(written) if written > 0 && written.is_multiple_of(LOG_BLOCK_BYTES) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use crate::disk::{Disk, DiskFile, FileDisk, LOG_BLOCK_BYTES};

    const FILE_BYTES: usize = 1024 * 1024;

    /// A file full of what an earlier life left behind.
    fn recycled(dir: &tempfile::TempDir) -> std::sync::Arc<dyn DiskFile> {
        let file = FileDisk::new(dir.path()).create("log").unwrap();
        file.write_at(&vec![0xee; FILE_BYTES], 0).unwrap();
        file.sync_data().unwrap();
        file
    }

    fn read(file: &dyn DiskFile) -> Vec<u8> {
        let mut bytes = vec![0; FILE_BYTES];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), FILE_BYTES);
        bytes
    }

    #[test]
    fn appends_of_any_length_leave_what_lies_before_them_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = recycled(&dir);
        let mut random = StdRng::seed_from_u64(7);
        let mut expected = vec![0xee; FILE_BYTES];
        let mut at = 4096;
        for number in 0..400u32 {
            let len = random.random_range(1..3000);
            let bytes = vec![number as u8; len];
            file.append_durable(&bytes, at as u64).unwrap();
            expected[at..at + len].copy_from_slice(&bytes);
            let now = read(&*file);
            // Zeros or what was there come between appends.
            let gap = (at - 8).max(4096)..at;
            expected[gap.clone()].copy_from_slice(&now[gap]);
            assert!(now[..at + len] == expected[..at + len], "append {number} at {at}");
            let block_end = (at + len).next_multiple_of(LOG_BLOCK_BYTES);
            assert!(now[at + len..block_end].iter().all(|byte| [0, 0xee].contains(byte)));
            assert!(now[block_end..].iter().all(|&byte| byte == 0xee), "nothing beyond the block of append {number}");
            at = (at + len).next_multiple_of(8);
        }
    }

    #[test]
    fn an_append_elsewhere_than_at_the_last_one_s_end_keeps_the_start_of_its_block() {
        let dir = tempfile::tempdir().unwrap();
        let file = recycled(&dir);
        file.append_durable(&[1; 700], 8192).unwrap();
        file.write_at(&[2; 100], 20_480).unwrap();
        file.append_durable(&[3; 100], 20_584).unwrap();
        file.append_durable(&[4; 10], 8904).unwrap();
        let bytes = read(&*file);
        assert_eq!(bytes[8192..8892], [1; 700]);
        assert_eq!(bytes[8904..8914], [4; 10]);
        assert_eq!(bytes[20_480..20_580], [2; 100]);
        assert_eq!(bytes[20_580..20_584], [0xee; 4]);
        assert_eq!(bytes[20_584..20_684], [3; 100]);
    }

    #[test]
    fn the_last_bytes_of_a_file_of_odd_length_are_appended_without_making_it_longer() {
        let dir = tempfile::tempdir().unwrap();
        let file = FileDisk::new(dir.path()).create("log").unwrap();
        file.write_at(&[0xee; 5000], 0).unwrap();
        file.append_durable(&[1; 904], 4096).unwrap();
        assert_eq!(file.len().unwrap(), 5000);
        let mut bytes = [0; 904];
        file.read_at(&mut bytes, 4096).unwrap();
        assert_eq!(bytes, [1; 904]);
    }
}
