//! POST: sends a request on, and hands out where its response can be read.

use std::sync::Arc;

use headwater_protocol::header::{UPSTREAM_CONTENT_TYPE, UPSTREAM_STATUS};
use headwater_proxy::{Companion, CreateError, FetchError, Proxy, Started, UpstreamAnswer, UpstreamRequest};
use headwater_sessions::{AgentId, SessionError, SessionId};
use headwater_streams::Store;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::refusal::Refusal;
use super::{Mounted, PREFIX, access};
use crate::body::{self, RequestBody};
use crate::edge::Edge;
use crate::problem::Problem;
use crate::request;
use crate::response::{Answer, Content, NO_STORE, answer};

/// Names the session that the response becomes part of, …
const SESSION: &str = "x-headwater-session";
/// … and who speaks in it.
const AGENT: &str = "x-headwater-agent";

/// A type for bodies that come without one.
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");

/// A refusal is an answer; an error is about the request's body, after which the connection may have to end.
pub(super) async fn create<S: Store>(
    edge: &Arc<Edge<S>>,
    mounted: &Mounted<S>,
    head: &Parts,
    body: RequestBody,
) -> Result<Answer<S>, Problem> {
    let proxy = &mounted.proxy;
    let request = match checked(mounted, head).await {
        Ok(request) => request,
        Err(refusal) => return Ok(refusal.answer(&head.method)),
    };
    let origin = edge.origin(head)?;
    let body = body::collect(body, &edge.config.limits).await?;
    Ok(match proxy.create(request.with_body(body)).await {
        Ok(started) => created(proxy, &origin, &started),
        Err(CreateError::Fetch(FetchError::Status(told))) => passed_on(told),
        Err(error) => Refusal::from(error).answer(&head.method),
    })
}

async fn checked<S: Store>(mounted: &Mounted<S>, head: &Parts) -> Result<UpstreamRequest, Refusal> {
    access::service(&mounted.proxy, head)?;
    let request = UpstreamRequest::parse(&head.headers, mounted.proxy.allowlist())?;
    Ok(match companion(mounted, &head.headers).await? {
        Some(companion) => request.with_companion(companion),
        None => request,
    })
}

/// What makes the response part of the session that the request names. A session that cannot take it refuses the request
/// before the upstream is asked; once it has been asked, nothing that happens to the session changes the response.
async fn companion<S: Store>(mounted: &Mounted<S>, headers: &HeaderMap) -> Result<Option<Companion>, Refusal> {
    let session = request::text(headers, SESSION)?.map(SessionId::new).transpose()?;
    let agent = request::text(headers, AGENT)?.map(AgentId::new).transpose()?;
    let Some(session) = session else { return Ok(None) };
    match &mounted.mirrors {
        Some(mirrors) => Ok(Some(mirrors.companion(session, agent).await?)),
        None => Err(SessionError::NotFound { id: session.as_str().to_owned() }.into()),
    }
}

fn created<S: Store>(proxy: &Proxy<S>, origin: &str, started: &Started) -> Answer<S> {
    let (id, expires) = (started.id.to_string(), started.record.expires_at_ms / 1000);
    let signature = proxy.secrets().sign(&id, expires);
    let location = format!("{origin}{PREFIX}/{id}?expires={expires}&signature={signature}");
    let mut response = answer(StatusCode::CREATED, Content::Empty);
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(location).expect("a checked host and URL characters"));
    headers.insert(UPSTREAM_CONTENT_TYPE, super::read::content_type(&started.record));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// The upstream's own words, under a status that says whose they are.
fn passed_on<S: Store>(told: UpstreamAnswer) -> Answer<S> {
    let mut response = answer(StatusCode::BAD_GATEWAY, Content::full(told.body));
    let headers = response.headers_mut();
    headers.insert(UPSTREAM_STATUS, HeaderValue::from(told.status.as_u16()));
    headers.insert(CONTENT_TYPE, told.content_type.unwrap_or(PLAIN));
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Some(retry_after) = told.retry_after {
        headers.insert(RETRY_AFTER, retry_after);
    }
    response
}
