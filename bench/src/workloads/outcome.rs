//! What a load did, and what it cost the server and the load generator.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use headwater_load::{ClosedLoop, Gauge, Latencies, OpenLoop, Render, Unit, Window};

use crate::metric::{Metric, Target};
use crate::process::{Process, Usage};
use crate::server::Server;

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

/// What the kernel says of both processes.
#[derive(Debug, Clone, Copy)]
struct Reading {
    server: Usage,
    client_cpu: Duration,
}

/// Keeps a number of requests in flight on one connection for each lane.
pub(crate) async fn closed_loop<R: Render + 'static>(
    server: &Server,
    lanes: Vec<R>,
    in_flight: usize,
    window: Window,
) -> io::Result<Outcome> {
    let gauge = Rc::new(Gauge::default());
    let load = ClosedLoop { in_flight, window };
    let done = load.drive(&server.site(), lanes, &gauge, || Reading::now(server)).await?;
    Outcome::of(&gauge, &done)
}

/// Sends requests at their times, on one connection for each lane.
pub(crate) async fn open_loop<R: Render + Send + 'static>(
    server: &Server,
    lanes: Vec<R>,
    load: OpenLoop,
) -> io::Result<Outcome> {
    let gauge = Rc::new(Gauge::default());
    let done = load.drive(&server.site(), lanes, &gauge, || Reading::now(server)).await?;
    Outcome::of(&gauge, &done)
}

/// The metrics `p50` and `p99`, each held against its target.
pub(crate) fn quantiles(latencies: &Latencies, p50: Option<Target>, p99: Option<Target>) -> [Metric; 2] {
    [
        Metric::new("p50", Unit::Micros, latencies.micros(0.50)).target(p50),
        Metric::new("p99", Unit::Micros, latencies.micros(0.99)).target(p99),
    ]
}

impl Outcome {
    /// A comparison needs every request to succeed.
    fn of(gauge: &Gauge, done: &headwater_load::Outcome<Reading>) -> io::Result<Outcome> {
        gauge.check()?;
        let (before, after) = (done.before, done.after);
        let server = Usage {
            cpu: after.server.cpu - before.server.cpu,
            written_bytes: after.server.written_bytes - before.server.written_bytes,
        };
        let (latencies, client_cpu) = (gauge.latencies().clone(), after.client_cpu - before.client_cpu);
        let acknowledged = latencies.count();
        Ok(Outcome { acknowledged, sent: done.sent, elapsed: done.elapsed, latencies, server, client_cpu })
    }
}

impl Reading {
    fn now(server: &Server) -> io::Result<Reading> {
        Ok(Reading { server: server.process().usage()?, client_cpu: Process::current().cpu()? })
    }
}
