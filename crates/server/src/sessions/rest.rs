//! The registry and the life of sessions.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use headwater_protocol::path_to_url;
use headwater_sessions::{
    NewFork, NewSession, Order, PageRequest, SessionError, SessionFilter, SessionId, SessionPatch, SessionRow,
    SessionStatus, Sort, SortField,
};
use headwater_streams::{ReadError, Store};
use http::HeaderValue;
use http::header::LOCATION;
use serde::Serialize;

use super::answer::{self, Detailed, Session};
use super::request::{Id, Json, Origin, Params};
use super::{Api, Failure};

type Outcome = Result<Response, Failure>;

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new()
        .route("/api/sessions", get(list).post(create))
        .route("/api/sessions/{id}", get(show).patch(update).delete(delete))
        .route("/api/sessions/{id}/pause", post(pause))
        .route("/api/sessions/{id}/resume", post(resume))
        .route("/api/sessions/{id}/close", post(close))
        .route("/api/sessions/{id}/fork", post(fork))
        .route("/api/sessions/{id}/share", post(share))
}

async fn create<S: Store>(State(api): State<Api<S>>, Json(body): Json) -> Outcome {
    let row = api.sessions.create(NewSession::parse(&body)?).await?;
    begun(&api, row).await
}

async fn fork<S: Store>(State(api): State<Api<S>>, Id(source): Id, body: Json) -> Outcome {
    let (at, new) = NewFork::parse(&body.or_empty_object())?;
    let row = api.sessions.fork(&source, at, new).await?;
    begun(&api, row).await
}

/// The answer to who has made a session.
async fn begun<S: Store>(api: &Api<S>, row: SessionRow) -> Outcome {
    let location = HeaderValue::try_from(format!("/api/sessions/{}", row.id)).expect("a session id is visible ASCII");
    Ok(([(LOCATION, location)], answer::created(&with_offset(api, row).await?)).into_response())
}

async fn list<S: Store>(State(api): State<Api<S>>, params: Params) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        sessions: Vec<SessionRow>,
        next_cursor: Option<String>,
    }
    let listing = api.sessions.list(&filter(&params)?, &page(&params)?).await?;
    Ok(answer::data(&Page { sessions: listing.sessions, next_cursor: listing.next_cursor }))
}

fn filter(params: &Params) -> Result<SessionFilter, Failure> {
    Ok(SessionFilter {
        project_id: params.owned("projectId")?,
        task_id: params.owned("taskId")?,
        agent_id: params.owned("agentId")?,
        status: params.text("status")?.map(SessionStatus::parse).transpose()?,
        search: params.owned("search")?,
        date_from: params.number("dateFrom")?,
        date_to: params.number("dateTo")?,
    })
}

fn page(params: &Params) -> Result<PageRequest, Failure> {
    let field = params.text("sort")?.map(SortField::parse).transpose()?.unwrap_or_default();
    let order = params.text("order")?.map(Order::parse).transpose()?.unwrap_or_default();
    Ok(PageRequest { sort: Sort { field, order }, limit: params.limit()?, cursor: params.owned("cursor")? })
}

async fn show<S: Store>(State(api): State<Api<S>>, Id(id): Id) -> Outcome {
    Ok(answer::data(&Detailed::from(api.sessions.get(&id).await?)))
}

async fn update<S: Store>(State(api): State<Api<S>>, Id(id): Id, Json(body): Json) -> Outcome {
    let row = api.sessions.update(&id, SessionPatch::parse(&body)?).await?;
    changed(&api, row).await
}

async fn pause<S: Store>(State(api): State<Api<S>>, Id(id): Id) -> Outcome {
    let row = api.sessions.pause(&id).await?;
    changed(&api, row).await
}

async fn resume<S: Store>(State(api): State<Api<S>>, Id(id): Id) -> Outcome {
    let row = api.sessions.resume(&id).await?;
    changed(&api, row).await
}

async fn close<S: Store>(State(api): State<Api<S>>, Id(id): Id) -> Outcome {
    let row = api.sessions.close(&id).await?;
    changed(&api, row).await
}

async fn changed<S: Store>(api: &Api<S>, row: SessionRow) -> Outcome {
    Ok(answer::data(&with_offset(api, row).await?))
}

async fn with_offset<S: Store>(api: &Api<S>, row: SessionRow) -> Result<Session, Failure> {
    let id = SessionId::new(&row.id)?;
    match api.sessions.engine().metadata(&id.stream()).await {
        Ok(stream) => Ok(Session { row, offset: stream.tail }),
        // Somebody has deleted it meanwhile.
        Err(ReadError::NotFound | ReadError::Gone) => Err(SessionError::NotFound { id: row.id }.into()),
        Err(error) => Err(error.into()),
    }
}

async fn delete<S: Store>(State(api): State<Api<S>>, Id(id): Id) -> Outcome {
    #[derive(Serialize)]
    struct Deleted<'a> {
        id: &'a str,
    }
    api.sessions.delete(&id).await?;
    Ok(answer::data(&Deleted { id: id.as_str() }))
}

/// Where others find the session: absolute, to be handed on.
async fn share<S: Store>(State(api): State<Api<S>>, Id(id): Id, Origin(origin): Origin) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Links {
        url: String,
        stream_url: String,
        events_url: String,
    }
    let row = api.sessions.row(&id).await?;
    let root = api.config.root.as_str();
    Ok(answer::data(&Links {
        url: format!("{origin}{}", row.url),
        stream_url: format!("{origin}{root}/{}", path_to_url(&id.stream())),
        events_url: format!("{origin}/api/streams?sessionId={id}"),
    }))
}
