//! What happened, page by page: as events that a query chooses, and as change messages exactly as stored.

use axum::extract::State;
use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::{Channel, EventsPage, HistoryPage, HistoryQuery, Json, SessionEvent};
use headwater_streams::Store;
use serde::Serialize;

use super::{Outcome, ending_at, offset, read_from};
use crate::sessions::request::{Id, Params};
use crate::sessions::{Api, Failure, answer};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct History {
    events: Vec<SessionEvent>,
    /// `null` at the tail.
    next_cursor: Option<Offset>,
    offset: Offset,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
}

#[derive(Serialize)]
struct Gap {
    earliest: Offset,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    events: Vec<Stored>,
    next_offset: Offset,
    up_to_date: bool,
}

#[derive(Serialize)]
struct Stored {
    offset: Offset,
    message: Json,
}

pub(super) async fn history<S: Store>(State(api): State<Api<S>>, Id(id): Id, params: Params) -> Outcome {
    let query = query(&params)?;
    let HistoryPage { events, next_cursor, offset, gap } = api.sessions.history(&id, &query).await?;
    let gap = gap.map(|earliest| Gap { earliest });
    Ok(ending_at(offset, answer::data(&History { events, next_cursor, offset, gap })))
}

pub(super) async fn events<S: Store>(State(api): State<Api<S>>, Id(id): Id, params: Params) -> Outcome {
    let from = read_from(&params, "from")?.unwrap_or(ReadFrom::Start);
    let limit = params.limit()?;
    let EventsPage { events, next, up_to_date } = api.sessions.events(&id, from, limit).await?;
    let events = events.into_iter().map(|event| Stored { offset: event.offset, message: event.message }).collect();
    Ok(ending_at(next, answer::data(&Events { events, next_offset: next, up_to_date })))
}

fn query(params: &Params) -> Result<HistoryQuery, Failure> {
    let (start_ms, end_ms) = params.period()?;
    let channels = params.names("eventTypes", &Channel::ALL.map(Channel::as_str))?;
    Ok(HistoryQuery { start_ms, end_ms, channels, cursor: offset(params, "cursor")?, limit: params.limit()? })
}
