//! How a worker hears of a wake: by a webhook that somebody else sends, or by an event on the application's own stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::subscription::{StreamSnapshot, SubscriptionId, WakeEvent, WakeEventType, WebhookAnswer};
use headwater_protocol::{Framing, StreamPath, json};

use super::draft::StreamAck;
use super::subscription::Origin;
use super::wake_ref::WakeRef;
use crate::engine::Engine;
use crate::operation::Append;
use crate::store::Store;

/// Sends webhooks. Implemented where HTTP is known.
pub trait WebhookSender: Send + Sync + 'static {
    /// Sends one. The future ends within the delivery's timeout and may be dropped at any time.
    fn send(&self, delivery: WebhookDelivery) -> SendFuture;
}

/// What became of a webhook: whether the receiver says that it is done already, or why it did not arrive.
pub type SendFuture = Pin<Box<dyn Future<Output = Result<WebhookAnswer, String>> + Send>>;

/// One webhook to send.
#[derive(Debug, Clone)]
pub struct WebhookDelivery {
    /// Whose.
    pub subscription: SubscriptionId,
    /// Where to.
    pub url: String,
    /// Where its creator reached this server.
    pub origin: Origin,
    /// Which wake.
    pub wake: WakeRef,
    /// What it lists.
    pub streams: Arc<[StreamSnapshot]>,
    /// How long it may take in all.
    pub timeout: Duration,
}

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// The receiver took it, or the wake event is durable.
    Taken,
    /// The receiver has processed everything that the notice listed.
    Done {
        /// The tails it listed.
        acks: Vec<StreamAck>,
    },
    /// It did not arrive.
    Failed,
}

/// Sends a webhook and says what came of it.
pub(super) async fn deliver(sender: Arc<dyn WebhookSender>, delivery: WebhookDelivery) -> NoticeOutcome {
    let (subscription, streams) = (delivery.subscription.clone(), delivery.streams.clone());
    match sender.send(delivery).await {
        Ok(WebhookAnswer::Accepted) => NoticeOutcome::Taken,
        Ok(WebhookAnswer::Done) => {
            let ack = |stream: &StreamSnapshot| StreamAck { path: stream.path.clone(), offset: stream.tail_offset };
            NoticeOutcome::Done { acks: streams.iter().map(ack).collect() }
        }
        Err(cause) => {
            tracing::warn!(%subscription, cause, "a webhook did not arrive");
            NoticeOutcome::Failed
        }
    }
}

/// A wake event to append.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) subscription: SubscriptionId,
    pub(super) wake: WakeRef,
    /// One of the streams with work.
    pub(super) stream: StreamPath,
    pub(super) wake_stream: StreamPath,
}

/// Appends a wake event to the application's wake stream and says what came of it.
pub(super) async fn announce<S: Store>(engine: Engine<S>, announcement: Announcement) -> NoticeOutcome {
    match append(&engine, &announcement).await {
        Ok(()) => NoticeOutcome::Taken,
        Err(cause) => {
            let Announcement { subscription, wake_stream, .. } = announcement;
            tracing::warn!(%subscription, %wake_stream, cause, "a wake event was not appended");
            NoticeOutcome::Failed
        }
    }
}

async fn append<S: Store>(engine: &Engine<S>, announcement: &Announcement) -> Result<(), String> {
    let stream = engine.metadata(&announcement.wake_stream).await.map_err(|error| error.to_string())?;
    let event = WakeEvent {
        event_type: WakeEventType::Wake,
        subscription_id: announcement.subscription.clone(),
        stream: announcement.stream.clone(),
        generation: announcement.wake.generation,
        ts_ms: engine.now_ms(),
    };
    let body = serde_json::to_string(&event).expect("an event is plain JSON");
    let payload = match stream.content_type.framing() {
        Framing::Json => json::frame(body.as_bytes()).map_err(|error| error.to_string())?.bytes,
        // Other streams have no messages, so a line is one event.
        Framing::Text | Framing::Binary => Bytes::from(body + "\n"),
    };
    let append = Append {
        path: announcement.wake_stream.clone(),
        content_type: Some(stream.content_type),
        payload,
        stream_seq: None,
        producer: None,
        close: false,
    };
    engine.append(append).await.map(|_| ()).map_err(|error| error.to_string())
}
