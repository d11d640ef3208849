//! The workloads: what is asked of a server, and what is read off it.
//!
//! Each starts from an empty data directory, runs for a given time or a given amount, and answers a list of metrics. They
//! send no request before the server is ready and leave stopping it to the caller.

mod append;
mod catalogue;
mod catch_up;
mod delivery;
mod fan_out;
mod half_load;
mod mixed;
mod outcome;
mod proxy;
mod resident;
mod restart;
mod sessions;
mod written;

use std::io;
use std::path::Path;
use std::time::Duration;

use headwater_load::{AppendLoad, Content, Mode, Window};

use crate::metric::Metric;
use crate::server::{Kind, Launch, Server};

use append::AppendTargets;
pub(crate) use catalogue::{Size, catalogue};

/// One named workload.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) servers: Servers,
    pub(crate) plan: Plan,
}

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    Both,
    HeadwaterOnly,
}

/// What is done.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Append(AppendLoad, AppendTargets),
    HalfLoad { connections: usize, streams: usize },
    Delivery(Mode),
    FanOut { subscribers: usize },
    CatchUp { bytes: u64, readers: usize, content: Content },
    ReadersMemory { bytes: u64, readers: usize },
    Mixed,
    Restart { streams: usize, official_streams: usize },
    Idle { streams: usize, official_streams: usize },
    Written { streams: usize, bytes: u64 },
    Proxy { responses: usize },
    Sessions(sessions::SessionPlan),
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    pub(crate) rounds: usize,
}

/// One run of one workload on one server.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    pub(crate) launch: &'a Launch,
    pub(crate) data_dir: &'a Path,
    pub(crate) scale: Scale,
    /// What the workload holds fixed for every server of a round, set by the first one that runs.
    pub(crate) shared: &'a mut Shared,
}

/// Values both servers of a comparison must use alike.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Appends per second of the open loop.
    pub(crate) rate: Option<f64>,
}

impl Scale {
    pub(crate) fn window(self) -> Window {
        Window { warm_up: self.warm_up, measure: self.measure }
    }

    pub(crate) fn without_warm_up(self) -> Window {
        Window { warm_up: Duration::ZERO, ..self.window() }
    }
}

impl Trial<'_> {
    pub(crate) async fn start(&self) -> io::Result<Server> {
        self.launch.start(self.data_dir).await
    }

    fn streams(&self, headwater: usize, official: usize) -> usize {
        match self.launch.kind {
            Kind::Headwater => headwater,
            Kind::Official => official,
        }
    }
}

impl Workload {
    pub(crate) async fn run(&self, trial: &mut Trial<'_>) -> io::Result<Vec<Metric>> {
        match &self.plan {
            Plan::Append(load, targets) => append::run(trial, load, targets).await,
            Plan::HalfLoad { connections, streams } => half_load::run(trial, *connections, *streams).await,
            Plan::Delivery(mode) => delivery::run(trial, *mode).await,
            Plan::FanOut { subscribers } => fan_out::run(trial, *subscribers).await,
            Plan::CatchUp { bytes, readers, content } => catch_up::run(trial, *bytes, *readers, *content).await,
            Plan::ReadersMemory { bytes, readers } => catch_up::run_memory(trial, *bytes, *readers).await,
            Plan::Mixed => mixed::run(trial).await,
            Plan::Restart { streams, official_streams } => {
                restart::run(trial, trial.streams(*streams, *official_streams)).await
            }
            Plan::Idle { streams, official_streams } => {
                resident::run(trial, trial.streams(*streams, *official_streams)).await
            }
            Plan::Written { streams, bytes } => written::run(trial, *streams, *bytes).await,
            Plan::Proxy { responses } => proxy::run(trial, *responses).await,
            Plan::Sessions(plan) => plan.run(trial).await,
        }
    }

    pub(crate) fn takes(&self, kind: Kind) -> bool {
        kind == Kind::Headwater || self.servers == Servers::Both
    }
}
