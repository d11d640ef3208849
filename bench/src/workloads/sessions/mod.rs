//! Sessions: what their writers, viewers, latecomers and participants ask for.
//!
//! The official server has no sessions, so these run on Headwater alone and are held against fixed targets.

mod catalogue;
mod join;
mod memory;
mod posts;
mod presence;
mod setup;
mod viewers;
mod writes;

use std::io;
use std::time::Duration;

use headwater_load::Unit;

use crate::metric::Metric;

use super::Trial;
use super::outcome::Outcome;

pub(crate) use catalogue::catalogue;

/// What is done with sessions.
#[derive(Debug, Clone)]
pub(crate) enum SessionPlan {
    /// Tokens to many sessions, as fast as they are acknowledged.
    Writes { load: writes::TokenLoad, target: Option<f64> },
    /// The same with viewers.
    WritesViewed { load: writes::TokenLoad, viewers: usize },
    /// Tokens at a given rate, with viewers.
    Viewers { load: viewers::ViewedLoad },
    /// A long session is joined late.
    Join { turns: usize, tokens: usize },
    /// Many sessions open at once.
    Memory { sessions: usize },
    /// People move their cursors in one session and see each other.
    Presence { people: usize, moves_per_second: usize },
}

impl SessionPlan {
    pub(crate) async fn run(&self, trial: &mut Trial<'_>) -> io::Result<Vec<Metric>> {
        match self {
            SessionPlan::Writes { load, target } => writes::run(trial, load, *target).await,
            SessionPlan::WritesViewed { load, viewers } => viewers::run_closed(trial, load, *viewers).await,
            SessionPlan::Viewers { load } => viewers::run(trial, load).await,
            SessionPlan::Join { turns, tokens } => join::run(trial, *turns, *tokens).await,
            SessionPlan::Memory { sessions } => memory::run(trial, *sessions).await,
            SessionPlan::Presence { people, moves_per_second } => {
                presence::run(trial, *people, *moves_per_second).await
            }
        }
    }
}

/// Processor time for each of `count` things, on both sides.
fn cpu_metrics(outcome: &Outcome, count: f64) -> [Metric; 2] {
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count;
    [
        Metric::new("server CPU per event", Unit::Micros, each(outcome.server.cpu)),
        Metric::new("client CPU per event", Unit::Micros, each(outcome.client_cpu)),
    ]
}
