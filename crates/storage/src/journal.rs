//! The journal: shared, append-only segments that every commit is one durable write to.
//!
//! Segments are filled with zeros before use, so that a durable write changes no metadata of the file system, and are
//! **recycled**: what they held lives in the archive by then. [`Writer`] appends, [`Pool`] has segments ready,
//! [`recovery`] reads them after a start.

mod pool;
pub(crate) mod recovery;
mod scan;
mod segment;
mod writer;

pub(crate) use pool::Pool;
pub(crate) use segment::Segment;
pub(crate) use writer::Writer;

/// The journal's directory.
pub(crate) const JOURNAL_DIR: &str = "journal";
