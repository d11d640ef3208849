//! One stream, message by message, live: history first, then what comes, going on after what was trimmed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use headwater_protocol::{Offset, ReadFrom, StreamPath};
use headwater_streams::{Batch, Engine, Follower, ReadError, Store};

use super::stored::{Stored, StoredMessage};

type Opening<S> = Pin<Box<dyn Future<Output = Result<Follower<S>, ReadError>> + Send>>;

/// A live reader that gives messages instead of bytes. It holds one batch, which followers of the stream share.
pub(super) struct Log<S: Store> {
    engine: Engine<S>,
    path: StreamPath,
    stage: Stage<S>,
    /// Where the next message begins.
    position: Offset,
    is_caught_up: bool,
}

enum Stage<S: Store> {
    /// Going on from the earliest position, after a gap.
    Opening(Opening<S>),
    Reading(Reading<S>),
    Closed,
    Failed(ReadError),
}

struct Reading<S: Store> {
    follower: Follower<S>,
    batch: Stored,
    /// What lies behind the batch.
    behind: Behind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    More,
    Tail,
    End,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Message(StoredMessage),
    CaughtUp,
    Gap { earliest: Offset },
    Closed,
}

impl<S: Store> Log<S> {
    /// Opens the stream at a position. One that was trimmed away is no error but a gap to begin with.
    pub(super) async fn open(engine: &Engine<S>, path: StreamPath, from: ReadFrom) -> Result<Self, ReadError> {
        let (stage, position) = match engine.follow(&path, from).await {
            Ok(follower) => {
                let position = follower.position();
                (Stage::Reading(Reading::begin(follower)), position)
            }
            Err(cause @ ReadError::Trimmed { .. }) => {
                let ReadFrom::At(position) = from else { return Err(cause) };
                let opening = opening(engine.clone(), path.clone(), from);
                (Stage::Opening(opening), position)
            }
            Err(cause) => return Err(cause),
        };
        Ok(Self { engine: engine.clone(), path, stage, position, is_caught_up: false })
    }

    /// Where the next message begins.
    pub(super) fn position(&self) -> Offset {
        self.position
    }

    /// After an error, and after the end, says the same again.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, ReadError>> {
        loop {
            let outcome = match &mut self.stage {
                Stage::Closed => return Poll::Ready(Ok(Next::Closed)),
                Stage::Failed(cause) => return Poll::Ready(Err(cause.clone())),
                Stage::Opening(opening) => ready!(opening.as_mut().poll(cx)).map(Reading::begin).map(Some),
                Stage::Reading(reading) => {
                    if let Some(message) = reading.batch.next() {
                        self.position = message.end;
                        return Poll::Ready(Ok(Next::Message(message)));
                    }
                    if reading.behind != Behind::More && !self.is_caught_up {
                        self.is_caught_up = true;
                        return Poll::Ready(Ok(Next::CaughtUp));
                    }
                    if reading.behind == Behind::End {
                        self.stage = Stage::Closed;
                        continue;
                    }
                    ready!(reading.poll_batch(cx)).map(|()| None)
                }
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(reading)) => {
                    self.position = reading.follower.position();
                    self.stage = Stage::Reading(reading);
                }
                Err(ReadError::Trimmed { earliest }) => {
                    let at = ReadFrom::At(earliest);
                    self.stage = Stage::Opening(opening(self.engine.clone(), self.path.clone(), at));
                    self.position = earliest;
                    return Poll::Ready(Ok(Next::Gap { earliest }));
                }
                Err(cause) => self.stage = Stage::Failed(cause),
            }
        }
    }
}

fn opening<S: Store>(engine: Engine<S>, path: StreamPath, from: ReadFrom) -> Opening<S> {
    Box::pin(async move { engine.follow(&path, from).await })
}

impl<S: Store> Reading<S> {
    fn begin(follower: Follower<S>) -> Self {
        let behind = match follower.at_tail() {
            (true, true) => Behind::End,
            (true, false) => Behind::Tail,
            (false, _) => Behind::More,
        };
        Self { follower, batch: Stored::default(), behind }
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        let Batch { start, bytes, up_to_date, closed, .. } = ready!(self.follower.poll_next(cx))?;
        self.batch = Stored::new(bytes, start);
        self.behind = match (closed, up_to_date) {
            (true, _) => Behind::End,
            (false, true) => Behind::Tail,
            (false, false) => Behind::More,
        };
        Poll::Ready(Ok(()))
    }
}
