//! The one place that knows which status a refusal of the proxy has, and its form: `{"error":{"code","message"}}`.
//!
//! What any request may meet (an offset that is none, overload) keeps the code that it has everywhere, in capitals.

use std::borrow::Cow;

use headwater_proxy::{CreateError, FetchError, RequestRefused, SignatureRefused};
use headwater_sessions::SessionError;
use headwater_streams::{EngineError, Store};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;

use crate::limits::RETRY_AFTER_SECONDS;
use crate::problem::Problem;
use crate::response::{Answer, Content, NO_STORE, answer};
use crate::sessions::{Told, status_of};

/// A refusal on its way to the client. Boxed: what succeeds shall not carry room for it.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Refused>);

#[derive(Debug)]
struct Refused {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    headers: HeaderMap,
    cause: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
}

impl Refusal {
    fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self(Box::new(Refused { status, code, message, headers: HeaderMap::new(), cause: None }))
    }

    fn unauthorized(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, code, message);
        refusal.0.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        refusal
    }

    pub(super) fn missing_secret() -> Self {
        let message = "a service secret is required, as ?secret= or as a bearer token";
        Self::unauthorized("MISSING_SECRET", message)
    }

    pub(super) fn invalid_secret() -> Self {
        Self::unauthorized("INVALID_SECRET", "the service secret is not one that this server knows")
    }

    pub(super) fn missing_signature() -> Self {
        Self::unauthorized("MISSING_SIGNATURE", "a signed URL with expires and signature is required")
    }

    pub(super) fn invalid_action() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ACTION", "action must be abort")
    }

    pub(super) fn stream_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "STREAM_NOT_FOUND", "no stream exists at this URL")
    }

    /// The answer, in the form of the proxy.
    pub(crate) fn answer<S: Store>(self, method: &Method) -> Answer<S> {
        let Refused { status, code, message, headers, cause } = *self.0;
        let envelope = Envelope { error: Body { code: &code, message: &message } };
        let body = serde_json::to_vec(&envelope).expect("two texts always become JSON");
        let content = if method == Method::HEAD { Content::Empty } else { Content::Full(body.into()) };
        let mut response = answer(status, content);
        response.headers_mut().extend(headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response.extensions_mut().insert(Told { code, cause });
        response
    }
}

impl From<SignatureRefused> for Refusal {
    fn from(refused: SignatureRefused) -> Self {
        let code = match refused {
            SignatureRefused::Expired => "SIGNATURE_EXPIRED",
            SignatureRefused::Invalid => "SIGNATURE_INVALID",
        };
        Self::unauthorized(code, refused.to_string())
    }
}

impl From<RequestRefused> for Refusal {
    fn from(refused: RequestRefused) -> Self {
        let (status, code) = match &refused {
            RequestRefused::MissingUrl => (StatusCode::BAD_REQUEST, "MISSING_UPSTREAM_URL"),
            RequestRefused::MissingMethod => (StatusCode::BAD_REQUEST, "MISSING_UPSTREAM_METHOD"),
            RequestRefused::InvalidMethod => (StatusCode::BAD_REQUEST, "INVALID_UPSTREAM_METHOD"),
            RequestRefused::NotAllowed(_) => (StatusCode::FORBIDDEN, "UPSTREAM_NOT_ALLOWED"),
        };
        Self::new(status, code, refused.to_string())
    }
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        let (status, code) = match &error {
            CreateError::TooManyUpstreams(_) => (StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_UPSTREAMS"),
            CreateError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN"),
            CreateError::Storage(cause) => {
                let mut refusal =
                    Self::new(StatusCode::BAD_GATEWAY, "STORAGE_ERROR", "the stream could not be created");
                refusal.0.cause = Some(cause.to_string());
                return refusal;
            }
            CreateError::Fetch(FetchError::NotPublic) => (StatusCode::FORBIDDEN, "UPSTREAM_NOT_ALLOWED"),
            CreateError::Fetch(FetchError::Redirect) => (StatusCode::BAD_REQUEST, "REDIRECT_NOT_ALLOWED"),
            CreateError::Fetch(FetchError::Timeout(_)) => (StatusCode::GATEWAY_TIMEOUT, "UPSTREAM_TIMEOUT"),
            CreateError::Fetch(FetchError::Unreachable | FetchError::HeadTooLarge(_) | FetchError::Status(_)) => {
                (StatusCode::BAD_GATEWAY, "UPSTREAM_ERROR")
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, code, _) = problem.code.parts();
        let ends_connection = problem.ends_connection();
        let (message, headers, cause) = problem.into_parts();
        let mut refusal = Self::new(status, code.to_uppercase(), message);
        refusal.0.cause = cause;
        refusal.0.headers.extend(headers);
        if ends_connection {
            refusal.0.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        refusal
    }
}

/// With the status and the code that it has under `/api`.
impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        let code = error.code();
        Self::new(status_of(code), code.as_str(), error.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Problem::from(error).into()
    }
}
