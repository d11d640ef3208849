//! Who is there: coming, signs of life, going.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use headwater_sessions::{Request, SessionError, SessionId};
use headwater_streams::Store;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{self, Detailed};
use super::join_body::{self, Joined};
use super::request::{Id, Json, Params};
use super::{Api, Failure};

type Outcome = Result<Response, Failure>;

pub(super) fn routes<S: Store>() -> Router<Api<S>> {
    Router::new()
        .route("/api/sessions/{id}/presence", get(present).post(update))
        .route("/api/sessions/{id}/join", post(join))
        .route("/api/sessions/{id}/leave", post(leave))
}

async fn present<S: Store>(State(api): State<Api<S>>, Id(id): Id) -> Outcome {
    let (users, offset) = api.sessions.presence(&id).await?;
    Ok(answer::at(offset, &answer::participants(&id, users)))
}

async fn update<S: Store>(State(api): State<Api<S>>, Id(id): Id, Json(body): Json) -> Outcome {
    let published = api.sessions.publish(&id, sign_of_life(&body, &id)?, None).await?;
    let user = match published.results.first() {
        Some(event) => api.sessions.present_user(&id, &event.id).await?,
        None => None,
    };
    Ok(answer::at(published.offset, &answer::participants(&id, user.into_iter().collect()).first()))
}

async fn join<S: Store>(State(api): State<Api<S>>, Id(id): Id, params: Params, Json(body): Json) -> Outcome {
    let with_snapshot = match params.text("snapshot")? {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Failure::params("snapshot", "must be true or false")),
    };
    let came = api.sessions.join(&id, sign_of_life(&body, &id)?).await?;
    let joined = Joined { offset: came.view.offset, presence_offset: came.offset, session: Detailed::from(came.view) };
    match with_snapshot {
        true => Ok(join_body::with_snapshot(joined, api.sessions.snapshot(&id).await?)),
        false => Ok(answer::data(&joined)),
    }
}

async fn leave<S: Store>(State(api): State<Api<S>>, Id(id): Id, Json(body): Json) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Leaving {
        user_id: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Left {
        user_id: String,
    }
    let raw = one_value(&body)?;
    let Ok(Leaving { user_id }) = serde_json::from_str(raw.get()) else {
        let rule = "must be an object {userId} with a text";
        return Err(SessionError::Validation { event: None, field: "body".into(), rule: rule.into() }.into());
    };
    let offset = api.sessions.leave(&id, &user_id).await?;
    Ok(answer::at(offset, &Left { user_id }))
}

/// An event of the presence channel whose data is the whole body.
fn sign_of_life(body: &[u8], id: &SessionId) -> Result<Request, Failure> {
    let event = format!(r#"{{"channel":"presence","data":{}}}"#, one_value(body)?.get());
    Ok(Request::parse_events(event.as_bytes(), id)?)
}

/// The body, once it is known to be one JSON value and nothing that would break out of where it is put.
fn one_value(body: &[u8]) -> Result<&RawValue, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::params("body", format!("is not valid JSON: {error}")))
}
