//! What a connection reads, and the requests it starts.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use headwater_streams::Store;
use http::{Method, Request, Version};
use tokio::io::{AsyncRead, ReadBuf};

use super::connection::{Broken, Exchange, Http1, Input, Stage};
use super::head::{self, BodyFraming, Head};
use super::inflow::Receiving;
use crate::body::RequestBody;
use crate::limits::{HEADER_BYTES_MIN, INFLOW_BYTES_MAX, PIPELINED_REQUESTS_MAX, READ_BYTES};
use crate::problem::Problem;
use crate::router;

thread_local! {
    /// What one read brings, on its way to a parser: connections share it, so an idle one holds no buffer.
    static READ_SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

impl<S: Store> Http1<S> {
    /// Reads and starts what it can; true when something came of it.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let mut has_moved = self.take_unread();
        while self.may_read() {
            let count = READ_SPACE.with_borrow_mut(|space| {
                let mut buf = ReadBuf::new(space);
                match Pin::new(&mut self.socket).poll_read(cx, &mut buf)? {
                    Poll::Pending => Ok(None),
                    Poll::Ready(()) => {
                        let count = buf.filled().len();
                        self.receive(&space[..count]);
                        Ok::<_, std::io::Error>(Some(count))
                    }
                }
            })?;
            match count {
                None => break,
                Some(0) => return self.input_ended().map(|()| true),
                Some(_) => has_moved = true,
            }
        }
        Ok(has_moved)
    }

    fn may_read(&self) -> bool {
        self.input == Input::Open
            && self.unread.len() < self.header_bytes_max()
            && self.receiving.as_ref().is_none_or(|receiving| receiving.held() < INFLOW_BYTES_MAX)
    }

    fn header_bytes_max(&self) -> usize {
        self.edge.config.limits.header_bytes_max.max(HEADER_BYTES_MIN)
    }

    fn receive(&mut self, bytes: &[u8]) {
        if !self.unread.is_empty() {
            self.unread.extend_from_slice(bytes);
            self.take_unread();
            return;
        }
        let used = self.take(bytes);
        self.unread.extend_from_slice(&bytes[used..]);
    }

    pub(super) fn take_unread(&mut self) -> bool {
        if self.input == Input::Ignored || (self.unread.is_empty() && self.waiting.is_none()) {
            return false;
        }
        let mut unread = std::mem::take(&mut self.unread);
        let started = self.exchanges.len();
        let used = self.take(&unread);
        unread.advance(used);
        self.unread = unread;
        used > 0 || self.exchanges.len() > started
    }

    /// Uses up what it can of `bytes`: bodies are decoded, heads parsed and their requests started.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while self.input != Input::Ignored {
            if let Some(receiving) = &mut self.receiving {
                let (count, is_over) = receiving.decode(&bytes[used..]);
                used += count;
                if !is_over {
                    break;
                }
                self.receiving = None;
            }
            let Some(head) = self.waiting.take() else {
                // Nothing follows the request that a stopping server still answers.
                if used == bytes.len() || self.edge.is_stopping() {
                    break;
                }
                match head::parse(&bytes[used..], self.header_bytes_max()) {
                    Ok(Some((head, len))) => {
                        used += len;
                        self.waiting = Some(head);
                    }
                    Ok(None) => break,
                    Err(problem) => self.refuse(problem),
                }
                continue;
            };
            if !self.may_start(&head) {
                self.waiting = Some(head);
                break;
            }
            used += self.start(head, &bytes[used..]);
        }
        used
    }

    /// Whether the request may overlap those in flight.
    fn may_start(&self, head: &Head) -> bool {
        self.exchanges.is_empty()
            || (self.exchanges.len() < PIPELINED_REQUESTS_MAX
                && !head.expects_continue
                && router::is_append(&self.edge, &head.parts)
                && self.exchanges.iter().all(|exchange| exchange.is_append))
    }

    /// Starts a request; tells how many of the bytes after its head were its body.
    fn start(&mut self, head: Head, rest: &[u8]) -> usize {
        let (body, used) = match head.framing {
            BodyFraming::Length(length) if length <= rest.len() as u64 => {
                let length = length as usize;
                (RequestBody::Whole(Bytes::copy_from_slice(&rest[..length])), length)
            }
            framing => {
                let (receiving, inflow) = Receiving::new(framing, head.expects_continue);
                self.receiving = Some(receiving);
                (RequestBody::Arriving(inflow), 0)
            }
        };
        let Head { parts, keeps_alive, .. } = head;
        let is_live = router::is_live(&self.edge, &parts);
        let is_append = router::is_append(&self.edge, &parts);
        let (is_head, is_old) = (parts.method == Method::HEAD, parts.version == Version::HTTP_10);
        let answering = self.edge.clone().answer(Request::from_parts(parts, body), self.vitals.begin());
        let stage = Stage::Answering(Box::pin(answering));
        self.exchanges.push_back(Exchange { stage, is_append, is_live, is_head, is_old, keeps_alive });
        used
    }

    /// Answers what cannot be parsed, after what came before it; nothing that follows can be understood.
    fn refuse(&mut self, problem: Problem) {
        let in_flight = self.vitals.begin();
        in_flight.linger();
        let answer = self.edge.refuse_head(problem).map(|content| content.in_flight(in_flight));
        self.exchanges.push_back(Exchange {
            stage: Stage::Answered(Box::new(answer)),
            is_append: false,
            is_live: false,
            is_head: false,
            is_old: false,
            keeps_alive: false,
        });
        self.input = Input::Ignored;
    }

    /// A client may close its half and still wait for answers, but nobody follows a stream that way: it has left.
    fn input_ended(&mut self) -> Result<(), Broken> {
        self.input = Input::Ended;
        if let Some(receiving) = self.receiving.take() {
            receiving.break_off("the connection ended before it did");
        }
        match self.exchanges.iter().any(|exchange| exchange.is_live) {
            true => Err(Broken::Left),
            false => Ok(()),
        }
    }
}
