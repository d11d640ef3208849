//! `kill -9` with many streams, and the time until the next server of that data directory answers a read.

use std::io;
use std::time::Instant;

use crate::client::stream_path;
use crate::metric::{Metric, Target, Unit};
use crate::server::free_port;

use super::append::Payload;
use super::{Trial, setup};

const FIRST_READ_SECONDS_MAX: f64 = 2.0;

pub(crate) async fn run(trial: &mut Trial<'_>, streams: usize) -> io::Result<Vec<Metric>> {
    let payload = Payload::Bytes(256);
    let server = trial.start().await?;
    setup::create_streams(server.address(), streams, payload.content_type(), &payload.body()).await?;
    server.kill()?;
    let began = Instant::now();
    let mut server = trial.launch.spawn(trial.data_dir, free_port()?)?;
    server.readable(&stream_path(streams / 2)).await?;
    let first = began.elapsed();
    for stream in [0, streams - 1] {
        server.readable(&stream_path(stream)).await?;
    }
    Ok(vec![
        Metric::new("first read", Unit::Seconds, first.as_secs_f64())
            .target(Some(Target::AtMost(FIRST_READ_SECONDS_MAX))),
        Metric::new("open descriptors", Unit::Count, server.process().descriptors()? as f64),
    ])
}
