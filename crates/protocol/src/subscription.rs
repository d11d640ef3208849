//! The bodies of the subscription API (protocol sections 6 and 7): what clients send, what the server answers, and what
//! it delivers to webhooks and wake streams.
//!
//! Requests are checked into values that need no second look. Whether a token, wake or generation is current, and which
//! addresses a webhook may point at, is for the server to say.

mod config;
mod error;
mod keys;
mod wake;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use config::{
    Delivery, InvalidSubscription, Signing, StreamLink, SubscriptionConfig, SubscriptionKind, SubscriptionState,
    SubscriptionStatus, SubscriptionView, WebhookView,
};
pub use error::{ErrorBody, ErrorCode, ErrorDetail};
pub use keys::{InvalidSignature, Jwk, JwkSet, WebhookSignature};
pub use wake::{
    Ack, AckAnswer, AckRequest, ClaimAnswer, ClaimRequest, InvalidAck, LinkType, ReleaseRequest, StreamSnapshot,
    StreamsRequest, WakeEvent, WakeEventType, WakeNotification, WebhookAnswer, WorkerName,
};

use crate::limits::SUBSCRIPTION_ID_BYTES_MAX;
use crate::{InvalidPath, StreamPath};

/// A subscription's name, chosen by its creator. Cloning is cheap.
///
/// Up to [`SUBSCRIPTION_ID_BYTES_MAX`] bytes of UTF-8 without slashes and control characters, and neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SubscriptionId(Arc<str>);

/// A text cannot name a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a subscription id is 1 to {SUBSCRIPTION_ID_BYTES_MAX} bytes without '/' and control characters, and not '.' or '..'"
)]
pub struct InvalidSubscriptionId;

impl SubscriptionId {
    /// Checks `text`, which is decoded already, and takes it as a name.
    pub fn new(text: &str) -> Result<Self, InvalidSubscriptionId> {
        let fits = text.len() <= SUBSCRIPTION_ID_BYTES_MAX && !matches!(text, "" | "." | "..");
        if !fits || text.chars().any(|c| c == '/' || c.is_control()) {
            return Err(InvalidSubscriptionId);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SubscriptionId {
    type Error = InvalidSubscriptionId;

    fn try_from(text: String) -> Result<Self, InvalidSubscriptionId> {
        Self::new(&text)
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A wake's unique name. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WakeId(Arc<str>);

impl WakeId {
    /// Takes `text` as a wake's name.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many wakes a subscription has had: it fences what belongs to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation of the next wake.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request's body is not the JSON object it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("request body: {0}")]
pub struct InvalidBody(String);

/// Parses a request's body. An empty one is as good as `{}`.
pub fn parse_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, InvalidBody> {
    let text = match body.trim_ascii() {
        b"" => b"{}",
        // Serde would take an array as an object without names.
        [b'[', ..] => return Err(InvalidBody("expected a JSON object, got an array".into())),
        _ => body,
    };
    serde_json::from_slice(text).map_err(|error| InvalidBody(error.to_string()))
}

/// A stream's path as bodies write it: not escaped, slashes at the ends dropped.
fn path_from_body(text: &str) -> Result<StreamPath, InvalidPath> {
    StreamPath::new(text.trim_matches('/'))
}

#[cfg(test)]
mod tests;
