//! Keeps a second process out of a data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{OpenError, open_error};

const LOCK_FILE: &str = "lock";

/// Held as long as the store is open; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of `directory` or tells who has it.
    pub(crate) fn acquire(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(LOCK_FILE);
        let failed = |what: &str| open_error(format!("{what} {}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("opening"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed("reading"))?;
                return Err(OpenError::Locked { pid: text.trim().parse().unwrap_or(0) });
            }
            Err(error) => return Err(failed("locking")(error.into())),
        }
        file.set_len(0).map_err(failed("writing"))?;
        file.rewind().map_err(failed("writing"))?;
        writeln!(file, "{}", std::process::id()).map_err(failed("writing"))?;
        Ok(Self { _file: file })
    }
}
