//! Who may do what with proxied streams: holders of a service secret, and holders of a signed URL.

use headwater_proxy::Proxy;
use headwater_streams::Store;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::refusal::Refusal;
use crate::request::parameters;

const SECRET: &str = "secret";
const EXPIRES: &str = "expires";
const SIGNATURE: &str = "signature";

/// Asks for a service secret, in the query or as a bearer token.
pub(super) fn service<S: Store>(proxy: &Proxy<S>, head: &Parts) -> Result<(), Refusal> {
    let [in_query] = parameters(head.uri.query(), [SECRET]).unwrap_or_default();
    let token = in_query.as_deref().or_else(|| bearer(&head.headers)).ok_or(Refusal::missing_secret())?;
    if proxy.secrets().knows(token) { Ok(()) } else { Err(Refusal::invalid_secret()) }
}

/// Asks for a signed URL of this stream, or else for a service secret.
pub(super) fn reader<S: Store>(proxy: &Proxy<S>, now_ms: u64, id: &str, head: &Parts) -> Result<(), Refusal> {
    match signed(proxy, now_ms, id, head) {
        Some(checked) => checked,
        None => service(proxy, head),
    }
}

/// Asks for a signed URL of this stream.
pub(super) fn holder<S: Store>(proxy: &Proxy<S>, now_ms: u64, id: &str, head: &Parts) -> Result<(), Refusal> {
    signed(proxy, now_ms, id, head).unwrap_or_else(|| Err(Refusal::missing_signature()))
}

/// Whether the URL is signed rightly; `None` when it is not signed at all.
fn signed<S: Store>(proxy: &Proxy<S>, now_ms: u64, id: &str, head: &Parts) -> Option<Result<(), Refusal>> {
    let Ok([expires, signature]) = parameters(head.uri.query(), [EXPIRES, SIGNATURE]) else {
        // Something stands there, and nothing that a URL of ours has.
        return Some(Err(headwater_proxy::SignatureRefused::Invalid.into()));
    };
    let (expires, signature) = (expires?, signature?);
    Some(proxy.secrets().verify(id, &expires, &signature, now_ms).map_err(Refusal::from))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
