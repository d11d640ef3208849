//! Messages on their way into batches.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Place;
use super::builder::Options;
use crate::Error;
use crate::stream::Appended;

/// A message that waits for its batch.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Bytes,
    pub(crate) owed: Owed,
}

/// What is settled when a message is acknowledged, or never will be.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) receipt: Option<oneshot::Sender<Result<Appended, Error>>>,
    pub(crate) _place: Place,
}

impl Owed {
    pub(crate) fn settle(self, outcome: &Result<Appended, Error>) {
        if let Some(receipt) = self.receipt
            && receipt.send(outcome.clone()).is_err()
        {
            tracing::trace!("nobody waits for this receipt any more");
        }
    }
}

/// The messages of one request.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) body: Bytes,
    pub(crate) owed: Vec<Owed>,
}

/// Messages that are in no batch yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    due: Option<Instant>,
    linger: Duration,
    batch_bytes: usize,
    batch_messages: usize,
    is_json: bool,
}

impl Waiting {
    pub(crate) fn new(options: &Options, is_json: bool) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            due: None,
            linger: options.linger,
            batch_bytes: options.batch_bytes,
            batch_messages: options.batch_messages,
            is_json,
        }
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.bytes += message.bytes.len();
        self.messages.push_back(message);
        if self.due.is_none() {
            self.due = Some(Instant::now() + self.linger);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// When the oldest message has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a batch is to be cut now.
    pub(crate) fn is_ready(&self) -> bool {
        let full = self.bytes >= self.batch_bytes || self.messages.len() >= self.batch_messages;
        full || self.due.is_some_and(|due| due <= Instant::now())
    }

    /// The next batch: as many messages as fit, and at least one.
    pub(crate) fn cut(&mut self) -> Option<Cut> {
        let first = self.messages.pop_front()?;
        let (mut bytes, mut batch) = (first.bytes.len(), vec![first]);
        while let Some(next) = self.messages.front()
            && batch.len() < self.batch_messages
            && bytes + next.bytes.len() <= self.batch_bytes
        {
            bytes += next.bytes.len();
            batch.extend(self.messages.pop_front());
        }
        self.bytes -= bytes;
        // What is left has waited long enough: it came before the batch was sent.
        self.due = (!self.messages.is_empty()).then(Instant::now);
        let body = self.join(&batch, bytes);
        Some(Cut { body, owed: batch.into_iter().map(|message| message.owed).collect() })
    }

    /// What is owed for messages that will never be sent.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Owed> {
        (self.bytes, self.due) = (0, None);
        std::mem::take(&mut self.messages).into_iter().map(|message| message.owed)
    }

    fn join(&self, batch: &[Message], bytes: usize) -> Bytes {
        if self.is_json {
            return array(batch.iter().map(|message| &*message.bytes), bytes + batch.len() + 1);
        }
        if let [only] = batch {
            return only.bytes.clone();
        }
        let mut body = BytesMut::with_capacity(bytes);
        batch.iter().for_each(|message| body.extend_from_slice(&message.bytes));
        body.freeze()
    }
}

/// JSON values as one array, which the server takes apart again: an array among them stays whole.
pub(crate) fn array<'a>(values: impl Iterator<Item = &'a [u8]>, capacity: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(capacity);
    body.extend_from_slice(b"[");
    for (index, value) in values.enumerate() {
        if index > 0 {
            body.extend_from_slice(b",");
        }
        body.extend_from_slice(value);
    }
    body.extend_from_slice(b"]");
    body.freeze()
}
