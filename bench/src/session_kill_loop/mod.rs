//! Proves from outside that `kill -9` takes nothing from agent sessions.
//!
//! Concurrent writers do what agents and people do, over HTTP alone: tokens, tool calls, terminal lines, approvals, agent
//! states, presence, and the life of sessions and forks. The server is killed at random moments, also while it recovers;
//! what was unanswered is sent again with the same ids. Viewers follow by server-sent events across the kills. After each
//! kill, and once more after a clean stop, everything is read and held against what was acknowledged.

mod calls;
mod findings;
mod fold;
mod model;
mod traffic;
mod verify;
mod viewer;
mod writer;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::arguments::SessionKillLoop;
use crate::kill_loop::killer::Killer;
use crate::kill_loop::link::Link;
use crate::kill_loop::producer::Stop;

use findings::Findings;
use model::{Model, Session};
use verify::{Scope, Verifier};
use viewer::{Up, Viewers};
use writer::Writer;

type Models = Vec<Rc<Mutex<Model>>>;

pub(crate) async fn run(arguments: &SessionKillLoop) -> Result<ExitCode, Box<dyn Error>> {
    let seed = arguments.seed.unwrap_or_else(|| rand::rng().random());
    eprintln!("session-kill-loop: seed {seed}");
    let data_dir = tempfile::Builder::new().prefix("headwater-sessions-kill-").tempdir_in(arguments.directory())?;
    let (address, up) = watch::channel(None);
    let mut killer = Killer::new(arguments.launch(), data_dir.path(), SmallRng::seed_from_u64(seed), address);
    killer.start().await?;
    LocalSet::new().run_until(work_under_kills(arguments, seed, &mut killer, up)).await
}

async fn work_under_kills(
    arguments: &SessionKillLoop,
    seed: u64,
    killer: &mut Killer<'_>,
    up: Up,
) -> Result<ExitCode, Box<dyn Error>> {
    let viewers = Viewers::new(up.clone());
    let (stop, mut link, mut findings) = (Rc::new(Stop::default()), Link::new(up.clone()), Findings::default());
    let (models, writers) = start(arguments.writers, seed, &up, &viewers, &stop).await?;
    for _ in 0..arguments.kills {
        killer.kill_at_random().await?;
        verify(&models, &viewers, &mut link, Scope::Touched, &mut findings).await?;
    }
    stop.set();
    for writer in writers {
        writer.await?;
    }
    verify(&models, &viewers, &mut link, Scope::All, &mut findings).await?;
    killer.restart_cleanly().await?;
    verify(&models, &viewers, &mut link, Scope::All, &mut findings).await?;
    print(seed, killer, &models, &viewers, &mut findings).await?;
    Ok(if findings.failed() == 0 && findings.passed() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Creates the session that all share, and lets the writers loose.
async fn start(
    count: usize,
    seed: u64,
    up: &Up,
    viewers: &Viewers,
    stop: &Rc<Stop>,
) -> Result<(Models, Vec<JoinHandle<()>>), Box<dyn Error>> {
    let created = Link::new(up.clone()).exchange(calls::create("all", "shared")).await?;
    let row = calls::succeed("create", &created)?["data"].take();
    let id = row["id"].as_str().ok_or("a created session has an id")?;
    viewers.watch_session(id);
    let (mut models, mut writers) = (Models::new(), Vec::new());
    for number in 0..count {
        let mut shared = Session::new(id.to_owned(), "shared".to_owned(), String::new());
        shared.is_shared = true;
        let model = Model { writer: number, sessions: vec![shared], ..Model::default() };
        if number % 4 == 0 {
            viewers.watch_agent(&model.agent_id());
        }
        let random = SmallRng::seed_from_u64(seed.wrapping_add(number as u64 + 1));
        let writer = Writer::new(Link::new(up.clone()), random, viewers.clone(), model);
        models.push(writer.model());
        writers.push(spawn_local(writer.run(stop.clone())));
    }
    Ok((models, writers))
}

/// Waits until every writer has its answers, and verifies while they rest.
async fn verify(
    models: &Models,
    viewers: &Viewers,
    link: &mut Link,
    scope: Scope,
    findings: &mut Findings,
) -> std::io::Result<()> {
    let mut resting = Vec::with_capacity(models.len());
    for model in models {
        resting.push(model.lock().await);
    }
    let viewers = viewers.all();
    let known: Vec<&Model> = resting.iter().map(|model| &**model).collect();
    Verifier { models: &known, viewers: &viewers, link, findings }.verify(scope).await?;
    for session in resting.iter_mut().flat_map(|model| &mut model.sessions) {
        session.is_touched = false;
    }
    Ok(())
}

async fn print(
    seed: u64,
    killer: &Killer<'_>,
    models: &Models,
    viewers: &Viewers,
    findings: &mut Findings,
) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let (mut sessions, mut forks, mut events, mut beats, mut resent, mut duplicates) = (1, 0, 0, 0, 0, 0);
    for model in models {
        let model = model.lock().await;
        let own = model.sessions.iter().filter(|session| !session.is_shared);
        sessions += own.clone().count();
        forks += own.clone().filter(|session| session.forked.is_some()).count();
        let inherited: usize = own.filter_map(|session| session.forked.as_ref()).map(|(_, length)| length).sum();
        events += model.sessions.iter().map(|session| session.expected.len()).sum::<usize>() - inherited;
        beats += model.presence;
        resent += model.retries.resent;
        duplicates += model.retries.duplicates;
        for refusal in &model.refused {
            findings.fail("refused", refusal.clone());
        }
    }
    let viewers = viewers.all();
    let seen: usize = viewers.iter().map(|viewer| viewer.seen.borrow().messages.len()).sum();
    let connections: u64 = viewers.iter().map(|viewer| viewer.seen.borrow().connections).sum();
    writeln!(out, "seed {seed}: {} kills, {} of them during recovery", killer.kills(), killer.kills_in_recovery())?;
    writeln!(
        out,
        "acknowledged: {events} events and {beats} signs of life in {sessions} sessions, {forks} of them forks"
    )?;
    writeln!(out, "in flight at a kill: {resent} requests, of which {duplicates} were recognised as duplicates")?;
    writeln!(out, "seen live: {seen} events by {} viewers over {connections} connections", viewers.len())?;
    for example in findings.examples() {
        writeln!(out, "found: {example}")?;
    }
    writeln!(out, "checked: {}", findings.summary())?;
    writeln!(out, "{} passed, {} failed", findings.passed(), findings.failed())
}
