//! What the projection can fail with.

use std::path::PathBuf;

use headwater_streams::EngineError;
use rusqlite::ErrorCode;
use thiserror::Error;

use crate::schema::PROJECTION_VERSION;

/// Why the projection cannot go on. Nothing was half done, and no writer noticed.
#[derive(Debug, Error)]
pub enum ProjectionError {
    /// SQLite refused.
    #[error("{operation} failed: {source}")]
    Sqlite {
        /// What was tried.
        operation: &'static str,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The file is somebody else's.
    #[error("{} is no projection of sessions; name another file", file.display())]
    Foreign {
        /// Which file.
        file: PathBuf,
    },
    /// The file is of another version.
    #[error(
        "{} has format version {found}, not {PROJECTION_VERSION}; \
         `headwater sessions reindex` builds it anew", file.display()
    )]
    Version {
        /// Which file.
        file: PathBuf,
        /// As written.
        found: i64,
    },
    /// The operating system refused.
    #[error("{operation} failed: {source}")]
    Io {
        /// What was tried, with the file.
        operation: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// The streams cannot be read.
    #[error("the streams cannot be read: {0}")]
    Engine(#[from] EngineError),
}

impl ProjectionError {
    /// What an operator can do beyond waiting.
    pub fn advice(&self) -> Option<&'static str> {
        let Self::Sqlite { source, .. } = self else { return None };
        match source.sqlite_error_code()? {
            ErrorCode::DatabaseCorrupt => {
                Some("the file is damaged: build it anew with `headwater sessions reindex`, or move it away")
            }
            ErrorCode::NotADatabase => Some("the file is no database: name another file, or move it away"),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("another program holds a lock on the file"),
            ErrorCode::DiskFull => Some("the disk is full"),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
                Some("check the directory, and that this user may write there")
            }
            _ => None,
        }
    }

    /// Its words and what to do.
    pub(crate) fn with_advice(&self) -> String {
        self.advice().map_or_else(|| self.to_string(), |advice| format!("{self}; {advice}"))
    }
}

/// Names the operation that an error of SQLite interrupted.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, ProjectionError>;
}

impl<T> During<T> for rusqlite::Result<T> {
    fn during(self, operation: &'static str) -> Result<T, ProjectionError> {
        self.map_err(|source| ProjectionError::Sqlite { operation, source })
    }
}
