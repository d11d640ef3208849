//! Sessions and agents live: server-sent events that a browser's `EventSource` reads as they are.
//!
//! `ready` comes first, then what happened, `caught-up` once when all of that has been told, and what happens from then
//! on. Each event's id is the offset to go on from, so that a client that was cut off misses nothing and gets nothing
//! twice; who comes and goes is no history and has no id. The connection polls the body directly, and only when the
//! socket takes more: no task and no queue per reader, and a slow one is served from the log.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use headwater_protocol::{Offset, ReadFrom, sse};
use headwater_sessions::{AgentFollower, AgentId, Item, SessionError, SessionFollower, SessionId};
use headwater_streams::Store;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use serde::Serialize;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::{Outcome, read_from};
use crate::limits::{SESSION_FRAME_BYTES, SESSION_PING_INTERVAL, SSE_LIFETIME_SPREAD};
use crate::response::NO_STORE;
use crate::sessions::request::{Id, Params};
use crate::sessions::{Api, Failure};

const LAST_EVENT_ID: &str = "last-event-id";
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Most events of most sessions are tokens.
const EVENT_BYTES_EXPECTED: usize = 512;
const PING: &[u8] = b": ping\n\n";

/// `GET /api/streams?sessionId=` or `?agentId=`.
pub(super) async fn follow<S: Store>(State(api): State<Api<S>>, params: Params, headers: HeaderMap) -> Outcome {
    let from = begin(&params, &headers)?;
    match params.text("agentId")? {
        None => session(&api, params.session()?, from).await,
        Some(_) if params.text("sessionId")?.is_some() => {
            Err(Failure::params("agentId", "must not be sent together with sessionId"))
        }
        Some(agent) => {
            let agent = AgentId::new(agent)?;
            let follower = api.sessions.follow_agent(&agent, from).await?;
            let ready = Ready { session_id: None, agent_id: Some(agent.as_str()), offset: follower.position() };
            Ok(answer(&api, &ready, Followed::Agent(follower)))
        }
    }
}

/// `GET /api/sessions/:id/stream`.
pub(super) async fn follow_session<S: Store>(
    State(api): State<Api<S>>,
    Id(id): Id,
    params: Params,
    headers: HeaderMap,
) -> Outcome {
    let from = begin(&params, &headers)?;
    session(&api, id, from).await
}

async fn session<S: Store>(api: &Api<S>, id: SessionId, from: ReadFrom) -> Outcome {
    let follower = api.sessions.follow(&id, from).await?;
    let ready = Ready { session_id: Some(id.as_str()), agent_id: None, offset: follower.position() };
    Ok(answer(api, &ready, Followed::Session(Box::new(follower))))
}

/// Where to begin. What a client says it has got counts more than the URL it has once been given.
fn begin(params: &Params, headers: &HeaderMap) -> Result<ReadFrom, Failure> {
    let offset = read_from(params, "offset")?;
    let from_offset = read_from(params, "fromOffset")?;
    if offset.is_some() && from_offset.is_some() {
        return Err(Failure::params("fromOffset", "must not be sent together with offset"));
    }
    let mut sent = headers.get_all(LAST_EVENT_ID).iter().filter(|value| !value.is_empty());
    let Some(last) = sent.next() else { return Ok(offset.or(from_offset).unwrap_or(ReadFrom::Start)) };
    let last = last.to_str().ok().filter(|_| sent.next().is_none()).and_then(|text| text.parse().ok());
    last.map(ReadFrom::At).ok_or_else(|| Failure::params("Last-Event-ID", "must be the id of an event of this stream"))
}

fn answer<S: Store>(api: &Api<S>, ready: &Ready<'_>, followed: Followed<S>) -> axum::response::Response {
    let mut head = Vec::new();
    write_named("ready", ready.offset, ready, &mut head);
    let spread = SSE_LIFETIME_SPREAD * rand::random::<f64>();
    let end = Instant::now() + api.config.sse_lifetime.mul_f64(1.0 - spread);
    let body = LiveBody {
        followed,
        stop: api.stop.clone(),
        unsent: head,
        end,
        alarm: Box::pin(tokio::time::sleep_until(end.min(Instant::now() + SESSION_PING_INTERVAL))),
        is_over: false,
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE)),
        (CACHE_CONTROL, NO_STORE),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::new(body)).into_response()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'a str>,
    offset: Offset,
}

#[derive(Serialize)]
struct At {
    offset: Offset,
}

#[derive(Serialize)]
struct Gap {
    earliest: Offset,
}

enum Followed<S: Store> {
    Session(Box<SessionFollower<S>>),
    Agent(AgentFollower<S>),
}

impl<S: Store> Followed<S> {
    /// Writes the next item; whether it was the last.
    fn poll_write(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Result<bool, SessionError>> {
        match self {
            Self::Session(follower) => {
                let item = std::task::ready!(follower.poll_next(cx))?;
                let at = follower.position();
                Poll::Ready(Ok(write_item(&item, |event| event.offset, at, out)))
            }
            Self::Agent(follower) => {
                let item = std::task::ready!(follower.poll_next(cx))?;
                let at = follower.position();
                Poll::Ready(Ok(write_item(&item, |agent| agent.event.offset, at, out)))
            }
        }
    }
}

/// Writes an item as an event; whether it was the last.
fn write_item<E: Serialize>(
    item: &Item<E>,
    offset: impl Fn(&E) -> Option<Offset>,
    at: Offset,
    out: &mut Vec<u8>,
) -> bool {
    match item {
        Item::Event(event) => {
            out.reserve(EVENT_BYTES_EXPECTED);
            if let Some(offset) = offset(event) {
                write_id(offset, out);
            }
            write_data(event, out);
        }
        Item::CaughtUp => write_named("caught-up", at, &At { offset: at }, out),
        Item::Gap { earliest } => write_named("gap", *earliest, &Gap { earliest: *earliest }, out),
        Item::Closed => write_named("closed", at, &At { offset: at }, out),
    }
    matches!(item, Item::Closed)
}

fn write_named(name: &str, id: Offset, data: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    write_id(id, out);
    write_data(data, out);
}

fn write_id(offset: Offset, out: &mut Vec<u8>) {
    writeln!(out, "id: {offset}").expect("memory takes everything");
}

/// Rows are written as they are stored: compact JSON, which holds no line break.
fn write_data(data: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut *out, data).expect("texts and checked JSON serialize into memory");
    out.extend_from_slice(b"\n\n");
}

struct LiveBody<S: Store> {
    followed: Followed<S>,
    stop: CancellationToken,
    /// Whole events. Empty while the reader waits, so that a waiting reader holds no buffer.
    unsent: Vec<u8>,
    end: Instant,
    /// The next ping, or the end.
    alarm: Pin<Box<Sleep>>,
    is_over: bool,
}

impl<S: Store> http_body::Body for LiveBody<S> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = &mut *self;
        if body.is_over {
            return Poll::Ready(None);
        }
        if let Err(error) = body.gather(cx) {
            body.is_over = true;
            if let SessionError::Failed { .. } = error {
                tracing::error!(%error, "a live reader broke off");
                return Poll::Ready(Some(Err(error.into())));
            }
            // The session or the server went away: the client asks again and is told.
        }
        if body.unsent.is_empty() {
            return if body.is_over { Poll::Ready(None) } else { Poll::Pending };
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut body.unsent).into()))))
    }
}

impl<S: Store> LiveBody<S> {
    /// Gathers what there is, up to about a frame's size.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), SessionError> {
        while self.unsent.len() < SESSION_FRAME_BYTES {
            match self.followed.poll_write(cx, &mut self.unsent) {
                Poll::Ready(Ok(true)) => {
                    self.is_over = true;
                    return Ok(());
                }
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.is_over = self.stop.is_cancelled();
        while !self.is_over && self.alarm.as_mut().poll(cx).is_ready() {
            self.is_over = Instant::now() >= self.end;
            if !self.is_over {
                self.unsent.extend_from_slice(PING);
                self.alarm.as_mut().reset(self.end.min(Instant::now() + SESSION_PING_INTERVAL));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use headwater_sessions::{NewSession, Sessions, SessionsConfig};
    use headwater_streams::limits::EngineLimits;
    use headwater_streams::memory::MemoryStore;
    use headwater_streams::{Engine, SystemClock};
    use http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::config::ServerConfig;
    use crate::metrics::Metrics;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_waits_hears_every_fifteen_seconds_that_the_connection_lives() {
        let engine = Engine::start(MemoryStore::new(), Arc::new(SystemClock), EngineLimits::default(), Metrics::new());
        let sessions = Sessions::open(engine, SessionsConfig::default()).await.unwrap();
        let new = NewSession { project_id: "p".into(), ..NewSession::default() };
        let id = sessions.create(new).await.unwrap().id;
        let config = ServerConfig { sse_lifetime: Duration::from_secs(44), ..ServerConfig::default() };
        let api = Api { sessions, search: None, config: Arc::new(config), stop: CancellationToken::new() };
        let routes = super::super::routes().with_state(api);
        let request = Request::get(format!("/api/sessions/{id}/stream")).body(Body::empty()).unwrap();
        let began = Instant::now();
        let mut body = routes.oneshot(request).await.unwrap().into_body();
        let (mut pings, mut text) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            if data.ends_with(PING) {
                pings.push(began.elapsed().as_secs());
            }
            text.extend_from_slice(&data);
        }
        assert!(text.starts_with(b"event: ready\nid: "), "{text:?}");
        assert_eq!(pings, [15, 30], "and then its time is over, at most a tenth early");
    }
}
