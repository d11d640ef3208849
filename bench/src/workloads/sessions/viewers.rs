//! Tokens to many sessions while people watch: how long from the request to each viewer's socket.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater_load::{Latencies, OpenLoop, Scanner, Subscription, Unit};
use tokio::task::JoinSet;

use crate::metric::{Metric, Target};
use crate::server::Server;

use super::super::Trial;
use super::super::outcome::{Outcome, closed_loop, open_loop, quantiles};
use super::posts::{Text, TokenPosts};
use super::writes::TokenLoad;
use super::{cpu_metrics, setup};

/// How long the last deliveries may take.
const LAST_DELIVERIES: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy)]
pub(crate) struct ViewedLoad {
    pub(crate) sessions: usize,
    /// Of each session.
    pub(crate) viewers: usize,
    pub(crate) connections: usize,
    /// Events per second, to all sessions together.
    pub(crate) rate: usize,
    /// The longest that 99 of 100 deliveries may take, in microseconds.
    pub(crate) target: Option<f64>,
}

/// Viewers on the same thread, and what they have seen together.
pub(super) struct Audience {
    tasks: JoinSet<io::Result<()>>,
    pub(super) latencies: Latencies,
    found: Rc<Cell<u64>>,
    /// Stamps before this are not recorded, counted from when the clock began.
    from: Rc<Cell<Duration>>,
}

impl Audience {
    /// Opens `viewers` connections to each session.
    pub(super) async fn open(
        server: &Server,
        ids: &[String],
        viewers: usize,
        scanner: impl Fn(Latencies) -> Scanner,
    ) -> io::Result<Audience> {
        let (latencies, found, from) = (Latencies::new(), Rc::default(), Rc::default());
        let (site, mut tasks) = (server.site(), JoinSet::new());
        for id in ids {
            for _ in 0..viewers {
                let url = format!("/api/sessions/{id}/stream?offset=now");
                let subscription = Subscription::open(&site, &url).await?;
                let scanner = scanner(latencies.clone()).counting(Rc::clone(&from), Rc::clone(&found));
                tasks.spawn_local(follow(subscription, scanner));
            }
        }
        Ok(Audience { tasks, latencies, found, from })
    }

    /// Records what is sent later than this, counted from when the clock began.
    pub(super) fn record_from(&self, from: Duration) {
        self.from.set(from);
    }

    /// Waits until `sent` events have arrived, or long enough, and answers how many are missing.
    pub(super) async fn missing(&self, expected: u64) -> u64 {
        let deadline = Instant::now() + LAST_DELIVERIES;
        while self.found.get() < expected && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        expected.saturating_sub(self.found.get())
    }

    /// Viewers would go on for ever; one that ended by itself has failed.
    pub(super) fn leave(mut self) -> io::Result<()> {
        match self.tasks.try_join_next() {
            Some(ended) => ended.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}

async fn follow(mut subscription: Subscription, mut scanner: Scanner) -> io::Result<()> {
    subscription.follow(&mut scanner).await?;
    Err(io::Error::other("the server ended an SSE response during the measurement"))
}

/// At a given rate.
pub(crate) async fn run(trial: &mut Trial<'_>, load: &ViewedLoad) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let ids = setup::create_sessions(server.address(), load.sessions).await?;
    let clock = Instant::now();
    let lanes = TokenPosts::lanes(&ids, load.connections, 1, Text::Stamps(clock));
    let audience = Audience::open(&server, &ids, load.viewers, |seen| Scanner::new(clock, seen)).await?;
    audience.record_from(clock.elapsed() + trial.scale.warm_up);
    let pace = OpenLoop::in_ticks(load.rate as f64, trial.scale.window());
    let outcome = open_loop(&server, lanes, pace).await?;
    let mut metrics = report(audience, outcome, load.viewers).await?;
    if let Some(p99) = metrics.iter_mut().find(|metric| metric.name == "delivery p99") {
        p99.target = load.target.map(Target::AtMost);
    }
    if let Some(sent) = metrics.iter_mut().find(|metric| metric.name == "events") {
        // What is held back by a hundredth part is still the rate that was asked for.
        sent.target = load.target.map(|_| Target::AtLeast(load.rate as f64 * 0.99));
    }
    Ok(metrics)
}

/// As fast as events are acknowledged.
pub(crate) async fn run_closed(trial: &mut Trial<'_>, load: &TokenLoad, viewers: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let ids = setup::create_sessions(server.address(), load.sessions).await?;
    let clock = Instant::now();
    let lanes = TokenPosts::lanes(&ids, load.connections, load.events, Text::Stamps(clock));
    let audience = Audience::open(&server, &ids, viewers, |seen| Scanner::new(clock, seen)).await?;
    audience.record_from(clock.elapsed() + trial.scale.warm_up);
    let outcome = closed_loop(&server, lanes, load.in_flight, trial.scale.window()).await?;
    report(audience, outcome, viewers).await
}

async fn report(audience: Audience, outcome: Outcome, viewers: usize) -> io::Result<Vec<Metric>> {
    let events = outcome.acknowledged as f64;
    let missing = audience.missing(outcome.sent * viewers as u64).await;
    let mut metrics = vec![Metric::new("events", Unit::PerSecond, events / outcome.elapsed.as_secs_f64())];
    metrics.extend(delivery_metrics(&audience.latencies));
    metrics.push(Metric::new("undelivered", Unit::Count, missing as f64));
    let [_, p99] = quantiles(&outcome.latencies, None, None);
    metrics.push(Metric { name: "acknowledged p99", ..p99 });
    metrics.extend(cpu_metrics(&outcome, events));
    audience.leave()?;
    Ok(metrics)
}

pub(super) fn delivery_metrics(latencies: &Latencies) -> [Metric; 2] {
    let [p50, p99] = quantiles(latencies, None, None);
    [Metric { name: "delivery p50", ..p50 }, Metric { name: "delivery p99", ..p99 }]
}
