//! What a stream means: the engine.
//!
//! **Decide, commit, publish.** Requests queue at one committer; pure rules decide each against the stream's head; the
//! accepted changes go to the store in one commit; then tails are published, answers are released and live readers
//! wake. Nothing a reader or a writer is told can be lost by a crash.
//!
//! This crate knows no HTTP and no disk: a [`Store`] below it keeps the changes, a server above it speaks to clients.

mod activity;
mod batch;
mod change;
mod clock;
mod committer;
mod decide;
mod documents;
mod engine;
mod follower;
mod head;
mod live;
mod mailbox;
mod observer;
mod operation;
mod page;
mod reaper;
mod registry;
mod source;
mod step;
mod store;
mod structural;
mod submission;
mod tail_cache;
mod transact;

pub mod limits;
pub mod memory;
pub mod subscriptions;

pub use activity::{ChangeWatch, Changes, StreamActivity};
pub use change::{AppendDelta, Change, DocumentKey, Transaction};
pub use clock::{Clock, ManualClock, SystemClock};
pub use engine::Engine;
pub use follower::{Batch, Follower};
pub use head::{Closure, Durability, ForkOrigin, Head, InheritedSpan, ProducerState, StreamId, Version};
pub use mailbox::Mailbox;
pub use observer::{Observer, Unobserved};
pub use operation::{
    Append, AppendError, Appended, Create, CreateError, Created, DeleteError, EngineError, ForkPoint, Metadata,
    ReadError, TrimError,
};
pub use page::Page;
pub use step::{Step, StepDone, StepError, TransactionError};
pub use store::{BatchId, Commit, Listed, Outcome, Reclaimed, Store, StoreError, StoreStats};
