//! Waking workers and hearing back from them (protocol section 7).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::config::stream_paths;
use super::{Generation, InvalidSubscription, SubscriptionId, WakeId, path_from_body};
use crate::limits::WORKER_NAME_BYTES_MAX;
use crate::{InvalidOffset, InvalidPath, Offset, StreamPath};

/// Why a stream is linked. Where both hold, `explicit` is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkType {
    /// The pattern matches it.
    Glob,
    /// It was named.
    Explicit,
}

/// A linked stream at the moment of a wake or a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct StreamSnapshot {
    pub path: StreamPath,
    pub link_type: LinkType,
    pub acked_offset: Offset,
    pub tail_offset: Offset,
    pub has_pending: bool,
}

impl StreamSnapshot {
    /// A link acked up to `acked_offset` of a stream that ends at `tail_offset`.
    pub fn new(path: StreamPath, link_type: LinkType, acked_offset: Offset, tail_offset: Offset) -> Self {
        Self { path, link_type, acked_offset, tail_offset, has_pending: tail_offset > acked_offset }
    }
}

/// What a webhook receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct WakeNotification {
    pub subscription_id: SubscriptionId,
    pub wake_id: WakeId,
    pub generation: Generation,
    pub streams: Vec<StreamSnapshot>,
    pub callback_url: String,
    pub callback_token: String,
}

/// What a webhook answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// `{"done": true}`: the wake's snapshot is acked and the lease ends.
    Done,
    /// Anything else: the worker will call back.
    Accepted,
}

impl WebhookAnswer {
    /// Reads the body of a successful answer, whatever it is.
    pub fn from_body(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            done: bool,
        }
        match super::parse_body::<Answer>(body) {
            Ok(Answer { done: true }) => Self::Done,
            _ => Self::Accepted,
        }
    }
}

/// What a wake stream receives, as one JSON message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeEvent {
    /// Always `wake`.
    #[serde(rename = "type")]
    pub event_type: WakeEventType,
    /// The subscription to claim.
    pub subscription_id: SubscriptionId,
    /// A stream with pending work.
    pub stream: StreamPath,
    /// The wake's number.
    pub generation: Generation,
    /// Unix milliseconds.
    #[serde(rename = "ts")]
    pub ts_ms: u64,
}

/// The `type` of a [`WakeEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WakeEventType {
    /// `wake`.
    #[default]
    Wake,
}

/// A worker's name, chosen by itself: 1 to [`WORKER_NAME_BYTES_MAX`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WorkerName(Arc<str>);

impl WorkerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WorkerName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = !text.is_empty() && text.len() <= WORKER_NAME_BYTES_MAX && !text.chars().any(char::is_control);
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(format!("worker must be 1 to {WORKER_NAME_BYTES_MAX} bytes without control characters"))
        }
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker asks for the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerName,
}

/// A worker has the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct ClaimAnswer {
    pub wake_id: WakeId,
    pub generation: Generation,
    pub token: String,
    pub streams: Vec<StreamSnapshot>,
    pub lease_ttl_ms: u64,
}

/// A callback or an ack: progress, a sign of life, and perhaps the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckRequest {
    /// Of which wake.
    pub wake_id: WakeId,
    /// Of which generation.
    pub generation: Generation,
    /// What has been processed.
    #[serde(default)]
    pub acks: Vec<Ack>,
    /// Whether the lease ends.
    #[serde(default)]
    pub done: bool,
}

/// Everything before `offset` of `stream` has been processed. Kept as sent, because fencing is decided first;
/// [`Ack::position`] checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The stream's path.
    #[serde(alias = "path")]
    pub stream: String,
    /// The offset up to which work is done.
    pub offset: String,
}

/// Why an ack names no position: code `INVALID_OFFSET`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidAck {
    /// No stream can have this path.
    #[error(transparent)]
    Stream(#[from] InvalidPath),
    /// Not an offset.
    #[error(transparent)]
    Offset(#[from] InvalidOffset),
}

impl Ack {
    /// The position it names. The words `-1` and `now` name none.
    pub fn position(&self) -> Result<(StreamPath, Offset), InvalidAck> {
        Ok((path_from_body(&self.stream)?, self.offset.parse()?))
    }
}

/// The answer to a callback or an ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckAnswer {
    /// Always true.
    pub ok: bool,
    /// Whether work remained, so that another wake follows.
    pub next_wake: bool,
}

/// A worker gives the work back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRequest {
    /// Of which wake.
    pub wake_id: WakeId,
    /// Of which generation.
    pub generation: Generation,
}

/// Streams to link explicitly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamsRequest {
    /// Their paths as sent; [`StreamsRequest::paths`] checks them.
    pub streams: Vec<String>,
}

impl StreamsRequest {
    /// The paths, checked and without repetitions.
    pub fn paths(&self) -> Result<BTreeSet<StreamPath>, InvalidSubscription> {
        stream_paths(&self.streams)
    }
}
