//! One HTTP/1.1 connection: what is read, started, answered and written, and when.
//!
//! Requests are started in their order and answered in their order. Only appends overlap, and only with appends: each
//! is queued in the engine by its first poll, so their order is the client's, and everything else sees what was asked
//! for before it (RFC 9112 section 9.3.2 lets a server overlap what the client cannot tell apart).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use headwater_streams::Store;
use http::Response;
use tokio::io::AsyncWrite;

use super::head::Head;
use super::inflow::Receiving;
use super::outbox::{AnswerFraming, Outbox};
use crate::edge::Edge;
use crate::limits::PIPELINED_REQUESTS_MAX;
use crate::response::EdgeBody;
use crate::socket::Socket;
use crate::vitals::{Doom, Vitals};

pub(super) type Answering<S> = Pin<Box<dyn Future<Output = Response<EdgeBody<S>>> + Send>>;

/// Why a connection ends early; for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error("an answer broke off: {0}")]
    Answer(#[from] crate::response::ContentError),
    #[error("the client left")]
    Left,
    #[error("given up: {0:?}")]
    GivenUp(Doom),
}

/// A connection; polled to its end by its task.
pub(crate) struct Http1<S: Store> {
    pub(super) edge: Arc<Edge<S>>,
    pub(super) vitals: Arc<Vitals>,
    pub(super) socket: Socket,
    /// Received, and neither parsed nor decoded yet.
    pub(super) unread: BytesMut,
    /// A head that waits until what was asked before it is answered.
    pub(super) waiting: Option<Head>,
    /// The body that arrives now; of the last request in `exchanges`.
    pub(super) receiving: Option<Receiving>,
    pub(super) exchanges: VecDeque<Exchange<S>>,
    pub(super) outbox: Outbox,
    pub(super) input: Input,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    /// The client has said its last word; what it asked for is still answered.
    Ended,
    /// What comes is no longer looked at: the connection closes after the answers.
    Ignored,
}

/// A request and its answer.
pub(super) struct Exchange<S: Store> {
    pub(super) stage: Stage<S>,
    pub(super) is_append: bool,
    /// Ends at once when its client leaves.
    pub(super) is_live: bool,
    pub(super) is_head: bool,
    pub(super) is_old: bool,
    pub(super) keeps_alive: bool,
}

pub(super) enum Stage<S: Store> {
    Answering(Answering<S>),
    Answered(Box<Response<EdgeBody<S>>>),
    Sending(Box<EdgeBody<S>>, AnswerFraming),
}

impl<S: Store> Http1<S> {
    pub(crate) fn new(edge: Arc<Edge<S>>, vitals: Arc<Vitals>, socket: Socket) -> Self {
        Self {
            edge,
            vitals,
            socket,
            unread: BytesMut::new(),
            waiting: None,
            receiving: None,
            exchanges: VecDeque::new(),
            outbox: Outbox::default(),
            input: Input::Open,
        }
    }

    /// Ready when the connection is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if let Some(doom) = self.vitals.doom() {
            if doom == Doom::Head && self.exchanges.is_empty() {
                self.socket.answer_head_timeout();
            }
            return Poll::Ready(Err(Broken::GivenUp(doom)));
        }
        loop {
            let mut has_moved = self.poll_read(cx)?;
            has_moved |= self.poll_handlers(cx);
            has_moved |= self.poll_answers(cx)?;
            if has_moved {
                continue;
            }
            if self.is_over() {
                self.input = Input::Ignored;
                return Pin::new(&mut self.socket).poll_shutdown(cx).map_err(Broken::Socket);
            }
            self.rest();
            return Poll::Pending;
        }
    }

    /// Nothing is left to answer, and nothing more will be asked.
    fn is_over(&self) -> bool {
        let is_last = self.input != Input::Open || self.edge.is_stopping();
        is_last && self.exchanges.is_empty() && self.waiting.is_none() && self.outbox.is_empty()
    }

    /// Frees what a connection that waits does not need.
    fn rest(&mut self) {
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        if self.exchanges.capacity() > PIPELINED_REQUESTS_MAX / 4 && self.exchanges.len() <= 1 {
            self.exchanges.shrink_to(1);
        }
    }

    /// Polls what is being answered, in order; true when an answer is there.
    fn poll_handlers(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_moved = false;
        for exchange in &mut self.exchanges {
            let Stage::Answering(answering) = &mut exchange.stage else { continue };
            if let Poll::Ready(response) = answering.as_mut().poll(cx) {
                exchange.stage = Stage::Answered(Box::new(response));
                has_moved = true;
            }
        }
        if let Some(receiving) = &mut self.receiving
            && receiving.owes_continue
            && receiving.is_wanted()
        {
            receiving.owes_continue = false;
            self.outbox.push_continue();
        }
        has_moved
    }
}
