//! What writers post: events and agent steps. The answer is flat: `{ok, offset, txid, id, seq}`, or with `results` for an
//! array.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use headwater_protocol::Offset;
use headwater_sessions::{Published, PublishedEvent, Request, SessionId};
use headwater_streams::Store;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use super::answer;
use super::request::{Id, Json, Params};
use super::{Api, Failure, Mounted};
use crate::body::{self, RequestBody};
use crate::edge::Edge;
use crate::problem::Problem;
use crate::request::producer;
use crate::response::{Answer, Content, PRODUCER_EPOCH, PRODUCER_SEQ, STREAM_NEXT_OFFSET, number_value, offset_value};

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new().route("/api/streams", post(events)).route("/api/sessions/{id}/steps", post(steps))
}

async fn events<S: Store>(
    State(api): State<Api<S>>,
    params: Params,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Failure> {
    Ok(published(&api, &params, &headers, &body).await?.map(Body::from))
}

/// Whether the request is one for [`take_events`].
pub(crate) fn takes_events(method: &Method, path: &str) -> bool {
    *method == Method::POST && path == "/api/streams"
}

/// Answers a POST of events as the route would. Tokens come one by one and by the thousand, so they are spared what a
/// general router does for each request.
pub(crate) async fn take_events<S: Store>(
    edge: &Edge<S>,
    mounted: &Mounted<S>,
    head: &Parts,
    body: RequestBody,
) -> Result<Answer<S>, Problem> {
    let body = body::collect(body, &edge.config.limits).await?;
    let params = Params::parse(head.uri.query().unwrap_or_default());
    let answered = match Json::of(&head.headers, body) {
        Ok(Json(body)) => published(&mounted.api, &params, &head.headers, &body).await,
        Err(failure) => Err(failure),
    };
    Ok(match answered {
        Ok(answer) => answer.map(Content::Full),
        Err(failure) => failure.into_response().map(Content::Control),
    })
}

async fn published<S: Store>(
    api: &Api<S>,
    params: &Params,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<http::Response<Bytes>, Failure> {
    let id = params.session()?;
    let request = Request::parse_events(body, &id)?;
    publish(api, &id, request, form(body), headers).await
}

async fn steps<S: Store>(
    State(api): State<Api<S>>,
    Id(id): Id,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Failure> {
    Ok(publish(&api, &id, Request::parse_steps(&body)?, form(&body), &headers).await?.map(Body::from))
}

/// Whether the answer tells of one event or of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    Each,
}

/// The form of the answer to a body that has been parsed.
fn form(body: &[u8]) -> Form {
    if body.trim_ascii_start().starts_with(b"[") { Form::Each } else { Form::One }
}

async fn publish<S: Store>(
    api: &Api<S>,
    id: &SessionId,
    request: Request,
    form: Form,
    headers: &HeaderMap,
) -> Result<http::Response<Bytes>, Failure> {
    let stamp = producer(headers)?;
    let told = stamp.as_ref().map(|stamp| (stamp.epoch, stamp.seq));
    let published = api.sessions.publish(id, request, stamp).await?;
    let offset = published.offset;
    let mut response = answer::json_bytes(StatusCode::OK, &Acknowledged::new(published, form));
    let headers = response.headers_mut();
    headers.insert(STREAM_NEXT_OFFSET, offset_value(offset));
    if let Some((epoch, seq)) = told {
        headers.insert(PRODUCER_EPOCH, number_value(epoch.get()));
        headers.insert(PRODUCER_SEQ, number_value(seq.get()));
    }
    Ok(response)
}

#[derive(Serialize)]
struct Acknowledged {
    ok: bool,
    offset: Offset,
    txid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<EventResult>>,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

#[derive(Serialize)]
struct EventResult {
    channel: &'static str,
    id: String,
    seq: u64,
    offset: Offset,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

impl Acknowledged {
    fn new(published: Published, form: Form) -> Self {
        let Published { offset, txid, results, duplicate } = published;
        let told = Self { ok: true, offset, txid, id: None, seq: None, results: None, duplicate };
        match form {
            Form::Each => Self { results: Some(results.into_iter().map(EventResult::from).collect()), ..told },
            // A duplicate by its producer headers may be known without its event.
            Form::One => match results.into_iter().next() {
                Some(event) => Self { id: Some(event.id), seq: Some(event.seq), ..told },
                None => told,
            },
        }
    }
}

impl From<PublishedEvent> for EventResult {
    fn from(event: PublishedEvent) -> Self {
        let PublishedEvent { channel, id, seq, offset, duplicate } = event;
        Self { channel: channel.as_str(), id, seq, offset, duplicate }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}
