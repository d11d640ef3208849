//! A long session is joined late: by its log, and by the snapshot of its state.

use std::io;
use std::time::{Duration, Instant};

use headwater_load::http::ReadSize;
use headwater_load::{Gauge, Site, Unit, pipeline, read_to_tail};

use crate::metric::{Metric, Target};
use crate::server::free_port;

use super::super::Trial;
use super::posts::{push_post, turn_bodies};
use super::setup;

/// How often each way is gone; the median counts.
const TIMES: usize = 7;
const SNAPSHOT_SECONDS_MAX: f64 = 0.1;
const FEWER_BYTES_MIN: f64 = 20.0;

pub(crate) async fn run(trial: &mut Trial<'_>, turns: usize, tokens: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let site = server.site();
    let ids = setup::create_sessions(server.address(), 1).await?;
    let id = &ids[0];
    pipeline(&site, (0..turns).flat_map(|turn| requests(id, turn, tokens))).await?;
    let stream = format!("/v1/stream/session/{id}");
    let (log_bytes, log) = repeated(&site, &stream, Way::Log).await?;
    let (snapshot_bytes, warm) = repeated(&site, &stream, Way::Snapshot).await?;
    server.terminate().await?;
    let mut server = trial.launch.spawn(trial.data_dir, free_port()?)?;
    server.ready().await?;
    let (_, cold) = joined(&server.site(), &stream, Way::Snapshot).await?;
    let (_, log_cold) = joined(&server.site(), &stream, Way::Log).await?;
    server.kill()?;
    let mut server = trial.launch.spawn(trial.data_dir, free_port()?)?;
    server.ready().await?;
    let (_, killed) = joined(&server.site(), &stream, Way::Snapshot).await?;
    let seconds = |name, time: Duration| Metric::new(name, Unit::Seconds, time.as_secs_f64());
    let at_most = Some(Target::AtMost(SNAPSHOT_SECONDS_MAX));
    Ok(vec![
        seconds("snapshot, warm", warm).target(at_most),
        seconds("snapshot, first after a restart", cold).target(at_most),
        seconds("snapshot, first after kill -9", killed),
        Metric::new("snapshot", Unit::Bytes, snapshot_bytes as f64),
        seconds("log, warm", log),
        seconds("log, after a restart", log_cold),
        Metric::new("log", Unit::Bytes, log_bytes as f64),
        Metric::new("fewer bytes by snapshot", Unit::Times, log_bytes as f64 / snapshot_bytes as f64)
            .target(Some(Target::AtLeast(FEWER_BYTES_MIN))),
    ])
}

fn requests(id: &str, turn: usize, tokens: usize) -> impl Iterator<Item = Vec<u8>> + use<> {
    let path = format!("/api/streams?sessionId={id}");
    turn_bodies(turn, tokens).into_iter().map(move |body| {
        let mut request = Vec::new();
        push_post(&mut request, &path, &body);
        request
    })
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Log,
    Snapshot,
}

/// Bytes, and the median time.
async fn repeated(site: &Site, stream: &str, way: Way) -> io::Result<(u64, Duration)> {
    let (mut bytes, mut times) = (0, Vec::new());
    for _ in 0..TIMES {
        let (read, time) = joined(site, stream, way).await?;
        bytes = read;
        times.push(time);
    }
    times.sort_unstable();
    Ok((bytes, times[TIMES / 2]))
}

async fn joined(site: &Site, stream: &str, way: Way) -> io::Result<(u64, Duration)> {
    let began = Instant::now();
    let bytes = match way {
        Way::Log => read_to_tail(site, stream, &Gauge::default()).await?,
        Way::Snapshot => {
            let mut connection = site.connect(ReadSize::Bulk).await?;
            connection.send(&site.get(&format!("{stream}?offset=-1&view=snapshot"))).await?;
            let head = connection.head().await?;
            let mut bytes = 0;
            connection.body(&head, &mut |part| bytes += part.len() as u64).await?;
            if !head.is_success() {
                return Err(io::Error::other(format!("a snapshot was answered with status {}", head.status)));
            }
            bytes
        }
    };
    Ok((bytes, began.elapsed()))
}
