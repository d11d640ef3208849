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
mod name;
mod notice;
mod service;
mod subscription;
mod worker;

pub mod limits;

#[cfg(test)]
mod tests;

pub use config::{Delivery, SubscriptionConfig};
pub use draft::{Acked, Change, Claimed, Draft, LinkChange, StreamAck};
pub use error::{AckError, ClaimError, InvalidName, SubscribeError, SubscriptionError};
pub use name::{Generation, SubscriptionId, WakeId, WakeRef, WorkerName};
pub use notice::{NoticeOutcome, SendFuture, WebhookDelivery, WebhookSender};
pub use service::{Subscribed, SubscriptionService};
pub use subscription::{Backoff, Control, Link, LinkView, Phase, Status, StreamView, Subscription, SubscriptionView};
