//! Append latency in an open loop at half of what the peer sustains.

use std::io;

use headwater_load::{AppendLoad, OpenLoop, Payload, Producers, Stop, Unit, create_streams};

use crate::metric::{Metric, Target};
use crate::server::Server;

use super::Trial;
use super::append::measure;
use super::outcome::{open_loop, quantiles};

pub(crate) async fn run(trial: &mut Trial<'_>, connections: usize, streams: usize) -> io::Result<Vec<Metric>> {
    let payload = Payload::Bytes(256);
    let load = AppendLoad { connections, in_flight: 1, streams, payload, producers: Producers::None };
    let server = trial.start().await?;
    create_streams(&server.site(), streams, payload.content_type(), b"", &Stop::default()).await?;
    let rate = match trial.shared.rate {
        Some(rate) => rate,
        None => *trial.shared.rate.insert(sustained(&server, &load, trial).await? / 2.0),
    };
    let run = OpenLoop::new(rate, trial.scale.window());
    let outcome = open_loop(&server, load.lanes(&server.site()), run).await?;
    let answered = outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64();
    let mut metrics = vec![Metric::new("answered", Unit::PerSecond, answered)];
    metrics.extend(quantiles(&outcome.latencies, None, Some(Target::RatioAtMost(0.7))));
    Ok(metrics)
}

async fn sustained(server: &Server, load: &AppendLoad, trial: &Trial<'_>) -> io::Result<f64> {
    let outcome = measure(server, load, trial.scale).await?;
    Ok(outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64())
}
