//! One stream, many SSE subscribers, a slow steady writer.

use std::io;
use std::time::{Duration, Instant};

use tokio::task::{LocalSet, spawn_local};

use crate::client::stream_path;
use crate::metric::{Metric, Target, Unit};

use super::delivery::{CONTENT_TYPE, Scanner, Subscription, finish, write_stamps};
use super::latency::Latencies;
use super::{Trial, setup};

const MESSAGES_PER_SECOND: u32 = 20;
const LAST_DELIVERIES: Duration = Duration::from_secs(1);
const SUBSCRIBER_BYTES_MAX: f64 = 8.0 * 1024.0;

pub(crate) async fn run(trial: &mut Trial<'_>, subscribers: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let (address, process) = (server.address(), server.process());
    setup::create_streams(address, 1, CONTENT_TYPE, b"").await?;
    let resident_before = process.proportional_bytes()?;
    let (clock, latencies) = (Instant::now(), Latencies::new());
    let local = LocalSet::new();
    let run = local.run_until(async {
        let mut readers = Vec::new();
        for _ in 0..subscribers {
            let subscription = Subscription::open(address, &stream_path(0)).await?;
            readers.push(spawn_local(subscription.follow(Scanner::new(clock, latencies.clone()))));
        }
        let cpu_before = process.cpu()?;
        let sent = write_stamps(address, &stream_path(0), clock, MESSAGES_PER_SECOND, trial.scale.measure).await?;
        tokio::time::sleep(LAST_DELIVERIES).await;
        let used = (process.cpu()? - cpu_before, process.proportional_bytes()?);
        for reader in readers {
            finish(reader).await?;
        }
        io::Result::Ok((sent, used))
    });
    let (sent, (cpu, resident)) = run.await?;
    let expected = sent * subscribers as u64;
    let added = resident.saturating_sub(resident_before) as f64 / subscribers as f64;
    let mut metrics = latencies.metrics(None, Some(Target::RatioAtMost(1.0))).to_vec();
    metrics.push(Metric::new("undelivered", Unit::Count, expected as f64 - latencies.count() as f64));
    metrics.push(Metric::new("server CPU per delivery", Unit::Micros, cpu.as_secs_f64() * 1e6 / expected as f64));
    metrics.push(
        Metric::new("resident per subscriber", Unit::Bytes, added).target(Some(Target::AtMost(SUBSCRIBER_BYTES_MAX))),
    );
    Ok(metrics)
}
