//! Names and numbers of subscriptions.

use std::fmt;
use std::sync::Arc;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::error::InvalidName;
use super::limits::{SUBSCRIPTION_ID_BYTES_MAX, WORKER_NAME_BYTES_MAX};

/// A subscription's name, chosen by the client. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(Arc<str>);

impl SubscriptionId {
    /// Takes 1 to [`SUBSCRIPTION_ID_BYTES_MAX`] bytes without control characters.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if is_name(text, SUBSCRIPTION_ID_BYTES_MAX) { Ok(Self(Arc::from(text))) } else { Err(InvalidName::Subscription) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name a worker gives itself when it claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerName(Arc<str>);

impl WorkerName {
    /// Takes 1 to [`WORKER_NAME_BYTES_MAX`] bytes without control characters.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if is_name(text, WORKER_NAME_BYTES_MAX) { Ok(Self(Arc::from(text))) } else { Err(InvalidName::Worker) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str, bytes_max: usize) -> bool {
    !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control)
}

/// The subscription's fencing counter: grows by one with each wake and never goes back. 0 before the first wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation of the wake after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Names one wake; never used twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WakeId(Arc<str>);

impl WakeId {
    /// A new one out of 128 random bits.
    pub fn random(random: &mut impl Rng) -> Self {
        Self(Arc::from(format!("w_{:032x}", random.random::<u128>())))
    }

    /// Takes whatever a client sent; it only ever has to equal the current one.
    pub fn from_client(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a request or a token says about the wake it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeRef {
    /// Which wake.
    pub wake_id: WakeId,
    /// Its generation.
    pub generation: Generation,
}
