//! The answer to who joins: the session and its folded state, written message by message, so that a large session costs
//! the server no second copy of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use headwater_protocol::Offset;
use headwater_protocol::json::MESSAGE_END;
use headwater_sessions::SnapshotPage;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body::{Body, Frame};
use serde::Serialize;

use super::answer::Detailed;

/// What is told beside the snapshot.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Joined {
    /// Where reading the session goes on.
    pub(super) offset: Offset,
    /// The same of its companion stream.
    pub(super) presence_offset: Offset,
    pub(super) session: Detailed,
}

/// `{ok: true, data: {…, snapshot: […]}}`.
pub(super) fn with_snapshot(joined: Joined, page: SnapshotPage) -> Response {
    let joined = Joined { offset: page.offset, ..joined };
    let head = serde_json::to_string(&joined).expect("an answer is plain JSON");
    let opening = format!(r#"{{"ok":true,"data":{},"snapshot":["#, head.strip_suffix('}').expect("it is an object"));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, axum::body::Body::new(JoinBody { held: Some(opening.into()), page })).into_response()
}

struct JoinBody {
    /// What comes next: only the last chunk loses its separator, and which one that is shows afterwards. `None` at the end.
    held: Option<Bytes>,
    page: SnapshotPage,
}

impl Body for JoinBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(held) = self.held.take() else { return Poll::Ready(None) };
        let piece = match self.page.next_chunk() {
            Some(next) => {
                self.held = Some(next);
                held
            }
            None => {
                let mut last = BytesMut::from(held.strip_suffix(MESSAGE_END).unwrap_or(&held));
                last.extend_from_slice(b"]}}");
                last.freeze()
            }
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}
