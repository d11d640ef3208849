//! Sessions as their writers and readers see them: fixtures that all clients share, properties, and reading over an
//! engine in memory.
#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

mod fixtures;
mod harness;
mod properties;
mod reading;
mod stream_db;
