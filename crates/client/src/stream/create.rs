//! PUT: create a stream, with content, closed or not, or as a fork of another.

use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::header::{
    STREAM_CLOSED, STREAM_EXPIRES_AT, STREAM_FORK_OFFSET, STREAM_FORK_SUB_OFFSET, STREAM_FORKED_FROM, STREAM_TTL,
};
use http::Method;

use super::Stream;
use crate::transport::{Call, Repeat};
use crate::{Error, Offset};

/// What a stream shall be.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Create {
    content_type: Option<String>,
    ttl: Option<Duration>,
    expires_at: Option<String>,
    body: Bytes,
    closed: bool,
}

/// A stream that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// `false` when it was there already, exactly as asked for; its content was left alone.
    pub is_new: bool,
    /// Where the next append will land, when the server told.
    pub tail: Option<Offset>,
}

/// Where a fork leaves its source.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Fork {
    at: Option<Offset>,
    sub_offset: Option<u64>,
    create: Create,
}

impl Create {
    /// A stream of this content type: `application/json` for messages, `text/…` for text, anything else for bytes.
    pub fn new(content_type: impl Into<String>) -> Self {
        Self { content_type: Some(content_type.into()), ..Self::default() }
    }

    /// A stream of JSON messages.
    pub fn json() -> Self {
        Self::new("application/json")
    }

    /// Ends this long after the last read or write; whole seconds, rounded up.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Ends at this time, an RFC 3339 timestamp. Excludes a TTL.
    pub fn expires_at(mut self, timestamp: impl Into<String>) -> Self {
        self.expires_at = Some(timestamp.into());
        self
    }

    /// The first content, part of the same atomic step.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Closed from the start: the body is all there will ever be.
    pub fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    fn describe(self, call: &mut Call) -> Result<(), Error> {
        if let Some(content_type) = &self.content_type {
            call.header("content-type", content_type)?;
        }
        if let Some(ttl) = self.ttl {
            let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
            call.header(STREAM_TTL, &seconds.to_string())?;
        }
        if let Some(timestamp) = &self.expires_at {
            call.header(STREAM_EXPIRES_AT, timestamp)?;
        }
        if self.closed {
            call.header(STREAM_CLOSED, "true")?;
        }
        call.body = self.body;
        Ok(())
    }
}

impl Fork {
    /// From the source's tail.
    pub fn at_tail() -> Self {
        Self::default()
    }

    /// From an offset of the source.
    pub fn at(offset: impl Into<Offset>) -> Self {
        Self { at: Some(offset.into()), ..Self::default() }
    }

    /// So many messages (JSON) or bytes past the offset.
    pub fn sub_offset(mut self, count: u64) -> Self {
        self.sub_offset = Some(count);
        self
    }

    /// What the fork shall be where it differs from its source, and its first own content.
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }
}

impl Stream {
    /// Creates the stream, durably, with everything `create` says in one step. Asking again for the same is no error, so
    /// this is tried again after failures.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is there and differs, [`Error::Refused`] for options no server takes.
    pub async fn create(&self, create: Create) -> Result<Created, Error> {
        let mut call = self.call(Method::PUT);
        let content_type = create.content_type.clone();
        create.describe(&mut call)?;
        let created = self.put(&call).await?;
        self.learn_content_type(content_type.as_deref().unwrap_or("application/octet-stream"));
        Ok(created)
    }

    /// Creates `target` as a fork of this stream: it shares everything up to the fork point, and nothing after it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when this stream is not there, [`Error::Conflict`] when `target` is there and differs,
    /// [`Error::Refused`] when the fork point lies past the data.
    pub async fn fork(&self, target: &Self, fork: Fork) -> Result<Created, Error> {
        let mut call = target.call(Method::PUT);
        call.header(STREAM_FORKED_FROM, self.url.path())?;
        if let Some(offset) = &fork.at {
            call.header(STREAM_FORK_OFFSET, offset.as_str())?;
        }
        if let Some(count) = fork.sub_offset {
            call.header(STREAM_FORK_SUB_OFFSET, &count.to_string())?;
        }
        fork.create.describe(&mut call)?;
        target.put(&call).await
    }

    async fn put(&self, call: &Call) -> Result<Created, Error> {
        let answer = self.transport.send_until(call, Repeat::Transient).await?;
        let created = Created { is_new: answer.status() == 201, tail: answer.next_offset() };
        answer.finish().await;
        Ok(created)
    }
}
