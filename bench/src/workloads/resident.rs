//! What streams cost that nobody uses: created, the server restarted, nothing asked.

use std::io;
use std::time::{Duration, Instant};

use headwater_load::{Stop, Unit, create_streams};

use crate::metric::{Metric, Target};
use crate::server::free_port;

use super::Trial;

const SETTLE: Duration = Duration::from_secs(2);
const RESIDENT_BYTES_MAX: f64 = (300u64 << 20) as f64;

pub(crate) async fn run(trial: &mut Trial<'_>, streams: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let began = Instant::now();
    let content = b"thirty-two bytes of content here";
    create_streams(&server.site(), streams, "application/octet-stream", content, &Stop::default()).await?;
    let creating = began.elapsed();
    server.terminate().await?;
    let began = Instant::now();
    let mut server = trial.launch.spawn(trial.data_dir, free_port()?)?;
    server.ready().await?;
    let starting = began.elapsed();
    tokio::time::sleep(SETTLE).await;
    let resident = server.process().resident_bytes()? as f64;
    Ok(vec![
        Metric::new("resident after a restart", Unit::Bytes, resident).target(Some(Target::AtMost(RESIDENT_BYTES_MAX))),
        Metric::new("resident per stream", Unit::Bytes, resident / streams as f64),
        Metric::new("open descriptors", Unit::Count, server.process().descriptors()? as f64),
        Metric::new("start", Unit::Seconds, starting.as_secs_f64()),
        Metric::new("creates", Unit::PerSecond, streams as f64 / creating.as_secs_f64()),
    ])
}
