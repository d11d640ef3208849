//! The reading side, over an engine whose store is memory.

mod export;
mod follow;
mod history;
mod presence;
mod world;
