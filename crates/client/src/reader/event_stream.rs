//! One SSE connection: bytes to events to batches.
//!
//! Data counts only once the control event after it has said where it ends; what the end of the connection leaves without
//! one is read again by the next.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_protocol::Framing;
use headwater_protocol::header::STREAM_SSE_DATA_ENCODING;
use headwater_protocol::sse::{
    BASE64, CONTENT_TYPE, CONTROL_EVENT, DATA_EVENT, ReceivedControl, SseEvent, SseParser, decode_data,
};
use tokio::time::Instant;

use crate::Error;
use crate::answer::Answer;

/// An open connection.
#[derive(Debug)]
pub(crate) struct EventStream {
    answer: Answer,
    parser: SseParser,
    parsed: VecDeque<SseEvent>,
    /// Content whose control event is yet to come.
    pending: BytesMut,
    is_base64: bool,
    limit: usize,
    opened: Instant,
    has_told: bool,
}

/// Content, and where the reader is after it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) bytes: Bytes,
    pub(crate) control: ReceivedControl,
}

impl EventStream {
    /// Takes an answer that is an event stream; `None` when it is something else.
    pub(crate) fn open(answer: Answer, limit: usize) -> Option<Self> {
        let kind = answer.header("content-type")?.split(';').next()?.trim();
        if !kind.eq_ignore_ascii_case(CONTENT_TYPE) {
            return None;
        }
        let encoding = answer.header(STREAM_SSE_DATA_ENCODING);
        Some(Self {
            is_base64: encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case(BASE64)),
            answer,
            parser: SseParser::new(limit),
            parsed: VecDeque::new(),
            pending: BytesMut::new(),
            limit,
            opened: Instant::now(),
            has_told: false,
        })
    }

    /// How long it has been open.
    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Whether it has brought a position.
    pub(crate) fn has_told(&self) -> bool {
        self.has_told
    }

    /// What comes next; `None` when the server has ended the connection.
    pub(crate) async fn next(&mut self, first: Duration, idle: Duration) -> Result<Option<Told>, Error> {
        loop {
            while let Some(event) = self.parsed.pop_front() {
                if let Some(told) = self.take(event)? {
                    self.has_told = true;
                    return Ok(Some(told));
                }
            }
            let timeout = if self.has_told { idle } else { first };
            let Some(bytes) = self.answer.chunk(timeout).await? else { return Ok(None) };
            let events = self.parser.push(&bytes).map_err(|_| self.too_large())?;
            self.parsed.extend(events);
        }
    }

    /// Events of other names are for later versions of the protocol.
    fn take(&mut self, event: SseEvent) -> Result<Option<Told>, Error> {
        match event.event.as_str() {
            DATA_EVENT => self.hold(&event.data).map(|()| None),
            CONTROL_EVENT => {
                let control = serde_json::from_str(&event.data)
                    .map_err(|error| self.malformed(format!("a control event is not what it should be: {error}")))?;
                Ok(Some(Told { bytes: self.pending.split().freeze(), control }))
            }
            _ => Ok(None),
        }
    }

    fn hold(&mut self, data: &str) -> Result<(), Error> {
        if self.pending.len() + data.len() > self.limit {
            return Err(self.too_large());
        }
        if self.is_base64 {
            let bytes = decode_data(Framing::Binary, data).map_err(|error| self.malformed(error.to_string()))?;
            self.pending.extend_from_slice(&bytes);
        } else {
            self.pending.extend_from_slice(data.as_bytes());
        }
        Ok(())
    }

    fn malformed(&self, what: String) -> Error {
        Error::malformed(self.answer.url(), what)
    }

    fn too_large(&self) -> Error {
        Error::TooLarge { url: self.answer.url().to_owned(), limit: self.limit }
    }
}
