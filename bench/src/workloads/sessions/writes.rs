//! Tokens to many sessions, as fast as they are acknowledged and on disk.
//!
//! A connection is a gateway of agents: it writes to sessions of its own, in turn, and keeps a few requests in flight.

use std::io;

use headwater_load::Unit;

use crate::metric::{Metric, Target};

use super::super::Trial;
use super::super::outcome::{closed_loop, quantiles};
use super::posts::{Text, TokenPosts};
use super::{cpu_metrics, setup};

#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenLoad {
    pub(crate) sessions: usize,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    /// Events of one request.
    pub(crate) events: usize,
}

pub(crate) async fn run(trial: &mut Trial<'_>, load: &TokenLoad, target: Option<f64>) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let ids = setup::create_sessions(server.address(), load.sessions).await?;
    let lanes = TokenPosts::lanes(&ids, load.connections, load.events, Text::Words);
    let outcome = closed_loop(&server, lanes, load.in_flight, trial.scale.window()).await?;
    let events = (outcome.acknowledged * load.events as u64) as f64;
    let rate = Metric::new("events", Unit::PerSecond, events / outcome.elapsed.as_secs_f64());
    let mut metrics = vec![rate.target(target.map(Target::AtLeast))];
    metrics.extend(quantiles(&outcome.latencies, None, None));
    metrics.extend(cpu_metrics(&outcome, events));
    metrics.push(Metric::new("written per event", Unit::Bytes, outcome.server.written_bytes as f64 / events));
    Ok(metrics)
}
