//! What writers post: events, agent steps, presence.

use axum::Router;
use headwater_streams::Store;

use super::Api;

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new()
}
