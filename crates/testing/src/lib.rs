//! What the tests of several crates share: stores that fail on purpose, one behaviour suite for every store, and a
//! reference model small enough to read. Never part of a product.

#[allow(clippy::unwrap_used, reason = "a behaviour is a test")]
pub mod behaviour;
pub mod disk;
pub mod model;
pub mod random_operations;

mod embedded;
mod faulty_store;
mod operation;
mod reopen;
#[cfg(feature = "server")]
mod server;
pub mod stage;
pub mod stress;

pub use embedded::Embedded;
pub use faulty_store::{Faults, FaultyStore};
pub use reopen::{Reopen, SharedMemory};
#[cfg(feature = "server")]
pub use server::TestServer;
pub use stage::Stage;
