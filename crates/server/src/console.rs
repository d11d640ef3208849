//! `/console/`: the pages that people look at, built from `console/` and embedded, so that neither cargo nor the binary
//! needs anything else.
//!
//! They are files and one document of facts, `config.json`; all they show they ask of the same API as everybody. The
//! policy below lets them run no script and load nothing from anywhere but here.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use headwater_protocol::{ETag, if_none_match};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use rust_embed::{Embed, EmbeddedFile};
use serde::Serialize;
use tower_http::compression::CompressionLayer;

use crate::config::ServerConfig;
use crate::router::{nothing_here, problem};

const CONSOLE: &str = "/console";
const INDEX: &str = "index.html";
/// What the console's own router shows: these are pages, and all else is a file or nothing.
const PAGES: [&str; 4] = ["", "sessions", "streams", "health"];
/// Their names change with their content.
const HASHED: &str = "assets/";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Embed)]
#[folder = "console/"]
struct Files;

/// What the pages have to know before they can ask.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    version: &'static str,
    stream_root: String,
    sessions: bool,
    listing: bool,
}

/// Whether `path` belongs to the console: then it is no stream, even when streams live at the root.
pub(crate) fn is_route(path: &str) -> bool {
    path.strip_prefix(CONSOLE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the request comes from somebody who wants to look, and not from a program.
pub(crate) fn is_looking(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|list| list.split(',')).any(|range| range.trim().starts_with("text/html"))
}

pub(crate) fn router(config: &ServerConfig, has_sessions: bool) -> Router {
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION"),
        stream_root: config.root.as_str().to_owned(),
        sessions: has_sessions,
        listing: config.lists_streams,
    };
    let facts = serde_json::to_string(&facts).expect("texts and truths can be written as JSON");
    Router::new()
        .route(
            "/",
            get(|headers: HeaderMap| async move { lead(&headers, format!("{CONSOLE}/")) })
                .fallback(|| async { problem(nothing_here()) }),
        )
        // The URL of a session, as it is handed on to people.
        .route(
            "/sessions/{id}",
            get(|uri: Uri, headers: HeaderMap| async move { lead(&headers, format!("{CONSOLE}{}", uri.path())) }),
        )
        .route(CONSOLE, get(|| async { Redirect::permanent("/console/") }))
        .route(
            "/console/config.json",
            get(move || async move { ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], facts) }),
        )
        .route("/console/", get(answer))
        .route("/console/{*path}", get(answer))
        .layer(CompressionLayer::new())
}

/// Browsers are led to the console; programs learn that nothing is here.
fn lead(headers: &HeaderMap, to: String) -> Response {
    if is_looking(headers) {
        let vary = [(http::header::VARY, "accept"), (CACHE_CONTROL, "no-store")];
        (vary, Redirect::temporary(&to)).into_response()
    } else {
        problem(nothing_here())
    }
}

async fn answer(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().strip_prefix("/console/").unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    let name = if PAGES.contains(&first) { INDEX } else { path };
    match Files::get(name) {
        Some(file) => serve(name, &file, &headers),
        None => problem(nothing_here()),
    }
}

fn serve(name: &str, file: &EmbeddedFile, asked: &HeaderMap) -> Response {
    // Half of the digest is enough to tell two builds apart.
    let tag = ETag::of_digest(&file.metadata.sha256_hash()[..16]);
    let lifetime = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static(lifetime)),
        // Weak, because it is the same for the file and for its compressed form.
        (ETAG, HeaderValue::try_from(format!("W/{tag}")).expect("hexadecimal digits in quotes are visible ASCII")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    if if_none_match(asked.get_all(IF_NONE_MATCH).iter().map(HeaderValue::as_bytes), &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, content_type(name))], file.data.clone()).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_embedded_has_a_type() {
        for name in Files::iter() {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn only_what_lies_below_belongs_to_the_console() {
        assert!(is_route("/console") && is_route("/console/") && is_route("/console/streams/a"));
        assert!(!is_route("/consoles") && !is_route("/v1/stream/console"));
    }
}
