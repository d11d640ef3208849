//! The durable proxy over HTTP: the routes under `/v1/proxy`.
//!
//! What a proxied stream is, who may call what and how a stream ends is decided in the proxy crate. Here requests are
//! checked in the protocol's order, its streams are read by the handlers of all streams, and refusals get their status.

mod access;
mod create;
mod manage;
mod mirror;
mod read;
mod refusal;

use std::sync::Arc;

use headwater_proxy::Proxy;
use headwater_streams::Store;
use http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS};
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::body::RequestBody;
use crate::edge::Edge;
use crate::operation::Operation;
use crate::problem::{Code, Problem};
use crate::response::Answer;

pub use mirror::Mirrors;
pub(crate) use refusal::Refusal;

/// Where the proxy lives.
const PREFIX: &str = "/v1/proxy";

const ROOT_METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const STREAM_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PATCH, DELETE, OPTIONS");

/// A proxy as the edge holds it.
#[derive(Debug)]
pub(crate) struct Mounted<S: Store> {
    pub(crate) proxy: Proxy<S>,
    /// `None` where responses cannot become part of sessions.
    pub(crate) mirrors: Option<Mirrors<S>>,
}

impl<S: Store> Clone for Mounted<S> {
    fn clone(&self) -> Self {
        Self { proxy: self.proxy.clone(), mirrors: self.mirrors.clone() }
    }
}

/// What a URL under the prefix names.
enum Place<'a> {
    Root,
    /// Whatever stands where ids do.
    Stream(&'a str),
    Nothing,
}

type Outcome<S> = Result<Answer<S>, Problem>;

/// Whether `path` is one of the routes, which come first wherever streams live.
pub(crate) fn is_route(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn place(path: &str) -> Place<'_> {
    match path.strip_prefix(PREFIX) {
        Some("" | "/") => Place::Root,
        Some(rest) if !rest[1..].contains('/') => Place::Stream(&rest[1..]),
        _ => Place::Nothing,
    }
}

/// The methods that the URL takes, as `Allow` tells them.
pub(crate) fn methods(path: &str) -> HeaderValue {
    match place(path) {
        Place::Root => ROOT_METHODS,
        Place::Stream(_) | Place::Nothing => STREAM_METHODS,
    }
}

/// The answer to a preflight. A page may send upstreams the headers that their interfaces ask for, whatever their names.
pub(crate) fn preflight<S: Store>(edge: &Edge<S>, head: &Parts) -> Answer<S> {
    let mut response = edge.preflight(methods(head.uri.path()));
    let asked = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    if let Some(asked) = asked.filter(|_| response.headers().contains_key(ACCESS_CONTROL_ALLOW_HEADERS)) {
        response.headers_mut().append(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

/// Answers a request under the prefix, and says what it was.
pub(crate) async fn route<S: Store>(
    edge: &Arc<Edge<S>>,
    mounted: &Mounted<S>,
    head: &Parts,
    body: RequestBody,
) -> (Operation, Outcome<S>) {
    let (path, proxy) = (head.uri.path(), &mounted.proxy);
    let (operation, outcome) = match (place(path), &head.method) {
        (Place::Root, &Method::POST) => {
            return (Operation::ProxyCreate, create::create(edge, mounted, head, body).await);
        }
        (Place::Stream(id), &Method::GET) => read::read(edge, proxy, id, head).await,
        (Place::Stream(id), &Method::HEAD) => (Operation::Proxy, manage::head(edge, proxy, id, head).await),
        (Place::Stream(id), &Method::PATCH) => (Operation::Proxy, manage::act(proxy, id, head).await),
        (Place::Stream(id), &Method::DELETE) => (Operation::Proxy, manage::delete(proxy, id, head).await),
        (Place::Nothing, _) => {
            let nothing = Problem::new(Code::NotFound, "nothing lives at this URL");
            (Operation::Proxy, Err(nothing.into()))
        }
        _ => (Operation::Proxy, Err(Problem::method_not_allowed(methods(path)).into())),
    };
    (operation, Ok(outcome.unwrap_or_else(|refusal: Refusal| refusal.answer(&head.method))))
}
