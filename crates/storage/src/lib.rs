//! The embedded store: journal, archive, catalog.
//!
//! One commit is one durable write to the **journal**. The **memtable** holds what changed since the last checkpoint,
//! a **checkpoint** writes it to the **catalog** (SQLite), and sealed journal segments are rewritten into **archive**
//! files clustered by stream. No stream reaches a disk but through this crate; it knows no HTTP, no JSON and no
//! producers' rules.

pub mod disk;
pub mod limits;

mod error;
mod format;
mod lock;
mod store;

mod checkpoint;
mod ephemeral;
mod extents;
mod journal;
mod memtable;
mod reader;
mod record;
mod replay;

mod archive;
mod catalog;

pub mod inspect;
pub mod verify;

#[doc(hidden)]
pub mod fuzzing;

pub use checkpoint::{Checkpoint, Expiring, HeadPatch, JournalPosition, Patched};
pub use error::OpenError;
pub use format::{DataFormat, FORMAT_FILE, FORMAT_VERSION};
pub use limits::StoreLimits;
pub use store::{EmbeddedStore, StoreOptions, Upkeep};
