//! Sends webhooks: signed, bounded in time and size, and never anywhere but where they may go.

use std::sync::Arc;

use headwater_protocol::subscription::{WakeNotification, WebhookAnswer};
use headwater_proxy::outbound::{self, chain};
use headwater_streams::subscriptions::{SendFuture, WebhookDelivery, WebhookSender};
use http::header::CONTENT_TYPE;
use reqwest::{Client, Response};

use super::Urls;
use super::keys::Keys;
use super::limits::{ANSWER_BYTES_MAX, CONNECT_TIMEOUT, IDLE_CONNECTION_TIMEOUT, IDLE_CONNECTIONS_MAX};
use super::target::Targets;
use super::tokens::Tokens;

const SIGNATURE: &str = "webhook-signature";

/// Tells the time in Unix milliseconds.
pub(super) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

pub(super) struct Sender(Arc<Parts>);

struct Parts {
    client: Client,
    targets: Targets,
    keys: Arc<Keys>,
    tokens: Arc<Tokens>,
    urls: Arc<Urls>,
    clock: Clock,
}

impl Sender {
    pub(super) fn new(targets: Targets, keys: Arc<Keys>, tokens: Arc<Tokens>, urls: Arc<Urls>, clock: Clock) -> Self {
        let client = client(&targets);
        Self(Arc::new(Parts { client, targets, keys, tokens, urls, clock }))
    }
}

impl WebhookSender for Sender {
    fn send(&self, delivery: WebhookDelivery) -> SendFuture {
        let parts = self.0.clone();
        Box::pin(async move { parts.send(delivery).await })
    }
}

impl Parts {
    async fn send(&self, delivery: WebhookDelivery) -> Result<WebhookAnswer, String> {
        let url = self.targets.check(&delivery.url).map_err(|refused| refused.to_string())?;
        let body = self.body(&delivery);
        let signature = self.keys.sign((self.clock)(), &body).to_string();
        let request = self
            .client
            .post(url)
            .timeout(delivery.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature)
            .body(body);
        let response = request.send().await.map_err(|error| chain(&error.without_url()))?;
        if !response.status().is_success() {
            return Err(format!("the receiver answered {}", response.status()));
        }
        Ok(answer(response).await)
    }

    fn body(&self, delivery: &WebhookDelivery) -> Vec<u8> {
        let id = &delivery.subscription;
        let notification = WakeNotification {
            subscription_id: id.clone(),
            wake_id: delivery.wake.wake_id.clone(),
            generation: delivery.wake.generation,
            streams: delivery.streams.to_vec(),
            callback_url: self.urls.callback(&delivery.origin, id),
            callback_token: self.tokens.issue(id, &delivery.wake),
        };
        serde_json::to_vec(&notification).expect("a notification is plain JSON")
    }
}

/// What a successful answer says. The status has said already that the wake arrived, so a body that is too long or
/// breaks off only says nothing more.
async fn answer(mut response: Response) -> WebhookAnswer {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return WebhookAnswer::Accepted;
        }
        body.extend_from_slice(&chunk);
    }
    WebhookAnswer::from_body(&body)
}

/// One client for all receivers.
fn client(targets: &Targets) -> Client {
    outbound::client("webhooks", |builder| {
        builder
            .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(targets.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
    })
}
