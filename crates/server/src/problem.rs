//! The one place that knows which status, code and words a refusal has (RFC 9457).
//!
//! A code is a promise: clients compare it, so it never changes its meaning. `docs/errors.md` lists them all.

use std::borrow::Cow;

use bytes::Bytes;
use headwater_protocol::{ContentType, header};
use headwater_sessions::SessionError;
use headwater_streams::{AppendError, CreateError, DeleteError, EngineError, ReadError, StoreError};
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::body::BodyError;
use crate::config::CorsOrigins;
use crate::cors::Cors;
use crate::limits::RETRY_AFTER_SECONDS;
use crate::response::{number_value, offset_value};

/// Where a code is explained.
const EXPLAINED_AT: &str = "https://github.com/headwater-dev/headwater/blob/main/docs/errors.md#";

/// The request id of an answer that no request was parsed for.
const NO_REQUEST: &str = "none";

/// Methods a stream's URL takes.
pub(crate) const STREAM_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, POST, DELETE, OPTIONS");

macro_rules! codes {
    ($($name:ident = $status:ident, $code:literal, $title:literal;)*) => {
        /// Every way a request can be refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name),* }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The status, the stable code and the title.
            pub(crate) const fn parts(self) -> (StatusCode, &'static str, &'static str) {
                match self { $(Self::$name => (StatusCode::$status, $code, $title)),* }
            }
        }
    };
}

codes! {
    MalformedRequest = BAD_REQUEST, "malformed_request", "Malformed HTTP request";
    InvalidPath = BAD_REQUEST, "invalid_path", "Invalid stream path";
    InvalidHost = BAD_REQUEST, "invalid_host", "Missing or invalid Host";
    InvalidHeader = BAD_REQUEST, "invalid_header", "Invalid header";
    InvalidQuery = BAD_REQUEST, "invalid_query", "Invalid query parameter";
    InvalidOffset = BAD_REQUEST, "invalid_offset", "Invalid offset";
    OffsetRequired = BAD_REQUEST, "offset_required", "Offset required";
    UnknownOffset = BAD_REQUEST, "unknown_offset", "Unknown offset";
    InvalidContentType = BAD_REQUEST, "invalid_content_type", "Invalid content type";
    ContentTypeRequired = BAD_REQUEST, "content_type_required", "Content type required";
    InvalidLifetime = BAD_REQUEST, "invalid_lifetime", "Invalid TTL or expiry";
    InvalidProducer = BAD_REQUEST, "invalid_producer", "Invalid producer headers";
    ProducerEpochStart = BAD_REQUEST, "producer_epoch_start", "Producer epoch must start at sequence 0";
    InvalidStreamSeq = BAD_REQUEST, "invalid_stream_seq", "Invalid Stream-Seq";
    EmptyBody = BAD_REQUEST, "empty_body", "Empty body";
    InvalidJson = BAD_REQUEST, "invalid_json", "Invalid JSON";
    EmptyJsonArray = BAD_REQUEST, "empty_json_array", "Empty JSON array";
    InvalidFork = BAD_REQUEST, "invalid_fork", "Invalid fork";
    UnreadableBody = BAD_REQUEST, "unreadable_body", "Unreadable body";
    ReservedStream = FORBIDDEN, "reserved_stream", "Stream is written by the server only";
    ProducerFenced = FORBIDDEN, "producer_fenced", "Producer epoch is stale";
    NotFound = NOT_FOUND, "not_found", "Not found";
    StreamNotFound = NOT_FOUND, "stream_not_found", "Stream not found";
    ForkSourceNotFound = NOT_FOUND, "fork_source_not_found", "Fork source not found";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed";
    BodyTimeout = REQUEST_TIMEOUT, "body_timeout", "Request body too slow";
    HeadTimeout = REQUEST_TIMEOUT, "head_timeout", "Request head too slow";
    StreamDiffers = CONFLICT, "stream_differs", "Stream exists with another configuration";
    PathHeld = CONFLICT, "path_held", "Path held by a deleted stream";
    ForkSourceDeleted = CONFLICT, "fork_source_deleted", "Fork source is deleted";
    StreamClosed = CONFLICT, "stream_closed", "Stream is closed";
    ContentTypeDiffers = CONFLICT, "content_type_differs", "Content type differs";
    StreamSeqNotIncreasing = CONFLICT, "stream_seq_not_increasing", "Stream-Seq must increase";
    ProducerGap = CONFLICT, "producer_gap", "Producer sequence gap";
    StreamGone = GONE, "stream_gone", "Stream is deleted";
    OffsetTrimmed = GONE, "offset_trimmed", "Offset is no longer kept";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "Request body too large";
    UrlTooLong = URI_TOO_LONG, "url_too_long", "URL too long";
    UnsupportedEncoding = UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", "Unsupported content encoding";
    HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "Request head too large";
    TooManyReaders = TOO_MANY_REQUESTS, "too_many_readers", "Too many live readers";
    TooManyProducers = TOO_MANY_REQUESTS, "too_many_producers", "Too many producers";
    StreamDamaged = INTERNAL_SERVER_ERROR, "stream_damaged", "Stored bytes are damaged";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Internal error";
    UnsupportedTransferEncoding = NOT_IMPLEMENTED, "unsupported_transfer_encoding", "Unsupported Transfer-Encoding";
    UnsupportedVersion = HTTP_VERSION_NOT_SUPPORTED, "unsupported_version", "Unsupported HTTP version";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Server is overloaded";
    TooManyConnections = SERVICE_UNAVAILABLE, "too_many_connections", "Too many connections";
    ShuttingDown = SERVICE_UNAVAILABLE, "shutting_down", "Server is shutting down";
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "Store takes no changes";
    StoreFull = INSUFFICIENT_STORAGE, "store_full", "Storage is full";
}

/// A refusal on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The cause, for the log only.
    pub(crate) cause: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    explained_at: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    request_id: &'a str,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), headers: Vec::new(), cause: None }
    }

    fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    /// A hidden cause: the client gets the code, the log gets the rest.
    fn caused_by(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    pub(crate) fn method_not_allowed(allowed: HeaderValue) -> Self {
        let mut problem = Self::new(Code::MethodNotAllowed, "this URL does not take that method");
        problem.headers.push((ALLOW, allowed));
        problem
    }

    pub(crate) fn content_type_differs(expected: &ContentType) -> Self {
        Self::new(Code::ContentTypeDiffers, format!("the stream's content type is {expected}"))
    }

    /// What it says to people, the headers that go with it, and the cause for the log.
    pub(crate) fn into_parts(self) -> (Cow<'static, str>, Vec<(HeaderName, HeaderValue)>, Option<String>) {
        (self.detail, self.headers, self.cause)
    }

    /// What it says to people, and the cause for the log.
    pub(crate) fn into_words(self) -> (Cow<'static, str>, Option<String>) {
        (self.detail, self.cause)
    }

    /// Whether the rest of the request is thrown away and the connection closed after the answer.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(
            self.code,
            Code::BodyTooLarge
                | Code::BodyTimeout
                | Code::UnreadableBody
                | Code::UrlTooLong
                | Code::InvalidHost
                | Code::MalformedRequest
                | Code::HeadTooLarge
                | Code::UnsupportedTransferEncoding
                | Code::UnsupportedVersion
        )
    }

    /// The answer, under the id that the log has too.
    pub(crate) fn render(self, request_id: &str) -> Response<Bytes> {
        let (status, code, title) = self.code.parts();
        let document = Document {
            explained_at: format!("{EXPLAINED_AT}{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: &self.detail,
            request_id,
        };
        let body = serde_json::to_vec(&document).expect("strings and a number always become JSON");
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if self.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.extend(self.headers);
        response
    }

    /// The answer as bytes that end their connection, for where no request was parsed.
    pub(crate) fn written_out(self) -> Vec<u8> {
        let mut response = self.render(NO_REQUEST);
        let length = response.body().len();
        Cors::new(CorsOrigins::Any).mark(None, response.headers_mut());
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(response.body());
        bytes
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Overloaded => Self::new(Code::Overloaded, error.to_string()),
            EngineError::Stopping => Self::new(Code::ShuttingDown, error.to_string()),
            EngineError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (code, detail) = match &error {
            StoreError::Full => (Code::StoreFull, "the server has no space left; what is stored can still be read"),
            StoreError::Poisoned { .. } => (
                Code::StoreUnavailable,
                "the store takes no changes since it failed or was found damaged; what is healthy can be read, and the log says what to do",
            ),
            StoreError::Closed => (Code::ShuttingDown, "the server is shutting down"),
            StoreError::Damaged { .. } => {
                (Code::StreamDamaged, "stored bytes of this stream do not match their checksum")
            }
            StoreError::Reclaimed => (Code::OffsetTrimmed, "the bytes at this offset are no longer kept"),
            StoreError::Io { .. } => (Code::Internal, "the server could not reach its storage"),
        };
        Self::new(code, detail).caused_by(error)
    }
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        let code = match &error {
            CreateError::Differs(_) => Code::StreamDiffers,
            CreateError::PathHeld => Code::PathHeld,
            CreateError::SourceNotFound => Code::ForkSourceNotFound,
            CreateError::SourceDeleted => Code::ForkSourceDeleted,
            CreateError::SourceContentType(_) => Code::ContentTypeDiffers,
            CreateError::ForkOffset { .. }
            | CreateError::ForkOffsetInsideMessage
            | CreateError::ForkSubOffset
            | CreateError::TooManySpans(_) => Code::InvalidFork,
            CreateError::Engine(error) => return error.clone().into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let detail = error.to_string();
        match error {
            AppendError::NotFound => Self::new(Code::StreamNotFound, detail),
            AppendError::Gone => Self::new(Code::StreamGone, detail),
            AppendError::Closed { tail } => Self::new(Code::StreamClosed, detail)
                .with(header::STREAM_CLOSED, HeaderValue::from_static("true"))
                .with(header::STREAM_NEXT_OFFSET, offset_value(tail)),
            AppendError::ContentTypeDiffers(expected) => Self::content_type_differs(&expected),
            AppendError::StreamSeqNotIncreasing => Self::new(Code::StreamSeqNotIncreasing, detail),
            AppendError::Fenced { current } => {
                Self::new(Code::ProducerFenced, detail).with(header::PRODUCER_EPOCH, number_value(current.get()))
            }
            AppendError::EpochStart => Self::new(Code::ProducerEpochStart, detail),
            AppendError::Gap { expected, received } => Self::new(Code::ProducerGap, detail)
                .with(header::PRODUCER_EXPECTED_SEQ, number_value(expected.get()))
                .with(header::PRODUCER_RECEIVED_SEQ, number_value(received.get())),
            AppendError::TooManyProducers(_) => Self::new(Code::TooManyProducers, detail),
            AppendError::Engine(error) => error.into(),
        }
    }
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotFound => Self::new(Code::StreamNotFound, error.to_string()),
            DeleteError::Gone => Self::new(Code::StreamGone, error.to_string()),
            DeleteError::Engine(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let code = match &error {
            ReadError::NotFound => Code::StreamNotFound,
            ReadError::Gone => Code::StreamGone,
            ReadError::Trimmed { .. } => Code::OffsetTrimmed,
            ReadError::NotAnOffset => Code::UnknownOffset,
            ReadError::TooManyReaders => Code::TooManyReaders,
            ReadError::Engine(error) => return error.clone().into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match &error {
            SessionError::NotFound { .. } => Self::new(Code::StreamNotFound, error.to_string()),
            SessionError::Overloaded { .. } | SessionError::Unavailable { .. } => {
                Self::new(Code::Overloaded, error.to_string())
            }
            _ => Self::new(Code::Internal, "the session could not be read").caused_by(error),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let code = match &error {
            BodyError::TooLarge { .. } => Code::BodyTooLarge,
            BodyError::TooSlow { .. } => Code::BodyTimeout,
            BodyError::Unreadable(_) | BodyError::Broken(_) => Code::UnreadableBody,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../../../docs/errors.md");

    #[test]
    fn every_code_is_documented_with_its_status() {
        for code in Code::ALL {
            let (status, code, _) = code.parts();
            let heading = format!("### {code}\n");
            let section = DOCUMENTED.split(&heading).nth(1).unwrap_or_else(|| panic!("docs/errors.md lacks {code}"));
            let section = section.split("\n### ").next().unwrap();
            assert!(section.contains(status.as_str()), "docs/errors.md: {code} has status {status}");
        }
    }

    #[test]
    fn every_documented_code_exists() {
        for line in DOCUMENTED.lines().filter_map(|line| line.strip_prefix("### ")) {
            assert!(Code::ALL.iter().any(|code| code.parts().1 == line), "docs/errors.md lists {line}");
        }
    }

    #[test]
    fn codes_are_unique_and_never_successes() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert!(code.parts().0.as_u16() >= 400);
            assert!(Code::ALL[..at].iter().all(|other| other.parts().1 != code.parts().1), "{code:?}");
        }
    }

    #[test]
    fn a_store_failure_tells_the_client_nothing_of_the_machine() {
        let error = StoreError::Io { operation: "open /srv/data/7.journal".into(), cause: "Permission denied".into() };
        let response = Problem::from(EngineError::from(error)).render("id-1");
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(body.contains("\"code\":\"internal\"") && body.contains("id-1") && !body.contains("/srv"), "{body}");
    }
}
