//! The service from outside, over the engine, with a clock that stands still.
#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

mod durability;
mod events;
mod house;
mod lifecycle;
mod presence;
mod readers;
mod restart;
mod retention;
