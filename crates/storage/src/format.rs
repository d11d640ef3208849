//! The file that says what a directory is: the format's version and the salt of its checksums.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;

use crate::disk::{Disk, read_exact_at};
use crate::error::{OpenError, open_error};
use crate::journal::JOURNAL_DIR;

/// The newest format this program reads, and the one it writes.
pub const FORMAT_VERSION: u32 = 1;
/// The file's name in the data directory.
pub const FORMAT_FILE: &str = "format";

const UNFINISHED: &str = "format.tmp";
const FILE_BYTES_MAX: u64 = 4096;

/// What a data directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataFormat {
    /// At most [`FORMAT_VERSION`].
    pub version: u32,
    /// Goes into the checksums of the journal, so that no client can send what looks like a record.
    pub salt: u32,
}

impl DataFormat {
    /// Reads the data directory's format; `None` in a new directory.
    pub fn read(disk: &dyn Disk) -> Result<Option<Self>, OpenError> {
        let file = match disk.open(FORMAT_FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(open_error("opening the format file")(error)),
        };
        let len = file.len().map_err(open_error("reading the format file"))?.min(FILE_BYTES_MAX);
        let mut text = vec![0; len as usize];
        read_exact_at(&*file, &mut text, 0).map_err(open_error("reading the format file"))?;
        let foreign = || OpenError::Foreign {
            path: FORMAT_FILE.to_owned(),
            reason: "the format file is not one of this program's".to_owned(),
        };
        let format = Self::parse(&String::from_utf8_lossy(&text)).ok_or_else(foreign)?;
        if format.version > FORMAT_VERSION {
            return Err(OpenError::NewerFormat { found: format.version, known: FORMAT_VERSION });
        }
        Ok(Some(format))
    }

    /// Reads the format, writing one first in a new directory. Durable when it returns, whoever wrote it.
    pub(crate) fn read_or_create(disk: &dyn Disk) -> Result<Self, OpenError> {
        if let Some(format) = Self::read(disk)? {
            // ORDER: the process that wrote it may have been killed before its name was durable.
            disk.sync_dir("").map_err(open_error("syncing the data directory"))?;
            return Ok(format);
        }
        if disk.list(JOURNAL_DIR).is_ok_and(|names| !names.is_empty()) {
            let reason = "it holds a journal and no format file".to_owned();
            return Err(OpenError::Foreign { path: FORMAT_FILE.to_owned(), reason });
        }
        let format = Self { version: FORMAT_VERSION, salt: RandomState::new().build_hasher().finish() as u32 };
        let text = format!("headwater data directory\nformat {}\nsalt {:08x}\n", format.version, format.salt);
        let create = || {
            let file = disk.create(UNFINISHED)?;
            file.write_at(text.as_bytes(), 0)?;
            file.sync_data()?;
            disk.rename(UNFINISHED, FORMAT_FILE)?;
            disk.sync_dir("")
        };
        create().map_err(open_error("writing the format file"))?;
        Ok(format)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != "headwater data directory" {
            return None;
        }
        let version = lines.next()?.strip_prefix("format ")?.parse().ok()?;
        if version > FORMAT_VERSION {
            return Some(Self { version, salt: 0 });
        }
        let salt = u32::from_str_radix(lines.next()?.strip_prefix("salt ")?, 16).ok()?;
        Some(Self { version, salt })
    }
}
