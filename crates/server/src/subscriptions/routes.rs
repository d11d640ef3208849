//! The routes under `{root}/__ds` (protocol sections 6 and 7).

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use bytes::Bytes;
use headwater_protocol::StreamPath;
use headwater_protocol::subscription::{
    AckAnswer, AckRequest, ClaimAnswer, ClaimRequest, Delivery, ErrorCode, ReleaseRequest, StreamsRequest,
    SubscriptionConfig, SubscriptionId, SubscriptionState, parse_body,
};
use headwater_streams::subscriptions::{AckRoute, Origin, SubscriptionReport, WakeRef};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Serialize;

use super::Api;
use super::limits::{BODY_BYTES_MAX, KEY_SET_CACHE_CONTROL};
use super::refusal::Refusal;
use crate::sessions;

type Outcome = Result<Response, Refusal>;
type Id = Result<Path<String>, PathRejection>;
type Body = Result<Bytes, BytesRejection>;

pub(super) fn router(api: Arc<Api>) -> axum::Router {
    let control = format!("{}/__ds", api.urls.root.as_str());
    let one = format!("{control}/subscriptions/{{id}}");
    axum::Router::new()
        .route(&format!("{control}/jwks.json"), get(key_set))
        .route(&one, get(show).put(create).delete(remove))
        .route(&format!("{one}/streams"), post(add_streams))
        .route(&format!("{one}/streams/{{*path}}"), delete(remove_stream))
        .route(&format!("{one}/callback"), post(callback))
        .route(&format!("{one}/claim"), post(claim))
        .route(&format!("{one}/ack"), post(ack))
        .route(&format!("{one}/release"), post(release))
        .route(&control, any(nothing_here))
        .route(&format!("{control}/"), any(nothing_here))
        .route(&format!("{control}/{{*rest}}"), any(nothing_here))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

async fn nothing_here() -> Refusal {
    Refusal::because(ErrorCode::SubscriptionNotFound, "no control route lives at this URL")
}

async fn key_set(State(api): State<Arc<Api>>) -> Response {
    let set = api.keys.published((api.clock)());
    let body = serde_json::to_vec(&set).expect("a key set is plain JSON");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json")),
        (CACHE_CONTROL, HeaderValue::from_static(KEY_SET_CACHE_CONTROL)),
    ];
    (headers, body).into_response()
}

async fn create(State(api): State<Arc<Api>>, id: Id, uri: Uri, headers: HeaderMap, body: Body) -> Outcome {
    let id = subscription_id(id)?;
    let config = SubscriptionConfig::from_json(&taken(body)?)?;
    match &config.delivery {
        Delivery::Webhook { url } => api.targets.check_resolved(url).await?,
        Delivery::PullWake { wake_stream } if sessions::keeps(wake_stream) => {
            return Err(Refusal::because(ErrorCode::InvalidRequest, "wake_stream must not be a stream of sessions"));
        }
        Delivery::PullWake { .. } => {}
    }
    let origin = origin(&api, &uri, &headers);
    let subscribed = api.service.create(id, config, origin.clone()).await?;
    let status = if subscribed.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(view(&api, status, subscribed.subscription, &origin))
}

async fn show(State(api): State<Arc<Api>>, id: Id, uri: Uri, headers: HeaderMap) -> Outcome {
    let report = api.service.get(subscription_id(id)?).await?;
    Ok(view(&api, StatusCode::OK, report, &origin(&api, &uri, &headers)))
}

async fn remove(State(api): State<Arc<Api>>, id: Id) -> Outcome {
    api.service.delete(subscription_id(id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_streams(State(api): State<Arc<Api>>, id: Id, body: Body) -> Outcome {
    let id = subscription_id(id)?;
    let request: StreamsRequest = parse_body(&taken(body)?)?;
    let paths = request.paths()?;
    if paths.is_empty() {
        return Err(Refusal::because(ErrorCode::InvalidRequest, "streams must name at least one stream"));
    }
    api.service.add_streams(id, paths.into_iter().collect()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn remove_stream(State(api): State<Arc<Api>>, named: Result<Path<(String, String)>, PathRejection>) -> Outcome {
    let Path((id, path)) = named.map_err(|error| invalid(error.body_text()))?;
    let id = SubscriptionId::new(&id).map_err(invalid)?;
    let path = StreamPath::new(path.trim_matches('/')).map_err(invalid)?;
    api.service.remove_stream(id, path).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn claim(State(api): State<Arc<Api>>, id: Id, body: Body) -> Outcome {
    let id = subscription_id(id)?;
    let request: ClaimRequest = parse_body(&taken(body)?)?;
    let lease = api.service.claim(id.clone(), request.worker).await?;
    let wake = lease.claimed.wake;
    Ok(json(
        StatusCode::OK,
        &ClaimAnswer {
            token: api.tokens.issue(&id, &wake),
            wake_id: wake.wake_id,
            generation: wake.generation,
            streams: lease.streams,
            lease_ttl_ms: lease.claimed.lease_ttl_ms,
        },
    ))
}

async fn callback(State(api): State<Arc<Api>>, id: Id, headers: HeaderMap, body: Body) -> Outcome {
    acknowledge(&api, AckRoute::Webhook, id, &headers, body).await
}

async fn ack(State(api): State<Arc<Api>>, id: Id, headers: HeaderMap, body: Body) -> Outcome {
    acknowledge(&api, AckRoute::PullWake, id, &headers, body).await
}

async fn acknowledge(api: &Api, route: AckRoute, id: Id, headers: &HeaderMap, body: Body) -> Outcome {
    let id = subscription_id(id)?;
    let token = token(api, &id, headers)?;
    let request: AckRequest = parse_body(&taken(body)?)?;
    let acked = api.service.ack(id, route, token, request).await?;
    Ok(json(StatusCode::OK, &AckAnswer { ok: true, next_wake: acked.next_wake }))
}

async fn release(State(api): State<Arc<Api>>, id: Id, headers: HeaderMap, body: Body) -> Outcome {
    let id = subscription_id(id)?;
    let token = token(&api, &id, &headers)?;
    let request: ReleaseRequest = parse_body(&taken(body)?)?;
    api.service.release(id, token, request).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn subscription_id(id: Id) -> Result<SubscriptionId, Refusal> {
    let Path(text) = id.map_err(|error| invalid(error.body_text()))?;
    SubscriptionId::new(&text).map_err(invalid)
}

fn taken(body: Body) -> Result<Bytes, Refusal> {
    body.map_err(|_| Refusal::too_large(BODY_BYTES_MAX))
}

fn invalid(reason: impl std::fmt::Display) -> Refusal {
    Refusal::because(ErrorCode::InvalidRequest, reason)
}

/// The wake that the bearer's token was issued for.
fn token(api: &Api, id: &SubscriptionId, headers: &HeaderMap) -> Result<WakeRef, Refusal> {
    let refused = |why| Refusal::because(ErrorCode::TokenInvalid, why);
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = header.and_then(|value| value.split_once(' ')).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("a header Authorization: Bearer <token> is required"));
    }
    api.tokens.verify(id, token.trim()).ok_or_else(|| refused("the token is not one of this subscription"))
}

/// Where the client reaches this server.
fn origin(api: &Api, uri: &Uri, headers: &HeaderMap) -> Origin {
    let named = uri.authority().map(|authority| authority.as_str());
    api.urls.origin(named.or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok())))
}

fn view(api: &Api, status: StatusCode, report: SubscriptionReport, origin: &Origin) -> Response {
    let state = SubscriptionState {
        streams: report.streams,
        signing: Some(api.urls.signing(origin, api.keys.kid())),
        created_at_ms: report.created_at_ms,
        status: report.status,
    };
    json(status, &report.config.view(&report.id, state))
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, serde_json::to_vec(body).expect("an answer is plain JSON")).into_response()
}
