//! SQL for people: sessions as tables of a SQLite file, with full-text search.
//!
//! The file is a copy that follows the streams; it decides nothing and nothing waits for it. How far each stream has been
//! read is stored in the same transaction as its rows, so after a crash the projection goes on exactly where its rows end.
//! It reads the log at its own pace in bounded memory: a slow, locked, full or broken file costs writers nothing, and the
//! projection tries again until the file can be used.
//!
//! [`Projection`] follows a running engine, [`reindex`] builds the file anew, and both answer searches through
//! [`headwater_sessions::SessionSearch`]. This crate keeps SQLite out of the sessions; it knows no HTTP and no store.

pub mod limits;

mod apply;
mod clean;
mod error;
mod events;
mod followed;
mod phrase;
mod projector;
mod queue;
mod registry;
mod reindex;
mod schema;
mod search;
mod service;
mod source;
mod text;
mod texts;

pub use error::ProjectionError;
pub use limits::ProjectionLimits;
pub use projector::{ProjectionOptions, Projector, Round};
pub use reindex::{ReindexProgress, reindex};
pub use search::SearchIndex;
pub use service::Projection;
