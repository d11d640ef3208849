//! Sends a request to its upstream and takes the head of the response.
//!
//! Redirects are never followed, no proxy of the environment is asked, nothing is decoded: each of these would lead past
//! the check of the address, or change the bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Client, Response};
use thiserror::Error;
use tokio::time::Instant;

use crate::limits::{
    CONNECT_TIMEOUT, ERROR_BODY_BYTES_MAX, HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_STREAM_WINDOW_BYTES,
    IDLE_CONNECTION_TIMEOUT, IDLE_CONNECTIONS_MAX, ProxyLimits,
};
use crate::outbound::{self, chain};
use crate::request::UpstreamRequest;
use crate::resolver::{Resolver, was_refused};

/// Why there is no response to make a stream of.
#[derive(Debug, Clone, Error)]
pub enum FetchError {
    /// The upstream's name stands for an address that may not be called.
    #[error("Upstream-URL stands for a private, local or reserved address")]
    NotPublic,
    /// It redirects.
    #[error("the upstream answered with a redirect, which is not followed")]
    Redirect,
    /// It answered with another status than success.
    #[error("the upstream answered {}", .0.status)]
    Status(UpstreamAnswer),
    /// No connection, or no HTTP on it.
    #[error("the upstream could not be reached")]
    Unreachable,
    /// The head of its response is too long.
    #[error("the head of the upstream's response is longer than {0} bytes, the limit")]
    HeadTooLarge(usize),
    /// It did not answer in time.
    #[error("the upstream did not answer within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
}

/// An upstream's answer that is passed on as it is.
#[derive(Debug, Clone)]
pub struct UpstreamAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its type, if it has one.
    pub content_type: Option<HeaderValue>,
    /// When it wants to be asked again.
    pub retry_after: Option<HeaderValue>,
    /// Its first bytes, at most [`ERROR_BODY_BYTES_MAX`].
    pub body: Bytes,
}

/// All upstreams there are.
#[derive(Debug, Clone)]
pub(crate) struct Upstreams {
    client: Client,
    limits: Arc<ProxyLimits>,
}

impl Upstreams {
    pub(crate) fn new(resolver: Resolver, limits: Arc<ProxyLimits>) -> Self {
        Self { client: client(&resolver, &limits), limits }
    }

    /// Sends the request; a response is one of success.
    pub(crate) async fn fetch(&self, request: UpstreamRequest) -> Result<Response, FetchError> {
        let head_timeout = self.limits.head_timeout;
        let deadline = Instant::now() + head_timeout;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let UpstreamRequest { url, method, headers, body, companion: _ } = request;
        let mut sent = self.client.request(method, url).headers(headers);
        if !body.is_empty() {
            sent = sent.body(body);
        }
        let answered = tokio::time::timeout_at(deadline, sent.send()).await;
        let response = match answered.map_err(|_| FetchError::Timeout(head_timeout))? {
            Ok(response) => response,
            Err(error) if was_refused(&error) => return Err(FetchError::NotPublic),
            Err(error) => {
                // A URL may hold keys, which no log shall have.
                tracing::info!(host, cause = chain(&error.without_url()), "an upstream could not be reached");
                return Err(FetchError::Unreachable);
            }
        };
        if head_bytes(response.headers()) > self.limits.response_head_bytes_max {
            return Err(FetchError::HeadTooLarge(self.limits.response_head_bytes_max));
        }
        match response.status() {
            status if status.is_success() => Ok(response),
            // Not a redirect: the caller asked under a condition, and it does not hold.
            StatusCode::NOT_MODIFIED => Err(FetchError::Status(answer(response, deadline).await)),
            status if status.is_redirection() => Err(FetchError::Redirect),
            _ => Err(FetchError::Status(answer(response, deadline).await)),
        }
    }
}

/// What a refusal says, as far as it comes in time. The status says the most of it.
async fn answer(mut response: Response, deadline: Instant) -> UpstreamAnswer {
    let header = |name| response.headers().get(name).cloned();
    let (status, content_type, retry_after) = (response.status(), header(CONTENT_TYPE), header(RETRY_AFTER));
    let mut body = BytesMut::new();
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await {
        let room = ERROR_BODY_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    UpstreamAnswer { status, content_type, retry_after, body: body.freeze() }
}

fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

/// One client for all upstreams.
fn client(resolver: &Resolver, limits: &ProxyLimits) -> Client {
    let header_list_bytes_max = u32::try_from(limits.response_head_bytes_max).unwrap_or(u32::MAX);
    outbound::client("upstreams", |builder| {
        builder
            .referer(false)
            .dns_resolver(resolver.clone())
            .connect_timeout(CONNECT_TIMEOUT.min(limits.head_timeout))
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .http2_max_header_list_size(header_list_bytes_max)
    })
}
