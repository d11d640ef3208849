//! Sends webhooks: signed, bounded in time and size, and never anywhere but where they may go.

use std::error::Error;
use std::sync::Arc;

use headwater_protocol::subscription::{WakeNotification, WebhookAnswer};
use headwater_streams::subscriptions::{SendFuture, WebhookDelivery, WebhookSender};
use http::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};

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

/// One client for all receivers. It trusts the system's certificate authorities, asks no proxy and follows no redirect:
/// either would lead past the check of the address.
fn client(targets: &Targets) -> Client {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let builder = || -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(targets.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
    };
    builder().build().unwrap_or_else(|error| {
        tracing::warn!(cause = chain(&error), "no certificate authorities: webhooks over https will fail");
        builder().tls_certs_only([]).build().expect("a client that trusts nobody needs nothing from the system")
    })
}

/// An error with its causes: the outermost alone rarely says what went wrong.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
