//! Closed-loop appends: every connection keeps a fixed number of requests in flight.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::client::{Connection, DIGITS, ReadSize};
use crate::metric::{Metric, Target, Unit};
use crate::process::{Process, Usage};
use crate::server::Server;

use super::latency::Latencies;
use super::{Scale, Trial, setup};

/// What one append carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    Bytes(usize),
    /// A JSON array of so many messages.
    Json(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Producers {
    None,
    Idempotent,
}

#[derive(Debug, Clone)]
pub(crate) struct AppendLoad {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) streams: usize,
    pub(crate) payload: Payload,
    pub(crate) producers: Producers,
    pub(crate) targets: AppendTargets,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AppendTargets {
    pub(crate) rate: Option<Target>,
    pub(crate) p50: Option<Target>,
    pub(crate) p99: Option<Target>,
    pub(crate) cpu: Option<Target>,
}

/// What the tasks of one load share, all on one thread.
#[derive(Debug)]
pub(crate) struct Gauge {
    recording: Cell<bool>,
    stopping: Cell<bool>,
    acknowledged: Cell<u64>,
    answered: Cell<u64>,
    latencies: Latencies,
}

/// What a load did within its window.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) acknowledged: u64,
    /// All requests, those outside of the window included.
    pub(crate) sent: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
    pub(crate) server: Usage,
    pub(crate) client_cpu: Duration,
}

pub(crate) async fn run(trial: &mut Trial<'_>, load: &AppendLoad) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    setup::create_streams(server.address(), load.streams, load.payload.content_type(), b"").await?;
    let outcome = LocalSet::new().run_until(measure(&server, load, trial.scale)).await?;
    let appends = outcome.acknowledged as f64;
    let per_append = |cpu: Duration| cpu.as_secs_f64() * 1e6 / appends;
    let sent = appends * load.payload.bytes() as f64;
    let mut metrics = vec![
        Metric::new("appends", Unit::PerSecond, appends / outcome.elapsed.as_secs_f64()).target(load.targets.rate),
    ];
    metrics.extend(outcome.latencies.metrics(load.targets.p50, load.targets.p99));
    metrics.push(
        Metric::new("server CPU per append", Unit::Micros, per_append(outcome.server.cpu)).target(load.targets.cpu),
    );
    metrics.push(Metric::new("client CPU per append", Unit::Micros, per_append(outcome.client_cpu)));
    metrics.push(Metric::new("written", Unit::BytesPerByte, outcome.server.written_bytes as f64 / sent));
    Ok(metrics)
}

/// Runs the load for its warm-up and its window.
pub(crate) async fn measure(server: &Server, load: &AppendLoad, scale: Scale) -> io::Result<Outcome> {
    measure_lanes(server, lanes(load), load.in_flight, scale).await
}

/// The same for any requests, one connection for each lane.
pub(crate) async fn measure_lanes<R: Render + 'static>(
    server: &Server,
    lanes: Vec<R>,
    in_flight: usize,
    scale: Scale,
) -> io::Result<Outcome> {
    let gauge = Gauge::new();
    let tasks = start_lanes(server.address(), lanes, in_flight, &gauge).await?;
    tokio::time::sleep(scale.warm_up).await;
    let (server_before, client_before) = (server.process().usage()?, Process::current().cpu()?);
    let began = Instant::now();
    gauge.recording.set(true);
    tokio::time::sleep(scale.measure).await;
    gauge.recording.set(false);
    let elapsed = began.elapsed();
    let (server_after, client_after) = (server.process().usage()?, Process::current().cpu()?);
    stop(&gauge, tasks).await?;
    Ok(Outcome {
        acknowledged: gauge.acknowledged.get(),
        sent: gauge.answered.get(),
        elapsed,
        latencies: gauge.latencies.clone(),
        server: Usage {
            cpu: server_after.cpu - server_before.cpu,
            written_bytes: server_after.written_bytes - server_before.written_bytes,
        },
        client_cpu: client_after - client_before,
    })
}

type Tasks = Vec<JoinHandle<io::Result<()>>>;

/// Opens the connections and starts them; they run until [`stop`].
pub(crate) async fn start(address: SocketAddr, load: &AppendLoad, gauge: &Rc<Gauge>) -> io::Result<Tasks> {
    start_lanes(address, lanes(load), load.in_flight, gauge).await
}

fn lanes(load: &AppendLoad) -> Vec<Requests> {
    (0..load.connections).map(|number| Requests::new(load, number)).collect()
}

async fn start_lanes<R: Render + 'static>(
    address: SocketAddr,
    lanes: Vec<R>,
    in_flight: usize,
    gauge: &Rc<Gauge>,
) -> io::Result<Tasks> {
    let mut tasks = Vec::new();
    for requests in lanes {
        let connection = Connection::open(address, ReadSize::Small).await?;
        tasks.push(spawn_local(drive(connection, requests, in_flight, gauge.clone())));
    }
    Ok(tasks)
}

pub(crate) async fn stop(gauge: &Gauge, tasks: Tasks) -> io::Result<()> {
    gauge.stopping.set(true);
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn drive(
    mut connection: Connection,
    mut requests: impl Render,
    in_flight: usize,
    gauge: Rc<Gauge>,
) -> io::Result<()> {
    let mut sent = VecDeque::with_capacity(in_flight);
    let mut batch = Vec::new();
    loop {
        if !gauge.stopping.get() {
            let now = Instant::now();
            while sent.len() < in_flight {
                requests.render(&mut batch);
                sent.push_back(now);
            }
            if !batch.is_empty() {
                connection.send(&batch).await?;
                batch.clear();
            }
        } else if sent.is_empty() {
            return Ok(());
        }
        connection.fill().await?;
        while let Some(head) = connection.take_response(&mut |_| ())? {
            if !head.is_success() {
                return Err(io::Error::other(format!("an append was answered with status {}", head.status)));
            }
            gauge.acknowledge(sent.pop_front());
        }
    }
}

impl Gauge {
    pub(crate) fn new() -> Rc<Gauge> {
        let (recording, stopping) = (Cell::new(false), Cell::new(false));
        Rc::new(Gauge {
            recording,
            stopping,
            acknowledged: Cell::new(0),
            answered: Cell::new(0),
            latencies: Latencies::new(),
        })
    }

    pub(crate) fn record(&self) {
        self.recording.set(true);
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.get()
    }

    fn acknowledge(&self, sent: Option<Instant>) {
        self.answered.set(self.answered.get() + 1);
        if let Some(sent) = sent
            && self.recording.get()
        {
            self.acknowledged.set(self.acknowledged.get() + 1);
            self.latencies.record(sent.elapsed());
        }
    }
}

impl Payload {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Payload::Bytes(_) => "application/octet-stream",
            Payload::Json(_) => "application/json",
        }
    }

    pub(crate) fn body(self) -> Vec<u8> {
        match self {
            Payload::Bytes(bytes) => (0..bytes).map(|index| b'a' + (index % 26) as u8).collect(),
            Payload::Json(messages) => {
                let message = |index| {
                    format!(r#"{{"id":{:08},"type":"token","text":"headwater {index:04}"}}"#, 10_000_000 + index)
                };
                format!("[{}]", (0..messages).map(message).collect::<Vec<_>>().join(",")).into_bytes()
            }
        }
    }

    pub(crate) fn bytes(self) -> usize {
        self.body().len()
    }
}

/// One connection's requests, one after another.
pub(crate) trait Render {
    /// Writes the next request behind what `out` holds.
    fn render(&mut self, out: &mut Vec<u8>);
}

/// Renders one connection's appends, each to a stream chosen at random.
#[derive(Debug)]
pub(crate) struct Requests {
    before_stream: Vec<u8>,
    after_stream: Vec<u8>,
    body: Vec<u8>,
    streams: usize,
    /// The next sequence number of this connection's producer, by stream.
    sequences: Option<Vec<u32>>,
    random: SmallRng,
}

impl Requests {
    pub(crate) fn new(load: &AppendLoad, connection: usize) -> Requests {
        let body = load.payload.body();
        let (kind, length) = (load.payload.content_type(), body.len());
        let mut after = format!(" HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
        let sequences = match load.producers {
            Producers::None => None,
            Producers::Idempotent => {
                after.push_str(&format!("Producer-Id: producer-{connection}\r\nProducer-Epoch: 0\r\nProducer-Seq: "));
                Some(vec![0; load.streams])
            }
        };
        Requests {
            before_stream: b"POST /v1/stream/b".to_vec(),
            after_stream: after.into_bytes(),
            body,
            streams: load.streams,
            sequences,
            random: SmallRng::seed_from_u64(connection as u64),
        }
    }
}

impl Render for Requests {
    fn render(&mut self, out: &mut Vec<u8>) {
        let stream = self.random.random_range(0..self.streams);
        out.extend_from_slice(&self.before_stream);
        push_digits(out, stream);
        out.extend_from_slice(&self.after_stream);
        if let Some(sequences) = &mut self.sequences {
            let next = &mut sequences[stream];
            out.extend_from_slice(next.to_string().as_bytes());
            out.extend_from_slice(b"\r\n");
            *next += 1;
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

fn push_digits(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::stream_path;

    fn load(producers: Producers) -> AppendLoad {
        let (payload, targets) = (Payload::Bytes(4), AppendTargets::default());
        AppendLoad { connections: 1, in_flight: 1, streams: 1, payload, producers, targets }
    }

    #[test]
    fn a_rendered_append_is_one_whole_request() {
        let mut out = Vec::new();
        Requests::new(&load(Producers::None), 0).render(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(&format!("POST {} HTTP/1.1\r\n", stream_path(0))), "{text}");
        assert!(text.ends_with("Content-Length: 4\r\n\r\nabcd"), "{text}");
    }

    #[test]
    fn a_producer_counts_from_zero_on_each_stream() {
        let (mut requests, mut out) = (Requests::new(&load(Producers::Idempotent), 3), Vec::new());
        requests.render(&mut out);
        requests.render(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Producer-Id: producer-3\r\nProducer-Epoch: 0\r\nProducer-Seq: 0\r\n\r\n"), "{text}");
        assert!(text.contains("Producer-Seq: 1\r\n\r\n"), "{text}");
    }

    #[test]
    fn a_json_batch_holds_as_many_messages_as_it_says() {
        let values: Vec<serde_json::Value> = serde_json::from_slice(&Payload::Json(10).body()).unwrap();
        assert_eq!(values.len(), 10);
    }
}
