//! The disk seam: every byte of journal and archive goes through these two traits.
//!
//! They are small and synchronous so that a test can stand in for the disk: crash at every write and sync, tear and
//! reorder what was not synced, fill up, flip bits. Paths are relative to the data directory, with `/` between names.
//! SQLite does its own file access; the catalog does not go through here.

mod direct;
mod file;

pub use file::FileDisk;
pub(crate) use file::read_up_to;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// Appends to a log are written in whole blocks of this: what follows the bytes may become zeros up to the next multiple.
/// A device whose own blocks are as large has to read before it writes less.
pub const LOG_BLOCK_BYTES: usize = 4096;
/// Larger appends to a log go through the page cache, whose pages weigh little then.
pub(crate) const LOG_WRITE_BYTES_MAX: usize = 128 * 1024;

/// A directory tree that belongs to the store.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Creates an empty file, emptying one that is there. The name survives a crash only after [`Disk::sync_dir`].
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Creates a directory and its parents; fine when it exists. Durable when it returns.
    fn create_dir(&self, dir: &str) -> io::Result<()>;
    /// Names of the files in `dir`, in no order.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Gives a file another name, replacing a file of that name. Survives a crash only after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; handles to it stay readable.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// An open file. All methods take positions, so one handle serves many threads.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Fills `buffer` from `offset` on; short only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// As [`DiskFile::read_at`] when the bytes are in memory; `None` when the read would wait for the device.
    fn read_at_nowait(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>>;
    /// Writes all of `bytes` at `offset`, growing the file; durable only after [`DiskFile::sync_data`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset` and returns when they are durable. Earlier [`DiskFile::write_at`]s of this
    /// file are not thereby durable.
    fn write_durable(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// As [`DiskFile::write_durable`] where a log ends: what the file held after the bytes is of no value, and may become
    /// zeros up to the end of their block of [`LOG_BLOCK_BYTES`]. One caller at a time.
    fn append_durable(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes all writes and the length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves space for `len` bytes and extends the file to it; the new bytes read as zeros.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Cuts or extends the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Reads exactly `buffer.len()` bytes or fails with [`io::ErrorKind::UnexpectedEof`].
pub fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let got = file.read_at(buffer, offset)?;
    if got < buffer.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
