//! One client connection: HTTP/1.1 or, by prior knowledge, HTTP/2, from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use headwater_streams::Store;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::body::RequestBody;
use crate::config::ServerConfig;
use crate::edge::Edge;
use crate::http1::Http1;
use crate::limits::*;
use crate::response::EdgeBody;
use crate::socket::{Socket, Spoken};
use crate::vitals::{Doom, Vitals};

/// How connections are served; one per worker.
pub(crate) struct Speaker {
    http2: http2::Builder<StreamExecutor>,
}

impl Speaker {
    pub(crate) fn new(config: &ServerConfig, stop: CancellationToken) -> Self {
        let header_bytes_max = config.limits.header_bytes_max.max(HEADER_BYTES_MIN);
        let mut http2 = http2::Builder::new(StreamExecutor { stop });
        http2
            .max_concurrent_streams(HTTP2_STREAMS_PER_CONNECTION_MAX)
            .max_header_list_size(header_bytes_max as u32)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(HTTP2_SEND_BYTES_MAX);
        Self { http2 }
    }

    /// Serves one connection until it ends, is given up, or the server stops.
    pub(crate) async fn serve<S: Store>(&self, edge: Arc<Edge<S>>, stream: TcpStream, vitals: Arc<Vitals>) {
        let mut socket = Socket::new(stream, vitals.clone());
        let sniffed = attend(&edge, &vitals, pin!(socket.sniff())).await;
        let spoken = match sniffed {
            Ok(Ok(spoken)) => spoken,
            Ok(Err(_)) => return,
            Err(doom) => {
                if doom == Doom::Head {
                    socket.answer_head_timeout();
                }
                return;
            }
        };
        let ended = match spoken {
            Spoken::Http1 => {
                let mut connection = Http1::new(edge.clone(), vitals.clone(), socket);
                poll_fn(|cx| {
                    vitals.watch(cx.waker());
                    connection.poll(cx)
                })
                .await
                .map_err(|error| error.to_string())
            }
            Spoken::Http2 => {
                let service = RequestService { edge: edge.clone(), vitals: vitals.clone() };
                // Boxed: a task is as large as its largest branch, and most connections take the other.
                let mut connection = Box::pin(self.http2.serve_connection(TokioIo::new(socket), service));
                drive(&edge, &vitals, connection.as_mut()).await
            }
        };
        if let Err(reason) = ended {
            tracing::debug!(reason, "connection ended early");
        }
    }
}

/// Polls `future` until it is ready, the connection is given up or the server stops.
async fn attend<S: Store, F: Future>(
    edge: &Edge<S>,
    vitals: &Vitals,
    mut future: Pin<&mut F>,
) -> Result<F::Output, Doom> {
    poll_fn(|cx| {
        vitals.watch(cx.waker());
        match vitals.doom() {
            Some(doom) => Poll::Ready(Err(doom)),
            None if edge.is_stopping() => Poll::Ready(Err(Doom::Shutdown)),
            None => future.as_mut().poll(cx).map(Ok),
        }
    })
    .await
}

type Http2<S> = http2::Connection<TokioIo<Socket>, RequestService<S>, StreamExecutor>;

/// Polls an HTTP/2 connection to its end, and tells it once when the server stops. Errors are for the log.
async fn drive<S: Store>(edge: &Edge<S>, vitals: &Vitals, mut connection: Pin<&mut Http2<S>>) -> Result<(), String> {
    let mut is_finishing = false;
    poll_fn(|cx| {
        vitals.watch(cx.waker());
        if let Some(doom) = vitals.doom() {
            return Poll::Ready(Err(format!("given up: {doom:?}")));
        }
        if !is_finishing && edge.is_stopping() {
            is_finishing = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx).map_err(|error| error.to_string())
    })
    .await
}

struct RequestService<S: Store> {
    edge: Arc<Edge<S>>,
    vitals: Arc<Vitals>,
}

impl<S: Store> Service<Request<Incoming>> for RequestService<S> {
    type Response = Response<EdgeBody<S>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let edge = self.edge.clone();
        let in_flight = self.vitals.begin();
        Box::pin(async move { Ok(edge.answer(request.map(RequestBody::Http2), in_flight).await) })
    }
}

/// Runs the streams of HTTP/2 connections as tasks of the worker.
#[derive(Clone)]
struct StreamExecutor {
    stop: CancellationToken,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let stop = Some(Box::pin(self.stop.clone().cancelled_owned()));
        tokio::spawn(StreamTask { stop, stream: Box::pin(stream) });
    }
}

/// A stream that is polled once more when the server stops, so that a live reader in it can end.
struct StreamTask<F> {
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    stream: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(cx).is_ready()) {
            self.stop = None;
        }
        self.stream.as_mut().poll(cx)
    }
}
#[cfg(test)]
mod tests {
    use headwater_streams::memory::MemoryStore;

    use super::*;

    fn future_size<F>(_: impl Fn(Arc<Edge<MemoryStore>>, Request<RequestBody>, crate::vitals::InFlight) -> F) -> usize {
        size_of::<F>()
    }

    /// Each request allocates its future, so its size decides how fast that is.
    #[test]
    fn a_requests_future_fits_in_a_kilobyte() {
        assert!(future_size(Edge::answer) <= 1024, "{} bytes", future_size(Edge::answer));
    }
}
