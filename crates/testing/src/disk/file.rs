//! One file of the faulty disk, sector by sector.

use std::collections::BTreeMap;
use std::io;

use headwater_storage::disk::{DiskFile, LOG_BLOCK_BYTES};
use rand::Rng;
use rand::rngs::StdRng;

use super::{Fault, FaultyDisk, State, failed, no_space};

/// What a device writes wholly or not at all.
const SECTOR_BYTES: usize = 512;

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) u64);

/// What a file holds, and what of it a crash may take.
#[derive(Debug, Default)]
pub(super) struct Sectors {
    current: Vec<u8>,
    durable_len: usize,
    /// Lengths since the last sync.
    pending_lens: Vec<usize>,
    /// For each sector written since it was durable: what it held then, and after each write but the last.
    pending: BTreeMap<usize, Vec<[u8; SECTOR_BYTES]>>,
}

#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) disk: FaultyDisk,
    pub(super) file: FileId,
    pub(super) life: u64,
}

impl Sectors {
    pub(super) fn durable(bytes: &[u8]) -> Self {
        Self { current: bytes.to_vec(), durable_len: bytes.len(), ..Self::default() }
    }

    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        self.current[offset] ^= mask;
    }

    /// Keeps any version of each sector, and any length.
    pub(super) fn lose_power(&mut self, random: &mut StdRng) {
        let len = match random.random_range(0..=self.pending_lens.len()) {
            0 => self.durable_len,
            index => self.pending_lens[index - 1],
        };
        for (sector, versions) in std::mem::take(&mut self.pending) {
            // The last version is in `current`.
            if let Some(version) = versions.get(random.random_range(0..=versions.len())) {
                self.put_sector(sector, version);
            }
        }
        self.current.resize(len, 0);
        self.pending_lens.clear();
        self.durable_len = len;
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        for sector in sectors(offset, end) {
            let before = self.sector(sector);
            self.pending.entry(sector).or_default().push(before);
        }
        self.resize(end.max(self.current.len()));
        self.current[offset..end].copy_from_slice(bytes);
    }

    fn make_durable(&mut self, offset: usize, end: usize) {
        for sector in sectors(offset, end) {
            self.pending.remove(&sector);
        }
        // A durable write that made the file longer makes the length durable.
        if end > self.durable_len {
            self.durable_len = end;
            self.pending_lens.retain(|&len| len >= end);
        }
    }

    fn sync(&mut self) {
        self.pending.clear();
        self.pending_lens.clear();
        self.durable_len = self.current.len();
    }

    /// Makes some of the sectors durable, as a sync that fails may do.
    fn sync_some(&mut self, random: &mut StdRng) {
        self.pending.retain(|_, _| random.random());
    }

    fn resize(&mut self, len: usize) {
        if len != self.current.len() {
            self.current.resize(len, 0);
            self.pending_lens.push(len);
        }
    }

    fn sector(&self, sector: usize) -> [u8; SECTOR_BYTES] {
        let mut bytes = [0; SECTOR_BYTES];
        let start = (sector * SECTOR_BYTES).min(self.current.len());
        let end = (start + SECTOR_BYTES).min(self.current.len());
        bytes[..end - start].copy_from_slice(&self.current[start..end]);
        bytes
    }

    fn put_sector(&mut self, sector: usize, bytes: &[u8; SECTOR_BYTES]) {
        let start = (sector * SECTOR_BYTES).min(self.current.len());
        let end = (start + SECTOR_BYTES).min(self.current.len());
        self.current[start..end].copy_from_slice(&bytes[..end - start]);
    }
}

impl OpenFile {
    fn with<T>(&self, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let state = &mut *self.disk.state.lock();
        state.alive()?;
        if state.life != self.life {
            return Err(io::Error::other("the file was opened before the restart"));
        }
        run(state)
    }

    /// Runs one change of the file; `run` learns which fault hits it.
    fn change(&self, grows_to: u64, run: impl FnOnce(&mut Sectors, Option<Fault>, &mut StdRng)) -> io::Result<()> {
        self.with(|state| {
            let len = state.files.get(&self.file).map_or(0, |file| file.current.len() as u64);
            let grows_by = grows_to.saturating_sub(len);
            if grows_by > 0 && state.used() + grows_by > state.capacity {
                return Err(no_space());
            }
            let fault = state.begin()?;
            let file = state.files.get_mut(&self.file).expect("an open file is kept until the restart");
            run(file, fault, &mut state.random);
            failed(fault)
        })
    }
}

impl DiskFile for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state| {
            let bytes = state.files[&self.file].current();
            let bytes = bytes.get(offset as usize..).unwrap_or_default();
            let len = bytes.len().min(buffer.len());
            buffer[..len].copy_from_slice(&bytes[..len]);
            Ok(len)
        })
    }

    fn read_at_nowait(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        if !self.disk.state.lock().can_read_nowait {
            return Ok(None);
        }
        self.read_at(buffer, offset).map(|read| Some(read).filter(|&read| read == buffer.len()))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(offset + bytes.len() as u64, |file, fault, random| {
            let kept = kept(bytes, fault, random);
            file.write(kept, offset as usize);
        })
    }

    fn write_durable(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(offset + bytes.len() as u64, |file, fault, random| {
            let kept = kept(bytes, fault, random);
            file.write(kept, offset as usize);
            if fault.is_none() {
                file.make_durable(offset as usize, offset as usize + kept.len());
            }
        })
    }

    fn append_durable(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        // Blocks of several sizes, one as good as another, so that no caller counts on what is behind its bytes.
        let block = [1, SECTOR_BYTES, LOG_BLOCK_BYTES][(end / 8 % 3) as usize] as u64;
        let block_end = end.next_multiple_of(block).min(self.len()?.max(end));
        let zeros = vec![0; (block_end - end) as usize];
        self.write_durable(&[bytes, &zeros].concat(), offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(0, |file, fault, random| match fault {
            None => file.sync(),
            Some(_) => file.sync_some(random),
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.change(len, |file, fault, _| {
            if fault.is_none() {
                file.resize((len as usize).max(file.current.len()));
            }
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(len, |file, fault, _| {
            if fault.is_none() {
                file.resize(len as usize);
            }
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.files[&self.file].current().len() as u64))
    }
}

/// What of a write gets as far as the page cache: all of it, unless it is cut short. (What a crash keeps of that is
/// decided at the restart.)
fn kept<'a>(bytes: &'a [u8], fault: Option<Fault>, random: &mut StdRng) -> &'a [u8] {
    match fault {
        Some(Fault::Short) => &bytes[..random.random_range(0..bytes.len().max(1))],
        _ => bytes,
    }
}

fn sectors(offset: usize, end: usize) -> std::ops::Range<usize> {
    offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES)
}
