//! One stream, many SSE subscribers, a slow steady writer.

use std::io;
use std::rc::Rc;

use headwater_load::{Delivery, Gauge, LIVE_CONTENT_TYPE, Mode, Stop, Unit, create_streams};

use crate::metric::{Metric, Target};

use super::Trial;
use super::delivery::MESSAGE_BYTES;
use super::outcome::quantiles;

const MESSAGES_PER_SECOND: u32 = 20;
const SUBSCRIBER_BYTES_MAX: f64 = 8.0 * 1024.0;

pub(crate) async fn run(trial: &mut Trial<'_>, subscribers: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let process = server.process();
    create_streams(&server.site(), 1, LIVE_CONTENT_TYPE, b"", &Stop::default()).await?;
    let resident_before = process.proportional_bytes()?;
    let gauge = Rc::new(Gauge::default());
    let (rate, bytes, window) = (MESSAGES_PER_SECOND, MESSAGE_BYTES, trial.scale.without_warm_up());
    let load = Delivery { mode: Mode::Sse, readers: subscribers, rate, bytes, window };
    let used = || Ok((process.cpu()?, process.proportional_bytes()?));
    let outcome = load.run(&server.site(), &gauge, used).await?;
    gauge.check()?;
    let expected = (outcome.sent * subscribers as u64) as f64;
    let cpu = (outcome.after.0 - outcome.before.0).as_secs_f64() * 1e6;
    let added = outcome.after.1.saturating_sub(resident_before) as f64 / subscribers as f64;
    let mut metrics = quantiles(gauge.latencies(), None, Some(Target::RatioAtMost(1.0))).to_vec();
    metrics.push(Metric::new("server CPU per delivery", Unit::Micros, cpu / expected));
    metrics.push(
        Metric::new("resident per subscriber", Unit::Bytes, added).target(Some(Target::AtMost(SUBSCRIBER_BYTES_MAX))),
    );
    Ok(metrics)
}
