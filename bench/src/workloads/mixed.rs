//! Everything at once: appends, subscribers and catch-up readers on one server.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::{LocalSet, spawn_local};
use tokio::time::interval;

use crate::metric::{Metric, Unit};

use super::append::{AppendLoad, AppendTargets, Payload, Producers, measure};
use super::catch_up::{Content, fill, read_to_tail};
use super::delivery::{CONTENT_TYPE, Scanner, Subscription, finish, write_stamps};
use super::latency::Latencies;
use super::{Trial, setup};

const APPEND_STREAMS: usize = 100;
const LIVE: &str = "/v1/stream/live";
const HISTORY: &str = "/v1/stream/history";
const HISTORY_BYTES: u64 = 64 << 20;
const SUBSCRIBERS: usize = 100;
const CATCH_UP_READERS: usize = 2;
/// Each catch-up reader starts over this often.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(trial: &mut Trial<'_>) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let address = server.address();
    let (payload, targets) = (Payload::Bytes(256), AppendTargets::default());
    let (connections, producers) = (32, Producers::Idempotent);
    let load = AppendLoad { connections, in_flight: 1, streams: APPEND_STREAMS, payload, producers, targets };
    setup::create_streams(address, APPEND_STREAMS, payload.content_type(), b"").await?;
    setup::fill_stream(address, LIVE, 1, CONTENT_TYPE, b"-").await?;
    fill(address, HISTORY, HISTORY_BYTES, Content::Binary).await?;
    let (clock, delivered) = (Instant::now(), Latencies::new());
    let local = LocalSet::new();
    let run = local.run_until(async {
        let mut background = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let subscription = Subscription::open(address, LIVE).await?;
            background.push(spawn_local(subscription.follow(Scanner::new(clock, delivered.clone()))));
        }
        for _ in 0..CATCH_UP_READERS {
            background.push(spawn_local(read_again_and_again(address)));
        }
        let duration = trial.scale.warm_up + trial.scale.measure;
        let writer = spawn_local(async move { write_stamps(address, LIVE, clock, 20, duration).await });
        let outcome = measure(&server, &load, trial.scale).await?;
        writer.await.map_err(io::Error::other)??;
        for task in background {
            finish(task).await?;
        }
        io::Result::Ok(outcome)
    });
    let outcome = run.await?;
    let appends = outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64();
    let [_, append_p99] = outcome.latencies.metrics(None, None);
    let [_, delivery_p99] = delivered.metrics(None, None);
    Ok(vec![
        Metric::new("appends", Unit::PerSecond, appends),
        Metric { name: "append p99", ..append_p99 },
        Metric { name: "delivery p99", ..delivery_p99 },
    ])
}

async fn read_again_and_again(address: SocketAddr) -> io::Result<()> {
    let mut starts = interval(CATCH_UP_EVERY);
    loop {
        starts.tick().await;
        read_to_tail(address, HISTORY.to_owned()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::stream_path;

    #[test]
    fn the_mixed_workloads_own_streams_never_meet_the_appenders() {
        assert!((0..APPEND_STREAMS).all(|stream| stream_path(stream) != LIVE && stream_path(stream) != HISTORY));
    }
}
