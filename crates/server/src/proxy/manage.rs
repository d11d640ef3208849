//! HEAD, PATCH and DELETE: what a proxied stream is, ending its upstream's response, and removing it.

use headwater_proxy::{GenerationId, Proxy};
use headwater_streams::Store;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;

use super::refusal::Refusal;
use super::{access, read};
use crate::edge::Edge;
use crate::request::parameters;
use crate::response::{Answer, Content, NO_STORE, answer};
use crate::streams::head as stream_head;

const ACTION: &str = "action";
const ABORT: &str = "abort";

pub(super) async fn head<S: Store>(
    edge: &Edge<S>,
    proxy: &Proxy<S>,
    id: &str,
    head: &Parts,
) -> Result<Answer<S>, Refusal> {
    access::service(proxy, head)?;
    let id = GenerationId::parse(id).ok_or(Refusal::stream_not_found())?;
    let mut answer = stream_head::head(edge, &id.stream()).await?;
    if let Some(record) = proxy.durable_record(id).await? {
        read::tell(&record, answer.headers_mut());
    }
    Ok(answer)
}

/// Ends the upstream's response. That it has ended, or never was, is as good.
pub(super) async fn act<S: Store>(proxy: &Proxy<S>, id: &str, head: &Parts) -> Result<Answer<S>, Refusal> {
    access::holder(proxy, proxy.now_ms(), id, head)?;
    let [action] = parameters(head.uri.query(), [ACTION]).unwrap_or_default();
    if action.as_deref() != Some(ABORT) {
        return Err(Refusal::invalid_action());
    }
    if let Some(id) = GenerationId::parse(id) {
        proxy.abort(id).await;
    }
    Ok(done())
}

/// Removes the stream. That there is none is as good.
pub(super) async fn delete<S: Store>(proxy: &Proxy<S>, id: &str, head: &Parts) -> Result<Answer<S>, Refusal> {
    access::service(proxy, head)?;
    if let Some(id) = GenerationId::parse(id) {
        proxy.delete(id).await?;
    }
    Ok(done())
}

fn done<S: Store>() -> Answer<S> {
    let mut response = answer(StatusCode::NO_CONTENT, Content::Empty);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}
