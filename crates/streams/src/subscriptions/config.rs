//! What a subscription was asked to be.

use std::collections::BTreeSet;

use headwater_protocol::StreamPath;
use headwater_protocol::glob::Glob;

use super::error::SubscribeError;
use super::limits::{DESCRIPTION_BYTES_MAX, EXPLICIT_STREAMS_PER_REQUEST_MAX, LEASE_TTL_MS_MAX, LEASE_TTL_MS_MIN};

/// A subscription's configuration in its normal form: two requests that mean the same are equal (protocol section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionConfig {
    /// How workers hear of a wake.
    pub delivery: Delivery,
    /// Links every stream that matches, now and later.
    pub pattern: Option<Glob>,
    /// Links these streams, whether they exist yet or not.
    pub streams: BTreeSet<StreamPath>,
    /// How long a worker may be silent, in milliseconds.
    pub lease_ttl_ms: u64,
    /// For people.
    pub description: Option<String>,
}

/// How workers hear of a wake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// By an HTTP request.
    Webhook {
        /// Where to; checked by whoever sends.
        url: String,
    },
    /// By an event on a stream that the application made.
    PullWake {
        /// That stream.
        wake_stream: StreamPath,
    },
}

impl SubscriptionConfig {
    /// Holds the configuration against the limits.
    pub fn check(&self) -> Result<(), SubscribeError> {
        if self.pattern.is_none() && self.streams.is_empty() {
            return Err(SubscribeError::NoStreams);
        }
        if self.streams.len() > EXPLICIT_STREAMS_PER_REQUEST_MAX {
            return Err(SubscribeError::TooManyExplicit(self.streams.len()));
        }
        if !(LEASE_TTL_MS_MIN..=LEASE_TTL_MS_MAX).contains(&self.lease_ttl_ms) {
            return Err(SubscribeError::LeaseTtl(self.lease_ttl_ms));
        }
        if self.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
            return Err(SubscribeError::Description);
        }
        match self.wake_stream() {
            Some(wake_stream) if self.streams.contains(wake_stream) => Err(SubscribeError::WakesItself),
            _ => Ok(()),
        }
    }

    /// The stream that wake events go to, for pull-wake.
    pub fn wake_stream(&self) -> Option<&StreamPath> {
        match &self.delivery {
            Delivery::PullWake { wake_stream } => Some(wake_stream),
            Delivery::Webhook { .. } => None,
        }
    }

    /// Whether the pattern links `path`. Its own wake stream never is: each wake would be news that asks for a wake.
    pub fn matches(&self, path: &StreamPath) -> bool {
        self.wake_stream() != Some(path) && self.pattern.as_ref().is_some_and(|pattern| pattern.matches(path.as_str()))
    }
}
