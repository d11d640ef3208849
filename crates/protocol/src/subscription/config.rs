//! What a subscription is: the request that creates it, its normalised form, and how it is shown.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{InvalidBody, LinkType, SubscriptionId, parse_body, path_from_body};
use crate::limits::{
    LEASE_TTL_MS_DEFAULT, LEASE_TTL_MS_MAX, LEASE_TTL_MS_MIN, SUBSCRIPTION_DESCRIPTION_BYTES_MAX,
    SUBSCRIPTION_STREAMS_PER_REQUEST_MAX, WEBHOOK_URL_BYTES_MAX,
};
use crate::{Glob, InvalidGlob, InvalidPath, Offset, StreamPath};

/// A subscription's configuration, normalised: two requests that mean the same are equal.
///
/// It is written as the request that creates it, so a stored one is checked again when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Request", into = "Request")]
pub struct SubscriptionConfig {
    /// Links every stream it matches.
    pub pattern: Option<Glob>,
    /// Linked explicitly at creation.
    pub streams: BTreeSet<StreamPath>,
    /// How workers learn of pending work.
    pub delivery: Delivery,
    /// How long a wake or a claim holds without a sign of life, in milliseconds.
    pub lease_ttl_ms: u64,
    /// For people.
    pub description: Option<String>,
}

/// How workers learn of pending work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The server posts to a URL.
    Webhook {
        /// As sent; whether it may be called is for the server to say.
        url: String,
    },
    /// The server appends to a stream, and a worker claims the work.
    PullWake {
        /// The application's own stream.
        wake_stream: StreamPath,
    },
}

impl Delivery {
    /// The kind's name in bodies.
    pub fn kind(&self) -> SubscriptionKind {
        match self {
            Self::Webhook { .. } => SubscriptionKind::Webhook,
            Self::PullWake { .. } => SubscriptionKind::PullWake,
        }
    }
}

/// The `type` of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionKind {
    /// `webhook`.
    Webhook,
    /// `pull-wake`.
    PullWake,
}

/// Why a subscription cannot be created as asked: code `INVALID_REQUEST`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSubscription {
    /// Not the JSON object it should be.
    #[error(transparent)]
    Body(#[from] InvalidBody),
    /// Neither a pattern nor a stream.
    #[error("at least one of pattern and streams is required")]
    NothingLinked,
    /// The pattern cannot be used.
    #[error(transparent)]
    Pattern(#[from] InvalidGlob),
    /// A path in `streams` or `wake_stream` cannot be used.
    #[error("{path:?}: {source}")]
    Path {
        /// As sent, shortened.
        path: String,
        /// What is wrong with it.
        source: InvalidPath,
    },
    /// A path lies where no stream can be.
    #[error("{0:?} is reserved")]
    Reserved(StreamPath),
    /// Too many paths.
    #[error("{0} streams in one request; the limit is {SUBSCRIPTION_STREAMS_PER_REQUEST_MAX}")]
    TooManyStreams(usize),
    /// A webhook without its URL, or with one that is too long.
    #[error("webhook subscriptions require webhook.url, of at most {WEBHOOK_URL_BYTES_MAX} bytes")]
    WebhookUrl,
    /// A pull-wake subscription without its stream.
    #[error("pull-wake subscriptions require wake_stream")]
    WakeStream,
    /// Out of range.
    #[error("lease_ttl_ms is {0}; it must be {LEASE_TTL_MS_MIN} to {LEASE_TTL_MS_MAX}")]
    LeaseTtl(u64),
    /// Too long.
    #[error("description has {0} bytes; the limit is {SUBSCRIPTION_DESCRIPTION_BYTES_MAX}")]
    Description(usize),
}

impl SubscriptionConfig {
    /// Checks and normalises the body of a create request.
    pub fn from_json(body: &[u8]) -> Result<Self, InvalidSubscription> {
        parse_body::<Request>(body)?.try_into()
    }

    /// SHA-256 of the normalised form, in hexadecimal: equal exactly when the configurations are.
    pub fn fingerprint(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("a configuration is plain JSON");
        format!("{:x}", Sha256::digest(canonical))
    }

    /// The subscription as the API shows it.
    pub fn view(&self, id: &SubscriptionId, state: SubscriptionState) -> SubscriptionView {
        let request = Request::from(self.clone());
        let signing = state.signing;
        SubscriptionView {
            id: id.clone(),
            subscription_id: id.clone(),
            kind: request.kind,
            pattern: request.pattern,
            streams: state.streams,
            webhook: request.webhook.map(|webhook| WebhookView { url: webhook.url, signing }),
            wake_stream: request.wake_stream,
            lease_ttl_ms: self.lease_ttl_ms,
            created_at: rfc_3339(state.created_at_ms),
            status: state.status,
            description: request.description,
        }
    }
}

/// The body of a create request, and the stored form of a configuration. Field order is part of the fingerprint.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: SubscriptionKind,
    pattern: Option<String>,
    streams: Option<Vec<String>>,
    webhook: Option<RequestedWebhook>,
    wake_stream: Option<String>,
    lease_ttl_ms: Option<u64>,
    description: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RequestedWebhook {
    url: String,
}

impl TryFrom<Request> for SubscriptionConfig {
    type Error = InvalidSubscription;

    fn try_from(request: Request) -> Result<Self, InvalidSubscription> {
        let pattern = request.pattern.filter(|text| !text.is_empty()).map(|text| Glob::new(&text)).transpose()?;
        let streams = stream_paths(&request.streams.unwrap_or_default())?;
        if pattern.is_none() && streams.is_empty() {
            return Err(InvalidSubscription::NothingLinked);
        }
        let lease_ttl_ms = request.lease_ttl_ms.unwrap_or(LEASE_TTL_MS_DEFAULT);
        if !(LEASE_TTL_MS_MIN..=LEASE_TTL_MS_MAX).contains(&lease_ttl_ms) {
            return Err(InvalidSubscription::LeaseTtl(lease_ttl_ms));
        }
        let description = request.description;
        if let Some(bytes) = description.as_ref().map(String::len).filter(|&n| n > SUBSCRIPTION_DESCRIPTION_BYTES_MAX) {
            return Err(InvalidSubscription::Description(bytes));
        }
        let delivery = delivery(request.kind, request.webhook, request.wake_stream)?;
        Ok(Self { pattern, streams, delivery, lease_ttl_ms, description })
    }
}

impl From<SubscriptionConfig> for Request {
    fn from(config: SubscriptionConfig) -> Self {
        let kind = config.delivery.kind();
        let (webhook, wake_stream) = match config.delivery {
            Delivery::Webhook { url } => (Some(RequestedWebhook { url }), None),
            Delivery::PullWake { wake_stream } => (None, Some(wake_stream.to_string())),
        };
        Self {
            kind,
            pattern: config.pattern.map(|glob| glob.to_string()),
            streams: Some(config.streams.iter().map(StreamPath::to_string).collect()),
            webhook,
            wake_stream,
            lease_ttl_ms: Some(config.lease_ttl_ms),
            description: config.description,
        }
    }
}

/// What belongs to the other kind of delivery is ignored.
fn delivery(
    kind: SubscriptionKind,
    webhook: Option<RequestedWebhook>,
    wake_stream: Option<String>,
) -> Result<Delivery, InvalidSubscription> {
    match kind {
        SubscriptionKind::Webhook => {
            let url = webhook.map(|webhook| webhook.url).unwrap_or_default();
            let fits = !url.is_empty() && url.len() <= WEBHOOK_URL_BYTES_MAX;
            if fits { Ok(Delivery::Webhook { url }) } else { Err(InvalidSubscription::WebhookUrl) }
        }
        SubscriptionKind::PullWake => {
            let text = wake_stream.filter(|text| !text.is_empty()).ok_or(InvalidSubscription::WakeStream)?;
            Ok(Delivery::PullWake { wake_stream: stream_path(&text)? })
        }
    }
}

/// Checks paths that a body names, and drops repetitions.
pub(super) fn stream_paths(texts: &[String]) -> Result<BTreeSet<StreamPath>, InvalidSubscription> {
    if texts.len() > SUBSCRIPTION_STREAMS_PER_REQUEST_MAX {
        return Err(InvalidSubscription::TooManyStreams(texts.len()));
    }
    texts.iter().map(|text| stream_path(text)).collect()
}

fn stream_path(text: &str) -> Result<StreamPath, InvalidSubscription> {
    let path = path_from_body(text)
        .map_err(|source| InvalidSubscription::Path { path: text.chars().take(80).collect(), source })?;
    if path.is_reserved() { Err(InvalidSubscription::Reserved(path)) } else { Ok(path) }
}

fn rfc_3339(unix_ms: u64) -> String {
    let instant = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", instant.unwrap_or(Timestamp::MAX))
}

/// What a view shows besides the configuration.
#[derive(Debug, Clone)]
pub struct SubscriptionState {
    /// Linked streams.
    pub streams: Vec<StreamLink>,
    /// For webhooks: the key in use now.
    pub signing: Option<Signing>,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Whether deliveries come through.
    pub status: SubscriptionStatus,
}

/// A subscription as the API shows it (protocol section 6.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct SubscriptionView {
    pub id: SubscriptionId,
    pub subscription_id: SubscriptionId,
    #[serde(rename = "type")]
    pub kind: SubscriptionKind,
    pub pattern: Option<String>,
    pub streams: Vec<StreamLink>,
    pub webhook: Option<WebhookView>,
    pub wake_stream: Option<String>,
    pub lease_ttl_ms: u64,
    pub created_at: String,
    pub status: SubscriptionStatus,
    pub description: Option<String>,
}

/// A linked stream and how far its work is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct StreamLink {
    pub path: StreamPath,
    pub link_type: LinkType,
    pub acked_offset: Offset,
}

/// Where a webhook goes and how it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct WebhookView {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
}

/// How deliveries are signed now, and where the public keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the protocol names and explains the fields")]
pub struct Signing {
    /// Always `ed25519`.
    pub alg: String,
    pub kid: String,
    pub jwks_url: String,
}

/// Whether deliveries come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionStatus {
    /// As far as is known.
    Active,
    /// The last one failed and will be tried again.
    Failed,
}
