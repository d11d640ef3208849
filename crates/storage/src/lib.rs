//! The embedded store: journal, archive, catalog.
//!
//! One commit is one durable write to the **journal**. The **memtable** holds what changed since the last checkpoint,
//! a **checkpoint** writes it to the **catalog** (SQLite), and sealed journal segments are rewritten into **archive**
//! files clustered by stream. This is the only crate that touches a disk; it knows no HTTP, no JSON and no producers'
//! rules.

pub mod disk;

mod archive;
mod catalog;
mod checkpoint;

pub use checkpoint::{Checkpoint, Expiring, HeadPatch, JournalPosition, Patched};
