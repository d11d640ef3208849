//! The server: bind, run, stop.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::{io, thread};

use headwater_proxy::Proxy;
use headwater_sessions::{SessionSearch, Sessions};
use headwater_streams::{Engine, Store};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::acceptor::Acceptor;
use crate::config::ServerConfig;
use crate::edge::Edge;
use crate::health::Observed;
use crate::metrics::Metrics;
use crate::proxy::{self, Mirrors};
use crate::sessions::{Api, Mounted};
use crate::workers::Worker;
use crate::{console, router};

/// Connections the system keeps for us while all workers are busy.
const BACKLOG: i32 = 4096;

/// A bound server that has not begun to answer.
#[derive(Debug)]
pub struct Server<S: Store> {
    config: Arc<ServerConfig>,
    engine: Engine<S>,
    metrics: Arc<Metrics>,
    mounted: axum::Router,
    sessions: Option<Sessions<S>>,
    search: Option<Arc<dyn SessionSearch>>,
    proxy: Option<Proxy<S>>,
    mirrors: Option<Mirrors<S>>,
    listener: TcpListener,
    local_addr: SocketAddr,
}

/// Why a server could not listen.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Where it should have listened.
    pub address: SocketAddr,
    /// The system's reason; `AddrInUse` when another process listens there.
    #[source]
    pub source: io::Error,
}

impl<S: Store> Server<S> {
    /// Takes the address. Clients can connect from now on; they are answered once [`Server::run`] is polled.
    pub fn bind(config: ServerConfig, engine: Engine<S>) -> Result<Self, BindError> {
        let bound = listen(config.listen).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local_addr, listener) = bound.map_err(|source| BindError { address: config.listen, source })?;
        // The port the system chose for port 0 is what clients see.
        let config = Arc::new(ServerConfig { listen: local_addr, ..config });
        Ok(Self {
            config,
            engine,
            metrics: Metrics::new(),
            mounted: axum::Router::new(),
            sessions: None,
            search: None,
            proxy: None,
            mirrors: None,
            listener,
            local_addr,
        })
    }

    /// Shows these figures, which the engine's committer adds to as its observer.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Adds routes outside the streams; they see the request's whole path.
    #[must_use]
    pub fn mount(mut self, routes: axum::Router) -> Self {
        self.mounted = self.mounted.merge(routes);
        self
    }

    /// Serves these sessions, of the server's own engine, under `/api`; their streams can be read like all others and are
    /// written through the routes only.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Sessions<S>) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Answers searches of sessions from this index.
    #[must_use]
    pub fn with_search(mut self, search: Arc<dyn SessionSearch>) -> Self {
        self.search = Some(search);
        self
    }

    /// Serves this proxy, of the server's own engine, under `/v1/proxy`.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy<S>) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Makes responses of the proxy part of sessions where a request asks for it.
    #[must_use]
    pub fn with_mirrors(mut self, mirrors: Mirrors<S>) -> Self {
        self.mirrors = Some(mirrors);
        self
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers requests until `shutdown` is ready. Then stops accepting, lets requests in flight finish, ends live
    /// readers after their last whole event, and returns; the engine is left running.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let stop = CancellationToken::new();
        let (config, search) = (&self.config, &self.search);
        let observed = Observed {
            engine: self.engine.clone(),
            metrics: self.metrics.clone(),
            search: search.clone(),
            proxy: self.proxy.clone(),
        };
        let console = config.serves_console.then(|| console::router(config, self.sessions.is_some()));
        let control = router::control(observed, console, self.mounted);
        let mounted = self.sessions.map(|sessions| {
            Mounted::new(Api { sessions, search: search.clone(), config: config.clone(), stop: stop.clone() })
        });
        let mirrors = self.mirrors;
        let proxy = self.proxy.map(|proxy| proxy::Mounted { proxy, mirrors });
        let count = self.config.workers.map_or_else(cores, NonZeroUsize::get);
        let workers = (0..count).map(|number| {
            let edge = Edge::new(
                self.engine.clone(),
                self.config.clone(),
                self.metrics.worker(),
                control.clone(),
                mounted.clone(),
                proxy.clone(),
            );
            Worker::start(number, edge, stop.clone())
        });
        let workers = workers.collect::<io::Result<Vec<_>>>()?;
        let acceptor = Acceptor::new(self.listener, workers, self.config.limits.connections_max, self.metrics)?;
        tracing::info!(address = %self.local_addr, workers = count, "listening");
        let workers = acceptor.run(pin!(shutdown)).await;
        tracing::info!("stopping: finishing requests in flight");
        stop.cancel();
        let joined = tokio::task::spawn_blocking(move || workers.into_iter().for_each(Worker::join)).await;
        joined.map_err(io::Error::other)
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last server's connections to time out.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
