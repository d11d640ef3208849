//! Agent sessions over HTTP: the routes under `/api`.
//!
//! What a session is and what may happen to it is decided in the sessions crate. Here requests are parsed, answers are
//! written as `{ok, …}`, and refusals get their status. Raw streams of sessions are served like all others, read-only.

mod answer;
mod failure;
mod join_body;
mod openapi;
mod presence;
mod publish;
mod reading;
mod request;
mod rest;
mod search;

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use headwater_protocol::StreamPath;
use headwater_sessions::{SessionSearch, Sessions};
use headwater_streams::Store;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Uri};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::config::ServerConfig;
use crate::operation::Operation;
use crate::problem::{Code, Problem};

pub(crate) use failure::{Failure, Told, status_of};
pub(crate) use publish::{take_events, takes_events};
pub(crate) use reading::snapshot::snapshot;

/// Methods that some of the routes take; what a URL is told that is none of them.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"];

/// What all handlers share.
pub(crate) struct Api<S: Store> {
    pub(crate) sessions: Sessions<S>,
    /// What searches are asked of, if anybody keeps an index.
    pub(crate) search: Option<Arc<dyn SessionSearch>>,
    pub(crate) config: Arc<ServerConfig>,
    /// Cancelled when the server stops: live answers end after their last whole event.
    pub(crate) stop: CancellationToken,
}

impl<S: Store> Clone for Api<S> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            search: self.search.clone(),
            config: self.config.clone(),
            stop: self.stop.clone(),
        }
    }
}

impl<S: Store> fmt::Debug for Api<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("sessions", &self.sessions).field("search", &self.search).finish_non_exhaustive()
    }
}

/// Sessions as the edge holds them.
#[derive(Debug)]
pub(crate) struct Mounted<S: Store> {
    pub(crate) api: Api<S>,
    pub(crate) router: axum::Router,
}

impl<S: Store> Mounted<S> {
    pub(crate) fn new(api: Api<S>) -> Self {
        Self { router: router(api.clone()), api }
    }

    /// The methods that the route of this URL takes, as `Allow` tells them.
    pub(crate) async fn methods(&self, url: &Uri) -> HeaderValue {
        let mut probe = Request::new(Body::empty());
        // No route takes it, so that no handler runs and the router says what would.
        *probe.method_mut() = Method::OPTIONS;
        *probe.uri_mut() = url.clone();
        let Ok(refused) = self.router.clone().oneshot(probe).await;
        let taken = refused.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
        let is_taken = |name: &&str| {
            *name == "OPTIONS" || taken.is_none_or(|taken| taken.split(',').any(|method| method.trim() == *name))
        };
        let names: Vec<&str> = METHODS.into_iter().filter(is_taken).collect();
        HeaderValue::try_from(names.join(", ")).expect("method names and commas are visible ASCII")
    }
}

impl<S: Store> Clone for Mounted<S> {
    fn clone(&self) -> Self {
        Self { api: self.api.clone(), router: self.router.clone() }
    }
}

/// The routes; whatever they do not know is refused in their own form.
fn router<S: Store>(api: Api<S>) -> axum::Router {
    rest::routes()
        .merge(publish::routes())
        .merge(presence::routes())
        .merge(openapi::routes())
        .merge(reading::routes())
        .merge(search::routes())
        .fallback(|| async { refusal(Code::NotFound, "nothing lives at this URL") })
        .method_not_allowed_fallback(|| async { refusal(Code::MethodNotAllowed, "this URL does not take that method") })
        // The edge has bounded the body already.
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

fn refusal(code: Code, detail: &'static str) -> axum::response::Response {
    Failure::from(Problem::new(code, detail)).into_response()
}

/// Whether `path` is one of the routes, which come first wherever streams live.
pub(crate) fn is_route(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/api/") else { return false };
    matches!(rest, "sessions" | "streams" | "search" | "openapi.json") || rest.starts_with("sessions/")
}

/// Whether `path` is below the prefix of the routes.
pub(crate) fn is_below_prefix(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Whether the stream is one that sessions keep, which plain writers would break: one message that is no change message
/// ends every reader that follows State Protocol.
pub(crate) fn keeps(path: &StreamPath) -> bool {
    let path = path.as_str();
    path == "sessions" || path.starts_with("session/") || path.starts_with("agent/")
}

/// Whether what is read there goes on as things happen.
pub(crate) fn is_live(path: &str) -> bool {
    path == "/api/streams" || (path.starts_with("/api/sessions/") && path.ends_with("/stream"))
}

/// What a request under the prefix is, for metrics and logs.
pub(crate) fn operation(method: &Method, path: &str) -> Operation {
    let is_publication = path == "/api/streams" || path.ends_with("/steps") || path.ends_with("/presence");
    match *method {
        Method::POST if is_publication => Operation::SessionPublish,
        Method::GET if is_live(path) => Operation::SessionFollow,
        _ => Operation::Session,
    }
}
