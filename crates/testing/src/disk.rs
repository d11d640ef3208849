//! A disk in memory that fails on purpose.
//!
//! It keeps apart what is durable and what is not: a crash keeps any of the versions that each unsynced sector went
//! through, any of the lengths a file had, and the renames, creations and removals of each directory up to some point.
//! A test can crash it at any change, fill it up, make a write short or a sync fail, and flip bits.

mod file;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use headwater_storage::disk::{Disk, DiskFile};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use file::{FileId, OpenFile, Sectors};

/// A fault that hits one change to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops in the middle of it.
    Crash,
    /// It fails for want of space, without effect.
    NoSpace,
    /// Some of it happens, then it fails. What happened stays, durable or not.
    Short,
    /// It fails, and what it should have made durable may or may not be.
    Error,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    files: BTreeMap<FileId, Sectors>,
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    /// Changes of names that are not durable, in order.
    pending_names: Vec<NameChange>,
    next_file: FileId,
    /// Changes so far.
    changes: u64,
    faults: BTreeMap<u64, Fault>,
    is_crashed: bool,
    /// Handles of an earlier life are dead.
    life: u64,
    capacity: u64,
    can_read_nowait: bool,
    random: StdRng,
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(String, FileId),
    Remove(String),
    Rename(String, String),
}

impl FaultyDisk {
    /// An empty disk; `seed` decides what a crash keeps.
    pub fn new(seed: u64) -> Self {
        let state = State {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            next_file: FileId(0),
            changes: 0,
            faults: BTreeMap::new(),
            is_crashed: false,
            life: 0,
            capacity: u64::MAX,
            can_read_nowait: true,
            random: StdRng::seed_from_u64(seed),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Another disk that holds the same now, with nothing unsynced and no faults to come.
    pub fn copy(&self) -> Self {
        let copy = Self::new(self.changes());
        {
            let (from, to) = (self.state.lock(), &mut *copy.state.lock());
            to.names = from.names.clone();
            to.durable_names = from.names.clone();
            to.next_file = from.next_file;
            to.files = from.files.iter().map(|(&file, sectors)| (file, Sectors::durable(sectors.current()))).collect();
        }
        copy
    }

    /// Changes (writes, syncs, names) so far.
    pub fn changes(&self) -> u64 {
        self.state.lock().changes
    }

    /// Lets the change after `more` further ones meet `fault`.
    pub fn fail_after(&self, more: u64, fault: Fault) {
        let mut state = self.state.lock();
        let at = state.changes + more;
        state.faults.insert(at, fault);
    }

    /// Takes back all faults that have not hit yet.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// Whether it has crashed and not restarted.
    pub fn is_crashed(&self) -> bool {
        self.state.lock().is_crashed
    }

    /// Cuts the power now if it has not been cut, and turns it on again: what was not synced is what chance kept.
    pub fn restart(&self) {
        let state = &mut *self.state.lock();
        state.life += 1;
        state.is_crashed = false;
        state.faults.clear();
        let kept = state.random.random_range(0..=state.pending_names.len());
        for change in std::mem::take(&mut state.pending_names).into_iter().take(kept) {
            change.apply(&mut state.durable_names);
        }
        state.names = state.durable_names.clone();
        let names = &state.names;
        state.files.retain(|file, _| names.values().any(|named| named == file));
        for sectors in state.files.values_mut() {
            sectors.lose_power(&mut state.random);
        }
    }

    /// Kills the process and not the machine: all that was written is there, synced or not.
    pub fn kill(&self) {
        let state = &mut *self.state.lock();
        state.life += 1;
        state.is_crashed = false;
        state.faults.clear();
    }

    /// Refuses to hold more than so many bytes in all.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity = bytes;
    }

    /// Bytes in all files that have a name.
    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    /// Lets every read that may not wait say that it would have to.
    pub fn forbid_nowait(&self) {
        self.state.lock().can_read_nowait = false;
    }

    /// Names of all files, in order.
    pub fn paths(&self) -> Vec<String> {
        self.state.lock().names.keys().cloned().collect()
    }

    /// The bytes of a file.
    ///
    /// # Panics
    /// When there is none.
    pub fn contents(&self, path: &str) -> Vec<u8> {
        let state = self.state.lock();
        state.files[&state.names[path]].current().to_vec()
    }

    /// Inverts bits of a byte, behind the back of whoever wrote it.
    ///
    /// # Panics
    /// When there is no such byte.
    pub fn flip(&self, path: &str, offset: u64, mask: u8) {
        let state = &mut *self.state.lock();
        let file = state.names[path];
        state.files.get_mut(&file).expect("a named file exists").flip(offset as usize, mask);
    }

    /// Takes a file away, behind the back of whoever made it.
    ///
    /// # Panics
    /// When there is none.
    pub fn lose(&self, path: &str) {
        let state = &mut *self.state.lock();
        state.durable_names.remove(path);
        state.names.remove(path).expect("the file exists");
    }
}

impl State {
    /// Counts a change. `Ok` carries the fault that is to hit in the middle of it.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        self.alive()?;
        let fault = self.faults.remove(&self.changes);
        self.changes += 1;
        match fault {
            Some(Fault::NoSpace) => Err(no_space()),
            Some(Fault::Crash) => {
                self.is_crashed = true;
                Ok(fault)
            }
            other => Ok(other),
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_crashed { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|file| self.files.get(file)).map(|file| file.current().len() as u64).sum()
    }

    fn find(&self, path: &str) -> io::Result<FileId> {
        self.alive()?;
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let fault = self.begin()?;
        // A name changes wholly or not at all.
        if fault.is_none() || self.random.random() {
            change.apply(&mut self.names);
            self.pending_names.push(change);
        }
        failed(fault)
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Set(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }

    fn is_in(&self, dir: &str) -> bool {
        match self {
            Self::Set(path, _) | Self::Remove(path) => parent(path) == dir,
            Self::Rename(from, to) => parent(from) == dir || parent(to) == dir,
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let file = state.next_file;
        state.change_name(NameChange::Set(path.to_owned(), file))?;
        state.next_file = FileId(file.0 + 1);
        state.files.insert(file, Sectors::default());
        Ok(Arc::new(OpenFile { disk: self.clone(), file, life: state.life }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        Ok(Arc::new(OpenFile { disk: self.clone(), file: state.find(path)?, life: state.life }))
    }

    fn create_dir(&self, _dir: &str) -> io::Result<()> {
        self.state.lock().alive()
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        state.alive()?;
        let inside = state.names.keys().filter(|path| parent(path) == dir);
        Ok(inside.map(|path| path.rsplit('/').next().unwrap_or_default().to_owned()).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.find(from)?;
        state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.find(path)?;
        state.change_name(NameChange::Remove(path.to_owned()))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let fault = state.begin()?;
        if fault.is_some() && !state.random.random::<bool>() {
            return failed(fault);
        }
        // What happened in the directory before its last change that is now durable is durable, too.
        let (synced, pending): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.pending_names).into_iter().partition(|change| change.is_in(dir));
        synced.iter().for_each(|change| change.apply(&mut state.durable_names));
        state.pending_names = pending;
        failed(fault)
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn no_space() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

/// What the caller is told about a change that met a fault.
fn failed(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        None => Ok(()),
        Some(Fault::Crash) => Err(io::Error::other("the power went off")),
        Some(Fault::NoSpace) => Err(no_space()),
        Some(Fault::Short) => Err(io::ErrorKind::WriteZero.into()),
        Some(Fault::Error) => Err(io::Error::other("the device reports an error")),
    }
}
