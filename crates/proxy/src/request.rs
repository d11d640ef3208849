//! What a caller asks the proxy to do, checked in the order that the protocol prescribes.

use std::fmt;

use bytes::Bytes;
use headwater_protocol::header::{UPSTREAM_METHOD, UPSTREAM_URL};
use http::{HeaderMap, Method};
use thiserror::Error;
use url::Url;

use crate::allowlist::{Allowlist, NotAllowed};
use crate::forward::forwarded;
use crate::id::GenerationId;

/// Something that accompanies a response from its beginning, whoever reads it.
pub struct Companion {
    /// Of a document that becomes durable together with the stream, whose id follows.
    pub prefix: &'static str,
    /// What the document says.
    pub value: Bytes,
    /// Called when the stream exists, before anybody hears of it.
    pub begun: Box<dyn FnOnce(GenerationId) + Send + Sync>,
}

impl fmt::Debug for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Companion").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// A request to an upstream that may be called.
#[derive(Debug)]
pub struct UpstreamRequest {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) companion: Option<Companion>,
}

/// Why a request is not sent on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestRefused {
    /// No `Upstream-URL`, or not exactly one.
    #[error("the header Upstream-URL is required, once")]
    MissingUrl,
    /// No `Upstream-Method`, or not exactly one.
    #[error("the header Upstream-Method is required, once")]
    MissingMethod,
    /// Another method.
    #[error("Upstream-Method must be one of GET, POST, PUT, PATCH, DELETE")]
    InvalidMethod,
    /// That URL may not be called.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
}

impl UpstreamRequest {
    /// Reads the headers of a request to the proxy.
    pub fn parse(headers: &HeaderMap, allowlist: &Allowlist) -> Result<Self, RequestRefused> {
        let url = only(headers, UPSTREAM_URL).ok_or(RequestRefused::MissingUrl)?;
        let method = only(headers, UPSTREAM_METHOD).ok_or(RequestRefused::MissingMethod)?;
        let method = known_method(method).ok_or(RequestRefused::InvalidMethod)?;
        // What is no text is no URL.
        let url = allowlist.check(std::str::from_utf8(url).unwrap_or_default())?;
        Ok(Self { url, method, headers: forwarded(headers), body: Bytes::new(), companion: None })
    }

    /// The body to send.
    #[must_use]
    pub fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// What accompanies the response.
    #[must_use]
    pub fn with_companion(self, companion: Companion) -> Self {
        Self { companion: Some(companion), ..self }
    }
}

/// The value of a header that must come once and say something.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes().trim_ascii();
    (!value.is_empty() && values.next().is_none()).then_some(value)
}

fn known_method(text: &[u8]) -> Option<Method> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    known.into_iter().find(|method| method.as_str().as_bytes().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&'static str, &str)]) -> Result<UpstreamRequest, RequestRefused> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        UpstreamRequest::parse(&headers, &Allowlist::new(vec!["https://a.example/**".parse().unwrap()]))
    }

    #[test]
    fn checks_come_in_the_order_of_the_protocol() {
        let (url, method) = (("upstream-url", "https://a.example/x"), ("upstream-method", "post"));
        assert_eq!(parse(&[]).unwrap_err(), RequestRefused::MissingUrl);
        assert_eq!(parse(&[("upstream-url", " "), method]).unwrap_err(), RequestRefused::MissingUrl);
        assert_eq!(parse(&[url, url, method]).unwrap_err(), RequestRefused::MissingUrl);
        assert_eq!(parse(&[("upstream-url", "bad")]).unwrap_err(), RequestRefused::MissingMethod);
        let unknown = parse(&[("upstream-url", "bad"), ("upstream-method", "TRACE")]);
        assert_eq!(unknown.unwrap_err(), RequestRefused::InvalidMethod);
        assert_eq!(parse(&[("upstream-url", "bad"), method]).unwrap_err(), NotAllowed::NotHttp.into());
        assert_eq!(parse(&[("upstream-url", "http://a.example/"), method]).unwrap_err(), NotAllowed::NotListed.into());
        assert_eq!(parse(&[url, method]).unwrap().method, Method::POST);
    }
}
