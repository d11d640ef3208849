//! What a worker answers requests with: route, answer or refuse, mark, count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use axum::response::IntoResponse as _;
use bytes::Bytes;
use headwater_protocol::{RESERVED_SEGMENT, StreamPath};
use headwater_streams::{Engine, Store};
use http::header::{CACHE_CONTROL, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::body::RequestBody;
use crate::config::ServerConfig;
use crate::cors::Cors;
use crate::limits::REQUEST_ID_BYTES_MAX;
use crate::metrics::WorkerMetrics;
use crate::operation::Operation;
use crate::problem::{Code, Problem};
use crate::proxy::{self, Refusal};
use crate::response::{Answer, Content, EdgeBody, NO_STORE};
use crate::sessions::{Failure, Mounted, Told};
use crate::vitals::InFlight;
use crate::{request, router};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All that a worker needs to answer; each has its own, so that counting and cloning stay on its core.
pub(crate) struct Edge<S: Store> {
    pub(crate) engine: Engine<S>,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) control: axum::Router,
    /// `None` for a server of streams alone.
    pub(crate) sessions: Option<Mounted<S>>,
    /// `None` for a server that calls nobody.
    pub(crate) proxy: Option<proxy::Mounted<S>>,
    cors: Cors,
    stopping: AtomicBool,
}

impl<S: Store> Edge<S> {
    pub(crate) fn new(
        engine: Engine<S>,
        config: Arc<ServerConfig>,
        metrics: Arc<WorkerMetrics>,
        control: axum::Router,
        sessions: Option<Mounted<S>>,
        proxy: Option<proxy::Mounted<S>>,
    ) -> Arc<Self> {
        let cors = Cors::new(config.cors_origins.clone());
        Arc::new(Self { engine, config, metrics, control, sessions, proxy, cors, stopping: AtomicBool::new(false) })
    }

    /// The server is stopping: live readers end as soon as they are polled.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Answers one request.
    ///
    /// A block, not an `async fn`: what a block captures it uses in place, where a function would keep a second copy of
    /// the head in every connection.
    pub(crate) fn answer(
        self: Arc<Self>,
        request: Request<RequestBody>,
        in_flight: InFlight,
    ) -> impl Future<Output = Response<EdgeBody<S>>> + Send {
        let (head, body) = request.into_parts();
        async move {
            let started = Instant::now();
            let (operation, outcome) = router::route(&self, &head, body).await;
            let mut response = match outcome {
                Ok(mut answer) => {
                    if let Some(told) = answer.extensions_mut().remove::<Told>() {
                        tell(&told, &head, &mut answer);
                    }
                    answer
                }
                Err(problem) => refuse(problem, &head, operation, &in_flight),
            };
            self.mark(&head, response.headers_mut());
            let (status, elapsed) = (response.status(), started.elapsed());
            self.metrics.answered(operation, &head.method, status, elapsed);
            let path = head.uri.path();
            tracing::debug!(method = %head.method, path, status = status.as_u16(), ?elapsed, "answered");
            response.map(|content| content.in_flight(in_flight))
        }
    }

    /// The answer to what is no request: its head could not be parsed.
    pub(crate) fn refuse_head(&self, problem: Problem) -> Answer<S> {
        let id = format!("{:016x}", rand::random::<u64>());
        let (status, code, _) = problem.code.parts();
        tracing::debug!(request_id = %id, code, "request refused");
        self.metrics.answered(Operation::Unknown, &Method::GET, status, std::time::Duration::ZERO);
        let mut response = problem.render(&id).map(Content::full);
        self.cors.mark(None, response.headers_mut());
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        response
    }

    /// Adds what every answer carries.
    fn mark(&self, head: &Parts, headers: &mut HeaderMap) {
        self.cors.mark(self.cors.asker(&head.headers), headers);
        if let Some(id) = head.headers.get(&X_REQUEST_ID).filter(|id| id.len() <= REQUEST_ID_BYTES_MAX) {
            headers.entry(X_REQUEST_ID).or_insert_with(|| id.clone());
        }
    }

    /// The answer to a preflight, and to any other OPTIONS.
    pub(crate) fn preflight(&self, methods: HeaderValue) -> Answer<S> {
        let mut response = crate::response::answer(StatusCode::NO_CONTENT, Content::Empty);
        self.cors.allow(methods, response.headers_mut());
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response
    }

    /// Scheme and host that the client knows this server under.
    pub(crate) fn origin(&self, head: &Parts) -> Result<String, Problem> {
        origin(&self.config, head)
    }

    /// Whether the protocol keeps the path for itself (section 6).
    pub(crate) fn is_reserved(&self, path: &StreamPath) -> bool {
        let rest = path.as_str().strip_prefix(RESERVED_SEGMENT);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Scheme and host that the client knows a server so configured under.
pub(crate) fn origin(config: &ServerConfig, head: &Parts) -> Result<String, Problem> {
    if let Some(url) = &config.public_url {
        return Ok(url.as_str().to_owned());
    }
    match host(head)? {
        Some(host) => Ok(format!("http://{host}")),
        None => Ok(format!("http://{}", config.listen)),
    }
}

/// The host the request is for: of the URL when it is whole, else of the only `Host`; HTTP/1.1 must send it
/// (RFC 9112 section 3.2).
pub(crate) fn host(head: &Parts) -> Result<Option<&str>, Problem> {
    let refused = |why: &'static str| Problem::new(Code::InvalidHost, why);
    let host = request::single(&head.headers, HOST.as_str()).map_err(|_| refused("Host was sent more than once"))?;
    if let Some(authority) = head.uri.authority() {
        return Ok(Some(authority.as_str()));
    }
    match host {
        Some(host) => match host.to_str() {
            Ok(text) if is_plain_host(host) => Ok(Some(text)),
            _ => Err(refused("Host is not a host with an optional port")),
        },
        None if head.version == Version::HTTP_11 => Err(refused("an HTTP/1.1 request needs a Host")),
        None => Ok(None),
    }
}

fn is_plain_host(host: &HeaderValue) -> bool {
    !host.is_empty() && host.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-._~:[]".contains(b))
}

fn refuse<S: Store>(problem: Problem, head: &Parts, operation: Operation, in_flight: &InFlight) -> Answer<S> {
    let id = request_id(head);
    let (status, code, _) = problem.code.parts();
    let (method, path) = (&head.method, head.uri.path());
    if let Some(cause) = &problem.cause {
        tracing::error!(request_id = %id, %method, path, code, cause, "request failed");
    } else if status.is_server_error() {
        tracing::warn!(request_id = %id, %method, path, code, "request refused");
    } else {
        tracing::debug!(request_id = %id, %method, path, code, operation = operation.name(), "request refused");
    }
    if problem.ends_connection() {
        in_flight.linger();
    }
    let is_head = head.method == Method::HEAD;
    let mut response = if operation.is_of_sessions() {
        Failure::from(problem).into_response().map(Content::Control)
    } else if operation.is_of_proxy() {
        Refusal::from(problem).answer(&head.method)
    } else {
        problem.render(&id).map(|body: Bytes| if is_head { Content::Empty } else { Content::Full(body) })
    };
    response.extensions_mut().remove::<Told>();
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// Tells the log of a refusal that a handler of sessions has rendered, under the id that the client sees.
fn tell<S: Store>(told: &Told, head: &Parts, response: &mut Answer<S>) {
    let id = request_id(head);
    let (method, path, code) = (&head.method, head.uri.path(), &*told.code);
    match &told.cause {
        Some(cause) => tracing::error!(request_id = %id, %method, path, code, cause, "request failed"),
        None if response.status().is_server_error() => {
            tracing::warn!(request_id = %id, %method, path, code, "request refused");
        }
        None => tracing::debug!(request_id = %id, %method, path, code, "request refused"),
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
}

/// The client's own id for the request when it can be shown, else a new one.
fn request_id(head: &Parts) -> String {
    let sent = head.headers.get(&X_REQUEST_ID).and_then(|id| id.to_str().ok());
    match sent.filter(|id| !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX) {
        Some(id) => id.to_owned(),
        None => format!("{:016x}", rand::random::<u64>()),
    }
}
