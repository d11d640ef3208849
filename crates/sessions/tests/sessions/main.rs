//! Sessions from outside: events in, change messages and state out.
#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

mod fixtures;
mod harness;
mod properties;
mod stream_db;
