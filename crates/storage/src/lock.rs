//! Keeps a second process out of a data directory.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
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
    /// Keeps servers out of `directory` and writes nothing; others may look as well. `None` when no server has ever
    /// opened it.
    pub(crate) fn acquire_to_read(directory: &Path) -> Result<Option<Self>, OpenError> {
        let path = directory.join(LOCK_FILE);
        let failed = |what: &str| open_error(format!("{what} {}", path.display()));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("opening")(error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Err(held(&mut file).map_err(failed("reading"))?),
            Err(error) => Err(failed("locking")(error.into())),
        }
    }

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
            Err(Errno::WOULDBLOCK) => return Err(held(&mut file).map_err(failed("reading"))?),
            Err(error) => return Err(failed("locking")(error.into())),
        }
        file.set_len(0).map_err(failed("writing"))?;
        file.rewind().map_err(failed("writing"))?;
        writeln!(file, "{}", std::process::id()).map_err(failed("writing"))?;
        Ok(Self { _file: file })
    }
}

/// Who has the lock, as that process wrote it.
fn held(file: &mut File) -> io::Result<OpenError> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(OpenError::Locked { pid: text.trim().parse().unwrap_or(0) })
}
