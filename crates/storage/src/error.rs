//! Why a store did not open, and how failures of the disk become [`StoreError`]s.

use std::io;

use headwater_streams::StoreError;
use thiserror::Error;

/// Why the data directory was not opened. Damage is no reason: a damaged store opens and takes no changes.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data directory is in use by process {pid}")]
    Locked {
        /// As that process wrote it; 0 when it could not be read.
        pid: u32,
    },
    /// Written by a later version of the software.
    #[error("the data directory has format {found}; this program reads format {known}")]
    NewerFormat {
        /// As written.
        found: u32,
        /// The newest this program reads.
        known: u32,
    },
    /// There is something else in the directory.
    #[error("{path} is not a headwater data directory: {reason}")]
    Foreign {
        /// What was looked at.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("{operation} failed: {source}")]
    Io {
        /// What was tried, with the file.
        operation: String,
        /// The system's words.
        source: io::Error,
    },
    /// Journal, archive or catalog refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Turns a failure of the disk into a [`StoreError`] that names what was tried. A full disk keeps its own name.
pub(crate) fn io_error(operation: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
    let operation = operation.into();
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io { operation, cause: error.to_string() },
    }
}

/// The same for opening.
pub(crate) fn open_error(operation: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
    let operation = operation.into();
    move |source| OpenError::Io { operation, source }
}
