//! Subscriptions over HTTP: the reserved routes, tokens, signing keys and the sending of webhooks (protocol sections 6, 7
//! and 12.8 to 12.10).
//!
//! What a subscription means is decided in the streams crate. Here is what only the edge can know: who holds a token,
//! what a signature is, and which addresses may be called.

mod keys;
mod limits;
mod refusal;
mod routes;
mod target;
mod tokens;
mod webhook;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use headwater_protocol::segment_to_url;
use headwater_protocol::subscription::{Signing, SubscriptionId};
use headwater_streams::subscriptions::limits::SubscriptionLimits;
use headwater_streams::subscriptions::{Origin, SubscriptionService};
use headwater_streams::{Engine, EngineError, Store};

use crate::config::{PublicUrl, ServerConfig, StreamRoot};
use keys::Keys;
use target::Targets;
use tokens::Tokens;
use webhook::{Clock, Sender};

/// Whether webhooks may go to this machine, over plain HTTP: `http://localhost` and `http://127.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalWebhooks {
    /// For development: the protocol's exception.
    #[default]
    Allowed,
    /// Only public addresses, only over HTTPS.
    Refused,
}

/// What an operator may tell subscriptions.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionOptions {
    /// Whether webhooks may go to this machine.
    pub local_webhooks: LocalWebhooks,
    /// Bounds.
    pub limits: SubscriptionLimits,
}

/// Running subscriptions: to be mounted on a server, and shut down before its engine is.
pub struct Subscriptions<S: Store> {
    engine: Engine<S>,
    api: Arc<Api>,
}

/// What the routes share.
struct Api {
    service: SubscriptionService,
    keys: Arc<Keys>,
    tokens: Arc<Tokens>,
    targets: Targets,
    urls: Arc<Urls>,
    clock: Clock,
}

/// Where this server's own URLs begin.
#[derive(Debug)]
struct Urls {
    root: StreamRoot,
    public_url: Option<PublicUrl>,
    listen: SocketAddr,
}

impl<S: Store> Subscriptions<S> {
    /// Takes up what the engine's store knows and goes on with it. `listen` is where the server really listens.
    ///
    /// Must be called on the runtime that outlives the server. A store that takes no changes does not stand in the way:
    /// keys are then good for this run only.
    pub async fn start(
        engine: Engine<S>,
        config: &ServerConfig,
        listen: SocketAddr,
        options: SubscriptionOptions,
    ) -> Self {
        let keys = Arc::new(Keys::load(&engine).await);
        let tokens = Arc::new(Tokens::load(&engine).await);
        let urls = Arc::new(Urls { root: config.root.clone(), public_url: config.public_url.clone(), listen });
        let targets = Targets::new(options.local_webhooks);
        let ticking = engine.clone();
        let clock: Clock = Arc::new(move || ticking.now_ms());
        let sender = Sender::new(targets.clone(), keys.clone(), tokens.clone(), urls.clone(), clock.clone());
        let service = SubscriptionService::start(engine.clone(), Arc::new(sender), options.limits);
        Self { engine, api: Arc::new(Api { service, keys, tokens, targets, urls, clock }) }
    }

    /// The routes under `{root}/__ds`, for [`Server::mount`](crate::Server::mount).
    pub fn router(&self) -> axum::Router {
        routes::router(self.api.clone())
    }

    /// Signs with a new key from now on. The old one stays published for as long as its signatures may be accepted.
    pub async fn rotate_key(&self) -> Result<(), EngineError> {
        self.api.keys.rotate(&self.engine).await
    }

    /// Ends deliveries and the task behind them; they are taken up again after the next start.
    pub async fn shutdown(&self) {
        self.api.service.shutdown().await;
    }
}

impl<S: Store> fmt::Debug for Subscriptions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").finish_non_exhaustive()
    }
}

impl Urls {
    /// Scheme and host of a request to `authority`, unless the server was told what it is called.
    fn origin(&self, authority: Option<&str>) -> Origin {
        let text = match (&self.public_url, authority) {
            (Some(url), _) => url.as_str().to_owned(),
            (None, Some(authority)) => format!("http://{authority}"),
            (None, None) => format!("http://{}", self.listen),
        };
        Origin(text.into())
    }

    fn callback(&self, origin: &Origin, id: &SubscriptionId) -> String {
        format!("{}/subscriptions/{}/callback", self.control(origin), segment_to_url(id.as_str()))
    }

    fn signing(&self, origin: &Origin, kid: String) -> Signing {
        Signing { alg: "ed25519".into(), kid, jwks_url: format!("{}/jwks.json", self.control(origin)) }
    }

    fn control(&self, origin: &Origin) -> String {
        let origin = self.public_url.as_ref().map_or(&*origin.0, PublicUrl::as_str);
        format!("{origin}{}/__ds", self.root.as_str())
    }
}
