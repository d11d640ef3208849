//! How the subscription API says no.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Generation, WorkerName};

/// The body of a refusal: `{"error":{"code":…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// With `ALREADY_CLAIMED`: who holds the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_holder: Option<WorkerName>,
    /// With `ALREADY_CLAIMED`: the generation it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

/// Why, in one word. The protocol fixes `FENCED` and `ALREADY_CLAIMED`; the others are the reference server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The body or a parameter is malformed, or does not fit the subscription's type.
    InvalidRequest,
    /// There is no such subscription, or no such control route.
    SubscriptionNotFound,
    /// It exists with another configuration.
    SubscriptionAlreadyExists,
    /// As many subscriptions, or links, as there may be.
    SubscriptionLimitReached,
    /// The webhook's target may not be called.
    WebhookUrlRejected,
    /// No token, or not one of this subscription's.
    TokenInvalid,
    /// The token's time is over.
    TokenExpired,
    /// The wake, generation or token is no longer current.
    Fenced,
    /// Another worker holds the lease.
    AlreadyClaimed,
    /// There is nothing to claim.
    NoPendingWork,
    /// An ack goes back, passes the tail, or names a stream that is not linked.
    InvalidOffset,
}

impl ErrorBody {
    /// A refusal with a code alone.
    pub fn new(code: ErrorCode) -> Self {
        Self { error: ErrorDetail { code, message: None, current_holder: None, generation: None } }
    }

    /// A refusal that says why.
    pub fn because(code: ErrorCode, reason: impl fmt::Display) -> Self {
        let mut body = Self::new(code);
        body.error.message = Some(reason.to_string());
        body
    }

    /// A claim came too late.
    pub fn already_claimed(holder: WorkerName, generation: Generation) -> Self {
        let mut body = Self::new(ErrorCode::AlreadyClaimed);
        body.error.current_holder = Some(holder);
        body.error.generation = Some(generation);
        body
    }
}
