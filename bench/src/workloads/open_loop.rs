//! An open loop: requests at their appointed times.
//!
//! A thread of its own writes each request at its time, whether or not earlier ones were answered, so that a server that
//! stalls is charged for every request it kept waiting. Only when very many are unanswered it waits: then the rate does
//! not hold, which shows in what was sent.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;

use crate::client::Connection;
use crate::process::{Process, Usage};
use crate::server::Server;

use super::Scale;
use super::append::{Outcome, Render};
use super::latency::Latencies;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const RETRY_WRITE: Duration = Duration::from_micros(20);
/// Requests in flight, on all connections together.
const IN_FLIGHT_MAX: u64 = 8_192;
/// How long the pace waits when so many are in flight.
const OVERLOADED: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenLoop {
    rate: f64,
    warm_up: Duration,
    measure: Duration,
    /// The shortest sleep: requests due by then go out together.
    grain: Duration,
}

/// One connection's writing half.
struct Lane<R> {
    socket: TcpStream,
    requests: R,
    sent: Sender<Instant>,
}

/// What the pacing thread and the readers know of each other.
#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    answered: AtomicU64,
}

impl OpenLoop {
    /// `rate` is in requests per second, on all connections together.
    pub(crate) fn new(rate: f64, scale: Scale) -> OpenLoop {
        OpenLoop { rate, warm_up: scale.warm_up, measure: scale.measure, grain: Duration::ZERO }
    }

    /// The same at rates at which to wake up for each request would cost more than to send it.
    pub(crate) fn in_ticks(rate: f64, scale: Scale) -> OpenLoop {
        OpenLoop { grain: Duration::from_millis(1), ..OpenLoop::new(rate, scale) }
    }

    /// Sends for the warm-up and the window, one connection for each lane, and waits for the last answer. Acknowledged are
    /// the requests that were sent within the window.
    pub(crate) async fn drive<R: Render + Send + 'static>(
        self,
        server: &Server,
        requests: Vec<R>,
    ) -> io::Result<Outcome> {
        let (shared, latencies) = (Arc::new(Shared::default()), Latencies::new());
        let from = Instant::now() + self.warm_up;
        let (mut lanes, mut readers) = (Vec::new(), Vec::new());
        for requests in requests {
            let (connection, socket) = Connection::split(server.address())?;
            let (sent, times) = channel();
            lanes.push(Lane { socket, requests, sent });
            readers.push(spawn_local(read(connection, times, from, shared.clone(), latencies.clone())));
        }
        let pacer = thread::spawn({
            let shared = shared.clone();
            move || self.pace(lanes, &shared)
        });
        tokio::time::sleep(self.warm_up).await;
        let (server_before, client_before, began) =
            (server.process().usage()?, Process::current().cpu()?, Instant::now());
        tokio::time::sleep(self.measure).await;
        shared.stopping.store(true, Ordering::Relaxed);
        let (server_after, client_after, elapsed) =
            (server.process().usage()?, Process::current().cpu()?, began.elapsed());
        let sent = pacer.join().map_err(|_| io::Error::other("the pacing thread panicked"))??;
        shared.wait_for(sent).await?;
        readers.iter().for_each(tokio::task::JoinHandle::abort);
        let (cpu, written_bytes) =
            (server_after.cpu - server_before.cpu, server_after.written_bytes - server_before.written_bytes);
        Ok(Outcome {
            acknowledged: latencies.count(),
            sent,
            elapsed,
            latencies,
            server: Usage { cpu, written_bytes },
            client_cpu: client_after - client_before,
        })
    }

    /// Writes until told to stop, and answers how many requests it sent.
    fn pace<R: Render>(self, mut lanes: Vec<Lane<R>>, shared: &Shared) -> io::Result<u64> {
        let (began, gap, count) = (Instant::now(), Duration::from_secs_f64(1.0 / self.rate), lanes.len());
        let (mut request, mut number) = (Vec::new(), 0u32);
        loop {
            let due = began + gap * number;
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                thread::sleep(early.max(self.grain));
            }
            while u64::from(number) - shared.answered.load(Ordering::Relaxed).min(u64::from(number)) >= IN_FLIGHT_MAX
                && !shared.stopping.load(Ordering::Relaxed)
            {
                thread::sleep(OVERLOADED);
            }
            if shared.stopping.load(Ordering::Relaxed) {
                return Ok(u64::from(number));
            }
            request.clear();
            let lane = &mut lanes[number as usize % count];
            lane.requests.render(&mut request);
            lane.sent.send(Instant::now()).map_err(|_| io::Error::other("a reader ended early"))?;
            write_all(&mut lane.socket, &request)?;
            number += 1;
        }
    }
}

fn write_all(socket: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_WRITE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Shared {
    async fn wait_for(&self, sent: u64) -> io::Result<()> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let answered = self.answered.load(Ordering::Relaxed);
            if answered >= sent {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{answered} of {sent} requests were answered")));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn read(
    mut connection: Connection,
    times: Receiver<Instant>,
    from: Instant,
    shared: Arc<Shared>,
    latencies: Latencies,
) -> io::Result<()> {
    loop {
        while let Some(head) = connection.take_response(&mut |_| ())? {
            if !head.is_success() {
                return Err(io::Error::other(format!("a request was answered with status {}", head.status)));
            }
            let sent = times.try_recv().map_err(|_| io::Error::other("an answer without a request"))?;
            shared.answered.fetch_add(1, Ordering::Relaxed);
            if sent >= from {
                latencies.record(sent.elapsed());
            }
        }
        connection.fill().await?;
    }
}
