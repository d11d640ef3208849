//! Worker threads, each with a single-threaded runtime of its own: a connection lives and dies on one core, and nothing
//! on a request's way but the engine is shared.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{io, thread};

use headwater_streams::{Mailbox, Store};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Speaker;
use crate::edge::Edge;
use crate::vitals::Ward;

/// The acceptor's end of a worker.
pub(crate) struct Worker {
    inbox: mpsc::UnboundedSender<TcpStream>,
    connections: Arc<AtomicUsize>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    /// Starts the worker's thread.
    pub(crate) fn start<S: Store>(number: usize, edge: Arc<Edge<S>>, stop: CancellationToken) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connections = edge.metrics.connections.clone();
        // Bounded by the acceptor, which counts a connection before it hands it over.
        let (inbox, arrivals) = mpsc::unbounded_channel();
        let work = move || {
            runtime.block_on(run(edge, arrivals, stop));
        };
        let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(work)?;
        Ok(Self { inbox, connections, thread })
    }

    /// Connections it has now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Hands a connection over.
    pub(crate) fn take(&self, stream: TcpStream) {
        self.connections.fetch_add(1, Relaxed);
        if self.inbox.send(stream).is_err() {
            // The worker is gone, so the server is stopping; dropping the socket closes it.
            self.connections.fetch_sub(1, Relaxed);
        }
    }

    /// Waits for the thread to end. Blocks.
    pub(crate) fn join(self) {
        drop(self.inbox);
        if self.thread.join().is_err() {
            tracing::error!("a worker thread panicked");
        }
    }
}

async fn run<S: Store>(edge: Arc<Edge<S>>, mut arrivals: mpsc::UnboundedReceiver<TcpStream>, stop: CancellationToken) {
    // Answers and wake-ups reach this thread in bulk.
    let mail = tokio::spawn(Mailbox::install());
    let ward = Ward::new(&edge.config);
    // Not `stop` itself: who is woken by that may look before the edge says that it is stopping.
    let is_stopping = CancellationToken::new();
    let speaker = Arc::new(Speaker::new(&edge.config, is_stopping.clone()));
    let tasks = TaskTracker::new();
    let sweeper = tokio::spawn({
        let ward = ward.clone();
        async move { ward.sweep().await }
    });
    loop {
        let arrival = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            arrival = arrivals.recv() => arrival,
        };
        let Some(stream) = arrival else { break };
        drop(tasks.spawn(attend(edge.clone(), speaker.clone(), stream, ward.admit())));
    }
    tasks.close();
    // ORDER: the edge says that it is stopping before anyone is woken to look.
    edge.stop();
    is_stopping.cancel();
    ward.wake_all();
    if timeout(edge.config.limits.shutdown_timeout, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "connections cut off at shutdown");
        ward.give_up_all();
        tasks.wait().await;
    }
    sweeper.abort();
    mail.abort();
}

/// One connection's task.
async fn attend<S: Store>(
    edge: Arc<Edge<S>>,
    speaker: Arc<Speaker>,
    stream: TcpStream,
    vitals: Arc<crate::vitals::Vitals>,
) {
    let _counted = Counted(edge.metrics.connections.clone());
    match tokio::net::TcpStream::from_std(stream) {
        Ok(stream) => speaker.serve(edge, stream, vitals).await,
        Err(error) => tracing::warn!(%error, "connection could not be registered"),
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
