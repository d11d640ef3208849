//! What open sessions cost: their state in memory, and what is left of it after a restart.

use std::io;
use std::time::Duration;

use headwater_load::{Unit, pipeline};
use tokio::task::JoinSet;

use crate::metric::Metric;
use crate::server::free_port;

use super::super::Trial;
use super::posts::{push_post, turn_bodies};
use super::setup;

const CONNECTIONS: usize = 16;
const SETTLE: Duration = Duration::from_secs(2);
/// Tokens of the one turn that each session has seen, with a tool call.
const TOKENS: usize = 100;

pub(crate) async fn run(trial: &mut Trial<'_>, sessions: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let empty = server.process().resident_bytes()?;
    let ids = setup::create_sessions(server.address(), sessions).await?;
    tokio::time::sleep(SETTLE).await;
    let created = server.process().resident_bytes()?;
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS {
        let ids: Vec<String> = ids.iter().skip(worker).step_by(CONNECTIONS).cloned().collect();
        let site = server.site();
        workers.spawn_local(async move { pipeline(&site, ids.into_iter().flat_map(turn)).await });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(io::Error::other)??;
    }
    tokio::time::sleep(SETTLE).await;
    let open = server.process().resident_bytes()?;
    server.terminate().await?;
    let mut server = trial.launch.spawn(trial.data_dir, free_port()?)?;
    server.ready().await?;
    tokio::time::sleep(SETTLE).await;
    let idle = server.process().resident_bytes()?;
    let each = |bytes: u64| bytes as f64 / sessions as f64;
    Ok(vec![
        Metric::new("resident per session created", Unit::Bytes, each(created.saturating_sub(empty))),
        Metric::new("resident per session in use", Unit::Bytes, each(open.saturating_sub(created))),
        Metric::new("resident with all in use", Unit::Bytes, open as f64),
        Metric::new("resident after a restart, none in use", Unit::Bytes, idle as f64),
        Metric::new("of it per session", Unit::Bytes, each(idle.saturating_sub(empty))),
    ])
}

fn turn(id: String) -> impl Iterator<Item = Vec<u8>> {
    turn_bodies(0, TOKENS).into_iter().map(move |body| {
        let mut request = Vec::new();
        push_post(&mut request, &format!("/api/streams?sessionId={id}"), &body);
        request
    })
}
