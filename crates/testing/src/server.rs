//! A server on the memory store, in the process of the test, on a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use headwater_server::{Metrics, Server, ServerConfig};
use headwater_sessions::{Sessions, SessionsConfig};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Engine, SystemClock};
use tokio::sync::oneshot;

use crate::SharedMemory;

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Starts a server with default configuration on a port of its own.
    pub fn start() -> Self {
        Self::with(|_, _| ())
    }

    /// Starts a server whose configuration and engine limits `adjust` has changed.
    pub fn with(adjust: impl FnOnce(&mut ServerConfig, &mut EngineLimits)) -> Self {
        Self::over(SharedMemory::default(), adjust)
    }

    /// The same over a store that outlives it: started again over the same store, on the same address, it is the same
    /// server after a restart.
    pub fn over(store: SharedMemory, adjust: impl FnOnce(&mut ServerConfig, &mut EngineLimits)) -> Self {
        let mut config =
            ServerConfig { listen: ([127, 0, 0, 1], 0).into(), workers: 2.try_into().ok(), ..Default::default() };
        let mut limits = EngineLimits::default();
        adjust(&mut config, &mut limits);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || serve(store, config, limits, stopped, &tell));
        let address = told.recv().expect("the server has started");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// The URL of all streams.
    pub fn url(&self) -> String {
        format!("http://{}/v1/stream", self.address)
    }
}

fn serve(
    store: SharedMemory,
    config: ServerConfig,
    limits: EngineLimits,
    stopped: oneshot::Receiver<()>,
    tell: &std::sync::mpsc::Sender<SocketAddr>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let metrics = Metrics::new();
        let engine = Engine::start(store, Arc::new(SystemClock), limits, metrics.clone());
        let sessions = Sessions::open(engine.clone(), SessionsConfig::default()).await.expect("sessions open");
        let server = Server::bind(config, engine.clone()).expect("a free port of the loopback address");
        let server = server.with_metrics(metrics).with_sessions(sessions.clone());
        let upkeep = tokio::spawn(sessions.run());
        tell.send(server.local_addr()).expect("the test waits for the address");
        server.run(async { stopped.await.unwrap_or_default() }).await.expect("the server runs until it is stopped");
        upkeep.abort();
        sessions.shutdown().await;
        engine.shutdown().await.expect("the engine stops");
    });
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}
