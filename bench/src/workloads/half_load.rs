//! Append latency in an open loop at half of what the peer sustains.

use std::io;

use tokio::task::LocalSet;

use crate::metric::{Metric, Target, Unit};
use crate::server::Server;

use super::append::{AppendLoad, AppendTargets, Payload, Producers, Requests, measure};
use super::open_loop::OpenLoop;
use super::{Trial, setup};

pub(crate) async fn run(trial: &mut Trial<'_>, connections: usize, streams: usize) -> io::Result<Vec<Metric>> {
    let (payload, targets) = (Payload::Bytes(256), AppendTargets::default());
    let load = AppendLoad { connections, in_flight: 1, streams, payload, producers: Producers::None, targets };
    let server = trial.start().await?;
    setup::create_streams(server.address(), streams, payload.content_type(), b"").await?;
    let rate = match trial.shared.rate {
        Some(rate) => rate,
        None => *trial.shared.rate.insert(sustained(&server, &load, trial).await? / 2.0),
    };
    let run = OpenLoop::new(rate, trial.scale);
    let lanes = (0..connections).map(|number| Requests::new(&load, number)).collect();
    let outcome = LocalSet::new().run_until(run.drive(&server, lanes)).await?;
    let answered = outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64();
    let mut metrics = vec![Metric::new("answered", Unit::PerSecond, answered)];
    metrics.extend(outcome.latencies.metrics(None, Some(Target::RatioAtMost(0.7))));
    Ok(metrics)
}

async fn sustained(server: &Server, load: &AppendLoad, trial: &Trial<'_>) -> io::Result<f64> {
    let outcome = LocalSet::new().run_until(measure(server, load, trial.scale)).await?;
    Ok(outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64())
}
