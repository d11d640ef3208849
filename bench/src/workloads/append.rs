//! Closed-loop appends: every connection keeps a fixed number of requests in flight.

use std::io;
use std::time::Duration;

use headwater_load::{AppendLoad, Stop, Unit, create_streams};

use crate::metric::{Metric, Target};
use crate::server::Server;

use super::outcome::{Outcome, closed_loop, quantiles};
use super::{Scale, Trial};

/// What a load of appends is held against.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AppendTargets {
    pub(crate) rate: Option<Target>,
    pub(crate) p50: Option<Target>,
    pub(crate) p99: Option<Target>,
    pub(crate) cpu: Option<Target>,
}

pub(crate) async fn run(trial: &mut Trial<'_>, load: &AppendLoad, targets: &AppendTargets) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let kind = load.payload.content_type();
    create_streams(&server.site(), load.streams, kind, b"", &Stop::default()).await?;
    let outcome = measure(&server, load, trial.scale).await?;
    let appends = outcome.acknowledged as f64;
    let per_append = |cpu: Duration| cpu.as_secs_f64() * 1e6 / appends;
    let sent = appends * load.payload.bytes() as f64;
    let mut metrics =
        vec![Metric::new("appends", Unit::PerSecond, appends / outcome.elapsed.as_secs_f64()).target(targets.rate)];
    metrics.extend(quantiles(&outcome.latencies, targets.p50, targets.p99));
    metrics
        .push(Metric::new("server CPU per append", Unit::Micros, per_append(outcome.server.cpu)).target(targets.cpu));
    metrics.push(Metric::new("client CPU per append", Unit::Micros, per_append(outcome.client_cpu)));
    metrics.push(Metric::new("written", Unit::BytesPerByte, outcome.server.written_bytes as f64 / sent));
    Ok(metrics)
}

/// Runs the load for its warm-up and its window.
pub(crate) async fn measure(server: &Server, load: &AppendLoad, scale: Scale) -> io::Result<Outcome> {
    closed_loop(server, load.lanes(&server.site()), load.in_flight, scale.window()).await
}
