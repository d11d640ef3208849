//! What browsers are told (protocol section 12.7 and the Fetch standard): on every answer, errors included.

use headwater_protocol::header::{PROXY_REQUEST_HEADERS, PROXY_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::CorsOrigins;
use crate::limits::PREFLIGHT_MAX_AGE_SECONDS;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Request headers of HTTP itself that browsers ask leave for.
const PLAIN_REQUEST_HEADERS: [&str; 6] =
    ["content-type", "authorization", "if-none-match", "cache-control", "last-event-id", "x-request-id"];
/// Answer headers of HTTP itself that scripts want to see.
const PLAIN_RESPONSE_HEADERS: [&str; 7] =
    ["etag", "location", "retry-after", "content-length", "content-disposition", "date", "x-request-id"];

/// The configured origins with the values that go with them, built once.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: CorsOrigins,
    allowed_headers: HeaderValue,
    exposed_headers: HeaderValue,
}

impl Cors {
    pub(crate) fn new(origins: CorsOrigins) -> Self {
        Self {
            origins,
            allowed_headers: list([&REQUEST_HEADERS[..], &PROXY_REQUEST_HEADERS, &PLAIN_REQUEST_HEADERS]),
            exposed_headers: list([&RESPONSE_HEADERS[..], &PROXY_RESPONSE_HEADERS, &PLAIN_RESPONSE_HEADERS]),
        }
    }

    /// The request's origin, as far as answers depend on it.
    pub(crate) fn asker(&self, request: &HeaderMap) -> Option<HeaderValue> {
        match &self.origins {
            CorsOrigins::Only(origins) => {
                request.get(http::header::ORIGIN).filter(|asker| origins.contains(asker)).cloned()
            }
            CorsOrigins::Any | CorsOrigins::None => None,
        }
    }

    /// Adds what every answer carries.
    pub(crate) fn mark(&self, asker: Option<HeaderValue>, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, CROSS_ORIGIN);
        let allowed = match &self.origins {
            CorsOrigins::Any => Some(ANY),
            CorsOrigins::None => return,
            CorsOrigins::Only(_) => {
                headers.append(VARY, HeaderValue::from_static("origin"));
                asker
            }
        };
        if let Some(origin) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed_headers.clone());
        }
    }

    /// Adds what the answer to a preflight carries besides.
    pub(crate) fn allow(&self, methods: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ALLOW, methods.clone());
        if self.origins != CorsOrigins::None {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.allowed_headers.clone());
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE_SECONDS));
        }
    }
}

fn list(names: [&[&str]; 3]) -> HeaderValue {
    HeaderValue::try_from(names.concat().join(", ")).expect("header names and commas are visible ASCII")
}
