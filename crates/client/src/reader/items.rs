//! Readers of text and of typed JSON, made from a reader of bytes.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream as _;
use futures_util::future::poll_fn;
use headwater_protocol::sse::complete_utf8_len;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::{Reader, ReaderStatus};
use crate::stream::Batch;
use crate::{Error, Offset};

/// Messages up to an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonBatch<T> {
    /// The messages, in order.
    pub items: Vec<T>,
    /// Where the next read starts.
    pub offset: Offset,
    /// There was nothing after this when the server answered.
    pub up_to_date: bool,
    /// The stream is closed and this is its end.
    pub closed: bool,
}

/// A [`Reader`] of typed messages. Ends after a message that is not a `T`; read `serde_json::Value` to take any.
pub struct JsonReader<T> {
    reader: Reader,
    has_failed: bool,
    items: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonReader<T> {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, has_failed: false, items: PhantomData }
    }

    /// The next batch of messages; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<JsonBatch<T>, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// As [`Reader::status`].
    pub fn status(&self) -> watch::Receiver<ReaderStatus> {
        self.reader.status()
    }
}

impl<T: DeserializeOwned> futures_util::Stream for JsonReader<T> {
    type Item = Result<JsonBatch<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_failed {
            return Poll::Ready(None);
        }
        let typed = ready!(Pin::new(&mut self.reader).poll_next(context)).map(|batch| batch.and_then(typed));
        self.has_failed = matches!(typed, Some(Err(_)));
        Poll::Ready(typed)
    }
}

fn typed<T: DeserializeOwned>(batch: Batch) -> Result<JsonBatch<T>, Error> {
    let items = batch.json()?;
    Ok(JsonBatch { items, offset: batch.offset, up_to_date: batch.up_to_date, closed: batch.closed })
}

impl<T> fmt::Debug for JsonReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonReader").field("reader", &self.reader).finish_non_exhaustive()
    }
}

/// Text up to an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextBatch {
    /// The text, with U+FFFD for bytes that are none.
    pub text: String,
    /// Where the next read starts. `None` when a character lies across that position: it comes whole with the next
    /// batch, and to keep a position, wait for one that is there.
    pub offset: Option<Offset>,
    /// There was nothing after this when the server answered.
    pub up_to_date: bool,
    /// The stream is closed and this is its end.
    pub closed: bool,
}

/// A [`Reader`] of text, which puts characters together that lie across batches.
pub struct TextReader {
    reader: Reader,
    /// The beginning of a character, at most 3 bytes.
    held: Bytes,
}

impl TextReader {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, held: Bytes::new() }
    }

    /// The next text; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<TextBatch, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// As [`Reader::status`].
    pub fn status(&self) -> watch::Receiver<ReaderStatus> {
        self.reader.status()
    }

    fn decode(&mut self, batch: Batch) -> TextBatch {
        let bytes = if self.held.is_empty() {
            batch.bytes
        } else {
            let mut whole = BytesMut::from(&*self.held);
            whole.extend_from_slice(&batch.bytes);
            whole.freeze()
        };
        let len = if batch.closed { bytes.len() } else { complete_utf8_len(&bytes) };
        // A copy: a slice would keep the whole page.
        self.held = Bytes::copy_from_slice(&bytes[len..]);
        TextBatch {
            text: String::from_utf8_lossy(&bytes[..len]).into_owned(),
            offset: self.held.is_empty().then_some(batch.offset),
            up_to_date: batch.up_to_date,
            closed: batch.closed,
        }
    }
}

impl futures_util::Stream for TextReader {
    type Item = Result<TextBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let batch = ready!(Pin::new(&mut self.reader).poll_next(context));
        Poll::Ready(batch.map(|batch| batch.map(|batch| self.decode(batch))))
    }
}

impl fmt::Debug for TextReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextReader").field("reader", &self.reader).finish_non_exhaustive()
    }
}
