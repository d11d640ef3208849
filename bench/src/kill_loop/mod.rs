//! Proves from outside that `kill -9` loses, doubles and tears nothing.
//!
//! Concurrent producers write bytes and JSON, close, fork and delete, and keep a model of what was acknowledged. The server
//! is killed at random moments, also while it recovers; what was in flight is sent again with the same producer tuple. At
//! the end every stream is read and compared with the model, once after the last kill and once more after a clean stop.

pub(crate) mod killer;
pub(crate) mod link;
mod message;
mod model;
pub(crate) mod producer;
mod verify;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use crate::arguments::KillLoop;

use killer::Killer;
use link::Link;
use model::Model;
use producer::{Producer, Stop};
use verify::{Findings, verify};

pub(crate) async fn run(arguments: &KillLoop) -> Result<ExitCode, Box<dyn Error>> {
    let seed = arguments.seed.unwrap_or_else(|| rand::rng().random());
    eprintln!("kill-loop: seed {seed}");
    let data_dir = tempfile::Builder::new().prefix("headwater-kill-").tempdir_in(arguments.directory())?;
    let (address, up) = watch::channel(None);
    let mut killer = Killer::new(arguments.launch(), data_dir.path(), SmallRng::seed_from_u64(seed), address);
    killer.start().await?;
    let local = LocalSet::new();
    let models = local.run_until(produce_under_kills(arguments, seed, &mut killer, &up)).await?;
    let total = Model::total(&models);
    let mut findings = verify(&models, &mut Link::new(up.clone())).await?;
    killer.restart_cleanly().await?;
    findings.merge(verify(&models, &mut Link::new(up)).await?);
    print(seed, &killer, &total, &findings)?;
    Ok(if findings.clean() && total.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn produce_under_kills(
    arguments: &KillLoop,
    seed: u64,
    killer: &mut Killer<'_>,
    up: &watch::Receiver<Option<std::net::SocketAddr>>,
) -> Result<Vec<Model>, Box<dyn Error>> {
    message::create_shared(&mut Link::new(up.clone())).await?;
    let stop = Rc::new(Stop::default());
    let producers: Vec<_> = (0..arguments.producers)
        .map(|number| {
            let producer = Producer::new(number, seed, Link::new(up.clone()));
            spawn_local(producer.run(stop.clone()))
        })
        .collect();
    for _ in 0..arguments.kills {
        killer.kill_at_random().await?;
    }
    stop.set();
    let mut models = Vec::new();
    for producer in producers {
        models.push(producer.await?);
    }
    Ok(models)
}

fn print(seed: u64, killer: &Killer<'_>, total: &Model, findings: &Findings) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let retries = &total.retries;
    writeln!(out, "seed {seed}: {} kills, {} of them during recovery", killer.kills(), killer.kills_in_recovery())?;
    writeln!(
        out,
        "acknowledged: {} messages, {} bytes, on {} streams",
        total.messages,
        total.bytes,
        findings.streams()
    )?;
    writeln!(
        out,
        "in flight at a kill: {} requests, of which {} were recognised as duplicates and {} written by the retry",
        retries.resent, retries.duplicates, retries.written
    )?;
    for refusal in &total.refused {
        writeln!(out, "refused: {refusal}")?;
    }
    for example in findings.examples() {
        writeln!(out, "found: {example}")?;
    }
    let [lost, doubled, torn, disordered, unreadable] = findings.counts();
    writeln!(
        out,
        "lost: {lost}, doubled: {doubled}, torn: {torn}, disordered: {disordered}, unreadable: {unreadable}, refused: {}",
        total.refused.len()
    )?;
    writeln!(out, "{} passed, {} failed", findings.passed(), findings.failed() + total.refused.len())
}
