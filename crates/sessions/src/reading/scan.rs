//! A stretch of a stream, message by message, up to a fixed end: what pages and exports are made from.

use bytes::{Bytes, BytesMut};
use headwater_protocol::{Offset, ReadFrom, StreamPath};
use headwater_streams::{Engine, Page, ReadError, Store};
use memchr::memrchr;

use super::stored::{Stored, StoredMessage};

/// Reads up to where it was told to end. Holds one chunk of a page, and what of a message began in it. A dropped `next`
/// loses nothing.
#[derive(Debug)]
pub(super) struct Scan<S: Store> {
    engine: Engine<S>,
    path: StreamPath,
    /// Where the next page begins.
    next_page: ReadFrom,
    page: Option<Page>,
    batch: Stored,
    /// The beginning of a message whose end comes with the next chunk.
    begun: BytesMut,
    position: Offset,
    end: Offset,
}

impl<S: Store> Scan<S> {
    /// From a position to `end`, or to what is the tail now.
    pub(super) async fn open(
        engine: &Engine<S>,
        path: StreamPath,
        from: ReadFrom,
        end: Option<Offset>,
    ) -> Result<Self, ReadError> {
        let tail = engine.metadata(&path).await?.tail;
        let page = engine.page(&path, from).await?;
        let position = page.start;
        Ok(Self {
            engine: engine.clone(),
            path,
            next_page: ReadFrom::At(page.next),
            page: Some(page),
            batch: Stored::default(),
            begun: BytesMut::new(),
            position,
            end: end.map_or(tail, |end| end.min(tail)),
        })
    }

    /// The offset after the last message given.
    pub(super) fn position(&self) -> Offset {
        self.position
    }

    /// Where it ends.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// Whether the end is reached.
    pub(super) fn is_done(&self) -> bool {
        self.position >= self.end
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<StoredMessage>, ReadError> {
        while !self.is_done() {
            if let Some(message) = self.batch.next() {
                self.position = message.end;
                return Ok(Some(message));
            }
            self.read_chunk().await?;
        }
        Ok(None)
    }

    async fn read_chunk(&mut self) -> Result<(), ReadError> {
        let Some(page) = &mut self.page else {
            let page = self.engine.page(&self.path, self.next_page).await?;
            self.next_page = ReadFrom::At(page.next);
            self.page = Some(page);
            return Ok(());
        };
        match page.chunk().await {
            None => self.page = None,
            Some(chunk) => {
                let whole = self.whole_messages(chunk?);
                self.batch = Stored::new(whole, self.position);
            }
        }
        Ok(())
    }

    /// What `chunk` completes; its last, unfinished message is kept for the next one.
    fn whole_messages(&mut self, chunk: Bytes) -> Bytes {
        let Some(last) = memrchr(b'\n', &chunk) else {
            self.begun.extend_from_slice(&chunk);
            return Bytes::new();
        };
        let rest = chunk.slice(last + 1..);
        let mut whole = chunk.slice(..=last);
        if !self.begun.is_empty() {
            self.begun.extend_from_slice(&whole);
            whole = self.begun.split().freeze();
        }
        self.begun.extend_from_slice(&rest);
        whole
    }
}
