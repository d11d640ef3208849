//! Following a session or an agent: a snapshot, then what happens, through every loss of the connection.
//!
//! An event counts once it has been taken in together with the offset after it; a connection that is cut anywhere is
//! resumed from there, so nothing is missing and nothing comes twice. When history was trimmed meanwhile, the rows are
//! built anew from a snapshot and those who want to know are told. Where a proxy holds live connections back, long-poll
//! on the stream stands in.

mod connection;
mod follower;
mod recovery;
mod status;

pub(crate) use connection::Subject;
pub(crate) use follower::{Follower, Sink};
pub use status::{ConnectionState, SessionStatus};
