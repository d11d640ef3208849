//! Agent sessions: the durable, shareable record of agents at work, built only on streams.
//!
//! A session's stream holds State Protocol 1.0 change messages and nothing else. What a writer posts is a channel
//! event; [`decide()`] turns events into change messages against the folded state, and the state applies what was
//! appended. The rules are values and pure functions: time comes in as `now_ms`, ids from a source that the
//! caller hands in.
//!
//! [`Sessions`] is the service around them, over an engine: it holds the state of the sessions in use, decides, commits
//! and answers.
//!
//! This crate knows no HTTP, no status codes and no storage.

pub mod limits;

mod change;
mod channel;
mod decide;
mod error;
mod event;
mod fields;
mod fold;
mod frozen;
mod id;
mod json;
mod messages;
mod position;
mod presence;
mod reading;
mod registry;
mod request;
mod search;
mod seen;
mod service;
mod snapshot;
mod staged;
mod steps;
mod table;

pub use change::{Change, Control, InvalidMessage, Message, Operation, encode_stored};
pub use channel::{Channel, RowType};
pub use decide::{Answer, Context, Decision, Planned, Verdict, decide};
pub use error::{ErrorCode, ProducerRefusal, SessionError};
pub use event::Event;
pub use fold::{Ignored, State};
pub use frozen::InvalidFrozen;
pub use id::{AgentId, IdSource, SessionId, TimeOrderedIds, registry_stream};
pub use json::Json;
pub use messages::{MessageRow, Messages, message_id};
pub use position::Position;
pub use presence::{Cursor, Presence, PresentUser};
pub use reading::{
    AgentEvent, AgentFollower, EventsPage, ExportFormat, Exporter, FoldedText, FoldedView, HistoryPage, HistoryQuery,
    Item, RawEvent, SessionEvent, SessionFollower, UnknownFormat, events, history, presence_at_tail,
    presence_companion, without_escapes,
};
pub use registry::{
    ForkOrigin, Listing, NewFork, NewSession, Order, PageRequest, Registry, SessionFilter, SessionPatch, SessionRow,
    SessionStatus, Sort, SortField, Transition,
};
pub use request::{Input, Request};
pub use search::{
    Found, SearchAnswer, SearchError, SearchHit, SearchPage, SearchQuery, SearchStatus, SessionSearch, SnippetPart,
};
pub use service::{Folded, Joined, Published, PublishedEvent, SessionView, Sessions, SessionsConfig, SnapshotPage};
pub use snapshot::{presence_snapshot, snapshot};
pub use steps::{Step, StepKind};
pub use table::Row;
