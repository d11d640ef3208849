//! HEAD and DELETE.

use std::time::Duration;

use headwater_protocol::header::{STREAM_CLOSED, STREAM_EXPIRES_AT, STREAM_TTL};
use http::Method;

use super::{Stream, required};
use crate::transport::Repeat;
use crate::{Error, Offset};

/// What a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// Its content type, as its creator wrote it.
    pub content_type: Option<String>,
    /// Where the next append will land.
    pub tail: Offset,
    /// Nothing will be appended any more.
    pub closed: bool,
    /// How long it lives without being read or written.
    pub ttl: Option<Duration>,
    /// When it ends, an RFC 3339 timestamp.
    pub expires_at: Option<String>,
}

impl Stream {
    /// Asks what the stream is. Does not prolong its life.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there.
    pub async fn head(&self) -> Result<Head, Error> {
        let answer = self.transport.send_until(&self.call(Method::HEAD), Repeat::Transient).await?;
        let head = Head {
            content_type: answer.header("content-type").map(str::to_owned),
            tail: required(answer.next_offset(), answer.url())?,
            closed: answer.flag(STREAM_CLOSED),
            ttl: answer.number(STREAM_TTL).map(Duration::from_secs),
            expires_at: answer.header(STREAM_EXPIRES_AT).map(str::to_owned),
        };
        if let Some(content_type) = &head.content_type {
            self.learn_content_type(content_type);
        }
        Ok(head)
    }

    /// Deletes the stream, durably. Tried again after failures; a stream that is gone when a broken attempt is repeated
    /// counts as deleted by it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there.
    pub async fn delete(&self) -> Result<(), Error> {
        let call = self.call(Method::DELETE);
        let mut attempts = self.transport.attempts(Repeat::Transient);
        let answer = loop {
            match self.transport.send(&call).await {
                Ok(answer) => break answer,
                Err(Error::NotFound(_) | Error::Gone(_)) if attempts.may_have_been_applied => return Ok(()),
                Err(error) => attempts.failed(error).await?,
            }
        };
        answer.finish().await;
        Ok(())
    }
}
