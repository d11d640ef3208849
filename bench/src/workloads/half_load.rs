//! Append latency in an open loop at half of what the peer sustains.
//!
//! A thread of its own writes each request at its appointed time, whether or not earlier ones were answered, so that a
//! server that stalls is charged for every request it kept waiting.

use std::cell::Cell;
use std::io::{self, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::{LocalSet, spawn_local};

use crate::client::Connection;
use crate::metric::{Metric, Target, Unit};
use crate::server::Server;

use super::append::{AppendLoad, AppendTargets, Payload, Producers, Requests, measure};
use super::latency::Latencies;
use super::{Trial, setup};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_WRITE: Duration = Duration::from_micros(20);

pub(crate) async fn run(trial: &mut Trial<'_>, connections: usize, streams: usize) -> io::Result<Vec<Metric>> {
    let (payload, targets) = (Payload::Bytes(256), AppendTargets::default());
    let load = AppendLoad { connections, in_flight: 1, streams, payload, producers: Producers::None, targets };
    let server = trial.start().await?;
    setup::create_streams(server.address(), streams, payload.content_type(), b"").await?;
    let rate = match trial.shared.rate {
        Some(rate) => rate,
        None => *trial.shared.rate.insert(sustained(&server, &load, trial).await? / 2.0),
    };
    let run = OpenLoop { rate, warm_up: trial.scale.warm_up, measure: trial.scale.measure };
    let latencies = LocalSet::new().run_until(run.drive(&server, &load)).await?;
    let mut metrics =
        vec![Metric::new("answered", Unit::PerSecond, latencies.count() as f64 / trial.scale.measure.as_secs_f64())];
    metrics.extend(latencies.metrics(None, Some(Target::RatioAtMost(0.7))));
    Ok(metrics)
}

async fn sustained(server: &Server, load: &AppendLoad, trial: &Trial<'_>) -> io::Result<f64> {
    let outcome = LocalSet::new().run_until(measure(server, load, trial.scale)).await?;
    Ok(outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64())
}

#[derive(Debug, Clone, Copy)]
struct OpenLoop {
    rate: f64,
    warm_up: Duration,
    measure: Duration,
}

/// One connection's writing half.
struct Lane {
    socket: TcpStream,
    requests: Requests,
    sent: Sender<Instant>,
}

impl OpenLoop {
    async fn drive(self, server: &Server, load: &AppendLoad) -> io::Result<Latencies> {
        let counted = Rc::new(Counted::after(self.warm_up));
        let (mut lanes, mut readers) = (Vec::new(), Vec::new());
        for number in 0..load.connections {
            let (connection, socket) = Connection::split(server.address())?;
            let (sent, times) = channel();
            lanes.push(Lane { socket, requests: Requests::new(load, number), sent });
            readers.push(spawn_local(read(connection, times, counted.clone())));
        }
        let stopping = Arc::new(AtomicBool::new(false));
        let pacer = thread::spawn({
            let stopping = stopping.clone();
            move || self.pace(lanes, &stopping)
        });
        tokio::time::sleep(self.warm_up + self.measure).await;
        stopping.store(true, Ordering::Relaxed);
        let sent = pacer.join().map_err(|_| io::Error::other("the pacing thread panicked"))??;
        counted.wait_for(sent).await?;
        for reader in readers {
            reader.abort();
        }
        Ok(counted.latencies.clone())
    }

    /// Writes until told to stop, and answers how many requests it sent.
    fn pace(self, mut lanes: Vec<Lane>, stopping: &AtomicBool) -> io::Result<u64> {
        let (began, gap, count) = (Instant::now(), Duration::from_secs_f64(1.0 / self.rate), lanes.len());
        let (mut request, mut number) = (Vec::new(), 0u32);
        loop {
            let due = began + gap * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if stopping.load(Ordering::Relaxed) {
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

/// What the readers have seen together.
#[derive(Debug)]
struct Counted {
    from: Instant,
    answered: Cell<u64>,
    latencies: Latencies,
}

impl Counted {
    fn after(warm_up: Duration) -> Counted {
        Counted { from: Instant::now() + warm_up, answered: Cell::new(0), latencies: Latencies::new() }
    }

    async fn wait_for(&self, sent: u64) -> io::Result<()> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while self.answered.get() < sent {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{} of {sent} appends were answered", self.answered.get())));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

async fn read(mut connection: Connection, times: Receiver<Instant>, counted: Rc<Counted>) -> io::Result<()> {
    loop {
        while let Some(head) = connection.take_response(&mut |_| ())? {
            if !head.is_success() {
                return Err(io::Error::other(format!("an append was answered with status {}", head.status)));
            }
            let sent = times.try_recv().map_err(|_| io::Error::other("an answer without a request"))?;
            counted.answered.set(counted.answered.get() + 1);
            if sent >= counted.from {
                counted.latencies.record(sent.elapsed());
            }
        }
        connection.fill().await?;
    }
}
