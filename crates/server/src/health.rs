//! What operators ask: is it alive, is it ready, how is it doing.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headwater_proxy::Proxy;
use headwater_sessions::SessionSearch;
use headwater_streams::{Engine, Store};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::router::problem;

const HEALTH: &str = "/healthz";
const READINESS: &str = "/readyz";
const METRICS: &str = "/metrics";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the answers are about.
#[derive(Debug)]
pub(crate) struct Observed<S: Store> {
    pub(crate) engine: Engine<S>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) search: Option<Arc<dyn SessionSearch>>,
    pub(crate) proxy: Option<Proxy<S>>,
}

pub(crate) fn router<S: Store>(observed: Observed<S>) -> Router {
    let readiness = observed.engine.clone();
    let observed = Arc::new(observed);
    Router::new()
        .route(HEALTH, get(|| async { text("ok\n") }))
        .route(READINESS, get(move || async move { is_ready(&readiness) }))
        .route(METRICS, get(move || async move { figures(&observed) }))
}

/// Whether `path` is one of these, which come first even when streams live at the root.
pub(crate) fn is_route(path: &str) -> bool {
    [HEALTH, READINESS, METRICS].contains(&path)
}

fn is_ready<S: Store>(engine: &Engine<S>) -> Response {
    if engine.is_ready() {
        text("ready\n")
    } else if engine.store_stats().poisoned {
        problem(Problem::new(
            Code::StoreUnavailable,
            "the store takes no changes since it failed or was found damaged; what is healthy can be read, and the log says what to do",
        ))
    } else {
        problem(Problem::new(Code::ShuttingDown, "the server is shutting down"))
    }
}

fn figures<S: Store>(observed: &Observed<S>) -> Response {
    let engine = &observed.engine;
    let search = observed.search.as_ref().map(|search| search.status());
    let proxy = observed.proxy.as_ref().map(Proxy::figures);
    let figures = observed.metrics.render(engine.live_readers(), engine.store_stats(), search.as_ref(), proxy.as_ref());
    ([(CONTENT_TYPE, OPENMETRICS), (CACHE_CONTROL, "no-store")], figures).into_response()
}

fn text(text: &'static str) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], text).into_response()
}
