//! GET without waiting: one page, or everything up to the tail.

use headwater_protocol::header::{STREAM_CLOSED, STREAM_CURSOR, STREAM_UP_TO_DATE, query};
use http::Method;

use super::{Batch, Stream, required};
use crate::answer::Answer;
use crate::transport::{Call, Repeat};
use crate::{Error, Offset};

impl Stream {
    /// One page from `from`: as much as the server gives in one answer. More is there unless it is up to date.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Gone`] when the offset lies before what is kept; [`Error::Refused`] when it is none
    /// of this stream.
    pub async fn read(&self, from: impl Into<Offset>) -> Result<Batch, Error> {
        let mut call = self.call(Method::GET);
        call.query(query::OFFSET, String::from(from.into()));
        let mut attempts = self.transport.attempts(Repeat::Transient);
        loop {
            match self.page(&call).await {
                Ok((batch, _)) => return Ok(batch),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    /// Everything from `from` up to the tail, in one batch, all of it in memory. A [`reader`](Self::reader) takes it page
    /// by page.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_all(&self, from: impl Into<Offset>) -> Result<Batch, Error> {
        let mut all = self.read(from).await?;
        while !(all.up_to_date || all.closed) {
            let next = self.read(all.offset.clone()).await?;
            if next.offset == all.offset {
                return Err(Error::malformed(&self.url(), "a page with more to come that leads nowhere"));
            }
            all = all.followed_by(next);
        }
        Ok(all)
    }

    /// One attempt to get a page, and the cursor to come back with.
    pub(crate) async fn page(&self, call: &Call) -> Result<(Batch, Option<String>), Error> {
        let mut answer = self.transport.send(call).await?;
        let cursor = answer.header(STREAM_CURSOR).map(str::to_owned);
        let body = answer.body(self.transport.settings().page_bytes_max).await?;
        if let Some(content_type) = answer.header("content-type").filter(|_| answer.status() == 200) {
            self.learn_content_type(content_type);
        }
        Ok((self.batch(&answer, body)?, cursor))
    }

    fn batch(&self, answer: &Answer, body: bytes::Bytes) -> Result<Batch, Error> {
        Ok(Batch {
            framing: self.framing(),
            offset: required(answer.next_offset(), answer.url())?,
            // An answer to a long-poll without content has waited at the tail.
            up_to_date: answer.has(STREAM_UP_TO_DATE) || answer.status() == 204,
            closed: answer.flag(STREAM_CLOSED),
            bytes: body,
        }
        .normal())
    }
}
