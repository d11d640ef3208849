//! The proxy over an engine: [`Proxy`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use headwater_protocol::{ContentType, Lifetime};
use headwater_streams::{
    Create, DeleteError, DocumentKey, Durability, Engine, EngineError, Step, Store, TransactionError,
};
use http::header::CONTENT_TYPE;
use reqwest::Response;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use crate::allowlist::Allowlist;
use crate::end::end;
use crate::fetch::{FetchError, Upstreams};
use crate::id::GenerationId;
use crate::limits::{OVERLOAD_DELAY, ProxyLimits, STOP_TIMEOUT, SWEEP_INTERVAL};
use crate::outcome::Outcome;
use crate::pipe::{Piped, pipe};
use crate::record::{self, Record};
use crate::recovery::recover;
use crate::request::{Companion, UpstreamRequest};
use crate::resolver::{Names, PrivateHosts, Resolver, SystemNames};
use crate::running::{Place, Running};
use crate::secrets::Secrets;
use crate::sweep::sweep;

/// All that a proxy can be told.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Who may create, and what signs.
    pub secrets: Secrets,
    /// What may be called.
    pub allowlist: Allowlist,
    /// Names that may stand for private addresses.
    pub private_hosts: PrivateHosts,
    /// Whether streams outlive the process.
    pub durability: Durability,
    /// Bounds.
    pub limits: ProxyLimits,
}

/// The proxy of an engine. Cloning is cheap; all clones are one. Shut down before its engine is.
pub struct Proxy<S: Store> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: Store> {
    engine: Engine<S>,
    secrets: Secrets,
    allowlist: Arc<Allowlist>,
    durability: Durability,
    limits: Arc<ProxyLimits>,
    upstreams: Upstreams,
    running: Arc<Running>,
    slots: Arc<Semaphore>,
    /// Where generations run: they outlive the request that began them, and the thread that answered it.
    runtime: Handle,
    sweeper: JoinHandle<()>,
}

/// A generation that has begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its name.
    pub id: GenerationId,
    /// What its stream is.
    pub record: Record,
}

/// Why no generation has begun.
#[derive(Debug, Clone, Error)]
pub enum CreateError {
    /// As many are under way as may be.
    #[error("{0} upstream requests are under way, the limit")]
    TooManyUpstreams(usize),
    /// There is no response to make a stream of.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The stream could not be created.
    #[error("the stream could not be created: {0}")]
    Storage(#[from] TransactionError),
    /// The proxy is stopping.
    #[error("the server is shutting down")]
    Stopping,
}

/// Figures for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Generations under way.
    pub running: usize,
    /// Generations that began.
    pub started: u64,
    /// How many ended how.
    pub outcomes: [(Outcome, u64); Outcome::ALL.len()],
}

impl<S: Store> Proxy<S> {
    /// Closes what the last run left unfinished, and is ready then. Must be called on the runtime that outlives the
    /// server.
    pub async fn open(engine: Engine<S>, config: ProxyConfig) -> Result<Self, EngineError> {
        Self::open_with(engine, config, Arc::new(SystemNames)).await
    }

    /// The same with another resolver than the system's.
    pub async fn open_with(engine: Engine<S>, config: ProxyConfig, names: Arc<dyn Names>) -> Result<Self, EngineError> {
        recover(&engine).await?;
        // No response outlives its stream.
        let total_timeout = config.limits.total_timeout.min(config.limits.lifetime);
        let limits = Arc::new(ProxyLimits { total_timeout, ..config.limits });
        let allowlist = Arc::new(config.allowlist);
        let resolver = Resolver::new(allowlist.clone(), config.private_hosts, names);
        let inner = Inner {
            sweeper: tokio::spawn(keep_swept(engine.clone())),
            engine,
            secrets: config.secrets,
            allowlist,
            durability: config.durability,
            upstreams: Upstreams::new(resolver, limits.clone()),
            running: Arc::default(),
            slots: Arc::new(Semaphore::new(limits.upstreams_max)),
            runtime: Handle::current(),
            limits,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Who may create, and what signs.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// What may be called.
    pub fn allowlist(&self) -> &Allowlist {
        &self.inner.allowlist
    }

    /// Sends the request on, and answers once the head of the response is there and the stream exists. The rest of the
    /// response comes meanwhile. Nothing has begun when this is dropped before it answers.
    pub async fn create(&self, mut request: UpstreamRequest) -> Result<Started, CreateError> {
        let slots = self.inner.slots.clone();
        let refused = |_| CreateError::TooManyUpstreams(self.inner.limits.upstreams_max);
        let slot = slots.try_acquire_owned().map_err(refused)?;
        let companion = request.companion.take();
        let inner = self.inner.clone();
        let fetched = Owned(self.inner.runtime.spawn(async move { inner.upstreams.fetch(request).await })).await;
        let response = fetched.unwrap_or(Err(FetchError::Unreachable))?;
        let (tell, told) = oneshot::channel();
        self.inner.runtime.spawn(self.inner.clone().generate(response, companion, slot, tell));
        told.await.unwrap_or(Err(CreateError::Stopping))
    }

    /// The engine's clock, in Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.inner.engine.now_ms()
    }

    /// What a stream is and how it ended; `None` when there is none. While it has not ended this is answered from memory.
    pub async fn record(&self, id: GenerationId) -> Result<Option<Record>, EngineError> {
        match self.inner.running.get(id) {
            Some(generation) => Ok(Some(generation.record.clone())),
            None => record::load(&self.inner.engine, id).await,
        }
    }

    /// What a stream is and how it ended, as it is durable.
    pub async fn durable_record(&self, id: GenerationId) -> Result<Option<Record>, EngineError> {
        record::load(&self.inner.engine, id).await
    }

    /// Ends the upstream's response, and answers once what came of it is durable. Nothing happens when it has ended.
    pub async fn abort(&self, id: GenerationId) {
        if let Some(generation) = self.inner.running.get(id) {
            generation.stop(Outcome::Aborted);
            generation.ended().await;
        }
    }

    /// Ends the upstream's response and removes the stream with all that is kept beside it.
    pub async fn delete(&self, id: GenerationId) -> Result<(), EngineError> {
        self.abort(id).await;
        match self.inner.engine.delete(&id.stream()).await {
            Ok(()) | Err(DeleteError::NotFound | DeleteError::Gone) => {}
            Err(DeleteError::Engine(error)) => return Err(error),
        }
        record::forget(&self.inner.engine, [id]).await
    }

    /// Figures for operators.
    pub fn figures(&self) -> Figures {
        let running = &self.inner.running;
        Figures { running: running.count(), started: running.started.load(Relaxed), outcomes: running.outcomes() }
    }

    /// Takes no more requests, and ends and closes what is under way; its streams say so.
    pub async fn shutdown(&self) {
        self.inner.sweeper.abort();
        let running = self.inner.running.stop();
        running.iter().for_each(|generation| generation.stop(Outcome::ServerStopped));
        let all_ended = async {
            for generation in &running {
                generation.ended().await;
            }
        };
        if tokio::time::timeout(STOP_TIMEOUT, all_ended).await.is_err() {
            tracing::warn!("proxied streams are still open; the next start closes them");
        }
    }
}

impl<S: Store> Inner<S> {
    /// The life of a generation from the head of its response on.
    async fn generate(
        self: Arc<Self>,
        response: Response,
        companion: Option<Companion>,
        slot: OwnedSemaphorePermit,
        tell: oneshot::Sender<Result<Started, CreateError>>,
    ) {
        let now_ms = self.engine.now_ms();
        let id = GenerationId::new(now_ms);
        let lifetime_ms = u64::try_from(self.limits.lifetime.as_millis()).unwrap_or(u64::MAX);
        let record = Record {
            content_type: content_type(&response),
            outcome: None,
            expires_at_ms: now_ms.saturating_add(lifetime_ms),
        };
        let Some(place) = self.running.begin(id, record.clone()) else {
            // Who asked may have gone, and so for each answer below.
            tell.send(Err(CreateError::Stopping)).ok();
            return;
        };
        if let Err(error) = self.create_stream(id, &record, companion.as_ref()).await {
            tell.send(Err(error.into())).ok();
            return;
        }
        self.running.started.fetch_add(1, Relaxed);
        if let Some(companion) = companion {
            (companion.begun)(id);
        }
        if tell.send(Ok(Started { id, record })).is_err() {
            // Nobody knows its name: nobody could read it.
            place.generation.stop(Outcome::Aborted);
        }
        self.carry(&place, response).await;
        drop(slot);
    }

    /// Writes the response to its stream, and closes it.
    async fn carry(&self, place: &Place, response: Response) {
        let generation = &place.generation;
        match pipe(&self.engine, generation, &self.limits, response).await {
            Piped::Ended(outcome, rest) => {
                end(&self.engine, generation.id, &generation.record, outcome, rest).await;
                self.running.count_outcome(outcome);
                tracing::debug!(id = %generation.id, %outcome, "a proxied response ended");
            }
            Piped::StreamGone => {
                self.running.count_outcome(Outcome::Aborted);
                if let Err(error) = record::forget(&self.engine, [generation.id]).await {
                    tracing::debug!(id = %generation.id, %error, "a record was not removed; the sweep finds it");
                }
            }
        }
    }

    async fn create_stream(
        &self,
        id: GenerationId,
        record: &Record,
        companion: Option<&Companion>,
    ) -> Result<(), TransactionError> {
        let create = Create {
            path: id.stream(),
            // The bytes are kept as they are, whatever they mean: a text would lose its carriage returns on live reads,
            // and a JSON document would be cut into messages.
            content_type: Some(ContentType::octet_stream()),
            lifetime: Some(Lifetime::Until { at_ms: i64::try_from(record.expires_at_ms).unwrap_or(i64::MAX) }),
            payload: bytes::Bytes::new(),
            closed: false,
            fork: None,
            durability: self.durability,
        };
        let mut steps = [vec![Step::Create(create)], record.begin(id).to_vec()].concat();
        steps.extend(companion.map(|Companion { prefix, value, .. }| Step::PutDocument {
            key: DocumentKey(format!("{prefix}{id}").into()),
            value: value.clone(),
        }));
        loop {
            match self.engine.transact(steps.clone()).await {
                Ok(_) => return Ok(()),
                Err(TransactionError::Engine(EngineError::Overloaded)) => tokio::time::sleep(OVERLOAD_DELAY).await,
                Err(error) => return Err(error),
            }
        }
    }
}

/// A task that ends with whoever waits for it.
struct Owned<T>(JoinHandle<T>);

impl<T> Future for Owned<T> {
    type Output = Option<T>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        std::pin::Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_swept<S: Store>(engine: Engine<S>) {
    loop {
        if let Err(error) = sweep(&engine).await {
            tracing::debug!(%error, "records of the proxy were not swept; the next round tries again");
        }
        tokio::time::sleep(SWEEP_INTERVAL).await;
    }
}

fn content_type(response: &Response) -> String {
    let told = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    told.unwrap_or("application/octet-stream").to_owned()
}

impl<S: Store> Clone for Proxy<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S: Store> fmt::Debug for Proxy<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("figures", &self.figures()).finish_non_exhaustive()
    }
}
