//! What a connection answers: in the order of the requests, as fast as the socket takes it.

use std::pin::Pin;
use std::task::{Context, Poll};

use headwater_streams::Store;
use http::StatusCode;
use http::header::CONNECTION;
use http_body::Body as _;

use super::connection::{Broken, Http1, Input, Stage};
use super::head::has_token;
use super::outbox::AnswerFraming;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::response::EdgeBody;

impl<S: Store> Http1<S> {
    /// Sends what is there; true when a request is done or more can be sent at once.
    pub(super) fn poll_answers(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let mut has_moved = false;
        loop {
            // Nobody asks a body for more while the outbox is full, so nobody would be woken for it either: once it is
            // sent, the body is asked.
            let was_full = self.outbox.len() >= OUTBOX_BYTES_MAX;
            let is_more = self.fill_outbox(cx)?;
            let is_sent = self.outbox.poll_send(cx, &mut self.socket)?.is_ready();
            has_moved |= is_more;
            if !is_sent || !(is_more || was_full) {
                return Ok(has_moved);
            }
        }
    }

    /// Moves answers into the outbox, in order, until it is full or one has to be waited for; true when anything moved.
    fn fill_outbox(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let mut has_moved = false;
        while self.outbox.len() < OUTBOX_BYTES_MAX {
            let Some(exchange) = self.exchanges.front_mut() else { break };
            match &mut exchange.stage {
                Stage::Answering(_) => break,
                Stage::Answered(_) => self.push_head(),
                Stage::Sending(body, framing) => match Pin::new(&mut **body).poll_frame(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Some(frame)) => {
                        if let Ok(piece) = frame?.into_data() {
                            self.outbox.push_body(*framing, piece);
                        }
                    }
                    Poll::Ready(None) => {
                        self.outbox.push_end(*framing);
                        self.finish();
                    }
                },
            }
            has_moved = true;
        }
        Ok(has_moved)
    }

    fn push_head(&mut self) {
        let is_last = self.exchanges.len() == 1 && self.waiting.is_none();
        let Some(mut exchange) = self.exchanges.pop_front() else { return };
        let Stage::Answered(response) = exchange.stage else { return };
        let (head, body) = response.into_parts();
        let framing = framing(head.status, &body, exchange.is_head, exchange.is_old);
        if self.has_unread_body(is_last) {
            self.vitals.linger();
            exchange.keeps_alive = false;
        }
        exchange.keeps_alive &= framing != AnswerFraming::UntilClose
            && !has_token(&head.headers, &CONNECTION, "close")
            && !(is_last && self.edge.is_stopping());
        let connection = match (exchange.keeps_alive, exchange.is_old) {
            (false, _) => Some("close"),
            (true, true) => Some("keep-alive"),
            (true, false) => None,
        };
        self.outbox.push_head(head.status, &head.headers, framing, connection);
        exchange.stage = Stage::Sending(Box::new(body), framing);
        self.exchanges.push_front(exchange);
        if framing == AnswerFraming::Bodyless {
            self.finish();
        }
    }

    /// Whether the request that is answered now has a body that nobody will take.
    fn has_unread_body(&self, is_last: bool) -> bool {
        is_last && self.receiving.is_some()
    }

    /// The first request is done.
    fn finish(&mut self) {
        let Some(exchange) = self.exchanges.pop_front() else { return };
        if !exchange.keeps_alive {
            self.input = Input::Ignored;
            self.exchanges.clear();
            self.waiting = None;
            self.receiving = None;
        }
    }
}

/// How an answer's body is framed (RFC 9112 section 6.3).
fn framing<S: Store>(status: StatusCode, body: &EdgeBody<S>, is_head: bool, is_old: bool) -> AnswerFraming {
    if is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return AnswerFraming::Bodyless;
    }
    match body.size_hint().exact() {
        Some(length) => AnswerFraming::Length(length),
        None if is_old => AnswerFraming::UntilClose,
        None => AnswerFraming::Chunked,
    }
}
