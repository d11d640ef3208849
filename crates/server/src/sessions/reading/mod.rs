//! What readers ask for: sessions live, page by page, folded, and as files.
//!
//! Every answer is bounded in memory: pages by the sessions crate, what is longer is made while the client takes it.

mod export;
mod history;
mod live;
mod pieces;
pub(crate) mod snapshot;
mod state;

use std::borrow::Cow;
use std::str::FromStr;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::Store;

use super::request::Params;
use super::{Api, Failure};
use crate::response::{STREAM_NEXT_OFFSET, offset_value};

type Outcome = Result<Response, Failure>;

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new()
        .route("/api/streams", get(live::follow))
        .route("/api/sessions/{id}/stream", get(live::follow_session))
        .route("/api/sessions/{id}/history", get(history::history))
        .route("/api/sessions/{id}/events", get(history::events))
        .route("/api/sessions/{id}/messages", get(state::messages))
        .route("/api/sessions/{id}/state", get(state::state))
        .route("/api/sessions/{id}/export", get(export::export))
}

/// Where to begin: `-1`, `now`, or an offset.
fn read_from(params: &Params, name: &'static str) -> Result<Option<ReadFrom>, Failure> {
    parsed(params, name, "must be -1, now, or an offset that was handed out here")
}

/// An offset.
fn offset(params: &Params, name: &'static str) -> Result<Option<Offset>, Failure> {
    parsed(params, name, "must be one that was handed out here")
}

fn parsed<T: FromStr>(
    params: &Params,
    name: &'static str,
    rule: impl Into<Cow<'static, str>>,
) -> Result<Option<T>, Failure> {
    let Some(text) = params.text(name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Failure::params(name, rule))
}

/// Tells where the answer ends in its stream, beside what it says itself.
fn ending_at(next: Offset, mut response: Response) -> Response {
    response.headers_mut().insert(STREAM_NEXT_OFFSET, offset_value(next));
    response
}
