//! The one place that knows which status a refusal of sessions has, and its form:
//! `{ok: false, error: {code, message, details?}}`.
//!
//! What any request may meet (overload, a body that is too large) keeps the code that it has everywhere, in capitals.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use headwater_protocol::{Offset, header};
use headwater_sessions::{ErrorCode, ProducerRefusal, SessionError};
use headwater_streams::{EngineError, ReadError};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::limits::RETRY_AFTER_SECONDS;
use crate::problem::Problem;
use crate::response::number_value;

/// A refusal on its way to the client.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<str>>,
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

    /// What was asked for has expired; `earliest` is where reading can begin.
    pub(super) fn trimmed(earliest: Offset) -> Self {
        Self::new(StatusCode::GONE, "OFFSET_TRIMMED", "the events at this offset are no longer kept")
            .with_detail("earliest", earliest.to_string())
    }

    /// The body is not of a type that is read here.
    pub(super) fn media_type() -> Self {
        let message = "the body must be sent as application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            details: Map::new(),
            headers: Vec::new(),
            cause: None,
            ends_connection: false,
        }
    }

    fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    fn with_header(mut self, name: &'static str, number: u64) -> Self {
        self.headers.push((HeaderName::from_static(name), number_value(number)));
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
    match error.code() {
        ErrorCode::SessionClosed | ErrorCode::InvalidId | ErrorCode::InvalidParams | ErrorCode::ValidationError => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::ProducerFenced => StatusCode::FORBIDDEN,
        ErrorCode::SessionNotFound => StatusCode::NOT_FOUND,
        ErrorCode::OffsetTrimmed => StatusCode::GONE,
        ErrorCode::SessionFull | ErrorCode::EventConflict | ErrorCode::ProducerGap => StatusCode::CONFLICT,
        ErrorCode::EventTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::SessionSyncFailed => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::SessionConnectionFailed => StatusCode::BAD_GATEWAY,
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let (message, cause) = match &error {
            // What is below tells of paths and disks: that is for the log.
            SessionError::Failed { why } => {
                ("the session could not be read or written".to_owned(), Some(why.as_str().into()))
            }
            told => (told.to_string(), None),
        };
        let mut failure = Self::new(status(&error), error.code().as_str(), message);
        failure.cause = cause;
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
        let cause = cause.map(String::into_boxed_str);
        Self { cause, ends_connection, ..Self::new(status, code.to_uppercase(), message) }
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
            ReadError::Trimmed { earliest } => Self::trimmed(earliest),
            other => Problem::from(other).into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = Body { code: &self.code, message: &self.message, details: &self.details };
        let body = serde_json::to_vec(&Envelope { ok: false, error }).expect("a refusal is plain JSON");
        let fixed = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (self.status, fixed, body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY
        ) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if self.ends_connection {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Told { code: self.code, cause: self.cause.map(String::from) });
        response
    }
}
