//! `view=snapshot` on the stream of a session and on its companion: the folded rows in the place of the log, and then the
//! log from where they hold, in every way of reading.
//!
//! The client is told the real tail, so that it goes on as if it had read everything. Nobody keeps the answer: it is true
//! for this moment, and no page of the log.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::json::MESSAGE_END;
use headwater_protocol::sse::JsonEventPieces;
use headwater_protocol::{Offset, ReadFrom, StreamPath};
use headwater_sessions::{SessionError, SessionId, Sessions, SnapshotPage, presence_at_tail, presence_snapshot};
use headwater_streams::Store;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::pieces;
use crate::edge::Edge;
use crate::problem::Problem;
use crate::request::{self, Live, Query};
use crate::response::{
    Answer, Content, NO_STORE, STREAM_CLOSED, STREAM_CURSOR, STREAM_NEXT_OFFSET, STREAM_UP_TO_DATE, TRUE, answer,
    number_value, offset_value,
};
use crate::streams::{cursor, sse};

/// What there is a snapshot of.
enum Subject {
    Session(SessionId),
    Presence(SessionId),
}

/// Stored messages that stand for the log up to an offset.
struct Rows {
    offset: Offset,
    source: RowSource,
}

enum RowSource {
    Session(Box<SnapshotPage>),
    /// Users are few.
    Presence(Option<Bytes>),
}

/// Answers a read from the beginning when it asks for a snapshot and there can be one; otherwise it is a read like any
/// other.
pub(crate) async fn snapshot<S: Store>(
    edge: &Arc<Edge<S>>,
    path: &StreamPath,
    query: &Query<'_>,
    text: Option<&str>,
) -> Result<Option<Answer<S>>, Problem> {
    let Some(mounted) = &edge.sessions else { return Ok(None) };
    let Some(subject) = Subject::of(path) else { return Ok(None) };
    if !request::asks_for_snapshot(text)? {
        return Ok(None);
    }
    let rows = match subject.rows(&mounted.api.sessions).await {
        Err(SessionError::NotFound { .. }) => return Ok(None),
        other => other?,
    };
    let echoed = query.cursor.as_deref();
    match query.live {
        Live::Sse => live(edge, path, rows, echoed).await.map(Some),
        Live::LongPoll => {
            let mut response = page(edge, path, rows).await?;
            if !response.headers().contains_key(STREAM_CLOSED) {
                let cursor = cursor(edge.engine.now_ms(), echoed);
                response.headers_mut().insert(STREAM_CURSOR, number_value(cursor.get()));
            }
            Ok(Some(response))
        }
        Live::No => page(edge, path, rows).await.map(Some),
    }
}

impl Subject {
    fn of(path: &StreamPath) -> Option<Self> {
        let rest = path.as_str().strip_prefix("session/")?;
        let (id, kind): (_, fn(SessionId) -> Self) = match rest.split_once('/') {
            None => (rest, Self::Session),
            Some((id, "presence")) => (id, Self::Presence),
            Some(_) => return None,
        };
        SessionId::new(id).ok().map(kind)
    }

    async fn rows<S: Store>(&self, sessions: &Sessions<S>) -> Result<Rows, SessionError> {
        match self {
            Self::Session(id) => {
                let page = sessions.snapshot(id).await?;
                Ok(Rows { offset: page.offset, source: RowSource::Session(Box::new(page)) })
            }
            Self::Presence(id) => {
                sessions.row(id).await?;
                let presence = presence_at_tail(sessions.engine(), id).await?;
                let mut stored = Vec::new();
                for message in presence_snapshot(&presence) {
                    stored.extend_from_slice(message.as_bytes());
                    stored.extend_from_slice(MESSAGE_END);
                }
                let source = RowSource::Presence(Some(stored.into()));
                Ok(Rows { offset: presence.position().offset, source })
            }
        }
    }
}

impl Rows {
    /// The next stored messages; `None` at the end.
    fn next_chunk(&mut self) -> Option<Bytes> {
        match &mut self.source {
            RowSource::Session(page) => page.next_chunk(),
            RowSource::Presence(stored) => stored.take(),
        }
    }
}

async fn page<S: Store>(edge: &Edge<S>, path: &StreamPath, rows: Rows) -> Result<Answer<S>, Problem> {
    let offset = rows.offset;
    let now = edge.engine.metadata(path).await?;
    let mut response = answer(StatusCode::OK, Content::Control(pieces::body(array(rows))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(STREAM_NEXT_OFFSET, offset_value(offset));
    headers.insert(STREAM_UP_TO_DATE, TRUE);
    if now.closed && now.tail == offset {
        headers.insert(STREAM_CLOSED, TRUE);
    }
    Ok(response)
}

/// The messages as one JSON array, piece by piece.
fn array(mut rows: Rows) -> impl FnMut() -> Option<Bytes> + Send + Unpin {
    let mut separator: &[u8] = b"[";
    let mut is_over = false;
    move || {
        let mut piece = Vec::new();
        match rows.next_chunk() {
            Some(chunk) => {
                piece.extend_from_slice(separator);
                piece.extend_from_slice(chunk.strip_suffix(MESSAGE_END).unwrap_or(&chunk));
                separator = MESSAGE_END;
            }
            None if is_over => return None,
            None => {
                is_over = true;
                piece.push(b']');
            }
        }
        Some(piece.into())
    }
}

async fn live<S: Store>(
    edge: &Arc<Edge<S>>,
    path: &StreamPath,
    mut rows: Rows,
    echoed: Option<&str>,
) -> Result<Answer<S>, Problem> {
    let follower = edge.engine.follow(path, ReadFrom::At(rows.offset)).await?;
    let mut event = Some(JsonEventPieces::default());
    let pieces = Box::new(move || match (rows.next_chunk(), &mut event) {
        (Some(chunk), Some(event)) => Some(event.piece(&chunk)),
        _ => event.take().map(JsonEventPieces::end),
    });
    sse::after(edge, path, pieces, follower, echoed).await
}
