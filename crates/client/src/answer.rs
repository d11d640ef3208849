//! Answers: their headers, their bodies within limits, and what a refusal means.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use headwater_protocol::header::{
    PRODUCER_EPOCH, PRODUCER_EXPECTED_SEQ, PRODUCER_RECEIVED_SEQ, STREAM_CLOSED, STREAM_NEXT_OFFSET, is_true,
};
use serde::Deserialize;
use tokio::time::timeout;

use crate::error::Refusal;
use crate::limits::{REFUSAL_BYTES_MAX, REFUSAL_CHARACTERS_MAX};
use crate::retry::parse_retry_after;
use crate::transport::bare;
use crate::{Error, Offset};

/// What a request said that helps to understand a refusal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// It carried a `Stream-Seq`.
    pub(crate) stream_seq: bool,
    /// It carried the producer headers.
    pub(crate) producer: bool,
}

/// An answer whose head is there.
#[derive(Debug)]
pub(crate) struct Answer {
    response: reqwest::Response,
    url: String,
    idle_timeout: Duration,
}

/// The members of a problem document (RFC 9457) that this client looks at.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    code: Option<String>,
    detail: Option<String>,
    title: Option<String>,
}

impl Answer {
    pub(crate) fn new(response: reqwest::Response, url: String, idle_timeout: Duration) -> Self {
        Self { response, url, idle_timeout }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.header(name).is_some_and(is_true)
    }

    /// Whether a header is there, whatever it says.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.response.headers().contains_key(name)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    pub(crate) fn next_offset(&self) -> Option<Offset> {
        self.header(STREAM_NEXT_OFFSET).map(Offset::from)
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self, idle_timeout: Duration) -> Result<Option<Bytes>, Error> {
        match timeout(idle_timeout, self.response.chunk()).await {
            Err(_) => Err(Error::TimedOut { url: self.url.clone(), after: idle_timeout }),
            Ok(Err(error)) => Err(Error::Interrupted { url: self.url.clone(), cause: bare(error) }),
            Ok(Ok(chunk)) => Ok(chunk),
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub(crate) async fn body(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk(self.idle_timeout).await? {
            if body.len() + chunk.len() > limit {
                return Err(Error::TooLarge { url: self.url.clone(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Reads past what is left of a small body, so that the connection can be used again.
    pub(crate) async fn finish(mut self) {
        if let Err(error) = self.body(REFUSAL_BYTES_MAX).await {
            // The head said all that matters; only the connection is lost.
            tracing::debug!(%error, "rest of an answer was not read");
        }
    }

    /// This answer if it is a success, else the error that it means.
    pub(crate) async fn accepted(mut self, expected: &Expected) -> Result<Self, Error> {
        if self.response.status().is_success() {
            return Ok(self);
        }
        let refusal = self.refusal().await;
        Err(self.error(refusal, expected))
    }

    async fn refusal(&mut self) -> Refusal {
        // A refusal whose reasons cannot be read is still one.
        let body = self.body(REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let mut refusal = Refusal {
            url: self.url.clone(),
            status: self.status(),
            retry_after: self.header("retry-after").and_then(|text| parse_retry_after(text, SystemTime::now())),
            ..Refusal::default()
        };
        if self.header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"))
            && let Ok(problem) = serde_json::from_slice::<Problem>(&body)
        {
            refusal.code = problem.code;
            refusal.detail = problem.detail.or(problem.title);
        } else {
            let text: String = String::from_utf8_lossy(&body).trim().chars().take(REFUSAL_CHARACTERS_MAX).collect();
            refusal.detail = (!text.is_empty()).then_some(text);
        }
        refusal
    }

    fn error(&self, refusal: Refusal, expected: &Expected) -> Error {
        match refusal.status {
            403 if expected.producer => match self.number(PRODUCER_EPOCH) {
                Some(epoch) => Error::Fenced { refusal, epoch },
                None => Error::Denied(refusal),
            },
            401 | 403 => Error::Denied(refusal),
            404 => Error::NotFound(refusal),
            410 => Error::Gone(refusal),
            409 => self.conflict(refusal, expected),
            408 | 425 | 429 | 500..=599 => Error::Unavailable(refusal),
            _ => Error::Refused(refusal),
        }
    }

    fn conflict(&self, refusal: Refusal, expected: &Expected) -> Error {
        if self.flag(STREAM_CLOSED) {
            return Error::Closed { refusal, tail: self.next_offset() };
        }
        if let (Some(expected), Some(received)) =
            (self.number(PRODUCER_EXPECTED_SEQ), self.number(PRODUCER_RECEIVED_SEQ))
        {
            return Error::Gap { refusal, expected, received };
        }
        // Servers without codes: a conflict of an open stream with a sequence mark is about the mark.
        let is_sequence = refusal.code.as_deref().is_none_or(|code| code == "stream_seq_not_increasing");
        if expected.stream_seq && is_sequence { Error::SequenceConflict(refusal) } else { Error::Conflict(refusal) }
    }
}
