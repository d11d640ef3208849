//! People in one session who move their cursors and see each other do it.

use std::io;
use std::time::Instant;

use headwater_load::{OpenLoop, Render, STAMP_RANGE, Scanner, Unit};

use crate::metric::Metric;

use super::super::Trial;
use super::super::outcome::open_loop;
use super::posts::push_post;
use super::viewers::{Audience, delivery_metrics};
use super::{cpu_metrics, setup};

/// What stands before a cursor's stamp, which is where it is.
const MARK: &[u8] = b"\"x\":";

/// One person's cursor moves.
#[derive(Debug)]
struct Cursor {
    path: String,
    person: usize,
    clock: Instant,
}

impl Render for Cursor {
    fn render(&mut self, out: &mut Vec<u8>) {
        let (person, x) = (self.person, STAMP_RANGE + self.clock.elapsed().as_nanos() as u64);
        let body = format!(r#"{{"userId":"user-{person}","displayName":"User {person}","cursor":{{"x":{x},"y":20}}}}"#);
        push_post(out, &self.path, &body);
    }
}

pub(crate) async fn run(trial: &mut Trial<'_>, people: usize, moves_per_second: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let ids = setup::create_sessions(server.address(), 1).await?;
    let path = format!("/api/sessions/{}/presence", ids[0]);
    let clock = Instant::now();
    let lanes = (0..people).map(|person| Cursor { path: path.clone(), person, clock }).collect();
    let marked = |seen| Scanner::new(clock, seen).marked(MARK);
    let audience = Audience::open(&server, &ids, people, marked).await?;
    audience.record_from(clock.elapsed() + trial.scale.warm_up);
    let load = OpenLoop::in_ticks((people * moves_per_second) as f64, trial.scale.window());
    let outcome = open_loop(&server, lanes, load).await?;
    let missing = audience.missing(outcome.sent * people as u64).await;
    let seconds = outcome.elapsed.as_secs_f64();
    let mut metrics = vec![
        Metric::new("moves", Unit::PerSecond, outcome.acknowledged as f64 / seconds),
        Metric::new("deliveries", Unit::PerSecond, audience.latencies.count() as f64 / seconds),
    ];
    metrics.extend(delivery_metrics(&audience.latencies));
    metrics.push(Metric::new("undelivered", Unit::Count, missing as f64));
    metrics.extend(cpu_metrics(&outcome, outcome.acknowledged as f64));
    let cores = outcome.server.cpu.as_secs_f64() / seconds * 100.0;
    metrics.push(Metric::new("server CPU, percent of a core", Unit::Count, cores));
    metrics.push(Metric::new("written to disk", Unit::Bytes, outcome.server.written_bytes as f64));
    audience.leave()?;
    Ok(metrics)
}
