//! `/api/openapi.json`: what the routes take and answer, for machines. Tests hold the document and the routes to each other.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use headwater_streams::Store;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::Api;

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new().route("/api/openapi.json", get(document))
}

async fn document() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, DOCUMENT)
}
