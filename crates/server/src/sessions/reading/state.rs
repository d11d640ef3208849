//! What a session has come to: its folded state, and the messages alone.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use headwater_protocol::if_none_match;
use headwater_sessions::{Folded, FoldedText, FoldedView, RowType};
use headwater_streams::Store;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Outcome, ending_at, pieces};
use crate::sessions::Api;
use crate::sessions::request::Id;

/// Ask again each time; the tag makes that cheap. Nobody but the client keeps it.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");

pub(super) async fn state<S: Store>(State(api): State<Api<S>>, Id(id): Id, headers: HeaderMap) -> Outcome {
    Ok(folded(api.sessions.state(&id).await?, FoldedView::Whole, &headers))
}

pub(super) async fn messages<S: Store>(State(api): State<Api<S>>, Id(id): Id, headers: HeaderMap) -> Outcome {
    Ok(folded(api.sessions.state(&id).await?, FoldedView::Messages, &headers))
}

fn folded(Folded { state, offset }: Folded, view: FoldedView, asked: &HeaderMap) -> Response {
    let tag = tag(&state, view);
    let lines = asked.get_all(IF_NONE_MATCH).iter().map(HeaderValue::as_bytes);
    let response = if if_none_match(lines, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut text = FoldedText::new(state, view);
        let mut head = Some(Bytes::from_static(b"{\"ok\":true,\"data\":"));
        let mut end = Some(Bytes::from_static(b"}"));
        let next = move || head.take().or_else(|| text.next_chunk()).or_else(|| end.take());
        ([(CONTENT_TYPE, "application/json")], pieces::body(next)).into_response()
    };
    let mut response = ending_at(offset, response);
    let tag = HeaderValue::from_str(tag.as_str()).expect("an entity tag is visible ASCII");
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, REVALIDATED);
    response
}

/// Names a folded state: at one offset it only ever loses rows, when they expire.
fn tag(state: &headwater_sessions::State, view: FoldedView) -> headwater_protocol::ETag {
    let rows: usize = RowType::ALL.into_iter().map(|row_type| state.rows(row_type).count()).sum();
    let rows = (state.messages().len() + rows) as u64;
    let offset = state.position().offset;
    headwater_protocol::ETag::new(rows, headwater_protocol::Offset::START, offset, view == FoldedView::Messages)
}
