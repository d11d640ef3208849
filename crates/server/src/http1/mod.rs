//! HTTP/1.1 on one connection (RFC 9112).
//!
//! Heads and chunk sizes are parsed by httparse, bytes move as they do for any server; what is ours is the order of
//! things. Appends that a client sends without waiting for answers are all handed to the engine before the first is
//! durable, so one commit and one write carry many of them. A connection holds no buffer while it has nothing to hold,
//! which is what a live reader costs (`docs/adr/0012`).
//!
//! - [`head`]: from bytes to a request's head, and how its body is framed.
//! - [`inflow`]: a request's body on its way to the handler.
//! - [`outbox`]: answers on their way to the socket.
//! - [`connection`]: the loop; [`input`] reads and starts, [`output`] answers and writes.

mod connection;
mod head;
mod inflow;
mod input;
mod outbox;
mod output;

pub(crate) use connection::Http1;
pub(crate) use inflow::{Inflow, Taken};

/// What turns bytes into requests, for the fuzz target that compares reads of different lengths.
pub(crate) mod wire {
    pub(crate) use super::head::{BodyFraming, parse};
    pub(crate) use super::inflow::{Receiving, Taken};
}
