//! What the catalog can fail with.

use headwater_streams::StoreError;
use rusqlite::ErrorCode;
use thiserror::Error;

use super::schema::CATALOG_VERSION;

/// Why the catalog did not answer.
#[derive(Debug, Error)]
pub(crate) enum CatalogError {
    /// SQLite refused.
    #[error("catalog: {operation} failed: {source}")]
    Sqlite {
        /// What was tried.
        operation: &'static str,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// A row or file does not say what it must.
    #[error("catalog is damaged: {0}")]
    Damaged(String),
    /// Written by another version of the software.
    #[error("catalog has format version {found}; this program reads version {CATALOG_VERSION}")]
    Version {
        /// As written.
        found: u64,
    },
    /// The directory could not be synced.
    #[error("catalog: syncing its directory failed: {0}")]
    Directory(#[source] std::io::Error),
}

impl CatalogError {
    /// Whether the disk was full: nothing of the transaction happened, and it may be tried again.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if source.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

impl From<CatalogError> for StoreError {
    fn from(error: CatalogError) -> Self {
        if error.is_full() {
            return Self::Full;
        }
        Self::Io { operation: "reading or writing the catalog".to_owned(), cause: error.to_string() }
    }
}

/// Names the operation that an error of SQLite interrupted.
pub(super) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, CatalogError>;
}

impl<T> During<T> for rusqlite::Result<T> {
    fn during(self, operation: &'static str) -> Result<T, CatalogError> {
        self.map_err(|source| CatalogError::Sqlite { operation, source })
    }
}
