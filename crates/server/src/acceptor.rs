//! Accepts connections and hands each to the worker that has the fewest.

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits::{ACCEPT_PAUSE, LINGER_TIMEOUT, LINGERING_REFUSALS_MAX};
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::throttle::Throttle;
use crate::workers::Worker;

pub(crate) struct Acceptor {
    listener: tokio::net::TcpListener,
    workers: Vec<Worker>,
    connections_max: usize,
    metrics: Arc<Metrics>,
    refusals: Arc<Semaphore>,
    refusal: Arc<[u8]>,
    warnings: Throttle,
}

impl Acceptor {
    pub(crate) fn new(
        listener: std::net::TcpListener,
        workers: Vec<Worker>,
        connections_max: usize,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: tokio::net::TcpListener::from_std(listener)?,
            workers,
            connections_max,
            metrics,
            refusals: Arc::new(Semaphore::new(LINGERING_REFUSALS_MAX)),
            refusal: refusal(connections_max).into(),
            warnings: Throttle::default(),
        })
    }

    /// Accepts until `shutdown` is ready; gives the workers back, and closes the listener.
    pub(crate) async fn run(mut self, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Vec<Worker> {
        loop {
            let accepted = poll_fn(|cx| match shutdown.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => self.listener.poll_accept(cx).map(Some),
            })
            .await;
            match accepted {
                None => return self.workers,
                Some(Ok((stream, _))) => self.take(stream),
                Some(Err(error)) => self.pause(error).await,
            }
        }
    }

    fn take(&mut self, stream: tokio::net::TcpStream) {
        let open: usize = self.workers.iter().map(Worker::connections).sum();
        if open >= self.connections_max {
            self.metrics.refused_connection();
            if self.warnings.permits() {
                tracing::warn!(open, limit = self.connections_max, "connection refused: too many are open");
            }
            self.refuse(stream);
            return;
        }
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.connections()) {
            match prepare(stream) {
                Ok(stream) => worker.take(stream),
                Err(error) => tracing::debug!(%error, "connection ended before it began"),
            }
        }
    }

    /// Tells the client why, and closes once it has heard it.
    fn refuse(&self, mut stream: tokio::net::TcpStream) {
        let Ok(permit) = self.refusals.clone().try_acquire_owned() else { return };
        let refusal = self.refusal.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let told = async {
                stream.write_all(&refusal).await?;
                stream.shutdown().await?;
                let mut unread = [0; 1024];
                while stream.read(&mut unread).await? > 0 {}
                Ok::<(), io::Error>(())
            };
            if !matches!(timeout(LINGER_TIMEOUT, told).await, Ok(Ok(()))) {
                tracing::trace!("a refused client did not listen");
            }
        });
    }

    async fn pause(&mut self, error: io::Error) {
        // A client that left before it was accepted is no reason to wait.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if self.warnings.permits() {
            tracing::error!(%error, "connections cannot be accepted");
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

fn prepare(stream: tokio::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.into_std()
}

fn refusal(connections_max: usize) -> Vec<u8> {
    let detail = format!("the server has {connections_max} connections, which is the limit");
    Problem::new(Code::TooManyConnections, detail).written_out()
}
