//! POST: append, close.
//!
//! A plain append that may have been applied is not sent again: the server could not tell the second from another one.
//! Only requests that never reached it, or that it says it has not begun, are.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::ProducerStamp;
use headwater_protocol::header::{PRODUCER_EPOCH, PRODUCER_ID, PRODUCER_SEQ, STREAM_CLOSED, STREAM_SEQ};
use http::Method;
use serde::Serialize;

use super::Stream;
use crate::transport::{Call, Repeat};
use crate::{Error, Offset};

/// Options of an append.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Append {
    stream_seq: Option<String>,
    at_least_once: bool,
    close: bool,
}

/// An append that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// Where the next append will land, when the server told.
    pub tail: Option<Offset>,
    /// The server knew the numbers of this request of a producer already, and did nothing. What an earlier attempt of the
    /// same batch of a [`Producer`](crate::Producer) wrote without an answer counts as written now.
    pub is_duplicate: bool,
}

impl Append {
    /// None of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// A mark that must grow from append to append of this stream, byte by byte, else the append is refused with
    /// [`Error::SequenceConflict`].
    pub fn stream_seq(mut self, mark: impl Into<String>) -> Self {
        self.stream_seq = Some(mark.into());
        self
    }

    /// Tries again after every failure, **also where the append may have been applied**, so that it may be there twice.
    /// Without this, such a failure is [`Error::Ambiguous`]. A [`Producer`](crate::Producer) gives certainty.
    pub fn at_least_once(mut self) -> Self {
        self.at_least_once = true;
        self
    }

    /// Closes the stream in the same step: this is its last content.
    pub fn and_close(mut self) -> Self {
        self.close = true;
        self
    }
}

/// One POST.
#[derive(Debug, Clone, Default)]
pub(crate) struct Post {
    pub(crate) body: Bytes,
    pub(crate) content_type: Option<String>,
    pub(crate) stream_seq: Option<String>,
    pub(crate) producer: Option<ProducerStamp>,
    pub(crate) close: bool,
}

impl Stream {
    /// Appends `body` and waits until it is durable. In a JSON stream the body is a message, or an array of messages.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when nobody knows whether it was applied: it is never sent twice then. [`Error::Closed`],
    /// [`Error::NotFound`] and the like as the server says.
    pub async fn append(&self, body: impl Into<Bytes>) -> Result<Appended, Error> {
        self.append_with(body, Append::new()).await
    }

    /// Appends one message to a JSON stream; an array is one message too.
    ///
    /// # Errors
    /// As [`append`](Self::append), and [`Error::Json`] when `message` cannot be written as JSON.
    pub async fn append_json<T: Serialize + ?Sized>(&self, message: &T) -> Result<Appended, Error> {
        // In an array of its own: the server flattens one level.
        let body = serde_json::to_vec(&[message]).map_err(Error::json)?;
        self.append(body).await
    }

    /// As [`append`](Self::append), with options.
    ///
    /// # Errors
    /// As [`append`](Self::append), and [`Error::SequenceConflict`].
    pub async fn append_with(&self, body: impl Into<Bytes>, append: Append) -> Result<Appended, Error> {
        let post = Post {
            body: body.into(),
            content_type: Some(self.known_content_type().await?),
            stream_seq: append.stream_seq,
            producer: None,
            close: append.close,
        };
        let call = self.post_call(&post)?;
        let repeat = if append.at_least_once { Repeat::Transient } else { Repeat::NotBegun };
        let answer = self.transport.send_until(&call, repeat).await.map_err(|error| match error {
            error if error.may_have_been_applied() => Error::Ambiguous { cause: Arc::new(error) },
            other => other,
        })?;
        let appended = Appended { tail: answer.next_offset(), is_duplicate: false };
        answer.finish().await;
        Ok(appended)
    }

    /// Closes the stream: durable and for ever. Closing a closed stream is no error, so this is tried again.
    ///
    /// Gives the end of the stream, when the server told.
    ///
    /// # Errors
    /// [`Error::NotFound`] and the like.
    pub async fn close(&self) -> Result<Option<Offset>, Error> {
        let call = self.post_call(&Post { close: true, ..Post::default() })?;
        let answer = self.transport.send_until(&call, Repeat::Transient).await?;
        let tail = answer.next_offset();
        answer.finish().await;
        Ok(tail)
    }

    /// One attempt to POST.
    pub(crate) async fn post(&self, post: &Post) -> Result<Appended, Error> {
        let answer = self.transport.send(&self.post_call(post)?).await?;
        let is_duplicate = post.producer.is_some() && answer.status() == 204;
        let appended = Appended { tail: answer.next_offset(), is_duplicate };
        answer.finish().await;
        Ok(appended)
    }

    fn post_call(&self, post: &Post) -> Result<Call, Error> {
        let mut call = self.call(Method::POST);
        if let Some(content_type) = post.content_type.as_ref().filter(|_| !post.body.is_empty()) {
            call.header("content-type", content_type)?;
        }
        if let Some(mark) = &post.stream_seq {
            call.header(STREAM_SEQ, mark)?;
            call.expected.stream_seq = true;
        }
        if let Some(stamp) = &post.producer {
            call.header(PRODUCER_ID, stamp.id.as_str())?;
            call.header(PRODUCER_EPOCH, &stamp.epoch.to_string())?;
            call.header(PRODUCER_SEQ, &stamp.seq.to_string())?;
            call.expected.producer = true;
        }
        if post.close {
            call.header(STREAM_CLOSED, "true")?;
        }
        call.body = post.body.clone();
        Ok(call)
    }
}
