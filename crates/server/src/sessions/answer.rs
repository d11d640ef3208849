//! Answers that are no refusals: `{ok: true, data}`, with the offset beside it where something was written.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use headwater_protocol::Offset;
use headwater_sessions::{Json, PresentUser, SessionId, SessionRow, SessionView};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::response::NO_STORE;

#[derive(Serialize)]
struct Envelope<'a, T> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<Offset>,
    data: &'a T,
}

/// `{ok: true, data}`.
pub(super) fn data(data: &impl Serialize) -> Response {
    json(StatusCode::OK, &Envelope { ok: true, offset: None, data })
}

/// The same, for what has just come to be.
pub(super) fn created(data: &impl Serialize) -> Response {
    json(StatusCode::CREATED, &Envelope { ok: true, offset: None, data })
}

/// `{ok: true, offset, data}`.
pub(super) fn at(offset: Offset, data: &impl Serialize) -> Response {
    json(StatusCode::OK, &Envelope { ok: true, offset: Some(offset), data })
}

/// Any JSON; nobody keeps it.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    json_bytes(status, body).map(Body::from)
}

/// The same, for who looks at the bytes.
pub(super) fn json_bytes(status: StatusCode, body: &impl Serialize) -> http::Response<Bytes> {
    let bytes = serde_json::to_vec(body).expect("an answer is plain JSON");
    let mut response = http::Response::new(bytes.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// A session, and where its stream ends.
#[derive(Serialize)]
pub(super) struct Session {
    #[serde(flatten)]
    pub(super) row: SessionRow,
    pub(super) offset: Offset,
}

/// A session with what is known of it at this moment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detailed {
    #[serde(flatten)]
    session: Session,
    earliest: Offset,
    event_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_at: Option<u64>,
    viewer_count: usize,
    active_users: Vec<Participant>,
    agents: Vec<Json>,
}

/// Somebody present, as a row of the presence channel.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Participant {
    session_id: String,
    #[serde(flatten)]
    user: PresentUser,
}

impl From<SessionView> for Detailed {
    fn from(view: SessionView) -> Self {
        let session_id = &view.row.id;
        let named = |user| Participant { session_id: session_id.clone(), user };
        let active_users = view.active_users.into_iter().map(named).collect();
        Self {
            earliest: view.earliest,
            event_count: view.event_count,
            last_event_at: view.last_event_ms,
            viewer_count: view.viewer_count,
            active_users,
            agents: view.agents,
            session: Session { row: view.row, offset: view.offset },
        }
    }
}

/// Those present in a session.
pub(super) fn participants(id: &SessionId, users: Vec<PresentUser>) -> Vec<Participant> {
    users.into_iter().map(|user| Participant { session_id: id.to_string(), user }).collect()
}
