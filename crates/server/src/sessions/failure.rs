//! The one place that knows which status a refusal of sessions has, and its form:
//! `{ok: false, error: {code, message, details?}}`.
//!
//! What any request may meet (overload, a body that is too large) keeps the code that it has everywhere, in capitals.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use headwater_protocol::header;
use headwater_sessions::{ErrorCode, ProducerRefusal, SessionError};
use headwater_streams::{EngineError, ReadError};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::limits::RETRY_AFTER_SECONDS;
use crate::problem::Problem;
use crate::response::number_value;

/// A refusal on its way to the client. Boxed: what succeeds shall not carry room for it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Refused>);

#[derive(Debug)]
struct Refused {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
    ends_connection: bool,
}

/// What the log is told of a refusal; travels with the answer as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) code: Cow<'static, str>,
    pub(crate) cause: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    ok: bool,
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
}

impl Failure {
    /// A parameter that is missing or malformed.
    pub(super) fn params(name: &'static str, rule: impl Into<Cow<'static, str>>) -> Self {
        SessionError::InvalidParams { name, rule: rule.into() }.into()
    }

    /// The body is not of a type that is read here.
    pub(super) fn media_type() -> Self {
        let message = "the body must be sent as application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Refused {
            status,
            code: code.into(),
            message: message.into(),
            details: Map::new(),
            headers: Vec::new(),
            cause: None,
            ends_connection: false,
        }))
    }

    fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.into(), value.into());
        self
    }

    fn with_header(mut self, name: &'static str, number: u64) -> Self {
        self.0.headers.push((HeaderName::from_static(name), number_value(number)));
        self
    }

    fn with_producer(self, refused: ProducerRefusal) -> Self {
        match refused {
            ProducerRefusal::Fenced { current } => self.with_header(header::PRODUCER_EPOCH, current.get()),
            ProducerRefusal::Gap { expected, received } => self
                .with_header(header::PRODUCER_EXPECTED_SEQ, expected.get())
                .with_header(header::PRODUCER_RECEIVED_SEQ, received.get()),
            ProducerRefusal::EpochStart | ProducerRefusal::TooMany(_) => self,
        }
    }
}

fn status(error: &SessionError) -> StatusCode {
    // As in the stream protocol, where it is a mistake of the request and not of what was stored before.
    if let SessionError::Producer(ProducerRefusal::EpochStart) = error {
        return StatusCode::BAD_REQUEST;
    }
    status_of(error.code())
}

pub(crate) const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::SessionClosed | ErrorCode::InvalidId | ErrorCode::InvalidParams | ErrorCode::ValidationError => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::ProducerFenced => StatusCode::FORBIDDEN,
        ErrorCode::SessionNotFound | ErrorCode::SearchOff => StatusCode::NOT_FOUND,
        ErrorCode::OffsetTrimmed => StatusCode::GONE,
        ErrorCode::SessionFull | ErrorCode::EventConflict | ErrorCode::ProducerGap => StatusCode::CONFLICT,
        ErrorCode::EventTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::StoreFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::SessionSyncFailed => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::SessionConnectionFailed => StatusCode::BAD_GATEWAY,
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let (message, cause) = match &error {
            // What is below tells of paths and disks: that is for the log.
            SessionError::Failed { why } => ("the session could not be read or written".to_owned(), Some(why.clone())),
            SessionError::StoreUnavailable { why } => (error.to_string(), Some(why.clone())),
            told => (told.to_string(), None),
        };
        let mut failure = Self::new(status(&error), error.code().as_str(), message);
        failure.0.cause = cause;
        if let Some(field) = error.field_name() {
            failure = failure.with_detail("field", field);
        }
        if let Some(event) = error.event() {
            failure = failure.with_detail("event", event);
        }
        match error {
            SessionError::Producer(refused) => failure.with_producer(refused),
            SessionError::Trimmed { earliest } => failure.with_detail("earliest", earliest.to_string()),
            _ => failure,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let (status, code, _) = problem.code.parts();
        let ends_connection = problem.ends_connection();
        let (message, cause) = problem.into_words();
        let mut failure = Self::new(status, code.to_uppercase(), message);
        failure.0.cause = cause;
        failure.0.ends_connection = ends_connection;
        failure
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Problem::from(error).into()
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Trimmed { earliest } => SessionError::Trimmed { earliest }.into(),
            other => Problem::from(other).into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let refused = *self.0;
        let error = Body { code: &refused.code, message: &refused.message, details: &refused.details };
        let body = serde_json::to_vec(&Envelope { ok: false, error }).expect("a refusal is plain JSON");
        let fixed = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (refused.status, fixed, body).into_response();
        let headers = response.headers_mut();
        headers.extend(refused.headers);
        if matches!(
            refused.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY
        ) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if refused.ends_connection {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Told { code: refused.code, cause: refused.cause });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../../../../docs/sessions.md");

    const CODES: [ErrorCode; 19] = [
        ErrorCode::OffsetTrimmed,
        ErrorCode::SessionNotFound,
        ErrorCode::SearchOff,
        ErrorCode::SessionClosed,
        ErrorCode::SessionFull,
        ErrorCode::SessionConnectionFailed,
        ErrorCode::StoreFull,
        ErrorCode::StoreUnavailable,
        ErrorCode::SessionSyncFailed,
        ErrorCode::InvalidId,
        ErrorCode::InvalidParams,
        ErrorCode::ValidationError,
        ErrorCode::EventTooLarge,
        ErrorCode::EventConflict,
        ErrorCode::Unauthorized,
        ErrorCode::Forbidden,
        ErrorCode::RateLimited,
        ErrorCode::ProducerFenced,
        ErrorCode::ProducerGap,
    ];

    #[test]
    fn every_code_is_documented_with_its_status() {
        for code in CODES {
            let row = format!("| `{code}` | {} |", status_of(code).as_u16());
            assert!(DOCUMENTED.contains(&row), "docs/sessions.md lacks {row}");
        }
    }

    #[test]
    fn overload_says_when_to_come_back_and_a_broken_store_tells_nothing_of_the_machine() {
        let overloaded = Failure::from(SessionError::Overloaded { why: "the queue is full".into() }).into_response();
        assert_eq!(overloaded.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(overloaded.headers()[RETRY_AFTER], RETRY_AFTER_SECONDS);
        let failure = Failure::from(SessionError::Failed { why: "open /srv/data/7.journal".into() });
        assert!(!failure.0.message.contains("/srv"));
        assert_eq!(
            failure.into_response().extensions().get::<Told>().and_then(|told| told.cause.clone()).as_deref(),
            Some("open /srv/data/7.journal")
        );
    }
}
