//! The registry and the life of sessions: create, list, show, change, pause, resume, close, delete, join, leave, fork, share.

use axum::Router;
use headwater_streams::Store;

use super::Api;

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new()
}
