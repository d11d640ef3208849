//! Subscriptions: durable cursors that wake workers when streams have news (protocol sections 6 and 7).
//!
//! The rules are pure: a [`Draft`] over a [`Subscription`] collects what a request, a timer or a changed stream means,
//! and ends as one [`Change`]. [`SubscriptionService`] is the one place with effects: it writes each change down before
//! anybody can see it, then answers, appends wake events and asks a [`WebhookSender`] to deliver.
//!
//! Nothing here knows HTTP, tokens or signatures. The tails of streams are the engine's to know and are never stored:
//! after a restart they are asked for again.

mod config;
mod deadlines;
mod documents;
mod draft;
mod error;
mod index;
mod membership;
mod notice;
mod service;
mod subscription;
mod wake_ref;
mod worker;

pub mod limits;

#[cfg(test)]
mod tests;

pub use draft::{Acked, Change, Claimed, Draft, LinkChange, StreamAck};
pub use error::{AckError, ClaimError, SubscribeError, SubscriptionError};
pub use notice::{NoticeOutcome, SendFuture, WebhookDelivery, WebhookSender};
pub use service::{AckRoute, ClaimedStreams, Subscribed, SubscriptionService};
pub use subscription::{Backoff, Control, Link, Origin, Phase, Subscription, SubscriptionReport};
pub use wake_ref::WakeRef;
