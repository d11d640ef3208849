//! Bytes sent to the disk for each byte appended, with everything the server does later for them.

use std::io;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::metric::{Metric, Target, Unit};
use crate::process::Process;
use crate::server::Server;

use super::append::{AppendLoad, AppendTargets, Gauge, Payload, Producers, start, stop};
use super::{Trial, setup};

/// The disk counts as quiet after this long without a write.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
const BYTES_PER_BYTE_MAX: f64 = 2.5;

pub(crate) async fn run(trial: &mut Trial<'_>, streams: usize, bytes: u64) -> io::Result<Vec<Metric>> {
    let (payload, targets) = (Payload::Bytes(256), AppendTargets::default());
    let load = AppendLoad { connections: 64, in_flight: 8, streams, payload, producers: Producers::None, targets };
    let server = trial.start().await?;
    setup::create_streams(server.address(), streams, payload.content_type(), b"").await?;
    quiet(server.process()).await?;
    let before = server.process().written_bytes()?;
    let appends = LocalSet::new().run_until(append(&server, &load, bytes / payload.bytes() as u64)).await?;
    let sent = (appends * payload.bytes() as u64) as f64;
    let at_once = (server.process().written_bytes()? - before) as f64;
    quiet(server.process()).await?;
    let in_all = (server.process().written_bytes()? - before) as f64;
    Ok(vec![
        Metric::new("written in all", Unit::BytesPerByte, in_all / sent)
            .target(Some(Target::AtMost(BYTES_PER_BYTE_MAX))),
        Metric::new("written while appending", Unit::BytesPerByte, at_once / sent),
    ])
}

async fn append(server: &Server, load: &AppendLoad, appends: u64) -> io::Result<u64> {
    let gauge = Gauge::new();
    let tasks = start(server.address(), load, &gauge).await?;
    gauge.record();
    while gauge.acknowledged() < appends && !tasks.iter().any(|task| task.is_finished()) {
        tokio::time::sleep(POLL).await;
    }
    stop(&gauge, tasks).await?;
    Ok(gauge.acknowledged())
}

/// Waits until the server has written nothing for a while.
async fn quiet(process: Process) -> io::Result<()> {
    let deadline = Instant::now() + QUIET_TIMEOUT;
    let (mut written, mut since) = (process.written_bytes()?, Instant::now());
    while since.elapsed() < QUIET && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
        let now = process.written_bytes()?;
        if now != written {
            (written, since) = (now, Instant::now());
        }
    }
    Ok(())
}
