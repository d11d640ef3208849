//! Why requests about subscriptions are refused.

use headwater_protocol::{Offset, StreamPath};
use thiserror::Error;

use super::limits::*;
use super::name::{Generation, WorkerName};
use crate::operation::EngineError;

/// Why a text cannot name something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidName {
    /// A subscription's id.
    #[error("subscription id must be 1 to {SUBSCRIPTION_ID_BYTES_MAX} bytes without control characters")]
    Subscription,
    /// A worker's name.
    #[error("worker must be 1 to {WORKER_NAME_BYTES_MAX} bytes without control characters")]
    Worker,
}

/// What stands in the way of every request about an existing subscription.
#[derive(Debug, Clone, Error)]
pub enum SubscriptionError {
    /// There is none of that id, or it was deleted.
    #[error("no subscription exists with this id")]
    NotFound,
    /// It has as many links as it may.
    #[error("the subscription would link more than {0} streams")]
    TooManyLinks(usize),
    /// One request names too many streams.
    #[error("the request names {0} streams; the limit is {EXPLICIT_STREAMS_PER_REQUEST_MAX}")]
    TooManyExplicit(usize),
    /// The stream is where the subscription's own wake events go.
    #[error("a subscription cannot follow its own wake stream")]
    WakesItself,
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a subscription was not created.
#[derive(Debug, Clone, Error)]
pub enum SubscribeError {
    /// One exists under this id with another configuration.
    #[error("a subscription exists with this id and a different configuration")]
    Differs,
    /// Neither a pattern nor streams.
    #[error("at least one of pattern and streams is required")]
    NoStreams,
    /// Too many explicit streams.
    #[error("the request names {0} streams; the limit is {EXPLICIT_STREAMS_PER_REQUEST_MAX}")]
    TooManyExplicit(usize),
    /// More streams match than one subscription may link.
    #[error("the subscription would link more than {0} streams")]
    TooManyLinks(usize),
    /// The server has as many subscriptions as it may.
    #[error("the server has {0} subscriptions, which is the limit")]
    TooManySubscriptions(usize),
    /// The lease is out of bounds.
    #[error("lease_ttl_ms is {0}; it must be from {LEASE_TTL_MS_MIN} to {LEASE_TTL_MS_MAX}")]
    LeaseTtl(u64),
    /// The description is too long.
    #[error("description is longer than {DESCRIPTION_BYTES_MAX} bytes")]
    Description,
    /// Follows its own wake stream.
    #[error("a subscription cannot follow its own wake stream")]
    WakesItself,
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a claim was refused (protocol section 7.2).
#[derive(Debug, Clone, Error)]
pub enum ClaimError {
    /// Webhook subscriptions are not claimed.
    #[error("the subscription is not of type pull-wake")]
    NotPullWake,
    /// Somebody holds the lease.
    #[error("the subscription is claimed by another worker")]
    AlreadyClaimed {
        /// Who.
        holder: WorkerName,
        /// Which wake.
        generation: Generation,
    },
    /// No stream has anything new.
    #[error("the subscription has no pending work")]
    NoPendingWork,
    /// Anything else.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
}

/// Why a callback, an ack or a release was refused. Nothing changed (protocol section 7.3).
#[derive(Debug, Clone, Error)]
pub enum AckError {
    /// The request came over the other type's route.
    #[error("the subscription is of another type")]
    WrongType,
    /// Token, wake or generation is not the current one, or the lease has run out.
    #[error("the wake is not the current one")]
    Fenced,
    /// The stream is not linked.
    #[error("{0} is not a stream of this subscription")]
    NotLinked(StreamPath),
    /// The ack goes back behind an earlier one.
    #[error("the ack of {path} lies before {acked}, which is acked already")]
    Backwards {
        /// Of which stream.
        path: StreamPath,
        /// The cursor.
        acked: Offset,
    },
    /// The ack lies past the end.
    #[error("the ack of {path} lies past the stream's tail {tail}")]
    BeyondTail {
        /// Of which stream.
        path: StreamPath,
        /// Its tail.
        tail: Offset,
    },
    /// One request carries too many acks.
    #[error("the request carries {0} acks; the limit is {ACKS_PER_REQUEST_MAX}")]
    TooManyAcks(usize),
    /// Anything else.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
}
