//! Agent sessions: the durable record of agents at work, followed and steered by many at once.
//!
//! A [`SessionClient`] begins, finds and ends sessions and [writes](SessionClient::publish) to them. A [`Session`]
//! [follows](SessionClient::follow) one: collections that are always up to date, [live queries](LiveQuery) over them,
//! [handlers](Session::on) of events, and [optimistic writes](Session::write), all over one connection that heals. What
//! an agent or a program says while the server may be away goes through an [`Outbox`]. Whoever is there
//! [joins](Session::join).
//!
//! Nothing is missing and nothing comes twice, however often the connection is lost: a session begins with a snapshot and
//! goes on from its offset.
//!
//! # A session follower
//!
//! ```no_run
//! use headwater_client::Client;
//! use headwater_client::sessions::{SessionClient, SessionError};
//!
//! # async fn example() -> Result<(), SessionError> {
//! let sessions = SessionClient::new(Client::new("http://127.0.0.1:4437/v1/stream")?)?;
//! let session = sessions.follow("a-session");
//! let mut lines = session.terminal().lines().subscribe();
//! while let Some(changes) = lines.next().await {
//!     for line in changes.iter().filter_map(|change| change.row()) {
//!         print!("{}", line.data);
//!     }
//! }
//! let end = session.ended().await;
//! println!("{:?} at {}", end.state, end.offset);
//! # Ok(())
//! # }
//! ```
//!
//! # Presence
//!
//! ```no_run
//! # async fn example(session: headwater_client::sessions::Session) {
//! use headwater_client::sessions::Person;
//!
//! let here = session.join(Person::new("ada").name("Ada"));
//! here.move_cursor(10.0, 20.0);
//! let mut people = session.presence().query().order_by_key(|person| person.joined_at).open();
//! while people.changed().await {
//!     println!("{} here", people.rows().len());
//! }
//! here.leave().await;
//! # }
//! ```

mod agent;
mod api;
mod channel;
mod client;
mod collection;
mod error;
mod event;
mod export;
mod feed;
mod fold;
mod follow;
mod outbox;
mod post;
mod presence;
mod publish;
mod reading;
mod registry;
mod router;
mod rows;
mod session;
mod terminal;
mod txn;
mod writes;

pub mod limits;

pub use agent::AgentSubscription;
pub use channel::{Channel, Operation};
pub use client::SessionClient;
pub use collection::{ChangeBatch, Collection, LiveQuery, QueryBuilder, RowChange, Subscription};
pub use error::{ErrorCode, Refused, SessionError};
pub use event::SessionEvent;
pub use export::{Export, ExportFormat};
pub use feed::{Fed, SessionFeed};
pub use follow::{ConnectionState, SessionStatus};
pub use outbox::{Outbox, OutboxStatus};
pub use post::{Person, Post};
pub use presence::PresenceGuard;
pub use publish::{Published, PublishedEvent};
pub use reading::{
    Gap, HistoryPage, HistoryQuery, IndexStatus, Joined, MessagesAt, Search, SearchHit, SearchPage, SnippetPart,
    StateAt,
};
pub use registry::{
    ForkedFrom, ListSessions, NewSession, SessionDetail, SessionPage, SessionPatch, SessionRow, SessionState,
    ShareLinks,
};
pub use router::{EventRouter, HandlerGuard};
pub use rows::{
    AgentState, AgentStatus, Chunk, Cursor, Message, Participant, TerminalKind, TerminalLine, TerminalSource, ToolCall,
    ToolStatus, WorkflowEvent, WorkflowKind,
};
pub use session::{Discontinuity, Events, Lagged, Session};
pub use terminal::Terminal;
pub use txn::{Confirmed, RolledBack, Txn};
