//! The projection from outside: streams in, tables and hits out.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod examples;
mod failures;
mod in_step;
mod random;
mod reindex;
mod search;
mod service;
mod world;
