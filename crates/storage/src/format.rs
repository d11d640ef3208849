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

const TITLE: &str = "headwater data directory";
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
            reason: "the format file is damaged, or not one of this program's; restore it from a backup".to_owned(),
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
        let text = format.text();
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

    /// The file's lines; the last one is a checksum of those before it, because a salt that changed would make every
    /// record look like one that was never written.
    fn text(self) -> String {
        let said = format!("{TITLE}\nformat {}\nsalt {:08x}\n", self.version, self.salt);
        let check = crc32c::crc32c(said.as_bytes());
        format!("{said}check {check:08x}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let version = lines.next()?.strip_prefix("format ")?.parse().ok()?;
        if version > FORMAT_VERSION {
            return Some(Self { version, salt: 0 });
        }
        let salt = u32::from_str_radix(lines.next()?.strip_prefix("salt ")?, 16).ok()?;
        let format = Self { version, salt };
        (format.text() == text).then_some(format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_back_as_it_was_written() {
        let format = DataFormat { version: FORMAT_VERSION, salt: 0x0012_abcd };
        assert_eq!(DataFormat::parse(&format.text()), Some(format));
    }

    #[test]
    fn no_flipped_bit_passes_for_another_salt() {
        let text = DataFormat { version: FORMAT_VERSION, salt: 0x5383_fcbd }.text();
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = DataFormat::parse(&String::from_utf8_lossy(&bytes));
            assert!(read.is_none_or(|format| format.version > FORMAT_VERSION), "bit {bit}: {read:?}");
        }
    }
}
