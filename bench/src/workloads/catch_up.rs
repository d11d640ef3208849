//! Reading a long stream from its start, page after page.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater_load::{Content, Gauge, Stop, Unit, fill_stream, read_for, read_to_tail};

use crate::metric::{Metric, Target};

use super::Trial;

const ADDED_BYTES_MAX: f64 = (128u64 << 20) as f64;

pub(crate) async fn run(
    trial: &mut Trial<'_>,
    bytes: u64,
    readers: usize,
    content: Content,
) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let (site, gauge) = (server.site(), Rc::new(Gauge::default()));
    let stream = site.stream(0);
    fill_stream(&site, &stream, bytes, content, &Stop::default()).await?;
    read_to_tail(&site, &stream, &gauge).await?;
    let (began, cpu_before) = (Instant::now(), server.process().cpu()?);
    read_for(&site, &stream, readers, trial.scale.measure, &gauge).await;
    let (elapsed, cpu) = (began.elapsed(), server.process().cpu()? - cpu_before);
    gauge.check()?;
    let read = gauge.bytes() as f64;
    Ok(vec![
        Metric::new("read", Unit::BytesPerSecond, read / elapsed.as_secs_f64()).target(Some(Target::RatioAtLeast(0.7))),
        Metric::new("server CPU", Unit::SecondsPerGigabyte, cpu.as_secs_f64() / (read / 1e9)),
    ])
}

/// How much resident memory several readers of one long stream add.
pub(crate) async fn run_memory(trial: &mut Trial<'_>, bytes: u64, readers: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let (site, gauge) = (server.site(), Rc::new(Gauge::default()));
    fill_stream(&site, &site.stream(0), bytes, Content::Binary, &Stop::default()).await?;
    let process = server.process();
    let resident = process.resident_bytes()?;
    process.reset_peak()?;
    read_for(&site, &site.stream(0), readers, Duration::ZERO, &gauge).await;
    gauge.check()?;
    let added = process.peak_bytes()?.saturating_sub(resident) as f64;
    Ok(vec![
        Metric::new("added resident", Unit::Bytes, added).target(Some(Target::AtMost(ADDED_BYTES_MAX))),
        Metric::new("resident before", Unit::Bytes, resident as f64),
    ])
}
