//! Reading sessions: following them live, paging through what happened, and taking them away as files.
//!
//! Everything here reads streams through the engine and holds one batch of stored bytes at a time, however long a session
//! is. Nothing is decided and nothing is folded here but who is present. Messages that cannot be read, or that are of a
//! type this version does not know, are passed over: one of them must not hide what follows.

mod companion;
mod event;
mod export;
mod failure;
mod folded;
mod follower;
mod history;
mod log;
mod scan;
mod stored;

pub use companion::{presence_at_tail, presence_companion};
pub use event::{AgentEvent, Item, SessionEvent};
pub use export::{ExportFormat, Exporter, UnknownFormat, without_escapes};
pub use folded::{FoldedText, FoldedView};
pub use follower::{AgentFollower, SessionFollower};
pub use history::{EventsPage, HistoryPage, HistoryQuery, RawEvent, events, history};
