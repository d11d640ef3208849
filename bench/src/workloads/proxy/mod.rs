//! Many models speak at once through the durable proxy: how much later their words arrive, and what it costs.
//!
//! The same is asked of a proxy that only copies bytes, and of no proxy at all, right after: what is left when theirs is
//! taken away is the durable proxy's own.

mod readers;
mod upstream;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater_load::{Latencies, Scanner, Unit};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::metric::{Metric, Target};
use crate::process::Process;
use crate::server::Server;

use super::Trial;
use readers::{Reader, SECRET};
use upstream::Upstream;

/// The batch window of the proxy and ten milliseconds more, in microseconds.
const P99_MAX: f64 = 60_000.0;
const RESPONSE_BYTES_MAX: f64 = 64.0 * 1024.0;
/// Recent words of all responses that the server keeps in memory: a cache, and not what a response needs.
const TAIL_CACHE: &str = "4MiB";
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What stands between the models and their readers.
enum Between<'a> {
    Durable(&'a Server),
    PassThrough(&'a Server),
    Nothing,
}

/// What came of one way.
struct Heard {
    latencies: Latencies,
    missing: u64,
    elapsed: Duration,
    cpu: Duration,
    client_cpu: Duration,
    added_bytes: u64,
}

pub(crate) async fn run(trial: &mut Trial<'_>, responses: usize) -> io::Result<Vec<Metric>> {
    let options = ["--proxy-secret", SECRET, "--proxy-allow", "http://127.0.0.1:*/**", "--tail-cache-max", TAIL_CACHE];
    let server = trial.launch.start_with(trial.data_dir, &options).await?;
    let durable = hear(trial, responses, &Between::Durable(&server)).await?;
    server.terminate().await?;
    // The copying proxy asks its upstream for whoever connects to it, so there must be one at its start.
    let upstream = Upstream::start().await?;
    let server = Server::pass_through(upstream.address()).await?;
    let plain = hear_from(trial, responses, &Between::PassThrough(&server), upstream).await?;
    drop(server);
    let direct = hear(trial, responses, &Between::Nothing).await?;
    let count = responses as f64;
    let cpu = |heard: &Heard| heard.cpu.as_secs_f64() * 1e6 / heard.elapsed.as_secs_f64() / count;
    let client = |heard: &Heard| heard.client_cpu.as_secs_f64() / heard.elapsed.as_secs_f64() * 100.0;
    let bytes = |heard: &Heard| heard.added_bytes as f64 / count;
    let micros = |name, heard: &Heard, quantile| Metric::new(name, Unit::Micros, heard.latencies.micros(quantile));
    let seconds = durable.elapsed.as_secs_f64();
    Ok(vec![
        Metric::new("tokens", Unit::PerSecond, durable.latencies.count() as f64 / seconds),
        micros("p50", &durable, 0.5),
        micros("p99", &durable, 0.99).target(Some(Target::AtMost(P99_MAX))),
        micros("p50, bytes copied", &plain, 0.5),
        micros("p99, bytes copied", &plain, 0.99),
        micros("p50, no proxy", &direct, 0.5),
        micros("p99, no proxy", &direct, 0.99),
        Metric::new("undelivered", Unit::Count, (durable.missing + plain.missing + direct.missing) as f64),
        Metric::new("server CPU per response and second", Unit::Micros, cpu(&durable)),
        Metric::new("server CPU per response and second, bytes copied", Unit::Micros, cpu(&plain)),
        Metric::new("resident per response", Unit::Bytes, bytes(&durable))
            .target(Some(Target::AtMost(RESPONSE_BYTES_MAX))),
        Metric::new("resident per response, bytes copied", Unit::Bytes, bytes(&plain)),
        Metric::new("client CPU, percent of a core", Unit::Count, client(&durable)),
    ])
}

async fn hear(trial: &Trial<'_>, responses: usize, between: &Between<'_>) -> io::Result<Heard> {
    hear_from(trial, responses, between, Upstream::start().await?).await
}

async fn hear_from(
    trial: &Trial<'_>,
    responses: usize,
    between: &Between<'_>,
    upstream: Upstream,
) -> io::Result<Heard> {
    let process = between.process();
    let resident = || process.map_or(Ok(0), Process::proportional_bytes);
    let used = || io::Result::Ok((process.map_or(Ok(Duration::ZERO), Process::cpu)?, Process::current().cpu()?));
    let before = resident()?;
    let (latencies, found, from) = (Latencies::new(), Rc::new(Cell::new(0)), Rc::new(Cell::new(Duration::MAX)));
    let mut readers = JoinSet::new();
    for _ in 0..responses {
        let scanner = Scanner::new(upstream.clock(), latencies.clone()).counting(Rc::clone(&from), Rc::clone(&found));
        let reader = between.open(upstream.address()).await?;
        readers.spawn_local(reader.follow(scanner));
    }
    sleep(trial.scale.warm_up).await;
    from.set(upstream.clock().elapsed());
    let (began, used_before) = (Instant::now(), used()?);
    sleep(trial.scale.measure).await;
    let (elapsed, used_after, after) = (began.elapsed(), used()?, resident()?);
    upstream.stop();
    let heard_all = async {
        while let Some(ended) = readers.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        io::Result::Ok(())
    };
    match tokio::time::timeout(LAST_WORDS, heard_all).await {
        Ok(heard) => heard?,
        Err(_) => eprintln!("    readers are still there"),
    }
    Ok(Heard {
        latencies,
        missing: upstream.said().saturating_sub(found.get()),
        elapsed,
        cpu: used_after.0 - used_before.0,
        client_cpu: used_after.1 - used_before.1,
        added_bytes: after.saturating_sub(before),
    })
}

impl Between<'_> {
    fn process(&self) -> Option<Process> {
        match self {
            Between::Durable(server) | Between::PassThrough(server) => Some(server.process()),
            Between::Nothing => None,
        }
    }

    async fn open(&self, upstream: SocketAddr) -> io::Result<Reader> {
        match self {
            Between::Durable(server) => Reader::durable(server.address(), upstream).await,
            Between::PassThrough(server) => Reader::plain(server.address()).await,
            Between::Nothing => Reader::plain(upstream).await,
        }
    }
}
