//! `kill -9` with many streams, and the time until the next server of that data directory answers a read.

use std::io;
use std::time::Instant;

use headwater_load::{Payload, Stop, Unit, create_streams};

use crate::metric::{Metric, Target};
use crate::server::free_port;

use super::Trial;

const FIRST_READ_SECONDS_MAX: f64 = 2.0;

pub(crate) async fn run(trial: &mut Trial<'_>, streams: usize) -> io::Result<Vec<Metric>> {
    let payload = Payload::Bytes(256);
    let server = trial.start().await?;
    create_streams(&server.site(), streams, payload.content_type(), &payload.body(), &Stop::default()).await?;
    server.kill()?;
    let began = Instant::now();
    let mut server = trial.launch.spawn(trial.data_dir, free_port()?)?;
    server.readable(&server.site().stream(streams / 2)).await?;
    let first = began.elapsed();
    for stream in [0, streams - 1] {
        server.readable(&server.site().stream(stream)).await?;
    }
    Ok(vec![
        Metric::new("first read", Unit::Seconds, first.as_secs_f64())
            .target(Some(Target::AtMost(FIRST_READ_SECONDS_MAX))),
        Metric::new("open descriptors", Unit::Count, server.process().descriptors()? as f64),
    ])
}
