//! `GET /api/search`: where something was said, called or printed, in all sessions.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use headwater_sessions::{AgentId, Found, SearchPage, SearchQuery, SearchStatus, SessionError, SessionId};
use headwater_streams::Store;
use serde::Serialize;

use super::request::Params;
use super::{Api, Failure, answer};

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new().route("/api/search", get(search))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    hits: Vec<headwater_sessions::SearchHit>,
    next_cursor: Option<String>,
    /// A page without hits means less while the index is behind.
    index: SearchStatus,
}

async fn search<S: Store>(State(api): State<Api<S>>, params: Params) -> Result<Response, Failure> {
    let index = api.search.as_ref().ok_or(SessionError::SearchOff)?;
    let query = query(&params)?;
    let status = index.status();
    let SearchPage { hits, next_cursor } = index.search(query).await.map_err(SessionError::from)?;
    Ok(answer::data(&Answer { hits, next_cursor, index: status }))
}

fn query(params: &Params) -> Result<SearchQuery, Failure> {
    let (start_ms, end_ms) = params.period()?;
    Ok(SearchQuery {
        text: params.owned("q")?.ok_or_else(|| Failure::params("q", "is required"))?,
        session: params.text("sessionId")?.map(SessionId::new).transpose()?,
        agent: params.text("agentId")?.map(AgentId::new).transpose()?,
        project: params.owned("projectId")?,
        kinds: params.names("channels", &Found::ALL.map(Found::as_str))?,
        start_ms,
        end_ms,
        limit: params.limit()?,
        cursor: params.owned("cursor")?,
    })
}
