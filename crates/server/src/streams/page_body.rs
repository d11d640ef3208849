//! A page on its way to the client: read from the store chunk by chunk, as fast as the client takes it.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use headwater_protocol::json::ArrayPage;
use headwater_protocol::{Framing, StreamPath};
use headwater_streams::{Page, ReadError};
use http_body::Frame;

/// The body of a catch-up answer. Its length is known and announced, so a client notices when it breaks off.
pub(crate) struct PageBody {
    page: Page,
    path: StreamPath,
    array: Option<ArrayPage>,
    stage: Stage,
    remaining: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Content,
    Done,
}

impl PageBody {
    pub(crate) fn new(page: Page, path: StreamPath) -> Self {
        let array = (page.content_type.framing() == Framing::Json).then(|| ArrayPage::new(page.len()));
        let remaining = array.as_ref().map_or(page.len(), ArrayPage::array_len);
        let stage = if array.is_some() { Stage::Open } else { Stage::Content };
        Self { page, path, array, stage, remaining }
    }

    /// Bytes still to come.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        let piece = match self.stage {
            Stage::Open => {
                self.stage = Stage::Content;
                Bytes::from_static(ArrayPage::OPEN)
            }
            Stage::Content => match ready!(self.poll_content(cx)).transpose() {
                Ok(Some(content)) => content,
                Ok(None) => return self.close(),
                Err(error) => {
                    tracing::error!(path = %self.path, %error, "page broke off");
                    self.stage = Stage::Done;
                    return Poll::Ready(Some(Err(error)));
                }
            },
            Stage::Done => return self.close(),
        };
        Poll::Ready(Some(Ok(self.sent(piece))))
    }

    /// The next piece of content that is not empty.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        loop {
            let chunk = match ready!(self.page.poll_chunk(cx)) {
                Some(Ok(chunk)) => chunk,
                other => return Poll::Ready(other),
            };
            let content = match &mut self.array {
                Some(array) => array.chunk(chunk),
                None => chunk,
            };
            if !content.is_empty() {
                return Poll::Ready(Some(Ok(content)));
            }
        }
    }

    fn close(&mut self) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        let closes = self.array.is_some() && self.stage != Stage::Done;
        self.stage = Stage::Done;
        Poll::Ready(closes.then(|| Ok(self.sent(Bytes::from_static(ArrayPage::CLOSE)))))
    }

    fn sent(&mut self, piece: Bytes) -> Frame<Bytes> {
        self.remaining -= piece.len() as u64;
        Frame::data(piece)
    }
}
