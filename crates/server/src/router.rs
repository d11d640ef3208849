//! From a request's method and path to the operation that answers it.

use std::sync::Arc;

use axum::response::IntoResponse;
use headwater_protocol::header::PRODUCER_ID;
use headwater_protocol::{RESERVED_SEGMENT, ReadFrom, StreamPath, path_from_url};
use headwater_streams::Store;
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use tower::ServiceExt as _;

use crate::body::RequestBody;
use crate::edge::{Edge, host};
use crate::health::Observed;
use crate::operation::Operation;
use crate::problem::{Code, Problem, STREAM_METHODS};
use crate::request::{self, Live, Query};
use crate::response::{Answer, Content};
use crate::sessions;
use crate::streams::{append, create, delete, head, list, long_poll, read, sse};
use crate::{body, console, health, proxy};

type Outcome<S> = Result<Answer<S>, Problem>;

/// The routes that are not streams.
pub(crate) fn control<S: Store>(
    observed: Observed<S>,
    console: Option<axum::Router>,
    mounted: axum::Router,
) -> axum::Router {
    health::router(observed)
        .merge(console.unwrap_or_default())
        .merge(mounted)
        .fallback(|| async { problem(nothing_here()) })
        .method_not_allowed_fallback(|| async {
            problem(Problem::new(Code::MethodNotAllowed, "this URL does not take that method"))
        })
}

/// A refusal where there is neither a stream nor anything else.
pub(crate) fn nothing_here() -> Problem {
    Problem::new(Code::NotFound, "nothing lives at this URL")
}

/// A refusal outside the streams.
pub(crate) fn problem(problem: Problem) -> axum::response::Response {
    problem.render(&format!("{:016x}", rand::random::<u64>())).map(axum::body::Body::from).into_response()
}

/// Where a request goes.
enum Target {
    Root,
    Stream(StreamPath),
    Sessions,
    Proxy,
    Control,
}

/// Answers a request, and says what it was.
pub(crate) async fn route<S: Store>(edge: &Arc<Edge<S>>, head: &Parts, body: RequestBody) -> (Operation, Outcome<S>) {
    let target = match target(edge, head) {
        Ok(target) => target,
        Err(problem) => return (Operation::Unknown, Err(problem)),
    };
    if let (Target::Proxy, Some(mounted)) = (&target, &edge.proxy) {
        return match head.method {
            Method::OPTIONS => (Operation::Preflight, Ok(proxy::preflight(edge, head))),
            _ => Box::pin(proxy::route(edge, mounted, head, body)).await,
        };
    }
    if head.method == Method::OPTIONS {
        let methods = match (&target, &edge.sessions) {
            (Target::Sessions, Some(mounted)) => Box::pin(mounted.methods(&head.uri)).await,
            _ => STREAM_METHODS,
        };
        return (Operation::Preflight, Ok(edge.preflight(methods)));
    }
    let path = match target {
        Target::Stream(path) => path,
        Target::Root if head.method == Method::GET && edge.config.lists_streams => {
            return (Operation::List, Box::pin(list::list(edge, head.uri.query())).await);
        }
        Target::Root => {
            return (Operation::Unknown, Err(Problem::new(Code::NotFound, "the stream root itself is no stream")));
        }
        Target::Control | Target::Proxy => {
            return (Operation::Control, Box::pin(call(edge, &edge.control, head, body)).await);
        }
        Target::Sessions => {
            let operation = sessions::operation(&head.method, head.uri.path());
            let Some(mounted) = &edge.sessions else { return (operation, Err(nothing_here())) };
            if sessions::takes_events(&head.method, head.uri.path()) {
                return (operation, Box::pin(sessions::take_events(edge, mounted, head, body)).await);
            }
            return (operation, Box::pin(call(edge, &mounted.router, head, body)).await);
        }
    };
    if is_kept(edge, &path) {
        return Box::pin(kept(edge, &path, head)).await;
    }
    // Appends are inlined, the rest is boxed: every request's future is as large as the largest one in it, and one
    // kilobyte is what the allocator hands out quickly.
    match head.method {
        Method::POST => (Operation::Append, append::append(edge, path, head, body).await),
        Method::GET => get(edge, &path, head).await,
        Method::PUT => (Operation::Create, Box::pin(create::create(edge, path, head, body)).await),
        Method::DELETE => (Operation::Delete, Box::pin(delete::delete(edge, &path)).await),
        Method::HEAD => (Operation::Head, Box::pin(head::head(edge, &path)).await),
        _ => (Operation::Unknown, Err(Problem::method_not_allowed(STREAM_METHODS))),
    }
}

/// Whether the request appends to a stream or to a session: such requests may overlap.
pub(crate) fn is_append<S: Store>(edge: &Edge<S>, head: &Parts) -> bool {
    let path = head.uri.path();
    if head.method != Method::POST {
        return false;
    }
    if edge.proxy.is_some() && proxy::is_route(path) {
        return false;
    }
    if sessions::is_route(path) {
        // A session that does not know a producer yet asks the stream about it, and must not ask about the next request
        // before it has taken this one.
        return edge.sessions.is_some()
            && sessions::operation(&head.method, path) == Operation::SessionPublish
            && !head.headers.contains_key(PRODUCER_ID);
    }
    edge.config.root.strip(path).is_some_and(|path| path.split('/').next() != Some(RESERVED_SEGMENT))
}

/// Whether the answer, once it is there, is one that grows: who reads it must be noticed when they leave.
pub(crate) fn is_live<S: Store>(edge: &Edge<S>, head: &Parts) -> bool {
    if head.method != Method::GET {
        return false;
    }
    let is_of_sessions = edge.sessions.is_some() && sessions::is_live(head.uri.path());
    is_of_sessions || head.uri.query().is_some_and(|query| query.contains("live="))
}

fn target<S: Store>(edge: &Edge<S>, head: &Parts) -> Result<Target, Problem> {
    let limit = edge.config.limits.url_bytes_max;
    let path = head.uri.path();
    let bytes = path.len() + head.uri.query().map_or(0, |query| query.len() + 1);
    if bytes > limit {
        return Err(Problem::new(Code::UrlTooLong, format!("the URL has {bytes} bytes; the limit is {limit}")));
    }
    host(head)?;
    if edge.sessions.is_some() && sessions::is_route(path) {
        return Ok(Target::Sessions);
    }
    if edge.proxy.is_some() && proxy::is_route(path) {
        return Ok(Target::Proxy);
    }
    if edge.config.serves_console && (console::is_route(path) || path == "/" && console::is_looking(&head.headers)) {
        return Ok(Target::Control);
    }
    if edge.config.root.is(path) {
        return Ok(Target::Root);
    }
    let Some(relative) = edge.config.root.strip(path) else {
        let is_api = edge.sessions.is_some() && sessions::is_below_prefix(path);
        return Ok(if is_api { Target::Sessions } else { Target::Control });
    };
    if edge.config.root.as_str().is_empty() && health::is_route(path) {
        return Ok(Target::Control);
    }
    // What follows a reserved prefix need not be a stream's path: the control routes check what they take.
    if relative.split('/').next() == Some(RESERVED_SEGMENT) {
        return Ok(Target::Control);
    }
    match path_from_url(relative) {
        Ok(path) if edge.is_reserved(&path) => Ok(Target::Control),
        Ok(path) => Ok(Target::Stream(path)),
        Err(error) => Err(Problem::new(Code::InvalidPath, error.to_string())),
    }
}

fn is_kept<S: Store>(edge: &Edge<S>, path: &StreamPath) -> bool {
    edge.sessions.is_some() && sessions::keeps(path)
}

/// Streams of sessions are read like all others and take no raw writes.
async fn kept<S: Store>(edge: &Arc<Edge<S>>, path: &StreamPath, head: &Parts) -> (Operation, Outcome<S>) {
    let operation = match head.method {
        Method::GET => return get(edge, path, head).await,
        Method::HEAD => return (Operation::Head, head::head(edge, path).await),
        Method::POST => Operation::Append,
        Method::PUT => Operation::Create,
        Method::DELETE => Operation::Delete,
        _ => return (Operation::Unknown, Err(Problem::method_not_allowed(STREAM_METHODS))),
    };
    let detail = "this stream belongs to sessions: it can be read and forked here, and is written through /api";
    (operation, Err(Problem::new(Code::ReservedStream, detail)))
}

async fn get<S: Store>(edge: &Arc<Edge<S>>, path: &StreamPath, head: &Parts) -> (Operation, Outcome<S>) {
    let query = match request::query(head.uri.query()) {
        Ok(query) => query,
        Err(problem) => return (Operation::Read, Err(problem)),
    };
    let from = query.offset.unwrap_or(ReadFrom::Start);
    let operation = reading(query.live);
    if from == ReadFrom::Start && is_kept(edge, path) {
        match Box::pin(sessions::snapshot(edge, path, &query, head.uri.query())).await {
            Ok(None) => {}
            Ok(Some(snapshot)) => return (operation, Ok(snapshot)),
            Err(problem) => return (operation, Err(problem)),
        }
    }
    (operation, read_stream(edge, path, &query, &head.headers).await)
}

/// What a read is, for metrics and logs.
pub(crate) fn reading(live: Live) -> Operation {
    match live {
        Live::No => Operation::Read,
        Live::LongPoll => Operation::LongPoll,
        Live::Sse => Operation::Sse,
    }
}

/// Reads a stream in the way that the query asks for.
pub(crate) async fn read_stream<S: Store>(
    edge: &Arc<Edge<S>>,
    path: &StreamPath,
    query: &Query<'_>,
    headers: &HeaderMap,
) -> Outcome<S> {
    let from = query.offset.unwrap_or(ReadFrom::Start);
    let echoed = query.cursor.as_deref();
    match query.live {
        Live::No => Box::pin(read::read(edge, path, from, headers)).await,
        Live::LongPoll => Box::pin(long_poll::long_poll(edge, path, from, echoed, headers)).await,
        Live::Sse => Box::pin(sse::sse(edge, path, from, echoed)).await,
    }
}

/// Hands a request to routes of axum, with its body taken under the same bounds as any other.
async fn call<S: Store>(edge: &Edge<S>, routes: &axum::Router, head: &Parts, body: RequestBody) -> Outcome<S> {
    let body = body::collect(body, &edge.config.limits).await?;
    let mut request = Request::new(axum::body::Body::from(body));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    let response = match routes.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Ok(response.map(Content::Control))
}
