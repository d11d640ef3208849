//! Why requests about subscriptions are refused.

use headwater_protocol::subscription::{Generation, InvalidAck, WorkerName};
use headwater_protocol::{Offset, StreamPath};
use thiserror::Error;

use super::limits::ACKS_PER_REQUEST_MAX;
use crate::operation::EngineError;

/// Why a subscription was not created.
#[derive(Debug, Clone, Error)]
pub enum SubscribeError {
    /// One exists under this id with another configuration.
    #[error("a subscription exists with this id and a different configuration")]
    Differs,
    /// The server has as many subscriptions as it may.
    #[error("the server has {0} subscriptions, which is the limit")]
    TooManySubscriptions(usize),
    /// More streams than one subscription may link, or than are left for all.
    #[error("the subscription would link more than {0} streams")]
    TooManyLinks(usize),
    /// Follows its own wake stream.
    #[error("a subscription cannot follow its own wake stream")]
    WakesItself,
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
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
    /// The stream is where the subscription's own wake events go.
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
    /// The ack names no position.
    #[error(transparent)]
    Invalid(#[from] InvalidAck),
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
